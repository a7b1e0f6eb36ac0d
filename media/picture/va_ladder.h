#ifndef GM_MEDIA_PICTURE_VA_LADDER_H
#define GM_MEDIA_PICTURE_VA_LADDER_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "common/hash.h"
#include "kernels/kernels.h"
#include "media.pb-c.h"

/* Pictures of all renditions by the video processor of a VA driver, and there they stay, for its
 * encoders. Policy.scaler says that a plan scales so (docs/adr/0036): then every picture that is as
 * the source's facts say goes this way, in the renditions' and the source's own size, also those
 * that software decoded, since the bits are the driver's own. It scales, and does nothing else
 * (GM_VA_LADDER: kernels/kernels.h). Thread: one at a time.
 *
 * Errors of all: NOMEM; DEVICE_DRIVER, DEVICE_MEMORY, DEVICE_BUSY, DEVICE_LOST. */

struct gm_va_ladder; /* opaque */

/* policy (whose scaler is this one): its renditions have the source's depth and colour, no
 * watermark and no parent; facts: 4:2:0 in 8 or 10 bits, even sides, no crop and no turn; both for
 * the call. device: of gm_vaapi_open, referenced. Proves each rendition's scaler first
 * (media/picture/va_proof.h), and that they give Policy.scaler_bits where it has some. Errors:
 * MEDIA_VERIFY as there; MEDIA other bits; PIPELINE_UNFIT the driver has no video processor, or
 * none for a size; BUG another build's scaler. */
int gm_va_ladder_create(const Gm__Policy *policy, const Gm__VideoFacts *facts, AVBufferRef *device,
                        struct gm_va_ladder **out, struct gm_err *err) GM_MUST_CHECK;
void gm_va_ladder_destroy(struct gm_va_ladder **ladder);
/* Takes the surfaces that the renditions of a run have at once, which stay in their pools: before
 * its decoder opens, which takes what is left and can do with less. */
int gm_va_ladder_fill(struct gm_va_ladder *ladder, struct gm_err *err) GM_MUST_CHECK;
/* The same proof for three sizes of 640x360, which stand for all: *out is how this driver scales,
 * the same for each that gives the same bits of them. bits: 8 or 10. Errors: as
 * gm_va_ladder_create. */
int gm_va_ladder_prove(AVBufferRef *device, unsigned bits, uint8_t out[GM_SHA256_SIZE],
                       struct gm_err *err) GM_MUST_CHECK;
/* For Policy.scaler_bits: GM_SHA256_SIZE bytes; borrowed. */
const uint8_t *gm_va_ladder_bits(const struct gm_va_ladder *ladder);
/* As gm_cuda_ladder_look. */
int gm_va_ladder_look(const struct gm_va_ladder *ladder, const AVFrame *picture,
                      const char **out_why, struct gm_err *err) GM_MUST_CHECK;
/* Makes every rendition's picture, shown at pts, of one that look took, in memory or in a surface
 * of the same device. When this returns they are done. picture: borrowed for the call.
 * Errors: BUG a surface of another device. */
int gm_va_ladder_push(struct gm_va_ladder *ladder, const AVFrame *picture, int64_t pts,
                      struct gm_err *err) GM_MUST_CHECK;
/* As gm_cuda_ladder_lift. */
int gm_va_ladder_lift(struct gm_va_ladder *ladder, size_t rendition, const AVFrame *picture,
                      struct gm_err *err) GM_MUST_CHECK;
/* A rendition's (media/device/va_picture.h), with its colour tags; borrowed until the next push or
 * lift, its samples as long as a reference to it lives. */
AVFrame *gm_va_ladder_get(struct gm_va_ladder *ladder, size_t rendition);
/* Where a rendition's pictures come from (an AVHWFramesContext), for its encoder; borrowed. */
AVBufferRef *gm_va_ladder_pool(struct gm_va_ladder *ladder, size_t rendition);

#endif
