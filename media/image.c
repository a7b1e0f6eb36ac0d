#include "media/image.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/graph.h"

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

/* Replaces *image by the upright one. */
static int turn(AVFrame **image, const char *how, struct gm_err *err)
{
    char filters[160];
    struct gm_graph *graph = NULL;
    (void)snprintf(filters, sizeof filters,
                   "scale=flags=bicubic+accurate_rnd+full_chroma_int+bitexact,format=rgba,%s", how);
    struct gm_graph_output out = {.filters = filters, .format = AV_PIX_FMT_NONE};
    int rc = gm_graph_create(&out, 1, 1, &graph, err);
    if (rc == 0) {
        rc = gm_graph_push(graph, *image, 0, err);
    }
    AVFrame *upright = rc == 0 ? av_frame_clone(gm_graph_get(graph, 0)) : NULL;
    if (rc == 0 && upright == NULL) {
        rc = gm_err_nomem(err);
    }
    gm_graph_destroy(&graph);
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
