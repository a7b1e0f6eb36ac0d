#ifndef GM_PROTO_LADDER_H
#define GM_PROTO_LADDER_H

#include <stddef.h>
#include <stdint.h>

#include "media.pb-c.h"

/* Which rungs of a ladder a source gets: the plan makes them, and the scheduler counts them before.
 * Pure; any thread. */
#define GM_LADDER_MAX 16
#define GM_LADDER_MAX_SIDE 16384 /* of an output, px */

/* The picture as shown, in exact parts: width num / den, height likewise (den is shared). */
struct gm_ladder_shape {
    int64_t width, height, den;
};
struct gm_ladder_shape gm_ladder_shape(const Gm__VideoFacts *video);
/* The short sides that the source gets: even, largest first, each once, none larger than its own.
 * sides: px, any order, doubles and 0 ignored; those behind the first GM_LADDER_MAX are not looked
 * at. Returns their number; 0: none fits (the plan makes one of the source's size), or the source
 * has no size. */
size_t gm_ladder_sides(const Gm__VideoFacts *video, const uint32_t *sides, size_t count,
                       uint32_t out[GM_LADDER_MAX]);

#endif
