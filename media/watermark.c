#include "media/watermark.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"

static const uint8_t png_magic[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
static const uint8_t jpeg_magic[] = {0xff, 0xd8, 0xff};

static enum AVCodecID image_codec(const uint8_t *data, size_t size)
{
    if (size > sizeof png_magic && memcmp(data, png_magic, sizeof png_magic) == 0) {
        return AV_CODEC_ID_PNG;
    }
    if (size > sizeof jpeg_magic && memcmp(data, jpeg_magic, sizeof jpeg_magic) == 0) {
        return AV_CODEC_ID_MJPEG;
    }
    return AV_CODEC_ID_NONE;
}

int gm_watermark_decode(const uint8_t *data, size_t size, AVFrame **out, struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    AVPacket *packet = NULL;
    AVFrame *frame = NULL;
    int rc = 0;
    int av;
    const AVCodec *codec = avcodec_find_decoder(image_codec(data, size));
    if (codec == NULL || size > INT_MAX / 2) {
        return gm_err_set(err, GM_E_CONFIG, 0, "The watermark is neither a PNG nor a JPEG image");
    }
    ctx = avcodec_alloc_context3(codec);
    packet = av_packet_alloc();
    frame = av_frame_alloc();
    if (ctx == NULL || packet == NULL || frame == NULL || av_new_packet(packet, (int)size) < 0) {
        rc = gm_err_nomem(err);
        goto out;
    }
    memcpy(packet->data, data, size);
    ctx->thread_count = 1;
    ctx->max_pixels = GM_WATERMARK_MAX_PIXELS;
    ctx->idct_algo = FF_IDCT_SIMPLE;
    ctx->flags |= AV_CODEC_FLAG_BITEXACT;
    ctx->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
    av = avcodec_open2(ctx, codec, NULL);
    if (av >= 0) {
        av = avcodec_send_packet(ctx, packet);
    }
    if (av >= 0) {
        (void)avcodec_send_packet(ctx, NULL);
        av = avcodec_receive_frame(ctx, frame);
    }
    if (av < 0) {
        rc = gm_err_av(err, GM_E_CONFIG, av, "The watermark image can't be read");
        goto out;
    }
    *out = frame;
    frame = NULL;
out:
    av_frame_free(&frame);
    av_packet_free(&packet);
    avcodec_free_context(&ctx);
    return rc;
}

static const char *const positions[] = {"top-left", "top-right", "bottom-left", "bottom-right",
                                        "center"};

static int check(const Gm__Watermark *how, struct gm_err *err)
{
    bool known = false;
    for (size_t i = 0; i < sizeof positions / sizeof positions[0]; i++) {
        known = known || strcmp(how->position, positions[i]) == 0;
    }
    if (!known) {
        return gm_err_set(err, GM_E_CONFIG, 0, "Watermark position %.40s is unknown",
                          how->position);
    }
    /* Written so that NaN fails. */
    if (!(how->opacity >= 0 && how->opacity <= 1 && how->margin >= 0 && how->margin <= 0.5 &&
          how->size >= 0.01 && how->size <= 1)) {
        return gm_err_set(err, GM_E_CONFIG, 0, "Watermark opacity, margin or size is out of range");
    }
    return 0;
}

int gm_watermark_create(const Gm__Watermark *how, const Gm__Pipeline *pipeline,
                        struct gm_watermark **out, struct gm_err *err)
{
    const Gm__Asset *asset = NULL;
    int rc = check(how, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; pipeline != NULL && i < pipeline->n_assets && asset == NULL; i++) {
        if (strcmp(pipeline->assets[i]->name, how->image) == 0) {
            asset = pipeline->assets[i];
        }
    }
    if (asset == NULL) {
        return gm_err_set(err, GM_E_CONFIG, 0, "The pipeline holds no image %.80s", how->image);
    }
    struct gm_watermark *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return gm_err_nomem(err);
    }
    w->how = how;
    rc = gm_watermark_decode(asset->data.data, asset->data.len, &w->image, err);
    if (rc < 0) {
        free(w);
        return rc;
    }
    *out = w;
    return 0;
}

void gm_watermark_destroy(struct gm_watermark **watermark)
{
    struct gm_watermark *w = *watermark;
    if (w == NULL) {
        return;
    }
    av_frame_free(&w->image);
    free(w);
    *watermark = NULL;
}

static uint32_t even(double px, uint32_t least)
{
    uint32_t v = (uint32_t)lround(px / 2) * 2;
    return v < least ? least : v;
}

struct gm_watermark_place gm_watermark_place(const struct gm_watermark *w, uint32_t width_px,
                                             uint32_t height_px)
{
    double shape = (double)w->image->height / (double)w->image->width;
    uint32_t shorter = width_px < height_px ? width_px : height_px;
    uint32_t margin = even(w->how->margin * shorter, 0);
    double width = w->how->size * width_px;
    if (width * shape > height_px) {
        width = height_px / shape;
    }
    struct gm_watermark_place p = {0};
    p.width_px = even(width, 2);
    p.height_px = even(width * shape, 2);
    if (p.width_px > width_px) {
        p.width_px = width_px;
    }
    if (p.height_px > height_px) {
        p.height_px = height_px;
    }
    uint32_t free_x = width_px - p.width_px;
    uint32_t free_y = height_px - p.height_px;
    uint32_t near_x = margin < free_x ? margin : free_x;
    uint32_t near_y = margin < free_y ? margin : free_y;
    if (strcmp(w->how->position, "center") == 0) {
        p.x_px = free_x / 4 * 2;
        p.y_px = free_y / 4 * 2;
        return p;
    }
    bool right = strstr(w->how->position, "right") != NULL;
    bool bottom = strstr(w->how->position, "bottom") != NULL;
    p.x_px = right ? free_x - near_x : near_x;
    p.y_px = bottom ? free_y - near_y : near_y;
    return p;
}

/* libswscale's name of a matrix. An unknown one is taken as players take it: by size, ITU-R BT.709
 * above 576 lines, BT.601 up to there. */
static const char *matrix_name(enum AVColorSpace matrix, uint32_t lines)
{
    switch (matrix) {
    case AVCOL_SPC_BT709:
        return "bt709";
    case AVCOL_SPC_FCC:
        return "fcc";
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_BT470BG:
        return "bt601";
    case AVCOL_SPC_SMPTE240M:
        return "smpte240m";
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        return "bt2020";
    default:
        return lines > 576 ? "bt709" : "bt601";
    }
}

void gm_watermark_filters(const struct gm_watermark *w, const struct gm_watermark_place *place,
                          enum AVColorSpace matrix, char out[GM_WATERMARK_FILTERS_SIZE])
{
    (void)snprintf(out, GM_WATERMARK_FILTERS_SIZE,
                   "format=rgba,colorchannelmixer=aa=%.6f,scale=%" PRIu32 ":%" PRIu32
                   ":flags=bicubic+accurate_rnd+full_chroma_int+bitexact:out_color_matrix=%s:"
                   "out_range=tv,setsar=1,format=yuva420p",
                   w->how->opacity, place->width_px, place->height_px,
                   matrix_name(matrix, place->height_px));
}
