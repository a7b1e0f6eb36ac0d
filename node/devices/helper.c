#include "node/devices/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/spawn.h"
#include "common/time.h"

#define PARALLEL_MAX 128
#define PATIENCE_MS 2000 /* for a killed process to go */
#define LOOK_MS 100      /* at most so long between looks at the stop flag */

struct running {
    struct gm_helper *helper; /* borrowed; NULL: free */
    pid_t pid;
    int fd; /* -1: its end was read */
    struct gm_buf in;
    gm_time begun, deadline;
    bool killed;
};

static int start(struct running *r, struct gm_helper *helper, struct gm_err *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return gm_err_sys(err, errno, "could not make a pipe");
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        int saved = errno;
        close(fds[0]);
        close(fds[1]);
        return gm_err_sys(err, saved, "could not start %s", helper->argv[0]);
    }
    if (pid == 0) {
        const struct gm_spawn_child child = {.argv = helper->argv,
                                             .parent = parent,
                                             .death_signal = SIGKILL,
                                             .fds = {-1, -1, -1, fds[1]},
                                             .fd_count = GM_HELPER_RESULT + 1,
                                             .confined = true};
        gm_spawn_become(&child);
    }
    close(fds[1]);
    gm_time now = gm_time_now();
    *r = (struct running){.helper = helper,
                          .pid = pid,
                          .fd = fds[0],
                          .begun = now,
                          .deadline = now + (gm_time)helper->limit_ms * GM_MS};
    return 0;
}

static void end_reading(struct running *r)
{
    close(r->fd);
    r->fd = -1;
}

static void kill_it(struct running *r, const char *why)
{
    (void)snprintf(r->helper->why, sizeof(r->helper->why), "%s", why);
    (void)kill(-r->pid, SIGKILL);
    (void)kill(r->pid, SIGKILL);
    r->killed = true;
    r->deadline = gm_time_now() + PATIENCE_MS * GM_MS;
    if (r->fd >= 0) {
        end_reading(r);
    }
}

static void read_some(struct running *r)
{
    uint8_t data[16384];
    ssize_t n = read(r->fd, data, sizeof(data));
    if (n > 0) {
        gm_buf_add(&r->in, data, (size_t)n);
        if (r->in.size > GM_PROBE_RESULT_MAX) {
            kill_it(r, "answered with too much");
        }
    } else if (n == 0) {
        end_reading(r);
    } else if (errno != EINTR) {
        kill_it(r, "could not be read");
    }
}

static uint32_t took_ms(const struct running *r)
{
    return (uint32_t)((gm_time_now() - r->begun) / GM_MS);
}

/* It has ended: status is wait(2)'s. */
static void conclude(struct running *r, int status)
{
    struct gm_helper *h = r->helper;
    struct gm_err err = {.code = GM_OK};
    h->took_ms = took_ms(r);
    if (r->killed) {
        /* why is said */
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(h->why, sizeof(h->why), "crashed (signal %d)", WTERMSIG(status));
    } else if (WEXITSTATUS(status) != 0) {
        (void)snprintf(h->why, sizeof(h->why), "ended with status %d", WEXITSTATUS(status));
    } else if (h->raw && gm_buf_check(&r->in, &err) == 0) {
        h->answer = r->in;
        r->in = (struct gm_buf){0};
        h->ok = true;
    } else if (gm_buf_check(&r->in, &err) < 0 ||
               gm_device_list_decode(r->in.data, r->in.size, &h->list, &err) < 0) {
        gm_device_list_fini(&h->list);
        (void)snprintf(h->why, sizeof(h->why), "gave no answer that is one: %.120s", err.text);
    } else {
        h->ok = true;
    }
    gm_buf_fini(&r->in);
    r->helper = NULL;
}

/* Looks after one process; its place is free (helper NULL) when it has ended. */
static void turn(struct running *r)
{
    int status = 0;
    gm_time now = gm_time_now();
    if (r->fd < 0 && waitpid(r->pid, &status, WNOHANG) == r->pid) {
        conclude(r, status);
    } else if (now >= r->deadline && !r->killed) {
        char why[96];
        (void)snprintf(why, sizeof(why), "did not end within %u ms and was killed",
                       r->helper->limit_ms);
        kill_it(r, why);
    } else if (now >= r->deadline) { /* it sits in the kernel: it is left behind */
        (void)snprintf(r->helper->why, sizeof(r->helper->why),
                       "hangs in the kernel and can't be killed (process %ld)", (long)r->pid);
        r->helper->took_ms = took_ms(r);
        gm_buf_fini(&r->in);
        r->helper = NULL;
    }
}

