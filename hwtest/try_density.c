/* How many ladders a device makes at once in real time: level 3's work, in a process of its own. */
#include "hwtest/bench.h"
#include "hwtest/lanes.h"
#include "hwtest/ramp.h"

#include <stdio.h>
#include <string.h>

#define RATE 30.0    /* pictures a second of a stream in real time */
#define MOST 64      /* through memory; the words say it, as of the next and GM_HWTEST_LANES_MAX */
#define MOST_QUICK 8 /* where they stay */

/* One density: what is asked of its streams, and what was found. */
struct density {
    char name[48];
    const char *what; /* static: of what */
    gm_time end;      /* no other try is begun behind it */
    size_t most;
    const char *why_most; /* static: of those that are not tried */
    struct gm_hwtest_ramp ramp;
    struct gm_hwtest_load held;  /* the most that did */
    struct gm_hwtest_load broke; /* of the fewest that did not hold, else of the last try */
    bool late;
};

static int report_density(struct gm_hwtest_bench *b, const struct density *d, struct gm_err *err)
{
    char text[640], refusal[256], limit[200], slow[80] = "", made[48] = "", watts[40] = "";
    const struct gm_err *refused = &b->refused;
    const struct gm_hwtest_ramp *ramp = &d->ramp;
    struct gm_hwtest_check c = gm_hwtest_bench_check(b, d->name);
    gm_hwtest_measure(&c, (double)ramp->good, "streams", NULL, NULL);
    c.better = GM_HWTEST_HIGHER;
    gm_hwtest_limit(&d->broke.seen, limit, sizeof(limit));
    if (d->broke.seen.has_watts) {
        (void)snprintf(watts, sizeof(watts), "; %.0f W", d->broke.seen.watts);
    }
    if (ramp->good > 0) {
        (void)snprintf(made, sizeof(made), ", %.1f together", d->held.rate[0]);
    }
    bool slower = ramp->bad > 0 && ramp->bad != ramp->refused;
    if (slower) {
        (void)snprintf(slow, sizeof(slow), "; with %zu the slowest made %.1f", ramp->bad,
                       d->broke.slowest);
    } else if (refused->code != GM_OK) {
        (void)snprintf(limit, sizeof(limit), "the device, which refused another: %.150s",
                       gm_hwtest_refusal(refused, refusal));
    } else {
        (void)snprintf(limit, sizeof(limit), "%s",
                       d->late ? "the time of this test: it makes more" : d->why_most);
    }
    (void)snprintf(text, sizeof(text), "%s, each of at least %.0f a second%s%s; limited by %s%s",
                   d->what, RATE, made, slow, limit, watts);
    if (slower && !(d->broke.slowest > 0.0)) {
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

/* As many of the lanes, which are set and not open, as hold. */
static int climb(struct gm_hwtest_bench *b, struct density *d, struct gm_err *err)
{
    struct gm_err why = {.code = GM_OK};
    struct gm_hwtest_load load = {0};
    struct gm_hwtest_ramp *ramp = &d->ramp;
    int rc = 0;
    *ramp = (struct gm_hwtest_ramp){.most = d->most};
    for (size_t n; rc == 0 && !d->late && (n = gm_hwtest_ramp_next(ramp)) > 0;) {
        struct gm_err full = b->refused;
        b->refused.code = GM_OK;
        rc = gm_hwtest_bench_open(b, n, &why);
        if (rc == 0 && b->open < n) {
            ramp->most = b->open;
            continue;
        }
        b->refused = full;
        if (rc == 0) { /* the first pictures may need too much, too */
            rc = gm_hwtest_load_run(b->lanes, n, b->window, b->watch, &load, &why);
        }
        if (rc < 0 && gm_hwtest_is_full(&why)) { /* fewer may have room: the lanes begin anew */
            b->refused = why;
            gm_hwtest_bench_close(b);
            gm_hwtest_ramp_refuse(ramp, n);
            rc = 0;
        } else if (rc == 0) {
            gm_hwtest_ramp_add(ramp, n, load.slowest >= RATE, load.rate[0] / RATE);
            if (ramp->bad == 0 || ramp->bad == n) {
                d->broke = load;
            }
            if (ramp->good == n) {
                d->held = load;
            }
        }
        d->late = gm_time_now() >= d->end;
    }
    gm_hwtest_bench_close(b);
    return rc < 0 ? gm_hwtest_bench_failed(b, d->name, &why, err) : report_density(b, d, err);
}

/* The clip's making counts, as it does for the process's own limit. */
static gm_time end_of(const struct gm_hwtest_try *work)
{
    return gm_time_now() + (gm_time)work->budget_ms * GM_MS;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

int gm_hwtest_try_density(struct gm_hwtest_bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    struct gm_err why = {.code = GM_OK};
    struct density d = {.what = "ladders of four rungs at once",
                        .end = end_of(w),
                        .most = w->streams > 0 ? least(w->streams, MOST) : MOST,
                        .why_most = "this test, which tries no more (one for each GiB of memory, "
                                    "64)"};
    (void)snprintf(d.name, sizeof(d.name), "density.%.12s.%up30", w->api, w->height_px);
    if (gm_hwtest_bench_clip(b, "h264", 8, w->height_px, true, false, &why) < 0) {
        return gm_hwtest_bench_failed(b, d.name, &why, err);
    }
    const struct gm_hwtest_ladder_params how = {
        .source = {.by = w->source != NULL ? GM_HWTEST_BY_FARM : GM_HWTEST_BY_SOFTWARE,
                   .api = w->source,
                   .device = b->av_name,
                   .stream = &b->stream},
        .recipe = {
            .height_px = w->height_px, .quick = w->quick, .chain = w->api, .device = b->av_name}};
    gm_hwtest_bench_lanes(b, gm_hwtest_ladder_lane(&how), 0, 0, d.most);
    return climb(b, &d, err);
}

int gm_hwtest_try_staying(struct gm_hwtest_bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    const bool encodes = w->api[0] != '\0', va = strcmp(w->api, "vaapi") == 0;
    const char *by = va ? "vpp" : encodes ? "cuda" : "unencoded";
    struct gm_err why = {.code = GM_OK};
    struct density d = {
        .end = end_of(w),
        .what = encodes ? "ladders of four rungs at once, pictures stay on the device"
                        : "ladders of four rungs at once, pictures stay on the device and are not "
                          "encoded",
        .most = w->quick ? MOST_QUICK : GM_HWTEST_LANES_MAX,
        .why_most = w->quick ? "this test, which tries no more (8)"
                             : "this test, which tries no more (256)"};
    (void)snprintf(d.name, sizeof(d.name), "density.%s.%up30", by, w->height_px);
    if (gm_hwtest_bench_clip(b, "h264", 8, w->height_px, true, false, &why) < 0) {
        return gm_hwtest_bench_failed(b, d.name, &why, err);
    }
    const struct gm_hwtest_stay_params how = {.api = va ? "vaapi" : "nvdec",
                                              .device = va ? b->av_name : w->device,
                                              .chain = encodes ? w->api : NULL,
                                              .stream = &b->stream,
                                              .height_px = w->height_px,
                                              .quick = w->quick};
    gm_hwtest_bench_lanes(b, gm_hwtest_stay_lane(&how), 0, 0, d.most);
    return climb(b, &d, err);
}
