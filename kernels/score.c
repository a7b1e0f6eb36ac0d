#include "kernels/kernels.h"

#define THREADS 256

int gm_score_prepare(uint32_t width_px, uint32_t height_px, gm_addr frames, uint32_t pictures,
                     struct gm_score_args *args, struct gm_launch *launch, struct gm_err *err)
{
    if (width_px < GM_SIDE_MIN || width_px > GM_SIDE_MAX || height_px < GM_SIDE_MIN ||
        height_px > GM_SIDE_MAX || pictures < 1 || pictures > GM_PICTURES_MAX || frames == 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "%u pictures of %ux%u are not to be scored", pictures,
                          width_px, height_px);
    }
    *args = (struct gm_score_args){frames, width_px, height_px};
    *launch = (struct gm_launch){GM_KERNEL_SCORE, (height_px + GM_SCORE_BLOCK - 1) / GM_SCORE_BLOCK,
                                 pictures, THREADS, GM_SCORE_SHARED_BYTES};
    return 0;
}

int gm_score_check(const struct gm_score_args *args, const struct gm_score_frame *f,
                   struct gm_err *err)
{
    if (f->luma == 0 || f->stride < args->width ||
        (f->before != 0 && f->before_stride < args->width) ||
        (f->after != 0 && f->after_stride < args->width) || f->sums == 0 || f->sums % 8 != 0) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "A picture to score has no address or too short rows");
    }
    return 0;
}
