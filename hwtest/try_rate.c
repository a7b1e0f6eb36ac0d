/* What one process of the farm makes a second: decoding, encoding, and the whole recipe of a
 * ladder, by the code that the farm's workers run, one thread. */
#include "hwtest/large.h"
#include "hwtest/level1.h"
#include "hwtest/meter.h"
#include "hwtest/try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"

/* That many pictures came. True: the window is over. */
static bool tick(struct gm_hwtest_meter *meter, uint64_t count)
{
    bool over = false;
    while (count-- > 0) {
        over = gm_hwtest_meter_tick(meter, gm_time_now()) || over;
    }
    return over;
}

static int measure_encode(const struct gm_hwtest_encoding *how, const struct gm_hwtest_pictures *in,
                          struct gm_hwtest_meter *meter, struct gm_err *err)
{
    struct gm_encoder *encoder = NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    bool over = false;
    int rc = packet == NULL || frame == NULL ? gm_err_nomem(err)
                                             : gm_hwtest_open_encoder(how, &encoder, err);
    for (int64_t i = 0; rc == 0 && !over; i++) {
        uint64_t count = 0;
        rc = gm_hwtest_large_send(encoder, in->frame[i % in->count], i, frame, err);
        if (rc == 0) {
            rc = gm_hwtest_large_drain(encoder, packet, &count, err);
        }
        over = tick(meter, count);
    }
    gm_encoder_close(&encoder);
    av_packet_free(&packet);
    av_frame_free(&frame);
    return rc;
}

/* The stream over and over until the window is over. recipe: what its pictures go through; NULL:
 * nothing. */
static int measure_decode(const struct gm_hwtest_stream *s, struct gm_hwtest_recipe *recipe,
                          struct gm_hwtest_meter *meter, struct gm_err *err)
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
            uint64_t count = recipe == NULL ? 1 : 0;
            idle = 0;
            rc = recipe == NULL ? 0 : gm_hwtest_recipe_push(recipe, frame, &count, err);
            over = tick(meter, count);
            av_frame_unref(frame);
        }
        if (rc == 0 && !over && av != AVERROR(EAGAIN) && av != AVERROR_EOF) {
            rc = gm_err_av(err, GM_E_MEDIA, av, "decoding failed");
        }
        if (rc == 0 && idle++ > 10 * GM_HWTEST_LARGE) {
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
    struct gm_hwtest_meter encoding = {.quick = work->quick}, decoding = encoding;
    struct gm_err why = {.code = GM_OK};
    const uint32_t height = gm_hwtest_large_height(1080, work->quick);
    const struct gm_hwtest_encoding how = {.codec = work->codec,
                                           .depth = 8,
                                           .crf_centi = 2600,
                                           .width_px = height / 9 * 16,
                                           .height_px = height};
    int rc = gm_hwtest_large(8, height, &in, &why);
    if (rc == 0) {
        rc = measure_encode(&how, &in, &encoding, &why);
    }
    if (rc == 0) {
        rc = gm_hwtest_large_stream(&how, &in, &stream, &why);
    }
    if (rc == 0) {
        rc = measure_decode(&stream, NULL, &decoding, &why);
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
    struct gm_hwtest_recipe *recipe = NULL;
    struct gm_hwtest_meter meter = {.quick = work->quick};
    struct gm_err why = {.code = GM_OK};
    const uint32_t height = gm_hwtest_large_height(work->height_px, work->quick);
    const struct gm_hwtest_encoding how = {.codec = "h264",
                                           .depth = 8,
                                           .crf_centi = 2300,
                                           .width_px = height / 9 * 16,
                                           .height_px = height};
    const struct gm_hwtest_recipe_params params = {.height_px = work->height_px,
                                                   .quick = work->quick};
    int rc = gm_hwtest_large(8, height, &in, &why);
    if (rc == 0) {
        rc = gm_hwtest_large_stream(&how, &in, &stream, &why);
    }
    gm_hwtest_pictures_fini(&in);
    if (rc == 0) {
        rc = gm_hwtest_recipe_open(&params, &recipe, &why);
    }
    if (rc == 0) {
        rc = measure_decode(&stream, recipe, &meter, &why);
    }
    rc = rc < 0 ? gm_hwtest_try_failed(work, &why, report, err)
                : add(work, "ladder", &meter, report, err);
    gm_hwtest_recipe_close(&recipe);
    gm_hwtest_stream_fini(&stream);
    return rc;
}
