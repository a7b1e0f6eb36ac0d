#include "media/picture/score.h"

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

static uint32_t apart(const uint8_t *a, const uint8_t *b, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        int d = a[i] - b[i];
        sum += (uint32_t)(d < 0 ? -d : d);
    }
    return sum;
}

static uint32_t bend(const uint8_t *before, const uint8_t *now, const uint8_t *after,
                     uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        int d = 2 * now[i] - before[i] - after[i];
        sum += (uint32_t)(d < 0 ? -d : d);
    }
    return sum;
}

static const uint8_t *row_of(struct gm_luma l, uint32_t y)
{
    return l.samples + (ptrdiff_t)y * l.stride;
}

static void count_around(struct gm_score_size size, struct gm_luma before, struct gm_luma now,
                         struct gm_luma after, struct gm_score_sums *s)
{
    for (uint32_t y = 0; y < size.height_px; y++) {
        const uint8_t *row = row_of(now, y);
        if (before.samples != NULL) {
            s->in += apart(row, row_of(before, y), size.width_px);
        }
        if (after.samples != NULL) {
            s->out += apart(row, row_of(after, y), size.width_px);
        }
        if (before.samples != NULL && after.samples != NULL) {
            s->across += apart(row_of(before, y), row_of(after, y), size.width_px);
            s->bend += bend(row_of(before, y), row, row_of(after, y), size.width_px);
        }
    }
}

/* Sum of the squared gradients of w x h samples; they look one sample to the right and down. */
static uint64_t energy(const uint8_t *at, ptrdiff_t stride, uint32_t w, uint32_t h,
                       uint32_t histogram[GM_SCORE_BINS])
{
    uint32_t sum = 0; /* 16 x 16 of 2 x 255^2 at most */
    for (uint32_t y = 0; y < h; y++, at += stride) {
        for (uint32_t x = 0; x < w; x++) {
            int dx = at[x + 1] - at[x];
            int dy = at[stride + (ptrdiff_t)x] - at[x];
            sum += (uint32_t)(dx * dx + dy * dy);
            histogram[at[x]]++;
        }
    }
    return sum;
}

void gm_score_count(struct gm_score_size size, struct gm_luma before, struct gm_luma now,
                    struct gm_luma after, struct gm_score_sums *out)
{
    struct gm_score_sums s = {0};
    uint32_t w = size.width_px - 1, h = size.height_px - 1; /* what has a gradient */
    for (uint32_t y = 0; y < h; y += GM_SCORE_BLOCK) {
        for (uint32_t x = 0; x < w; x += GM_SCORE_BLOCK) {
            uint32_t bw = w - x < GM_SCORE_BLOCK ? w - x : GM_SCORE_BLOCK;
            uint32_t bh = h - y < GM_SCORE_BLOCK ? h - y : GM_SCORE_BLOCK;
            uint64_t e = energy(row_of(now, y) + x, now.stride, bw, bh, s.histogram) / (bw * bh);
            s.detail += e * GM_SCORE_ENOUGH * 256 / (e + GM_SCORE_ENOUGH);
        }
    }
    count_around(size, before, now, after, &s);
    *out = s;
}

static uint64_t weigh_light(uint64_t score, const uint32_t histogram[GM_SCORE_BINS], uint64_t count)
{
    uint64_t sum = 0, squares = 0, dark = 0, bright = 0;
    for (uint64_t v = 0; v < GM_SCORE_BINS; v++) {
        sum += v * histogram[v];
        squares += v * v * histogram[v];
        dark += v < DARK ? histogram[v] : 0;
        bright += v > BRIGHT ? histogram[v] : 0;
    }
    uint64_t mean = sum / count;
    uint64_t variance = (squares * count - sum * sum) / count / count;
    if (variance < UNIFORM) {
        score /= UNIFORM_COST;
    }
    if (mean < MIN_MEAN) {
        score = score * mean / MIN_MEAN;
    }
    if (mean > MAX_MEAN) {
        score = score * (255 - mean) / (255 - MAX_MEAN);
    }
    if (dark * 10 > count * 9 || bright * 10 > count * 9) {
        score /= EXTREME_COST;
    }
    return score;
}

uint32_t gm_score(struct gm_score_size size, const struct gm_score_sums *sums)
{
    uint64_t w = size.width_px - 1, h = size.height_px - 1;
    uint64_t blocks =
        (w + GM_SCORE_BLOCK - 1) / GM_SCORE_BLOCK * ((h + GM_SCORE_BLOCK - 1) / GM_SCORE_BLOCK);
    return (uint32_t)weigh_light(sums->detail / blocks, sums->histogram, w * h);
}

uint32_t gm_score_settle(uint32_t score, struct gm_score_size size, struct gm_score_around around,
                         const struct gm_score_sums *sums)
{
    uint64_t count = (uint64_t)size.width_px * size.height_px;
    uint64_t in = around.before ? sums->in * SIXTEENTHS / count : UINT64_MAX;
    uint64_t out = around.after ? sums->out * SIXTEENTHS / count : UINT64_MAX;
    uint64_t motion = in < out ? in : out;
    uint64_t settled = score;
    if (motion == UINT64_MAX) {
        return score;
    }
    settled = settled * STILL * SIXTEENTHS / (STILL * SIXTEENTHS + motion);
    if (around.before && around.after) {
        uint64_t across = sums->across * SIXTEENTHS / count;
        if (motion > 2 * across + 4 * SIXTEENTHS) {
            settled /= FLASH_COST;
        }
        if (across > 6 * SIXTEENTHS && sums->bend * SIXTEENTHS / 2 / count * 4 < across) {
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
