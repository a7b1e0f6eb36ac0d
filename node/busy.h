/* How long at least one of several things was under way: what lies one over another counts once. */
#ifndef GM_NODE_BUSY_H
#define GM_NODE_BUSY_H

#include <stdint.h>

#include "common/time.h"

/* All zero: nothing was yet. Thread: one at a time. */
struct gm_busy {
    uint32_t count; /* under way */
    gm_time since;  /* the first of those is */
    gm_time sum;    /* of what is over */
};

void gm_busy_begin(struct gm_busy *busy, gm_time now);
/* Of one that was begun. */
void gm_busy_end(struct gm_busy *busy, gm_time now);
/* Until now, in ms. */
uint64_t gm_busy_get_ms(const struct gm_busy *busy, gm_time now);

#endif
