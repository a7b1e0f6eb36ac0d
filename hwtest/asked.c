#include "hwtest/asked.h"

#include <string.h>

#include "common/err.h"
#include "hwtest/clip.h"
#include "kernels/kernels.h"

/* protobuf-c's strings are not const */
static char scaler[] = GM_CUDA_LADDER, range[] = "tv", shallow[] = "yuv420p",
            deep[] = "yuv420p10le";

static char *format_of(uint32_t depth)
{
    return depth == 8 ? shallow : deep;
}

void gm_hwtest_ask(struct gm_hwtest_size source, int rotation_deg,
                   const struct gm_hwtest_size *rungs, size_t count, struct gm_hwtest_asked *a)
{
    GM_ASSERT(count <= GM_HWTEST_ASKED_RUNGS);
    memset(a, 0, sizeof(*a));
    gm__rational__init(&a->aspect);
    gm__video_facts__init(&a->facts);
    gm__encode_params__init(&a->encode);
    gm__policy__init(&a->policy);
    gm__pipeline__init(&a->pipeline);
    a->aspect.num = a->aspect.den = 1;
    a->facts.sample_aspect = &a->aspect;
    a->facts.width_px = source.width_px;
    a->facts.height_px = source.height_px;
    a->facts.pixel_format = format_of(source.depth);
    a->facts.range = range;
    a->facts.rotation_deg = rotation_deg;
    for (size_t i = 0; i < count; i++) {
        Gm__Rendition *r = a->list[i] = &a->renditions[i];
        gm__rendition__init(r);
        r->width_px = rungs[i].width_px;
        r->height_px = rungs[i].height_px;
        r->pixel_format = format_of(rungs[i].depth);
        r->range = range;
        r->encode = &a->encode;
    }
    a->policy.timescale = GM_HWTEST_RATE;
    a->policy.scaler = scaler;
    a->policy.renditions = a->list;
    a->policy.n_renditions = count;
}
