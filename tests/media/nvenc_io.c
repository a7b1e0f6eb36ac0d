#include "media/nvenc_io.h"

#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <string.h>

#include "media/chunk_io.h"
#include "media/compare.h"
#include "media/encoder_backend.h"

void nvenc_init(struct nvenc_set *s, const char *codec, bool deep, int crf, int qp)
{
    set_init(&s->set, codec, deep, crf, qp);
    s->set.r.primaries = deep ? "bt2020" : "bt709";
    s->set.r.transfer = deep ? "smpte2084" : "bt709";
    s->set.r.matrix = deep ? "bt2020nc" : "bt709";
    s->set.r.maxrate_bps *= 2;
    s->set.r.bufsize_bits *= 2;
    s->params = (struct gm_encoder_params){.rendition = &s->set.r,
                                           .facts = &s->set.f,
                                           .timescale = TIMESCALE,
                                           .rate = {30, 1},
                                           .chain = "nvenc"};
}

struct gm_encoder *nvenc_open(const struct nvenc_set *s)
{
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    if (gm_encoder_open(&s->params, &e, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        fake_gpu_fail("it opens", __FILE__, __LINE__);
    }
    return e;
}

int nvenc_encode(struct gm_encoder *e, const struct nvenc_set *s, struct nvenc_stream *out,
                 struct gm_err *err)
{
    int rc = 0;
    memset(out, 0, sizeof *out);
    for (int i = 0; i <= FRAMES && rc == 0; i++) {
        AVFrame *f = NULL;
        if (i < FRAMES) {
            f = out->pictures[i] =
                clip_picture(WIDTH, HEIGHT, av_get_pix_fmt(s->set.r.pixel_format), i);
            f->pts = i * TICKS;
            f->pict_type = encoder_io_is_key(i) ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
        }
        rc = gm_encoder_send(e, f, err);
        for (bool got = true; rc == 0 && got;) {
            AVPacket *packet = av_packet_alloc();
            rc = gm_encoder_receive(e, packet, &got, err);
            if (rc == 0 && got) {
                CHECK(out->count < FRAMES);
                out->packets[out->count++] = packet;
            } else {
                av_packet_free(&packet);
            }
        }
    }
    return rc;
}

void nvenc_fini(struct nvenc_stream *s)
{
    for (size_t i = 0; i < FRAMES; i++) {
        av_packet_free(&s->packets[i]);
        av_frame_free(&s->pictures[i]);
    }
}

static int64_t frame_of(const AVPacket *p)
{
    return p->pts / TICKS;
}

void nvenc_check_pictures(const struct gm_encoder *e, const struct nvenc_set *s,
                          const struct nvenc_stream *m)
{
    AVCodecContext *ctx =
        avcodec_alloc_context3(avcodec_find_decoder(gm_encoder_context(e)->codec_id));
    AVFrame *frame = av_frame_alloc();
    struct gm_compare sum = {0};
    size_t size = 0;
    int shown = 0;
    const uint8_t *headers = gm_encoder_headers(e, &size);
    CHECK(ctx != NULL && frame != NULL && size > 0);
    ctx->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    ctx->extradata_size = (int)size;
    memcpy(ctx->extradata, headers, size);
    CHECK(avcodec_open2(ctx, NULL, NULL) >= 0);
    for (size_t i = 0; i <= m->count; i++) {
        CHECK(avcodec_send_packet(ctx, i < m->count ? m->packets[i] : NULL) >= 0);
        while (avcodec_receive_frame(ctx, frame) >= 0) {
            CHECK(frame->pts == (int64_t)shown * TICKS);
            CHECK(frame->width == WIDTH && frame->height == HEIGHT);
            CHECK(frame->format == av_get_pix_fmt(s->set.r.pixel_format));
            CHECK(frame->color_range == AVCOL_RANGE_MPEG);
            CHECK(strcmp(av_color_primaries_name(frame->color_primaries), s->set.r.primaries) == 0);
            CHECK(strcmp(av_color_transfer_name(frame->color_trc), s->set.r.transfer) == 0);
            CHECK(strcmp(av_color_space_name(frame->colorspace), s->set.r.matrix) == 0);
            CHECK(gm_compare_add(&sum, m->pictures[shown], frame, NULL) == 0);
            shown++;
            av_frame_unref(frame);
        }
    }
    CHECK(shown == FRAMES);
    if (gm_compare_psnr(gm_compare_mse(&sum)) <= 20) {
        (void)fprintf(stderr, "PSNR %.1f\n", gm_compare_psnr(gm_compare_mse(&sum)));
        fake_gpu_fail("the pictures are alike", __FILE__, __LINE__);
    }
    av_frame_free(&frame);
    avcodec_free_context(&ctx);
}

void nvenc_check_order(const struct nvenc_stream *m, int reorder, bool moves)
{
    bool seen[FRAMES] = {false};
    int64_t gop = -1;
    int64_t furthest = 0;
    CHECK(m->count == FRAMES);
    for (size_t i = 0; i < m->count; i++) {
        int64_t frame = frame_of(m->packets[i]);
        bool key = (m->packets[i]->flags & AV_PKT_FLAG_KEY) != 0;
        CHECK(frame >= 0 && frame < FRAMES && m->packets[i]->pts % TICKS == 0 && !seen[frame]);
        seen[frame] = true;
        CHECK(key == encoder_io_is_key(frame));
        gop = key ? frame : gop;
        CHECK(frame >= gop);
        for (int64_t j = gop + 1; j <= frame; j++) {
            CHECK(!encoder_io_is_key(j));
        }
        furthest = (int64_t)i - frame > furthest ? (int64_t)i - frame : furthest;
    }
    CHECK(furthest <= reorder);
    CHECK((furthest > 0) == moves && (reorder > 0) == moves);
}

void nvenc_check_option(const struct gm_encoder *e, const char *name, int64_t want)
{
    int64_t value = -1;
    CHECK(av_opt_get_int(gm_encoder_context(e)->priv_data, name, 0, &value) >= 0);
    if (value != want) {
        (void)fprintf(stderr, "%s is %lld\n", name, (long long)value);
        fake_gpu_fail("the option is set", __FILE__, __LINE__);
    }
}
