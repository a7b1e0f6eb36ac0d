#ifndef GM_MEDIA_SCORE_H
#define GM_MEDIA_SCORE_H

#include <stddef.h>
#include <stdint.h>

/* How well a picture would do as a poster, from its luma alone: sharp and evenly lit pictures score
 * high; black, near-uniform, very dark and very bright ones low. Pure integers: the same on every
 * machine.
 *
 * luma:   height_px rows of width_px samples, full range 0..255
 * stride: bytes, >= width_px
 * Returns 0 .. 2^32: higher is better; 0 for pictures below 2x2. */
uint64_t gm_score(const uint8_t *luma, size_t stride, uint32_t width_px, uint32_t height_px);

#endif
