/* libnvidia-encode.so.1 of the fake drivers: HEVC by libx265 itself. libavcodec can't be asked: it
 * holds a lock while it opens hevc_nvenc, and wants the same lock to open libx265. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <x265.h>

#include "fake_nvenc.h"

struct fake_x265 {
    const x265_api *api;
    x265_param *param;
    x265_encoder *encoder;
};

static void set_rate(x265_param *param, const NV_ENC_RC_PARAMS *rate)
{
    const unsigned top =
        rate->rateControlMode == NV_ENC_PARAMS_RC_VBR ? rate->maxBitRate : rate->averageBitRate;
    if (rate->rateControlMode == NV_ENC_PARAMS_RC_CONSTQP) {
        param->rc.rateControlMode = X265_RC_CQP;
        param->rc.qp = (int)rate->constQP.qpInterP;
        return;
    }
    if (rate->targetQuality > 0) {
        param->rc.rateControlMode = X265_RC_CRF;
        param->rc.rfConstant = rate->targetQuality + rate->targetQualityLSB / 256.0;
    } else {
        param->rc.rateControlMode = X265_RC_ABR;
        param->rc.bitrate = (int)(rate->averageBitRate > 0 ? rate->averageBitRate / 1000 : 2000);
    }
    if (top > 0) {
        param->rc.vbvMaxBitrate = (int)(top / 1000);
        param->rc.vbvBufferSize =
            (int)((rate->vbvBufferSize > 0 ? rate->vbvBufferSize : top) / 1000);
    }
}

static void set_vui(x265_param *param, const NV_ENC_CONFIG_H264_VUI_PARAMETERS *vui)
{
    param->vui.bEnableVideoSignalTypePresentFlag = (int)vui->videoSignalTypePresentFlag;
    param->vui.bEnableVideoFullRangeFlag = (int)vui->videoFullRangeFlag;
    param->vui.videoFormat = 5;
    param->vui.bEnableColorDescriptionPresentFlag = (int)vui->colourDescriptionPresentFlag;
    param->vui.colorPrimaries = (int)vui->colourPrimaries;
    param->vui.transferCharacteristics = (int)vui->transferCharacteristics;
    param->vui.matrixCoeffs = (int)vui->colourMatrix;
    param->vui.bEnableChromaLocInfoPresentFlag = (int)vui->chromaSampleLocationFlag;
    param->vui.chromaSampleLocTypeTopField = (int)vui->chromaSampleLocationTop;
    param->vui.chromaSampleLocTypeBottomField = (int)vui->chromaSampleLocationBot;
}

static void set_picture(x265_param *param, const NV_ENC_INITIALIZE_PARAMS *params)
{
    param->sourceWidth = (int)params->encodeWidth;
    param->sourceHeight = (int)params->encodeHeight;
    param->fpsNum = params->frameRateNum;
    param->fpsDenom = params->frameRateDen;
    if (params->darWidth > 0 && params->darHeight > 0) {
        int num = 0, den = 0;
        av_reduce(&num, &den, (int64_t)params->darWidth * params->encodeHeight,
                  (int64_t)params->darHeight * params->encodeWidth, 65535);
        param->vui.aspectRatioIdc = num == den ? 1 : X265_EXTENDED_SAR;
        param->vui.sarWidth = num;
        param->vui.sarHeight = den;
    }
}

static void set_coding(x265_param *param, const NV_ENC_CONFIG *config)
{
    const NV_ENC_CONFIG_HEVC *hevc = &config->encodeCodecConfig.hevcConfig;
    const bool endless = config->gopLength == NVENC_INFINITE_GOPLENGTH;
    param->logLevel = X265_LOG_ERROR;
    param->bEmitInfoSEI = 0;
    param->bRepeatHeaders = 0;
    param->bAnnexB = 1;
    param->frameNumThreads = 1;
    param->bEnableWavefront = 0;
    param->lookaheadThreads = 0;
    param->lookaheadSlices = 0;
    param->scenecutThreshold = 0;
    param->bOpenGOP = 0;
    param->bFrameAdaptive = 0;
    param->bBPyramid = hevc->useBFramesAsRef != NV_ENC_BFRAME_REF_MODE_DISABLED;
    param->bframes = config->frameIntervalP > 1 ? config->frameIntervalP - 1 : 0;
    param->lookaheadDepth = param->bframes > 0 ? param->bframes + 1 : 0;
    param->rc.cuTree = 0;
    param->keyframeMax = config->frameIntervalP == 0 ? 1 : endless ? -1 : (int)config->gopLength;
    param->keyframeMin = 1;
    param->bEnableAccessUnitDelimiters = (int)hevc->outputAUD;
    const bool constant = config->rcParams.rateControlMode == NV_ENC_PARAMS_RC_CONSTQP;
    if (hevc->level > 0 && !constant) { /* 30 times the number; x265's is 10 times it, and excludes
                                           a constant quantiser */
        param->levelIdc = (int)hevc->level / 3;
        param->bHighTier = hevc->tier == NV_ENC_TIER_HEVC_HIGH;
    }
}

