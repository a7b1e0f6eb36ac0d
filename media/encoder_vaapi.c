/* H.264 by VA drivers, through libavcodec's h264_vaapi.
 * See: libavcodec/vaapi_encode.c, vaapi_encode_h264.c; ADR-0023. */
#include "media/encoder_backend.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "media/vaapi.h"
#include "proto/video_codec.h"

/* Settings that give what software's encoders promise:
 * - a GOP longer than any chunk: IDRs come where they are forced and nowhere else; libavcodec,
 * which orders the pictures itself, closes the GOP before each;
 * - a fixed number of B pictures, none of them referred to (b_depth=1): the reorder depth is
 *   constant;
 * - libavcodec writes the parameter sets, and drivers that write their own are not used: those
 * could follow from a chunk's limits;
 * - sei=0: no messages, and no buffer in the parameter sets, which would be a chunk's own;
 * - the level is always written out, for the same reason;
 * - with a cap, the rate to aim at is the cap: the quality decides below it.
 */
#define GOP_FRAMES 1000000 /* a day at 11 a second */
#define B_FRAMES 2
#define MAX_QP 51

/* x264's names to a place between the fastest level of the driver, 0, and the best. */
static int place_of(const char *name)
{
    static const char *const rising[] = {"superfast", "veryfast", "fast",    "medium",
                                         "slow",      "slower",   "veryslow"};
    for (int i = 0; i < 7; i++) {
        if (strcmp(rising[i], name) == 0) {
            return i;
        }
    }
    return strcmp(name, "ultrafast") == 0 ? 0 : strcmp(name, "faster") == 0 ? 1 : -1;
}

static int profile_number(const char *name)
{
    return strcmp(name, "baseline") == 0 ? FF_PROFILE_H264_CONSTRAINED_BASELINE
           : strcmp(name, "main") == 0   ? FF_PROFILE_H264_MAIN
                                         : FF_PROFILE_H264_HIGH;
}

/* What no driver does. */
static int check(const struct gm_encoder_params *params, struct gm_err *err)
{
    const Gm__Rendition *r = params->rendition;
    const Gm__EncodeParams *p = r->encode;
    if (p->bitrate_bps > 0 || p->quality != NULL) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "`%s` is reached by trials in software: VAAPI takes `crf` or `qp`, with "
                          "`maxrate`",
                          p->bitrate_bps > 0 ? "bitrate" : "quality");
    }
    if (p->qp == 0 || p->qp > MAX_QP) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0, "VAAPI takes `qp` from 1 to %d", MAX_QP);
    }
    if (p->qp < 0 && params->crf_centi <= 0 && p->crf < 1) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0, "VAAPI takes `crf` from 1 on");
    }
    if (place_of(gm_encoder_preset(p)) < 0) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0, "VAAPI has no counterpart of preset %s",
                          p->preset);
    }
    if (strcmp(r->pixel_format, "yuv420p") != 0) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "VAAPI makes H.264 in 8 bits alone: set `bit_depth: 8`");
    }
    return 0;
}

/* What this one does not. */
static int check_limits(const Gm__Rendition *r, const struct gm_vaapi_limits *l, struct gm_err *err)
{
    const Gm__EncodeParams *p = r->encode;
    const char *profile = p->profile[0] != '\0' ? p->profile : "high";
    if (!l->encodes) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "This VA driver has no encoder for H.264, profile %s", profile);
    }
    if ((l->max_width_px > 0 && r->width_px > l->max_width_px) ||
        (l->max_height_px > 0 && r->height_px > l->max_height_px)) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "This VA driver makes H.264 up to %ux%u, not %" PRIu32 "x%" PRIu32
                          ": make the largest rendition smaller, or leave vaapi out of `devices`",
                          l->max_width_px, l->max_height_px, r->width_px, r->height_px);
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
    char number[16];
    ctx->bit_rate = 0; /* libavcodec's own default is 2 Mbit/s */
    if (p->qp >= 0) {
        ctx->i_quant_factor = ctx->b_quant_factor = 0; /* the same in all pictures */
        (void)snprintf(number, sizeof number, "%" PRId32, p->qp);
        int rc = gm_encoder_device_option(ctx, "rc_mode", "CQP", err);
        return rc == 0 ? gm_encoder_device_option(ctx, "qp", number, err) : rc;
    }
    int32_t whole = (gm_encoder_limit(ctx, params) + 50) / 100; /* drivers take no fractions */
    ctx->global_quality = whole < 1 ? 1 : whole > MAX_QP ? MAX_QP : whole;
    ctx->bit_rate = ctx->rc_max_rate;
    return gm_encoder_device_option(ctx, "rc_mode", ctx->rc_max_rate > 0 ? "QVBR" : "ICQ", err);
}

