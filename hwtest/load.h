#ifndef GM_HWTEST_LOAD_H
#define GM_HWTEST_LOAD_H

#include "common/time.h"
#include "hwtest/results.h"
#include "hwtest/watch.h"

/* Streams of work side by side, a thread each, and what they make in a window of time that is the
 * same for all. Thread: one calls; each lane's step runs in a thread of its own, its open and close
 * in the caller's. */
#define GM_HWTEST_LANES_MAX 256

struct gm_hwtest_lane {
    /* Sets state. It may be NULL on failure, and is not closed then. */
    int (*open)(struct gm_hwtest_lane *lane, struct gm_err *err);
    /* A little work, a second at most; counts the pictures that it made. */
    int (*step)(struct gm_hwtest_lane *lane, uint64_t *io_count, struct gm_err *err);
    void (*close)(struct gm_hwtest_lane *lane);
    const void *how; /* borrowed: what open and step need */
    void *state;     /* owned by the three; NULL: it is not open */
    unsigned group;  /* whose rate it counts to: below GM_HWTEST_GROUPS */
};
#define GM_HWTEST_GROUPS 3

struct gm_hwtest_window { /* begins when each lane has made a picture, or after the longest; ends
                             when both least are reached, or the longest */
    gm_time least, longest;
    uint64_t pictures; /* of each lane */
};
extern const struct gm_hwtest_window gm_hwtest_window_usual, gm_hwtest_window_quick;

struct gm_hwtest_load {
    double rate[GM_HWTEST_GROUPS];  /* a second, of all lanes of the group */
    double slowest;                 /* a second, of the slowest lane */
    double least[GM_HWTEST_GROUPS]; /* of the group's slowest; 0 where it has none */
    struct gm_hwtest_seen seen;
    float series[GM_HWTEST_SERIES]; /* a second, of all lanes */
    size_t series_count;
};

/* Opens lanes [from, to). Errors: of open; *out_opened lanes of all are open then, too. */
int gm_hwtest_load_open(struct gm_hwtest_lane *lanes, size_t from, size_t to, size_t *out_opened,
                        struct gm_err *err) GM_MUST_CHECK;
void gm_hwtest_load_close(struct gm_hwtest_lane *lanes, size_t count);
/* Runs the first `count` of them, which are open. They may be run again. Errors: of step (the
 * lanes are good for close only); SYS no thread; LIMIT too many. */
int gm_hwtest_load_run(struct gm_hwtest_lane *lanes, size_t count,
                       const struct gm_hwtest_window *window, struct gm_hwtest_watch *watch,
                       struct gm_hwtest_load *out, struct gm_err *err) GM_MUST_CHECK;

/* Measures a rate, whose growth is good, of lanes the slowest of which made `slowest` (of it): FAIL
 * with a text and a remedy where one made nothing, in its window, however much others made. Pure.
 */
#define GM_HWTEST_STALLS                                                                           \
    "the device stalls: look into the kernel's log, update its driver, and test it alone"
void gm_hwtest_load_measure(struct gm_hwtest_check *check, double rate, const char *unit,
                            double slowest);

#endif
