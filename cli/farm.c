/* The embedded farm's children, watched over. What it writes before they start is in
 * cli/farm_files.c.
 *
 * A child is running (pid != 0), or waits for its restart time, or, once `stopping`, is left ended.
 */
#include "cli/farm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/farm_files.h"
#include "common/fs.h"

#define LOG_TAIL_BYTES 2048
#define LOG_TAIL_LINES 6
#define EXIT_CONFIG 2 /* a daemon's exit for a bad configuration: starting again can't help */

struct gm_farm {
    struct gm_farm_files files;
    struct gm_term *term;   /* borrowed */
    struct gm_child *child; /* owned; [0] is the scheduler */
    int count;
    bool stopping;
};

static int init_child(struct gm_farm *farm, int index, struct gm_err *err)
{
    struct gm_child *child = &farm->child[index];
    const char *program = index == 0 ? "gopmill-scheduler" : "gopmill-node";
    const char *state = farm->files.state;
    char path[4096];
    child->ready_fd = -1;
    if (index == 0) {
        snprintf(child->name, sizeof(child->name), "scheduler");
    } else {
        snprintf(child->name, sizeof(child->name), "node-%d", index);
    }
    int rc = gm_farm_find_program(program, &child->program, err);
    if (rc == 0) {
        rc = gm_fs_path(path, sizeof(path), err, "%s/%s.yaml", state, child->name);
    }
    if (rc < 0) {
        return rc;
    }
    size_t stem = strlen(path) - strlen(".yaml");
    child->config = strdup(path);
    memcpy(path + stem, ".log", 5);
    child->log_path = strdup(path);
    memcpy(path + stem, ".pid", 5);
    child->pid_path = strdup(path);
    if (child->config == NULL || child->log_path == NULL || child->pid_path == NULL) {
        return gm_err_nomem(err);
    }
    return 0;
}

int gm_farm_start(const struct gm_farm_params *params, struct gm_term *term, struct gm_farm **out,
                  struct gm_err *err)
{
    struct gm_farm *farm = calloc(1, sizeof(*farm));
    if (farm == NULL) {
        return gm_err_nomem(err);
    }
    farm->term = term;
    farm->files.lock_fd = -1;
    farm->files.runtime_lock_fd = -1;
    int rc = gm_farm_files_make(params, &farm->files, err);
    if (rc < 0) {
        goto out;
    }
    farm->child = calloc((size_t)params->nodes + 1, sizeof(*farm->child));
    if (farm->child == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    farm->count = params->nodes + 1;
    for (int i = 0; rc == 0 && i < farm->count; i++) {
        rc = init_child(farm, i, err);
    }
    for (int i = 0; rc == 0 && i < farm->count; i++) {
        rc = gm_child_start(&farm->child[i], err);
    }
    if (rc < 0) {
        goto out;
    }
    *out = farm;
    farm = NULL;
out:
    gm_farm_destroy(&farm);
    return rc;
}

unsigned gm_farm_fds(const struct gm_farm *farm, struct curl_waitfd *out)
{
    unsigned n = 0;
    for (int i = 0; i < farm->count; i++) {
        if (farm->child[i].pid != 0 && farm->child[i].ready_fd >= 0) {
            out[n++] =
                (struct curl_waitfd){.fd = farm->child[i].ready_fd, .events = CURL_WAIT_POLLIN};
        }
    }
    return n;
}

int gm_farm_due_ms(const struct gm_farm *farm, gm_time now, int max_ms)
{
    int due = max_ms;
    for (int i = 0; i < farm->count && !farm->stopping; i++) {
        if (farm->child[i].pid == 0) {
            gm_time left = farm->child[i].restart_at - now;
            int ms = left <= 0 ? 0 : left / GM_MS >= max_ms ? max_ms : (int)(left / GM_MS) + 1;
            due = ms < due ? ms : due;
        }
    }
    return due;
}

/* The end of a child's log, for a person who has to find out why it fails. */
static void show_log(struct gm_farm *farm, const struct gm_child *child)
{
    char text[LOG_TAIL_BYTES + 1];
    int fd = open(child->log_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    off_t end = lseek(fd, 0, SEEK_END);
    off_t from = end > LOG_TAIL_BYTES ? end - LOG_TAIL_BYTES : 0;
    ssize_t n = pread(fd, text, LOG_TAIL_BYTES, from);
    close(fd);
    if (n <= 0) {
        return;
    }
    text[n] = '\0';
    char *line = text + n;
    for (int lines = 0; line > text; line--) {
        if (line[-1] == '\n' && line < text + n && ++lines == LOG_TAIL_LINES) {
            break;
        }
    }
    gm_term_error(farm->term, "the last lines of %s's log:\n%s", child->name, line);
}

static int give_up(struct gm_farm *farm, const struct gm_child *child, const char *how,
                   struct gm_err *err)
{
    bool kept = farm->files.state_kept;
    show_log(farm, child);
    return gm_err_set(err, GM_E_NO_FARM, 0, "the embedded %s %s%s%s", child->name, how,
                      kept ? "; its log: " : "", kept ? child->log_path : "");
}

int gm_farm_give_up(struct gm_farm *farm, struct gm_err *err)
{
    return give_up(farm, &farm->child[0], "was not ready in time", err);
}

static void describe_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status)) {
        snprintf(out, size, "killed by signal %d", WTERMSIG(status));
    } else {
        snprintf(out, size, "exit status %d", WEXITSTATUS(status));
    }
}

