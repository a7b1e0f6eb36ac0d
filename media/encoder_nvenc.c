/* H.264, HEVC and AV1 by NVIDIA's encoders, through libavcodec's h264_nvenc, hevc_nvenc, av1_nvenc.
 * See: libavcodec/nvenc.c; NVENC Video Encoder API Programming Guide; ADR-0021. */
#include "media/encoder_backend.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "media/av.h"
#include "media/bitstream_nal.h"
#include "media/hw.h"
#include "media/nvenc.h"
#include "media/packed.h"
#include "proto/video_codec.h"

/* Settings that give what software's encoders promise:
 * - a GOP longer than any chunk, forced-idr=1, no look-ahead and no scene cuts: IDRs come where
 * they are forced and nowhere else; NVENC's GOPs are closed;
 * - a fixed number of B pictures, none of them referred to, no adaptive ones: the reorder depth is
 *   constant;
 * - the level is always written out: it would else follow from a chunk's own limits, and parameter
 *   sets have to be the same in each;
 * - no bit rate to aim at: the quality decides, and the cap where there is one;
 * - what is passed in side data is added by the farm where it belongs (encode_writer.c), but for
 *   H.264's captions.
 */
#define GOP_FRAMES 1000000 /* a day at 11 a second */
#define B_FRAMES 2
#define MAX_QP 51
#define AV1_MAX_QP 63

static const struct option {
    const char *name, *value;
} COMMON[] = {{"tune", "hq"},      {"forced-idr", "1"}, {"no-scenecut", "1"},
              {"b_ref_mode", "0"}, {"multipass", "0"},  {"rc-lookahead", "0"}};

/* x264's names to NVENC's, by what both call them: fast, medium, slow ... */
static const char *preset_of(const char *name)
{
    static const char *const map[][2] = {
        {"ultrafast", "p1"}, {"superfast", "p1"}, {"veryfast", "p2"},
        {"faster", "p2"},    {"fast", "p3"},      {"medium", "p4"},
        {"slow", "p5"},      {"slower", "p6"},    {"veryslow", "p7"}};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        if (strcmp(map[i][0], name) == 0) {
            return map[i][1];
        }
    }
    return NULL;
}

/* What no chip does. */
static int check(const struct gm_encoder_params *params, struct gm_err *err)
{
    const Gm__Rendition *r = params->rendition;
    const Gm__EncodeParams *p = r->encode;
    bool av1 = strcmp(p->codec, "av1") == 0;
    int32_t max_qp = av1 ? AV1_MAX_QP : MAX_QP;
    if (p->bitrate_bps > 0 || p->quality != NULL) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "`%s` is reached by trials in software: NVENC takes `crf` or `qp`, with "
                          "`maxrate`",
                          p->bitrate_bps > 0 ? "bitrate" : "quality");
    }
    if (p->qp > max_qp) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0, "NVENC takes `qp` up to %" PRId32, max_qp);
    }
    if (p->qp < 0 && params->crf_centi <= 0 && p->crf < 1) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0, "NVENC takes `crf` from 1 on");
    }
    if (preset_of(gm_encoder_preset(p)) == NULL) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0, "NVENC has no counterpart of preset %s",
                          p->preset);
    }
    if (strcmp(p->codec, "h264") == 0 && strcmp(r->pixel_format, "yuv420p") != 0) {
        return gm_err_set(
            err, GM_E_PIPELINE_UNFIT, 0,
            "NVENC makes H.264 in 8 bits alone: set `bit_depth: 8`, or `codec: hevc`");
    }
    return 0;
}

static int set_quality(AVCodecContext *ctx, const struct gm_encoder_params *params,
                       struct gm_err *err)
{
    const Gm__EncodeParams *p = params->rendition->encode;
    char number[16];
    int rc;
    ctx->bit_rate = 0; /* libavcodec's own default is 2 Mbit/s */
    if (p->qp >= 0) {
        int32_t qp = p->qp;
        if (ctx->codec_id == AV_CODEC_ID_AV1) { /* as SVT-AV1's 0..63 lie in AV1's 0..255 */
            qp = qp == AV1_MAX_QP ? 255 : qp == AV1_MAX_QP - 1 ? 249 : qp * 4;
        }
        ctx->i_quant_factor = ctx->b_quant_factor = 0; /* the same in all pictures */
        (void)snprintf(number, sizeof number, "%" PRId32, qp);
        rc = gm_encoder_device_option(ctx, "rc", "constqp", err);
        return rc == 0 ? gm_encoder_device_option(ctx, "qp", number, err) : rc;
    }
    int32_t crf = gm_encoder_limit(ctx, params);
    (void)snprintf(number, sizeof number, "%" PRId32 ".%02" PRId32, crf / 100, crf % 100);
    rc = gm_encoder_device_option(ctx, "rc", "vbr", err);
    return rc == 0 ? gm_encoder_device_option(ctx, "cq", number, err) : rc;
}

