#ifndef GM_COMMON_SPAWN_H
#define GM_COMMON_SPAWN_H

#include <sys/types.h>

#include "common/err.h"

/* Programs of ours beside this process. Each has a process group of its own, so that a terminal's
 * Ctrl-C reaches only us, and gets SIGTERM when the thread that started it ends. Nothing but the
 * environment is given on: its standard input is /dev/null, its output a pipe, its error a log; no
 * other descriptor is open, no signal is blocked, and SIGPIPE ends it. */

/* argv:    argv[0] is the program's path; NULL at the end
 * log:     path; appended to, made where it is missing
 * out_pid: the caller waits for it
 * out_fd:  owned; read end of its standard output, non-blocking
 * Thread:  any that lives as long as the program shall
 * Errors:  SYS. A program that can't be executed is none: it ends with status 127, with 126 where
 *          what stands above could not be had. */
int gm_spawn_start(const char *const *argv, const char *log, pid_t *out_pid, int *out_fd,
                   struct gm_err *err) GM_MUST_CHECK;
/* Kills a child of ours, which was not waited for yet, and waits for its end. */
void gm_spawn_kill(pid_t pid);

#endif
