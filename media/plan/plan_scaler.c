#include "media/plan/plan.h"

#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/encode/encoder.h"
#include "media/pb.h"
#include "media/picture/cuda_ladder.h"

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

/* What leads from the source's colour to a rendition's. */
enum light { KEPT, MAPPED, OTHER };

static enum light light_of(const Gm__VideoFacts *v, const Gm__Rendition *r)
{
    struct gm_colour source = gm_colour_of_source(v), made = gm_colour_of_rendition(r);
    struct gm_colour sdr = gm_colour_target(source, false);
    if (is_same(source, made)) {
        return KEPT;
    }
    /* The kernel takes ten bits, as the table does; fewer would be made ten first. */
    bool table = gm_colour_needs_table(source, sdr) && source.matrix != AVCOL_SPC_RGB &&
                 av_get_pix_fmt(v->pixel_format) == AV_PIX_FMT_YUV420P10LE;
    return table && is_same(sdr, made) ? MAPPED : OTHER;
}

/* *out_why NULL: so is what the plan makes of them, by *out_scaler. */
static void look_at_plan(const Gm__VideoFacts *v, const Gm__Policy *policy, const char **out_scaler,
                         const char **out_why)
{
    enum light light = light_of(v, policy->renditions[0]);
    *out_scaler = light == MAPPED ? GM_CUDA_TONED : GM_CUDA_LADDER;
    *out_why = NULL;
    if (policy->context_frames > 0) {
        *out_why = "pictures are deinterlaced";
    } else if (policy->burn_text > 0) {
        *out_why = "subtitles are drawn";
    }
    for (size_t i = 0; *out_why == NULL && i < policy->n_renditions; i++) {
        const Gm__Rendition *r = policy->renditions[i];
        enum light its = light_of(v, r);
        if (its == OTHER || its != light) {
            *out_why = "the colour is converted";
        } else if (r->parent > 0) {
            *out_why = "a rendition is made from another";
        }
    }
}

/* The kernel makes the plan's sizes, by the policy's scaler. */
static int look_at_sizes(const Gm__VideoFacts *v, const Gm__Policy *policy, const char **out_why,
                         struct gm_err *err)
{
    struct gm_ladder_params params;
    int rc = gm_cuda_ladder_params(v, policy, &params, err);
    if (rc == -GM_E_INVAL) {
        *out_why = "the kernel does not make these sizes";
        return 0;
    }
    return rc;
}

/* The chain's device passed the kernel's proof, which ran in a process of its own. */
static bool is_proved(const Gm__Chain *chain)
{
    size_t have = strlen(chain->fingerprint), want = strlen(GM_CUDA_LADDER_MARK);
    return have >= want && strcmp(chain->fingerprint + have - want, GM_CUDA_LADDER_MARK) == 0;
}

/* Where the kernel does not work and the encoder may: *out_why, and a warning, for its proof did
 * pass. */
static int try_kernel(const Gm__VideoFacts *v, const AVBufferRef *device, Gm__Policy *policy,
                      const char **out_why, struct gm_err *err)
{
    struct gm_err cause;
    int rc = gm_cuda_ladder_try(device, v, policy, &cause);
    switch (-rc) {
    case GM_OK:
        return 0;
    case GM_E_DEVICE_ABSENT:
    case GM_E_DEVICE_BUSY:
    case GM_E_DEVICE_LOST:
    case GM_E_DEVICE_MEMORY:
    case GM_E_NOMEM:
        *err = cause;
        return rc;
    case GM_E_MEDIA_VERIFY:
        *out_why = "the kernel gives other bits on this device than it should";
        break;
    default:
        *out_why = "the driver refuses the kernel";
        break;
    }
    return gm_pb_warn(&policy->warnings, &policy->n_warnings, "plan.scaler", 1, err,
                      "Pictures are scaled in software: %s (%.120s)", *out_why, cause.text);
}

int gm_plan_scaler(const Gm__VideoFacts *v, const Gm__Chain *chain, const AVBufferRef *device,
                   Gm__Policy *policy, struct gm_err *err)
{
    if (strcmp(gm_encoder_chain(policy->chain), CHAIN) != 0 || device == NULL || chain == NULL ||
        policy->n_renditions == 0) {
        return 0;
    }
    const char *scaler = "", *why = unfit_source(v);
    int rc = 0;
    if (why == NULL) {
        look_at_plan(v, policy, &scaler, &why);
    }
    if (why == NULL) {
        rc = gm_pb_string(&policy->scaler, scaler, err);
        rc = rc == 0 ? look_at_sizes(v, policy, &why, err) : rc;
    }
    if (rc == 0 && why == NULL && !is_proved(chain)) {
        why = "the kernel's proof did not pass on this device";
    }
    if (rc == 0 && why == NULL) {
        rc = try_kernel(v, device, policy, &why, err);
    }
    if (rc < 0 || why == NULL) {
        return rc;
    }
    rc = gm_pb_string(&policy->scaler, "", err);
    return rc == 0 ? gm_pb_string(&policy->scaler_reason, why, err) : rc;
}
