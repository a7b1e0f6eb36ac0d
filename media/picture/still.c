#include "media/picture/still.h"

#include <inttypes.h>
#include <string.h>

#include <libavutil/opt.h>

#include "common/fs.h"
#include "media/av.h"

static const struct gm_still stills[] = {
    {"jpeg", "jpg", "image/jpeg", "jpeg", AV_PIX_FMT_YUVJ420P, "pc", 0, 65500, 90, 85},
    {"webp", "webp", "image/webp", "webp", AV_PIX_FMT_YUV420P, "tv", 16, 16383, 82, 75},
};

const struct gm_still *gm_still_find(const char *name)
{
    if (name == NULL || name[0] == '\0') {
        return &stills[0];
    }
    for (size_t i = 0; i < sizeof stills / sizeof stills[0]; i++) {
        if (strcmp(stills[i].name, name) == 0) {
            return &stills[i];
        }
    }
    return NULL;
}

int gm_still_filters(const struct gm_still *still, uint32_t width_px, uint32_t height_px,
                     char out[GM_STILL_FILTERS_SIZE], struct gm_err *err)
{
    return gm_fs_path(out, GM_STILL_FILTERS_SIZE, err,
                      "scale=%" PRIu32 ":%" PRIu32
                      ":flags=bicubic+accurate_rnd+full_chroma_int+bitexact:"
                      "out_color_matrix=bt601:out_range=%s,setsar=1,format=%s",
                      width_px, height_px, still->range,
                      still->format == AV_PIX_FMT_YUVJ420P ? "yuvj420p" : "yuv420p");
}

/* libavcodec's quantiser scale: 1 is best, 31 worst; 90 gives 3. */
static int jpeg_scale(int quality)
{
    return 1 + (100 - quality) / 5;
}

static const AVCodec *find_encoder(const struct gm_still *still)
{
    return strcmp(still->name, "webp") == 0 ? avcodec_find_encoder_by_name("libwebp")
                                            : avcodec_find_encoder(AV_CODEC_ID_MJPEG);
}

static int open_encoder(const struct gm_still *still, const AVFrame *picture, int quality,
                        AVCodecContext **out, struct gm_err *err)
{
    const AVCodec *codec = find_encoder(still);
    if (codec == NULL) {
        return gm_err_set(err, GM_E_MEDIA, 0, "libavcodec has no %s encoder", still->name);
    }
    AVCodecContext *ctx = avcodec_alloc_context3(codec);
    if (ctx == NULL) {
        return gm_err_nomem(err);
    }
    ctx->width = picture->width;
    ctx->height = picture->height;
    ctx->pix_fmt = still->format;
    ctx->sample_aspect_ratio = (AVRational){1, 1};
    ctx->time_base = (AVRational){1, 1};
    ctx->thread_count = 1;
    ctx->flags |= AV_CODEC_FLAG_BITEXACT;
    int av = 0;
    if (still->format == AV_PIX_FMT_YUVJ420P) {
        ctx->color_range = AVCOL_RANGE_JPEG;
        ctx->dct_algo = FF_DCT_INT; /* the one that has no vector twin of other bits */
        ctx->flags |= AV_CODEC_FLAG_QSCALE;
        ctx->global_quality = jpeg_scale(quality) * FF_QP2LAMBDA;
    } else {
        av = av_opt_set_double(ctx->priv_data, "quality", quality, 0);
    }
    if (av >= 0) {
        av = avcodec_open2(ctx, codec, NULL);
    }
    if (av < 0) {
        avcodec_free_context(&ctx);
        return gm_err_av(err, GM_E_MEDIA, av, "A %s of %dx%d was refused", still->name,
                         picture->width, picture->height);
    }
    *out = ctx;
    return 0;
}

static int encode(AVCodecContext *ctx, const AVFrame *picture, struct gm_buf *out,
                  struct gm_err *err)
{
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_clone(picture);
    int rc = 0;
    if (packet == NULL || frame == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    frame->quality = ctx->global_quality;
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    frame->pts = 0;
    int av = avcodec_send_frame(ctx, frame);
    if (av >= 0) {
        (void)avcodec_send_frame(ctx, NULL);
        av = avcodec_receive_packet(ctx, packet);
    }
    if (av < 0) {
        rc = gm_err_av(err, GM_E_MEDIA, av, "A picture of %dx%d was not encoded", picture->width,
                       picture->height);
        goto out;
    }
    gm_buf_add(out, packet->data, (size_t)packet->size);
    rc = gm_buf_check(out, err);
out:
    av_frame_free(&frame);
    av_packet_free(&packet);
    return rc;
}

int gm_still_encode(const struct gm_still *still, const AVFrame *picture, int quality,
                    struct gm_buf *out, struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    if (picture->format != still->format || quality < 1 || quality > 100 || picture->width < 1 ||
        picture->height < 1 || picture->width > (int)still->max_side ||
        picture->height > (int)still->max_side) {
        return gm_err_set(err, GM_E_INVAL, 0, "A picture of %dx%d, format %d is no %s's",
                          picture->width, picture->height, picture->format, still->name);
    }
    int rc = open_encoder(still, picture, quality, &ctx, err);
    if (rc < 0 || ctx == NULL) {
        return rc;
    }
    rc = encode(ctx, picture, out, err);
    avcodec_free_context(&ctx);
    return rc;
}
