#ifndef GM_MEDIA_PICTURE_FLATTEN_H
#define GM_MEDIA_PICTURE_FLATTEN_H

#include <stdbool.h>

#include <libavutil/frame.h>

#include "common/err.h"

/* Transparent pictures laid on a colour: straight alpha, blended on the picture's own signals in
 * integers, before anything else is done to it, so that scaling mixes no colour that is not seen.
 */

/* Whether the picture has transparency: a format with alpha, or a palette. */
bool gm_flatten_wants(const AVFrame *picture);
/* picture: with all colour tags (gm_colour_tag); gets pixels of its own, opaque ones of the same
 * format. background: 0xrrggbb in sRGB. Errors: MEDIA (a format of floats), NOMEM. */
int gm_flatten(AVFrame *picture, uint32_t background, struct gm_err *err) GM_MUST_CHECK;
/* "#rrggbb"; anything else is black. */
uint32_t gm_flatten_colour(const char *text);

#endif
