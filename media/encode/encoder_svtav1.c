/* AV1 by SVT-AV1. See: SVT-AV1 1.4.1, Docs/Parameters.md; libavcodec/libsvtav1.c. */
#include "media/encode/encoder_backend.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "media/av.h"
#include "media/format/bitstream_nal.h"

/* Settings that make the bytes a function of frames and plan alone:
 * - lp=1: one logical processor; the library's threads only hand work to one another, and its
 * output does not depend on their number;
 * - enable-force-key-frames=1 with a keyint that is never reached, scd=0: key frames come only
 * where they are forced. Pictures are sent in groups that end at a key frame, so GOPs are closed.
 * - pred-struct=2 (random access), tune=1 (PSNR), no film grain: written out, as defaults change.
 * Vector routines give the bits of the plain ones (tests/media/encode/test_encoder.c).
 */
#define BASE_PARAMS                                                                                \
    "lp=1:enable-force-key-frames=1:keyint=1000000:scd=0:pred-struct=2:tune=1:film-grain=0"

/* The library takes no more; in the constant quality that is used here it matters for the level
 * alone. */
#define MAX_RATE 240

static const char *preset_of(const char *name)
{
    static const char *const map[][2] = {
        {"ultrafast", "12"}, {"superfast", "11"}, {"veryfast", "10"},
        {"faster", "9"},     {"fast", "8"},       {"medium", "7"},
        {"slow", "6"},       {"slower", "5"},     {"veryslow", "4"}};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        if (strcmp(map[i][0], name) == 0) {
            return map[i][1];
        }
    }
    return NULL;
}

static int setup(AVCodecContext *ctx, const struct gm_encoder_params *params, struct gm_err *err)
{
    const Gm__EncodeParams *p = params->rendition->encode;
    const char *preset = preset_of(gm_encoder_preset(p));
    char number[16];
    if (preset == NULL) {
        return gm_err_set(err, GM_E_MEDIA, 0, "The encoder refused preset=%s", p->preset);
    }
    if (ctx->framerate.num / MAX_RATE >= ctx->framerate.den) {
        ctx->framerate = (AVRational){MAX_RATE, 1};
    }
    (void)snprintf(number, sizeof number, "%d", p->qp >= 0 ? p->qp : gm_encoder_crf_alone(params));
    int rc = gm_encoder_option(ctx, "preset", preset, err);
    if (rc == 0) {
        rc = gm_encoder_option(ctx, p->qp >= 0 ? "qp" : "crf", number, err);
    }
    if (rc == 0) {
        rc = gm_encoder_option(ctx, "svtav1-params",
                               gm_av_plain_c() ? BASE_PARAMS ":asm=0" : BASE_PARAMS, err);
    }
    return rc;
}

/* SVT-AV1's stream header names other tools than the sequence header that it then writes: only
 * the latter is right, and it depends on no content. */
int gm_encoder_av1_headers(const AVPacket *packet, struct gm_buf *out, struct gm_err *err)
{
    struct gm_buf config = {0};
    int rc = gm_bitstream_find("av1")->add_config(packet->data, (size_t)packet->size, &config, err);
    if (rc == 0) {
        gm_buf_add(out, config.data + GM_AV1_CONFIG_FIXED, config.size - GM_AV1_CONFIG_FIXED);
        rc = gm_buf_check(out, err);
    }
    gm_buf_fini(&config);
    return rc;
}

static void version(char out[64])
{
    gm_encoder_version("svtav1", "svt_av1_get_version", true, out);
}

const struct gm_encoder_backend gm_encoder_svtav1 = {
    .codec = "av1",
    .library = "libsvtav1",
    .min_side_px = 64,
    .waits_for_picture = true,
    .caps_by_crf = true,
    .setup = setup,
    .packet_headers = gm_encoder_av1_headers,
    .version = version,
};