static void wait_some(struct running *runs, size_t places, gm_time most_ms)
{
    struct pollfd fds[PARALLEL_MAX];
    nfds_t n = 0;
    bool ending = false;
    struct running *of[PARALLEL_MAX];
    gm_time next = INT64_MAX;
    for (size_t i = 0; i < places; i++) {
        if (runs[i].helper == NULL) {
            continue;
        }
        next = runs[i].deadline < next ? runs[i].deadline : next;
        if (runs[i].fd >= 0) {
            of[n] = &runs[i];
            fds[n++] = (struct pollfd){.fd = runs[i].fd, .events = POLLIN};
        } else {
            ending = true;
        }
    }
    gm_time left = (next - gm_time_now()) / GM_MS + 1;
    int wait = left < 0 ? 0 : left > most_ms ? (int)most_ms : (int)left;
    if (poll(fds, n, ending && wait > 2 ? 2 : wait) <= 0) {
        return;
    }
    for (nfds_t i = 0; i < n; i++) {
        if (fds[i].revents != 0) {
            read_some(of[i]);
        }
    }
}

static void kill_all(struct running *runs, size_t places)
{
    for (size_t i = 0; i < places; i++) {
        if (runs[i].helper != NULL && !runs[i].killed) {
            kill_it(&runs[i], "was stopped");
        }
    }
}

int gm_helpers_run(struct gm_helper *helpers, size_t count, size_t parallel, struct gm_err *err)
{
    return gm_helpers_run_until(helpers, count, parallel, NULL, err);
}

int gm_helpers_run_until(struct gm_helper *helpers, size_t count, size_t parallel, const int *stop,
                         struct gm_err *err)
{
    struct running runs[PARALLEL_MAX];
    size_t places = parallel < 1 ? 1 : parallel > PARALLEL_MAX ? PARALLEL_MAX : parallel;
    size_t next = 0, busy = 0;
    int rc = 0;
    memset(runs, 0, sizeof(runs));
    while (next < count || busy > 0) {
        busy = 0;
        if (rc == 0 && stop != NULL && __atomic_load_n(stop, __ATOMIC_RELAXED) != 0) {
            kill_all(runs, places);
            rc = gm_err_set(err, GM_E_CANCELLED, 0, "stopped before it ended");
        }
        for (size_t i = 0; i < places; i++) {
            if (runs[i].helper != NULL) {
                turn(&runs[i]);
            }
            if (runs[i].helper == NULL && next < count && rc == 0) {
                rc = start(&runs[i], &helpers[next++], err);
            }
            busy += runs[i].helper != NULL ? 1 : 0;
        }
        if (rc < 0) {
            next = count;
        }
        if (busy > 0) {
            wait_some(runs, places, stop == NULL ? 1000 : LOOK_MS);
        }
    }
    return rc;
}

int gm_helper_answer(const struct gm_device_list *list)
{
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_err err;
    int rc = gm_device_list_encode(list, &data, &size, &err);
    if (rc == 0) {
        rc = gm_fs_write_all(GM_HELPER_RESULT, data, size, &err);
    }
    free(data);
    return rc == 0 ? 0 : 1;
}

static int print(const struct gm_device_list *list)
{
    struct gm_buf out = {0};
    struct gm_err err;
    gm_device_list_text(list, &out);
    if (list->versions[0] != '\0') {
        gm_buf_printf(&out, "%s\n", list->versions);
    }
    int rc = gm_buf_check(&out, &err);
    if (rc == 0) {
        rc = gm_fs_write_all(STDOUT_FILENO, out.data, out.size, &err);
    }
    gm_buf_fini(&out);
    return rc < 0 ? 1 : 0;
}

bool gm_helper_can_answer(const char *program, bool text)
{
    bool can = text || fcntl(GM_HELPER_RESULT, F_GETFD) >= 0;
    if (!can) {
        fprintf(stderr, "%s: no descriptor 3 for the answer; --text prints it\n", program);
    }
    return can;
}

static bool has_failed(const struct gm_device_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        for (size_t k = 0; k < list->devices[i].proof_count; k++) {
            if (!list->devices[i].proofs[k].passed) {
                return true;
            }
        }
    }
    return false;
}

void gm_helper_end(const char *program, struct gm_device_list *list, bool text, int rc,
                   const struct gm_err *err)
{
    int status = rc < 0 ? 1 : text ? print(list) : gm_helper_answer(list);
    status = text && status == 0 && has_failed(list) ? 1 : status;
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", program, err->text);
    }
    gm_device_list_fini(list);
    _exit(status);
}
