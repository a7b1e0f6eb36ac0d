#include "kernels/kernels.h"

#define THREADS 256
#define ROWS 16 /* of a block: its sums fit 32 bits at any width */

int gm_score_prepare(uint32_t width_px, uint32_t height_px, bool deep, gm_addr frames,
                     uint32_t pictures, struct gm_score_args *args, struct gm_launch *launch,
                     struct gm_err *err)
{
    if (width_px < GM_SIDE_MIN || width_px > GM_SIDE_MAX || height_px < GM_SIDE_MIN ||
        height_px > GM_SIDE_MAX || pictures < 1 || pictures > GM_PICTURES_MAX || frames == 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "%u pictures of %ux%u are not to be scored", pictures,
                          width_px, height_px);
    }
    *args = (struct gm_score_args){frames, width_px, height_px, deep, ROWS};
    *launch = (struct gm_launch){GM_KERNEL_SCORE, (height_px + ROWS - 1) / ROWS, pictures, THREADS,
                                 GM_SCORE_SHARED_BYTES};
    return 0;
}

int gm_score_check(const struct gm_score_args *args, const struct gm_score_frame *f,
                   struct gm_err *err)
{
    uint32_t row = args->width << (args->deep ? 1 : 0);
    if (f->luma == 0 || f->stride < row || (f->before != 0 && f->before_stride < row) ||
        f->sums == 0 || f->sums % 8 != 0) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "A picture to score has no address or too short rows");
    }
    return 0;
}