static int set_profile(AVCodecContext *ctx, const Gm__EncodeParams *p, struct gm_err *err)
{
    const char *profile = p->profile;
    if (ctx->codec_id == AV_CODEC_ID_AV1) {
        return 0; /* Main is the only one */
    }
    if (profile[0] == '\0') {
        profile = ctx->codec_id == AV_CODEC_ID_H264   ? "high"
                  : ctx->pix_fmt == AV_PIX_FMT_P010LE ? "main10"
                                                      : "main";
    }
    return gm_encoder_device_option(ctx, "profile", profile, err);
}

/* The one asked for, or the lowest that holds the pictures and the cap. */
static int set_level(AVCodecContext *ctx, const Gm__Rendition *r, struct gm_err *err)
{
    const struct gm_video_codec *codec = gm_video_codec_find(r->encode->codec);
    const struct gm_video_level *level =
        r->encode->level[0] != '\0'
            ? gm_video_level_find(codec, r->encode->level)
            : gm_video_level_lowest(codec, r->width_px, r->height_px, ctx->framerate.num,
                                    ctx->framerate.den, r->maxrate_bps);
    if (level == NULL) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "No level of %s holds %" PRIu32 "x%" PRIu32
                          " at %d/%d frames and %" PRId64 " bits a second",
                          codec->name, r->width_px, r->height_px, ctx->framerate.num,
                          ctx->framerate.den, r->maxrate_bps);
    }
    int rc = ctx->codec_id == AV_CODEC_ID_H264
                 ? 0
                 : gm_encoder_device_option(ctx, "tier", "0", err); /* Main */
    return rc == 0 ? gm_encoder_device_option(ctx, "level", level->name, err) : rc;
}

/* Pictures between others: none in H.264's baseline, where frames come unevenly
 * (encoder_backend.h), and in AV1, whose hidden pictures would share packets with others. */
static int b_frames(const AVCodecContext *ctx, const struct gm_encoder_params *params)
{
    bool uneven = params->rate.num == 0 && gm_encoder_is_uneven(params);
    bool none = uneven || ctx->codec_id == AV_CODEC_ID_AV1 ||
                strcmp(params->rendition->encode->profile, "baseline") == 0;
    return none ? 0 : B_FRAMES;
}

static int setup(AVCodecContext *ctx, const struct gm_encoder_params *params, struct gm_err *err)
{
    const Gm__Rendition *r = params->rendition;
    int rc = 0;
    if (ctx->pix_fmt == AV_PIX_FMT_YUV420P10LE) {
        ctx->pix_fmt = gm_packed_format(10);
    }
    ctx->gop_size = GOP_FRAMES;
    ctx->max_b_frames = b_frames(ctx, params);
    if (ctx->codec_id == AV_CODEC_ID_AV1) {
        ctx->flags &= ~AV_CODEC_FLAG_GLOBAL_HEADER; /* every keyframe has its sequence header */
    }
    for (size_t i = 0; rc == 0 && i < sizeof COMMON / sizeof COMMON[0]; i++) {
        rc = gm_encoder_device_option(ctx, COMMON[i].name, COMMON[i].value, err);
    }
    if (rc == 0) {
        rc = gm_encoder_device_option(ctx, "preset", preset_of(gm_encoder_preset(r->encode)), err);
    }
    if (rc == 0) {
        rc = gm_encoder_device_option(ctx, "extra_sei",
                                      ctx->codec_id == AV_CODEC_ID_H264 ? "1" : "0", err);
    }
    if (rc == 0) {
        rc = set_profile(ctx, r->encode, err);
    }
    if (rc == 0) {
        rc = set_level(ctx, r, err);
    }
    return rc == 0 ? set_quality(ctx, params, err) : rc;
}

static int identify(const struct gm_encoder_params *params, char out[64], struct gm_err *err)
{
    AVBufferRef *device = NULL;
    unsigned lavc = avcodec_version();
    unsigned api = gm_nvenc_version();
    int rc = gm_hw_open(params->device, &device, err);
    if (rc < 0) {
        return rc;
    }
    int cuda = gm_hw_cuda_version(device);
    av_buffer_unref(&device);
    (void)snprintf(out, 64, "lavc-%u.%u.%u-nvenc-%u.%u-cuda-%d.%d", lavc >> 16, lavc >> 8 & 255,
                   lavc & 255, api >> 4, api & 15, cuda / 1000, cuda % 1000 / 10);
    return 0;
}

#define NVENC_ROW(codec_name, library_name)                                                        \
    .chain = "nvenc", .codec = (codec_name), .library = (library_name), .min_side_px = 2,          \
    .check = check, .setup = setup, .open_failed = gm_nvenc_explain_open,                          \
    .work_failed = gm_nvenc_explain_work, .identify = identify

const struct gm_encoder_backend gm_encoder_nvenc_h264 = {NVENC_ROW("h264", "h264_nvenc")};
const struct gm_encoder_backend gm_encoder_nvenc_hevc = {NVENC_ROW("hevc", "hevc_nvenc")};
const struct gm_encoder_backend gm_encoder_nvenc_av1 = {NVENC_ROW("av1", "av1_nvenc"),
                                                        .packet_headers = gm_encoder_av1_headers};
