/* fake_mfx.so: libx264 as the application's parameters have it. */
#include <stdio.h>
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
    av_frame_free(&e->frame);
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
    codec->width = m->FrameInfo.CropW;
    codec->height = m->FrameInfo.CropH;
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

mfxStatus fake_mfx_open_coder(struct fake_mfx_encoder *e)
{
    char params[320];
    const AVCodec *library = avcodec_find_encoder_by_name("libx264");
    AVCodecContext *codec = library == NULL ? NULL : avcodec_alloc_context3(library);
    e->codec = codec;
    e->frame = av_frame_alloc();
    if (codec == NULL || e->frame == NULL) {
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
    e->frame->format = codec->pix_fmt;
    e->frame->width = codec->width;
    e->frame->height = codec->height;
    set(codec, "preset", "superfast");
    set(codec, "forced-idr", "1");
    set(codec, "profile", base ? "baseline" : profile == MFX_PROFILE_AVC_MAIN ? "main" : "high");
    snprintf(params, sizeof(params),
             "%s:scenecut=%d:b-pyramid=%s:open-gop=%d:cabac=%d:nal-hrd=%s%s", BASE,
             e->adaptive_i ? 40 : 0, e->pyramid ? "strict" : "none",
             (m->GopOptFlag & MFX_GOP_CLOSED) == 0, !e->cavlc && !base, e->hrd ? "vbr" : "none",
             m->RateControlMethod == MFX_RATECONTROL_CQP ? ":ipratio=1:pbratio=1" : "");
    set(codec, "x264-params", params);
    set_rate(codec, e);
    return av_frame_get_buffer(e->frame, 0) < 0 || avcodec_open2(codec, library, NULL) < 0
               ? MFX_ERR_INVALID_VIDEO_PARAM
               : MFX_ERR_NONE;
}

const uint8_t *fake_mfx_header(const struct fake_mfx_encoder *e, int type, size_t *out_size)
{
    const uint8_t *data = e->codec->extradata, *found = NULL;
    int size = e->codec->extradata_size;
    for (int i = 0; i + 4 < size; i++) {
        if (data[i] != 0 || data[i + 1] != 0 || data[i + 2] != 0 || data[i + 3] != 1) {
            continue;
        }
        if (found != NULL) {
            *out_size = (size_t)(data + i - found);
            return found;
        }
        found = (data[i + 4] & 31) == type ? data + i : NULL;
    }
    *out_size = found == NULL ? 0 : (size_t)(data + size - found);
    return found;
}
