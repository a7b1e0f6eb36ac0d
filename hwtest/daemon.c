#include "hwtest/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/time.h"

#define LOOK_MS 10
#define SIGNAL_MS 200

/* In the new process, between fork and exec: only async-signal-safe calls. */
static _Noreturn void become(const char *const *argv, pid_t parent, int out, int log)
{
    sigset_t none;
    sigemptyset(&none);
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 ||
        getppid() != parent || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0 || close_range(3, ~0u, 0) != 0 ||
        signal(SIGPIPE, SIG_DFL) == SIG_ERR || sigprocmask(SIG_SETMASK, &none, NULL) != 0) {
        _exit(126);
    }
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

int gm_hwtest_daemon_start(struct gm_hwtest_daemon *d, const char *const argv[GM_HWTEST_ARGS],
                           const char *log, struct gm_err *err)
{
    int fds[2] = {-1, -1};
    int rc = 0;
    int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) {
        return gm_err_sys(err, errno, "could not open %s", log);
    }
    if (pipe2(fds, O_CLOEXEC) != 0) {
        rc = gm_err_sys(err, errno, "could not make a pipe");
        goto out;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        rc = gm_err_sys(err, errno, "could not start %s", argv[0]);
        goto out;
    }
    if (pid == 0) {
        become(argv, parent, fds[1], log_fd);
    }
    *d = (struct gm_hwtest_daemon){.pid = pid, .out = fds[0]};
    fds[0] = -1;
out:
    close(log_fd);
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    return rc;
}

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
    (void)kill(d->pid, SIGKILL);
    while (waitpid(d->pid, &status, 0) < 0 && errno == EINTR) {
    }
    forget(d);
}
