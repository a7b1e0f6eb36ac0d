#include "media/cuda_ladder_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>

#include "media/av.h"
#include "media/chunk_io.h"
#include "media/device/hw.h"
#include "media/fake_gpu_io.h"

/* A gradient of colours and alpha. */
static void make_png(ProtobufCBinaryData *out)
{
    AVCodecContext *ctx = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_PNG));
    AVPacket *packet = av_packet_alloc();
    AVFrame *f = gm_av_frame(AV_PIX_FMT_RGBA, 20, 12);
    CHECK(ctx != NULL && packet != NULL && f != NULL);
    ctx->pix_fmt = AV_PIX_FMT_RGBA;
    ctx->width = f->width;
    ctx->height = f->height;
    ctx->time_base = (AVRational){1, 25};
    for (int y = 0; y < f->height; y++) {
        for (int x = 0; x < 4 * f->width; x++) {
            f->data[0][y * f->linesize[0] + x] = (uint8_t)(x * 3 + y * 11);
        }
    }
    CHECK(avcodec_open2(ctx, ctx->codec, NULL) >= 0 && avcodec_send_frame(ctx, f) >= 0 &&
          avcodec_receive_packet(ctx, packet) >= 0);
    out->len = (size_t)packet->size;
    out->data = malloc(out->len);
    CHECK(out->data != NULL);
    memcpy(out->data, packet->data, out->len);
    av_frame_free(&f);
    av_packet_free(&packet);
    avcodec_free_context(&ctx);
}

#define STRING(s) ((char *)(uintptr_t)(s))

void ladder_describe(struct job *j, const struct way *w)
{
    static const uint32_t sizes[RUNGS][2] = {{WIDTH, HEIGHT}, {48, 32}, {36, 50}};
    memset(j, 0, sizeof *j);
    gm__video_facts__init(&j->facts);
    gm__rational__init(&j->aspect);
    gm__policy__init(&j->policy);
    gm__encode_params__init(&j->encode);
    gm__pipeline__init(&j->pipeline);
    j->aspect.num = j->aspect.den = 1;
    j->facts.sample_aspect = &j->aspect;
    j->facts.width_px = WIDTH;
    j->facts.height_px = HEIGHT;
    j->facts.pixel_format = STRING(w->format);
    j->facts.range = "tv";
    j->facts.rotation_deg = w->turn;
    j->facts.flip = w->flip;
    if (w->crop) {
        gm__crop__init(&j->crop);
        j->crop.whole_width_px = WIDTH;
        j->crop.whole_height_px = HEIGHT;
        j->crop.x_px = 6;
        j->crop.y_px = 2;
        j->facts.width_px = WIDTH - 10;
        j->facts.height_px = HEIGHT - 8;
        j->facts.crop = &j->crop;
    }
    for (size_t i = 0; i < RUNGS; i++) {
        Gm__Rendition *r = &j->renditions[i];
        gm__rendition__init(r);
        r->width_px = sizes[i][0];
        r->height_px = sizes[i][1];
        r->pixel_format = STRING(w->formats[i]);
        r->primaries = r->transfer = r->matrix = "smpte170m";
        r->range = "tv";
        r->encode = &j->encode;
        j->list[i] = r;
    }
    j->policy.timescale = TIMESCALE;
    j->policy.scaler = GM_CUDA_LADDER;
    j->policy.renditions = j->list;
    j->policy.n_renditions = RUNGS;
    if (w->mark) { /* from 1 s to 2 s */
        gm__watermark__init(&j->how);
        gm__asset__init(&j->asset);
        j->asset.name = j->how.image = "w.png";
        make_png(&j->asset.data);
        j->assets[0] = &j->asset;
        j->pipeline.assets = j->assets;
        j->pipeline.n_assets = 1;
        j->how.position = "bottom-right";
        j->how.opacity = 0.8;
        j->how.size = 0.4;
        j->how.margin = 0.1;
        j->how.start_s = 1;
        j->how.end_s = 2;
        j->encode.watermark = &j->how;
    }
}

int ladder_open(struct job *j, struct gm_err *err)
{
    int rc = gm_hw_open(NULL, &j->device, err);
    CHECK(rc == 0);
    return gm_cuda_ladder_create(&j->policy, &j->facts, &j->pipeline, j->device, &j->ladder, err);
}

void ladder_close(struct job *j)
{
    gm_cuda_ladder_destroy(&j->ladder);
    av_buffer_unref(&j->device);
    free(j->asset.data.data);
}

void ladder_must(int rc, const struct gm_err *err)
{
    if (rc < 0) {
        (void)fprintf(stderr, "%d: %s\n", rc, err->text);
        fake_gpu_fail("it succeeds", __FILE__, __LINE__);
    }
}

AVFrame *ladder_picture(const struct job *j, int i)
{
    AVFrame *f = clip_picture(WIDTH, HEIGHT, av_get_pix_fmt(j->facts.pixel_format), i);
    f->color_range = AVCOL_RANGE_MPEG;
    return f;
}
