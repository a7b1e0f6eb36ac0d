#include "media/plan.h"

#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/cuda_ladder.h"
#include "media/encoder.h"
#include "media/pb.h"

/* What scales: Policy.scaler. The chain's kernel where it does all that is asked for, since its
 * bits are not libavfilter's and a rendition has one kind of them. */

#define CHAIN "nvenc" /* whose encoders take the kernel's pictures */

static bool is_same(struct gm_colour a, struct gm_colour b)
{
    return a.primaries == b.primaries && a.transfer == b.transfer && a.matrix == b.matrix &&
           a.range == b.range;
}

/* NULL: the source's pictures are those that the kernel takes. */
static const char *unfit_source(const Gm__VideoFacts *v)
{
    enum AVPixelFormat format = av_get_pix_fmt(v->pixel_format);
    const char *sited = v->chroma_location;
    if (format != AV_PIX_FMT_YUV420P && format != AV_PIX_FMT_YUV420P10LE) {
        return "the source is not 4:2:0 in 8 or 10 bits";
    }
    if (v->width_px % 2 != 0 || v->height_px % 2 != 0) {
        return "the source has an odd side";
    }
    if (v->crop != NULL &&
        (v->crop->x_px % 2 != 0 || v->crop->y_px % 2 != 0 || v->crop->whole_width_px % 2 != 0 ||
         v->crop->whole_height_px % 2 != 0)) {
        return "the part that is shown begins at an odd place";
    }
    if (sited[0] != '\0' && strcmp(sited, "left") != 0) {
        return "the source's chroma does not lie on the left";
    }
    if (gm_colour_of_source(v).range != AVCOL_RANGE_MPEG) {
        return "the source has full range";
    }
    return NULL;
}

/* NULL: so is what the plan makes of them. */
static const char *unfit_plan(const Gm__VideoFacts *v, const Gm__Policy *policy)
{
    struct gm_ladder_params params;
    if (policy->context_frames > 0) {
        return "pictures are deinterlaced";
    }
    if (policy->burn_text > 0) {
        return "subtitles are drawn";
    }
    for (size_t i = 0; i < policy->n_renditions; i++) {
        const Gm__Rendition *r = policy->renditions[i];
        if (!is_same(gm_colour_of_source(v), gm_colour_of_rendition(r))) {
            return "the colour is converted";
        }
        if (r->parent > 0) {
            return "a rendition is made from another";
        }
    }
    return gm_cuda_ladder_params(v, policy, &params, NULL) < 0
               ? "the kernel does not make these sizes"
               : NULL;
}

int gm_plan_scaler(const Gm__VideoFacts *v, const AVBufferRef *device, Gm__Policy *policy,
                   struct gm_err *err)
{
    struct gm_err cause;
    if (strcmp(gm_encoder_chain(policy->chain), CHAIN) != 0 || device == NULL ||
        policy->n_renditions == 0) {
        return 0;
    }
    const char *why = unfit_source(v);
    why = why != NULL ? why : unfit_plan(v, policy);
    if (why == NULL) {
        bool deep = av_get_pix_fmt(v->pixel_format) == AV_PIX_FMT_YUV420P10LE;
        int rc = gm_cuda_ladder_prove(device, deep, &cause);
        if (rc == -GM_E_DEVICE_DRIVER) {
            why = "the driver does not load the kernel";
        } else if (rc == -GM_E_MEDIA_VERIFY) {
            why = "the kernel gives other bits on this device than it should";
        } else if (rc < 0) {
            *err = cause;
            return rc;
        }
    }
    return why != NULL ? gm_pb_string(&policy->scaler_reason, why, err)
                       : gm_pb_string(&policy->scaler, GM_CUDA_LADDER, err);
}
