/* See nvenc.h. The interface: NVENC Video Encoder API Programming Guide; nvEncodeAPI.h. */
#include "media/device/nvenc.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <ffnvcodec/nvEncodeAPI.h>

#include <libavutil/pixdesc.h>

#include "media/device/hw.h"

#define GUIDS_MAX 16
#define LIBRARY "libnvidia-encode.so.1"

/* What a session takes of the device's memory, roughly: below that a refusal is for want of it. */
#define SESSION_BYTES (64 << 20)
#define SESSION_PICTURES 32

/* Newer than the oldest header that this is built with: NV_ENC_CODEC_AV1_GUID. */
static const GUID AV1 = {
    0x0a352289, 0x0aa7, 0x4759, {0x86, 0x2d, 0x5d, 0x15, 0xcd, 0x16, 0xd2, 0x54}};

/* What the chip does of one codec. */
struct limits {
    int min_width_px, min_height_px, max_width_px, max_height_px; /* 0: not told */
    int b_frames;                                                 /* at most */
    bool ten_bits;
};

struct session {
    void *library;
    NV_ENCODE_API_FUNCTION_LIST api;
    void *handle;
};

static void session_fini(struct session *s)
{
    if (s->handle != NULL) {
        (void)s->api.nvEncDestroyEncoder(s->handle);
    }
    if (s->library != NULL) {
        dlclose(s->library);
    }
}

static unsigned max_version(void *library)
{
    NVENCSTATUS (*ask)(uint32_t *) = NULL;
    uint32_t version = 0;
    void *found = dlsym(library, "NvEncodeAPIGetMaxSupportedVersion");
    memcpy(&ask, &found, sizeof found);
    return ask != NULL && ask(&version) == NV_ENC_SUCCESS ? version : 0;
}

unsigned gm_nvenc_version(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    unsigned version = library != NULL ? max_version(library) : 0;
    if (library != NULL) {
        dlclose(library);
    }
    return version;
}

/* NVENC says "out of memory" of memory and of sessions alike; newer drivers "incompatible client
 * key" of sessions (https://github.com/obsproject/obs-studio/pull/11259). */
static int no_room(const AVBufferRef *device, uint64_t need, int64_t native, struct gm_err *err)
{
    uint64_t left = 0;
    int rc = gm_hw_free_bytes(device, &left, err);
    if (rc < 0) {
        return rc;
    }
    if (left < need) {
        return gm_err_set(err, GM_E_DEVICE_MEMORY, native,
                          "The GPU has %llu MiB of memory left, an encoder needs about %llu",
                          (unsigned long long)left >> 20, (unsigned long long)need >> 20);
    }
    return gm_err_set(err, GM_E_DEVICE_BUSY, native,
                      "The GPU gives no further encoder session now: as many are open as its "
                      "driver allows");
}

static int refused(const AVBufferRef *device, int status, struct gm_err *err)
{
    switch (status) {
    case NV_ENC_ERR_UNSUPPORTED_DEVICE:
    case NV_ENC_ERR_NO_ENCODE_DEVICE:
        return gm_err_set(err, GM_E_DEVICE_ABSENT, status, "This GPU's chip has no video encoder");
    case NV_ENC_ERR_INVALID_VERSION:
        return gm_err_set(err, GM_E_DEVICE_DRIVER, status,
                          "The driver is too old: it lacks NVENC %d.%d", NVENCAPI_MAJOR_VERSION,
                          NVENCAPI_MINOR_VERSION);
    case NV_ENC_ERR_OUT_OF_MEMORY:
    case NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY:
        return no_room(device, SESSION_BYTES, status, err);
    default:
        break;
    }
    int rc = gm_hw_check(device, err);
    return rc < 0 ? rc
                  : gm_err_set(err, GM_E_DEVICE_DRIVER, status,
                               "The driver refused an encoder session (NVENC error %d)", status);
}

