/* What a small picture's luma says, and what happens around it: struct gm_score_sums. Block: a row
 * of blocks of the picture; a thread takes whole columns of it. Counted in shared memory first, a
 * histogram for each of some groups of threads. */
#include "kernels/device.h"

#define COPIES 8 /* of the histogram */

struct gm_score_shared {
    uint32_t histogram[COPIES][GM_SCORE_BINS];
    uint32_t energy[1024]; /* of a block: squared gradients. 1024: of the widest picture */
    uint32_t in, out, across, bend;
};

struct gm_score_tally {
    uint32_t in, out, across, bend; /* 16 rows of 16384 samples fit */
};

GM_DEVICE uint32_t gm_score_apart(int32_t a, int32_t b)
{
    return (uint32_t)(a > b ? a - b : b - a);
}

/* Of one sample. */
GM_DEVICE void gm_score_around(const struct gm_score_frame *f, uint32_t x, uint32_t y, int32_t now,
                               struct gm_score_tally *t)
{
    int32_t before = 0, after = 0;
    if (f->before != 0) {
        before = ((const uint8_t *)(uintptr_t)f->before + (uint64_t)y * f->before_stride)[x];
        t->in += gm_score_apart(now, before);
    }
    if (f->after != 0) {
        after = ((const uint8_t *)(uintptr_t)f->after + (uint64_t)y * f->after_stride)[x];
        t->out += gm_score_apart(now, after);
    }
    if (f->before != 0 && f->after != 0) {
        t->across += gm_score_apart(before, after);
        t->bend += gm_score_apart(2 * now, before + after);
    }
}

/* Column x of rows first to last. */
GM_DEVICE void gm_score_column(const struct gm_score_args *args, const struct gm_score_frame *f,
                               uint32_t x, uint32_t first, uint32_t last, struct gm_score_shared *s,
                               uint32_t *histogram)
{
    const uint8_t *at = (const uint8_t *)(uintptr_t)f->luma + (uint64_t)first * f->stride + x;
    struct gm_score_tally t;
    uint32_t energy = 0;
    t.in = t.out = t.across = t.bend = 0;
    for (uint32_t y = first; y <= last; y++, at += f->stride) {
        int32_t now = at[0];
        gm_score_around(f, x, y, now, &t);
        if (x + 1 < args->width && y + 1 < args->height) {
            int32_t dx = at[1] - now, dy = at[f->stride] - now;
            energy += (uint32_t)(dx * dx + dy * dy);
            GM_ADD_32(&histogram[now], 1);
        }
    }
    GM_ADD_32(&s->energy[x / GM_SCORE_BLOCK], energy);
    GM_ADD_32(&s->in, t.in);
    GM_ADD_32(&s->out, t.out);
    GM_ADD_32(&s->across, t.across);
    GM_ADD_32(&s->bend, t.bend);
}

/* rows: of these blocks, that have a gradient. */
GM_DEVICE uint64_t gm_score_detail(const struct gm_lane *lane, const struct gm_score_args *args,
                                   const struct gm_score_shared *s, uint32_t rows)
{
    uint64_t detail = 0;
    uint32_t width = args->width - 1;
    for (uint32_t b = lane->tid; b * GM_SCORE_BLOCK < width; b += lane->threads) {
        uint32_t columns = width - b * GM_SCORE_BLOCK;
        columns = columns < GM_SCORE_BLOCK ? columns : GM_SCORE_BLOCK;
        uint64_t e = s->energy[b] / (columns * rows);
        detail += e * GM_SCORE_ENOUGH * 256 / (e + GM_SCORE_ENOUGH);
    }
    return detail;
}

GM_DEVICE void gm_score_flush(const struct gm_lane *lane, const struct gm_score_shared *s,
                              struct gm_score_sums *sums)
{
    for (uint32_t i = lane->tid; i < GM_SCORE_BINS; i += lane->threads) {
        uint32_t n = 0;
        for (uint32_t c = 0; c < COPIES; c++) {
            n += s->histogram[c][i];
        }
        if (n > 0) {
            GM_ADD_32(&sums->histogram[i], n);
        }
    }
    if (lane->tid == 0) {
        GM_ADD_64(&sums->in, s->in);
        GM_ADD_64(&sums->out, s->out);
        GM_ADD_64(&sums->across, s->across);
        GM_ADD_64(&sums->bend, s->bend);
    }
}

GM_DEVICE void gm_score_run(const struct gm_lane *lane, const struct gm_score_args *args)
{
    const struct gm_score_frame *f =
        (const struct gm_score_frame *)(uintptr_t)args->frames + lane->block_y;
    struct gm_score_sums *sums = (struct gm_score_sums *)(uintptr_t)f->sums;
    struct gm_score_shared *s = (struct gm_score_shared *)(void *)lane->shared;
    uint32_t *all = (uint32_t *)(void *)lane->shared;
    for (uint32_t i = lane->tid; i < sizeof *s / sizeof *all; i += lane->threads) {
        all[i] = 0;
    }
    gm_barrier(lane, 2);
    uint32_t first = lane->block_x * GM_SCORE_BLOCK, last = first + GM_SCORE_BLOCK - 1;
    last = last < args->height ? last : args->height - 1;
    uint32_t *histogram = s->histogram[lane->tid / 32 % COPIES];
    for (uint32_t x = lane->tid; x < args->width; x += lane->threads) {
        gm_score_column(args, f, x, first, last, s, histogram);
    }
    gm_barrier(lane, 3);
    uint32_t rows = last + 1 < args->height ? last + 1 - first : last - first;
    if (rows > 0) {
        GM_ADD_64(&sums->detail, gm_score_detail(lane, args, s, rows));
    }
    gm_score_flush(lane, s, sums);
}

GM_KERNEL(gm_score, gm_score_args, gm_score_run(&lane, &args))
