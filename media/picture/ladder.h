#ifndef GM_MEDIA_PICTURE_LADDER_H
#define GM_MEDIA_PICTURE_LADDER_H

#include "media/av.h"
#include "proto/ladder.h"

/* Which sizes a source is made in, and how many bits they may take. Pure.
 *
 * A rung names the short side of the picture as shown: upright and with square pixels. None is
 * larger than the source's; a source below all rungs gets one of its own size. The long side
 * follows from the source's exact ratio, rounded to the nearest even number.
 */
struct gm_rung {
    uint32_t width_px, height_px; /* even */
    uint32_t short_side;
    int64_t maxrate_bps; /* before EncodeParams.maxrate_scale */
};
/* sides: short sides in px, any order, doubles and 0 ignored. fps: picks the caps for fast
 * pictures. out: GM_LADDER_MAX rungs, largest first; at least one. Errors: INVAL (no size),
 * LIMIT (more than GM_LADDER_MAX sides). */
int gm_ladder_make(const Gm__VideoFacts *video, const uint32_t *sides, size_t count, AVRational fps,
                   struct gm_rung *out, size_t *out_count, struct gm_err *err) GM_MUST_CHECK;
/* Height (even, at least 2) of a picture of that width in the source's shape. */
uint32_t gm_ladder_height_for(const Gm__VideoFacts *video, uint32_t width);
/* Cap in bit/s for that many pixels a frame. */
int64_t gm_ladder_rate(uint64_t pixels, AVRational fps);

#endif
