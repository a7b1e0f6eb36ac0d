#include "media/decode/frames_decoder.h"

#include <stdlib.h>
#include <string.h>

#include "media/av.h"

/* Packets carry their id as time stamp and as reordered_opaque: libavcodec copies both to the frame
 * that the packet begins. Damage is an error from the decoder or a picture that it marks; what
 * happens before the first listed packet (lead-in of an open GOP) is none. */

#define MAX_DRAIN_ERRORS 64 /* then the decoder is given up */
#define MAX_SEND_TRIES 64

bool gm_frames_decoder_is_open(const struct gm_frames *f)
{
    return f->decoder != NULL || f->device.decoder != NULL;
}

void gm_frames_decoder_close(struct gm_frames *f)
{
    avcodec_free_context(&f->decoder);
    gm_frames_device_close(&f->device);
    gm_frames_keep_clear(&f->keep);
    f->any = false;
}

int gm_frames_decoder_open(struct gm_frames *f, struct gm_frames_chunk *c, const uint8_t *data,
                           size_t size, struct gm_err *err)
{
    AVCodecParameters *par = NULL;
    uint8_t *copy = malloc(size + 1);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_codecpar_decode(data, size, &par, err);
    if (rc < 0) {
        goto out;
    }
    gm_frames_decoder_close(f);
    rc = c->soft ? 0 : gm_frames_device_open(&f->device, par, err);
    c->on_device = f->device.decoder != NULL;
    if (rc == 0 && !c->on_device) {
        rc = gm_decoder_open(par, gm_av_rational(c->header->time_base), &f->decoder, err);
    }
    if (rc < 0) {
        goto out;
    }
    memcpy(copy, data, size);
    f->codec = par->codec_id;
    free(f->par);
    f->par = copy;
    f->par_size = size;
    copy = NULL;
out:
    avcodec_parameters_free(&par);
    free(copy);
    return rc;
}

/* Damage while packet `id` was decoded. */
static void note_damage(struct gm_frames *f, uint64_t id)
{
    for (struct gm_frames_chunk *c = f->first; c != NULL && c->started; c = c->after) {
        if (id >= c->reach_id) {
            c->dirty = true;
            if (id >= c->min_id && id <= c->max_id) {
                c->stats.errors++;
            }
        }
    }
}

/* frame: taken, also on failure. */
static int take_frame(struct gm_frames *f, AVFrame *frame, struct gm_err *err)
{
    bool own = false;
    bool listed = false;
    int rc = 0;
    if (frame->reordered_opaque < 0) {
        av_frame_free(&frame);
        return 0;
    }
    uint64_t id = (uint64_t)frame->reordered_opaque;
    f->decoded++;
    if ((frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame->decode_error_flags != 0) {
        note_damage(f, id);
    }
    struct gm_frames_chunk *last = f->first;
    for (struct gm_frames_chunk *c = f->first; c != NULL && c->started && rc == 0; c = c->after) {
        enum gm_frames_use use;
        rc = gm_frames_chunk_offer(c, id, frame, &use, err);
        own = own || use == GM_FRAMES_AS_OWN;
        listed = listed || use != GM_FRAMES_UNLISTED;
        last = c;
    }
    GM_ASSERT(last != NULL); /* a chunk is being fed */
    f->spare += !own && !f->anew;
    if (rc < 0 || own) {
        av_frame_free(&frame);
        return rc;
    }
    if (last->arrived && !listed) {
        last->unlisted++;
    }
    if (last->arrived || id > last->max_id || last->own == last->own_end) {
        gm_frames_keep_spare(&f->keep, id, frame);
        return 0;
    }
    if (last == f->first && !listed) {
        av_frame_free(&f->before);
        f->before = frame;
        return 0;
    }
    av_frame_free(&frame);
    return 0;
}

/* To the device's decoder, and all pictures that it has ready. packet: NULL: the end. */
static int decode_on_device(struct gm_frames *f, const AVPacket *packet, struct gm_err *err)
{
    enum gm_frames_doubt doubt = GM_FRAMES_FIT;
    const char *why = NULL;
    int rc = gm_frames_device_send(&f->device, packet, &doubt, &why, err);
    while (rc == 0 && doubt == GM_FRAMES_FIT) {
        AVFrame *frame = NULL;
        rc = gm_frames_device_take(&f->device, &frame, &doubt, &why, err);
        if (rc < 0 || frame == NULL) {
            break;
        }
        rc = take_frame(f, frame, err);
    }
    if (rc == 0 && doubt != GM_FRAMES_FIT) {
        f->doubt = why;
    }
    return rc;
}

/* Takes all pictures that the decoder has ready. *out_end: it was flushed and is empty. */
static int receive(struct gm_frames *f, uint64_t id, bool *out_end, struct gm_err *err)
{
    for (;;) {
        AVFrame *frame = av_frame_alloc();
        if (frame == NULL) {
            return gm_err_nomem(err);
        }
        int av = avcodec_receive_frame(f->decoder, frame);
        if (av < 0) {
            av_frame_free(&frame);
        }
        if (av == AVERROR(EAGAIN) || av == AVERROR_EOF) {
            *out_end = av == AVERROR_EOF;
            return 0;
        }
        if (av == AVERROR(ENOMEM)) {
            return gm_err_nomem(err);
        }
        if (av < 0) {
            note_damage(f, id);
            *out_end = false;
            return 0;
        }
        int rc = take_frame(f, frame, err);
        if (rc < 0) {
            return rc;
        }
    }
}

int gm_frames_decoder_drain(struct gm_frames *f, struct gm_err *err)
{
    bool end = false;
    int rc = 0;
    if (f->device.decoder != NULL) {
        return decode_on_device(f, NULL, err);
    }
    if (f->decoder == NULL) {
        return 0;
    }
    int av = avcodec_send_packet(f->decoder, NULL);
    if (av == AVERROR(ENOMEM)) {
        return gm_err_nomem(err);
    }
    for (int i = 0; i < MAX_DRAIN_ERRORS && !end && rc == 0; i++) {
        rc = receive(f, f->last_id, &end, err);
    }
    return rc;
}

static int send_packet(struct gm_frames *f, uint64_t id, struct gm_err *err)
{
    bool end;
    if (f->device.decoder != NULL) {
        return decode_on_device(f, f->packet, err);
    }
    for (int i = 0; i < MAX_SEND_TRIES; i++) {
        int av = avcodec_send_packet(f->decoder, f->packet);
        if (av == AVERROR(ENOMEM)) {
            return gm_err_nomem(err);
        }
        if (av < 0 && av != AVERROR(EAGAIN)) {
            note_damage(f, id);
        }
        int rc = receive(f, id, &end, err);
        if (rc < 0 || av != AVERROR(EAGAIN)) {
            return rc;
        }
    }
    note_damage(f, id);
    return 0;
}

int gm_frames_decoder_packet(struct gm_frames *f, const struct gm_chunk_packet *p,
                             struct gm_err *err)
{
    if (p->id > INT64_MAX) {
        return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "A packet's number is out of range");
    }
    int rc = gm_frames_packet_fill(&f->source, p, f->packet, err);
    if (rc == 0) {
        if (f->decoder != NULL) {
            f->decoder->reordered_opaque = (int64_t)p->id;
        }
        f->last_id = p->id;
        f->any = true;
        /* An empty packet would flush the decoder; it shows nothing. */
        rc = p->size > 0 || p->sides > 0 ? send_packet(f, p->id, err) : 0;
    }
    if (rc == 0 && f->source.tick != NULL) {
        f->source.tick(f->source.arg);
    }
    av_packet_unref(f->packet);
    return rc;
}
