/* libnvidia-encode.so.1 of the fake drivers: entry points, sessions, what the encoder can do. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_nvenc.h"

EXPORT NVENCSTATUS NvEncodeAPICreateInstance(NV_ENCODE_API_FUNCTION_LIST *list);
EXPORT NVENCSTATUS NvEncodeAPIGetMaxSupportedVersion(uint32_t *version);

bool fake_same_guid(GUID a, GUID b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

NVENCSTATUS fake_nvenc_result(enum fake_action action)
{
    switch (action) {
    case FAKE_OK:
    case FAKE_WRONG:
    case FAKE_CORRUPT:
        return NV_ENC_SUCCESS;
    case FAKE_OOM:
        return NV_ENC_ERR_OUT_OF_MEMORY;
    case FAKE_NO_DEVICE:
        return NV_ENC_ERR_NO_ENCODE_DEVICE;
    case FAKE_UNSUPPORTED:
        return NV_ENC_ERR_UNSUPPORTED_DEVICE;
    case FAKE_MISMATCH:
        return NV_ENC_ERR_INVALID_VERSION;
    case FAKE_BUSY:
        return NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY;
    default:
        return NV_ENC_ERR_GENERIC;
    }
}

NVENCSTATUS fake_session_fail(struct fake_session *session, NVENCSTATUS rc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int used = snprintf(session->error, sizeof(session->error), "fake encoder: ");
    vsnprintf(session->error + used, sizeof(session->error) - (size_t)used, format, args);
    va_end(args);
    return rc;
}

struct fake_session *fake_session_get(void *handle, NVENCSTATUS *rc)
{
    struct fake_session *session = handle;
    if (session == NULL || session->magic != FAKE_SESSION_MAGIC) {
        *rc = NV_ENC_ERR_INVALID_ENCODERDEVICE;
        return NULL;
    }
    if (fake_cuda_context_state(session->context) != CUDA_SUCCESS) {
        *rc = fake_session_fail(session, NV_ENC_ERR_GENERIC, "the device is lost");
        return NULL;
    }
    *rc = NV_ENC_SUCCESS;
    return session;
}

/* major and minor of a client: NVENCAPI_VERSION's layout. */
static bool is_too_new(uint32_t version)
{
    const struct fake_profile *profile = fake_cuda_profile();
    int major = (int)(version & 0xff), minor = (int)(version >> 24 & 0xf);
    return major > profile->nvenc_major ||
           (major == profile->nvenc_major && minor > profile->nvenc_minor);
}

static NVENCSTATUS open_session(NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS *params, void **out)
{
    if (params == NULL || out == NULL) {
        return NV_ENC_ERR_INVALID_PTR;
    }
    *out = NULL;
    if (is_too_new(params->apiVersion)) {
        return NV_ENC_ERR_INVALID_VERSION;
    }
    struct CUctx_st *context = params->device;
    if (params->deviceType != NV_ENC_DEVICE_TYPE_CUDA || context == NULL) {
        return NV_ENC_ERR_INVALID_ENCODERDEVICE;
    }
    if (fake_cuda_context_state(context) != CUDA_SUCCESS) {
        return NV_ENC_ERR_GENERIC;
    }
    const struct fake_gpu *gpu = fake_cuda_gpu(context);
    if (gpu->encode.engines == 0) {
        return NV_ENC_ERR_UNSUPPORTED_DEVICE;
    }
    NVENCSTATUS rc = fake_nvenc_result(fake_cuda_fault(FAKE_ENCODE_OPEN, gpu->pci, 0));
    if (rc != NV_ENC_SUCCESS) {
        return rc;
    }
    struct fake_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return NV_ENC_ERR_OUT_OF_MEMORY;
    }
    session->slot = fake_cuda_slot_take(gpu->pci);
    if (session->slot < 0) { /* the limit of sessions has no code of its own */
        free(session);
        return gpu->full_is_key ? NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY : NV_ENC_ERR_OUT_OF_MEMORY;
    }
    session->magic = FAKE_SESSION_MAGIC;
    session->context = context;
    memcpy(session->pci, gpu->pci, sizeof(session->pci));
    *out = session;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS open_session_old(void *device, uint32_t type, void **out)
{
    NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS params = {.deviceType = (NV_ENC_DEVICE_TYPE)type,
                                                   .device = device};
    return open_session(&params, out);
}

