#include "hwtest/meter.h"

#include <math.h>
#include <stdlib.h>

#define STEP (GM_SEC / 2)

bool gm_hwtest_meter_tick(struct gm_hwtest_meter *m, gm_time now)
{
    if (!m->begun) {
        m->begun = true;
        m->started = m->mark = m->last = now;
        return false;
    }
    m->count++;
    m->last = now;
    gm_time passed = now - m->mark;
    if (passed >= STEP && m->series_count < GM_HWTEST_SERIES) {
        m->series[m->series_count++] =
            (float)((double)(m->count - m->at_mark) * (double)GM_SEC / (double)passed);
        m->mark = now;
        m->at_mark = m->count;
    }
    gm_time window = now - m->started;
    if (m->quick) {
        return window >= GM_HWTEST_WINDOW_QUICK;
    }
    return window >= GM_HWTEST_WINDOW_MAX ||
           (window >= GM_HWTEST_WINDOW && m->count >= GM_HWTEST_WINDOW_PICTURES);
}

double gm_hwtest_meter_rate(const struct gm_hwtest_meter *m)
{
    gm_time passed = m->last - m->started;
    return passed > 0 ? (double)m->count * (double)GM_SEC / (double)passed : 0.0;
}

double gm_hwtest_spread(const float *series, size_t count)
{
    size_t half = count / 2;
    double one = 0.0, two = 0.0;
    for (size_t i = 0; i < half; i++) {
        one += (double)series[i];
        two += (double)series[count - half + i];
    }
    return one + two > 0.0 ? fabs(one - two) / ((one + two) / 2) : 0.0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

double gm_hwtest_median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_size);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
