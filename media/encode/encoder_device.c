#include "media/encode/encoder_device.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define B_FRAMES 2

/* What comes with trials of whole chunks, for which the estimates know software's encoders alone.
 */
static const char *tried(const Gm__EncodeParams *p)
{
    return p->bitrate_bps > 0 ? "bitrate" : p->quality != NULL ? "quality" : NULL;
}

static int check_depth(const struct gm_encoder_device *d, const Gm__Rendition *r,
                       struct gm_err *err)
{
    if (strcmp(r->encode->codec, "h264") != 0 || strcmp(r->pixel_format, "yuv420p") == 0) {
        return 0;
    }
    bool deep = d->deep_codec != NULL;
    return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                      "%s makes H.264 in 8 bits alone: set `bit_depth: 8`%s%s%s", d->name,
                      deep ? ", or `codec: " : "", deep ? d->deep_codec : "", deep ? "`" : "");
}

int gm_encoder_device_check(const struct gm_encoder_backend *row,
                            const struct gm_encoder_params *params, struct gm_err *err)
{
    const struct gm_encoder_device *d = row->device;
    const Gm__EncodeParams *p = params->rendition->encode;
    if (tried(p) != NULL) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "`%s` is reached by trials in software: %s takes `crf` or `qp`, with "
                          "`maxrate`",
                          tried(p), d->name);
    }
    if (p->qp >= 0 && (p->qp < row->min_qp || p->qp > row->max_qp)) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0, "%s takes `qp` from %" PRId32 " to %" PRId32,
                          d->name, row->min_qp, row->max_qp);
    }
    if (p->qp < 0 && params->crf_centi <= 0 && p->crf < 1) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0, "%s takes `crf` from 1 on", d->name);
    }
    if (gm_encoder_device_preset(p) == 0) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0, "%s has no counterpart of preset %s",
                          d->name, p->preset);
    }
    return check_depth(d, params->rendition, err);
}

int gm_encoder_device_preset(const Gm__EncodeParams *p)
{
    static const struct {
        const char *name;
        int level;
    } map[] = {{"ultrafast", 1}, {"superfast", 1}, {"veryfast", 2}, {"faster", 2},  {"fast", 3},
               {"medium", 4},    {"slow", 5},      {"slower", 6},   {"veryslow", 7}};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        if (strcmp(map[i].name, gm_encoder_preset(p)) == 0) {
            return map[i].level;
        }
    }
    return 0;
}

int gm_encoder_device_b_frames(const struct gm_encoder_params *params)
{
    bool uneven = params->rate.num == 0 && gm_encoder_is_uneven(params);
    return uneven || strcmp(params->rendition->encode->profile, "baseline") == 0 ? 0 : B_FRAMES;
}

int gm_encoder_device_level(const AVCodecContext *ctx, const Gm__Rendition *r,
                            const struct gm_video_level **out, struct gm_err *err)
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
    *out = level;
    return 0;
}

int gm_encoder_device_constant(AVCodecContext *ctx, const char *mode_name, const char *mode,
                               int32_t qp, struct gm_err *err)
{
    char number[16];
    ctx->i_quant_factor = ctx->b_quant_factor = 0; /* of P's */
    (void)snprintf(number, sizeof number, "%" PRId32, qp);
    int rc = gm_encoder_device_option(ctx, mode_name, mode, err);
    return rc == 0 ? gm_encoder_device_option(ctx, "qp", number, err) : rc;
}

int gm_encoder_device_option(AVCodecContext *ctx, const char *name, const char *value,
                             struct gm_err *err)
{
    struct gm_err cause;
    int rc = gm_encoder_option(ctx, name, value, &cause);
    return rc == 0 ? 0
                   : gm_err_set(err, GM_E_DEVICE_DRIVER, cause.native,
                                "This build of FFmpeg does not know %s=%s of %s", name, value,
                                ctx->codec->name);
}

int gm_encoder_device_build(const struct gm_encoder_device *device, const char *id, char out[64],
                            struct gm_err *err)
{
    AVBufferRef *ref = NULL;
    char driver[64] = "";
    unsigned v = avcodec_version();
    int rc = device->open_device(id, &ref, err);
    if (rc < 0) {
        return rc;
    }
    device->describe(ref, driver, sizeof driver);
    av_buffer_unref(&ref);
    (void)snprintf(out, 64, "lavc-%u.%u.%u-%.8s-%.32s", v >> 16, v >> 8 & 255, v & 255,
                   device->chain, driver);
    return 0;
}
