#ifndef GM_COMMON_RATE_H
#define GM_COMMON_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/time.h"

/* A budget: so much a second, and so much at once after a pause. Pure. Thread: one at a time. */
struct gm_rate { /* all-zero: full, whenever it is used first */
    gm_time at;
    int64_t spent; /* billionths */
};

/* Takes `amount` of what `per_second` brings in and `burst` holds; all are below 2^32. False:
 * nothing was taken, there was not enough. An amount over `burst` is taken from a full one. */
bool gm_rate_take(struct gm_rate *rate, uint32_t amount, uint32_t per_second, uint32_t burst,
                  gm_time now);

#endif
