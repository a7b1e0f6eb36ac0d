#ifndef GM_HWTEST_METER_H
#define GM_HWTEST_METER_H

#include "common/time.h"
#include "hwtest/results.h"

/* Counts pictures over a window of time. Pure: the caller tells the time. All-zero: not begun. */
struct gm_hwtest_meter {
    gm_time started, mark; /* mark: of the value that is being counted for series */
    gm_time last;
    uint64_t count, at_mark;
    bool begun;
    bool quick; /* the window is of GM_HWTEST_WINDOW_QUICK: set before the first picture */
    float series[GM_HWTEST_SERIES]; /* pictures a second, of each half second or a little more */
    size_t series_count;
};
/* So long and so many, but no longer than the longest. */
#define GM_HWTEST_WINDOW (4 * GM_SEC)
#define GM_HWTEST_WINDOW_PICTURES 96
#define GM_HWTEST_WINDOW_MAX (16 * GM_SEC)
#define GM_HWTEST_WINDOW_QUICK (GM_SEC / 8) /* whatever came in it: no rate to rely on */

/* A picture came out. The first begins the window and is not counted. True: the window is over. */
bool gm_hwtest_meter_tick(struct gm_hwtest_meter *meter, gm_time now);
/* Pictures a second; 0: too few came. */
double gm_hwtest_meter_rate(const struct gm_hwtest_meter *meter);
/* How far the halves of the series lie apart, in parts of their mean; 0: too few. */
double gm_hwtest_spread(const float *series, size_t count);
/* count above 0; sorts them. */
double gm_hwtest_median(double *values, size_t count);

#endif
