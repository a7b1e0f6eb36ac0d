#include "media/images/score.h"

#include <stdlib.h>

#define BLOCK 16
#define ENOUGH 400   /* mean squared gradient of a block that gives half of what a block can */
#define DARK 40      /* samples below are dark */
#define BRIGHT 225   /* samples above are bright */
#define UNIFORM 100  /* variance below: near-uniform */
#define MIN_MEAN 48  /* mean luma where a picture begins to look dark */
#define MAX_MEAN 208 /* and where it begins to look washed out */
#define UNIFORM_COST 64
#define EXTREME_COST 8
#define STILL 8 /* levels of difference at which motion halves the score */
#define FLASH_COST 8
#define FADE_COST 8
#define SIXTEENTHS 16 /* differences are counted in sixteenths of a level */

void gm_luma_fini(struct gm_luma *luma)
{
    free(luma->data);
    *luma = (struct gm_luma){0};
}

static uint32_t sample(const uint8_t *row, uint32_t x, unsigned bit_depth)
{
    if (bit_depth <= 8) {
        return row[x];
    }
    uint32_t v = (uint32_t)row[2 * (size_t)x + 1] << 8 | row[2 * (size_t)x];
    v >>= bit_depth - 8;
    return v > 255 ? 255 : v;
}

bool gm_luma_take(struct gm_luma *out, const uint8_t *plane, size_t stride, uint32_t width_px,
                  uint32_t height_px, unsigned bit_depth)
{
    uint32_t longer = width_px > height_px ? width_px : height_px;
    uint32_t n = (longer + GM_LUMA_SIDE - 1) / GM_LUMA_SIDE;
    n = n < 1 ? 1 : n;
    /* A strip narrower than n keeps its width. */
    uint32_t nx = n < width_px ? n : 1;
    uint32_t ny = n < height_px ? n : 1;
    uint32_t w = width_px / nx;
    uint32_t h = height_px / ny;
    if (out->data == NULL || out->width_px != w || out->height_px != h) {
        uint8_t *data = realloc(out->data, (size_t)w * h + 1);
        if (data == NULL) {
            return false;
        }
        out->data = data;
        out->width_px = w;
        out->height_px = h;
    }
    for (uint32_t y = 0; y < h; y++) {
        for (uint32_t x = 0; x < w; x++) {
            uint32_t sum = 0;
            for (uint32_t k = 0; k < ny; k++) {
                const uint8_t *row = plane + ((size_t)y * ny + k) * stride;
                for (uint32_t i = 0; i < nx; i++) {
                    sum += sample(row, x * nx + i, bit_depth);
                }
            }
            out->data[(size_t)y * w + x] = (uint8_t)(sum / (nx * ny));
        }
    }
    return true;
}

struct tally {
    uint64_t sum, squares, dark, bright;
};

/* Mean squared gradient of the block at x0, y0; gradients look one sample to the right and down. */
static uint64_t block_energy(const struct gm_luma *l, uint32_t x0, uint32_t y0, uint32_t x1,
                             uint32_t y1, struct tally *t)
{
    uint64_t energy = 0;
    for (uint32_t y = y0; y < y1; y++) {
        const uint8_t *row = l->data + (size_t)y * l->width_px;
        const uint8_t *below = row + l->width_px;
        for (uint32_t x = x0; x < x1; x++) {
            int v = row[x];
            int dx = row[x + 1] - v;
            int dy = below[x] - v;
            energy += (uint64_t)(dx * dx + dy * dy);
            t->sum += (uint64_t)v;
            t->squares += (uint64_t)(v * v);
            t->dark += v < DARK ? 1 : 0;
            t->bright += v > BRIGHT ? 1 : 0;
        }
    }
    return energy / ((uint64_t)(x1 - x0) * (y1 - y0));
}

static uint64_t weigh_light(uint64_t score, const struct tally *t, uint64_t count)
{
    uint64_t mean = t->sum / count;
    uint64_t variance = (t->squares * count - t->sum * t->sum) / count / count;
    if (variance < UNIFORM) {
        score /= UNIFORM_COST;
    }
    if (mean < MIN_MEAN) {
        score = score * mean / MIN_MEAN;
    }
    if (mean > MAX_MEAN) {
        score = score * (255 - mean) / (255 - MAX_MEAN);
    }
    if (t->dark * 10 > count * 9 || t->bright * 10 > count * 9) {
        score /= EXTREME_COST;
    }
    return score;
}

uint32_t gm_score(const struct gm_luma *l)
{
    struct tally tally = {0};
    uint64_t blocks = 0;
    uint64_t score = 0;
    if (l->width_px < 2 || l->height_px < 2) {
        return 0;
    }
    uint32_t w = l->width_px - 1;
    uint32_t h = l->height_px - 1;
    for (uint32_t y = 0; y < h; y += BLOCK) {
        for (uint32_t x = 0; x < w; x += BLOCK) {
            uint64_t e = block_energy(l, x, y, x + BLOCK < w ? x + BLOCK : w,
                                      y + BLOCK < h ? y + BLOCK : h, &tally);
            score += e * ENOUGH * 256 / (e + ENOUGH);
            blocks++;
        }
    }
    return (uint32_t)weigh_light(score / blocks, &tally, (uint64_t)w * h);
}

static uint64_t difference(const struct gm_luma *a, const struct gm_luma *b)
{
    size_t count = (size_t)a->width_px * a->height_px;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        int d = a->data[i] - b->data[i];
        sum += (uint64_t)(d < 0 ? -d : d);
    }
    return count > 0 ? sum * SIXTEENTHS / count : 0;
}

/* How far now lies from half-way between the two. */
static uint64_t bend(const struct gm_luma *before, const struct gm_luma *now,
                     const struct gm_luma *after)
{
    size_t count = (size_t)now->width_px * now->height_px;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        int d = 2 * now->data[i] - before->data[i] - after->data[i];
        sum += (uint64_t)(d < 0 ? -d : d);
    }
    return count > 0 ? sum * SIXTEENTHS / 2 / count : 0;
}

uint32_t gm_score_settle(uint32_t score, const struct gm_luma *before, const struct gm_luma *now,
                         const struct gm_luma *after)
{
    uint64_t in = before != NULL ? difference(before, now) : UINT64_MAX;
    uint64_t out = after != NULL ? difference(now, after) : UINT64_MAX;
    uint64_t motion = in < out ? in : out;
    uint64_t settled = score;
    if (motion == UINT64_MAX) {
        return score;
    }
    settled = settled * STILL * SIXTEENTHS / (STILL * SIXTEENTHS + motion);
    if (before != NULL && after != NULL) {
        uint64_t across = difference(before, after);
        if (motion > 2 * across + 4 * SIXTEENTHS) {
            settled /= FLASH_COST;
        }
        if (across > 6 * SIXTEENTHS && bend(before, now, after) * 4 < across) {
            settled /= FADE_COST;
        }
    }
    return (uint32_t)settled;
}

uint32_t gm_score_place(uint32_t score, int64_t at, int64_t length)
{
    __int128 x = at;
    if (x * 20 < length || x * 20 > (__int128)length * 19) {
        return score / 2;
    }
    if (x * 3 < length || x * 3 > (__int128)length * 2) {
        return score / 4 * 3 + score % 4 * 3 / 4;
    }
    return score;
}
