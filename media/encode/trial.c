#include "media/encode/trial.h"

#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>

#include "media/av.h"

/* Packets go from the encoder straight into a decoder. Pictures come out in the order of their time
 * stamps, so those that wait to be compared are a queue. */
#define EVERY 3         /* pictures, of which one is compared */
#define MOST_WAITING 96 /* look-ahead, reorder and the decoder's own, every third */

struct waiting {
    AVFrame *frame; /* owned */
    int64_t pts;
};

struct gm_trial {
    struct gm_trial_params p;
    struct gm_encoder *encoder; /* owned */
    AVCodecContext *decoder;    /* owned; NULL: nothing is compared */
    AVPacket *packet;           /* owned */
    AVFrame *picture;           /* owned */
    struct waiting waiting[MOST_WAITING];
    size_t first, count; /* a ring */
    int64_t bits;
    size_t packets, pictures;
    struct gm_compare sum;
};

static int open_encoder(struct gm_trial *t, struct gm_err *err)
{
    const struct gm_trial_params *p = &t->p;
    const Gm__ChunkHeader *h = p->header;
    Gm__Rendition bare = *p->policy->renditions[p->rendition];
    struct gm_vbv vbv;
    struct gm_vbv_limits limits;
    bool capped = p->capped && gm_vbv_declared(&bare, p->policy->timescale, &vbv);
    if (capped) {
        int64_t duration = h->end_ts - h->frames[0]->out_ts;
        gm_vbv_limits(&vbv, duration > 0 ? duration : 1, h->last, 0, &limits);
    } else {
        bare.maxrate_bps = bare.bufsize_bits = 0;
    }
    struct gm_encoder_params encoder = {.rendition = &bare,
                                        .facts = p->facts,
                                        .timescale = p->policy->timescale,
                                        .rate = gm_av_rational(p->policy->timescale_rate),
                                        .limits = capped ? &limits : NULL,
                                        .crf_centi = p->crf_centi};
    return gm_encoder_open(&encoder, &t->encoder, err);
}

static int open_decoder(struct gm_trial *t, struct gm_err *err)
{
    const Gm__Rendition *r = t->p.policy->renditions[t->p.rendition];
    const AVCodecDescriptor *desc = avcodec_descriptor_get_by_name(r->encode->codec);
    if (desc == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "codec %s is unknown", r->encode->codec);
    }
    AVCodecParameters *par = avcodec_parameters_alloc();
    size_t size = 0;
    const uint8_t *headers = gm_encoder_headers(t->encoder, &size);
    if (par == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_av_set_extradata(par, headers, size, err);
    if (rc == 0) {
        par->codec_type = AVMEDIA_TYPE_VIDEO;
        par->codec_id = desc->id;
        par->width = (int)r->width_px;
        par->height = (int)r->height_px;
        rc = gm_decoder_open(par, (AVRational){1, (int)t->p.policy->timescale}, &t->decoder, err);
    }
    avcodec_parameters_free(&par);
    return rc;
}

int gm_trial_open(const struct gm_trial_params *params, struct gm_trial **out, struct gm_err *err)
{
    struct gm_trial *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return gm_err_nomem(err);
    }
    t->p = *params;
    t->packet = av_packet_alloc();
    t->picture = av_frame_alloc();
    int rc = t->packet != NULL && t->picture != NULL ? 0 : gm_err_nomem(err);
    if (rc == 0) {
        rc = open_encoder(t, err);
    }
    if (rc == 0 && params->compare) {
        rc = open_decoder(t, err);
    }
    if (rc < 0) {
        gm_trial_close(&t);
        return rc;
    }
    *out = t;
    return 0;
}

void gm_trial_close(struct gm_trial **trial)
{
    struct gm_trial *t = *trial;
    if (t == NULL) {
        return;
    }
    for (; t->count > 0; t->count--) {
        av_frame_free(&t->waiting[t->first].frame);
        t->first = (t->first + 1) % MOST_WAITING;
    }
    gm_encoder_close(&t->encoder);
    avcodec_free_context(&t->decoder);
    av_packet_free(&t->packet);
    av_frame_free(&t->picture);
    free(t);
    *trial = NULL;
}

static int keep(struct gm_trial *t, const AVFrame *frame, struct gm_err *err)
{
    if (t->count == MOST_WAITING) {
        return gm_err_set(err, GM_E_MEDIA, MOST_WAITING,
                          "the encoder holds too many pictures back");
    }
    AVFrame *copy = av_frame_clone(frame);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    t->waiting[(t->first + t->count++) % MOST_WAITING] = (struct waiting){copy, frame->pts};
    return 0;
}

static int compare(struct gm_trial *t, struct gm_err *err)
{
    struct waiting *w = &t->waiting[t->first];
    t->pictures++;
    if (t->count == 0 || w->pts != t->picture->pts) {
        return 0; /* not one of those that are looked at */
    }
    int rc = gm_compare_add(&t->sum, w->frame, t->picture, err);
    av_frame_free(&w->frame);
    t->first = (t->first + 1) % MOST_WAITING;
    t->count--;
    return rc;
}

/* packet NULL: the last pictures. */
static int decode(struct gm_trial *t, const AVPacket *packet, struct gm_err *err)
{
    int av = avcodec_send_packet(t->decoder, packet);
    while (av >= 0) {
        av = avcodec_receive_frame(t->decoder, t->picture);
        if (av >= 0) {
            int rc = compare(t, err);
            av_frame_unref(t->picture);
            if (rc < 0) {
                return rc;
            }
        }
    }
    if (av == AVERROR(EAGAIN) || av == AVERROR_EOF) {
        return 0;
    }
    return gm_err_av(err, GM_E_MEDIA, av, "a trial does not decode");
}

/* frame NULL: flush. */
static int encode(struct gm_trial *t, const AVFrame *frame, struct gm_err *err)
{
    int rc = gm_encoder_send(t->encoder, frame, err);
    bool got = true;
    while (rc == 0 && got) {
        rc = gm_encoder_receive(t->encoder, t->packet, &got, err);
        if (rc == 0 && got) {
            t->bits += (int64_t)t->packet->size * 8;
            t->packets++;
            rc = t->decoder != NULL ? decode(t, t->packet, err) : 0;
            av_packet_unref(t->packet);
        }
    }
    return rc;
}

int gm_trial_frame(struct gm_trial *t, size_t index, AVFrame *frame, struct gm_err *err)
{
    const Gm__FrameEntry *entry = t->p.header->frames[index];
    frame->pts = entry->out_ts;
    frame->pict_type = entry->gop_start ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    int rc = t->decoder != NULL && index % EVERY == 0 ? keep(t, frame, err) : 0;
    return rc == 0 ? encode(t, frame, err) : rc;
}

int gm_trial_finish(struct gm_trial *t, struct gm_err *err)
{
    size_t frames = t->p.header->n_frames;
    int rc = encode(t, NULL, err);
    if (rc == 0 && t->decoder != NULL) {
        rc = decode(t, NULL, err);
    }
    if (rc == 0 &&
        (t->packets != frames || t->count > 0 || (t->decoder != NULL && t->pictures != frames))) {
        rc = gm_err_set(err, GM_E_MEDIA, 0,
                        "a trial of %zu pictures gave %zu packets and %zu pictures", frames,
                        t->packets, t->pictures);
    }
    return rc;
}

int64_t gm_trial_bits(const struct gm_trial *t)
{
    return t->bits;
}

const struct gm_compare *gm_trial_compare(const struct gm_trial *t)
{
    return &t->sum;
}