static NVENCSTATUS close_session(void *handle)
{
    struct fake_session *session = handle;
    if (session == NULL || session->magic != FAKE_SESSION_MAGIC) {
        return NV_ENC_ERR_INVALID_ENCODERDEVICE;
    }
    fake_close_codec(session);
    fake_free_buffers(session);
    fake_cuda_slot_release(session->slot);
    session->magic = 0;
    free(session);
    return NV_ENC_SUCCESS;
}

static const char *last_error(void *handle)
{
    struct fake_session *session = handle;
    return session == NULL || session->magic != FAKE_SESSION_MAGIC ? "" : session->error;
}

/* Newer than the header: NV_ENC_CODEC_AV1_GUID. */
static const GUID AV1 = {
    0x0a352289, 0x0aa7, 0x4759, {0x86, 0x2d, 0x5d, 0x15, 0xcd, 0x16, 0xd2, 0x54}};

const struct fake_codec *fake_nvenc_codec(const struct fake_session *session, GUID codec)
{
    const struct fake_gpu *gpu = fake_cuda_gpu(session->context);
    if (gpu == NULL) {
        return NULL;
    }
    if (fake_same_guid(codec, NV_ENC_CODEC_H264_GUID)) {
        return fake_codec_find(&gpu->encode, "h264");
    }
    return fake_same_guid(codec, NV_ENC_CODEC_HEVC_GUID) ? fake_codec_find(&gpu->encode, "hevc")
           : fake_same_guid(codec, AV1)                  ? fake_codec_find(&gpu->encode, "av1")
                                                         : NULL;
}

static NVENCSTATUS hand_out(const GUID *from, uint32_t have, GUID *to, uint32_t room,
                            uint32_t *count)
{
    if (count == NULL || (to == NULL && room > 0)) {
        return NV_ENC_ERR_INVALID_PTR;
    }
    *count = have < room ? have : room;
    memcpy(to, from, *count * sizeof(GUID));
    return NV_ENC_SUCCESS;
}

static uint32_t list_codecs(const struct fake_session *session, GUID out[3])
{
    const GUID all[] = {NV_ENC_CODEC_H264_GUID, NV_ENC_CODEC_HEVC_GUID, AV1};
    uint32_t count = 0;
    for (int i = 0; i < 3; i++) {
        if (fake_nvenc_codec(session, all[i]) != NULL) {
            out[count++] = all[i];
        }
    }
    return count;
}

static NVENCSTATUS codec_count(void *handle, uint32_t *count)
{
    NVENCSTATUS rc;
    GUID codecs[3];
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session != NULL) {
        *count = list_codecs(session, codecs);
    }
    return rc;
}

static NVENCSTATUS codec_guids(void *handle, GUID *out, uint32_t room, uint32_t *count)
{
    NVENCSTATUS rc;
    GUID codecs[3];
    struct fake_session *session = fake_session_get(handle, &rc);
    return session == NULL ? rc : hand_out(codecs, list_codecs(session, codecs), out, room, count);
}

