#ifndef GM_HWTEST_DAEMON_H
#define GM_HWTEST_DAEMON_H

#include <sys/types.h>

#include "common/err.h"

/* A program of ours that runs beside this one: gm_spawn_start fills it. Thread: one. */
struct gm_hwtest_daemon { /* all-zero: not running */
    pid_t pid;
    int out; /* owned; read end of its standard output; valid while pid is not 0 */
};
/* Waits for its line READY, which goes to line. Errors: UNREACHABLE it ended or the time is over;
 * CANCELLED: SIGINT or SIGTERM, which the caller has blocked, is pending; SYS. */
int gm_hwtest_daemon_wait_ready(struct gm_hwtest_daemon *d, int limit_ms, char *line, size_t size,
                                struct gm_err *err) GM_MUST_CHECK;
/* It has ended by itself: *out_status is wait(2)'s, and it is not running any more. */
bool gm_hwtest_daemon_has_ended(struct gm_hwtest_daemon *d, int *out_status);
/* Asks it to end, kills it after the time. */
void gm_hwtest_daemon_stop(struct gm_hwtest_daemon *d, int patience_ms);

#endif