static int load(struct session *s, const AVBufferRef *device, struct gm_err *err)
{
    NVENCSTATUS (*create)(NV_ENCODE_API_FUNCTION_LIST *) = NULL;
    s->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (s->library == NULL) {
        return gm_err_set(err, GM_E_DEVICE_ABSENT, 0,
                          LIBRARY " is missing: in a container, give it the `video` capability");
    }
    void *found = dlsym(s->library, "NvEncodeAPICreateInstance");
    memcpy(&create, &found, sizeof found);
    unsigned wanted = NVENCAPI_MAJOR_VERSION << 4 | NVENCAPI_MINOR_VERSION;
    if (create == NULL || max_version(s->library) < wanted) {
        return gm_err_failed(refused(device, NV_ENC_ERR_INVALID_VERSION, err));
    }
    s->api.version = NV_ENCODE_API_FUNCTION_LIST_VER;
    int status = (int)create(&s->api);
    if (status == NV_ENC_SUCCESS &&
        (s->api.nvEncOpenEncodeSessionEx == NULL || s->api.nvEncDestroyEncoder == NULL ||
         s->api.nvEncGetEncodeGUIDs == NULL || s->api.nvEncGetEncodeCaps == NULL)) {
        status = NV_ENC_ERR_INVALID_VERSION;
    }
    return status == NV_ENC_SUCCESS ? 0 : gm_err_failed(refused(device, status, err));
}

static int open_session(struct session *s, const AVBufferRef *device, struct gm_err *err)
{
    NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS params;
    int rc = load(s, device, err);
    if (rc < 0) {
        return rc;
    }
    memset(&params, 0, sizeof params);
    params.version = NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER;
    params.apiVersion = NVENCAPI_VERSION;
    params.device = gm_hw_context(device);
    params.deviceType = NV_ENC_DEVICE_TYPE_CUDA;
    int status = (int)s->api.nvEncOpenEncodeSessionEx(&params, &s->handle);
    return status == NV_ENC_SUCCESS ? 0 : refused(device, status, err);
}

static int cap(const struct session *s, GUID codec, NV_ENC_CAPS what)
{
    NV_ENC_CAPS_PARAM param;
    int value = 0;
    memset(&param, 0, sizeof param);
    param.version = NV_ENC_CAPS_PARAM_VER;
    param.capsToQuery = what;
    return s->api.nvEncGetEncodeCaps(s->handle, codec, &param, &value) == NV_ENC_SUCCESS ? value
                                                                                         : 0;
}

static bool has_codec(const struct session *s, GUID codec)
{
    GUID guids[GUIDS_MAX];
    uint32_t count = 0;
    bool found = false;
    if (s->api.nvEncGetEncodeGUIDs(s->handle, guids, GUIDS_MAX, &count) != NV_ENC_SUCCESS) {
        return false;
    }
    for (uint32_t i = 0; i < count && i < GUIDS_MAX; i++) {
        found = found || memcmp(&guids[i], &codec, sizeof codec) == 0;
    }
    return found;
}

static int ask_limits(const AVBufferRef *device, enum AVCodecID codec, struct limits *out,
                      struct gm_err *err)
{
    struct session s;
    memset(&s, 0, sizeof s);
    GUID guid = codec == AV_CODEC_ID_H264   ? NV_ENC_CODEC_H264_GUID
                : codec == AV_CODEC_ID_HEVC ? NV_ENC_CODEC_HEVC_GUID
                                            : AV1;
    int rc = open_session(&s, device, err);
    if (rc == 0 && !has_codec(&s, guid)) {
        rc = gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                        "This GPU's encoder makes no %s: choose another `codec`, or `devices` "
                        "without nvenc",
                        avcodec_get_name(codec));
    }
    if (rc == 0) {
        *out = (struct limits){
            .min_width_px = cap(&s, guid, NV_ENC_CAPS_WIDTH_MIN),
            .min_height_px = cap(&s, guid, NV_ENC_CAPS_HEIGHT_MIN),
            .max_width_px = cap(&s, guid, NV_ENC_CAPS_WIDTH_MAX),
            .max_height_px = cap(&s, guid, NV_ENC_CAPS_HEIGHT_MAX),
            .b_frames = cap(&s, guid, NV_ENC_CAPS_NUM_MAX_BFRAMES),
            .ten_bits = cap(&s, guid, NV_ENC_CAPS_SUPPORT_10BIT_ENCODE) == 1,
        };
    }
    session_fini(&s);
    return rc;
}

