/* A device that decodes for the processors' encoders, as the farm uses one without an encoder
 * (docs/adr/0024): level 3's work, in a process of its own. */
#include "hwtest/bench.h"
#include "hwtest/lanes.h"

#include <stdio.h>

#define RATE 30.0 /* pictures a second of a stream in real time */

int gm_hwtest_try_assist(struct gm_hwtest_bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    const size_t asked = w->streams < 1                     ? 1
                         : w->streams < GM_HWTEST_LANES_MAX ? w->streams
                                                            : GM_HWTEST_LANES_MAX;
    struct gm_err why = {.code = GM_OK};
    struct gm_hwtest_load load = {0};
    char name[48], text[640], limit[200], refusal[256], refused[200] = "";
    (void)snprintf(name, sizeof(name), "ladder.nvdec.%up30.streams", w->height_px);
    if (gm_hwtest_bench_clip(b, "h264", 8, w->height_px, true, false, &why) < 0) {
        return gm_hwtest_bench_failed(b, name, &why, err);
    }
    const struct gm_hwtest_ladder_params how = {
        .source = {.by = GM_HWTEST_BY_FARM,
                   .api = "nvdec",
                   .device = b->av_name,
                   .stream = &b->stream},
        .recipe = {.height_px = w->height_px, .quick = w->quick}};
    gm_hwtest_bench_lanes(b, gm_hwtest_ladder_lane(&how), 0, 0, asked);
    if (gm_hwtest_bench_open(b, asked, &why) < 0 ||
        gm_hwtest_load_run(b->lanes, b->open, b->window, b->watch, &load, &why) < 0) {
        return gm_hwtest_is_full(&why) && asked > 1 ? gm_hwtest_bench_full(b, name, &why, err)
                                                    : gm_hwtest_bench_failed(b, name, &why, err);
    }
    struct gm_hwtest_check c = gm_hwtest_bench_check(b, name);
    gm_hwtest_load_measure(&c, load.rate[0] / RATE, "streams", load.slowest);
    gm_hwtest_limit(&load.seen, limit, sizeof(limit));
    if (b->refused.code != GM_OK) {
        (void)snprintf(refused, sizeof(refused), ", another was refused: %.150s",
                       gm_hwtest_refusal(&b->refused, refusal));
    }
    (void)snprintf(text, sizeof(text),
                   "ladders in real time of %zu threads together%s: decoded by the device into "
                   "memory, scaled and encoded by the processor; limited by %s",
                   b->open, refused, limit);
    return gm_hwtest_bench_add(b, &c, text, err);
}
