#ifndef GM_MEDIA_PICTURE_SCALER_H
#define GM_MEDIA_PICTURE_SCALER_H

#include <libavutil/frame.h>

#include "media.pb-c.h"
#include "media/picture/colour.h"

/* zimg in place of libswscale where only the size changes and its bits were found to be the same
 * with every instruction set: 8-bit 4:2:0 of even size, limited range, chroma on the left
 * (ADR-0017). */

/* True: the front's pictures, of those facts, become pictures of `format` and `target` by a change
 * of size alone, and this libavfilter has zimg's filter. */
bool gm_scaler_plan(const Gm__VideoFacts *facts, struct gm_colour source, struct gm_colour target,
                    enum AVPixelFormat format);
/* Rendition.quick_filters from a chain of gm_plan_filters, which begins with libswscale's filter:
 * zimg's in its place, or none where the facts have the size already. out: size bytes.
 * Errors: LIMIT. */
int gm_scaler_filters(const Gm__VideoFacts *facts, uint32_t width_px, uint32_t height_px,
                      const char *chain, char *out, size_t size, struct gm_err *err) GM_MUST_CHECK;
/* True: `quick`, such a chain for pictures of that size, does for this picture too; pictures may
 * change in mid-stream. Pure. */
bool gm_scaler_takes(const char *quick, const AVFrame *picture, uint32_t width_px,
                     uint32_t height_px);

#endif
