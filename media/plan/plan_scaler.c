#include "media/plan/plan.h"

#include <string.h>

#include <libavutil/pixdesc.h>

#include "common/hash.h"
#include "media/encode/encoder.h"
#include "media/pb.h"
#include "media/picture/cuda_ladder.h"
#include "media/picture/va_ladder.h"

/* What scales: Policy.scaler. The chain's kernel, or its driver's scaler, where it does all that is
 * asked for, since its bits are not libavfilter's and a rendition has one kind of them. */

#define KERNELS "nvenc" /* the chain whose encoders take the kernel's pictures */
#define DRIVERS "vaapi" /* and those of a VA driver's scaler */

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

/* Neither does more than one picture at a time, nor text. */
static const char *unfit_work(const Gm__Policy *policy)
{
    return policy->context_frames > 0 ? "pictures are deinterlaced"
           : policy->burn_text > 0    ? "subtitles are drawn"
                                      : NULL;
}

/* *out_why NULL: so is what the plan makes of them, by *out_scaler. */
static void look_at_plan(const Gm__VideoFacts *v, const Gm__Policy *policy, const char **out_scaler,
                         const char **out_why)
{
    enum light light = light_of(v, policy->renditions[0]);
    *out_scaler = light == MAPPED ? GM_CUDA_TONED : GM_CUDA_LADDER;
    *out_why = unfit_work(policy);
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

/* Where a scaler gave rc and the encoder may work: *out_why, and a warning. wrong, refused: static.
 */
static int judge(int rc, const struct gm_err *cause, const char *wrong, const char *refused,
                 Gm__Policy *policy, const char **out_why, struct gm_err *err)
{
    switch (-rc) {
    case GM_OK:
        return 0;
    case GM_E_DEVICE_ABSENT:
    case GM_E_DEVICE_BUSY:
    case GM_E_DEVICE_LOST:
    case GM_E_DEVICE_MEMORY:
    case GM_E_NOMEM:
        *err = *cause;
        return rc;
    case GM_E_MEDIA_VERIFY:
        *out_why = wrong;
        break;
    default:
        *out_why = refused;
        break;
    }
    return gm_pb_warn(&policy->warnings, &policy->n_warnings, GM_W_PLAN_SCALER, 1, err,
                      "Pictures are scaled in software: %s (%.120s)", *out_why, cause->text);
}

/* A kernel whose proof did pass. */
static int try_kernel(const Gm__VideoFacts *v, const AVBufferRef *device, Gm__Policy *policy,
                      const char **out_why, struct gm_err *err)
{
    struct gm_err cause;
    int rc = gm_cuda_ladder_try(device, v, policy, &cause);
    return judge(rc, &cause, "the kernel gives other bits on this device than it should",
                 "the driver refuses the kernel", policy, out_why, err);
}

/* So did the driver's scaler, in that depth. */
static bool is_driver_proved(const Gm__Chain *chain, const Gm__VideoFacts *v)
{
    const char *mark = chain == NULL ? NULL : strstr(chain->fingerprint, GM_VA_LADDER_MARK " ");
    bool deep = av_get_pix_fmt(v->pixel_format) == AV_PIX_FMT_YUV420P10LE;
    return mark != NULL && strstr(mark, deep ? " 10:" : " 8:") != NULL;
}

/* What a VA driver's scaler is not asked for: it makes sizes, and nothing else. */
static const char *unfit_driver(const Gm__VideoFacts *v, const Gm__Policy *policy)
{
    const char *why = unfit_work(policy);
    if (why == NULL && v->crop != NULL) {
        why = "the source is cropped";
    } else if (why == NULL && (v->rotation_deg % 360 != 0 || v->flip)) {
        why = "the source is turned";
    }
    for (size_t i = 0; why == NULL && i < policy->n_renditions; i++) {
        const Gm__Rendition *r = policy->renditions[i];
        if (light_of(v, r) != KEPT) {
            why = "the colour is converted";
        } else if (strcmp(r->pixel_format, v->pixel_format) != 0) {
            why = "the depth changes";
        } else if (r->parent > 0) {
            why = "a rendition is made from another";
        } else if (r->encode != NULL && r->encode->watermark != NULL) {
            why = "a watermark is drawn";
        }
    }
    return why;
}

/* By the policy's scaler. A driver that has none is as it is, and no cause for a warning. */
static int try_driver(const Gm__VideoFacts *v, AVBufferRef *device, Gm__Policy *policy,
                      const char **out_why, struct gm_err *err)
{
    struct gm_va_ladder *ladder = NULL;
    struct gm_err cause;
    int rc = gm_va_ladder_create(policy, v, device, &ladder, &cause);
    int told =
        rc == 0 ? gm_pb_bytes(&policy->scaler_bits, gm_va_ladder_bits(ladder), GM_SHA256_SIZE, err)
                : 0;
    gm_va_ladder_destroy(&ladder);
    if (told < 0) {
        return told;
    }
    if (rc == -GM_E_PIPELINE_UNFIT) {
        *out_why = "the VA driver does not scale, or not to these sizes";
        return 0;
    }
    return judge(rc, &cause, "the VA driver scales otherwise than it should",
                 "the VA driver fails to scale", policy, out_why, err);
}

static int settle(Gm__Policy *policy, const char *why, struct gm_err *err)
{
    int rc = gm_pb_string(&policy->scaler, "", err);
    return rc == 0 ? gm_pb_string(&policy->scaler_reason, why, err) : rc;
}

static int plan_driver(const Gm__VideoFacts *v, const Gm__Chain *chain, AVBufferRef *device,
                       Gm__Policy *policy, struct gm_err *err)
{
    const char *why = unfit_source(v);
    int rc = 0;
    why = why == NULL ? unfit_driver(v, policy) : why;
    if (why == NULL && !is_driver_proved(chain, v)) {
        why = "the VA driver does not scale, or its proof did not pass";
    }
    if (why == NULL) {
        rc = gm_pb_string(&policy->scaler, GM_VA_LADDER, err);
        rc = rc == 0 ? try_driver(v, device, policy, &why, err) : rc;
    }
    return rc == 0 && why != NULL ? settle(policy, why, err) : rc;
}

int gm_plan_scaler(const Gm__VideoFacts *v, const Gm__Chain *chain, AVBufferRef *device,
                   Gm__Policy *policy, struct gm_err *err)
{
    const char *name = gm_encoder_chain(policy->chain);
    if (device == NULL || policy->n_renditions == 0) {
        return 0;
    }
    if (strcmp(name, DRIVERS) == 0) {
        return plan_driver(v, chain, device, policy, err);
    }
    if (strcmp(name, KERNELS) != 0 || chain == NULL) {
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
    return rc == 0 && why != NULL ? settle(policy, why, err) : rc;
}
