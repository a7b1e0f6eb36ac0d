/* H.264, HEVC and AV1 by NVIDIA's encoders, through libavcodec's h264_nvenc, hevc_nvenc, av1_nvenc.
 * See: libavcodec/nvenc.c; NVENC Video Encoder API Programming Guide; ADR-0021. */
#include "media/encode/encoder_device.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "media/av.h"
#include "media/device/hw.h"
#include "media/device/nvenc.h"
#include "media/device/packed.h"
#include "media/format/bitstream_nal.h"

/* Settings that give what software's encoders promise, besides those of encoder_device.h:
 * - forced-idr=1, no look-ahead and no scene cuts: IDRs come where they are forced and nowhere
 * else; NVENC's GOPs are closed;
 * - no B pictures that others refer to and no adaptive ones: the reorder depth is constant;
 * - no bit rate to aim at: the quality decides, and the cap where there is one;
 * - what is passed in side data is added by the farm where it belongs (encode_writer.c), but for
 *   H.264's captions.
 */
#define MAX_QP 51
#define AV1_MAX_QP 63

static const struct option {
    const char *name, *value;
} COMMON[] = {{"tune", "hq"},      {"forced-idr", "1"}, {"no-scenecut", "1"},
              {"b_ref_mode", "0"}, {"multipass", "0"},  {"rc-lookahead", "0"}};

static int set_quality(AVCodecContext *ctx, const struct gm_encoder_params *params,
                       struct gm_err *err)
{
    int32_t qp = params->rendition->encode->qp;
    char number[16];
    ctx->bit_rate = 0; /* libavcodec's own default is 2 Mbit/s */
    if (qp >= 0) {
        if (ctx->codec_id == AV_CODEC_ID_AV1) { /* as SVT-AV1's 0..63 lie in AV1's 0..255 */
            qp = qp == AV1_MAX_QP ? 255 : qp == AV1_MAX_QP - 1 ? 249 : qp * 4;
        }
        return gm_encoder_device_constant(ctx, "rc", "constqp", qp, err);
    }
    int32_t crf = gm_encoder_limit(ctx, params);
    (void)snprintf(number, sizeof number, "%" PRId32 ".%02" PRId32, crf / 100, crf % 100);
    int rc = gm_encoder_device_option(ctx, "rc", "vbr", err);
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

static int set_level(AVCodecContext *ctx, const Gm__Rendition *r, struct gm_err *err)
{
    const struct gm_video_level *level = NULL;
    int rc = gm_encoder_device_level(ctx, r, &level, err);
    if (rc == 0 && ctx->codec_id != AV_CODEC_ID_H264) {
        rc = gm_encoder_device_option(ctx, "tier", "0", err); /* Main */
    }
    return rc == 0 ? gm_encoder_device_option(ctx, "level", level->name, err) : rc;
}

static int setup(AVCodecContext *ctx, const struct gm_encoder_params *params, struct gm_err *err)
{
    const Gm__Rendition *r = params->rendition;
    char preset[8];
    int rc = 0;
    if (ctx->pix_fmt == AV_PIX_FMT_YUV420P10LE) {
        ctx->pix_fmt = gm_packed_format(10);
    }
    ctx->gop_size = GM_ENCODER_DEVICE_GOP;
    ctx->max_b_frames = gm_encoder_device_b_frames(params);
    if (ctx->codec_id == AV_CODEC_ID_AV1) {
        ctx->max_b_frames = 0; /* its hidden pictures would share packets with others */
        ctx->flags &= ~AV_CODEC_FLAG_GLOBAL_HEADER; /* every keyframe has its sequence header */
    }
    for (size_t i = 0; rc == 0 && i < sizeof COMMON / sizeof COMMON[0]; i++) {
        rc = gm_encoder_device_option(ctx, COMMON[i].name, COMMON[i].value, err);
    }
    if (rc == 0) {
        (void)snprintf(preset, sizeof preset, "p%d", gm_encoder_device_preset(r->encode));
        rc = gm_encoder_device_option(ctx, "preset", preset, err);
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

static void describe(const AVBufferRef *device, char *out, size_t size)
{
    unsigned api = gm_nvenc_version();
    int cuda = gm_hw_cuda_version(device);
    (void)snprintf(out, size, "%u.%u-cuda-%d.%d", api >> 4, api & 15, cuda / 1000,
                   cuda % 1000 / 10);
}

static const struct gm_encoder_device nvenc = {.chain = "nvenc",
                                               .name = "NVENC",
                                               .deep_codec = "hevc",
                                               .open_device = gm_hw_open,
                                               .is_shared = true,
                                               .takes_surfaces = true,
                                               .describe = describe,
                                               .open_failed = gm_nvenc_explain_open,
                                               .work_failed = gm_nvenc_explain_work};

#define NVENC_ROW(codec_name, library_name, qp)                                                    \
    .device = &nvenc, .codec = (codec_name), .library = (library_name), .min_side_px = 2,          \
    .max_qp = (qp), .setup = setup

const struct gm_encoder_backend gm_encoder_nvenc_h264 = {NVENC_ROW("h264", "h264_nvenc", MAX_QP)};
const struct gm_encoder_backend gm_encoder_nvenc_hevc = {NVENC_ROW("hevc", "hevc_nvenc", MAX_QP)};
const struct gm_encoder_backend gm_encoder_nvenc_av1 = {NVENC_ROW("av1", "av1_nvenc", AV1_MAX_QP),
                                                        .packet_headers = gm_encoder_av1_headers};
