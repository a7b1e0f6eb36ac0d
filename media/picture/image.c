#include "media/picture/image.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/picture/graph.h"

static enum AVCodecID codec_of(enum gm_image_kind kind)
{
    switch (kind) {
    case GM_IMAGE_PNG:
        return AV_CODEC_ID_PNG;
    case GM_IMAGE_JPEG:
        return AV_CODEC_ID_MJPEG;
    case GM_IMAGE_WEBP:
        return AV_CODEC_ID_WEBP;
    }
    return AV_CODEC_ID_NONE;
}

static int decode(enum AVCodecID id, const uint8_t *data, size_t size, AVFrame *out,
                  struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    AVPacket *packet = NULL;
    int rc = 0;
    int av;
    const AVCodec *codec = avcodec_find_decoder(id);
    if (codec == NULL || size > INT_MAX / 2) {
        return gm_err_set(err, GM_E_BAD_IMAGE, 0, "libavcodec can't read such an image");
    }
    ctx = avcodec_alloc_context3(codec);
    packet = av_packet_alloc();
    if (ctx == NULL || packet == NULL || av_new_packet(packet, (int)size) < 0) {
        rc = gm_err_nomem(err);
        goto out;
    }
    memcpy(packet->data, data, size);
    ctx->thread_count = 1;
    ctx->max_pixels = GM_IMAGE_MAX_PIXELS;
    ctx->idct_algo = FF_IDCT_SIMPLE;
    ctx->flags |= AV_CODEC_FLAG_BITEXACT;
    ctx->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
    av = avcodec_open2(ctx, codec, NULL);
    if (av >= 0) {
        av = avcodec_send_packet(ctx, packet);
    }
    if (av >= 0) {
        (void)avcodec_send_packet(ctx, NULL);
        av = avcodec_receive_frame(ctx, out);
    }
    if (av < 0) {
        rc = gm_err_av(err, GM_E_BAD_IMAGE, av, "the image is damaged");
    }
out:
    av_packet_free(&packet);
    avcodec_free_context(&ctx);
    return rc;
}

/* Filters that show an EXIF orientation upright. Source: Exif 2.32, tag 0x112. */
static const char *turn_of(const AVFrame *image)
{
    static const char *const turns[9] = {NULL,
                                         NULL,
                                         "hflip",
                                         "hflip,vflip",
                                         "vflip",
                                         "transpose=cclock_flip", /* 5 */
                                         "transpose=clock",
                                         "transpose=clock_flip",
                                         "transpose=cclock"};
    const AVDictionaryEntry *e = av_dict_get(image->metadata, "Orientation", NULL, 0);
    long n = e != NULL ? strtol(e->value, NULL, 10) : 0;
    return n >= 1 && n <= 8 ? turns[n] : NULL;
}

#define CONVERT "scale=flags=bicubic+accurate_rnd+full_chroma_int+bitexact"

/* What a chain of filters makes of the image. *out: owned. */
static int filter(const AVFrame *image, const char *filters, AVFrame **out, struct gm_err *err)
{
    struct gm_graph *graph = NULL;
    struct gm_graph_output output = {.filters = filters, .format = AV_PIX_FMT_NONE};
    int rc = gm_graph_create(&output, 1, 1, &graph, err);
    if (rc == 0) {
        rc = gm_graph_push(graph, image, 0, err);
    }
    if (rc == 0) {
        *out = av_frame_clone(gm_graph_get(graph, 0));
        rc = *out != NULL ? 0 : gm_err_nomem(err);
    }
    gm_graph_destroy(&graph);
    return rc;
}

/* Replaces *image by the upright one. */
static int turn(AVFrame **image, const char *how, struct gm_err *err)
{
    char filters[160];
    AVFrame *upright = NULL;
    (void)snprintf(filters, sizeof filters, CONVERT ",format=rgba,%s", how);
    int rc = filter(*image, filters, &upright, err);
    if (rc == 0) {
        av_frame_free(image);
        *image = upright;
    }
    return rc;
}

