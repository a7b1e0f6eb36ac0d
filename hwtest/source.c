#include "hwtest/lanes.h"

#include <stdlib.h>

#include "media/av.h"
#include "media/decode/device_decoder.h"
#include "media/prove/prove_device.h"

struct gm_hwtest_source {
    struct gm_hwtest_source_params how;
    AVCodecContext *ctx; /* owned; NULL: the farm's is it */
    AVBufferRef *device; /* owned; of the farm's, as the next */
    AVBufferRef *pool;   /* owned: of pictures that stay; NULL: none do, or a VA driver's */
    struct gm_device_decoder *decoder;
    AVPacket *packet; /* owned; scratch */
    int next;         /* of the stream's packets */
    uint64_t sent;
    int idle; /* packets since the last picture */
};

static int open_device(struct gm_hwtest_source *s, struct gm_err *err)
{
    const char *why = NULL;
    int rc = 0;
    if (s->how.held == NULL) {
        rc = gm_device_decoder_hold(s->how.api, s->how.device, &s->device, err);
    } else if ((s->device = av_buffer_ref(s->how.held)) == NULL) {
        rc = gm_err_nomem(err);
    }
    if (rc == 0) {
        rc = gm_device_decoder_open(s->device, s->how.stream->par, s->how.stays ? &s->pool : NULL,
                                    &s->decoder, &why, err);
    }
    if (rc == 0 && s->decoder == NULL) {
        rc = gm_err_set(err, GM_E_MEDIA, 0, "the device does not decode it: %s",
                        why == NULL ? "no reason was given" : why);
    }
    return rc;
}

int gm_hwtest_source_open(const struct gm_hwtest_source_params *params,
                          struct gm_hwtest_source **out, struct gm_err *err)
{
    struct gm_hwtest_source *s = calloc(1, sizeof(*s));
    int rc = 0;
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->how = *params;
    s->packet = av_packet_alloc();
    if (s->packet == NULL) {
        rc = gm_err_nomem(err);
    } else if (params->by == GM_HWTEST_BY_FARM) {
        rc = open_device(s, err);
    } else if (params->by == GM_HWTEST_BY_ENGINE) {
        const struct gm_prove_work work = {.api = params->api,
                                           .codec = params->codec,
                                           .depth = params->depth,
                                           .device = params->device};
        rc = gm_prove_open_decoder(&work, params->stream->par, &s->ctx, err);
    } else {
        rc = gm_decoder_open(params->stream->par, (AVRational){1, GM_HWTEST_RATE}, &s->ctx, err);
    }
    if (rc < 0) {
        gm_hwtest_source_close(&s);
        return rc;
    }
    *out = s;
    return 0;
}

void gm_hwtest_source_close(struct gm_hwtest_source **source)
{
    struct gm_hwtest_source *s = *source;
    if (s == NULL) {
        return;
    }
    avcodec_free_context(&s->ctx);
    gm_device_decoder_close(&s->decoder);
    av_buffer_unref(&s->pool);
    av_buffer_unref(&s->device);
    av_packet_free(&s->packet);
    free(s);
    *source = NULL;
}

/* True: a picture is in frame. */
static int take(struct gm_hwtest_source *s, AVFrame *frame, bool *out_got, struct gm_err *err)
{
    *out_got = false;
    if (s->ctx == NULL) {
        AVFrame *taken = gm_device_decoder_take(s->decoder);
        if (taken != NULL) {
            av_frame_move_ref(frame, taken);
            av_frame_free(&taken);
            *out_got = true;
        }
        return 0;
    }
    int av = avcodec_receive_frame(s->ctx, frame);
    *out_got = av >= 0;
    return av >= 0 || av == AVERROR(EAGAIN) ? 0 : gm_err_av(err, GM_E_MEDIA, av, "decoding failed");
}

/* The stream's next packet, from its end to its start again: a keyframe that ends what was. */
static int feed(struct gm_hwtest_source *s, struct gm_err *err)
{
    const char *why = NULL;
    int av = av_packet_ref(s->packet, s->how.stream->packets[s->next]);
    if (av < 0) {
        return gm_err_nomem(err);
    }
    int64_t round = (int64_t)(s->sent / (uint64_t)s->how.stream->count) * s->how.stream->count;
    s->packet->pts += round;
    s->packet->dts += s->packet->dts == AV_NOPTS_VALUE ? 0 : round;
    int rc = 0;
    if (s->ctx == NULL) {
        s->packet->pts = s->packet->dts = (int64_t)s->sent; /* its id */
        rc = gm_device_decoder_send(s->decoder, s->packet, &why, err);
        if (rc == 0 && why != NULL) {
            rc = gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "the device doubts the stream: %s", why);
        }
    } else {
        av = avcodec_send_packet(s->ctx, s->packet);
        rc = av == AVERROR(EAGAIN) ? 1
             : av < 0              ? gm_err_av(err, GM_E_MEDIA, av,
                                               "a packet was "
                                                            "not taken")
                                   : 0;
    }
    av_packet_unref(s->packet);
    if (rc == 0) {
        s->sent++;
        s->next = s->next + 1 == s->how.stream->count ? 0 : s->next + 1;
    }
    return rc < 0 ? rc : 0; /* not taken now: it is emptied first */
}

int gm_hwtest_source_next(struct gm_hwtest_source *s, AVFrame *frame, struct gm_err *err)
{
    bool got = false;
    av_frame_unref(frame);
    for (;;) {
        int rc = take(s, frame, &got, err);
        if (rc < 0 || got) {
            s->idle = 0;
            return rc;
        }
        if (s->idle++ > 10 * GM_HWTEST_LARGE) {
            return gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "the decoder gives no pictures");
        }
        rc = feed(s, err);
        if (rc < 0) {
            return rc;
        }
    }
}
