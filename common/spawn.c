#include "common/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Only async-signal-safe calls: another thread may have held any lock when this process was made.
 */
_Noreturn void gm_spawn_become(const struct gm_spawn_child *c)
{
    int fds[GM_SPAWN_FDS] = {-1, -1, -1, -1};
    const struct rlimit no_core = {0, 0};
    sigset_t none;
    sigemptyset(&none);
    bool good = setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, c->death_signal) == 0 &&
                getppid() == c->parent &&
                (!c->confined || (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                                  setrlimit(RLIMIT_CORE, &no_core) == 0));
    for (int i = 0; i < c->fd_count; i++) { /* they may lie on each other's places */
        int fd = c->fds[i] < 0 ? open("/dev/null", O_RDWR) : c->fds[i];
        fds[i] = fcntl(fd, F_DUPFD, c->fd_count);
    }
    for (int i = 0; i < c->fd_count; i++) {
        good = good && dup2(fds[i], i) == i;
    }
    for (int i = 1; i < NSIG; i++) {
        (void)signal(i, SIG_DFL); /* some can't be set, and are not ignored */
    }
    if (!good || close_range((unsigned)c->fd_count, ~0u, 0) != 0 ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0) {
        _exit(126);
    }
    execv(c->argv[0], (char *const *)(uintptr_t)c->argv);
    _exit(127);
}

void gm_spawn_init(void)
{
    (void)signal(SIGCHLD, SIG_DFL); /* can't fail */
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
        const struct gm_spawn_child child = {.argv = argv,
                                             .parent = parent,
                                             .death_signal = SIGTERM,
                                             .fds = {-1, fds[1], log_fd},
                                             .fd_count = 3};
        gm_spawn_become(&child);
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
    (void)kill(-pid, SIGKILL); /* it may not have made its group yet */
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
}
