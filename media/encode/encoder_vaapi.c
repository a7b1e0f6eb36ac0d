/* H.264 and HEVC by VA drivers, through libavcodec's h264_vaapi and hevc_vaapi.
 * See: libavcodec/vaapi_encode.c, vaapi_encode_h264.c, vaapi_encode_h265.c; ADR-0023. */
#include "media/encode/encoder_device.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "media/device/vaapi.h"

/* Settings that give what software's encoders promise, besides those of encoder_device.h:
 * - libavcodec orders the pictures itself, and closes the GOP before each IDR; no B picture is
 *   referred to (b_depth=1): the reorder depth is constant;
 * - libavcodec writes the parameter sets, and drivers that write their own are not used: those
 *   could follow from a chunk's limits;
 * - sei=0: no messages, and no buffer in H.264's parameter sets, which would be a chunk's own;
 *   HDR10's are the farm's (encode_writer.c);
 * - with a cap, the rate to aim at is the cap: the quality decides below it.
 */
#define MAX_QP 51

static bool is_hevc(const AVCodecContext *ctx)
{
    return ctx->codec_id == AV_CODEC_ID_HEVC;
}

static bool is_deep(const Gm__Rendition *r)
{
    return strcmp(r->pixel_format, "yuv420p10le") == 0;
}

static int profile_number(const AVCodecContext *ctx, const Gm__Rendition *r)
{
    const char *name = r->encode->profile;
    if (is_hevc(ctx)) { /* the depth decides: encoder_check.c */
        return is_deep(r) ? FF_PROFILE_HEVC_MAIN_10 : FF_PROFILE_HEVC_MAIN;
    }
    return strcmp(name, "baseline") == 0 ? FF_PROFILE_H264_CONSTRAINED_BASELINE
           : strcmp(name, "main") == 0   ? FF_PROFILE_H264_MAIN
                                         : FF_PROFILE_H264_HIGH;
}

/* What this driver does not. */
static int check_limits(const AVCodecContext *ctx, const Gm__Rendition *r,
                        const struct gm_vaapi_limits *l, struct gm_err *err)
{
    const Gm__EncodeParams *p = r->encode;
    const char *codec = is_hevc(ctx) ? "HEVC" : "H.264";
    if (!l->encodes) {
        const char *usual = !is_hevc(ctx) ? "high" : is_deep(r) ? "main10" : "main";
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "This VA driver has no encoder for %s, profile %s", codec,
                          p->profile[0] != '\0' ? p->profile : usual);
    }
    if ((l->max_width_px > 0 && r->width_px > l->max_width_px) ||
        (l->max_height_px > 0 && r->height_px > l->max_height_px)) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "This VA driver makes %s up to %ux%u, not %" PRIu32 "x%" PRIu32
                          ": make the largest rendition smaller, or leave vaapi out of `devices`",
                          codec, l->max_width_px, l->max_height_px, r->width_px, r->height_px);
    }
    if (!l->sequence_headers) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "This VA driver writes its own parameter sets, which may differ from "
                          "chunk to chunk: leave vaapi out of `devices`");
    }
    if (p->qp >= 0 && !l->cqp) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "This VA driver has no constant quantiser: set `crf`");
    }
    if (p->qp < 0 && r->maxrate_bps > 0 && !l->qvbr) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "This VA driver keeps no quality below a cap (QVBR): set `qp`, or leave "
                          "vaapi out of `devices`");
    }
    if (p->qp < 0 && r->maxrate_bps <= 0 && !l->icq) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "This VA driver keeps no quality (ICQ): set `qp`, or leave vaapi out of "
                          "`devices`");
    }
    return 0;
}

static int set_quality(AVCodecContext *ctx, const struct gm_encoder_params *params,
                       struct gm_err *err)
{
    const Gm__EncodeParams *p = params->rendition->encode;
    if (p->qp >= 0) {
        return gm_encoder_device_constant(ctx, "rc_mode", "CQP", p->qp, err);
    }
    int32_t whole = (gm_encoder_limit(ctx, params) + 50) / 100; /* drivers take no fractions */
    ctx->global_quality = whole < 1 ? 1 : whole > MAX_QP ? MAX_QP : whole;
    ctx->bit_rate = ctx->rc_max_rate;
    return gm_encoder_device_option(ctx, "rc_mode", ctx->rc_max_rate > 0 ? "QVBR" : "ICQ", err);
}

