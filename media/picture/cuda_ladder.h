#ifndef GM_MEDIA_PICTURE_CUDA_LADDER_H
#define GM_MEDIA_PICTURE_CUDA_LADDER_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "kernels/gpu.h"
#include "kernels/kernels.h"
#include "media.pb-c.h"

/* Pictures of all renditions by the kernel `ladder` on an NVIDIA GPU, crop, turn and watermarks
 * with it, and there they stay, for its encoders. Policy.scaler says that a plan scales so
 * (docs/adr/0025): then every picture that is as the source's facts say goes this way, also those
 * that software decoded, since the kernel's bits are its own. The kernel counts in whole numbers:
 * the bits are the same on every device. Thread: one at a time.
 *
 * Errors of all: NOMEM; DEVICE_ABSENT, DEVICE_DRIVER, DEVICE_MEMORY, DEVICE_BUSY, DEVICE_LOST. */
struct gm_cuda_ladder; /* opaque */

/* The plan maps the light before (GM_CUDA_TONED). */
bool gm_cuda_ladder_is_toned(const Gm__Policy *policy);
/* What the kernel is asked for: everything but the watermarks. facts: 4:2:0 in 8 or 10 bits; where
 * the policy's scaler maps the light the depth is that of mapped pictures. Errors: INVAL what it
 * does not make. */
int gm_cuda_ladder_params(const Gm__VideoFacts *facts, const Gm__Policy *policy,
                          struct gm_ladder_params *out, struct gm_err *err) GM_MUST_CHECK;
/* Loads the kernels on a device (of gm_hw_open), and compares a few small pictures with the
 * reference (kernels/proof.h; of 10 bits also media/picture/cuda_tone.h). Errors: MEDIA_VERIFY
 * (other bits). */
int gm_cuda_ladder_prove(const AVBufferRef *device, bool deep, struct gm_err *err) GM_MUST_CHECK;
/* And a picture of noise through a job's own ladder, whose policy has a scaler. Errors: the same,
 * those of params. */
int gm_cuda_ladder_try(const AVBufferRef *device, const Gm__VideoFacts *facts,
                       const Gm__Policy *policy, struct gm_err *err) GM_MUST_CHECK;

/* policy (whose scaler is this one), pipeline (for the images of watermarks): borrowed for its
 * life; facts: for the call; device: of gm_hw_open, referenced. Proves the kernels first.
 * Errors: MEDIA_VERIFY as above; BUG another build's scaler; INVAL, CONFIG, BAD_IMAGE, MEDIA. */
int gm_cuda_ladder_create(const Gm__Policy *policy, const Gm__VideoFacts *facts,
                          const Gm__Pipeline *pipeline, AVBufferRef *device,
                          struct gm_cuda_ladder **out, struct gm_err *err) GM_MUST_CHECK;
void gm_cuda_ladder_destroy(struct gm_cuda_ladder **ladder);
/* Whether a decoded picture, in memory or on the device, is one for it: of the facts' size, format,
 * shape and colour. *out_why: NULL, or a static half sentence: it is libavfilter's, on every
 * device. */
int gm_cuda_ladder_look(const struct gm_cuda_ladder *ladder, const AVFrame *picture,
                        const char **out_why, struct gm_err *err) GM_MUST_CHECK;
/* Makes every rendition's picture, shown at pts (Policy.timescale), of one that look took. When
 * this returns they are done. picture: borrowed for the call. */
int gm_cuda_ladder_push(struct gm_cuda_ladder *ladder, const AVFrame *picture, int64_t pts,
                        struct gm_err *err) GM_MUST_CHECK;
/* A rendition's picture that libavfilter made in memory, in its size and format, as the one that
 * get gives. */
int gm_cuda_ladder_lift(struct gm_cuda_ladder *ladder, size_t rendition, const AVFrame *picture,
                        struct gm_err *err) GM_MUST_CHECK;
/* A rendition's (media/device/cuda_picture.h), with its colour tags; borrowed until the next push
 * or lift, its samples as long as a reference to it lives. */
AVFrame *gm_cuda_ladder_get(struct gm_cuda_ladder *ladder, size_t rendition);
/* What it takes of the source's pictures, and where; borrowed. */
const struct gm_ladder_params *gm_cuda_ladder_what(const struct gm_cuda_ladder *ladder);
struct gm_gpu *gm_cuda_ladder_gpu(struct gm_cuda_ladder *ladder);
/* Where a rendition's pictures come from (an AVHWFramesContext), for its encoder; borrowed. */
AVBufferRef *gm_cuda_ladder_pool(struct gm_cuda_ladder *ladder, size_t rendition);

#endif
