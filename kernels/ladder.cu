/* All planes of all rungs of some pictures in one launch. Block: a tile of one plane.
 *
 * First down the columns, from the source straight into the block's intermediate (14 bits and
 * sign), then along its rows into the rung, with the watermark blended before the store. Weights
 * have 14 bits, so all sums fit 32. What is computed, in which order: docs/kernels.md.
 */
#include "kernels/device.h"

#define WEIGHT_BITS 14
#define MIDDLE_BITS 14 /* of the intermediate: full scale */
#define ROWS 4         /* that a thread makes at once along rows */

/* A plane of a source, as the turned picture sees it. */
struct gm_ladder_view {
    const uint8_t *first; /* its sample 0, 0 */
    int64_t right, down;  /* bytes to the next sample */
    int32_t last_x, last_y;
    uint32_t fast; /* four bytes at once: samples lie in order, and rows alike */
};

GM_DEVICE struct gm_ladder_view gm_ladder_look(const struct gm_ladder_plane *p,
                                               const struct gm_surface *in, uint32_t deep)
{
    struct gm_ladder_view v;
    int64_t stride = in->stride[p->chroma];
    int64_t size = (int64_t)(1 + deep) << p->chroma;
    v.first = (const uint8_t *)(uintptr_t)in->plane[p->chroma] + p->y0 * stride + p->x0 * size;
    v.right = p->right_y * stride + p->right_x * size;
    v.down = p->down_y * stride + p->down_x * size;
    v.last_x = p->in_w - 1;
    v.last_y = p->in_h - 1;
    v.fast = v.right == size && (v.down & 3) == 0 && ((uintptr_t)v.first & (size - 1)) == 0;
    return v;
}

GM_DEVICE const uint8_t *gm_ladder_at(const struct gm_ladder_view *v, int32_t x, int32_t y)
{
    return v->first + gm_clamp(x, 0, v->last_x) * v->right + gm_clamp(y, 0, v->last_y) * v->down;
}

/* Four bytes of a row from byte `at` on, where a sample begins: four of 8 bits or two pairs, two of
 * 10 bits or a pair. Beyond the row's ends its first and last sample repeat. */
GM_DEVICE uint32_t gm_ladder_word(const struct gm_ladder_view *v, const uint8_t *row, int32_t at,
                                  uint32_t chroma, uint32_t deep)
{
    int32_t size = (int32_t)((1u + deep) << chroma); /* 1, 2 or 4 */
    int32_t x = at >> (deep + chroma), samples = 4 / size;
    uint32_t word = 0;
    if (v->fast && x >= 0 && x + samples - 1 <= v->last_x) {
        return gm_load_32(row + at);
    }
    for (int32_t i = 0; i < samples; i++) {
        const uint8_t *from = row + gm_clamp(x + i, 0, v->last_x) * v->right;
        if (size == 1) {
            word |= (uint32_t)from[0] << 8 * i;
        } else if (!deep) { /* at any address */
            word |= (from[0] | (uint32_t)from[1] << 8) << 16 * i;
        } else {
            word |= gm_load_16(from) << 16 * (i & 1);
            word |= size == 4 ? gm_load_16(from + 2) << 16 : 0;
        }
    }
    return word;
}

/* Bytes b[0..1] of a and of b, woven: a0 b0 a1 b1; and b[2..3]. */
GM_DEVICE uint32_t gm_weave_low(uint32_t a, uint32_t b)
{
    return (a & 0xff) | (b & 0xff) << 8 | (a & 0xff00) << 8 | (b & 0xff00) << 16;
}

GM_DEVICE uint32_t gm_weave_high(uint32_t a, uint32_t b)
{
    return gm_weave_low(a >> 16, b >> 16);
}

GM_DEVICE uint32_t gm_pack(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xffff) | (uint32_t)high << 16;
}

/* A block's tile. */
struct gm_ladder_tile {
    int32_t x0, y0; /* in the rung */
    int32_t width, height;
    int32_t first; /* byte of the source's row where the intermediate begins */
    int32_t words; /* of four bytes a row of the intermediate */
};

