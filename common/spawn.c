#include "common/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the new process, between fork and exec: only async-signal-safe calls. */
static _Noreturn void become(const char *const *argv, pid_t parent, int out, int log)
{
    int fds[] = {open("/dev/null", O_RDONLY), out, log};
    sigset_t none;
    sigemptyset(&none);
    bool good = setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent;
    for (int i = 0; i < 3; i++) { /* where ours are closed, they may lie on each other's places */
        fds[i] = fcntl(fds[i], F_DUPFD, 3);
    }
    for (int i = 0; i < 3; i++) {
        good = good && dup2(fds[i], i) == i;
    }
    if (!good || close_range(3, ~0u, 0) != 0 || signal(SIGPIPE, SIG_DFL) == SIG_ERR ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0) {
        _exit(126);
    }
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

int gm_spawn_start(const char *const *argv, const char *log, pid_t *out_pid, int *out_fd,
                   struct gm_err *err)
{
    int fds[2] = {-1, -1};
    int rc = 0;
    int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log_fd < 0) {
        return gm_err_sys(err, errno, "could not open %s", log);
    }
    if (pipe2(fds, O_CLOEXEC) != 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0) {
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
    *out_pid = pid;
    *out_fd = fds[0];
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

void gm_spawn_kill(pid_t pid)
{
    int status = 0;
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
}
