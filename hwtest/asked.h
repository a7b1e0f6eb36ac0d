#ifndef GM_HWTEST_ASKED_H
#define GM_HWTEST_ASKED_H

#include "media.pb-c.h"

/* What a plan says to the kernel `ladder` (media/picture/cuda_ladder.h) of generated pictures:
 * 4:2:0, square, limited range. Pure. */
#define GM_HWTEST_ASKED_RUNGS 4

struct gm_hwtest_size {
    uint32_t width_px, height_px, depth; /* 8 or 10 */
};
struct gm_hwtest_asked { /* points into itself: not to be moved */
    Gm__Policy policy;
    Gm__VideoFacts facts;
    Gm__Pipeline pipeline;
    Gm__Rational aspect;
    Gm__EncodeParams encode;
    Gm__Rendition renditions[GM_HWTEST_ASKED_RUNGS], *list[GM_HWTEST_ASKED_RUNGS];
};
/* rotation_deg: of the source; the rungs' sizes are as shown. */
void gm_hwtest_ask(struct gm_hwtest_size source, int rotation_deg,
                   const struct gm_hwtest_size *rungs, size_t count, struct gm_hwtest_asked *out);

#endif
