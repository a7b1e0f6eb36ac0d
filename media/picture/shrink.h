#ifndef GM_MEDIA_SHRINK_H
#define GM_MEDIA_SHRINK_H

#include <libavutil/frame.h>

#include "common/err.h"

/* Pictures in memory made small: each sample of each plane is the mean of the area that it covers
 * (kernels/mean.h), so chroma lies in the middle of what it belongs to. What is no planar YUV goes
 * through libswscale first. Thread: one at a time. */
struct gm_shrink; /* opaque */

struct gm_shrink_to {
    uint32_t width_px, height_px; /* even, 2..4096 */
    bool deep;                    /* 10 bits come out, else 8 */
    bool luma;                    /* luma alone */
};

/* Errors: NOMEM. */
int gm_shrink_create(struct gm_shrink **out, struct gm_err *err) GM_MUST_CHECK;
void gm_shrink_destroy(struct gm_shrink **shrink);
/* picture: with all colour tags; borrowed. *out: yuv420p, yuv420p10le or, of luma alone, gray or
 * gray10le, with the picture's colour; owned. Errors: INVAL (sizes), MEDIA, NOMEM. */
int gm_shrink_picture(struct gm_shrink *shrink, const AVFrame *picture,
                      const struct gm_shrink_to *to, AVFrame **out,
                      struct gm_err *err) GM_MUST_CHECK;

#endif
