#ifndef GM_SCHEDULER_LAG_H
#define GM_SCHEDULER_LAG_H

#include "common/histogram.h"

/* How late a repeating timer of the loop is: for so long nothing else was heard either. All-zero:
 * no tick was seen. Thread: the loop's. */
struct gm_lag {
    gm_time last; /* tick; 0: none */
    struct gm_histogram late;
};
extern const struct gm_bounds gm_lag_bounds;

/* The timer came, which is to come `every` so often. */
void gm_lag_tick(struct gm_lag *lag, gm_time now, gm_time every);

#endif
