#include "media/score.h"

/* Penalties divide; they add up when several hold. */
#define DARK 40      /* samples below are dark */
#define BRIGHT 225   /* samples above are bright */
#define UNIFORM 100  /* variance below: near-uniform (title cards, black, fades) */
#define MIN_MEAN 48  /* mean luma where a picture begins to look dark */
#define MAX_MEAN 208 /* and where it begins to look washed out */
#define SCALE 256    /* gradient energy has 8 fractional bits */
#define UNIFORM_COST 64
#define EXTREME_COST 8

uint64_t gm_score(const uint8_t *luma, size_t stride, uint32_t width_px, uint32_t height_px)
{
    if (width_px < 2 || height_px < 2) {
        return 0;
    }
    uint64_t energy = 0;
    uint64_t sum = 0;
    uint64_t squares = 0;
    uint64_t dark = 0;
    uint64_t bright = 0;
    uint64_t count = (uint64_t)(width_px - 1) * (height_px - 1);
    for (uint32_t y = 0; y + 1 < height_px; y++) {
        const uint8_t *row = luma + (size_t)y * stride;
        const uint8_t *below = row + stride;
        for (uint32_t x = 0; x + 1 < width_px; x++) {
            int v = row[x];
            int dx = row[x + 1] - v;
            int dy = below[x] - v;
            energy += (uint64_t)(dx * dx + dy * dy);
            sum += (uint64_t)v;
            squares += (uint64_t)(v * v);
            dark += v < DARK ? 1 : 0;
            bright += v > BRIGHT ? 1 : 0;
        }
    }
    uint64_t mean = sum / count;
    unsigned __int128 spread = (unsigned __int128)squares * count - (unsigned __int128)sum * sum;
    uint64_t variance = (uint64_t)(spread / count / count);
    uint64_t score = energy * SCALE / count;
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
