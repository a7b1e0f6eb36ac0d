#ifndef GM_MEDIA_PICTURE_GRAPHICS_H
#define GM_MEDIA_PICTURE_GRAPHICS_H

#include "media/picture/colour.h"

/* Colours that do not come from the source (backgrounds, watermarks), given in sRGB, as signals of
 * a picture: in SDR as they are, in HDR as light that has white at 203 cd/m2 (BT.2408). Exact on
 * every machine. Thread: any. */
struct gm_graphics; /* opaque: tables */

/* Errors: NOMEM. */
int gm_graphics_create(struct gm_colour picture, struct gm_graphics **out,
                       struct gm_err *err) GM_MUST_CHECK;
void gm_graphics_destroy(struct gm_graphics **graphics);
/* rgb: sRGB codes, 0..255. out: R', G', B' of the picture, 0..1. */
void gm_graphics_rgb(const struct gm_graphics *graphics, const uint8_t rgb[3], double out[3]);
/* R'G'B' as codes of the picture's format: its components in their order (R, G, B; or Y, Cb, Cr; or
 * Y alone), in its matrix and range. */
void gm_graphics_codes(struct gm_colour picture, enum AVPixelFormat format, const double rgb[3],
                       uint32_t out[3]);

#endif