/* The one asked for, or the lowest that holds the pictures and the cap. */
static int set_level(AVCodecContext *ctx, const Gm__Rendition *r, struct gm_err *err)
{
    const struct gm_video_codec *codec = gm_video_codec_find("h264");
    const struct gm_video_level *level =
        r->encode->level[0] != '\0'
            ? gm_video_level_find(codec, r->encode->level)
            : gm_video_level_lowest(codec, r->width_px, r->height_px, ctx->framerate.num,
                                    ctx->framerate.den, r->maxrate_bps);
    if (level == NULL) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "No level of H.264 holds %" PRIu32 "x%" PRIu32
                          " at %d/%d frames and %" PRId64 " bits a second",
                          r->width_px, r->height_px, ctx->framerate.num, ctx->framerate.den,
                          r->maxrate_bps);
    }
    char number[16];
    (void)snprintf(number, sizeof number, "%d", gm_video_level_number(level));
    return gm_encoder_device_option(ctx, "level", number, err);
}

static int set_driver(AVCodecContext *ctx, const Gm__Rendition *r, const struct gm_vaapi_limits *l,
                      struct gm_err *err)
{
    int place = place_of(gm_encoder_preset(r->encode));
    if (l->quality_levels > 1) { /* 1 is the best */
        ctx->compression_level = 1 + (6 - place) * ((int)l->quality_levels - 1) / 6;
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
    ctx->profile = profile_number(r->encode->profile);
    int rc = gm_vaapi_ask(ctx->hw_device_ctx, ctx->profile, &limits, err);
    if (rc == 0) {
        rc = check_limits(r, &limits, err);
    }
    if (rc == 0) {
        rc = gm_vaapi_frames(ctx->hw_device_ctx, ctx->width, ctx->height, &ctx->hw_frames_ctx, err);
    }
    if (rc < 0) {
        return rc;
    }
    bool uneven = params->rate.num == 0 && gm_encoder_is_uneven(params);
    bool none = uneven || !limits.b_frames || strcmp(r->encode->profile, "baseline") == 0;
    ctx->pix_fmt = AV_PIX_FMT_VAAPI;
    ctx->gop_size = GOP_FRAMES;
    ctx->max_b_frames = none ? 0 : B_FRAMES;
    ctx->has_b_frames = none ? 0 : 1; /* libavcodec's encoder does not say it */
    rc = set_driver(ctx, r, &limits, err);
    return rc == 0 ? set_quality(ctx, params, err) : rc;
}

static int identify(const struct gm_encoder_params *params, char out[64], struct gm_err *err)
{
    AVBufferRef *device = NULL;
    char name[40];
    unsigned lavc = avcodec_version();
    int rc = gm_vaapi_open(params->device, &device, err);
    if (rc < 0) {
        return rc;
    }
    gm_vaapi_name(device, name, sizeof name);
    av_buffer_unref(&device);
    (void)snprintf(out, 64, "lavc-%u.%u.%u-vaapi-%.30s", lavc >> 16, lavc >> 8 & 255, lavc & 255,
                   name);
    return 0;
}

const struct gm_encoder_backend gm_encoder_vaapi_h264 = {
    .chain = "vaapi",
    .codec = "h264",
    .library = "h264_vaapi",
    .min_side_px = 2,
    .check = check,
    .setup = setup,
    .drops_captions = true,
    .open_failed = gm_vaapi_explain_open,
    .work_failed = gm_vaapi_explain_work,
    .identify = identify,
};