/* Bits of a sample, wherever pictures lie. */
static int depth_of(const AVCodecContext *ctx)
{
    const AVPixFmtDescriptor *format =
        av_pix_fmt_desc_get(ctx->pix_fmt == AV_PIX_FMT_CUDA ? ctx->sw_pix_fmt : ctx->pix_fmt);
    return format != NULL ? format->comp[0].depth : 8;
}

/* The picture against the chip's limits. */
static int check_picture(const AVCodecContext *ctx, const struct limits *l, struct gm_err *err)
{
    const char *name = avcodec_get_name(ctx->codec_id);
    if (ctx->width < l->min_width_px || ctx->height < l->min_height_px) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "NVENC makes %s from %dx%d on, not %dx%d: leave that rung out of the "
                          "`ladder`, or nvenc out of `devices`",
                          name, l->min_width_px, l->min_height_px, ctx->width, ctx->height);
    }
    if ((l->max_width_px > 0 && ctx->width > l->max_width_px) ||
        (l->max_height_px > 0 && ctx->height > l->max_height_px)) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "NVENC makes %s up to %dx%d, not %dx%d: leave that rung out of the "
                          "`ladder`, or nvenc out of `devices`",
                          name, l->max_width_px, l->max_height_px, ctx->width, ctx->height);
    }
    if (depth_of(ctx) > 8 && !l->ten_bits) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "This GPU's encoder makes %s in 8 bits alone: set `bit_depth: 8`, or "
                          "leave nvenc out of `devices`",
                          name);
    }
    return 0;
}

static uint64_t need_bytes(const AVCodecContext *ctx)
{
    uint64_t picture = (uint64_t)ctx->width * (uint64_t)ctx->height * 3 / 2;
    picture *= depth_of(ctx) > 8 ? 2 : 1;
    return SESSION_BYTES + SESSION_PICTURES * picture;
}

int gm_nvenc_explain_open(const AVBufferRef *device, const AVCodecContext *ctx, int averror,
                          int *out_b_frames, struct gm_err *err)
{
    struct limits limits;
    int rc = ask_limits(device, ctx->codec_id, &limits, err);
    if (rc == 0) {
        rc = check_picture(ctx, &limits, err);
    }
    if (rc == 0 && ctx->max_b_frames > limits.b_frames) {
        *out_b_frames = limits.b_frames > 0 ? limits.b_frames : 0;
        return 0;
    }
    if (rc == 0) {
        rc = gm_hw_check(device, err);
    }
    if (rc == 0 && averror == AVERROR(ENOMEM)) {
        rc = no_room(device, need_bytes(ctx), averror, err);
    }
    if (rc == 0 && averror == AVERROR(EINVAL)) { /* also libavcodec's for the client key */
        *out_b_frames = ctx->max_b_frames;
        return 0;
    }
    return rc < 0 ? rc
                  : gm_err_set(err, GM_E_DEVICE_DRIVER, averror,
                               "The GPU's encoder for %s did not open, though a session did: %s",
                               avcodec_get_name(ctx->codec_id), av_err2str(averror));
}

int gm_nvenc_explain_work(const AVCodecContext *ctx, int averror, struct gm_err *err)
{
    /* A picture on the device that can't be registered is AVERROR_UNKNOWN, whatever the cause. */
    return gm_hw_explain(ctx->hw_device_ctx,
                         &(struct gm_hw_failure){"The GPU's encoder failed in its work", averror,
                                                 SESSION_BYTES, GM_E_DEVICE_LOST},
                         err);
}
