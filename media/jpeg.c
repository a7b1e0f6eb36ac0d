#include "media/jpeg.h"

#include "media/av.h"

int gm_jpeg_encode(const AVFrame *picture, int quality, struct gm_buf *out, struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    AVPacket *packet = NULL;
    AVFrame *frame = NULL;
    int rc = 0;
    int av;
    if (picture->format != AV_PIX_FMT_YUVJ420P || quality < 1 || quality > 31 ||
        picture->width < 1 || picture->height < 1 || picture->width > GM_JPEG_MAX_SIDE ||
        picture->height > GM_JPEG_MAX_SIDE) {
        return gm_err_set(err, GM_E_INVAL, 0, "A picture of %dx%d, format %d is no JPEG's",
                          picture->width, picture->height, picture->format);
    }
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    if (codec == NULL) {
        return gm_err_set(err, GM_E_MEDIA, 0, "libavcodec has no JPEG encoder");
    }
    ctx = avcodec_alloc_context3(codec);
    packet = av_packet_alloc();
    frame = av_frame_clone(picture);
    if (ctx == NULL || packet == NULL || frame == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    ctx->width = picture->width;
    ctx->height = picture->height;
    ctx->pix_fmt = AV_PIX_FMT_YUVJ420P;
    ctx->color_range = AVCOL_RANGE_JPEG;
    ctx->sample_aspect_ratio = (AVRational){1, 1};
    ctx->time_base = (AVRational){1, 1};
    ctx->thread_count = 1;
    ctx->dct_algo = FF_DCT_INT; /* the one that has no vector twin of other bits */
    ctx->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_QSCALE;
    ctx->global_quality = quality * FF_QP2LAMBDA;
    frame->quality = ctx->global_quality;
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    frame->pts = 0;
    av = avcodec_open2(ctx, codec, NULL);
    if (av >= 0) {
        av = avcodec_send_frame(ctx, frame);
    }
    if (av >= 0) {
        (void)avcodec_send_frame(ctx, NULL);
        av = avcodec_receive_packet(ctx, packet);
    }
    if (av < 0) {
        rc = gm_err_av(err, GM_E_MEDIA, av, "A JPEG of %dx%d was refused", picture->width,
                       picture->height);
        goto out;
    }
    gm_buf_add(out, packet->data, (size_t)packet->size);
    rc = gm_buf_check(out, err);
out:
    av_frame_free(&frame);
    av_packet_free(&packet);
    avcodec_free_context(&ctx);
    return rc;
}
