#ifndef GM_MEDIA_PICTURE_SDR_H
#define GM_MEDIA_PICTURE_SDR_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "media.pb-c.h"
#include "media/picture/tonemap.h"

/* Pictures in SDR: those that are HDR, of wide gamut or of a matrix that players don't know go
 * through a colour table (media/picture/tonemap.h), all others pass as they are. A table is made
 * when the first picture of its kind comes; its numbers come from the plan, never from the
 * pictures. Mapping costs as much as scaling: pixels that no rendition has are not mapped. Thread:
 * one at a time. */
struct gm_sdr; /* opaque */

struct gm_sdr_params {
    const Gm__ToneMap *map;       /* the programme's, borrowed for the call; NULL: the plan expects
                                     nothing       to map, what comes nevertheless has GM_TONEMAP_PEAK */
    bool deep;                    /* mapped pictures have 10 bits, else 8 */
    uint32_t width_px, height_px; /* what has more pixels is scaled to this first; 0: nothing is */
    uint32_t timescale;           /* ticks a second */
};
/* The table for pictures of a colour. map: as above. Pure. */
struct gm_tonemap_params gm_sdr_table(const Gm__ToneMap *map, struct gm_colour colour);
/* Errors: NOMEM. */
int gm_sdr_create(const struct gm_sdr_params *params, struct gm_sdr **out,
                  struct gm_err *err) GM_MUST_CHECK;
void gm_sdr_destroy(struct gm_sdr **sdr);
/* picture: with all colour tags (gm_colour_tag), borrowed. *out: the picture itself, or the mapped
 * one (4:2:0, BT.709, same shape and time stamp), borrowed until the next push.
 * Errors: MEDIA, NOMEM. */
int gm_sdr_push(struct gm_sdr *sdr, const AVFrame *picture, int64_t pts, const AVFrame **out,
                struct gm_err *err) GM_MUST_CHECK;

#endif