int gm_image_decode(const uint8_t *data, size_t size, AVFrame **out, struct gm_err *err)
{
    struct gm_image_header header;
    int rc = gm_image_header_read(data, size, &header, err);
    if (rc < 0) {
        return rc;
    }
    AVFrame *image = av_frame_alloc();
    rc = image != NULL ? decode(codec_of(header.kind), data, size, image, err) : gm_err_nomem(err);
    if (rc == 0 && turn_of(image) != NULL) {
        rc = turn(&image, turn_of(image), err);
    }
    if (rc < 0) {
        av_frame_free(&image);
        return rc;
    }
    *out = image;
    return 0;
}

int gm_image_load(const Gm__Pipeline *pipeline, const char *name, AVFrame **out, struct gm_err *err)
{
    for (size_t i = 0; pipeline != NULL && i < pipeline->n_assets; i++) {
        const Gm__Asset *asset = pipeline->assets[i];
        if (strcmp(asset->name, name) == 0) {
            int rc = gm_image_decode(asset->data.data, asset->data.len, out, err);
            return rc < 0 ? gm_err_wrap(err, rc, "image `%.80s`: ", name) : 0;
        }
    }
    return gm_err_set(err, GM_E_BAD_IMAGE, 0, "the pipeline came without its image `%.80s`", name);
}

/* RGBA onto a colour. */
static int flatten(const AVFrame *rgba, uint32_t background, AVFrame **out, struct gm_err *err)
{
    const uint32_t under[3] = {background >> 16 & 255, background >> 8 & 255, background & 255};
    AVFrame *f = gm_av_frame(AV_PIX_FMT_RGB24, rgba->width, rgba->height);
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    f->color_range = AVCOL_RANGE_JPEG;
    f->colorspace = AVCOL_SPC_RGB;
    for (int y = 0; y < f->height; y++) {
        const uint8_t *from = rgba->data[0] + (ptrdiff_t)y * rgba->linesize[0];
        uint8_t *to = f->data[0] + (ptrdiff_t)y * f->linesize[0];
        for (int x = 0; x < f->width; x++, from += 4, to += 3) {
            for (int c = 0; c < 3; c++) {
                to[c] = (uint8_t)((from[c] * from[3] + under[c] * (255u - from[3]) + 127) / 255);
            }
        }
    }
    *out = f;
    return 0;
}

static uint32_t even(uint64_t v)
{
    return v < 2 ? 2 : (uint32_t)(v / 2 * 2);
}

int gm_image_to_poster(const AVFrame *image, uint32_t background, uint32_t max_width,
                       const struct gm_still *still, struct gm_buf *out, struct gm_err *err)
{
    char filters[GM_STILL_FILTERS_SIZE];
    AVFrame *rgba = NULL;
    AVFrame *flat = NULL;
    AVFrame *poster = NULL;
    uint32_t w = (uint32_t)image->width;
    uint32_t h = (uint32_t)image->height;
    uint32_t width = even(w < max_width ? w : max_width);
    uint32_t height = width == w ? even(h) : even(((uint64_t)h * width + w / 2) / w);
    if (width > still->max_side || height > still->max_side) {
        return gm_err_set(err, GM_E_LIMIT, 0, "a poster of %ux%u can't be a %s", width, height,
                          still->name);
    }
    int rc = filter(image, CONVERT ",format=rgba", &rgba, err);
    if (rc == 0) {
        rc = flatten(rgba, background, &flat, err);
    }
    av_frame_free(&rgba);
    if (rc == 0) {
        rc = gm_still_filters(still, width, height, filters, err);
    }
    if (rc == 0) {
        rc = filter(flat, filters, &poster, err);
    }
    av_frame_free(&flat);
    if (rc == 0) {
        rc = gm_still_encode(still, poster, still->poster_quality, out, err);
    }
    av_frame_free(&poster);
    return rc;
}
