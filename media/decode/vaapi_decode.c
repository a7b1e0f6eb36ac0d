#include "media/decode/vaapi_decode.h"

#include "kernels/va.h"
#include "media/device/vaapi.h"

static const struct gm_vaapi_way WAYS[] = {
    {AV_CODEC_ID_H264, FF_PROFILE_H264_CONSTRAINED_BASELINE, 8, VAProfileH264ConstrainedBaseline,
     "h264"},
    {AV_CODEC_ID_H264, FF_PROFILE_H264_MAIN, 8, VAProfileH264Main, "h264"},
    {AV_CODEC_ID_H264, FF_PROFILE_H264_HIGH, 8, VAProfileH264High, "h264"},
    {AV_CODEC_ID_HEVC, FF_PROFILE_HEVC_MAIN, 8, VAProfileHEVCMain, "hevc"},
    {AV_CODEC_ID_HEVC, FF_PROFILE_HEVC_MAIN_10, 10, VAProfileHEVCMain10, "hevc"},
    {AV_CODEC_ID_VP9, FF_PROFILE_VP9_0, 8, VAProfileVP9Profile0, "vp9"},
    {AV_CODEC_ID_VP9, FF_PROFILE_VP9_2, 10, VAProfileVP9Profile2, "vp9"},
    {AV_CODEC_ID_AV1, FF_PROFILE_AV1_MAIN, 8, VAProfileAV1Profile0, "av1"},
    {AV_CODEC_ID_AV1, FF_PROFILE_AV1_MAIN, 10, VAProfileAV1Profile0, "av1"},
};

static unsigned bits_of(int format)
{
    return format == AV_PIX_FMT_YUV420P || format == AV_PIX_FMT_YUVJ420P ? 8
           : format == AV_PIX_FMT_YUV420P10LE                            ? 10
                                                                         : 0;
}

const struct gm_vaapi_way *gm_vaapi_find_way(const AVCodecParameters *par)
{
    for (size_t i = 0; i < sizeof WAYS / sizeof WAYS[0]; i++) {
        const struct gm_vaapi_way *w = &WAYS[i];
        if (w->codec == par->codec_id && w->avprofile == par->profile &&
            w->bits == bits_of(par->format)) {
            return w;
        }
    }
    return NULL;
}

int gm_vaapi_ask_decoder(const AVBufferRef *device, const struct gm_vaapi_way *way,
                         const AVCodecParameters *par, const char **out_why, struct gm_err *err)
{
    void *display = NULL;
    const struct gm_va *va = gm_vaapi_library(device, &display);
    VAConfigAttrib a[] = {{VAConfigAttribRTFormat, 0},
                          {VAConfigAttribMaxPictureWidth, 0},
                          {VAConfigAttribMaxPictureHeight, 0}};
    VAStatus status =
        va->attributes(display, (VAProfile)way->profile, VAEntrypointVLD, a, sizeof a / sizeof *a);
    if (status == VA_STATUS_ERROR_UNSUPPORTED_PROFILE ||
        status == VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT ||
        (status == VA_STATUS_SUCCESS && (gm_va_value(&a[0]) & gm_vaapi_format(way->bits)) == 0)) {
        *out_why = "the driver does not decode this codec, or not its profile";
        return 0;
    }
    if (status != VA_STATUS_SUCCESS) {
        return gm_vaapi_blame(device, status, "its decoder's attributes", err);
    }
    uint32_t width = gm_va_value(&a[1]); /* 0: not told */
    uint32_t height = gm_va_value(&a[2]);
    bool large = (width != 0 && (uint32_t)par->width > width) ||
                 (height != 0 && (uint32_t)par->height > height);
    *out_why = large ? "the chip does not decode this size" : NULL;
    return 0;
}

/* As libavcodec does it: the first call that fails says why. */
static VAStatus try_context(const AVBufferRef *device, const struct gm_vaapi_way *way, int width,
                            int height, const char **out_what)
{
    void *display = NULL;
    const struct gm_va *va = gm_vaapi_library(device, &display);
    VAConfigAttrib format = {VAConfigAttribRTFormat, gm_vaapi_format(way->bits)};
    VAConfigID config = VA_INVALID_ID;
    VAContextID context = VA_INVALID_ID;
    VASurfaceID surface = VA_INVALID_SURFACE;
    *out_what = "a configuration";
    VAStatus status =
        va->create_config(display, (VAProfile)way->profile, VAEntrypointVLD, &format, 1, &config);
    if (status == VA_STATUS_SUCCESS) {
        *out_what = "a surface";
        status = va->create_surfaces(display, gm_vaapi_format(way->bits), (unsigned)width,
                                     (unsigned)height, &surface, 1, NULL, 0);
    }
    if (status == VA_STATUS_SUCCESS) {
        *out_what = "a context";
        status = va->create_context(display, config, width, height, VA_PROGRESSIVE, &surface, 1,
                                    &context);
    }
    if (context != VA_INVALID_ID) {
        (void)va->destroy_context(display, context);
    }
    if (surface != VA_INVALID_SURFACE) {
        (void)va->destroy_surfaces(display, &surface, 1);
    }
    if (config != VA_INVALID_ID) {
        (void)va->destroy_config(display, config);
    }
    return status;
}

struct decoder_try { /* borrowed */
    const AVBufferRef *device;
    const struct gm_vaapi_way *way;
};

static int try_decoder(const void *arg, int width, int height)
{
    const struct decoder_try *t = arg;
    const char *what;
    return try_context(t->device, t->way, width, height, &what);
}

static bool is_never_made(const AVBufferRef *device, const struct gm_vaapi_way *way,
                          const AVCodecParameters *par)
{
    const struct decoder_try again = {.device = device, .way = way};
    return gm_vaapi_never_makes(device, way->bits, par->width, par->height, GM_VAAPI_ROOM_MAX,
                                try_decoder, &again);
}

int gm_vaapi_explain_decoder(const AVBufferRef *device, const struct gm_vaapi_way *way,
                             const AVCodecParameters *par, const char **out_why, struct gm_err *err)
{
    const char *what = NULL;
    const char *why = NULL;
    int rc = gm_vaapi_ask_decoder(device, way, par, &why, err);
    if (rc < 0) {
        return rc;
    }
    VAStatus status =
        why == NULL ? try_context(device, way, par->width, par->height, &what) : VA_STATUS_SUCCESS;
    if (status == VA_STATUS_ERROR_ALLOCATION_FAILED && is_never_made(device, way, par)) {
        status = VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED;
    }
    switch (status) {
    case VA_STATUS_SUCCESS:
        *out_why = why != NULL ? why : "libavcodec opens no decoder for it over this driver";
        return 0;
    case VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED:
        *out_why = "the chip does not decode this size";
        return 0;
    case VA_STATUS_ERROR_UNSUPPORTED_PROFILE:
    case VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT:
    case VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT:
        *out_why = "the driver opens no decoder for it";
        return 0;
    default:
        return gm_vaapi_blame(device, status, what, err);
    }
}

int gm_vaapi_wait(const AVBufferRef *device, uintptr_t surface, bool *out_damaged,
                  struct gm_err *err)
{
    void *display = NULL;
    const struct gm_va *va = gm_vaapi_library(device, &display);
    VAStatus status = va->sync(display, (VASurfaceID)surface);
    if (status != VA_STATUS_SUCCESS && status != VA_STATUS_ERROR_DECODING_ERROR) {
        return gm_vaapi_blame(device, status, "a decoded picture", err);
    }
    *out_damaged = status == VA_STATUS_ERROR_DECODING_ERROR;
    return 0;
}
