/* HEVC by libx265. See: x265 3.5, doc/reST/cli.rst; source/common/param.cpp x265_param_parse. */
#include "media/encode/encoder_backend.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "media/av.h"

/* Settings that make the bytes a function of frames and plan alone:
 * - pools=none, frame-threads=1, wpp=0: no thread pool, one frame at a time, so that rate control
 *   sees frames in one order (frame threads delay what it learns);
 * - keyint=-1 (infinite), min-keyint=1, scenecut=0, open-gop=0: IDRs come only where they are
 *   forced, and nothing refers across them;
 * - info=0, repeat-headers=0, hrd=0, aud=0: parameter sets alone before the stream;
 * - high-tier=0: the level rises rather than the tier;
 * - no opt-*: parameter sets depend on no content.
 * Vector routines give the bits of the plain ones (tests/media/encode/test_encoder.c).
 */
#define BASE_PARAMS                                                                                \
    "pools=none:frame-threads=1:wpp=0:pmode=0:pme=0:lookahead-slices=0:keyint=-1:min-keyint=1:"    \
    "scenecut=0:open-gop=0:info=0:repeat-headers=0:hrd=0:aud=0:high-tier=0:opt-qp-pps=0:"          \
    "opt-ref-list-length-pps=0:log-level=none"

static int set_quality(AVCodecContext *ctx, const struct gm_encoder_params *params,
                       struct gm_err *err)
{
    const Gm__EncodeParams *p = params->rendition->encode;
    char number[16];
    if (p->qp >= 0) {
        (void)snprintf(number, sizeof number, "%" PRId32, p->qp);
        return gm_encoder_option(ctx, "qp", number, err);
    }
    int32_t crf = gm_encoder_limit(ctx, params);
    (void)snprintf(number, sizeof number, "%" PRId32 ".%02" PRId32, crf / 100, crf % 100);
    return gm_encoder_option(ctx, "crf", number, err);
}

static int setup(AVCodecContext *ctx, const struct gm_encoder_params *params, struct gm_err *err)
{
    const Gm__EncodeParams *p = params->rendition->encode;
    char text[512];
    bool even = params->rate.num > 0 || !gm_encoder_is_uneven(params);
    (void)snprintf(text, sizeof text, BASE_PARAMS ":fps=%d/%d%s%s%s%s", ctx->framerate.num,
                   ctx->framerate.den, even ? "" : ":bframes=0",
                   p->level[0] != '\0' ? ":level-idc=" : "", p->level,
                   gm_av_plain_c() ? ":asm=0" : "");
    int rc = gm_encoder_option(ctx, "preset", gm_encoder_preset(p), err);
    if (rc == 0 && p->profile[0] != '\0') {
        rc = gm_encoder_option(ctx, "profile", p->profile, err);
    }
    if (rc == 0) {
        rc = set_quality(ctx, params, err);
    }
    if (rc == 0) {
        rc = gm_encoder_option(ctx, "forced-idr", "1", err);
    }
    if (rc == 0) {
        rc = gm_encoder_option(ctx, "x265-params", text, err);
    }
    return rc;
}

/* As x264: a stream's first picture has crf itself for its quantiser, later keyframes that of the
 * pictures before; and cu-tree, which every preset has, counts nothing after the last picture. */
static bool starts_cold(const Gm__EncodeParams *p)
{
    return p->qp < 0;
}

static void version(char out[64])
{
    gm_encoder_version("x265", "x265_version_str", false, out);
}

const struct gm_encoder_backend gm_encoder_x265 = {
    .codec = "hevc",
    .library = "libx265",
    .min_side_px = 64, /* at 38x32 and 48x32 libx265 3.5 was seen to corrupt the heap */
    .setup = setup,
    .starts_cold = starts_cold,
    .hides_reorder = true,
    .version = version,
};