GM_DEVICE struct gm_ladder_tile gm_ladder_place(const struct gm_ladder_plane *p, uint32_t tile)
{
    struct gm_ladder_tile t;
    t.x0 = (int32_t)(tile % p->tiles_x * p->tile_w);
    t.y0 = (int32_t)(tile / p->tiles_x * p->tile_h);
    t.width = gm_clamp((int32_t)p->out_w - t.x0, 0, (int32_t)p->tile_w);
    t.height = gm_clamp((int32_t)p->out_h - t.y0, 0, (int32_t)p->tile_h);
    t.first = t.words = 0;
    return t;
}

GM_DEVICE void gm_ladder_columns_8(const struct gm_lane *lane, const struct gm_ladder_plane *p,
                                   const uint8_t *plan, const struct gm_ladder_view *v,
                                   const struct gm_ladder_tile *t)
{
    const int32_t *starts = (const int32_t *)(const void *)(plan + p->start_y);
    const uint32_t *weights = (const uint32_t *)(const void *)(plan + p->weights_y);
    const int32_t half = 1 << (WEIGHT_BITS + 8 - MIDDLE_BITS - 1);
    int32_t pairs = (int32_t)p->taps_y / 2;
    for (int32_t i = (int32_t)lane->tid; i < t->words * t->height; i += (int32_t)lane->threads) {
        int32_t y = i / t->words, at = t->first + (i - y * t->words) * 4;
        int32_t row = starts[t->y0 + y];
        const uint32_t *w = weights + (t->y0 + y) * pairs;
        int32_t s0 = half, s1 = half, s2 = half, s3 = half;
        for (int32_t k = 0; k < pairs; k++, row += 2) {
            uint32_t a = gm_ladder_word(v, gm_ladder_at(v, 0, row), at, p->chroma, 0);
            uint32_t b = gm_ladder_word(v, gm_ladder_at(v, 0, row + 1), at, p->chroma, 0);
            uint32_t low = gm_weave_low(a, b), high = gm_weave_high(a, b);
            s0 = gm_dot_low(w[k], low, s0);
            s1 = gm_dot_high(w[k], low, s1);
            s2 = gm_dot_low(w[k], high, s2);
            s3 = gm_dot_high(w[k], high, s3);
        }
        uint32_t *to = (uint32_t *)(void *)lane->shared + (i - y * t->words) * 2 +
                       y * (int32_t)(p->middle_w / 2);
        to[0] =
            gm_pack(s0 >> (WEIGHT_BITS + 8 - MIDDLE_BITS), s1 >> (WEIGHT_BITS + 8 - MIDDLE_BITS));
        to[1] =
            gm_pack(s2 >> (WEIGHT_BITS + 8 - MIDDLE_BITS), s3 >> (WEIGHT_BITS + 8 - MIDDLE_BITS));
    }
}

GM_DEVICE void gm_ladder_columns_10(const struct gm_lane *lane, const struct gm_ladder_plane *p,
                                    const uint8_t *plan, const struct gm_ladder_view *v,
                                    const struct gm_ladder_tile *t)
{
    const int32_t *starts = (const int32_t *)(const void *)(plan + p->start_y);
    const uint32_t *weights = (const uint32_t *)(const void *)(plan + p->weights_y);
    const int32_t half = 1 << (WEIGHT_BITS + 10 - MIDDLE_BITS - 1);
    int32_t pairs = (int32_t)p->taps_y / 2;
    for (int32_t i = (int32_t)lane->tid; i < t->words * t->height; i += (int32_t)lane->threads) {
        int32_t y = i / t->words, at = t->first + (i - y * t->words) * 4;
        int32_t row = starts[t->y0 + y];
        const uint32_t *w = weights + (t->y0 + y) * pairs;
        int32_t s0 = half, s1 = half;
        for (int32_t k = 0; k < pairs; k++, row += 2) {
            uint32_t a = gm_ladder_word(v, gm_ladder_at(v, 0, row), at, p->chroma, 1);
            uint32_t b = gm_ladder_word(v, gm_ladder_at(v, 0, row + 1), at, p->chroma, 1);
            int32_t w0 = (int16_t)w[k], w1 = (int32_t)w[k] >> 16;
            s0 += w0 * (int32_t)(a >> 6 & 1023) + w1 * (int32_t)(b >> 6 & 1023);
            s1 += w0 * (int32_t)(a >> 22) + w1 * (int32_t)(b >> 22);
        }
        uint32_t *to =
            (uint32_t *)(void *)lane->shared + (i - y * t->words) + y * (int32_t)(p->middle_w / 2);
        to[0] =
            gm_pack(s0 >> (WEIGHT_BITS + 10 - MIDDLE_BITS), s1 >> (WEIGHT_BITS + 10 - MIDDLE_BITS));
    }
}

