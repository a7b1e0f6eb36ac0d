#ifndef GM_COMMON_SPAWN_H
#define GM_COMMON_SPAWN_H

#include <sys/types.h>

#include "common/err.h"

/* Programs of ours beside this process. Each has a process group of its own, so that a terminal's
 * Ctrl-C reaches only us, and gets SIGTERM when the thread that started it ends. Environment,
 * working folder, umask and limits are given on, and nothing else: its standard input is /dev/null,
 * its output a pipe, its error a log; no other descriptor is open, and no signal is blocked or
 * ignored. */

/* For main: what is started can be waited for, also where whoever started us ignores SIGCHLD. */
void gm_spawn_init(void);

/* argv:    argv[0] is the program's path; NULL at the end
 * log:     path; appended to, made where it is missing
 * out_pid: the caller waits for it
 * out_fd:  owned; read end of its standard output, non-blocking
 * Thread:  any that lives as long as the program shall
 * Errors:  SYS. A program that can't be executed is none: it ends with status 127, with 126 where
 *          what stands above could not be had. */
int gm_spawn_start(const char *const *argv, const char *log, pid_t *out_pid, int *out_fd,
                   struct gm_err *err) GM_MUST_CHECK;
/* Kills a child of ours, which was not waited for yet, with what else is in its group, and waits
 * for its end. */
void gm_spawn_kill(pid_t pid);

/* For those who fork themselves: the child's side, between fork and exec. Group, signals and
 * descriptors as above; it ends with 126 where that can't be had, with 127 where the program can't
 * be run. */
#define GM_SPAWN_FDS 4
struct gm_spawn_child {
    const char *const *argv;
    pid_t parent;          /* it must still be that */
    int death_signal;      /* that it gets when the thread that started it ends */
    int fds[GM_SPAWN_FDS]; /* what become its descriptors 0, 1, ...; -1: /dev/null */
    int fd_count;          /* at least 3 */
    bool confined;         /* it gains no privileges and leaves no core */
};
_Noreturn void gm_spawn_become(const struct gm_spawn_child *child);

#endif
