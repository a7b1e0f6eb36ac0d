#include "kernels/reference.h"

#include <stdlib.h>
#include <string.h>

/* A plane to read. */
struct source {
    const uint8_t *plane;
    uint32_t stride;
    bool deep, chroma;
    int64_t left, top, width, height; /* the crop */
    uint32_t turns;
    bool mirror;
};

/* The sample at x, y of the cropped, turned and mirrored picture, inside or not. */
static int64_t take(const struct source *s, int64_t x, int64_t y, int channel)
{
    int64_t w = s->turns % 2 == 0 ? s->width : s->height;
    int64_t h = s->turns % 2 == 0 ? s->height : s->width;
    x = x < 0 ? 0 : x >= w ? w - 1 : x;
    y = y < 0 ? 0 : y >= h ? h - 1 : y;
    if (s->mirror) {
        x = w - 1 - x;
    }
    for (uint32_t i = s->turns; i > 0;
         i--) { /* undo one clockwise quarter: it came from left-below */
        int64_t before_h = i % 2 == 0 ? s->width : s->height;
        int64_t old_x = y, old_y = before_h - 1 - x;
        x = old_x;
        y = old_y;
    }
    const uint8_t *row = s->plane + (s->top + y) * (int64_t)s->stride;
    int64_t at = (s->left + x) * (s->chroma ? 2 : 1) + channel;
    if (!s->deep) {
        return row[at];
    }
    uint16_t sample = 0;
    memcpy(&sample, row + 2 * at, sizeof sample);
    return sample / 64;
}

static int64_t halve_up(int64_t v, int bits) /* v / 2^bits, to the nearest, halves up */
{
    int64_t one = (int64_t)1 << bits, sum = v + one / 2;
    return sum >= 0 ? sum / one : -((-sum + one - 1) / one);
}

static int64_t weigh(const struct source *s, const struct gm_axis *ax, const struct gm_axis *ay,
                     uint32_t x, uint32_t y, int channel, bool deep)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < ax->taps; i++) {
        int64_t column = 0;
        for (uint32_t k = 0; k < ay->taps; k++) {
            column += ay->weights[y * ay->taps + k] *
                      take(s, ax->start[x] + (int64_t)i, ay->start[y] + (int64_t)k, channel);
        }
        sum += ax->weights[x * ax->taps + i] * halve_up(column, s->deep ? 10 : 8);
    }
    int64_t v = halve_up(sum, deep ? 18 : 20), top = deep ? 1023 : 255;
    return v < 0 ? 0 : v > top ? top : v;
}

static int64_t lay_over(const struct gm_ladder_mark *m, bool chroma, int64_t x, int64_t y,
                        int channel, int64_t v, int64_t top)
{
    if (m == NULL) {
        return v;
    }
    int64_t half = chroma ? 2 : 1, w = (m->width_px + half - 1) / half;
    int64_t h = (m->height_px + half - 1) / half;
    x -= m->x_px / half;
    y -= m->y_px / half;
    if (x < 0 || y < 0 || x >= w || y >= h) {
        return v;
    }
    const uint16_t *values = !chroma ? m->luma : channel == 0 ? m->blue : m->red;
    int64_t image = values[y * w + x] > top ? top : values[y * w + x], sum = 0;
    for (int64_t j = 0; j < half; j++) {
        for (int64_t i = 0; i < half; i++) {
            int64_t ax = x * half + i, ay = y * half + j;
            ax = ax >= m->width_px ? m->width_px - 1 : ax;
            ay = ay >= m->height_px ? m->height_px - 1 : ay;
            sum += m->alpha[ay * m->width_px + ax];
        }
    }
    int64_t full = 255 * half * half, alpha = (sum * 256 * 2 + full) / (2 * full);
    return (v * (256 - alpha) + image * alpha + 128) / 256;
}

/* A side's chroma, seen from its other end. */
static int32_t seen(bool backwards, uint32_t length, uint32_t x2)
{
    int32_t pairs = (int32_t)(length + 1) / 2;
    return backwards ? 2 * ((int32_t)length + 1 - 2 * pairs) - (int32_t)x2 : (int32_t)x2;
}

/* Of both directions of the turned picture: the source's side, and whether it runs backwards. */
static void directions(const struct gm_ladder_params *p, uint32_t side[2], uint32_t place[2],
                       bool backwards[2])
{
    bool flat = p->turns % 2 == 0;
    side[0] = flat ? p->crop_width_px : p->crop_height_px;
    side[1] = flat ? p->crop_height_px : p->crop_width_px;
    place[0] = flat ? p->chroma_x2 : p->chroma_y2;
    place[1] = flat ? p->chroma_y2 : p->chroma_x2;
    backwards[0] = (p->turns == 1 || p->turns == 2) != p->mirror;
    backwards[1] = p->turns == 2 || p->turns == 3;
}

