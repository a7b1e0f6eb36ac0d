/* fake_mfx.so: libx264 as the application's parameters have it, and both coders at work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/opt.h>

#include "fake_mfx.h"

#define BASE                                                                                       \
    "ref=1:weightp=0:weightb=0:b-adapt=0:psy=0:mbtree=0:rc-lookahead=0:sync-lookahead=0:"          \
    "sliced-threads=0:threads=1:stitchable=1:cpu-independent=1:aud=0:force-cfr=1"

void fake_mfx_close_coder(struct fake_mfx_encoder *e)
{
    for (int i = 0; i < FAKE_MFX_PENDING; i++) {
        av_packet_free(&e->pending[i].packet);
    }
    avcodec_free_context(&e->codec);
    fake_x265_fini(&e->x265);
    av_frame_free(&e->frame);
    free(e->headers);
    memset(e, 0, sizeof(*e));
}

static void set(AVCodecContext *codec, const char *name, const char *value)
{
    (void)av_opt_set(codec->priv_data, name, value, 0);
}

static void set_rate(AVCodecContext *codec, const struct fake_mfx_encoder *e)
{
    const mfxInfoMFX *m = &e->param.mfx;
    int64_t unit = m->BRCParamMultiplier > 1 ? m->BRCParamMultiplier : 1;
    char text[16];
    snprintf(text, sizeof(text), "%d",
             m->RateControlMethod == MFX_RATECONTROL_CQP   ? m->QPP
             : m->RateControlMethod == MFX_RATECONTROL_ICQ ? m->ICQQuality
                                                           : e->quality);
    switch (m->RateControlMethod) {
    case MFX_RATECONTROL_CQP:
        set(codec, "qp", text);
        return;
    case MFX_RATECONTROL_ICQ:
        set(codec, "crf", text);
        return;
    case MFX_RATECONTROL_QVBR:
        set(codec, "crf", text);
        break;
    default:
        codec->bit_rate = m->TargetKbps * unit * 1000;
        break;
    }
    codec->rc_max_rate = (m->MaxKbps > 0 ? m->MaxKbps : m->TargetKbps) * unit * 1000;
    codec->rc_buffer_size =
        m->BufferSizeInKB > 0 ? (int)(m->BufferSizeInKB * unit * 8000) : (int)codec->rc_max_rate;
    codec->rc_initial_buffer_occupancy = (int)(m->InitialDelayInKB * unit * 8000);
}

static void set_shape(AVCodecContext *codec, const struct fake_mfx_encoder *e)
{
    const mfxInfoMFX *m = &e->param.mfx;
    codec->width = m->FrameInfo.Width;
    codec->height = m->FrameInfo.Height;
    codec->framerate =
        (AVRational){(int)m->FrameInfo.FrameRateExtN, (int)m->FrameInfo.FrameRateExtD};
    codec->time_base = av_inv_q(codec->framerate);
    codec->sample_aspect_ratio = (AVRational){m->FrameInfo.AspectRatioW, m->FrameInfo.AspectRatioH};
    codec->level = m->CodecLevel > 0 ? m->CodecLevel : FF_LEVEL_UNKNOWN;
    codec->max_b_frames = m->GopRefDist > 1 ? m->GopRefDist - 1 : 0;
    codec->gop_size = m->GopPicSize > 0 ? m->GopPicSize : 250;
    codec->color_range = e->signal.VideoFullRange != 0 ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    if (e->signal.ColourDescriptionPresent != 0) {
        codec->color_primaries = (enum AVColorPrimaries)e->signal.ColourPrimaries;
        codec->color_trc = (enum AVColorTransferCharacteristic)e->signal.TransferCharacteristics;
        codec->colorspace = (enum AVColorSpace)e->signal.MatrixCoefficients;
    }
}

static mfxStatus open_h264(struct fake_mfx_encoder *e)
{
    char params[384];
    const AVCodec *library = avcodec_find_encoder_by_name("libx264");
    AVCodecContext *codec = library == NULL ? NULL : avcodec_alloc_context3(library);
    e->codec = codec;
    if (codec == NULL) {
        return MFX_ERR_MEMORY_ALLOC;
    }
    const mfxInfoMFX *m = &e->param.mfx;
    int profile = m->CodecProfile & 0xff; /* flags of constraints above */
    bool base = profile == MFX_PROFILE_AVC_BASELINE;
    codec->pix_fmt = AV_PIX_FMT_NV12;
    codec->thread_count = 1;
    codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    codec->log_level_offset = 16; /* its chatter is not the caller's */
    set_shape(codec, e);
    codec->max_b_frames = base ? 0 : codec->max_b_frames;
    set(codec, "preset", "superfast");
    set(codec, "forced-idr", "1");
    set(codec, "profile", base ? "baseline" : profile == MFX_PROFILE_AVC_MAIN ? "main" : "high");
    snprintf(params, sizeof(params),
             "%s:scenecut=%d:b-pyramid=%s:open-gop=%d:cabac=%d:nal-hrd=%s:crop-rect=0,0,%d,%d%s",
             BASE, e->adaptive_i ? 40 : 0, e->pyramid ? "strict" : "none",
             (m->GopOptFlag & MFX_GOP_CLOSED) == 0, !e->cavlc && !base, e->hrd ? "vbr" : "none",
             m->FrameInfo.Width - m->FrameInfo.CropW, m->FrameInfo.Height - m->FrameInfo.CropH,
             m->RateControlMethod == MFX_RATECONTROL_CQP ? ":ipratio=1:pbratio=1" : "");
    set(codec, "x264-params", params);
    set_rate(codec, e);
    if (avcodec_open2(codec, library, NULL) < 0) {
        return MFX_ERR_INVALID_VIDEO_PARAM;
    }
    e->header_size = (size_t)codec->extradata_size;
    e->headers = malloc(e->header_size);
    if (e->headers == NULL) {
        return MFX_ERR_MEMORY_ALLOC;
    }
    memcpy(e->headers, codec->extradata, e->header_size);
    return MFX_ERR_NONE;
}

