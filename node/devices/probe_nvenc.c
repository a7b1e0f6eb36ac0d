/* What one GPU encodes. GUIDs and capabilities can only be asked of an open session, and a session
 * may be refused for reasons that pass: that is a note, not absence.
 * See: NVENC Video Encoder API Programming Guide. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <ffnvcodec/nvEncodeAPI.h>

#include "node/devices/detect.h"
#include "node/devices/probe.h"

#define GUIDS_MAX 16

/* Newer than the header of this release: NV_ENC_CODEC_AV1_GUID. */
static const GUID AV1 = {
    0x0a352289, 0x0aa7, 0x4759, {0x86, 0x2d, 0x5d, 0x15, 0xcd, 0x16, 0xd2, 0x54}};

struct nvenc {
    NV_ENCODE_API_FUNCTION_LIST api;
    void *session;
};

/* -1: not told. */
static int ask(struct nvenc *n, GUID codec, NV_ENC_CAPS what)
{
    NV_ENC_CAPS_PARAM param;
    int value = -1;
    memset(&param, 0, sizeof(param));
    param.version = NV_ENC_CAPS_PARAM_VER;
    param.capsToQuery = what;
    return n->api.nvEncGetEncodeCaps(n->session, codec, &param, &value) == NV_ENC_SUCCESS ? value
                                                                                          : -1;
}

static uint32_t asked(struct nvenc *n, GUID codec, NV_ENC_CAPS what)
{
    int value = ask(n, codec, what);
    return value < 0 || value > 1 << 20 ? 0 : (uint32_t)value;
}

static void add_codec(struct nvenc *n, GUID guid, const char *name, struct gm_device *d)
{
    struct gm_device_codec c = {.api = "nvenc", .chroma = 420, .depth = 8};
    gm_device_set(c.codec, name);
    c.min_width_px = asked(n, guid, NV_ENC_CAPS_WIDTH_MIN);
    c.min_height_px = asked(n, guid, NV_ENC_CAPS_HEIGHT_MIN);
    c.max_width_px = asked(n, guid, NV_ENC_CAPS_WIDTH_MAX);
    c.max_height_px = asked(n, guid, NV_ENC_CAPS_HEIGHT_MAX);
    c.engines = asked(n, guid, NV_ENC_CAPS_NUM_ENCODER_ENGINES);
    c.b_frames = ask(n, guid, NV_ENC_CAPS_NUM_MAX_BFRAMES) > 0;
    bool deep = ask(n, guid, NV_ENC_CAPS_SUPPORT_10BIT_ENCODE) == 1;
    bool full = ask(n, guid, NV_ENC_CAPS_SUPPORT_YUV444_ENCODE) == 1;
    for (int i = 0; i < 4; i++) {
        c.depth = (i & 1) != 0 ? 10 : 8;
        c.chroma = (i & 2) != 0 ? 444 : 420;
        if ((c.depth == 8 || deep) && (c.chroma == 420 || full)) {
            (void)gm_device_add_codec(d, true, &c);
        }
    }
}

static int ask_all(struct nvenc *n, struct gm_device *d)
{
    GUID guids[GUIDS_MAX];
    uint32_t count = 0;
    NVENCSTATUS status = n->api.nvEncGetEncodeGUIDCount(n->session, &count);
    if (status == NV_ENC_SUCCESS) {
        count = count < GUIDS_MAX ? count : GUIDS_MAX;
        status = n->api.nvEncGetEncodeGUIDs(n->session, guids, count, &count);
    }
    for (uint32_t i = 0; status == NV_ENC_SUCCESS && i < count && i < GUIDS_MAX; i++) {
        const GUID *g = &guids[i];
        if (memcmp(g, &NV_ENC_CODEC_H264_GUID, sizeof(*g)) == 0) {
            add_codec(n, *g, "h264", d);
        } else if (memcmp(g, &NV_ENC_CODEC_HEVC_GUID, sizeof(*g)) == 0) {
            add_codec(n, *g, "hevc", d);
        } else if (memcmp(g, &AV1, sizeof(*g)) == 0) {
            add_codec(n, *g, "av1", d);
        }
    }
    return (int)status;
}

