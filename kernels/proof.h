#ifndef GM_KERNELS_PROOF_H
#define GM_KERNELS_PROOF_H

#include "kernels/gpu.h"

/* Whether a GPU's `ladder` gives the bits of kernels/reference.h: noise in a few sizes - larger,
 * smaller and as it was, cropped and turned, with a watermark - byte for byte, with what surrounds
 * the pictures. Some milliseconds. What jobs depend on is tried before each; all sizes and all
 * kernels: hwtest/battery.h. deep: of the source, 10 bits or 8.
 * Errors: MEDIA_VERIFY (other bits), of kernels/gpu.h, NOMEM. Thread: one. */
int gm_gpu_prove_ladder(struct gm_gpu *gpu, bool deep, struct gm_err *err) GM_MUST_CHECK;
/* The same of `sprite` and `score`: noise made small and turned, and counted with what is around
 * it. */
int gm_gpu_prove_small(struct gm_gpu *gpu, bool deep, struct gm_err *err) GM_MUST_CHECK;
/* The same as the first, of a picture of noise through a job's own ladder, without marks, against
 * the kernel's CPU build: tiles, strides and shared memory of large pictures. params: as
 * gm_ladder_create takes them. Some 0.2 s for 1080p, and memory for twice all pictures. */
int gm_gpu_prove_ladder_of(struct gm_gpu *gpu, const struct gm_ladder_params *params,
                           struct gm_err *err) GM_MUST_CHECK;

#endif