static uint32_t list_profiles(const struct fake_codec *codec, GUID out[5])
{
    if (strcmp(codec->name, "h264") == 0) {
        out[0] = NV_ENC_CODEC_PROFILE_AUTOSELECT_GUID;
        out[1] = NV_ENC_H264_PROFILE_BASELINE_GUID;
        out[2] = NV_ENC_H264_PROFILE_MAIN_GUID;
        out[3] = NV_ENC_H264_PROFILE_HIGH_GUID;
        return 4;
    }
    out[0] = NV_ENC_CODEC_PROFILE_AUTOSELECT_GUID;
    out[1] = NV_ENC_HEVC_PROFILE_MAIN_GUID;
    out[2] = NV_ENC_HEVC_PROFILE_MAIN10_GUID;
    return codec->depths & FAKE_DEPTH_10 ? 3 : 2;
}

static NVENCSTATUS profile_guids(void *handle, GUID codec, GUID *out, uint32_t room,
                                 uint32_t *count)
{
    NVENCSTATUS rc;
    GUID profiles[5];
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    const struct fake_codec *found = fake_nvenc_codec(session, codec);
    return found == NULL ? NV_ENC_ERR_UNSUPPORTED_PARAM
                         : hand_out(profiles, list_profiles(found, profiles), out, room, count);
}

static NVENCSTATUS profile_count(void *handle, GUID codec, uint32_t *count)
{
    GUID profiles[5];
    return profile_guids(handle, codec, profiles, 5, count);
}

static uint32_t list_presets(GUID out[7])
{
    out[0] = NV_ENC_PRESET_P1_GUID;
    out[1] = NV_ENC_PRESET_P2_GUID;
    out[2] = NV_ENC_PRESET_P3_GUID;
    out[3] = NV_ENC_PRESET_P4_GUID;
    out[4] = NV_ENC_PRESET_P5_GUID;
    out[5] = NV_ENC_PRESET_P6_GUID;
    out[6] = NV_ENC_PRESET_P7_GUID;
    return 7;
}

static NVENCSTATUS preset_guids(void *handle, GUID codec, GUID *out, uint32_t room, uint32_t *count)
{
    NVENCSTATUS rc;
    GUID presets[7];
    (void)codec;
    struct fake_session *session = fake_session_get(handle, &rc);
    return session == NULL ? rc : hand_out(presets, list_presets(presets), out, room, count);
}

static NVENCSTATUS preset_count(void *handle, GUID codec, uint32_t *count)
{
    GUID presets[7];
    return preset_guids(handle, codec, presets, 7, count);
}

