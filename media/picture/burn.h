#ifndef GM_MEDIA_PICTURE_BURN_H
#define GM_MEDIA_PICTURE_BURN_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "media.pb-c.h"

/* Subtitles drawn over a chunk's pictures (ChunkHeader.burn), at the source's size, before the
 * ladder: so they are alike in every rendition. Integer arithmetic alone: the same on every
 * processor. Thread: one at a time. */
struct gm_burn; /* opaque */

/* Whether pictures of that format (libavutil's name) can be drawn on: planar Y'CbCr or grey. */
bool gm_burn_can(const char *pixel_format);

int gm_burn_create(struct gm_burn **out, struct gm_err *err) GM_MUST_CHECK;
void gm_burn_destroy(struct gm_burn **b);
/* A chunk begins. header: borrowed until the next start. Errors: MEDIA_CHUNK (malformed), NOMEM. */
int gm_burn_start(struct gm_burn *b, const Gm__ChunkHeader *header,
                  struct gm_err *err) GM_MUST_CHECK;
/* The picture shown at ts (Policy.timescale) with its subtitles: *out is `picture` itself where
 * there are none, else a copy with its properties, borrowed until the next call. Errors: NOMEM,
 * MEDIA (a format that can't be drawn on). */
int gm_burn_picture(struct gm_burn *b, const AVFrame *picture, int64_t ts, const AVFrame **out,
                    struct gm_err *err) GM_MUST_CHECK;

/* Inside: a subtitle in the picture's pixels. */
struct gm_burn_layer {
    uint32_t x, y, width, height; /* lies inside of the picture */
    uint8_t *rgba;                /* owned; 4 bytes a pixel, not premultiplied */
};
/* A rectangle of `p`, whose pixels are `indexes`, for a picture of that size. A canvas of
 * another size is scaled until it covers the picture, their middles at one point; what would then
 * lie outside, as under a film without its black bars, is moved inside. out->rgba NULL: nothing of
 * it can be seen. Errors: NOMEM. */
int gm_burn_place(const Gm__BurnPicture *p, const Gm__BurnRect *rect, const uint8_t *indexes,
                  uint32_t width, uint32_t height, struct gm_burn_layer *out,
                  struct gm_err *err) GM_MUST_CHECK;
/* frame: writable, of a format that gm_burn_can. */
void gm_burn_blend(const struct gm_burn_layer *layer, AVFrame *frame);

#endif
