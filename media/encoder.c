#include "media/encoder.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>

#include "media/av.h"

/* Settings of libx264 that make its bytes a function of frames and plan alone:
 * - cpu-independent: only those vector routines that give the bits of the plain ones;
 * - stitchable: parameter sets depend on no content, so that every chunk has the same;
 * - keyint=infinite, scenecut=0, open-gop=0: keyframes come only where they are forced;
 * - one thread, no look-ahead thread: rate control sees frames in one order.
 * See: x264 --fullhelp; x264/common/base.c x264_param_parse.
 */
#define SLOW_RATE 10
#define FEW_FRAMES 24
#define BASE_PARAMS                                                                                \
    "cpu-independent=1:stitchable=1:scenecut=0:keyint=infinite:open-gop=0:intra-refresh=0:"        \
    "threads=1:lookahead-threads=1:sync-lookahead=0:sliced-threads=0:annexb=1:repeat-headers=0:"   \
    "aud=0:nal-hrd=none"

/* The level of a stream of variable rate is chosen for its average rate, within these bounds. */
#define MAX_NOMINAL_RATE 120
#define DEFAULT_NOMINAL_RATE 30

#define MAX_SIDE_PX 16384

static int check(const Gm__Rendition *r, const Gm__VideoFacts *facts, uint32_t timescale,
                 struct gm_err *err)
{
    if (r == NULL || facts == NULL || r->encode == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "The rendition or its encoder settings are missing");
    }
    if (r->width_px < 2 || r->height_px < 2 || r->width_px > MAX_SIDE_PX ||
        r->height_px > MAX_SIDE_PX || r->width_px % 2 != 0 || r->height_px % 2 != 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "Rendition size %" PRIu32 "x%" PRIu32 " is refused",
                          r->width_px, r->height_px);
    }
    if (timescale == 0 || timescale > INT_MAX) {
        return gm_err_set(err, GM_E_INVAL, 0, "Timescale %" PRIu32 " is refused", timescale);
    }
    const Gm__EncodeParams *p = r->encode;
    if (strcmp(p->codec, "h264") != 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "Codec %s has no encoder here", p->codec);
    }
    if (p->qp > 69 || p->crf > 51 || (p->qp < 0 && p->crf < 0)) {
        return gm_err_set(err, GM_E_INVAL, 0, "Quality crf %" PRId32 " qp %" PRId32 " is refused",
                          p->crf, p->qp);
    }
    /* libx264 counts rates in kbit; libavcodec takes the buffer as int. */
    if (r->maxrate_bps < 0 || r->bufsize_bits < 0 || r->bufsize_bits / 2 > INT_MAX ||
        (r->maxrate_bps > 0 && (r->maxrate_bps < 1000 || r->bufsize_bits < 2000))) {
        return gm_err_set(err, GM_E_INVAL, 0, "Rate cap %" PRId64 " bps / %" PRId64 " bits refused",
                          r->maxrate_bps, r->bufsize_bits);
    }
    return 0;
}

/* Tags as the source has them; what it does not say stays unsaid. The matrix of RGB can't hold for
 * the 4:2:0 picture that the filters make. */
static void set_colour(AVCodecContext *ctx, const Gm__VideoFacts *facts)
{
    int v = av_color_primaries_from_name(facts->primaries);
    ctx->color_primaries = v > 0 ? (enum AVColorPrimaries)v : AVCOL_PRI_UNSPECIFIED;
    v = av_color_transfer_from_name(facts->transfer);
    ctx->color_trc = v > 0 ? (enum AVColorTransferCharacteristic)v : AVCOL_TRC_UNSPECIFIED;
    v = av_color_space_from_name(facts->matrix);
    ctx->colorspace = v > AVCOL_SPC_RGB ? (enum AVColorSpace)v : AVCOL_SPC_UNSPECIFIED;
    ctx->color_range = AVCOL_RANGE_MPEG;
}

static AVRational nominal_rate(const Gm__VideoFacts *facts, AVRational rate)
{
    if (rate.num > 0 && rate.den > 0) {
        return rate;
    }
    const Gm__Rational *f = facts->frame_rate;
    if (f != NULL && f->num > 0 && f->den > 0 && f->num <= INT_MAX && f->den <= INT_MAX &&
        f->num / MAX_NOMINAL_RATE <= f->den && f->num >= f->den) {
        return (AVRational){(int)f->num, (int)f->den};
    }
    return (AVRational){DEFAULT_NOMINAL_RATE, 1};
}