/* One sample (of a pair: channel 0 or 1) with the watermark over it. */
GM_DEVICE int32_t gm_ladder_mark(const struct gm_ladder_plane *p, const uint8_t *plan, int32_t x,
                                 int32_t y, uint32_t channel, int32_t v)
{
    uint32_t mx = (uint32_t)x - p->mark_x, my = (uint32_t)y - p->mark_y;
    if (p->mark == 0 || mx >= p->mark_w || my >= p->mark_h) {
        return v;
    }
    const uint16_t *m = (const uint16_t *)(const void *)(plan + p->mark) +
                        (my * p->mark_w + mx) * (2u << p->chroma);
    int32_t alpha = m[1u << p->chroma];
    return (v * (256 - alpha) + (int32_t)m[channel] * alpha + 128) >> 8;
}

/* A finished sample (a pair) to its place. u: the only one of luma. */
GM_DEVICE void gm_ladder_store(const struct gm_ladder_plane *p, const uint8_t *plan,
                               const struct gm_surface *out, int32_t x, int32_t y, int32_t u,
                               int32_t v)
{
    int32_t top = p->deep ? 1023 : 255;
    uint8_t *row =
        (uint8_t *)(uintptr_t)out->plane[p->chroma] + (int64_t)y * out->stride[p->chroma];
    u = gm_ladder_mark(p, plan, x, y, 0, gm_clamp(u, 0, top));
    if (!p->chroma) {
        if (p->deep) {
            ((uint16_t *)(void *)row)[x] = (uint16_t)(u << 6);
        } else {
            row[x] = (uint8_t)u;
        }
        return;
    }
    v = gm_ladder_mark(p, plan, x, y, 1, gm_clamp(v, 0, top));
    if (p->deep) {
        ((uint16_t *)(void *)row)[2 * x] = (uint16_t)(u << 6);
        ((uint16_t *)(void *)row)[2 * x + 1] = (uint16_t)(v << 6);
    } else {
        row[2 * x] = (uint8_t)u;
        row[2 * x + 1] = (uint8_t)v;
    }
}

/* Along the rows of the intermediate, ROWS of them at once. */
GM_DEVICE void gm_ladder_rows(const struct gm_lane *lane, const struct gm_ladder_plane *p,
                              const uint8_t *plan, const struct gm_surface *out,
                              const struct gm_ladder_tile *t, int32_t begin)
{
    const int32_t *starts = (const int32_t *)(const void *)(plan + p->start_x);
    const uint32_t *weights = (const uint32_t *)(const void *)(plan + p->weights_x);
    const int32_t shift = WEIGHT_BITS + MIDDLE_BITS - (p->deep ? 10 : 8);
    int32_t pairs = (int32_t)p->taps_x / 2, groups = (t->height + ROWS - 1) / ROWS;
    const int16_t *middle = (const int16_t *)(const void *)lane->shared;
    for (int32_t i = (int32_t)lane->tid; i < t->width * groups; i += (int32_t)lane->threads) {
        int32_t group = i / t->width, x = t->x0 + i - group * t->width;
        const uint32_t *w = weights + x;
        int32_t step = 1 << p->chroma, at = starts[x] * step - begin;
        const int16_t *row[ROWS];
        int32_t u[ROWS], v[ROWS];
        GM_UNROLL
        for (int32_t r = 0; r < ROWS; r++) {
            int32_t y = group * ROWS + r;
            y = y < t->height ? y : t->height - 1;
            row[r] = middle + y * (int32_t)p->middle_w + at;
            u[r] = v[r] = 1 << (shift - 1);
        }
        for (int32_t k = 0; k < pairs; k++, w += p->out_w) {
            int32_t w0 = (int16_t)*w, w1 = (int32_t)*w >> 16;
            GM_UNROLL
            for (int32_t r = 0; r < ROWS; r++) {
                u[r] += row[r][0] * w0 + row[r][step] * w1;
                if (p->chroma) {
                    v[r] += row[r][1] * w0 + row[r][3] * w1;
                }
                row[r] += 2 * step;
            }
        }
        GM_UNROLL
        for (int32_t r = 0; r < ROWS; r++) {
            if (group * ROWS + r < t->height) {
                gm_ladder_store(p, plan, out, x, t->y0 + group * ROWS + r, u[r] >> shift,
                                v[r] >> shift);
            }
        }
    }
}

