/* See audio_encode.h. */
#include "media/audio/audio_encode.h"

#include <stdlib.h>
#include <string.h>

#include "media/audio/audio.h"
#include "media/av.h"

struct gm_audio_encode {
    const Gm__AudioTrack *track; /* borrowed */
    float gain;
    gm_audio_packet_fn fn;
    void *arg;
    uint32_t frame_samples;
    AVCodecContext *encoder; /* owned */
    AVFrame *frame;          /* owned; being filled, `filled` samples so far */
    uint32_t filled;
    int64_t sent;     /* samples given to the encoder */
    int64_t packets;  /* got from it */
    AVPacket *packet; /* owned */
};

static int open_encoder(struct gm_audio_encode *e, struct gm_err *err)
{
    const Gm__AudioTrack *track = e->track;
    int rc = gm_audio_encoder_open(track->params, &e->encoder, err);
    if (rc < 0) {
        return rc;
    }
    if ((size_t)e->encoder->extradata_size != track->extradata.len ||
        memcmp(e->encoder->extradata, track->extradata.data, track->extradata.len) != 0 ||
        e->encoder->initial_padding != (int)track->priming_samples) {
        return gm_err_set(err, GM_E_MEDIA, 0, "this sound encoder is not the one of the plan");
    }
    e->frame = av_frame_alloc();
    e->packet = av_packet_alloc();
    if (e->frame == NULL || e->packet == NULL) {
        return gm_err_nomem(err);
    }
    e->frame->format = e->encoder->sample_fmt;
    e->frame->nb_samples = (int)e->frame_samples;
    e->frame->sample_rate = e->encoder->sample_rate;
    if (av_channel_layout_copy(&e->frame->ch_layout, &e->encoder->ch_layout) < 0 ||
        av_frame_get_buffer(e->frame, 0) < 0) {
        return gm_err_nomem(err);
    }
    return 0;
}

int gm_audio_encode_create(const Gm__AudioTrack *track, float gain, gm_audio_packet_fn fn,
                           void *arg, struct gm_audio_encode **out, struct gm_err *err)
{
    struct gm_audio_encode *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return gm_err_nomem(err);
    }
    e->track = track;
    e->gain = gain;
    e->fn = fn;
    e->arg = arg;
    e->frame_samples = gm_audio_frame_samples(track->params);
    int rc = open_encoder(e, err);
    if (rc < 0) {
        gm_audio_encode_destroy(&e);
        return rc;
    }
    *out = e;
    return 0;
}

void gm_audio_encode_destroy(struct gm_audio_encode **e)
{
    if (*e == NULL) {
        return;
    }
    avcodec_free_context(&(*e)->encoder);
    av_frame_free(&(*e)->frame);
    av_packet_free(&(*e)->packet);
    free(*e);
    *e = NULL;
}

/* Takes the encoder's packets; frame NULL: the last ones. */
static int encode(struct gm_audio_encode *e, AVFrame *frame, struct gm_err *err)
{
    int sent = avcodec_send_frame(e->encoder, frame);
    if (sent < 0) {
        return gm_err_av(err, GM_E_MEDIA, sent, "the sound encoder refused a frame");
    }
    for (;;) {
        int got = avcodec_receive_packet(e->encoder, e->packet);
        if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) {
            return 0;
        }
        if (got < 0) {
            return gm_err_av(err, GM_E_MEDIA, got, "the sound encoder failed");
        }
        int64_t expected = e->packets++ * e->frame_samples - e->track->priming_samples;
        int rc = 0;
        if (e->packet->pts != expected) {
            rc = gm_err_set(err, GM_E_BUG, 0, "sound frame at %lld instead of %lld",
                            (long long)e->packet->pts, (long long)expected);
        } else {
            rc = e->fn(e->packet, e->arg, err);
        }
        av_packet_unref(e->packet);
        if (rc < 0) {
            return rc;
        }
    }
}

/* Samples [from, from + count) of the planes (NULL: silence) into the frame's next places. */
static void fill(struct gm_audio_encode *e, const float *const *planes, size_t from, size_t count)
{
    uint32_t channels = e->track->params->channels;
    bool planar = e->encoder->sample_fmt == AV_SAMPLE_FMT_FLTP;
    size_t step = planar ? 1 : channels;
    for (uint32_t c = 0; c < channels; c++) {
        float *to = planar ? (float *)(void *)e->frame->extended_data[c] + e->filled
                           : (float *)(void *)e->frame->data[0] + e->filled * channels + c;
        for (size_t i = 0; i < count; i++) {
            to[i * step] = planes != NULL ? planes[c][from + i] * e->gain : 0;
        }
    }
    e->filled += (uint32_t)count;
}

int gm_audio_encode_samples(struct gm_audio_encode *e, const float *const *planes, size_t count,
                            struct gm_err *err)
{
    for (size_t done = 0; done < count;) {
        size_t n = e->frame_samples - e->filled;
        n = n < count - done ? n : count - done;
        fill(e, planes, done, n);
        done += n;
        if (e->filled < e->frame_samples) {
            continue;
        }
        e->frame->pts = e->sent;
        e->sent += e->frame_samples;
        e->filled = 0;
        int rc = encode(e, e->frame, err);
        if (rc == 0 && av_frame_make_writable(e->frame) < 0) {
            rc = gm_err_nomem(err);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int gm_audio_encode_end(struct gm_audio_encode *e, struct gm_err *err)
{
    int rc = 0;
    if (e->filled > 0) {
        rc = gm_audio_encode_samples(e, NULL, e->frame_samples - e->filled, err);
    }
    return rc < 0 ? rc : encode(e, NULL, err);
}