static int handle_end(struct gm_farm *farm, const struct gm_child *child, int status,
                      struct gm_err *err)
{
    char how[48], times[32] = "", text[128];
    if (farm->stopping) {
        return 0;
    }
    describe_end(status, how, sizeof(how));
    bool hopeless = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CONFIG;
    if (hopeless || child->failures >= GM_CHILD_GIVE_UP) {
        if (child->failures > 1) {
            snprintf(times, sizeof(times), " %d times in a row", child->failures);
        }
        snprintf(text, sizeof(text), "ended (%s)%s before it was ready", how, times);
        return give_up(farm, child, text, err);
    }
    gm_term_note(farm->term, "the embedded %s ended (%s); starting it again", child->name, how);
    return 0;
}

int gm_farm_pump(struct gm_farm *farm, gm_time now, struct gm_err *err)
{
    for (int i = 0; i < farm->count; i++) {
        struct gm_child *child = &farm->child[i];
        int status = 0;
        int rc = 0;
        gm_child_read(child);
        if (gm_child_reap(child, now, &status)) {
            rc = handle_end(farm, child, status, err);
        } else if (child->pid == 0 && !farm->stopping && now >= child->restart_at) {
            rc = gm_child_start(child, err);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

bool gm_farm_is_ready(const struct gm_farm *farm)
{
    return farm->child[0].pid != 0 && farm->child[0].ready;
}

const char *gm_farm_url(const struct gm_farm *farm)
{
    return farm->files.url;
}

void gm_farm_terminate(struct gm_farm *farm)
{
    farm->stopping = true;
    for (int i = farm->count - 1; i >= 0; i--) {
        gm_child_signal(&farm->child[i], SIGTERM);
    }
}

bool gm_farm_is_running(const struct gm_farm *farm)
{
    for (int i = 0; i < farm->count; i++) {
        if (farm->child[i].pid != 0) {
            return true;
        }
    }
    return false;
}

void gm_farm_destroy(struct gm_farm **farm)
{
    struct gm_farm *f = *farm;
    if (f == NULL) {
        return;
    }
    for (int i = f->count - 1; i >= 0; i--) {
        gm_child_kill(&f->child[i]);
        gm_child_fini(&f->child[i]);
    }
    free(f->child);
    gm_farm_files_remove(&f->files);
    free(f);
    *farm = NULL;
}
