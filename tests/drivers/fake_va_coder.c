/* fake_drv_video.so: libx264 as the application's rate control has it.
 *
 * Pictures that are referred to go through one coder in the order they come, each referring to the
 * one before; pictures between them through another that makes intra pictures alone. Where there
 * are both, each has half of the rate and the buffer: together they keep what was asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/opt.h>

#include "fake_va.h"

#define BASE                                                                                       \
    "ref=1:bframes=0:weightp=0:scenecut=0:open-gop=0:psy=0:chroma-qp-offset=0:deblock=0,0:"        \
    "mbtree=0:rc-lookahead=0:sync-lookahead=0:sliced-threads=0:threads=1:stitchable=1:"            \
    "cpu-independent=1:ipratio=1:aud=0:nal-hrd=none:force-cfr=1"

void fake_va_close_coder(struct fake_va_coder *coder)
{
    avcodec_free_context(&coder->codec);
    av_frame_free(&coder->frame);
    av_packet_free(&coder->packet);
}

static void set(AVCodecContext *codec, const char *name, const char *value)
{
    (void)av_opt_set(codec->priv_data, name, value, 0);
}

static void set_rate(AVCodecContext *codec, const struct fake_va_context *context, bool both)
{
    char text[32];
    int64_t top = context->rate.bits_per_second, buffer = context->hrd.buffer_size;
    uint32_t mode = context->config.rate;
    if (mode == VA_RC_CQP) {
        snprintf(text, sizeof(text), "%d",
                 context->picture.pic_init_qp + context->slice.slice_qp_delta);
        set(codec, "qp", text);
        return;
    }
    buffer = buffer > 0 ? buffer : top;
    if (mode == VA_RC_ICQ || mode == VA_RC_QVBR) {
        snprintf(text, sizeof(text), "%u",
                 mode == VA_RC_ICQ ? context->rate.ICQ_quality_factor
                                   : context->rate.quality_factor);
        set(codec, "crf", text);
    } else {
        unsigned share = mode == VA_RC_CBR || context->rate.target_percentage == 0
                             ? 100
                             : context->rate.target_percentage;
        codec->bit_rate = top * share / 100 / (both ? 2 : 1);
    }
    if (mode != VA_RC_ICQ && top > 0) {
        codec->rc_max_rate = both ? top / 2 : top;
        codec->rc_buffer_size = (int)(both ? buffer / 2 : buffer);
        if (context->hrd.initial_buffer_fullness > 0) {
            codec->rc_initial_buffer_occupancy =
                (int)context->hrd.initial_buffer_fullness / (both ? 2 : 1);
        }
    }
}

AVRational fake_va_coder_rate(const struct fake_va_context *context, int period, bool between)
{
    int num = (int)(context->frame_rate & 0xffff), den = (int)(context->frame_rate >> 16);
    period = period > 1 ? period : 1;
    num = num > 0 ? num : 30;
    den = den > 0 ? den : 1;
    return av_mul_q((AVRational){num, den},
                    (AVRational){between ? period - 1 : 1, period > 1 ? period : 1});
}

static VAStatus open_coder(struct fake_va_context *context, struct fake_va_coder *coder,
                           bool between)
{
    char params[320];
    bool both = context->sequence.ip_period > 1;
    const AVCodec *library = avcodec_find_encoder_by_name("libx264");
    AVCodecContext *codec = library == NULL ? NULL : avcodec_alloc_context3(library);
    coder->frame = av_frame_alloc();
    coder->packet = av_packet_alloc();
    coder->codec = codec;
    if (codec == NULL || coder->frame == NULL || coder->packet == NULL) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    const VAEncSequenceParameterBufferH264 *s = &context->sequence;
    bool own = (context->config.packed & VA_ENC_PACKED_HEADER_SLICE) == 0 && s->frame_cropping_flag;
    coder->frame->format = codec->pix_fmt = AV_PIX_FMT_NV12;
    codec->width = s->picture_width_in_mbs * 16 - (own ? (int)s->frame_crop_right_offset * 2 : 0);
    codec->height =
        s->picture_height_in_mbs * 16 - (own ? (int)s->frame_crop_bottom_offset * 2 : 0);
    coder->frame->width = codec->width;
    coder->frame->height = codec->height;
    codec->framerate = fake_va_coder_rate(context, (int)context->sequence.ip_period, between);
    codec->time_base = av_inv_q(codec->framerate);
    codec->thread_count = 1;
    codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    codec->log_level_offset = 16; /* its chatter is not the caller's */
    codec->refs = 1;
    codec->max_b_frames = 0;
    set(codec, "preset", "superfast");
    set(codec, "forced-idr", "1");
    set(codec, "profile", "high");
    snprintf(params, sizeof(params), "%s:keyint=%s:cabac=%d:8x8dct=%d", BASE,
             between ? "1" : "infinite",
             (int)context->picture.pic_fields.bits.entropy_coding_mode_flag,
             (int)context->picture.pic_fields.bits.transform_8x8_mode_flag);
    set(codec, "x264-params", params);
    set_rate(codec, context, both);
    return av_frame_get_buffer(coder->frame, 0) < 0 || avcodec_open2(codec, library, NULL) < 0
               ? VA_STATUS_ERROR_INVALID_PARAMETER
               : VA_STATUS_SUCCESS;
}

/* The surface's samples; beyond its edge the last ones again. */
static void fill(AVFrame *frame, const struct fake_va_surface *surface, bool spoil)
{
    for (int plane = 0; plane < 2; plane++) {
        const uint8_t *from =
            surface->data + (plane == 0 ? 0 : (ptrdiff_t)surface->pitch * surface->rows);
        int rows = frame->height >> plane, have = surface->rows >> plane;
        int bytes = frame->width < surface->pitch ? frame->width : surface->pitch;
        for (int y = 0; y < rows; y++) {
            uint8_t *to = frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane];
            memcpy(to, from + (ptrdiff_t)(y < have ? y : have - 1) * surface->pitch, (size_t)bytes);
            for (int x = 0; spoil && x < bytes; x++) {
                to[x] = (uint8_t)(255 - to[x]);
            }
        }
    }
}

VAStatus fake_va_code(struct fake_va_context *context, struct fake_va_coder *coder, bool intra,
                      bool between, const struct fake_va_surface *surface, bool spoil,
                      const AVPacket **out)
{
    VAStatus status =
        coder->codec == NULL ? open_coder(context, coder, between) : VA_STATUS_SUCCESS;
    if (status != VA_STATUS_SUCCESS) {
        fake_va_close_coder(coder);
        return status;
    }
    if (av_frame_make_writable(coder->frame) < 0) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    fill(coder->frame, surface, spoil);
    coder->frame->pts = coder->count++;
    coder->frame->pict_type = intra ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    av_packet_unref(coder->packet);
    if (avcodec_send_frame(coder->codec, coder->frame) < 0 ||
        avcodec_receive_packet(coder->codec, coder->packet) < 0) {
        return VA_STATUS_ERROR_ENCODING_ERROR;
    }
    *out = coder->packet;
    return VA_STATUS_SUCCESS;
}
