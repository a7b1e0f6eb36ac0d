#include "cli/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/spawn.h"

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 2000

static int write_pid(const struct gm_child *child, struct gm_err *err)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%ld\n", (long)child->pid);
    return gm_fs_write_atomic(child->pid_path, text, (size_t)n, err);
}

int gm_child_start(struct gm_child *child, struct gm_err *err)
{
    const char *const argv[] = {child->program, "--config", child->config, NULL};
    int rc = gm_spawn_start(argv, child->log_path, &child->pid, &child->ready_fd, err);
    if (rc < 0) {
        return rc;
    }
    child->ready = false;
    child->line_size = 0;
    return write_pid(child, err);
}

static void close_ready(struct gm_child *child)
{
    if (child->ready_fd >= 0) {
        close(child->ready_fd);
        child->ready_fd = -1;
    }
}

static void take_bytes(struct gm_child *child, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != '\n') {
            if (child->line_size + 1 < sizeof(child->line)) {
                child->line[child->line_size++] = data[i];
            }
            continue;
        }
        child->line[child->line_size] = '\0';
        child->line_size = 0;
        if (strcmp(child->line, "READY") == 0 || strncmp(child->line, "READY ", 6) == 0) {
            child->ready = true;
            child->failures = 0;
            child->pause_ms = 0;
        }
    }
}

void gm_child_read(struct gm_child *child)
{
    char data[1024];
    while (child->pid != 0 && child->ready_fd >= 0) {
        ssize_t n = read(child->ready_fd, data, sizeof(data));
        if (n > 0) {
            take_bytes(child, data, (size_t)n);
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else {
            if (n == 0 || errno != EAGAIN) {
                close_ready(child); /* its end, or lost: READY can't come any more */
            }
            return;
        }
    }
}

/* It has ended and was waited for. */
static void forget(struct gm_child *child)
{
    gm_child_read(child);
    close_ready(child);
    child->pid = 0;
    unlink(child->pid_path);
}

bool gm_child_reap(struct gm_child *child, gm_time now, int *out_status)
{
    if (child->pid == 0 || waitpid(child->pid, out_status, WNOHANG) != child->pid) {
        return false;
    }
    forget(child);
    if (!child->ready) {
        child->failures++;
    }
    child->ready = false;
    child->pause_ms = child->pause_ms == 0 ? PAUSE_MIN_MS : child->pause_ms * 2;
    if (child->pause_ms > PAUSE_MAX_MS) {
        child->pause_ms = PAUSE_MAX_MS;
    }
    child->restart_at = now + child->pause_ms * GM_MS;
    return true;
}

void gm_child_signal(const struct gm_child *child, int number)
{
    if (child->pid != 0) {
        kill(child->pid, number);
    }
}

void gm_child_kill(struct gm_child *child)
{
    if (child->pid != 0) {
        gm_spawn_kill(child->pid);
        forget(child);
    }
}

void gm_child_fini(struct gm_child *child)
{
    free(child->program);
    free(child->config);
    free(child->log_path);
    free(child->pid_path);
    memset(child, 0, sizeof(*child));
}
