/* libnvidia-encode.so.1 of the fake drivers: an NVENC configuration as options of libx264.
 *
 * Speed before quality, one thread; the GOP, the B pictures, the rate, profile, level, aspect and
 * colour are what was asked for. Adaptive quantisation, look-ahead, tuning and weighted prediction
 * have no counterpart. */
#include <stdio.h>
#include <string.h>

#include <libavutil/opt.h>

#include "fake_nvenc.h"

static void set(AVCodecContext *codec, const char *name, const char *value)
{
    (void)av_opt_set(codec->priv_data, name, value, 0);
}

static void set_rate(AVCodecContext *codec, const NV_ENC_RC_PARAMS *rate)
{
    char text[32];
    if (rate->rateControlMode == NV_ENC_PARAMS_RC_CONSTQP) {
        snprintf(text, sizeof(text), "%u", rate->constQP.qpInterP);
        set(codec, "qp", text);
        return;
    }
    if (rate->targetQuality > 0) {
        snprintf(text, sizeof(text), "%u.%02u", rate->targetQuality,
                 (unsigned)rate->targetQualityLSB * 100 / 256);
        set(codec, "crf", text);
    } else {
        codec->bit_rate = rate->averageBitRate > 0 ? rate->averageBitRate : 2000000;
    }
    unsigned top =
        rate->rateControlMode == NV_ENC_PARAMS_RC_VBR ? rate->maxBitRate : rate->averageBitRate;
    if (top > 0) {
        codec->rc_max_rate = top;
        codec->rc_buffer_size = rate->vbvBufferSize > 0 ? (int)rate->vbvBufferSize : (int)top;
    }
}

static void set_colour(AVCodecContext *codec, const NV_ENC_CONFIG_H264_VUI_PARAMETERS *vui)
{
    if (vui->videoSignalTypePresentFlag) {
        codec->color_range = vui->videoFullRangeFlag ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    }
    if (vui->colourDescriptionPresentFlag) {
        codec->color_primaries = (enum AVColorPrimaries)vui->colourPrimaries;
        codec->color_trc = (enum AVColorTransferCharacteristic)vui->transferCharacteristics;
        codec->colorspace = (enum AVColorSpace)vui->colourMatrix;
    }
    if (vui->chromaSampleLocationFlag) {
        codec->chroma_sample_location = (enum AVChromaLocation)(vui->chromaSampleLocationTop + 1);
    }
}

static const char *set_h264(AVCodecContext *codec, const NV_ENC_CONFIG *config)
{
    const NV_ENC_CONFIG_H264 *h264 = &config->encodeCodecConfig.h264Config;
    set(codec, "preset", "superfast");
    set(codec, "forced-idr", "1");
    set(codec, "mbtree", "0");
    set(codec, "rc-lookahead", "0");
    set(codec, "sc_threshold", "0");
    set(codec, "b_strategy", "0");
    set(codec, "b-pyramid",
        h264->useBFramesAsRef != NV_ENC_BFRAME_REF_MODE_DISABLED ? "normal" : "none");
    set(codec, "x264-params", "sync-lookahead=0:force-cfr=1:stitchable=1");
    if (h264->outputAUD) {
        set(codec, "aud", "1");
    }
    if (h264->level > 0) {
        codec->level = (int)h264->level;
    }
    if (h264->maxNumRefFrames > 0) {
        codec->refs = (int)h264->maxNumRefFrames;
    }
    if (fake_same_guid(config->profileGUID, NV_ENC_H264_PROFILE_BASELINE_GUID)) {
        set(codec, "profile", "baseline");
    } else if (fake_same_guid(config->profileGUID, NV_ENC_H264_PROFILE_MAIN_GUID)) {
        set(codec, "profile", "main");
    } else if (fake_same_guid(config->profileGUID, NV_ENC_H264_PROFILE_HIGH_GUID) ||
               fake_same_guid(config->profileGUID, NV_ENC_CODEC_PROFILE_AUTOSELECT_GUID)) {
        set(codec, "profile", "high");
    } else {
        return "no such H.264 profile";
    }
    set_colour(codec, &h264->h264VUIParameters);
    return h264->chromaFormatIDC > 1 ? "only 4:2:0" : NULL;
}

AVCodecContext *fake_open_codec(const NV_ENC_INITIALIZE_PARAMS *params, const char **why)
{
    const NV_ENC_CONFIG *config = params->encodeConfig;
    const AVCodec *coder = avcodec_find_encoder_by_name("libx264");
    AVCodecContext *codec = coder == NULL ? NULL : avcodec_alloc_context3(coder);
    *why = "libavcodec has no libx264";
    if (codec == NULL) {
        return NULL;
    }
    codec->width = (int)params->encodeWidth;
    codec->height = (int)params->encodeHeight;
    codec->pix_fmt = AV_PIX_FMT_YUV420P;
    codec->framerate = (AVRational){(int)params->frameRateNum, (int)params->frameRateDen};
    codec->time_base = av_inv_q(codec->framerate);
    codec->thread_count = 1;
    codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    codec->log_level_offset = 16; /* its chatter is not the caller's */
    codec->gop_size =
        config->gopLength == NVENC_INFINITE_GOPLENGTH ? 1 << 30 : (int)config->gopLength;
    codec->max_b_frames = config->frameIntervalP > 1 ? config->frameIntervalP - 1 : 0;
    if (config->frameIntervalP == 0) {
        codec->gop_size = 1;
    }
    if (params->darWidth > 0 && params->darHeight > 0) {
        av_reduce(&codec->sample_aspect_ratio.num, &codec->sample_aspect_ratio.den,
                  (int64_t)params->darWidth * params->encodeHeight,
                  (int64_t)params->darHeight * params->encodeWidth, 1 << 16);
    }
    set_rate(codec, &config->rcParams);
    *why = set_h264(codec, config);
    if (*why == NULL && avcodec_open2(codec, coder, NULL) < 0) {
        *why = "the coder refuses the configuration";
    }
    if (*why != NULL) {
        avcodec_free_context(&codec);
    }
    return codec;
}