/* Where every sample comes from one. */
GM_DEVICE void gm_ladder_point(const struct gm_lane *lane, const struct gm_ladder_plane *p,
                               const uint8_t *plan, const struct gm_ladder_view *v,
                               const struct gm_surface *out, const struct gm_ladder_tile *t,
                               uint32_t deep)
{
    const int32_t *starts_x = (const int32_t *)(const void *)(plan + p->start_x);
    const int32_t *starts_y = (const int32_t *)(const void *)(plan + p->start_y);
    int32_t from = deep ? 10 : 8, to = p->deep ? 10 : 8;
    for (int32_t i = (int32_t)lane->tid; i < t->width * t->height; i += (int32_t)lane->threads) {
        int32_t y = i / t->width, x = t->x0 + i - y * t->width;
        y += t->y0;
        const uint8_t *s = gm_ladder_at(v, starts_x[x], starts_y[y]);
        int32_t a = deep ? (int32_t)gm_load_16(s) >> 6 : s[0], b = 0;
        if (p->chroma) {
            b = deep ? (int32_t)gm_load_16(s + 2) >> 6 : s[1];
        }
        if (to > from) {
            a <<= 2;
            b <<= 2;
        } else if (to < from) {
            a = (a + 2) >> 2;
            b = (b + 2) >> 2;
        }
        gm_ladder_store(p, plan, out, x, y, a, b);
    }
}

GM_DEVICE void gm_ladder_run(const struct gm_lane *lane, const struct gm_ladder_args *args,
                             uint32_t deep)
{
    const uint8_t *bytes = (const uint8_t *)(uintptr_t)args->plan;
    const struct gm_ladder_plan *plan = (const struct gm_ladder_plan *)(const void *)bytes;
    const struct gm_ladder_frame *frame =
        (const struct gm_ladder_frame *)(uintptr_t)args->frames + lane->block_y;
    uint32_t at = 0;
    while (at + 1 < plan->planes && plan->plane[at + 1].first_tile <= lane->block_x) {
        at++;
    }
    const struct gm_ladder_plane *p = &plan->plane[at];
    const struct gm_surface *out = &frame->out[p->rung];
    struct gm_ladder_view v = gm_ladder_look(p, &frame->in, deep);
    struct gm_ladder_tile t = gm_ladder_place(p, lane->block_x - p->first_tile);
    if (p->point) {
        gm_ladder_point(lane, p, bytes, &v, out, &t, deep);
        return;
    }
    const int32_t *starts = (const int32_t *)(const void *)(bytes + p->start_x);
    int32_t size = (int32_t)((1u + deep) << p->chroma);
    t.first = starts[t.x0] * size;
    if (v.fast) {
        t.first -= (int32_t)((uintptr_t)(v.first + t.first) & 3u);
    }
    int32_t end = (starts[t.x0 + t.width - 1] + (int32_t)p->taps_x) * size;
    t.words = (end - t.first + 3) / 4;
    if (deep) {
        gm_ladder_columns_10(lane, p, bytes, &v, &t);
    } else {
        gm_ladder_columns_8(lane, p, bytes, &v, &t);
    }
    gm_barrier(lane, 1);
    gm_ladder_rows(lane, p, bytes, out, &t, t.first >> deep);
}

GM_KERNEL(gm_ladder_8, gm_ladder_args, gm_ladder_run(&lane, &args, 0))
GM_KERNEL(gm_ladder_10, gm_ladder_args, gm_ladder_run(&lane, &args, 1))