static int set_level(AVCodecContext *ctx, const Gm__Rendition *r, struct gm_err *err)
{
    const struct gm_video_level *level = NULL;
    char number[16];
    int rc = gm_encoder_device_level(ctx, r, &level, err);
    if (rc == 0 && is_hevc(ctx)) {
        rc = gm_encoder_device_option(ctx, "tier", "main", err);
    }
    if (rc < 0) {
        return rc;
    }
    /* level_idc, general_level_idc: ITU-T H.264 A.3.1, H.265 A.4.1 */
    (void)snprintf(number, sizeof number, "%d",
                   gm_video_level_number(level) * (is_hevc(ctx) ? 3 : 1));
    return gm_encoder_device_option(ctx, "level", number, err);
}

static int set_driver(AVCodecContext *ctx, const Gm__Rendition *r, const struct gm_vaapi_limits *l,
                      struct gm_err *err)
{
    int from_best = GM_ENCODER_DEVICE_LEVELS - gm_encoder_device_preset(r->encode);
    if (l->quality_levels > 1) { /* 1 is the best */
        ctx->compression_level =
            1 + from_best * ((int)l->quality_levels - 1) / (GM_ENCODER_DEVICE_LEVELS - 1);
    }
    int rc = gm_encoder_device_option(ctx, "low_power", l->low_power ? "1" : "0", err);
    if (rc == 0) {
        rc = gm_encoder_device_option(ctx, "sei", "0", err);
    }
    if (rc == 0) {
        rc = gm_encoder_device_option(ctx, "b_depth", "1", err);
    }
    return rc == 0 ? set_level(ctx, r, err) : rc;
}

static int setup(AVCodecContext *ctx, const struct gm_encoder_params *params, struct gm_err *err)
{
    const Gm__Rendition *r = params->rendition;
    struct gm_vaapi_limits limits;
    ctx->profile = profile_number(ctx, r);
    int rc = gm_vaapi_ask(ctx->hw_device_ctx, ctx->codec_id, ctx->profile, &limits, err);
    if (rc == 0) {
        rc = check_limits(ctx, r, &limits, err);
    }
    if (rc == 0 && params->surfaces == NULL) {
        rc = gm_vaapi_frames(ctx->hw_device_ctx, is_deep(r) ? 10 : 8, ctx->width, ctx->height,
                             &ctx->hw_frames_ctx, err);
    }
    if (rc < 0) {
        return rc;
    }
    ctx->pix_fmt = AV_PIX_FMT_VAAPI;
    ctx->gop_size = GM_ENCODER_DEVICE_GOP;
    ctx->max_b_frames = limits.b_frames ? gm_encoder_device_b_frames(params) : 0;
    ctx->has_b_frames = ctx->max_b_frames > 0 ? 1 : 0; /* libavcodec's encoder does not say it */
    rc = set_driver(ctx, r, &limits, err);
    return rc == 0 ? set_quality(ctx, params, err) : rc;
}

static const struct gm_encoder_device vaapi = {.chain = "vaapi",
                                               .name = "VAAPI",
                                               .deep_codec = "hevc",
                                               .open_device = gm_vaapi_open,
                                               .takes_surfaces = true,
                                               .describe = gm_vaapi_name,
                                               .open_failed = gm_vaapi_explain_open,
                                               .work_failed = gm_vaapi_explain_work};

/* libavcodec takes a quantiser of 0 for none. */
#define VAAPI_ROW(codec_name, library_name)                                                        \
    .device = &vaapi, .codec = (codec_name), .library = (library_name), .min_side_px = 2,          \
    .min_qp = 1, .max_qp = MAX_QP, .setup = setup

const struct gm_encoder_backend gm_encoder_vaapi_h264 = {VAAPI_ROW("h264", "h264_vaapi"),
                                                         .drops_captions = true};
const struct gm_encoder_backend gm_encoder_vaapi_hevc = {VAAPI_ROW("hevc", "hevc_vaapi")};