struct fake_x265 *fake_x265_open(const NV_ENC_INITIALIZE_PARAMS *params, bool deep,
                                 const char **why)
{
    const NV_ENC_CONFIG *config = params->encodeConfig;
    const GUID profile = config->profileGUID;
    *why = "profile";
    if (config->encodeCodecConfig.hevcConfig.chromaFormatIDC > 1 ||
        (fake_same_guid(profile, NV_ENC_HEVC_PROFILE_MAIN_GUID) && deep)) {
        return NULL;
    }
    struct fake_x265 *x265 = calloc(1, sizeof(*x265));
    *why = "the coder refuses the configuration";
    if (x265 == NULL) {
        return NULL;
    }
    x265->api = x265_api_get(deep ? 10 : 8);
    x265->param = x265->api == NULL ? NULL : x265->api->param_alloc();
    if (x265->param == NULL ||
        x265->api->param_default_preset(x265->param, "ultrafast", NULL) < 0 ||
        x265->api->param_parse(x265->param, "pools", "none") < 0) {
        fake_x265_close(&x265);
        return NULL;
    }
    set_picture(x265->param, params);
    set_coding(x265->param, config);
    set_rate(x265->param, &config->rcParams);
    set_vui(x265->param, &config->encodeCodecConfig.hevcConfig.hevcVUIParameters);
    const bool main10 = deep || fake_same_guid(profile, NV_ENC_HEVC_PROFILE_MAIN10_GUID);
    if (x265->api->param_apply_profile(x265->param, main10 ? "main10" : "main") == 0) {
        x265->encoder = x265->api->encoder_open(x265->param);
    }
    if (x265->encoder == NULL) {
        fake_x265_close(&x265);
    }
    return x265;
}

void fake_x265_close(struct fake_x265 **x265)
{
    if (*x265 == NULL) {
        return;
    }
    if ((*x265)->encoder != NULL) {
        (*x265)->api->encoder_close((*x265)->encoder);
    }
    if ((*x265)->param != NULL) {
        (*x265)->api->param_free((*x265)->param);
    }
    free(*x265);
    *x265 = NULL;
}

/* Joins NAL units, which lie one behind the other. */
static int join(const x265_nal *nal, uint32_t count, AVPacket *packet)
{
    int size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += (int)nal[i].sizeBytes;
    }
    int rc = av_new_packet(packet, size);
    if (rc < 0) {
        return rc;
    }
    memcpy(packet->data, nal[0].payload, (size_t)size);
    return 0;
}

int fake_x265_headers(struct fake_x265 *x265, AVPacket *packet)
{
    x265_nal *nal = NULL;
    uint32_t count = 0;
    return x265->api->encoder_headers(x265->encoder, &nal, &count) < 0 || count == 0
               ? AVERROR_EXTERNAL
               : join(nal, count, packet);
}

int fake_x265_encode(struct fake_x265 *x265, const AVFrame *frame, AVPacket *packet,
                     NV_ENC_PIC_TYPE *type)
{
    x265_nal *nal = NULL;
    uint32_t count = 0;
    x265_sei_payload message;
    x265_picture *in = x265->api->picture_alloc(), *out = x265->api->picture_alloc();
    int rc = AVERROR(ENOMEM);
    if (in == NULL || out == NULL) {
        goto done;
    }
    x265->api->picture_init(x265->param, in);
    if (frame != NULL) {
        for (int i = 0; i < 3; i++) {
            in->planes[i] = frame->data[i];
            in->stride[i] = frame->linesize[i];
        }
        const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC);
        if (side != NULL) { /* x265 copies it */
            message =
                (x265_sei_payload){(int)side->size, USER_DATA_REGISTERED_ITU_T_T35, side->data};
            in->userSEI = (x265_sei){.numPayloads = 1, .payloads = &message};
        }
        in->pts = frame->pts;
        in->bitDepth = frame->format == AV_PIX_FMT_YUV420P10 ? 10 : 8;
        in->sliceType = frame->pict_type == AV_PICTURE_TYPE_I ? X265_TYPE_IDR : X265_TYPE_AUTO;
    }
    int got =
        x265->api->encoder_encode(x265->encoder, &nal, &count, frame == NULL ? NULL : in, out);
    rc = got < 0 ? AVERROR_EXTERNAL : got == 0 || count == 0 ? 0 : join(nal, count, packet);
    if (rc == 0 && packet->size > 0) {
        packet->pts = out->pts;
        *type = IS_X265_TYPE_I(out->sliceType)   ? NV_ENC_PIC_TYPE_IDR
                : IS_X265_TYPE_B(out->sliceType) ? NV_ENC_PIC_TYPE_B
                                                 : NV_ENC_PIC_TYPE_P;
    }
done:
    if (in != NULL) {
        in->userSEI.payloads = NULL; /* not its own */
        x265->api->picture_free(in);
    }
    if (out != NULL) {
        x265->api->picture_free(out);
    }
    return rc;
}
