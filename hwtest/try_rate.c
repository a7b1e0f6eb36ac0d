/* What one process of the farm makes a second: decoding, encoding, and the whole recipe of a
 * ladder, by the code that the farm's workers run, one thread. The pictures are generated: the
 * clip's, five or ten times as large, with a fine grain. */
#include "hwtest/clip.h"
#include "hwtest/level1.h"
#include "hwtest/meter.h"
#include "hwtest/try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/graph.h"

#define PICTURES 24
#define KEY_EVERY 60
#define RUNGS 4

/* Large pictures made of the clip's. */
static int enlarge(const AVFrame *from, int times, AVFrame **out, struct gm_err *err)
{
    AVFrame *f = gm_av_frame(from->format, from->width * times, from->height * times);
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    f->color_range = AVCOL_RANGE_MPEG;
    f->chroma_location = AVCHROMA_LOC_LEFT;
    f->sample_aspect_ratio = (AVRational){1, 1};
    for (int plane = 0; plane < 3; plane++) {
        int w = plane == 0 ? f->width : f->width / 2, h = plane == 0 ? f->height : f->height / 2;
        for (int y = 0; y < h; y++) {
            const uint8_t *a = from->data[plane] + (ptrdiff_t)(y / times) * from->linesize[plane];
            uint8_t *b = f->data[plane] + (ptrdiff_t)y * f->linesize[plane];
            for (int x = 0; x < w; x++) {
                b[x] = (uint8_t)(a[x / times] + (((unsigned)(x * 7) ^ (unsigned)(y * 13)) & 7));
            }
        }
    }
    *out = f;
    return 0;
}

static int make_pictures(int times, struct gm_hwtest_pictures *out, struct gm_err *err)
{
    struct gm_hwtest_pictures small = {0};
    int rc = gm_hwtest_pattern(8, &small, err);
    for (int i = 0; rc == 0 && i < PICTURES; i++) {
        rc = enlarge(small.frame[i + 24], times, &out->frame[i], err);
        out->count += rc == 0 ? 1 : 0;
    }
    gm_hwtest_pictures_fini(&small);
    return rc;
}

/* Packets that are ready; each is a tick where meter is given. keep: where they go; NULL: nowhere.
 * *io_over: the window is over. */
static int drain(struct gm_encoder *encoder, AVPacket *packet, struct gm_hwtest_meter *meter,
                 struct gm_hwtest_stream *keep, bool *io_over, struct gm_err *err)
{
    bool got = true;
    int rc = 0;
    while (rc == 0 && got) {
        rc = gm_encoder_receive(encoder, packet, &got, err);
        if (rc < 0 || !got) {
            break;
        }
        if (meter != NULL && gm_hwtest_meter_tick(meter, gm_time_now())) {
            *io_over = true;
        }
        if (keep != NULL && keep->count < PICTURES) {
            keep->packets[keep->count] = av_packet_clone(packet);
            rc = keep->packets[keep->count] == NULL ? gm_err_nomem(err) : 0;
            keep->count += rc == 0 ? 1 : 0;
        }
        av_packet_unref(packet);
    }
    return rc;
}

static int send(struct gm_encoder *encoder, AVFrame *frame, int64_t number, struct gm_err *err)
{
    frame->pts = number;
    frame->pict_type = number % KEY_EVERY == 0 ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    return gm_encoder_send(encoder, frame, err);
}

static int measure_encode(const struct gm_hwtest_encoding *how, struct gm_hwtest_pictures *in,
                          struct gm_hwtest_meter *meter, struct gm_err *err)
{
    struct gm_encoder *encoder = NULL;
    AVPacket *packet = av_packet_alloc();
    bool over = false;
    int rc = packet == NULL ? gm_err_nomem(err) : gm_hwtest_open_encoder(how, &encoder, err);
    for (int64_t i = 0; rc == 0 && !over; i++) {
        rc = send(encoder, in->frame[i % PICTURES], i, err);
        if (rc == 0) {
            rc = drain(encoder, packet, meter, NULL, &over, err);
        }
    }
    gm_encoder_close(&encoder);
    av_packet_free(&packet);
    return rc;
}

