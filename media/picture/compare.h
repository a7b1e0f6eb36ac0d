#ifndef GM_MEDIA_PICTURE_COMPARE_H
#define GM_MEDIA_PICTURE_COMPARE_H

#include <libavutil/frame.h>

#include "common/err.h"

/* How like two pictures are: SSIM and PSNR, the same numbers on every machine (sums of whole
 * numbers, then double arithmetic in a fixed order). Both as FFmpeg's filters say them for all
 * planes (`All`, and `average` of PSNR). Pure.
 *
 * Source: Wang et al., Image Quality Assessment, IEEE TIP 13 (4), 2004; windows of 8x8 every 4
 * pixels as in libavfilter/vf_ssim.c. */
struct gm_compare { /* sums over pictures; all zero at first */
    double ssim;
    uint64_t pictures;
    uint64_t error; /* squared, all planes */
    uint64_t samples;
    int32_t peak; /* largest sample */
};
/* a, b: the same size and planar YUV format of 8 to 16 bits in samples of the machine's order.
 * Errors: INVAL. */
int gm_compare_add(struct gm_compare *sum, const AVFrame *a, const AVFrame *b,
                   struct gm_err *err) GM_MUST_CHECK;
/* Mean SSIM, at most 1; 0 without pictures. */
double gm_compare_ssim(const struct gm_compare *sum);
/* Mean squared error of a sample whose largest value is 1: what PSNRs are averaged by. */
double gm_compare_mse(const struct gm_compare *sum);
/* Its PSNR, dB, at most 100. */
double gm_compare_psnr(double mse);

#endif
