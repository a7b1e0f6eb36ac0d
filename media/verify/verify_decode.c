/* Sampled decoding: what a player would see of a segment. */
#include <libavutil/pixdesc.h>
#include <string.h>

#include "media/audio/audio.h"
#include "media/av.h"
#include "media/format/bitstream.h"
#include "media/verify/verify.h"

struct decode {
    const struct gm_verify_segment *s;
    AVCodecContext *ctx; /* owned */
    AVPacket *packet;    /* owned */
    AVFrame *frame;      /* owned */
    size_t frames;
    int width_px, height_px; /* 0: sound */
    enum AVPixelFormat format;
    int sample_rate, channels;
};

static int check_frame(struct decode *d, struct gm_err *err)
{
    const AVFrame *f = d->frame;
    d->frames++;
    if (f->decode_error_flags != 0 || (f->flags & AV_FRAME_FLAG_CORRUPT)) {
        return gm_verify_fail(err, d->s, "frame %zu decodes with errors", d->frames);
    }
    if (f->width != d->width_px || f->height != d->height_px) {
        return gm_verify_fail(err, d->s, "frame %zu is %dx%d instead of %dx%d", d->frames, f->width,
                              f->height, d->width_px, d->height_px);
    }
    if (d->width_px != 0 && f->format != d->format) {
        const char *name = av_get_pix_fmt_name((enum AVPixelFormat)f->format);
        return gm_verify_fail(err, d->s, "frame %zu is %s instead of %s", d->frames,
                              name != NULL ? name : "unknown", av_get_pix_fmt_name(d->format));
    }
    if (d->width_px == 0 &&
        (f->sample_rate != d->sample_rate || f->ch_layout.nb_channels != d->channels)) {
        return gm_verify_fail(err, d->s, "sound decodes to %d Hz, %d channels", f->sample_rate,
                              f->ch_layout.nb_channels);
    }
    return 0;
}

/* packet NULL: the last frames. */
static int decode_packet(struct decode *d, AVPacket *packet, struct gm_err *err)
{
    int got = avcodec_send_packet(d->ctx, packet);
    while (got >= 0) {
        got = avcodec_receive_frame(d->ctx, d->frame);
        if (got >= 0) {
            int rc = check_frame(d, err);
            av_frame_unref(d->frame);
            if (rc < 0) {
                return rc;
            }
        }
    }
    if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) {
        return 0;
    }
    if (got == AVERROR(ENOMEM)) {
        return gm_err_nomem(err);
    }
    return gm_verify_fail(err, d->s, "it does not decode (%s)", av_err2str(got));
}

static int decode_samples(struct decode *d, size_t first, size_t count, struct gm_err *err)
{
    for (size_t i = first; i < first + count; i++) {
        const struct gm_fmp4_read_sample *sample = &d->s->samples[i];
        av_packet_unref(d->packet);
        if (av_new_packet(d->packet, (int)sample->size) < 0) {
            return gm_err_nomem(err);
        }
        memcpy(d->packet->data, d->s->data + sample->offset, sample->size);
        d->packet->pts = sample->pts;
        d->packet->dts = sample->dts;
        int rc = decode_packet(d, d->packet, err);
        if (rc < 0) {
            return rc;
        }
    }
    int rc = decode_packet(d, NULL, err);
    if (rc == 0 && d->frames != count) {
        rc = gm_verify_fail(err, d->s, "%zu frames decode instead of %zu", d->frames, count);
    }
    return rc;
}

static int run(struct decode *d, const AVCodecParameters *par, AVRational time_base, size_t first,
               size_t count, struct gm_err *err)
{
    int rc = gm_decoder_open(par, time_base, &d->ctx, err);
    if (rc < 0) {
        return rc;
    }
    d->ctx->err_recognition |= AV_EF_EXPLODE;
    d->packet = av_packet_alloc();
    d->frame = av_frame_alloc();
    rc = d->packet == NULL || d->frame == NULL ? gm_err_nomem(err)
                                               : decode_samples(d, first, count, err);
    avcodec_free_context(&d->ctx);
    av_packet_free(&d->packet);
    av_frame_free(&d->frame);
    return rc;
}

ptrdiff_t gm_verify_pick(uint32_t chunk, size_t rendition, size_t renditions, size_t gops)
{
    if (gops == 0 || (chunk > 0 && chunk % renditions != rendition)) {
        return -1;
    }
    return (ptrdiff_t)((chunk / renditions + rendition) % gops);
}

int gm_verify_decode_gop(const struct gm_verify_segment *s, size_t gop,
                         const struct gm_fmp4_init *init, const Gm__Rendition *rendition,
                         struct gm_err *err)
{
    struct decode d = {.s = s,
                       .width_px = (int)rendition->width_px,
                       .height_px = (int)rendition->height_px,
                       .format = av_get_pix_fmt(rendition->pixel_format)};
    size_t first = 0, count = 0;
    while (first < s->count && s->samples[first].fragment < gop) {
        first++;
    }
    while (first + count < s->count && s->samples[first + count].fragment == gop) {
        count++;
    }
    AVCodecParameters *par = avcodec_parameters_alloc();
    if (par == NULL) {
        return gm_err_nomem(err);
    }
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = init->codec->id;
    par->width = d.width_px;
    par->height = d.height_px;
    int rc = gm_av_set_extradata(par, init->config, init->config_size, err);
    if (rc == 0) {
        rc = run(&d, par, (AVRational){1, (int)init->timescale}, first, count, err);
    }
    avcodec_parameters_free(&par);
    return rc;
}

int gm_verify_decode_audio(const struct gm_verify_segment *s, const Gm__AudioTrack *track,
                           struct gm_err *err)
{
    struct decode d = {.s = s,
                       .sample_rate = (int)track->params->sample_rate,
                       .channels = (int)track->params->channels};
    AVCodecParameters *par = avcodec_parameters_alloc();
    if (par == NULL) {
        return gm_err_nomem(err);
    }
    par->codec_type = AVMEDIA_TYPE_AUDIO;
    par->codec_id = gm_audio_codec_id(track->params);
    par->sample_rate = d.sample_rate;
    gm_audio_layout(track->params, &par->ch_layout);
    int rc = gm_av_set_extradata(par, track->extradata.data, track->extradata.len, err);
    if (rc == 0) {
        rc = run(&d, par, (AVRational){1, d.sample_rate}, 0, s->count, err);
    }
    avcodec_parameters_free(&par);
    return rc;
}