/* PICTURES packets of them, for the decoder. */
static int make_stream(const struct gm_hwtest_encoding *how, struct gm_hwtest_pictures *in,
                       struct gm_hwtest_stream *out, struct gm_err *err)
{
    struct gm_encoder *encoder = NULL;
    AVPacket *packet = av_packet_alloc();
    bool over = false;
    size_t size = 0;
    int rc = packet == NULL ? gm_err_nomem(err) : gm_hwtest_open_encoder(how, &encoder, err);
    out->packets = calloc(PICTURES, sizeof(*out->packets));
    out->par = avcodec_parameters_alloc();
    if (rc == 0 && (out->packets == NULL || out->par == NULL)) {
        rc = gm_err_nomem(err);
    }
    for (int i = 0; rc == 0 && i <= PICTURES; i++) {
        rc = i < PICTURES ? send(encoder, in->frame[i], i, err)
                          : gm_encoder_send(encoder, NULL, err);
        if (rc == 0) {
            rc = drain(encoder, packet, NULL, out, &over, err);
        }
    }
    if (rc == 0) {
        const uint8_t *headers = gm_encoder_headers(encoder, &size);
        rc = gm_hwtest_parameters(how, headers, size, out->par, err);
    }
    gm_encoder_close(&encoder);
    av_packet_free(&packet);
    return rc;
}

typedef int (*picture_fn)(AVFrame *frame, void *arg, bool *io_over, struct gm_err *err);

/* The stream over and over, until each's picture says that it is over. */
static int decode_loop(const struct gm_hwtest_stream *s, picture_fn each, void *arg,
                       struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    AVFrame *frame = av_frame_alloc();
    bool over = false;
    int idle = 0;
    int rc = frame == NULL ? gm_err_nomem(err)
                           : gm_decoder_open(s->par, (AVRational){1, GM_HWTEST_RATE}, &ctx, err);
    for (int i = 0; rc == 0 && !over; i = i == s->count ? 0 : i + 1) {
        int av = avcodec_send_packet(ctx, i < s->count ? s->packets[i] : NULL);
        rc = av < 0 ? gm_err_av(err, GM_E_MEDIA, av, "packet %d was not taken", i) : 0;
        while (rc == 0 && !over && (av = avcodec_receive_frame(ctx, frame)) >= 0) {
            idle = 0;
            rc = each(frame, arg, &over, err);
            av_frame_unref(frame);
        }
        if (rc == 0 && !over && av != AVERROR(EAGAIN) && av != AVERROR_EOF) {
            rc = gm_err_av(err, GM_E_MEDIA, av, "decoding failed");
        }
        if (rc == 0 && idle++ > 10 * PICTURES) {
            rc = gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "the decoder gives no pictures");
        }
        if (i == s->count) {
            avcodec_flush_buffers(ctx);
        }
    }
    av_frame_free(&frame);
    avcodec_free_context(&ctx);
    return rc;
}

static int tick(AVFrame *frame, void *arg, bool *io_over, struct gm_err *err)
{
    (void)frame;
    (void)err;
    *io_over = gm_hwtest_meter_tick(arg, gm_time_now());
    return 0;
}

/* The recipe: decode, scale, encode every rung. */
struct ladder {
    struct gm_graph *graph;
    struct gm_encoder *encoder[RUNGS];
    AVPacket *packet;
    int64_t number;
    struct gm_hwtest_meter meter;
};

static int run_recipe(AVFrame *frame, void *arg, bool *io_over, struct gm_err *err)
{
    struct ladder *l = arg;
    int rc = gm_graph_push(l->graph, frame, l->number, err);
    for (size_t k = 0; rc == 0 && k < RUNGS; k++) {
        rc = send(l->encoder[k], gm_graph_get(l->graph, k), l->number, err);
        if (rc == 0) { /* a picture is done when its smallest rung is */
            rc = drain(l->encoder[k], l->packet, k == RUNGS - 1 ? &l->meter : NULL, NULL, io_over,
                       err);
        }
    }
    l->number++;
    return rc;
}

