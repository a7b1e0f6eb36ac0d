#ifndef GM_MEDIA_PICTURE_CUDA_MARK_H
#define GM_MEDIA_PICTURE_CUDA_MARK_H

#include "common/err.h"
#include "kernels/kernels.h"
#include "media.pb-c.h"

/* A rendition's watermark as the kernel `ladder` blends it: the same image, of the same size and at
 * the same place as media/picture/graph.h lays over pictures. For media/picture/cuda_ladder.c. */
struct gm_cuda_mark; /* opaque */

/* how, pipeline: borrowed for its life; rendition: for the call.
 * Errors: CONFIG, BAD_IMAGE, MEDIA, NOMEM. */
int gm_cuda_mark_create(const Gm__Watermark *how, const Gm__Rendition *rendition,
                        const Gm__Pipeline *pipeline, struct gm_cuda_mark **out,
                        struct gm_err *err) GM_MUST_CHECK;
void gm_cuda_mark_destroy(struct gm_cuda_mark **mark);
/* As gm_watermark_shows. */
bool gm_cuda_mark_shows(const struct gm_cuda_mark *mark, uint32_t timescale, int64_t pts);
/* Borrowed until destroy. */
const struct gm_ladder_mark *gm_cuda_mark_get(const struct gm_cuda_mark *mark);

#endif
