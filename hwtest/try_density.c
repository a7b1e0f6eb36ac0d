/* How many ladders a device makes at once in real time: level 3's work, in a process of its own. */
#include "hwtest/bench.h"
#include "hwtest/lanes.h"
#include "hwtest/ramp.h"

#include <stdio.h>

#define RATE 30.0 /* pictures a second of a stream in real time */

/* What the ramp found. broke: of the fewest that did not hold, else of the last try. */
static int report_density(struct gm_hwtest_bench *b, const char *name,
                          const struct gm_hwtest_ramp *ramp, const struct gm_hwtest_load *broke,
                          bool late, struct gm_err *err)
{
    char text[390], refusal[256], limit[200], slow[80] = "", watts[40] = "";
    const struct gm_err *refused = &b->refused;
    struct gm_hwtest_check c = gm_hwtest_bench_check(b, name);
    gm_hwtest_measure(&c, (double)ramp->good, "streams", NULL, NULL);
    c.better = GM_HWTEST_HIGHER;
    gm_hwtest_limit(&broke->seen, limit, sizeof(limit));
    if (broke->seen.has_watts) {
        (void)snprintf(watts, sizeof(watts), "; %.0f W", broke->seen.watts);
    }
    bool slower = ramp->bad > 0 && ramp->bad != ramp->refused;
    if (slower) {
        (void)snprintf(slow, sizeof(slow), "; with %zu the slowest made %.1f", ramp->bad,
                       broke->slowest);
    } else if (refused->code != GM_OK) {
        (void)snprintf(limit, sizeof(limit), "the device, which refused another: %.150s",
                       gm_hwtest_refusal(refused, refusal));
    } else {
        (void)snprintf(limit, sizeof(limit), "%s",
                       late ? "the time of this test: it makes more"
                            : "this test, which tries no more (one for each GiB of memory, 64)");
    }
    (void)snprintf(text, sizeof(text),
                   "ladders of four rungs at once, each of at least %.0f a second%s; limited by "
                   "%s%s",
                   RATE, slow, limit, watts);
    if (slower && !(broke->slowest > 0.0)) {
        c.status = GM_HWTEST_FAIL;
        gm_hwtest_set(c.remedy, GM_HWTEST_STALLS);
    } else if (ramp->good == 0) {
        c.status = GM_HWTEST_WARN;
        gm_hwtest_set(c.remedy, slower ? "no stream is made in real time by this device alone; a "
                                         "farm makes its chunks side by side on several"
                                       : gm_code_get((int)refused->code)->remedy);
    }
    return gm_hwtest_bench_add(b, &c, text, err);
}

int gm_hwtest_try_density(struct gm_hwtest_bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    struct gm_err why = {.code = GM_OK};
    struct gm_hwtest_load load = {0}, broke = {0};
    gm_time end = gm_time_now() + (gm_time)w->budget_ms * GM_MS;
    char name[48];
    struct gm_hwtest_ramp ramp = {.most = w->streams > 0 && w->streams < GM_HWTEST_LANES_MAX
                                              ? w->streams
                                              : GM_HWTEST_LANES_MAX};
    (void)snprintf(name, sizeof(name), "density.%.12s.%up30", w->api, w->height_px);
    if (gm_hwtest_bench_clip(b, "h264", 8, w->height_px, true, false, &why) < 0) {
        return gm_hwtest_bench_failed(b, name, &why, err);
    }
    const struct gm_hwtest_ladder_params how = {
        .source = {.by = w->source != NULL ? GM_HWTEST_BY_NVDEC : GM_HWTEST_BY_SOFTWARE,
                   .device = b->av_name,
                   .stream = &b->stream},
        .recipe = {
            .height_px = w->height_px, .quick = w->quick, .chain = w->api, .device = b->av_name}};
    gm_hwtest_bench_lanes(b, gm_hwtest_ladder_lane(&how), 0, 0, GM_HWTEST_LANES_MAX);
    int rc = 0;
    bool late = false;
    for (size_t n; rc == 0 && !late && (n = gm_hwtest_ramp_next(&ramp)) > 0;) {
        struct gm_err full = b->refused;
        b->refused.code = GM_OK;
        rc = gm_hwtest_bench_open(b, n, &why);
        if (rc == 0 && b->open < n) {
            ramp.most = b->open;
            continue;
        }
        b->refused = full;
        if (rc == 0) { /* the first pictures may need too much, too */
            rc = gm_hwtest_load_run(b->lanes, n, b->window, b->watch, &load, &why);
        }
        if (rc < 0 && gm_hwtest_is_full(&why)) { /* fewer may have room: the lanes begin anew */
            b->refused = why;
            gm_hwtest_bench_close(b);
            gm_hwtest_ramp_refuse(&ramp, n);
            rc = 0;
        } else if (rc == 0) {
            gm_hwtest_ramp_add(&ramp, n, load.slowest >= RATE, load.rate[0] / RATE);
            if (ramp.bad == 0 || ramp.bad == n) {
                broke = load;
            }
        }
        late = gm_time_now() >= end;
    }
    gm_hwtest_bench_close(b);
    return rc < 0 ? gm_hwtest_bench_failed(b, name, &why, err)
                  : report_density(b, name, &ramp, &broke, late, err);
}
