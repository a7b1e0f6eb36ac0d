/* H.264 and HEVC by Intel's Quick Sync, through libavcodec's h264_qsv and hevc_qsv.
 * See: libavcodec/qsvenc.c, qsvenc_h264.c, qsvenc_hevc.c; Media SDK 22.5; ADR-0028. */
#include "media/encode/encoder_device.h"

#include <string.h>

#include "media/device/qsv.h"
#include "media/device/vaapi.h"

/* Settings that give what software's encoders promise, besides those of encoder_device.h:
 * - forced_idr=1, no pictures of the runtime's own choice (adaptive_i, adaptive_b; of HEVC
 *   libavcodec leaves both at the runtime's default), closed GOPs: IDRs come where they are
 *   forced and nowhere else;
 * - no B pictures that others refer to (b_strategy): the reorder depth is constant;
 * - no model's buffer in the parameter sets (NalHrdConformance off, by strict_std_compliance),
 *   which would be a chunk's own, and no SEI messages: HDR10's are the farm's (encode_writer.c);
 * - with a cap, the rate to aim at is the cap: the quality decides below it. libavcodec takes two
 *   rates that are the same for a constant rate, so it is one bit less;
 * - pictures get to the runtime in surfaces: libavcodec copies those in memory into buffers whose
 *   edges nobody has written, and the runtime encodes what lies there.
 */
#define MAX_QP 51
#define CLOCK 90000                       /* Hz, of the runtime's times */
#define CONSTRAINED_BASELINE (66 | 0x200) /* mfxstructures.h: the profile, constraint_set1 */

static const struct option {
    const char *name, *value;
    bool is_h264; /* of that alone */
} OPTIONS[] = {{"forced_idr", "1", false},     {"b_strategy", "0", false},
               {"pic_timing_sei", "0", false}, {"recovery_point_sei", "0", false},
               {"adaptive_i", "0", true},      {"adaptive_b", "0", true},
               {"look_ahead", "0", true},      {"a53cc", "0", true}};

static bool is_hevc(const AVCodecContext *ctx)
{
    return ctx->codec_id == AV_CODEC_ID_HEVC;
}

static bool is_deep(const Gm__Rendition *r)
{
    return strcmp(r->pixel_format, "yuv420p10le") == 0;
}

static int set_number(AVCodecContext *ctx, const char *name, int value, struct gm_err *err)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", value);
    return gm_encoder_device_option(ctx, name, number, err);
}

static int set_profile(AVCodecContext *ctx, const Gm__Rendition *r, struct gm_err *err)
{
    const char *name = r->encode->profile;
    bool base = strcmp(name, "baseline") == 0;
    if (is_hevc(ctx)) { /* the depth decides: encoder_check.c; mfxstructures.h has these numbers */
        ctx->profile = is_deep(r) ? FF_PROFILE_HEVC_MAIN_10 : FF_PROFILE_HEVC_MAIN;
        return set_number(ctx, "profile", ctx->profile, err);
    }
    ctx->profile = base                        ? FF_PROFILE_H264_CONSTRAINED_BASELINE
                   : strcmp(name, "main") == 0 ? FF_PROFILE_H264_MAIN
                                               : FF_PROFILE_H264_HIGH;
    return set_number(ctx, "profile", base ? CONSTRAINED_BASELINE : ctx->profile, err);
}

static void set_quality(AVCodecContext *ctx, const struct gm_encoder_params *params)
{
    const Gm__EncodeParams *p = params->rendition->encode;
    ctx->i_quant_factor = ctx->b_quant_factor = 1; /* of P's */
    ctx->i_quant_offset = ctx->b_quant_offset = 0;
    if (p->qp >= 0) {
        ctx->flags |= AV_CODEC_FLAG_QSCALE;
        ctx->global_quality = p->qp * FF_QP2LAMBDA;
        return;
    }
    int32_t whole = (gm_encoder_limit(ctx, params) + 50) / 100; /* the runtime has no fractions */
    ctx->global_quality = whole < 1 ? 1 : whole > MAX_QP ? MAX_QP : whole;
    ctx->bit_rate = ctx->rc_max_rate > 0 ? ctx->rc_max_rate - 1 : 0;
}

