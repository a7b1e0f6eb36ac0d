#ifndef GM_HWTEST_COUNTER_H
#define GM_HWTEST_COUNTER_H

#include <libavutil/frame.h>

#include "kernels/gpu.h"

/* How like pictures on an NVIDIA GPU are to others, counted there by the kernel `compare`
 * (docs/kernels.md); the same of memory by what stands for the kernel in plain C
 * (kernels/reference.h), which must give the same sums. Thread: one at a time. */
struct gm_hwtest_counter; /* opaque */

/* gpu: borrowed for its life. Errors: those of kernels/gpu.h; NOMEM. */
int gm_hwtest_counter_create(struct gm_gpu *gpu, struct gm_hwtest_counter **out,
                             struct gm_err *err) GM_MUST_CHECK;
void gm_hwtest_counter_destroy(struct gm_hwtest_counter **counter);
/* there: a picture of the GPU, of here's size and depth, done; here: planar 4:2:0 in memory, of 8
 * or 10 bits, sides of GM_COMPARE_SIDE_MIN at least. Errors: likewise; INVAL. */
int gm_hwtest_counter_there(struct gm_hwtest_counter *counter, const struct gm_surface *there,
                            const AVFrame *here, struct gm_likeness *out,
                            struct gm_err *err) GM_MUST_CHECK;
/* Of two in memory. Errors: NOMEM, INVAL. */
int gm_hwtest_counter_here(const AVFrame *a, const AVFrame *b, struct gm_likeness *out,
                           struct gm_err *err) GM_MUST_CHECK;
/* PSNR of all planes together, dB, at most 100, of sums over so many pictures (1 or more). Pure. */
double gm_hwtest_counter_psnr(const struct gm_likeness *sums, uint32_t width_px, uint32_t height_px,
                              bool deep, uint32_t pictures);

#endif