static int open_ladder(uint32_t height, struct ladder *l, struct gm_err *err)
{
    static const uint32_t heights[2][RUNGS] = {{1080, 720, 480, 360}, {2160, 1080, 720, 480}};
    static const uint32_t widths[2][RUNGS] = {{1920, 1280, 854, 640}, {3840, 1920, 1280, 854}};
    struct gm_graph_output outputs[RUNGS] = {{0}};
    char filters[RUNGS][80];
    int set = height == 2160 ? 1 : 0, rc = 0;
    for (uint32_t k = 0; rc == 0 && k < RUNGS; k++) {
        const struct gm_hwtest_encoding how = {.codec = "h264",
                                               .depth = 8,
                                               .crf_centi = 2300,
                                               .width_px = widths[set][k],
                                               .height_px = heights[set][k]};
        (void)snprintf(filters[k], sizeof(filters[k]),
                       k == 0 ? "null" : "zscale=w=%u:h=%u:filter=lanczos", how.width_px,
                       how.height_px);
        outputs[k] = (struct gm_graph_output){.filters = filters[k],
                                              .parent = k,
                                              .width_px = how.width_px,
                                              .height_px = how.height_px,
                                              .format = AV_PIX_FMT_YUV420P,
                                              .matrix = AVCOL_SPC_BT709};
        rc = gm_hwtest_open_encoder(&how, &l->encoder[k], err);
    }
    l->packet = av_packet_alloc();
    if (rc == 0 && l->packet == NULL) {
        rc = gm_err_nomem(err);
    }
    return rc == 0 ? gm_graph_create(outputs, RUNGS, GM_HWTEST_RATE, &l->graph, err) : rc;
}

static int add(const struct gm_hwtest_try *work, const char *what,
               const struct gm_hwtest_meter *meter, struct gm_hwtest_report *report,
               struct gm_err *err)
{
    struct gm_hwtest_check c = gm_hwtest_check_make(work->device, what, 3);
    const double low = 0.001;
    gm_hwtest_measure(&c, gm_hwtest_meter_rate(meter), "fps", &low, NULL);
    memcpy(c.series, meter->series, sizeof(c.series));
    c.series_count = meter->series_count;
    return gm_hwtest_add(report, &c, err);
}

int gm_hwtest_try_rate(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                       struct gm_err *err)
{
    struct gm_hwtest_pictures in = {0};
    struct gm_hwtest_stream stream = {0};
    struct gm_hwtest_meter encoding = {0}, decoding = {0};
    struct gm_err why = {.code = GM_OK};
    const struct gm_hwtest_encoding how = {
        .codec = work->codec, .depth = 8, .crf_centi = 2600, .width_px = 1920, .height_px = 1080};
    int rc = make_pictures(5, &in, &why);
    if (rc == 0) {
        rc = measure_encode(&how, &in, &encoding, &why);
    }
    if (rc == 0) {
        rc = make_stream(&how, &in, &stream, &why);
    }
    if (rc == 0) {
        rc = decode_loop(&stream, tick, &decoding, &why);
    }
    if (rc < 0) {
        rc = gm_hwtest_try_failed(work, &why, report, err);
    } else {
        rc = add(work, "encode", &encoding, report, err);
        rc = rc == 0 ? add(work, "decode", &decoding, report, err) : rc;
    }
    gm_hwtest_stream_fini(&stream);
    gm_hwtest_pictures_fini(&in);
    return rc;
}

int gm_hwtest_try_ladder(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                         struct gm_err *err)
{
    struct gm_hwtest_pictures in = {0};
    struct gm_hwtest_stream stream = {0};
    struct ladder l = {0};
    struct gm_err why = {.code = GM_OK};
    const struct gm_hwtest_encoding how = {.codec = "h264",
                                           .depth = 8,
                                           .crf_centi = 2300,
                                           .width_px = work->height_px / 9 * 16,
                                           .height_px = work->height_px};
    int rc = make_pictures(work->height_px == 2160 ? 10 : 5, &in, &why);
    if (rc == 0) {
        rc = make_stream(&how, &in, &stream, &why);
    }
    gm_hwtest_pictures_fini(&in);
    if (rc == 0) {
        rc = open_ladder(work->height_px, &l, &why);
    }
    if (rc == 0) {
        rc = decode_loop(&stream, run_recipe, &l, &why);
    }
    rc = rc < 0 ? gm_hwtest_try_failed(work, &why, report, err)
                : add(work, "ladder", &l.meter, report, err);
    for (size_t k = 0; k < RUNGS; k++) {
        gm_encoder_close(&l.encoder[k]);
    }
    gm_graph_destroy(&l.graph);
    av_packet_free(&l.packet);
    gm_hwtest_stream_fini(&stream);
    return rc;
}
