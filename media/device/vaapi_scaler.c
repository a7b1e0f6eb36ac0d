#include "media/device/vaapi_scaler.h"

#include <stdlib.h>

#include "kernels/va.h"
#include "media/device/vaapi.h"

#define ROOM 8 /* pictures: more than one takes besides its own surfaces */

struct gm_vaapi_scaler {
    AVBufferRef *device; /* owned reference */
    const struct gm_va *va;
    VADisplay display;
    VAConfigID config;   /* VA_INVALID_ID: none */
    VAContextID context; /* the same */
    unsigned bits;
    int width, height; /* of what is made */
};

static bool is_unfit(VAStatus status)
{
    return status == VA_STATUS_ERROR_UNSUPPORTED_PROFILE ||
           status == VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT ||
           status == VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT ||
           status == VA_STATUS_ERROR_ATTR_NOT_SUPPORTED ||
           status == VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED;
}

static int check_surface(const struct gm_vaapi_scaler *s, struct gm_err *err)
{
    VAStatus status = gm_vaapi_try_surface(s->device, s->bits, s->width, s->height);
    return status == VA_STATUS_SUCCESS ? 0 : gm_vaapi_blame(s->device, status, "a surface", err);
}

static VAStatus open_context(const struct gm_vaapi_scaler *s, int width, int height,
                             VAConfigID *config, VAContextID *context, const char **out_what)
{
    VAConfigAttrib format = {VAConfigAttribRTFormat, gm_vaapi_format(s->bits)};
    *config = *context = VA_INVALID_ID;
    *out_what = "a video processor";
    VAStatus status =
        s->va->create_config(s->display, VAProfileNone, VAEntrypointVideoProc, &format, 1, config);
    if (status == VA_STATUS_SUCCESS) {
        *out_what = "a context of its video processor";
        status = s->va->create_context(s->display, *config, width, height, VA_PROGRESSIVE, NULL, 0,
                                       context);
    }
    return status;
}

static void close_context(const struct gm_vaapi_scaler *s, VAConfigID config, VAContextID context)
{
    if (context != VA_INVALID_ID) {
        (void)s->va->destroy_context(s->display, context);
    }
    if (config != VA_INVALID_ID) {
        (void)s->va->destroy_config(s->display, config);
    }
}

static int try_context(const void *arg, int width, int height)
{
    const struct gm_vaapi_scaler *s = arg;
    const char *what;
    VAConfigID config;
    VAContextID context;
    VAStatus status = open_context(s, width, height, &config, &context, &what);
    close_context(s, config, context);
    return status;
}

/* It had no memory for this size: one of another size opens, and this one would, too, if there were
 * more. */
static bool is_full(const struct gm_vaapi_scaler *s)
{
    return !gm_vaapi_never_makes(s->device, s->bits, s->width, s->height, ROOM, try_context, s) &&
           try_context(s, GM_VAAPI_SMALL_PX, GM_VAAPI_SMALL_PX) == VA_STATUS_SUCCESS;
}

/* Drivers say that they failed, or have no memory, of a video processor that does not work, and of
 * sizes that it never makes, too: where the rest of the device answers, and small pictures are not
 * scaled either, or there is memory and it fails again, it is no failure of the device. */
static int explain_open(const struct gm_vaapi_scaler *s, VAStatus status, const char *what,
                        struct gm_err *err)
{
    struct gm_err cause;
    bool full = status == VA_STATUS_ERROR_ALLOCATION_FAILED;
    if (status != VA_STATUS_ERROR_OPERATION_FAILED && !full) {
        return gm_vaapi_blame(s->device, status, what, err);
    }
    int rc = full ? check_surface(s, &cause) : 0;
    rc = rc == 0 ? gm_vaapi_check(s->device, &cause) : rc;
    if (rc < 0) {
        return gm_err_set(err, (enum gm_code) - rc, status, "The VA driver did not give %s: %.120s",
                          what, cause.text);
    }
    return gm_err_set(err, full && is_full(s) ? GM_E_DEVICE_MEMORY : GM_E_PIPELINE_UNFIT, status,
                      "The VA driver did not give %s of %dx%d in %u bits, though it answers: %s",
                      what, s->width, s->height, s->bits, s->va->error(status));
}

