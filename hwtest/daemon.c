#include "hwtest/daemon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/spawn.h"
#include "common/time.h"

#define LOOK_MS 10
#define SIGNAL_MS 200

/* One that would end us, blocked by the caller. */
static bool has_signal(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1);
}

/* A line of its output, READY; what comes before it is passed over. */
int gm_hwtest_daemon_wait_ready(struct gm_hwtest_daemon *d, int limit_ms, char *line, size_t size,
                                struct gm_err *err)
{
    gm_time end = gm_time_now() + (gm_time)limit_ms * GM_MS;
    size_t used = 0;
    for (;;) {
        char c = '\0';
        struct pollfd fd = {.fd = d->out, .events = POLLIN};
        gm_time left = (end - gm_time_now()) / GM_MS;
        int ready = left <= 0 ? 0 : poll(&fd, 1, left < SIGNAL_MS ? (int)left : SIGNAL_MS);
        if (has_signal()) {
            return gm_err_set(err, GM_E_CANCELLED, 0, "a signal came before it was ready");
        }
        if ((ready < 0 && errno == EINTR) || (ready == 0 && left > 0)) {
            continue;
        }
        ssize_t n = ready > 0 ? read(d->out, &c, 1) : -1;
        if (n != 1) {
            return gm_err_set(err, GM_E_UNREACHABLE, 0, "%s",
                              ready == 0 ? "it did not get ready in its time"
                                         : "it ended before it was ready");
        }
        if (c == '\n') {
            line[used] = '\0';
            used = 0;
            if (strncmp(line, "READY", 5) == 0) {
                return 0;
            }
        } else if (used + 1 < size) {
            line[used++] = c;
        }
    }
}

static void forget(struct gm_hwtest_daemon *d)
{
    close(d->out);
    d->pid = 0;
    d->out = -1;
}

bool gm_hwtest_daemon_has_ended(struct gm_hwtest_daemon *d, int *out_status)
{
    if (d->pid == 0 || waitpid(d->pid, out_status, WNOHANG) != d->pid) {
        return false;
    }
    forget(d);
    return true;
}

void gm_hwtest_daemon_stop(struct gm_hwtest_daemon *d, int patience_ms)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
    int status = 0;
    if (d->pid == 0) {
        return;
    }
    (void)kill(d->pid, SIGTERM);
    for (int waited = 0; waited < patience_ms; waited += LOOK_MS) {
        if (gm_hwtest_daemon_has_ended(d, &status)) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
    gm_spawn_kill(d->pid);
    forget(d);
}