static int set_options(AVCodecContext *ctx, const struct gm_encoder_params *params,
                       struct gm_err *err)
{
    const Gm__EncodeParams *p = params->rendition->encode;
    const struct gm_video_level *level = NULL;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof OPTIONS / sizeof OPTIONS[0]; i++) {
        if (!OPTIONS[i].is_h264 || !is_hevc(ctx)) {
            rc = gm_encoder_device_option(ctx, OPTIONS[i].name, OPTIONS[i].value, err);
        }
    }
    if (rc == 0) {
        rc = set_number(ctx, "async_depth", GM_QSV_ASYNC, err);
    }
    if (rc == 0) {
        rc = set_profile(ctx, params->rendition, err);
    }
    if (rc == 0) {
        rc = gm_encoder_device_level(ctx, params->rendition, &level, err);
    }
    if (rc == 0) {
        ctx->level = gm_video_level_number(level); /* and of HEVC the Main tier, which is 0 */
        /* TargetUsage: 1 is the best of seven */
        ctx->compression_level = GM_ENCODER_DEVICE_LEVELS + 1 - gm_encoder_device_preset(p);
    }
    return rc;
}

/* The runtime corrects what the chip has not, and libavcodec does not tell: the VA driver is asked.
 */
static int set_b_frames(AVCodecContext *ctx, const struct gm_encoder_params *params,
                        struct gm_err *err)
{
    struct gm_vaapi_limits limits;
    int rc =
        gm_vaapi_ask(gm_qsv_display(ctx->hw_device_ctx), ctx->codec_id, ctx->profile, &limits, err);
    if (rc == 0) {
        bool has_none = limits.encodes && !limits.b_frames;
        ctx->max_b_frames = has_none ? 0 : gm_encoder_device_b_frames(params);
        ctx->has_b_frames = ctx->max_b_frames > 0 ? 1 : 0; /* libavcodec's encoder does not say */
    }
    return rc;
}

static int setup(AVCodecContext *ctx, const struct gm_encoder_params *params, struct gm_err *err)
{
    int rc = set_options(ctx, params, err);
    if (rc == 0) {
        rc = set_b_frames(ctx, params, err);
    }
    if (rc == 0) {
        rc = gm_qsv_frames(ctx->hw_device_ctx, is_deep(params->rendition) ? 10 : 8, ctx->width,
                           ctx->height, &ctx->hw_frames_ctx, err);
    }
    if (rc == 0) {
        ctx->pix_fmt = AV_PIX_FMT_QSV;
        ctx->sw_pix_fmt = ((const AVHWFramesContext *)(void *)ctx->hw_frames_ctx->data)->sw_format;
        ctx->gop_size = GM_ENCODER_DEVICE_GOP;
        ctx->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;
        /* Its times go through the runtime's clock and are rounded there, unless they are its. */
        ctx->time_base = (AVRational){1, CLOCK};
        set_quality(ctx, params);
    }
    return rc;
}

static const struct gm_encoder_device qsv = {.chain = "qsv",
                                             .name = "Quick Sync",
                                             .deep_codec = "hevc",
                                             .open_device = gm_qsv_open,
                                             .describe = gm_qsv_name,
                                             .open_failed = gm_qsv_explain_open,
                                             .work_failed = gm_qsv_explain_work};

/* The runtime takes a quantiser of 0 for its own choice. */
#define QSV_ROW(codec_name, library_name)                                                          \
    .device = &qsv, .codec = (codec_name), .library = (library_name), .min_side_px = 2,            \
    .min_qp = 1, .max_qp = MAX_QP, .setup = setup

const struct gm_encoder_backend gm_encoder_qsv_h264 = {QSV_ROW("h264", "h264_qsv"),
                                                       .drops_captions = true};
const struct gm_encoder_backend gm_encoder_qsv_hevc = {QSV_ROW("hevc", "hevc_qsv")};
