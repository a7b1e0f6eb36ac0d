/* VP9 by libvpx. See: libvpx 1.12, vpx/vp8cx.h; libavcodec/libvpxenc.c; for the headers the VP
 * codec ISO media file format binding 1.0. */
#include "media/encode/encoder_backend.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "media/av.h"
#include "proto/video_codec.h"

/* Settings that make the bytes a function of frames and plan alone:
 * - one thread, row-mt=0, one tile column: nothing depends on how work is shared out;
 * - a keyframe distance that is never reached, least and most: key frames come only where they are
 *   forced, and they refresh every reference, so GOPs are closed;
 * - auto-alt-ref=1, lag-in-frames=25: hidden frames lie with the next shown one in a superframe.
 * Vector routines give the bits of those of plain x86-64 (tests/media/encode/test_encoder.c).
 */
static const char *const base[][2] = {
    {"deadline", "good"},  {"row-mt", "0"},         {"tile-columns", "0"},   {"tile-rows", "0"},
    {"auto-alt-ref", "1"}, {"lag-in-frames", "25"}, {"frame-parallel", "0"}, {"aq-mode", "0"},
};
#define NEVER 1000000

static const char *preset_of(const char *name)
{
    static const char *const map[][2] = {{"ultrafast", "6"}, {"superfast", "5"}, {"veryfast", "5"},
                                         {"faster", "4"},    {"fast", "4"},      {"medium", "3"},
                                         {"slow", "2"},      {"slower", "1"},    {"veryslow", "0"}};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        if (strcmp(map[i][0], name) == 0) {
            return map[i][1];
        }
    }
    return NULL;
}

static int set_quality(AVCodecContext *ctx, const struct gm_encoder_params *params,
                       struct gm_err *err)
{
    const Gm__EncodeParams *p = params->rendition->encode;
    char number[16];
    if (p->qp < 0) {
        (void)snprintf(number, sizeof number, "%d", gm_encoder_crf_alone(params));
        return gm_encoder_option(ctx, "crf", number, err);
    }
    (void)snprintf(number, sizeof number, "%" PRId32, p->qp);
    ctx->qmin = ctx->qmax = p->qp;
    int rc = gm_encoder_option(ctx, "crf", number, err);
    return rc == 0 && p->qp == 0 ? gm_encoder_option(ctx, "lossless", "1", err) : rc;
}

static int setup(AVCodecContext *ctx, const struct gm_encoder_params *params, struct gm_err *err)
{
    const Gm__EncodeParams *p = params->rendition->encode;
    const char *preset = preset_of(gm_encoder_preset(p));
    if (preset == NULL) {
        return gm_err_set(err, GM_E_MEDIA, 0, "The encoder refused preset=%s", p->preset);
    }
    ctx->gop_size = ctx->keyint_min = NEVER;
    ctx->bit_rate = 0;
    ctx->profile = ctx->pix_fmt == AV_PIX_FMT_YUV420P ? FF_PROFILE_VP9_0 : FF_PROFILE_VP9_2;
    /* What libavcodec says of each picture's length; libvpx gives the first one bits by it. */
    AVRational rate = gm_encoder_nominal_rate(params);
    int64_t ticks = av_rescale(params->timescale, rate.den, rate.num);
    ctx->ticks_per_frame = ticks > 1 ? (int)ticks : 1;
    int rc = gm_encoder_option(ctx, "cpu-used", preset, err);
    for (size_t i = 0; i < sizeof base / sizeof base[0] && rc == 0; i++) {
        rc = gm_encoder_option(ctx, base[i][0], base[i][1], err);
    }
    return rc == 0 ? set_quality(ctx, params, err) : rc;
}

/* The stream has no headers of its own: the body of vpcC stands for them. The level is the lowest
 * whose limits hold. */
static int headers(const AVCodecContext *ctx, const struct gm_encoder_params *params,
                   struct gm_buf *out, struct gm_err *err)
{
    const Gm__Rendition *r = params->rendition;
    const struct gm_video_level *level =
        gm_video_level_lowest(gm_video_codec_find("vp9"), r->width_px, r->height_px,
                              ctx->framerate.num, ctx->framerate.den, r->maxrate_bps);
    unsigned depth = ctx->profile == FF_PROFILE_VP9_0 ? 8 : 10;
    gm_buf_be32(out, 0x01000000); /* version 1 */
    gm_buf_u8(out, (uint8_t)ctx->profile);
    gm_buf_u8(out, level != NULL ? (uint8_t)gm_video_level_number(level) : 62);
    gm_buf_u8(out, (uint8_t)(depth << 4)); /* 4:2:0, chroma between the lines; limited range */
    gm_buf_u8(out, (uint8_t)ctx->color_primaries);
    gm_buf_u8(out, (uint8_t)ctx->color_trc);
    gm_buf_u8(out, (uint8_t)ctx->colorspace);
    gm_buf_be16(out, 0); /* no data for the decoder */
    return gm_buf_check(out, err);
}

static void version(char out[64])
{
    gm_encoder_version("vpx", "vpx_codec_version_str", true, out);
}

const struct gm_encoder_backend gm_encoder_vpx = {
    .codec = "vp9",
    .library = "libvpx-vp9",
    .min_side_px = 2,
    .caps_by_crf = true,
    .setup = setup,
    .headers = headers,
    .version = version,
};