/* Why a session was refused, into d's state and notes. */
static void note_refusal(struct gm_device_list *out, struct gm_device *d, int status)
{
    switch (status) {
    case NV_ENC_ERR_UNSUPPORTED_DEVICE:
    case NV_ENC_ERR_NO_ENCODE_DEVICE:
        d->encoding = GM_ENGINE_ABSENT;
        (void)gm_device_add_note(out, d, GM_NOTE_INFO,
                                 "NVENC: this GPU has no encoder: its work is encoded on the CPU");
        return;
    case NV_ENC_ERR_OUT_OF_MEMORY:
    case NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY: /* newer drivers, of their limit of sessions */
        (void)gm_device_add_note(
            out, d, GM_NOTE_WARN,
            "NVENC: no session is to be had: all that the driver allows are in "
            "use, or the GPU's memory is full: end other encoders (nvidia-smi "
            "shows them)");
        break;
    case NV_ENC_ERR_INVALID_VERSION:
        (void)gm_device_add_note(
            out, d, GM_NOTE_WARN,
            "NVENC: the driver is too old for NVENC %d.%d: install version 470 "
            "or newer",
            NVENCAPI_MAJOR_VERSION, NVENCAPI_MINOR_VERSION);
        break;
    default:
        (void)gm_device_add_note(out, d, GM_NOTE_WARN,
                                 "NVENC: GPU %s refused a session (error %d): look in the kernel "
                                 "log for NVRM and Xid lines",
                                 d->id, status);
        break;
    }
    d->encoding = GM_ENGINE_REFUSED;
}

/* 0, or NVENCSTATUS. */
static int load(struct nvenc *n, void *library, struct gm_device *d)
{
    NVENCSTATUS (*max_version)(uint32_t *) = NULL;
    NVENCSTATUS (*create)(NV_ENCODE_API_FUNCTION_LIST *) = NULL;
    uint32_t version = 0;
    void *found = dlsym(library, "NvEncodeAPIGetMaxSupportedVersion");
    memcpy(&max_version, &found, sizeof(found));
    found = dlsym(library, "NvEncodeAPICreateInstance");
    memcpy(&create, &found, sizeof(found));
    if (max_version == NULL || create == NULL || max_version(&version) != NV_ENC_SUCCESS) {
        return NV_ENC_ERR_INVALID_VERSION;
    }
    char feature[24];
    (void)snprintf(feature, sizeof(feature), GM_FEATURE_NVENC "%u.%u", version >> 4 & 255u,
                   version & 15u);
    (void)gm_device_add_feature(d, feature);
    if (version < ((NVENCAPI_MAJOR_VERSION << 4) | NVENCAPI_MINOR_VERSION)) {
        return NV_ENC_ERR_INVALID_VERSION;
    }
    n->api.version = NV_ENCODE_API_FUNCTION_LIST_VER;
    return (int)create(&n->api);
}

static int open_and_ask(struct nvenc *n, void *context, struct gm_device *d)
{
    NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS params;
    memset(&params, 0, sizeof(params));
    params.version = NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER;
    params.apiVersion = NVENCAPI_VERSION;
    params.device = context;
    params.deviceType = NV_ENC_DEVICE_TYPE_CUDA;
    int status = (int)n->api.nvEncOpenEncodeSessionEx(&params, &n->session);
    if (status == 0) {
        status = ask_all(n, d);
    }
    if (n->session != NULL) { /* also after a refusal: the guide asks for it */
        (void)n->api.nvEncDestroyEncoder(n->session);
    }
    return status;
}

int gm_probe_nvenc(const struct gm_probe_params *params, struct gm_device_list *out,
                   struct gm_err *err)
{
    struct gm_cuda_api api;
    struct gm_device *d = NULL;
    bool missing = false;
    void *context = NULL;
    struct nvenc n;
    memset(&n, 0, sizeof(n));
    int rc = gm_device_get(out, params->device, GM_DEVICE_NVIDIA, &d, err);
    if (rc < 0 || gm_cuda_load(&api, &missing) != NULL) {
        return rc; /* the probe `cuda` says it */
    }
    void *library = gm_probe_load(GM_NVENC_LIBRARY);
    if (library == NULL) {
        gm_nvidia_missing(out, d, true);
        return 0;
    }
    int status = load(&n, library, d);
    if (status != 0) {
        note_refusal(out, d, status);
        return 0;
    }
    int code = gm_cuda_enter(&api, params->device, &context);
    if (code != 0) {
        d->encoding = GM_ENGINE_REFUSED;
        (void)gm_device_add_note(out, d, GM_NOTE_WARN,
                                 "NVENC: GPU %s takes no work: %s (%d): see that its memory is not "
                                 "full (nvidia-smi)",
                                 d->id, gm_cuda_error(&api, code), code);
        return 0;
    }
    status = open_and_ask(&n, context, d);
    (void)api.context_destroy(context);
    if (status != 0) {
        note_refusal(out, d, status);
    } else {
        d->encoding = d->encode_count > 0 ? GM_ENGINE_PRESENT : GM_ENGINE_ABSENT;
    }
    return 0;
}
