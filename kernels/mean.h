#ifndef GM_KERNELS_MEAN_H
#define GM_KERNELS_MEAN_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* What `sprite` computes, on the CPU: a plane made small (or large), each sample the mean of the
 * area that it covers, summed in whole numbers and rounded once. The kernel's bits, at the pace of
 * memory; of any depth. Thread: any. */
struct gm_mean {
    uint32_t in_width, in_height;   /* samples, 1..GM_MEAN_SIDE_MAX */
    uint32_t out_width, out_height; /* likewise */
    unsigned in_bits, out_bits;     /* 8..16. 8: a byte a sample, more: two, low first */
};
#define GM_MEAN_SIDE_MAX 65535u

/* in, out: that many rows, strides bytes apart. Errors: INVAL (sides, depths), NOMEM. */
int gm_mean_plane(const struct gm_mean *mean, const uint8_t *in, ptrdiff_t in_stride, uint8_t *out,
                  ptrdiff_t out_stride, struct gm_err *err) GM_MUST_CHECK;

#endif
