/* What a picture's luma says: counts and sums of struct gm_score_sums. Block: some rows of a
 * picture, counted in shared memory first, a histogram for each of some groups of threads. */
#include "kernels/device.h"

#define COPIES 8 /* of the histogram */

struct gm_score_shared {
    uint32_t histogram[COPIES][GM_SCORE_BINS];
    uint32_t sharpness, difference, changed, black;
};

struct gm_score_tally {
    uint32_t sharpness, difference, changed, black;
};

/* Up to four samples from x on, as bytes, the first lowest; 0 beyond the row. */
GM_DEVICE uint32_t gm_score_word(const uint8_t *row, uint32_t x, uint32_t width, uint32_t deep)
{
    uint32_t word = 0;
    if (x + 4 <= width && ((uintptr_t)row & 3) == 0) {
        if (!deep) {
            return gm_load_32(row + x);
        }
        uint32_t a = gm_load_32(row + 2 * x), b = gm_load_32(row + 2 * x + 4);
        return (a >> 8 & 0xff) | (a >> 16 & 0xff00) | (b << 8 & 0xff0000) | (b & 0xff000000);
    }
    for (uint32_t i = 0; i < 4 && x + i < width; i++) {
        word |= (uint32_t)row[deep ? 2 * (x + i) + 1 : x + i] << 8 * i;
    }
    return word;
}

GM_DEVICE uint32_t gm_score_apart(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

/* Four samples of row y from x on. */
GM_DEVICE void gm_score_four(const struct gm_score_args *args, const struct gm_score_frame *f,
                             uint32_t x, uint32_t y, uint32_t *histogram, struct gm_score_tally *t)
{
    const uint8_t *row = (const uint8_t *)(uintptr_t)f->luma + (uint64_t)y * f->stride;
    uint32_t count = args->width - x < 4 ? args->width - x : 4;
    uint32_t here = gm_score_word(row, x, args->width, args->deep), below = here, before = here;
    uint32_t next = here >> 24;
    if (y + 1 < args->height) {
        below = gm_score_word(row + f->stride, x, args->width, args->deep);
    }
    if (x + 4 < args->width) {
        next = row[args->deep ? 2 * (x + 4) + 1 : x + 4];
    }
    if (f->before != 0) {
        const uint8_t *old = (const uint8_t *)(uintptr_t)f->before + (uint64_t)y * f->before_stride;
        before = gm_score_word(old, x, args->width, args->deep);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t v = here >> 8 * i & 255;
        uint32_t right = i == 3 ? next : i + 1 < count ? here >> (8 * i + 8) & 255 : v;
        uint32_t apart = gm_score_apart(v, before >> 8 * i & 255);
        t->sharpness += gm_score_apart(v, right) + gm_score_apart(v, below >> 8 * i & 255);
        t->difference += apart;
        t->changed += apart > GM_SCORE_CHANGE;
        t->black += v < GM_SCORE_BLACK;
        GM_ADD_32(&histogram[v], 1);
    }
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
        GM_ADD_64(&sums->sharpness, s->sharpness);
        GM_ADD_64(&sums->difference, s->difference);
        GM_ADD_32(&sums->changed, s->changed);
        GM_ADD_32(&sums->black, s->black);
    }
}

GM_DEVICE void gm_score_run(const struct gm_lane *lane, const struct gm_score_args *args)
{
    const struct gm_score_frame *f =
        (const struct gm_score_frame *)(uintptr_t)args->frames + lane->block_y;
    struct gm_score_shared *s = (struct gm_score_shared *)(void *)lane->shared;
    uint32_t *all = (uint32_t *)(void *)lane->shared;
    for (uint32_t i = lane->tid; i < sizeof *s / sizeof *all; i += lane->threads) {
        all[i] = 0;
    }
    gm_barrier(lane, 2);
    uint32_t fours = (args->width + 3) / 4, first = lane->block_x * args->rows;
    uint32_t rows = args->height - first < args->rows ? args->height - first : args->rows;
    struct gm_score_tally t;
    t.sharpness = t.difference = t.changed = t.black = 0;
    uint32_t *histogram = s->histogram[lane->tid / 32 % COPIES];
    for (uint32_t i = lane->tid; i < fours * rows; i += lane->threads) {
        uint32_t y = i / fours;
        gm_score_four(args, f, (i - y * fours) * 4, first + y, histogram, &t);
    }
    GM_ADD_32(&s->sharpness, t.sharpness);
    GM_ADD_32(&s->difference, t.difference);
    GM_ADD_32(&s->changed, t.changed);
    GM_ADD_32(&s->black, t.black);
    gm_barrier(lane, 3);
    gm_score_flush(lane, s, (struct gm_score_sums *)(uintptr_t)f->sums);
}

GM_KERNEL(gm_score, gm_score_args, gm_score_run(&lane, &args))