int gm_vaapi_scaler_create(AVBufferRef *device, unsigned bits, int width, int height,
                           struct gm_vaapi_scaler **out, struct gm_err *err)
{
    struct gm_vaapi_scaler *s = calloc(1, sizeof *s);
    if (s == NULL || (s->device = av_buffer_ref(device)) == NULL) {
        free(s);
        return gm_err_nomem(err);
    }
    s->va = gm_vaapi_library(s->device, &s->display);
    s->bits = bits;
    s->width = width;
    s->height = height;
    const char *what;
    VAStatus status = open_context(s, width, height, &s->config, &s->context, &what);
    if (status != VA_STATUS_SUCCESS) {
        int rc = is_unfit(status)
                     ? gm_err_set(err, GM_E_PIPELINE_UNFIT, status,
                                  "The VA driver does not scale to %dx%d in %u bits: %s", width,
                                  height, bits, s->va->error(status))
                     : explain_open(s, status, what, err);
        gm_vaapi_scaler_destroy(&s);
        return rc;
    }
    *out = s;
    return 0;
}

void gm_vaapi_scaler_destroy(struct gm_vaapi_scaler **scaler)
{
    struct gm_vaapi_scaler *s = *scaler;
    if (s == NULL) {
        return;
    }
    close_context(s, s->config, s->context);
    av_buffer_unref(&s->device);
    free(s);
    *scaler = NULL;
}

static VASurfaceID surface_of(const AVFrame *f)
{
    return (VASurfaceID)(uintptr_t)f->data[3]; /* as AV_PIX_FMT_VAAPI has it */
}

/* One picture, not waited for. region: what of the surface is the picture. */
static VAStatus draw(const struct gm_vaapi_scaler *s, const VARectangle *region,
                     const AVFrame *from, const AVFrame *to)
{
    /* The same of both sides, so that nothing is converted. */
    const VAProcColorProperties colour = {.chroma_sample_location =
                                              VA_CHROMA_SITING_VERTICAL_CENTER |
                                              VA_CHROMA_SITING_HORIZONTAL_LEFT,
                                          .color_range = VA_SOURCE_RANGE_REDUCED};
    VAProcPipelineParameterBuffer p = {.surface = surface_of(from),
                                       .surface_region = region,
                                       .surface_color_standard = VAProcColorStandardBT709,
                                       .output_color_standard = VAProcColorStandardBT709,
                                       .filter_flags = VA_FILTER_SCALING_HQ,
                                       .input_color_properties = colour,
                                       .output_color_properties = colour};
    VABufferID buffer = VA_INVALID_ID;
    VAStatus status = s->va->create_buffer(
        s->display, s->context, VAProcPipelineParameterBufferType, sizeof p, 1, &p, &buffer);
    if (status != VA_STATUS_SUCCESS) {
        return status;
    }
    status = s->va->begin(s->display, s->context, surface_of(to));
    if (status == VA_STATUS_SUCCESS) {
        VAStatus given = s->va->render(s->display, s->context, &buffer, 1);
        VAStatus ended = s->va->end(s->display, s->context); /* what began is ended */
        status = given != VA_STATUS_SUCCESS ? given : ended;
    }
    (void)s->va->destroy_buffer(s->display, buffer);
    return status;
}

/* Of one that was proved: a driver that answers failed by itself. */
static int explain_run(const struct gm_vaapi_scaler *s, VAStatus status, struct gm_err *err)
{
    static const char what[] = "a picture of another size";
    struct gm_err cause;
    if (status != VA_STATUS_ERROR_OPERATION_FAILED) {
        return gm_vaapi_blame(s->device, status, what, err);
    }
    int rc = gm_vaapi_check(s->device, &cause);
    return rc < 0 ? gm_err_set(err, (enum gm_code) - rc, status,
                               "The VA driver did not give %s: %.120s", what, cause.text)
                  : gm_err_set(err, GM_E_DEVICE_DRIVER, status,
                               "The VA driver did not give %s, %dx%d in %u bits, though it "
                               "answers: %s",
                               what, s->width, s->height, s->bits, s->va->error(status));
}

int gm_vaapi_scaler_run(struct gm_vaapi_scaler *s, const AVFrame *from, const AVFrame *to,
                        struct gm_err *err)
{
    const VARectangle region = {0, 0, (uint16_t)from->width, (uint16_t)from->height};
    VAStatus status = draw(s, &region, from, to);
    if (status == VA_STATUS_SUCCESS) {
        status = s->va->sync(s->display, surface_of(to));
    }
    return status == VA_STATUS_SUCCESS ? 0 : explain_run(s, status, err);
}
