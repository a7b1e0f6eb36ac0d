#ifndef GM_COMMON_HISTOGRAM_H
#define GM_COMMON_HISTOGRAM_H

#include <stdint.h>

#include "common/time.h"

/* How often something took how long: counts by bounds that do not change. All-zero: nothing was
 * noted. Thread: one at a time. */
#define GM_HISTOGRAM_MOST 12

struct gm_bounds {
    uint32_t count;                   /* 1..GM_HISTOGRAM_MOST */
    gm_time upper[GM_HISTOGRAM_MOST]; /* rising; each includes its own value */
};
struct gm_histogram {
    uint64_t counts[GM_HISTOGRAM_MOST + 1]; /* of each bound alone; behind the last: all longer */
    uint64_t sum_ns;                        /* stays at UINT64_MAX */
};

/* took: below 0 counts as 0. */
void gm_histogram_note(struct gm_histogram *histogram, const struct gm_bounds *bounds,
                       gm_time took);

#endif
