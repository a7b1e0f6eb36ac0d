/* HDR to SDR by the table, as media/picture/tonemap.c: a thread makes a pair of chroma samples and the four
 * pixels around it. */
#include "kernels/device.h"

#define DROP_8 18 /* bits of a sum of 26 that are below an 8-bit code */
#define DROP_10 16

struct gm_tone_view {
    const uint8_t *luma, *pairs; /* P010 */
    int64_t luma_stride, pairs_stride;
    int32_t last_x, last_y, last_pair_x, last_pair_y;
    const uint8_t *node, *fraction;
    uint32_t left, top;
};

GM_DEVICE int32_t gm_tone_luma(const struct gm_tone_view *v, int32_t x, int32_t y)
{
    x = gm_clamp(x, 0, v->last_x);
    y = gm_clamp(y, 0, v->last_y);
    return (int32_t)(gm_load_16(v->luma + y * v->luma_stride + 2 * x) >> 6);
}

GM_DEVICE int32_t gm_tone_chroma(const struct gm_tone_view *v, int32_t x, int32_t y, int32_t red)
{
    x = gm_clamp(x, 0, v->last_pair_x);
    y = gm_clamp(y, 0, v->last_pair_y);
    return (int32_t)(gm_load_16(v->pairs + y * v->pairs_stride + 4 * x + 2 * red) >> 6);
}

/* 26 bits: trilinear, 6 bits of weight along luma and 3 along both chromas. */
GM_DEVICE int32_t gm_tone_find(const struct gm_tone_view *v, const int16_t *nodes, int32_t luma,
                               int32_t blue, int32_t red)
{
    int32_t y = v->fraction[luma], r = red & 7;
    const int16_t *t = nodes +
                       ((blue >> 3) * GM_TONE_CHROMA_NODES + (red >> 3)) * GM_TONE_LUMA_NODES +
                       v->node[luma];
    int32_t sum[2];
    for (int32_t b = 0; b < 2; b++) {
        const int16_t *u = t + b * GM_TONE_CHROMA_NODES * GM_TONE_LUMA_NODES;
        sum[b] = u[0] * ((8 - r) * (64 - y)) + u[1] * ((8 - r) * y) +
                 u[GM_TONE_LUMA_NODES] * (r * (64 - y)) + u[GM_TONE_LUMA_NODES + 1] * (r * y);
    }
    return sum[0] * 8 + (sum[1] - sum[0]) * (blue & 7);
}

/* Bayer's 8x8: bits of x ^ y and y, woven from the lowest on. */
GM_DEVICE int32_t gm_tone_dither(int32_t x, int32_t y)
{
    int32_t d = x ^ y;
    int32_t b =
        (d & 1) << 5 | (y & 1) << 4 | (d & 2) << 2 | (y & 2) << 1 | (d & 4) >> 1 | (y & 4) >> 2;
    return (2 * b + 1) << (DROP_8 - 7);
}

GM_DEVICE void gm_tone_store(uint8_t *row, int32_t at, int32_t sum, int32_t x, int32_t y,
                             uint32_t deep)
{
    if (deep) {
        ((uint16_t *)(void *)row)[at] = (uint16_t)((sum + (1 << (DROP_10 - 1))) >> DROP_10 << 6);
    } else {
        row[at] = (uint8_t)((sum + gm_tone_dither(x, y)) >> DROP_8);
    }
}

/* Chroma at a pixel: its two rows blended, then its columns. */
GM_DEVICE int32_t gm_tone_spread(const struct gm_tone_view *v, int32_t x, int32_t y, int32_t red)
{
    int32_t row = y >> 1, odd = y & 1, column = x >> 1;
    int32_t near = !v->top ? 3 : odd ? 2 : 4, other = odd ? row + 1 : v->top ? row : row - 1;
    int32_t beside = (x & 1) ? column + 1 : column - 1;
    int32_t here = gm_tone_chroma(v, column, row, red) * near +
                   gm_tone_chroma(v, column, other, red) * (4 - near);
    int32_t next = gm_tone_chroma(v, beside, row, red) * near +
                   gm_tone_chroma(v, beside, other, red) * (4 - near);
    int32_t sum = v->left ? ((x & 1) ? 2 * (here + next) : 4 * here) : 3 * here + next;
    sum = (sum + 8) >> 4;
    return sum < GM_TONE_CODES ? sum : GM_TONE_CODES - 1;
}

/* Luma where a chroma sample lies. */
GM_DEVICE int32_t gm_tone_under(const struct gm_tone_view *v, int32_t x, int32_t y)
{
    int32_t sum = 0;
    for (int32_t dy = v->top ? -1 : 0; dy <= 1; dy++) {
        int32_t here = gm_tone_luma(v, 2 * x, 2 * y + dy);
        int32_t after = gm_tone_luma(v, 2 * x + 1, 2 * y + dy);
        int32_t across = v->left ? gm_tone_luma(v, 2 * x - 1, 2 * y + dy) + 2 * here + after
                                 : 2 * (here + after);
        sum += across * (!v->top || dy == 0 ? 2 : 1);
    }
    return (sum + 8) >> 4;
}

GM_DEVICE void gm_tone_run(const struct gm_lane *lane, const struct gm_tone_args *args)
{
    const struct gm_tone_frame *f =
        (const struct gm_tone_frame *)(uintptr_t)args->frames + lane->block_y;
    struct gm_tone_view v;
    v.luma = (const uint8_t *)(uintptr_t)f->in.plane[0];
    v.pairs = (const uint8_t *)(uintptr_t)f->in.plane[1];
    v.luma_stride = f->in.stride[0];
    v.pairs_stride = f->in.stride[1];
    v.last_x = (int32_t)args->width - 1;
    v.last_y = (int32_t)args->height - 1;
    v.last_pair_x = v.last_x >> 1;
    v.last_pair_y = v.last_y >> 1;
    v.node = (const uint8_t *)(uintptr_t)args->node;
    v.fraction = (const uint8_t *)(uintptr_t)args->fraction;
    v.left = args->left;
    v.top = args->top;
    int32_t y = (int32_t)lane->block_x;
    uint8_t *pairs = (uint8_t *)(uintptr_t)f->out.plane[1] + (int64_t)y * f->out.stride[1];
    for (int32_t x = (int32_t)lane->tid; x <= v.last_pair_x; x += (int32_t)lane->threads) {
        for (int32_t i = 0; i < 4; i++) {
            int32_t px = 2 * x + (i & 1), py = 2 * y + (i >> 1);
            if (px > v.last_x || py > v.last_y) {
                continue;
            }
            uint8_t *row = (uint8_t *)(uintptr_t)f->out.plane[0] + (int64_t)py * f->out.stride[0];
            int32_t sum = gm_tone_find(&v, (const int16_t *)(uintptr_t)args->nodes[0],
                                       gm_tone_luma(&v, px, py), gm_tone_spread(&v, px, py, 0),
                                       gm_tone_spread(&v, px, py, 1));
            gm_tone_store(row, px, sum, px, py, args->deep);
        }
        int32_t under = gm_tone_under(&v, x, y);
        int32_t blue = gm_tone_chroma(&v, x, y, 0), red = gm_tone_chroma(&v, x, y, 1);
        for (int32_t i = 0; i < 2; i++) {
            int32_t sum =
                gm_tone_find(&v, (const int16_t *)(uintptr_t)args->nodes[1 + i], under, blue, red);
            gm_tone_store(pairs, 2 * x + i, sum, x, y, args->deep);
        }
    }
}

GM_KERNEL(gm_tone, gm_tone_args, gm_tone_run(&lane, &args))
