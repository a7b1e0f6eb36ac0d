#include "media/decode/vaapi_decode.h"

#include "kernels/va.h"
#include "media/device/vaapi.h"

static VAProfile profile_of(int avprofile)
{
    return avprofile == FF_PROFILE_H264_CONSTRAINED_BASELINE ? VAProfileH264ConstrainedBaseline
           : avprofile == FF_PROFILE_H264_MAIN               ? VAProfileH264Main
                                                             : VAProfileH264High;
}

int gm_vaapi_ask_decoder(const AVBufferRef *device, const AVCodecParameters *par,
                         const char **out_why, struct gm_err *err)
{
    void *display = NULL;
    const struct gm_va *va = gm_vaapi_library(device, &display);
    VAConfigAttrib a[] = {{VAConfigAttribRTFormat, 0},
                          {VAConfigAttribMaxPictureWidth, 0},
                          {VAConfigAttribMaxPictureHeight, 0}};
    VAStatus status =
        va->attributes(display, profile_of(par->profile), VAEntrypointVLD, a, sizeof a / sizeof *a);
    if (status == VA_STATUS_ERROR_UNSUPPORTED_PROFILE ||
        status == VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT ||
        (status == VA_STATUS_SUCCESS && (gm_va_value(&a[0]) & VA_RT_FORMAT_YUV420) == 0)) {
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
static VAStatus try_context(const struct gm_va *va, VADisplay display, const AVCodecParameters *par,
                            const char **out_what)
{
    VAConfigAttrib format = {VAConfigAttribRTFormat, VA_RT_FORMAT_YUV420};
    VAConfigID config = VA_INVALID_ID;
    VAContextID context = VA_INVALID_ID;
    VASurfaceID surface = VA_INVALID_SURFACE;
    *out_what = "a configuration";
    VAStatus status =
        va->create_config(display, profile_of(par->profile), VAEntrypointVLD, &format, 1, &config);
    if (status == VA_STATUS_SUCCESS) {
        *out_what = "a surface";
        status = va->create_surfaces(display, VA_RT_FORMAT_YUV420, (unsigned)par->width,
                                     (unsigned)par->height, &surface, 1, NULL, 0);
    }
    if (status == VA_STATUS_SUCCESS) {
        *out_what = "a context";
        status = va->create_context(display, config, par->width, par->height, VA_PROGRESSIVE,
                                    &surface, 1, &context);
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

int gm_vaapi_explain_decoder(const AVBufferRef *device, const AVCodecParameters *par,
                             const char **out_why, struct gm_err *err)
{
    void *display = NULL;
    const struct gm_va *va = gm_vaapi_library(device, &display);
    const char *what = NULL;
    const char *why = NULL;
    int rc = gm_vaapi_ask_decoder(device, par, &why, err);
    if (rc < 0) {
        return rc;
    }
    VAStatus status = why == NULL ? try_context(va, display, par, &what) : VA_STATUS_SUCCESS;
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

int gm_vaapi_wait(const AVBufferRef *device, const AVFrame *picture, bool *out_damaged,
                  struct gm_err *err)
{
    void *display = NULL;
    const struct gm_va *va = gm_vaapi_library(device, &display);
    VAStatus status = va->sync(display, (VASurfaceID)(uintptr_t)picture->data[3]);
    if (status != VA_STATUS_SUCCESS && status != VA_STATUS_ERROR_DECODING_ERROR) {
        return gm_vaapi_blame(device, status, "a decoded picture", err);
    }
    *out_damaged = status == VA_STATUS_ERROR_DECODING_ERROR;
    return 0;
}
