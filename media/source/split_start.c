#include "media/source/split_start.h"

#include <stdlib.h>

/* See split_start.h. Damage is what a decoder says of it: errors, and pictures that it marks. */

/* clean: damaged keyframes don't count. */
static uint64_t find_start(const struct gm_split_store *s, uint64_t min_id, int64_t ordinal,
                           bool clean)
{
    uint64_t first = gm_split_store_first(s);
    bool open = false;
    for (uint64_t id = min_id < s->next_id ? min_id : s->next_id - 1;
         s->count > 0 && id >= first && id != UINT64_MAX; id--) {
        const struct gm_split_packet *p = gm_split_store_find(s, id);
        if ((p->flags & AV_PKT_FLAG_KEY) == 0 || p->unfit || (clean && p->damaged)) {
            continue;
        }
        if (open) {
            return id; /* one further back */
        }
        if (p->shown >= 0 && p->shown <= ordinal) {
            if (p->closed) {
                return id;
            }
            open = true;
        }
    }
    return first;
}

uint64_t gm_split_start(const struct gm_split_store *s, uint64_t min_id, int64_t ordinal)
{
    return find_start(s, min_id, ordinal, false);
}

/* Whether a new decoder finds damage in what it is given. A keyframe that shows nothing by itself
 * (a hidden one, a first field) is taken for whole. */
static int decode_alone(AVCodecContext *ctx, const AVPacket *packet, bool *out_damaged,
                        struct gm_err *err)
{
    AVFrame *frame = av_frame_alloc();
    if (frame == NULL) {
        return gm_err_nomem(err);
    }
    bool damaged = false;
    int av = avcodec_send_packet(ctx, packet);
    if (av >= 0) {
        av = avcodec_send_packet(ctx, NULL);
    }
    while (av >= 0) {
        av = avcodec_receive_frame(ctx, frame);
        damaged = damaged || (av >= 0 && frame->decode_error_flags != 0);
        av_frame_unref(frame);
    }
    av_frame_free(&frame);
    if (av == AVERROR(ENOMEM)) {
        return gm_err_nomem(err);
    }
    *out_damaged = damaged || av != AVERROR_EOF;
    return 0;
}

static int try_keyframe(struct gm_split_store *s, struct gm_split_packet *p, struct gm_err *err)
{
    AVCodecParameters *par = NULL;
    AVCodecContext *ctx = NULL;
    AVPacket *packet = av_packet_alloc();
    uint8_t *data = NULL;
    size_t size;
    int rc =
        packet != NULL ? gm_split_store_codecpar(s, p->id, &data, &size, err) : gm_err_nomem(err);
    if (rc == 0) {
        rc = gm_codecpar_decode(data, size, &par, err);
    }
    if (rc == 0) {
        rc = gm_decoder_open(par, s->stream->time_base, &ctx, err);
    }
    if (rc == 0) {
        rc = gm_split_store_packet(s, p->id, packet, err);
    }
    if (rc == 0 && packet->size > 0) {
        rc = decode_alone(ctx, packet, &p->damaged, err);
    }
    p->damaged = p->damaged || p->size == 0 || (p->flags & AV_PKT_FLAG_CORRUPT) != 0;
    p->tried = true;
    av_packet_free(&packet);
    avcodec_free_context(&ctx);
    avcodec_parameters_free(&par);
    free(data);
    return rc;
}

int gm_split_start_clean(struct gm_split_store *s, uint64_t min_id, int64_t ordinal,
                         uint64_t *out_id, struct gm_err *err)
{
    uint64_t plain = gm_split_start(s, min_id, ordinal);
    for (;;) {
        uint64_t id = find_start(s, min_id, ordinal, true);
        struct gm_split_packet *p = gm_split_store_find(s, id);
        bool key = p != NULL && (p->flags & AV_PKT_FLAG_KEY) != 0 && !p->unfit &&
                   plain - id <= GM_SPLIT_PASSED;
        if (key && !p->tried) {
            int rc = try_keyframe(s, p, err);
            if (rc < 0) {
                return rc;
            }
            continue;
        }
        *out_id = key && !p->damaged ? id : plain;
        return 0;
    }
}
