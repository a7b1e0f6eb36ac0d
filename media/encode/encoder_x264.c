/* H.264 by libx264. See: x264 --fullhelp; x264/common/base.c x264_param_parse. */
#include "media/encode/encoder_backend.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "media/av.h"

/* Settings that make the bytes a function of frames and plan alone:
 * - cpu-independent: only those vector routines that give the bits of the plain ones;
 * - stitchable: parameter sets depend on no content, so that every chunk has the same;
 * - keyint=infinite, scenecut=0, open-gop=0: keyframes come only where they are forced;
 * - one thread, no look-ahead thread: rate control sees frames in one order.
 */
#define BASE_PARAMS                                                                                \
    "cpu-independent=1:stitchable=1:scenecut=0:keyint=infinite:open-gop=0:intra-refresh=0:"        \
    "threads=1:lookahead-threads=1:sync-lookahead=0:sliced-threads=0:annexb=1:repeat-headers=0:"   \
    "aud=0:nal-hrd=none"
#define PROFILE_HIGH 100
#define LEVEL_1B 9 /* for x264 */
#define NAL_SPS 7  /* ISO/IEC 14496-10 table 7-1; then profile_idc, constraints, level_idc */

static int set_quality(AVCodecContext *ctx, const struct gm_encoder_params *params,
                       struct gm_err *err)
{
    const Gm__EncodeParams *p = params->rendition->encode;
    char number[16];
    if (p->qp >= 0) {
        snprintf(number, sizeof number, "%" PRId32, p->qp);
        return gm_encoder_option(ctx, "qp", number, err);
    }
    int32_t crf = gm_encoder_limit(ctx, params);
    snprintf(number, sizeof number, "%" PRId32 ".%02" PRId32, crf / 100, crf % 100);
    return gm_encoder_option(ctx, "crf", number, err);
}

/* The level that the plan's parameter sets name: a chunk's own limits would name a lower one. */
static void set_level(AVCodecContext *ctx, const ProtobufCBinaryData *sets)
{
    for (size_t i = 0; i + 6 < sets->len; i++) {
        const uint8_t *p = sets->data + i;
        if (p[0] == 0 && p[1] == 0 && p[2] == 1 && (p[3] & 31) == NAL_SPS) {
            /* level 1b has a flag instead of a number below High: ISO/IEC 14496-10 A.3.4.1 */
            bool is_1b = p[6] == 11 && (p[5] & 0x10) != 0 && p[4] < PROFILE_HIGH;
            ctx->level = is_1b ? LEVEL_1B : p[6];
            return;
        }
    }
}

static int setup(AVCodecContext *ctx, const struct gm_encoder_params *params, struct gm_err *err)
{
    const Gm__EncodeParams *p = params->rendition->encode;
    if (params->rate.num == 0 && gm_encoder_is_uneven(params)) {
        ctx->max_b_frames = 0;
    }
    int rc = gm_encoder_option(ctx, "preset", gm_encoder_preset(p), err);
    if (rc == 0 && p->profile[0] != '\0') {
        rc = gm_encoder_option(ctx, "profile", p->profile, err);
    }
    if (rc == 0 && p->level[0] != '\0') {
        rc = gm_encoder_option(ctx, "level", p->level, err);
    }
    if (rc == 0) {
        set_level(ctx, &params->rendition->extradata);
        rc = set_quality(ctx, params, err);
    }
    if (rc == 0) {
        rc = gm_encoder_option(ctx, "forced-idr", "1", err);
    }
    if (rc == 0) {
        rc = gm_encoder_option(ctx, "a53cc", "1", err);
    }
    if (rc == 0) {
        rc = gm_encoder_option(ctx, "x264-params",
                               gm_av_plain_c() ? BASE_PARAMS ":asm=0" : BASE_PARAMS, err);
    }
    return rc;
}

/* x264 tells its build in a SEI message of the first picture: "x264 - core 164 r3095 baee400". */
static void build(const AVPacket *packet, char out[64])
{
    static const char mark[] = "x264 - core ";
    const uint8_t *at = memmem(packet->data, (size_t)packet->size, mark, sizeof mark - 1);
    size_t n = 0;
    char text[24] = LIBAVCODEC_IDENT; /* libavcodec's version stands for it */
    if (at != NULL) {
        at += sizeof mark - 1;
        const uint8_t *end = packet->data + packet->size;
        while (
            at < end && n < sizeof text - 1 &&
            ((*at >= '0' && *at <= '9') || (n > 0 && *at == ' ') || (*at >= 'a' && *at <= 'z'))) {
            if (*at == ' ' && (at + 1 == end || at[1] != 'r')) {
                break;
            }
            text[n++] = *at == ' ' ? '-' : (char)*at;
            at++;
        }
        text[n] = '\0';
    }
    (void)snprintf(out, 64, "x264-%s", text);
}

/* mb-tree does not look at a stream's first picture, and its quantiser is crf itself, not that of
 * the pictures before. Presets without mb-tree, and a constant quantiser, have neither. */
static bool starts_cold(const Gm__EncodeParams *p)
{
    const char *preset = gm_encoder_preset(p);
    return p->qp < 0 && strcmp(preset, "ultrafast") != 0 && strcmp(preset, "superfast") != 0;
}

const struct gm_encoder_backend gm_encoder_x264 = {
    .codec = "h264",
    .library = "libx264",
    .min_side_px = 2,
    .setup = setup,
    .starts_cold = starts_cold,
    .build = build,
};
