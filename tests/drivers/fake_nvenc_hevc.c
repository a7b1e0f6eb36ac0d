/* libnvidia-encode.so.1 of the fake drivers: libx265 for a configuration. */
#include "fake_nvenc.h"

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

static void set_coding(struct fake_x265 *x265, const NV_ENC_CONFIG *config)
{
    const NV_ENC_CONFIG_HEVC *hevc = &config->encodeCodecConfig.hevcConfig;
    const bool endless = config->gopLength == NVENC_INFINITE_GOPLENGTH;
    x265_param *param = x265->param;
    fake_x265_set_b_pictures(x265, config->frameIntervalP > 1 ? config->frameIntervalP - 1 : 0);
    param->bBPyramid = hevc->useBFramesAsRef != NV_ENC_BFRAME_REF_MODE_DISABLED;
    param->keyframeMax = config->frameIntervalP == 0 ? 1 : endless ? -1 : (int)config->gopLength;
    param->bEnableAccessUnitDelimiters = (int)hevc->outputAUD;
    const bool constant = config->rcParams.rateControlMode == NV_ENC_PARAMS_RC_CONSTQP;
    if (hevc->level > 0 && !constant) { /* 30 times the number; x265's is 10 times it, and excludes
                                           a constant quantiser */
        param->levelIdc = (int)hevc->level / 3;
        param->bHighTier = hevc->tier == NV_ENC_TIER_HEVC_HIGH;
    }
}

bool fake_open_x265(struct fake_x265 *x265, const NV_ENC_INITIALIZE_PARAMS *params, bool deep,
                    const char **why)
{
    const NV_ENC_CONFIG *config = params->encodeConfig;
    const GUID profile = config->profileGUID;
    *why = "profile";
    if (config->encodeCodecConfig.hevcConfig.chromaFormatIDC > 1 ||
        (fake_same_guid(profile, NV_ENC_HEVC_PROFILE_MAIN_GUID) && deep)) {
        return false;
    }
    *why = "the coder refuses the configuration";
    if (!fake_x265_init(x265, deep)) {
        return false;
    }
    set_picture(x265->param, params);
    set_coding(x265, config);
    set_rate(x265->param, &config->rcParams);
    set_vui(x265->param, &config->encodeCodecConfig.hevcConfig.hevcVUIParameters);
    return fake_x265_open(x265, deep || fake_same_guid(profile, NV_ENC_HEVC_PROFILE_MAIN10_GUID));
}
