#ifndef GM_MEDIA_CUDA_SMALL_H
#define GM_MEDIA_CUDA_SMALL_H

#include <libavutil/frame.h>

#include "kernels/gpu.h"
#include "media/picture/score.h"

/* Small pictures of those that lie in an NVIDIA GPU's memory, made there (the kernel `sprite`),
 * crop and turn with them, and what is counted of three such (the kernel `score`): so that images
 * need a whole picture in memory for a poster alone. The bits are those of media/picture/shrink.h
 * on the upright picture and of gm_score_count. When a call returns what it began is done.
 *
 * Thread: one at a time. Errors of all: DEVICE_DRIVER, DEVICE_MEMORY, DEVICE_BUSY, DEVICE_LOST,
 * NOMEM. */
struct gm_cuda_small; /* opaque */

/* gpu: borrowed for its life; what: of the source's pictures: size, depth, crop and turn;
 * look: size of what is scored: even. Device memory is taken when it is first needed. */
int gm_cuda_small_create(struct gm_gpu *gpu, const struct gm_ladder_params *what,
                         struct gm_score_size look, struct gm_cuda_small **out,
                         struct gm_err *err) GM_MUST_CHECK;
void gm_cuda_small_destroy(struct gm_cuda_small **small);

/* picture: on the device, as decoded (gm_cuda_ladder_look took it). *out: in memory, yuv420p, or
 * yuv420p10le where deep is asked for, its colour tags the picture's; owned. width, height: even.
 * Errors: INVAL. */
int gm_cuda_small_make(struct gm_cuda_small *small, const AVFrame *picture, uint32_t width_px,
                       uint32_t height_px, bool deep, AVFrame **out,
                       struct gm_err *err) GM_MUST_CHECK;

/* The three places of what is scored: before, now, after. look: of a picture on the device; put: of
 * luma in memory, of that size. */
#define GM_CUDA_SMALL_LOOKS 3
int gm_cuda_small_look(struct gm_cuda_small *small, unsigned place, const AVFrame *picture,
                       struct gm_err *err) GM_MUST_CHECK;
int gm_cuda_small_put(struct gm_cuda_small *small, unsigned place, struct gm_luma luma,
                      struct gm_err *err) GM_MUST_CHECK;
/* Of places 1 and, as around says, 0 and 2, which were filled. */
int gm_cuda_small_count(struct gm_cuda_small *small, struct gm_score_around around,
                        struct gm_score_sums *out, struct gm_err *err) GM_MUST_CHECK;

#endif