static int reference_plane(const struct gm_ladder_params *p, const struct gm_ladder_rung *r,
                           bool chroma, const struct gm_surface *in, const struct gm_surface *out,
                           struct gm_err *err)
{
    int half = chroma ? 2 : 1;
    uint32_t w = (r->width_px + half - 1) / half, h = (r->height_px + half - 1) / half;
    uint32_t side[2], place[2];
    bool backwards[2];
    directions(p, side, place, backwards);
    struct gm_axis ax = {0}, ay = {0};
    struct gm_axis_params px = {side[0],
                                r->width_px,
                                w,
                                chroma,
                                seen(backwards[0], side[0], place[0]),
                                (int32_t)p->chroma_x2};
    struct gm_axis_params py = {side[1],
                                r->height_px,
                                h,
                                chroma,
                                seen(backwards[1], side[1], place[1]),
                                (int32_t)p->chroma_y2};
    int rc = gm_axis_make(&px, &ax, err);
    if (rc == 0) {
        rc = gm_axis_make(&py, &ay, err);
    }
    if (rc < 0) {
        goto out;
    }
    struct source s = {(const uint8_t *)(uintptr_t)in->plane[chroma],
                       in->stride[chroma],
                       p->deep,
                       chroma,
                       p->crop_x_px / half,
                       p->crop_y_px / half,
                       (p->crop_width_px + half - 1) / half,
                       (p->crop_height_px + half - 1) / half,
                       p->turns,
                       p->mirror};
    for (uint32_t y = 0; y < h; y++) {
        uint8_t *row = (uint8_t *)(uintptr_t)out->plane[chroma] + (size_t)y * out->stride[chroma];
        for (uint32_t i = 0; i < w * half; i++) {
            int channel = chroma ? (int)(i % 2) : 0;
            int64_t v = weigh(&s, &ax, &ay, i / half, y, channel, r->deep);
            v = lay_over(r->mark, chroma, i / half, y, channel, v, r->deep ? 1023 : 255);
            uint16_t wide = (uint16_t)(v * 64);
            if (r->deep) {
                memcpy(row + 2 * (size_t)i, &wide, sizeof wide);
            } else {
                row[i] = (uint8_t)v;
            }
        }
    }
out:
    gm_axis_fini(&ax);
    gm_axis_fini(&ay);
    return rc;
}

int gm_reference_ladder(const struct gm_ladder_params *params, const struct gm_ladder_frame *frame,
                        struct gm_err *err)
{
    struct gm_ladder_params p = *params;
    p.crop_width_px = p.crop_width_px > 0 ? p.crop_width_px : p.width_px - p.crop_x_px;
    p.crop_height_px = p.crop_height_px > 0 ? p.crop_height_px : p.height_px - p.crop_y_px;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < 2 * p.rungs; i++) {
        rc = reference_plane(&p, &p.rung[i / 2], i % 2 == 1, &frame->in, &frame->out[i / 2], err);
    }
    return rc;
}

static int luma_at(gm_addr plane, uint32_t stride, uint32_t x, uint32_t y)
{
    return ((const uint8_t *)(uintptr_t)plane + (size_t)y * stride)[x];
}

static uint64_t block_detail(const struct gm_score_args *args, const struct gm_score_frame *f,
                             uint32_t x0, uint32_t y0)
{
    uint64_t energy = 0, count = 0;
    for (uint32_t y = y0; y < y0 + GM_SCORE_BLOCK && y + 1 < args->height; y++) {
        for (uint32_t x = x0; x < x0 + GM_SCORE_BLOCK && x + 1 < args->width; x++) {
            int v = luma_at(f->luma, f->stride, x, y);
            int right = luma_at(f->luma, f->stride, x + 1, y) - v;
            int down = luma_at(f->luma, f->stride, x, y + 1) - v;
            energy += (uint64_t)(right * right + down * down);
            count++;
        }
    }
    uint64_t mean = count > 0 ? energy / count : 0;
    return mean * GM_SCORE_ENOUGH * 256 / (mean + GM_SCORE_ENOUGH);
}

void gm_reference_score(const struct gm_score_args *args, const struct gm_score_frame *f,
                        struct gm_score_sums *out)
{
    struct gm_score_sums s = {0};
    for (uint32_t y = 0; y < args->height; y++) {
        for (uint32_t x = 0; x < args->width; x++) {
            int v = luma_at(f->luma, f->stride, x, y);
            int b = f->before != 0 ? luma_at(f->before, f->before_stride, x, y) : 0;
            int a = f->after != 0 ? luma_at(f->after, f->after_stride, x, y) : 0;
            bool both = f->before != 0 && f->after != 0;
            s.in += f->before != 0 ? (uint64_t)abs(v - b) : 0;
            s.out += f->after != 0 ? (uint64_t)abs(v - a) : 0;
            s.across += both ? (uint64_t)abs(a - b) : 0;
            s.bend += both ? (uint64_t)abs(2 * v - a - b) : 0;
            s.histogram[v] += x + 1 < args->width && y + 1 < args->height ? 1 : 0;
            if (x % GM_SCORE_BLOCK == 0 && y % GM_SCORE_BLOCK == 0) {
                s.detail += block_detail(args, f, x, y);
            }
        }
    }
    *out = s;
}