/* From P4 on with B pictures, as far as the GPU has them: who wants none has to say so. */
static NVENCSTATUS preset_config(void *handle, GUID codec, GUID preset, NV_ENC_TUNING_INFO tuning,
                                 NV_ENC_PRESET_CONFIG *out)
{
    NVENCSTATUS rc;
    GUID presets[7];
    uint32_t number = 0;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    const struct fake_codec *found = fake_nvenc_codec(session, codec);
    uint32_t count = list_presets(presets);
    while (number < count && !fake_same_guid(presets[number], preset)) {
        number++;
    }
    if (found == NULL || number == count) {
        return fake_session_fail(session, NV_ENC_ERR_UNSUPPORTED_PARAM, "no such codec or preset");
    }
    NV_ENC_CONFIG *config = &out->presetCfg;
    uint32_t version = config->version;
    memset(config, 0, sizeof(*config));
    config->version = version;
    config->profileGUID = NV_ENC_CODEC_PROFILE_AUTOSELECT_GUID;
    config->gopLength = 250;
    config->frameIntervalP =
        number >= 3 && tuning == NV_ENC_TUNING_INFO_HIGH_QUALITY && found->bframes >= 2 ? 3 : 1;
    config->frameFieldMode = NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME;
    config->rcParams.version = NV_ENC_RC_PARAMS_VER;
    config->rcParams.rateControlMode = NV_ENC_PARAMS_RC_VBR;
    config->rcParams.averageBitRate = 2000000;
    config->rcParams.maxBitRate = 4000000;
    if (strcmp(found->name, "h264") == 0) {
        config->encodeCodecConfig.h264Config.idrPeriod = 250;
        config->encodeCodecConfig.h264Config.chromaFormatIDC = 1;
    } else {
        config->encodeCodecConfig.hevcConfig.idrPeriod = 250;
        config->encodeCodecConfig.hevcConfig.chromaFormatIDC = 1;
    }
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS preset_config_old(void *handle, GUID codec, GUID preset,
                                     NV_ENC_PRESET_CONFIG *out)
{
    return preset_config(handle, codec, preset, NV_ENC_TUNING_INFO_HIGH_QUALITY, out);
}

static const NV_ENC_BUFFER_FORMAT FORMATS[] = {NV_ENC_BUFFER_FORMAT_NV12, NV_ENC_BUFFER_FORMAT_YV12,
                                               NV_ENC_BUFFER_FORMAT_IYUV,
                                               NV_ENC_BUFFER_FORMAT_YUV420_10BIT};

static NVENCSTATUS formats(void *handle, GUID codec, NV_ENC_BUFFER_FORMAT *out, uint32_t room,
                           uint32_t *count)
{
    NVENCSTATUS rc;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    const struct fake_codec *found = fake_nvenc_codec(session, codec);
    if (found == NULL) {
        return NV_ENC_ERR_UNSUPPORTED_PARAM;
    }
    uint32_t have = found->depths & FAKE_DEPTH_10 ? 4 : 3;
    *count = have < room ? have : room;
    memcpy(out, FORMATS, *count * sizeof(out[0]));
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS format_count(void *handle, GUID codec, uint32_t *count)
{
    NV_ENC_BUFFER_FORMAT all[4];
    return formats(handle, codec, all, 4, count);
}

static NVENCSTATUS caps(void *handle, GUID guid, NV_ENC_CAPS_PARAM *params, int *out)
{
    NVENCSTATUS rc;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    const struct fake_codec *codec = fake_nvenc_codec(session, guid);
    if (codec == NULL) {
        return fake_session_fail(session, NV_ENC_ERR_UNSUPPORTED_PARAM, "no such codec");
    }
    const int h264 = strcmp(codec->name, "h264") == 0;
    const struct {
        NV_ENC_CAPS cap;
        int value;
    } known[] = {
        {NV_ENC_CAPS_NUM_MAX_BFRAMES, codec->bframes},
        {NV_ENC_CAPS_SUPPORTED_RATECONTROL_MODES, NV_ENC_PARAMS_RC_VBR | NV_ENC_PARAMS_RC_CBR},
        {NV_ENC_CAPS_SUPPORT_CABAC, h264},
        {NV_ENC_CAPS_SUPPORT_ADAPTIVE_TRANSFORM, h264},
        {NV_ENC_CAPS_LEVEL_MAX, h264 ? 51 : 186},
        {NV_ENC_CAPS_LEVEL_MIN, h264 ? 10 : 30},
        {NV_ENC_CAPS_WIDTH_MAX, codec->max_width},
        {NV_ENC_CAPS_HEIGHT_MAX, codec->max_height},
        {NV_ENC_CAPS_WIDTH_MIN, codec->min_width},
        {NV_ENC_CAPS_HEIGHT_MIN, codec->min_height},
        {NV_ENC_CAPS_SUPPORT_CUSTOM_VBV_BUF_SIZE, 1},
        {NV_ENC_CAPS_MB_NUM_MAX, codec->max_width / 16 * (codec->max_height / 16)},
        {NV_ENC_CAPS_SUPPORT_10BIT_ENCODE, (codec->depths & FAKE_DEPTH_10) != 0},
        {NV_ENC_CAPS_SUPPORT_LOOKAHEAD, 1},
        {NV_ENC_CAPS_SUPPORT_TEMPORAL_AQ, 1},
        {NV_ENC_CAPS_SUPPORT_BFRAME_REF_MODE, codec->bframes > 1 ? 2 : 0},
        {NV_ENC_CAPS_NUM_ENCODER_ENGINES, fake_cuda_gpu(session->context)->encode.engines},
    };
    *out = 0; /* whatever else: not offered */
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].cap == params->capsToQuery) {
            *out = known[i].value;
        }
    }
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS set_streams(void *handle, NV_ENC_CUSTREAM_PTR in, NV_ENC_CUSTREAM_PTR out)
{
    NVENCSTATUS rc;
    (void)out;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session != NULL) {
        session->stream = in == NULL ? NULL : *(CUstream *)in;
    }
    return rc;
}