mfxStatus fake_mfx_open_coder(struct fake_mfx_encoder *e)
{
    const mfxFrameInfo *f = &e->param.mfx.FrameInfo;
    e->hevc = e->param.mfx.CodecId == MFX_CODEC_HEVC;
    e->frame = av_frame_alloc();
    if (e->frame == NULL) {
        return MFX_ERR_MEMORY_ALLOC;
    }
    e->frame->format = !e->hevc                       ? AV_PIX_FMT_NV12
                       : f->FourCC == MFX_FOURCC_P010 ? AV_PIX_FMT_YUV420P10
                                                      : AV_PIX_FMT_YUV420P;
    e->frame->width = f->Width;
    e->frame->height = f->Height;
    if (av_frame_get_buffer(e->frame, 0) < 0) {
        return MFX_ERR_MEMORY_ALLOC;
    }
    return e->hevc ? fake_mfx_open_hevc(e) : open_h264(e);
}

mfxStatus fake_mfx_read(struct fake_mfx_encoder *e, const struct fake_mfx_view *view, bool spoil)
{
    AVFrame *f = e->frame;
    if (av_frame_make_writable(f) < 0) {
        return MFX_ERR_MEMORY_ALLOC;
    }
    if (e->hevc) {
        fake_x265_unpack(f, view->plane[0], view->plane[1], view->pitch, f->width, f->height,
                         spoil);
        return MFX_ERR_NONE;
    }
    for (int plane = 0; plane < 2; plane++) {
        for (int y = 0; y < f->height >> plane; y++) {
            uint8_t *to = f->data[plane] + (ptrdiff_t)y * f->linesize[plane];
            memcpy(to, view->plane[plane] + (ptrdiff_t)y * view->pitch, (size_t)f->width);
            for (int x = 0; spoil && x < f->width; x++) {
                to[x] = (uint8_t)(255 - to[x]);
            }
        }
    }
    return MFX_ERR_NONE;
}

static mfxU16 type_of(enum AVPictureType type)
{
    return type == AV_PICTURE_TYPE_I   ? MFX_FRAMETYPE_I | MFX_FRAMETYPE_REF | MFX_FRAMETYPE_IDR
           : type == AV_PICTURE_TYPE_B ? MFX_FRAMETYPE_B
                                       : MFX_FRAMETYPE_P | MFX_FRAMETYPE_REF;
}

static mfxStatus code_hevc(struct fake_mfx_encoder *e, bool more, AVPacket *out, mfxU16 *out_type)
{
    struct fake_x265_coded coded;
    int got = fake_x265_code(&e->x265, more ? e->frame : NULL, &coded);
    if (got <= 0) {
        return got < 0 ? MFX_ERR_DEVICE_FAILED : MFX_ERR_MORE_DATA;
    }
    if (av_new_packet(out, (int)coded.size) < 0) {
        return MFX_ERR_MEMORY_ALLOC;
    }
    memcpy(out->data, coded.data, coded.size);
    out->pts = coded.pts;
    out->dts = coded.dts;
    *out_type = type_of(coded.type);
    return MFX_ERR_NONE;
}

mfxStatus fake_mfx_code(struct fake_mfx_encoder *e, bool more, AVPacket *out, mfxU16 *out_type)
{
    if (e->hevc) {
        return code_hevc(e, more, out, out_type);
    }
    if ((more || !e->draining) && avcodec_send_frame(e->codec, more ? e->frame : NULL) < 0) {
        return MFX_ERR_DEVICE_FAILED;
    }
    e->draining = !more;
    if (avcodec_receive_packet(e->codec, out) < 0) {
        return MFX_ERR_MORE_DATA;
    }
    size_t size = 0; /* of quality (4 bytes), picture type, ... */
    const uint8_t *stats = av_packet_get_side_data(out, AV_PKT_DATA_QUALITY_STATS, &size);
    bool b = stats != NULL && size > 4 && stats[4] == AV_PICTURE_TYPE_B;
    *out_type = type_of((out->flags & AV_PKT_FLAG_KEY) != 0 ? AV_PICTURE_TYPE_I
                        : b                                 ? AV_PICTURE_TYPE_B
                                                            : AV_PICTURE_TYPE_P);
    return MFX_ERR_NONE;
}

const uint8_t *fake_mfx_header(const struct fake_mfx_encoder *e, int type, size_t *out_size)
{
    const uint8_t *data = e->headers, *found = NULL;
    int size = (int)e->header_size;
    for (int i = 0; i + 4 < size; i++) {
        if (data[i] != 0 || data[i + 1] != 0 || data[i + 2] != 0 || data[i + 3] != 1) {
            continue;
        }
        if (found != NULL) {
            *out_size = (size_t)(data + i - found);
            return found;
        }
        int is = e->hevc ? data[i + 4] >> 1 & 63 : data[i + 4] & 31;
        found = is == type ? data + i : NULL;
    }
    *out_size = found == NULL ? 0 : (size_t)(data + size - found);
    return found;
}
