#include "media/nvenc_io.h"

#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <string.h>

#include "media/chunk_io.h"

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
