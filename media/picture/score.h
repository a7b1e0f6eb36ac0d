#ifndef GM_MEDIA_IMAGES_SCORE_H
#define GM_MEDIA_IMAGES_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/args.h"

/* How well a picture would do as a poster, from luma alone. Pure integers: the same on every
 * machine. Three factors: what the picture shows (gm_score), what happens around it
 * (gm_score_settle), and where in the programme it lies (gm_score_place). The first two weigh sums
 * over all samples, which the processor counts (gm_score_count) or a GPU (the kernel `score`): the
 * same sums. */

/* A luma plane, full or limited range, 8 bits. */
struct gm_luma {
    const uint8_t *samples; /* borrowed; NULL: there is no such picture */
    ptrdiff_t stride;       /* bytes */
};
struct gm_score_size {
    uint32_t width_px, height_px; /* 2..16384 */
};

/* The kernel's sums, by the processor. before, after: samples NULL where there is none; all of one
 * size. */
void gm_score_count(struct gm_score_size size, struct gm_luma before, struct gm_luma now,
                    struct gm_luma after, struct gm_score_sums *out);

/* Detail all over the picture, well lit. 0..GM_SCORE_MAX: higher is better.
 *   Each block of 16x16 samples gives e * K / (e + K), e being the mean of dx^2 + dy^2 over it and
 *   K 400: so that text on black or a single edge does not beat a picture that is sharp all over.
 *   The score is the mean of the blocks, times 256, and less
 *   - for variance below 100 (black, white, flat, fades): a 64th
 *   - for a mean below 48: times mean / 48; above 208: times (255 - mean) / 47
 *   - where more than 90 % of samples are below 40, or above 225: an 8th. */
#define GM_SCORE_MAX (400u * 256u)
uint32_t gm_score(struct gm_score_size size, const struct gm_score_sums *sums);

/* The score of a picture, less what the pictures 0.2 s before and after it tell, where there are
 * such:
 *   With d(a,b) the mean absolute difference of two pictures:
 *   - motion, which blurs: times 8 / (8 + m), m being the smaller of d(before,now) and
 *     d(now,after); next to a cut one of them is small
 *   - a flash: d(before,now) and d(now,after) both above 2 * d(before,after) + 4: an 8th
 *   - a cross-fade or a fade: d(before,after) above 6, and now lies half-way between them, that is,
 *     the mean of |2 now - before - after| / 2 is below a quarter of it: an 8th. */
struct gm_score_around {
    bool before, after; /* there was one when the sums were counted */
};
uint32_t gm_score_settle(uint32_t score, struct gm_score_size size, struct gm_score_around around,
                         const struct gm_score_sums *sums);

/* In the middle third of the programme: unchanged; in its first and last twentieth, where titles
 * and credits are: a half; elsewhere three quarters. at: 0..length, one unit for both. */
uint32_t gm_score_place(uint32_t score, int64_t at, int64_t length);

#endif
