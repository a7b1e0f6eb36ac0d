#include "scheduler/lag.h"

/* A timer of milliseconds is one late at rest; nodes ask each second, and wait for a lease. */
const struct gm_bounds gm_lag_bounds = {10,
                                        {2 * GM_MS, 5 * GM_MS, 10 * GM_MS, 20 * GM_MS, 50 * GM_MS,
                                         100 * GM_MS, 200 * GM_MS, 500 * GM_MS, GM_SEC,
                                         5 * GM_SEC}};

void gm_lag_tick(struct gm_lag *lag, gm_time now, gm_time every)
{
    if (lag->last != 0) {
        gm_histogram_note(&lag->late, &gm_lag_bounds, now - lag->last - every);
    }
    lag->last = now;
}
