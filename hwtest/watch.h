#ifndef GM_HWTEST_WATCH_H
#define GM_HWTEST_WATCH_H

#include "common/err.h"

/* What NVML, or for other devices the kernel (hwtest/power.h), tells of a GPU while it works, and
 * how busy this process keeps the processors. Thread: one at a time an object. A driver's library
 * may hang: for children alone. */
struct gm_hwtest_watch; /* opaque */

/* Of the looks since the start: the mean of watts, the highest of the rest. */
struct gm_hwtest_seen {
    bool has_watts, has_use;
    double watts, limit_watts;          /* limit 0: not told */
    double encoder, decoder, processor; /* percent of the time that they worked, by NVML */
    double cpus;                        /* of those that the process may use, 0 .. 1 */
};

/* pci: NULL: only the processors. Errors: NOMEM. */
int gm_hwtest_watch_open(const char *pci, struct gm_hwtest_watch **out,
                         struct gm_err *err) GM_MUST_CHECK;
void gm_hwtest_watch_close(struct gm_hwtest_watch **watch);
/* Forgets what was seen. */
void gm_hwtest_watch_start(struct gm_hwtest_watch *watch);
void gm_hwtest_watch_look(struct gm_hwtest_watch *watch);
void gm_hwtest_watch_get(const struct gm_hwtest_watch *watch, struct gm_hwtest_seen *out);

/* What is full, as a half sentence: "the encoder (NVML: 97 %)"; static words where nothing is to be
 * seen. Pure. */
void gm_hwtest_limit(const struct gm_hwtest_seen *seen, char *out, size_t size);

#endif