static int set_option(AVCodecContext *ctx, const char *name, const char *value, struct gm_err *err)
{
    int averror = av_opt_set(ctx->priv_data, name, value, 0);
    if (averror < 0) {
        return gm_err_av(err, GM_E_MEDIA, averror, "The encoder refused %s=%s", name, value);
    }
    return 0;
}

static int set_quality(AVCodecContext *ctx, const Gm__Rendition *r, struct gm_err *err)
{
    const Gm__EncodeParams *p = r->encode;
    char number[16];
    if (p->qp >= 0) {
        snprintf(number, sizeof number, "%" PRId32, p->qp);
        return set_option(ctx, "qp", number, err);
    }
    snprintf(number, sizeof number, "%" PRId32, p->crf);
    if (r->maxrate_bps > 0) {
        /* Half of the declared buffer: two joined chunks never ask for more than all of it. */
        ctx->rc_max_rate = r->maxrate_bps;
        ctx->rc_buffer_size = (int)(r->bufsize_bits / 2);
    }
    return set_option(ctx, "crf", number, err);
}

static int set_options(AVCodecContext *ctx, const Gm__Rendition *r, struct gm_err *err)
{
    const char *preset = r->encode->preset[0] != '\0' ? r->encode->preset : "veryfast";
    int rc = set_option(ctx, "preset", preset, err);
    if (rc == 0) {
        rc = set_quality(ctx, r, err);
    }
    if (rc == 0) {
        rc = set_option(ctx, "forced-idr", "1", err);
    }
    if (rc == 0) {
        rc = set_option(ctx, "a53cc", "0", err);
    }
    if (rc == 0) {
        rc = set_option(ctx, "x264-params", gm_av_plain_c() ? BASE_PARAMS ":asm=0" : BASE_PARAMS,
                        err);
    }
    return rc;
}

/* A variable rate whose frames never follow closer than 1/SLOW_RATE s, or too few frames to tell.
 * Decode times of reordered pictures lie close together there, and FFmpeg's readers, which expect a
 * frame's distance between them, see jumps (steps 0.1 s short of that) or guess a wrong rate. */
static bool is_uneven(const Gm__VideoFacts *facts)
{
    AVRational peak = gm_av_rational(facts->peak_rate);
    bool slow = peak.num > 0 && peak.den > 0 && peak.num < (int64_t)SLOW_RATE * peak.den;
    return slow || (facts->frames > 0 && facts->frames < FEW_FRAMES);
}

int gm_encoder_open(const Gm__Rendition *rendition, const Gm__VideoFacts *facts, uint32_t timescale,
                    AVRational rate, AVCodecContext **out, struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    int averror;
    int rc = check(rendition, facts, timescale, err);
    if (rc < 0) {
        return rc;
    }
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    if (codec == NULL) {
        return gm_err_set(err, GM_E_MEDIA, 0, "libavcodec has no libx264 encoder");
    }
    ctx = avcodec_alloc_context3(codec);
    if (ctx == NULL) {
        return gm_err_nomem(err);
    }
    ctx->width = (int)rendition->width_px;
    ctx->height = (int)rendition->height_px;
    ctx->pix_fmt = AV_PIX_FMT_YUV420P;
    ctx->sample_aspect_ratio = (AVRational){1, 1};
    ctx->time_base = (AVRational){1, (int)timescale};
    ctx->framerate = nominal_rate(facts, rate);
    if (rate.num == 0 && is_uneven(facts)) {
        ctx->max_b_frames = 0;
    }
    ctx->thread_count = 1;
    ctx->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP | AV_CODEC_FLAG_BITEXACT;
    set_colour(ctx, facts);
    rc = set_options(ctx, rendition, err);
    if (rc < 0) {
        goto out;
    }
    averror = avcodec_open2(ctx, codec, NULL);
    if (averror < 0) {
        rc = gm_err_av(err, GM_E_MEDIA, averror, "The encoder of %s did not open", rendition->name);
        goto out;
    }
    if (ctx->extradata == NULL || ctx->extradata_size <= 0) {
        rc = gm_err_set(err, GM_E_MEDIA, 0, "The encoder of %s gave no parameter sets",
                        rendition->name);
        goto out;
    }
    *out = ctx;
    ctx = NULL;
out:
    avcodec_free_context(&ctx);
    return rc;
}
