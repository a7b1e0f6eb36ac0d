#include "hwtest/large.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/picture/graph.h"

uint32_t gm_hwtest_large_height(uint32_t height_px, bool quick)
{
    uint32_t times = height_px == 2160 ? 10 : 5;
    return GM_HWTEST_HEIGHT_PX * (quick ? times / 5 : times);
}

static unsigned grain(int x, int y)
{
    return ((unsigned)(x * 7) ^ (unsigned)(y * 13)) & 7;
}

static int enlarge(const AVFrame *from, int times, AVFrame **out, struct gm_err *err)
{
    AVFrame *f = gm_av_frame(from->format, from->width * times, from->height * times);
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    bool deep = from->format != AV_PIX_FMT_YUV420P;
    f->color_range = AVCOL_RANGE_MPEG;
    f->chroma_location = AVCHROMA_LOC_LEFT;
    f->sample_aspect_ratio = (AVRational){1, 1};
    for (int plane = 0; plane < 3; plane++) {
        int w = plane == 0 ? f->width : f->width / 2, h = plane == 0 ? f->height : f->height / 2;
        for (int y = 0; y < h; y++) {
            const uint8_t *a = from->data[plane] + (ptrdiff_t)(y / times) * from->linesize[plane];
            uint8_t *b = f->data[plane] + (ptrdiff_t)y * f->linesize[plane];
            for (int x = 0; x < w && !deep; x++) {
                b[x] = (uint8_t)(a[x / times] + grain(x, y));
            }
            for (int x = 0; x < w && deep; x++) {
                ((uint16_t *)(void *)b)[x] =
                    (uint16_t)(((const uint16_t *)(const void *)a)[x / times] + 4 * grain(x, y));
            }
        }
    }
    *out = f;
    return 0;
}

int gm_hwtest_large(uint32_t depth, uint32_t height_px, struct gm_hwtest_pictures *out,
                    struct gm_err *err)
{
    struct gm_hwtest_pictures small = {0};
    int rc = gm_hwtest_pattern(depth, &small, err);
    for (int i = 0; rc == 0 && i < GM_HWTEST_LARGE; i++) {
        rc = enlarge(small.frame[i + 24], (int)(height_px / GM_HWTEST_HEIGHT_PX), &out->frame[i],
                     err);
        out->count += rc == 0 ? 1 : 0;
    }
    gm_hwtest_pictures_fini(&small);
    return rc;
}

int gm_hwtest_large_send(struct gm_encoder *encoder, const AVFrame *picture, int64_t number,
                         AVFrame *frame, struct gm_err *err)
{
    av_frame_unref(frame);
    if (av_frame_ref(frame, picture) < 0) {
        return gm_err_nomem(err);
    }
    frame->pts = number;
    frame->pict_type = number % GM_HWTEST_LARGE_KEY == 0 ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    return gm_encoder_send(encoder, frame, err);
}

int gm_hwtest_large_drain(struct gm_encoder *encoder, AVPacket *packet, uint64_t *io_count,
                          struct gm_err *err)
{
    bool got = true;
    int rc = 0;
    while (rc == 0 && got) {
        rc = gm_encoder_receive(encoder, packet, &got, err);
        if (rc == 0 && got) {
            ++*io_count;
            av_packet_unref(packet);
        }
    }
    return rc;
}

/* What only the stream itself tells, as a demuxer would find it: the profile. */
static int find_profile(struct gm_hwtest_stream *s, AVFrame *frame, struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    bool got = false;
    int rc = gm_decoder_open(s->par, (AVRational){1, GM_HWTEST_RATE}, &ctx, err);
    for (int i = 0; rc == 0 && !got && i <= s->count; i++) {
        int av = avcodec_send_packet(ctx, i < s->count ? s->packets[i] : NULL);
        rc = av < 0 ? gm_err_av(err, GM_E_MEDIA, av, "software did not take packet %d", i) : 0;
        got = rc == 0 && avcodec_receive_frame(ctx, frame) >= 0;
    }
    if (rc == 0 && !got) {
        rc = gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "software decoded none of the pictures");
    }
    if (rc == 0) {
        s->par->profile = ctx->profile;
    }
    av_frame_unref(frame);
    avcodec_free_context(&ctx);
    return rc;
}

int gm_hwtest_large_stream(const struct gm_hwtest_encoding *how,
                           const struct gm_hwtest_pictures *in, struct gm_hwtest_stream *out,
                           struct gm_err *err)
{
    struct gm_encoder *encoder = NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    size_t size = 0;
    int rc = packet == NULL || frame == NULL ? gm_err_nomem(err)
                                             : gm_hwtest_open_encoder(how, &encoder, err);
    out->par = avcodec_parameters_alloc();
    if (rc == 0 && out->par == NULL) {
        rc = gm_err_nomem(err);
    }
    for (int i = 0; rc == 0 && i <= in->count; i++) {
        rc = i < in->count ? gm_hwtest_large_send(encoder, in->frame[i], i, frame, err)
                           : gm_encoder_send(encoder, NULL, err);
        if (rc == 0) {
            rc = gm_hwtest_take_packets(encoder, packet, out, err);
        }
    }
    if (rc == 0 && out->count != in->count) {
        rc = gm_err_set(err, GM_E_MEDIA_VERIFY, out->count, "%d packets came of %d pictures",
                        out->count, in->count);
    }
    if (rc == 0) {
        const uint8_t *headers = gm_encoder_headers(encoder, &size);
        rc = gm_hwtest_parameters(how, headers, size, out->par, err);
    }
    if (rc == 0) {
        rc = find_profile(out, frame, err);
    }
    gm_encoder_close(&encoder);
    av_packet_free(&packet);
    av_frame_free(&frame);
    return rc;
}
