#include "hwtest/bench.h"

#include <stdio.h>

#include "hwtest/large.h"

const char *gm_hwtest_refusal(const struct gm_err *why, char out[256])
{
    (void)snprintf(out, 256, "%.30s: %.220s", gm_code_get((int)why->code)->id, why->text);
    return out;
}

bool gm_hwtest_is_full(const struct gm_err *why)
{
    return why->code == GM_E_DEVICE_BUSY || why->code == GM_E_DEVICE_MEMORY;
}

struct gm_hwtest_check gm_hwtest_bench_check(const struct gm_hwtest_bench *b, const char *name)
{
    return gm_hwtest_check_make(b->work->device, name, 3);
}

int gm_hwtest_bench_add(struct gm_hwtest_bench *b, struct gm_hwtest_check *c, const char *text,
                        struct gm_err *err)
{
    char dead[390];
    if (c->status == GM_HWTEST_FAIL && c->has_value) {
        (void)snprintf(dead, sizeof(dead), "a stream gave no pictures; %.350s", text);
        text = dead;
    }
    gm_hwtest_set(c->text, text);
    return gm_hwtest_add(b->report, c, err);
}

int gm_hwtest_bench_failed(struct gm_hwtest_bench *b, const char *name, const struct gm_err *why,
                           struct gm_err *err)
{
    char text[256];
    struct gm_hwtest_check c = gm_hwtest_bench_check(b, name);
    bool unfit = why->code == GM_E_PIPELINE_UNFIT; /* what its driver never does is no fault */
    c.status = unfit ? GM_HWTEST_SKIP : GM_HWTEST_FAIL;
    gm_hwtest_set(c.remedy, unfit ? "" : gm_code_get((int)why->code)->remedy);
    return gm_hwtest_bench_add(b, &c, gm_hwtest_refusal(why, text), err);
}

int gm_hwtest_bench_full(struct gm_hwtest_bench *b, const char *name, const struct gm_err *why,
                         struct gm_err *err)
{
    char text[320], refusal[256];
    struct gm_hwtest_check c = gm_hwtest_bench_check(b, name);
    c.status = GM_HWTEST_WARN;
    gm_hwtest_set(c.remedy, gm_code_get((int)why->code)->remedy);
    (void)snprintf(text, sizeof(text), "the device is full: %s", gm_hwtest_refusal(why, refusal));
    return gm_hwtest_bench_add(b, &c, text, err);
}

void gm_hwtest_bench_lanes(struct gm_hwtest_bench *b, struct gm_hwtest_lane like, unsigned group,
                           size_t from, size_t to)
{
    for (size_t i = from; i < to && i < GM_HWTEST_LANES_MAX; i++) {
        b->lanes[i] = like;
        b->lanes[i].group = group;
    }
}

void gm_hwtest_bench_close(struct gm_hwtest_bench *b)
{
    gm_hwtest_load_close(b->lanes, b->open);
    b->open = 0;
}

int gm_hwtest_bench_open(struct gm_hwtest_bench *b, size_t n, struct gm_err *why)
{
    size_t opened = b->open;
    if (b->refused.code != GM_OK || n <= b->open) {
        return 0;
    }
    int rc = gm_hwtest_load_open(b->lanes, b->open, n, &opened, why);
    b->open = opened;
    if (rc < 0 && gm_hwtest_is_full(why) && b->open > 0) {
        b->refused = *why;
        rc = 0;
    }
    return rc;
}

int gm_hwtest_bench_clip(struct gm_hwtest_bench *b, const char *codec, uint32_t depth,
                         uint32_t height_px, bool stream, bool pictures, struct gm_err *why)
{
    uint32_t height = gm_hwtest_large_height(height_px, b->work->quick);
    const struct gm_hwtest_encoding how = {.codec = codec,
                                           .depth = depth,
                                           .crf_centi = GM_HWTEST_CRF,
                                           .width_px = height / 9 * 16,
                                           .height_px = height};
    int rc = gm_hwtest_large(depth, height, &b->pictures, why);
    if (rc == 0 && stream) {
        rc = gm_hwtest_large_stream(&how, &b->pictures, &b->stream, why);
    }
    if (!pictures) {
        gm_hwtest_pictures_fini(&b->pictures);
    }
    return rc;
}

double gm_hwtest_bench_pixels(const struct gm_hwtest_bench *b, uint32_t height_px)
{
    uint32_t height = gm_hwtest_large_height(height_px, b->work->quick);
    uint32_t width = height / 9 * 16;
    return (double)height * (double)width / 1e6;
}
