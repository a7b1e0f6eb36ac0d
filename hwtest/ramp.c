#include "hwtest/ramp.h"

void gm_hwtest_ramp_add(struct gm_hwtest_ramp *r, size_t n, bool held, double rate)
{
    if (held) {
        r->good = n > r->good ? n : r->good;
    } else {
        r->bad = r->bad == 0 || n < r->bad ? n : r->bad;
    }
    r->fits = rate >= 1.0 && rate < 1e6 ? (size_t)rate : 0;
}

void gm_hwtest_ramp_refuse(struct gm_hwtest_ramp *r, size_t n)
{
    gm_hwtest_ramp_add(r, n, false, 0.0);
    r->refused = r->refused == 0 || n < r->refused ? n : r->refused;
}

size_t gm_hwtest_ramp_next(const struct gm_hwtest_ramp *r)
{
    size_t most = r->bad > 0 ? r->bad - 1 : r->most;
    size_t low = r->good + 1;
    most = most > r->most ? r->most : most;
    if (low > most) {
        return 0;
    }
    /* One stream's rate says nothing about many: twice as many at most. */
    size_t high = r->bad > 0 ? most : 2 * r->good < low ? low : 2 * r->good;
    size_t middle = r->bad > 0 ? r->good + (r->bad - r->good) / 2 : high;
    size_t next = r->fits > 0 ? r->fits : middle;
    next = next < low ? low : next > high ? high : next;
    return next > most ? most : next;
}
