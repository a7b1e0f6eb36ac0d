#ifndef GM_MEDIA_IMAGES_SCORE_H
#define GM_MEDIA_IMAGES_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How well a picture would do as a poster, from luma alone. Pure integers: the same on every
 * machine. Three factors: what the picture shows (gm_score), what happens around it
 * (gm_score_settle), and where in the programme it lies (gm_score_place).
 */

/* A luma plane, full or limited range, 8 bits: width_px samples a row, rows without gaps. */
struct gm_luma {
    uint8_t *data; /* owned */
    uint32_t width_px, height_px;
};
#define GM_LUMA_SIDE 640 /* the longer side of one, at most */

void gm_luma_fini(struct gm_luma *luma);
/* Makes *out (its memory is used again) of a plane: blocks of n x n samples are averaged, n being
 * the least that keeps the longer side within GM_LUMA_SIDE.
 * plane:     height_px rows, stride bytes apart; bit_depth 8: a byte a sample; 9..16: two, low
 * first Returns false when memory ran out. */
bool gm_luma_take(struct gm_luma *out, const uint8_t *plane, size_t stride, uint32_t width_px,
                  uint32_t height_px, unsigned bit_depth);

/* Detail all over the picture, well lit. 0..GM_SCORE_MAX: higher is better.
 *   Each block of 16x16 samples gives e * K / (e + K), e being the mean of dx^2 + dy^2 over it and
 *   K 400: so that text on black or a single edge does not beat a picture that is sharp all over.
 *   The score is the mean of the blocks, times 256, and less
 *   - for variance below 100 (black, white, flat, fades): a 64th
 *   - for a mean below 48: times mean / 48; above 208: times (255 - mean) / 47
 *   - where more than 90 % of samples are below 40, or above 225: an 8th.
 * Pictures below 2x2 score 0. */
#define GM_SCORE_MAX (400u * 256u)
uint32_t gm_score(const struct gm_luma *luma);

/* score of `now`, less what the pictures 0.2 s before and after it tell. Either may be NULL: there
 * is none; all are of one size.
 *   With d(a,b) the mean absolute difference of two pictures:
 *   - motion, which blurs: times 8 / (8 + m), m being the smaller of d(before,now) and
 * d(now,after); next to a cut one of them is small
 *   - a flash: d(before,now) and d(now,after) both above 2 * d(before,after) + 4: an 8th
 *   - a cross-fade or a fade: d(before,after) above 6, and now lies half-way between them, that is,
 *     the mean of |2 now - before - after| / 2 is below a quarter of it: an 8th. */
uint32_t gm_score_settle(uint32_t score, const struct gm_luma *before, const struct gm_luma *now,
                         const struct gm_luma *after);

/* In the middle third of the programme: unchanged; in its first and last twentieth, where titles
 * and credits are: a half; elsewhere three quarters. at: 0..length, one unit for both. */
uint32_t gm_score_place(uint32_t score, int64_t at, int64_t length);

#endif
