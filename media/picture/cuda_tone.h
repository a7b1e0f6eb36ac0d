#ifndef GM_MEDIA_CUDA_TONE_H
#define GM_MEDIA_CUDA_TONE_H

#include "kernels/gpu.h"
#include "media/picture/tonemap.h"

/* Pictures in an NVIDIA GPU's memory from HDR or wide gamut to SDR, by the kernel `tone`: the bits
 * of gm_tonemap_apply on the same picture, with the same table (ADR-0008, ADR-0033).
 *
 * Thread: one at a time. Errors of all: NOMEM; DEVICE_ABSENT, DEVICE_DRIVER, DEVICE_MEMORY,
 * DEVICE_BUSY, DEVICE_LOST. */
struct gm_cuda_tone; /* opaque */

/* What comes: P010 of that size, chroma on the left. What goes out: P010 where deep, else NV12. */
struct gm_cuda_tone_params {
    struct gm_tonemap_params map;
    uint32_t width_px, height_px;
    bool deep;
};

/* gpu: borrowed for its life. The table takes 0.1 s to make. A small picture of noise is mapped
 * first, and compared with what the processor makes of it. Errors: MEDIA_VERIFY (other bits);
 * INVAL (as gm_tonemap_create, sizes). */
int gm_cuda_tone_create(struct gm_gpu *gpu, const struct gm_cuda_tone_params *params,
                        struct gm_cuda_tone **out, struct gm_err *err) GM_MUST_CHECK;
void gm_cuda_tone_destroy(struct gm_cuda_tone **tone);
/* The same, of a table of PQ, as a trial of the device alone. */
int gm_cuda_tone_prove(struct gm_gpu *gpu, struct gm_err *err) GM_MUST_CHECK;

/* Queues the mapping of a picture. *out: where the mapped one lies when the stream has come there,
 * until the next push. */
int gm_cuda_tone_push(struct gm_cuda_tone *tone, struct gm_gpu_stream *stream,
                      const struct gm_surface *in, struct gm_surface *out,
                      struct gm_err *err) GM_MUST_CHECK;

#endif