static NVENCSTATUS reconfigure(void *handle, NV_ENC_RECONFIGURE_PARAMS *params)
{
    NVENCSTATUS rc;
    (void)params;
    struct fake_session *session = fake_session_get(handle, &rc);
    return session == NULL
               ? rc
               : fake_session_fail(session, NV_ENC_ERR_UNSUPPORTED_PARAM, "no change while coding");
}

static NVENCSTATUS no_event(void *handle, NV_ENC_EVENT_PARAMS *params)
{
    (void)handle;
    (void)params;
    return NV_ENC_ERR_UNIMPLEMENTED;
}

NVENCSTATUS NvEncodeAPIGetMaxSupportedVersion(uint32_t *version)
{
    const struct fake_profile *profile = fake_cuda_profile();
    if (version == NULL) {
        return NV_ENC_ERR_INVALID_PTR;
    }
    *version = (uint32_t)(profile->nvenc_major << 4 | profile->nvenc_minor);
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NvEncodeAPICreateInstance(NV_ENCODE_API_FUNCTION_LIST *list)
{
    if (list == NULL) {
        return NV_ENC_ERR_INVALID_PTR;
    }
    if (is_too_new(list->version)) {
        return NV_ENC_ERR_INVALID_VERSION;
    }
    list->nvEncOpenEncodeSession = open_session_old;
    list->nvEncOpenEncodeSessionEx = open_session;
    list->nvEncDestroyEncoder = close_session;
    list->nvEncGetLastErrorString = last_error;
    list->nvEncGetEncodeGUIDCount = codec_count;
    list->nvEncGetEncodeGUIDs = codec_guids;
    list->nvEncGetEncodeProfileGUIDCount = profile_count;
    list->nvEncGetEncodeProfileGUIDs = profile_guids;
    list->nvEncGetInputFormatCount = format_count;
    list->nvEncGetInputFormats = formats;
    list->nvEncGetEncodeCaps = caps;
    list->nvEncGetEncodePresetCount = preset_count;
    list->nvEncGetEncodePresetGUIDs = preset_guids;
    list->nvEncGetEncodePresetConfig = preset_config_old;
    list->nvEncGetEncodePresetConfigEx = preset_config;
    list->nvEncInitializeEncoder = fake_initialize;
    list->nvEncReconfigureEncoder = reconfigure;
    list->nvEncCreateInputBuffer = fake_create_input;
    list->nvEncDestroyInputBuffer = fake_destroy_input;
    list->nvEncLockInputBuffer = fake_lock_input;
    list->nvEncUnlockInputBuffer = fake_unlock_input;
    list->nvEncCreateBitstreamBuffer = fake_create_output;
    list->nvEncDestroyBitstreamBuffer = fake_destroy_output;
    list->nvEncLockBitstream = fake_lock_output;
    list->nvEncUnlockBitstream = fake_unlock_output;
    list->nvEncRegisterResource = fake_register;
    list->nvEncUnregisterResource = fake_unregister;
    list->nvEncMapInputResource = fake_map;
    list->nvEncUnmapInputResource = fake_unmap;
    list->nvEncEncodePicture = fake_encode;
    list->nvEncGetSequenceParams = fake_headers;
    list->nvEncSetIOCudaStreams = set_streams;
    list->nvEncRegisterAsyncEvent = no_event;
    list->nvEncUnregisterAsyncEvent = no_event;
    return NV_ENC_SUCCESS;
}
