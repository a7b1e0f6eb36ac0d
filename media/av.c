#include "media/av.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libavutil/opt.h>

/* What every file of media/ shares about libav*: error conversion, exact rescaling of times, and
 * the one way decoders are opened. */

int gm_err_av(struct gm_err *err, enum gm_code code, int averror, const char *fmt, ...)
{
    char text[160];
    char why[AV_ERROR_MAX_STRING_SIZE];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (averror == AVERROR(ENOMEM)) {
        code = GM_E_NOMEM;
    } else if (averror == AVERROR(ENOSPC) || averror == AVERROR(EFBIG)) {
        /* the largest file that a worker may write is what scratch space there was */
        code = GM_E_NO_SCRATCH;
    }
    if (av_strerror(averror, why, sizeof why) < 0) {
        (void)snprintf(why, sizeof why, "error %d", averror);
    }
    return gm_err_set(err, code, averror, "%s: %s", text, why);
}

AVRational gm_av_rational(const Gm__Rational *r)
{
    AVRational out = {0, 1};
    if (r != NULL && r->den != 0) {
        (void)av_reduce(&out.num, &out.den, r->num, r->den, INT32_MAX);
        if (out.den == 0) {
            out = (AVRational){0, 1};
        }
    }
    return out;
}

int64_t gm_av_rescale(int64_t ticks, AVRational from, AVRational to)
{
    if (ticks == AV_NOPTS_VALUE || from.den == 0 || to.num == 0) {
        return AV_NOPTS_VALUE;
    }
    /* 64 + 31 + 31 bits: nothing overflows. */
    __int128 a = (__int128)ticks * from.num * to.den;
    __int128 c = (__int128)from.den * to.num;
    if (c < 0) {
        a = -a;
        c = -c;
    }
    bool negative = a < 0;
    if (negative) {
        a = -a;
    }
    __int128 q = a / c;
    if ((a % c) * 2 >= c) {
        q++;
    }
    if (q > INT64_MAX) {
        q = INT64_MAX;
    }
    return negative ? -(int64_t)q : (int64_t)q;
}

AVRational gm_av_aspect(AVRational a)
{
    bool meant = a.num > 0 && a.den > 0 && a.num / a.den <= 100 && a.den / a.num <= 100;
    return meant ? a : (AVRational){1, 1};
}

int64_t gm_decoder_pixels(int64_t max_pixels)
{
    return max_pixels + max_pixels / 8 + 64 * 1024;
}

/* Alpha of VP8 and VP9 lies beside the packets, where only libvpx's decoders look. */
static const AVCodec *find_decoder(const AVCodecParameters *par)
{
    const AVCodec *codec = NULL;
    if (par->format == AV_PIX_FMT_YUVA420P && par->codec_id == AV_CODEC_ID_VP8) {
        codec = avcodec_find_decoder_by_name("libvpx");
    } else if (par->format == AV_PIX_FMT_YUVA420P && par->codec_id == AV_CODEC_ID_VP9) {
        codec = avcodec_find_decoder_by_name("libvpx-vp9");
    }
    return codec != NULL ? codec : avcodec_find_decoder(par->codec_id);
}

/* Decoders of codecs that know keyframes alone leave what is damaged of a picture unwritten, some
 * without saying so (Motion JPEG): what an earlier picture left there would be shown. */
static int clean_buffer(AVCodecContext *ctx, AVFrame *frame, int flags)
{
    int av = avcodec_default_get_buffer2(ctx, frame, flags);
    for (int i = 0; av >= 0 && i < AV_NUM_DATA_POINTERS && frame->buf[i] != NULL; i++) {
        memset(frame->buf[i]->data, 0, (size_t)frame->buf[i]->size);
    }
    return av;
}

int gm_decoder_open(const AVCodecParameters *par, AVRational packet_time_base, AVCodecContext **out,
                    struct gm_err *err)
{
    const AVCodec *codec = find_decoder(par);
    if (codec == NULL) {
        return gm_err_set(err, GM_E_INPUT_CODEC, AVERROR_DECODER_NOT_FOUND,
                          "there is no decoder for %s", avcodec_get_name(par->codec_id));
    }
    AVCodecContext *ctx = avcodec_alloc_context3(codec);
    if (ctx == NULL) {
        return gm_err_nomem(err);
    }
    int rc = 0;
    int av = avcodec_parameters_to_context(ctx, par);
    if (av < 0) {
        rc = gm_err_av(err, GM_E_MEDIA, av, "decoder %s refused its parameters", codec->name);
        goto out;
    }
    ctx->pkt_timebase = packet_time_base;
    ctx->thread_count = 1;
    int64_t pixels = (int64_t)par->width * par->height; /* a stream may say more later */
    ctx->max_pixels = gm_decoder_pixels(pixels > GM_DEFAULT_PIXELS ? pixels : GM_DEFAULT_PIXELS);
    /* bitexact: the MPEG family's transforms and interpolation else differ between processors;
     * unaligned: pictures cropped on the left are else wider than their stream says */
    ctx->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT | AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_UNALIGNED;
    const AVCodecDescriptor *desc = avcodec_descriptor_get(par->codec_id);
    if (desc != NULL && par->codec_type == AVMEDIA_TYPE_VIDEO &&
        (desc->props & AV_CODEC_PROP_INTRA_ONLY) != 0 &&
        (codec->capabilities & AV_CODEC_CAP_DR1) != 0) {
        ctx->get_buffer2 = clean_buffer;
    }
    av = avcodec_open2(ctx, codec, NULL);
    if (av < 0) {
        rc = gm_err_av(err, GM_E_MEDIA, av, "decoder %s did not open", codec->name);
        goto out;
    }
    *out = ctx;
    ctx = NULL;
out:
    avcodec_free_context(&ctx);
    return rc;
}

const AVHWFramesContext *gm_av_pool(const AVBufferRef *pool)
{
    return (const AVHWFramesContext *)(const void *)pool->data;
}

AVFrame *gm_av_frame(enum AVPixelFormat format, int width_px, int height_px)
{
    AVFrame *f = av_frame_alloc();
    if (f != NULL) {
        f->format = format;
        f->width = width_px;
        f->height = height_px;
        if (av_frame_get_buffer(f, 0) < 0) {
            av_frame_free(&f);
        }
    }
    return f;
}

int gm_av_set_extradata(AVCodecParameters *par, const void *data, size_t size, struct gm_err *err)
{
    av_freep(&par->extradata);
    par->extradata_size = 0;
    if (size == 0) {
        return 0;
    }
    if (size > INT_MAX - AV_INPUT_BUFFER_PADDING_SIZE) {
        return gm_err_set(err, GM_E_LIMIT, 0, "Extradata of %zu bytes", size);
    }
    par->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (par->extradata == NULL) {
        return gm_err_nomem(err);
    }
    memcpy(par->extradata, data, size);
    par->extradata_size = (int)size;
    return 0;
}
