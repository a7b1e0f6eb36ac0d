#ifndef GM_HWTEST_UNTIL_H
#define GM_HWTEST_UNTIL_H

#include "common/err.h"
#include "common/time.h"

/* When a run ends before its work is done: at SIGINT or SIGTERM, or when its time is over. What
 * works then is ended, and the report tells of all that was found before. NULL of all but start:
 * it never ends so. */
struct gm_hwtest_until; /* opaque */

/* limit_s: seconds from now; 0: no limit. From here to stop both signals are blocked in the caller
 * and what it starts, and a thread of its own takes them: a second one ends nothing either.
 * Thread: one. Errors: NOMEM, SYS. */
int gm_hwtest_until_start(uint32_t limit_s, struct gm_hwtest_until **out,
                          struct gm_err *err) GM_MUST_CHECK;
/* Waits for the thread, a tenth of a second at most; the signals are as before. */
void gm_hwtest_until_stop(struct gm_hwtest_until **until);

/* For gm_helpers_run_until: borrowed until stop. Thread of these: any. */
const int *gm_hwtest_until_flag(const struct gm_hwtest_until *until);
/* Why it ends, for a report: static; NULL: it goes on. */
const char *gm_hwtest_until_why(const struct gm_hwtest_until *until);
/* A signal, not the time, is why. */
bool gm_hwtest_until_is_signal(const struct gm_hwtest_until *until);
/* When its time is over; INT64_MAX: it has no limit. */
gm_time gm_hwtest_until_end(const struct gm_hwtest_until *until);

#endif
