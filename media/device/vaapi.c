/* See vaapi.h. libavutil is given a display rather than asked to make one: its own way says EIO of
 * everything. See: https://intel.github.io/libva/ */
#include "media/device/vaapi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/hwcontext_vaapi.h>
#include <libavutil/time.h>

#include "kernels/va.h"
#include "media/device/hw_device.h"
#include "media/device/packed.h"

#define PAUSE_US 20000 /* longer than what another process frees at once takes */
/* Pictures for which there must be memory before a size that gets none counts as one that is never
 * made: more than a surface of it takes, and than an encoder holds besides. */
#define ROOM_SURFACE 2
#define ROOM_ENCODER 16
#define QUALITY_MAX 255 /* levels of speed; drivers have 7 or 8 */

/* What the AVHWDeviceContext owns. */
struct hold {
    struct gm_va va;
    int fd;
    VADisplay display; /* NULL: none */
    int major, minor;
    char node[32];
};

static void stop(void *hold)
{
    struct hold *h = hold;
    if (h->display != NULL) {
        (void)h->va.terminate(h->display);
    }
    if (h->fd >= 0) {
        (void)close(h->fd);
    }
    gm_va_close(&h->va);
}

static void fill(void *hwctx, const void *hold)
{
    AVVAAPIDeviceContext *vaapi = hwctx;
    vaapi->display = ((const struct hold *)hold)->display;
}

static const struct hold *hold_of(const AVBufferRef *device)
{
    return gm_hw_device_hold(device);
}

static int start(void *hold, const char *node, struct gm_err *err)
{
    struct hold *h = hold;
    h->fd = -1;
    (void)snprintf(h->node, sizeof h->node, "%s", node);
    if (!gm_va_open(&h->va)) {
        return gm_err_set(err, GM_E_DEVICE_ABSENT, 0,
                          "libva.so.2 is missing: install the packages libva2 and libva-drm2");
    }
    /* Each display opens the node itself: buffers have their names within an open file. */
    h->fd = open(node, O_RDWR | O_CLOEXEC);
    if (h->fd < 0) {
        return gm_err_set(err, GM_E_DEVICE_ABSENT, errno, "%.64s can't be opened: %s", node,
                          strerror(errno));
    }
    VADisplay display = h->va.display_drm(h->fd);
    if (display == NULL) {
        return gm_err_set(err, GM_E_DEVICE_ABSENT, 0, "%.64s is no device that libva knows", node);
    }
    h->display = display;
    (void)h->va.set_info(display, NULL, NULL);
    (void)h->va.set_error(display, NULL, NULL);
    VAStatus status = h->va.initialize(display, &h->major, &h->minor);
    return status == VA_STATUS_SUCCESS
               ? 0
               : gm_err_set(err, GM_E_DEVICE_DRIVER, status,
                            "The VA driver does not start on %.64s: %s", node, h->va.error(status));
}

static const struct gm_hw_device_kind VAAPI = {.type = AV_HWDEVICE_TYPE_VAAPI,
                                               .hold_bytes = sizeof(struct hold),
                                               .start = start,
                                               .stop = stop,
                                               .fill = fill,
                                               .refused = "the VA driver has no image formats"};

int gm_vaapi_open(const char *node, AVBufferRef **out, struct gm_err *err)
{
    return node == NULL || node[0] == '\0'
               ? gm_err_set(err, GM_E_INVAL, 0, "VAAPI needs a render node")
               : gm_hw_device_open(&VAAPI, node, out, err);
}

/* A call on the device gave status, though nothing was wrong with what was asked. */
static int blame(const struct hold *h, VAStatus status, const char *what, struct gm_err *err)
{
    enum gm_code code = GM_E_DEVICE_DRIVER;
    switch (status) {
    case VA_STATUS_ERROR_ALLOCATION_FAILED:
        code = GM_E_DEVICE_MEMORY;
        break;
    case VA_STATUS_ERROR_HW_BUSY:
        code = GM_E_DEVICE_BUSY;
        break;
    case VA_STATUS_ERROR_OPERATION_FAILED: /* what drivers say of a GPU that hangs or has gone */
        code = GM_E_DEVICE_LOST;
        break;
    default:
        break;
    }
    return gm_err_set(err, code, status, "The VA driver did not give %s: %s", what,
                      h->va.error(status));
}

static int check(const struct hold *h, struct gm_err *err)
{
    VASurfaceID surface = VA_INVALID_SURFACE;
    VAStatus status = h->va.create_surfaces(h->display, VA_RT_FORMAT_YUV420, GM_VAAPI_SMALL_PX,
                                            GM_VAAPI_SMALL_PX, &surface, 1, NULL, 0);
    if (status != VA_STATUS_SUCCESS) {
        return blame(h, status, "a surface", err);
    }
    status = h->va.sync(h->display, surface);
    (void)h->va.destroy_surfaces(h->display, &surface, 1);
    return status == VA_STATUS_SUCCESS ? 0 : blame(h, status, "an empty surface back", err);
}

int gm_vaapi_check(const AVBufferRef *device, struct gm_err *err)
{
    return check(hold_of(device), err);
}

static VAProfile profile_of(enum AVCodecID codec, int avprofile)
{
    if (codec == AV_CODEC_ID_HEVC) {
        return avprofile == FF_PROFILE_HEVC_MAIN_10 ? VAProfileHEVCMain10 : VAProfileHEVCMain;
    }
    return avprofile == FF_PROFILE_H264_CONSTRAINED_BASELINE ? VAProfileH264ConstrainedBaseline
           : avprofile == FF_PROFILE_H264_MAIN               ? VAProfileH264Main
                                                             : VAProfileH264High;
}

static uint32_t format_of(VAProfile profile)
{
    return profile == VAProfileHEVCMain10 ? VA_RT_FORMAT_YUV420_10 : VA_RT_FORMAT_YUV420;
}

int gm_vaapi_ask(const AVBufferRef *device, enum AVCodecID codec, int avprofile,
                 struct gm_vaapi_limits *out, struct gm_err *err)
{
    const struct hold *h = hold_of(device);
    VAProfile profile = profile_of(codec, avprofile);
    VAEntrypoint entry = VAEntrypointEncSlice;
    struct gm_vaapi_limits limits = {.encodes = false};
    VAConfigAttrib a[] = {
        {VAConfigAttribRTFormat, 0},         {VAConfigAttribRateControl, 0},
        {VAConfigAttribEncPackedHeaders, 0}, {VAConfigAttribEncMaxRefFrames, 0},
        {VAConfigAttribEncQualityRange, 0},  {VAConfigAttribMaxPictureWidth, 0},
        {VAConfigAttribMaxPictureHeight, 0}, {VAConfigAttribPredictionDirection, 0}};
    if (!gm_va_find_encoder(&h->va, h->display, profile, &entry)) {
        *out = limits;
        return 0;
    }
    VAStatus status = h->va.attributes(h->display, profile, entry, a, sizeof(a) / sizeof(a[0]));
    if (status != VA_STATUS_SUCCESS) {
        return blame(h, status, "its encoder's attributes", err);
    }
    uint32_t rates = gm_va_value(&a[1]);
    uint32_t references = gm_va_value(&a[3]) & 0xffff; /* without any libavcodec opens nothing */
    uint32_t quality = gm_va_value(&a[4]);
    *out = (struct gm_vaapi_limits){
        .encodes = (gm_va_value(&a[0]) & format_of(profile)) != 0 && references != 0,
        .low_power = entry == VAEntrypointEncSliceLP,
        .cqp = (rates & VA_RC_CQP) != 0,
        .icq = (rates & VA_RC_ICQ) != 0,
        .qvbr = (rates & VA_RC_QVBR) != 0,
        .sequence_headers = (gm_va_value(&a[2]) & VA_ENC_PACKED_HEADER_SEQUENCE) != 0 &&
                            (gm_va_value(&a[2]) & VA_ENC_PACKED_HEADER_SLICE) != 0,
        .b_frames = gm_va_reorders(&a[3], &a[7]),
        .quality_levels = quality < QUALITY_MAX ? quality : QUALITY_MAX,
        .max_width_px = gm_va_value(&a[5]),
        .max_height_px = gm_va_value(&a[6])};
    return 0;
}

uint32_t gm_vaapi_format(unsigned bits)
{
    return bits == 10 ? VA_RT_FORMAT_YUV420_10 : VA_RT_FORMAT_YUV420;
}

int gm_vaapi_try_surface(const AVBufferRef *device, unsigned bits, int width, int height)
{
    const struct hold *h = hold_of(device);
    VASurfaceID surface = VA_INVALID_SURFACE;
    VAStatus status = h->va.create_surfaces(h->display, gm_vaapi_format(bits), (unsigned)width,
                                            (unsigned)height, &surface, 1, NULL, 0);
    if (status == VA_STATUS_SUCCESS) {
        (void)h->va.destroy_surfaces(h->display, &surface, 1);
    }
    return status;
}

bool gm_vaapi_has_room(const AVBufferRef *device, unsigned bits, int width, int height,
                       unsigned pictures)
{
    const struct hold *h = hold_of(device);
    VASurfaceID surfaces[4 * GM_VAAPI_ROOM_MAX];
    unsigned made = 0, wanted = 4 * pictures;
    GM_ASSERT(pictures <= GM_VAAPI_ROOM_MAX);
    while (made < wanted &&
           h->va.create_surfaces(h->display, gm_vaapi_format(bits), (unsigned)(width + 1) / 2,
                                 (unsigned)(height + 1) / 2, &surfaces[made], 1, NULL,
                                 0) == VA_STATUS_SUCCESS) {
        made++;
    }
    for (unsigned i = 0; i < made; i++) {
        (void)h->va.destroy_surfaces(h->display, &surfaces[i], 1);
    }
    return made == wanted;
}

bool gm_vaapi_never_makes(const AVBufferRef *device, unsigned bits, int width, int height,
                          unsigned pictures, gm_vaapi_try_fn attempt, const void *arg)
{
    bool never = attempt(arg, GM_VAAPI_SMALL_PX, GM_VAAPI_SMALL_PX) == VA_STATUS_SUCCESS;
    for (int i = 0; never && i < 2; i++) {
        if (i > 0) {
            (void)av_usleep(PAUSE_US);
        }
        never = gm_vaapi_has_room(device, bits, width, height, pictures) &&
                attempt(arg, width, height) == VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    return never;
}

struct surface_try {
    const AVBufferRef *device; /* borrowed */
    unsigned bits;
};

static int try_surface(const void *arg, int width, int height)
{
    const struct surface_try *t = arg;
    return gm_vaapi_try_surface(t->device, t->bits, width, height);
}

/* libavutil made no pool, for av: full devices refuse large surfaces while a small one is had. */
static int explain_frames(const AVBufferRef *device, unsigned bits, int width, int height, int av,
                          struct gm_err *err)
{
    const struct hold *h = hold_of(device);
    int rc = check(h, err);
    if (rc < 0) {
        return rc;
    }
    const struct surface_try again = {.device = device, .bits = bits};
    VAStatus status = try_surface(&again, width, height);
    bool full = status == VA_STATUS_ERROR_ALLOCATION_FAILED;
    bool never = full && gm_vaapi_never_makes(device, bits, width, height, ROOM_SURFACE,
                                              try_surface, &again);
    if ((full && !never) || status == VA_STATUS_ERROR_HW_BUSY) {
        return blame(h, status, "a surface", err);
    }
    return status == VA_STATUS_SUCCESS && av == AVERROR(ENOMEM)
               ? gm_err_set(err, GM_E_DEVICE_MEMORY, av,
                            "The VA driver had no memory for a surface of %dx%d", width, height)
               : gm_err_set(err, GM_E_PIPELINE_UNFIT, av,
                            "The VA driver has no surfaces of %dx%d in %u bits", width, height,
                            bits);
}

int gm_vaapi_frames(AVBufferRef *device, unsigned bits, int width, int height, AVBufferRef **out,
                    struct gm_err *err)
{
    AVBufferRef *ref = av_hwframe_ctx_alloc(device);
    if (ref == NULL) {
        return gm_err_nomem(err);
    }
    AVHWFramesContext *frames = (AVHWFramesContext *)(void *)ref->data;
    frames->format = AV_PIX_FMT_VAAPI;
    frames->sw_format = gm_packed_format(bits);
    frames->width = width;
    frames->height = height;
    int av = av_hwframe_ctx_init(ref);
    if (av < 0) {
        av_buffer_unref(&ref);
        return explain_frames(device, bits, width, height, av, err);
    }
    *out = ref;
    return 0;
}

static const char *vendor_of(const struct hold *h)
{
    const char *vendor = h->va.vendor(h->display);
    return vendor == NULL ? "" : vendor;
}

void gm_vaapi_label(const AVBufferRef *device, char *out, size_t size)
{
    const struct hold *h = hold_of(device);
    (void)snprintf(out, size, "%.24s %.64s", h->node, vendor_of(h));
}

void gm_vaapi_name(const AVBufferRef *device, char *out, size_t size)
{
    const struct hold *h = hold_of(device);
    (void)snprintf(out, size, "%d.%d-%s", h->major, h->minor, vendor_of(h));
    for (char *c = out; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("-+._", *c) != NULL;
        *c = plain ? *c : '-';
    }
}

/* The rate control that was asked for, of what avcodec_open2 leaves of a context. */
static uint32_t rate_of(const AVCodecContext *ctx)
{
    return ctx->global_quality <= 0 ? VA_RC_CQP : ctx->rc_max_rate > 0 ? VA_RC_QVBR : VA_RC_ICQ;
}

/* As libavcodec does it, but for what is encoded: the first call that fails says why. */
static VAStatus open_context(const struct hold *h, const AVCodecContext *ctx, VAEntrypoint entry,
                             int width, int height, const char **out_what)
{
    VAProfile profile = profile_of(ctx->codec_id, ctx->profile);
    const uint32_t format = format_of(profile);
    VAConfigID config = VA_INVALID_ID;
    VAContextID context = VA_INVALID_ID;
    VASurfaceID surface = VA_INVALID_SURFACE;
    VAConfigAttrib a[] = {{VAConfigAttribRTFormat, format},
                          {VAConfigAttribRateControl, rate_of(ctx)},
                          {VAConfigAttribEncPackedHeaders,
                           VA_ENC_PACKED_HEADER_SEQUENCE | VA_ENC_PACKED_HEADER_SLICE}};
    *out_what = "a configuration";
    VAStatus status = h->va.create_config(h->display, profile, entry, a, 3, &config);
    if (status == VA_STATUS_SUCCESS) {
        *out_what = "a surface";
        status = h->va.create_surfaces(h->display, format, (unsigned)width, (unsigned)height,
                                       &surface, 1, NULL, 0);
    }
    if (status == VA_STATUS_SUCCESS) {
        *out_what = "a context";
        status = h->va.create_context(h->display, config, width, height, VA_PROGRESSIVE, &surface,
                                      1, &context);
    }
    if (context != VA_INVALID_ID) {
        (void)h->va.destroy_context(h->display, context);
    }
    if (surface != VA_INVALID_SURFACE) {
        (void)h->va.destroy_surfaces(h->display, &surface, 1);
    }
    if (config != VA_INVALID_ID) {
        (void)h->va.destroy_config(h->display, config);
    }
    return status;
}

struct encoder_try { /* borrowed */
    const struct hold *h;
    const AVCodecContext *ctx;
    VAEntrypoint entry;
};

static int try_encoder(const void *arg, int width, int height)
{
    const struct encoder_try *t = arg;
    const char *what;
    return open_context(t->h, t->ctx, t->entry, width, height, &what);
}

static bool is_never_made(const AVBufferRef *device, const AVCodecContext *ctx, VAEntrypoint entry)
{
    const struct encoder_try again = {.h = hold_of(device), .ctx = ctx, .entry = entry};
    unsigned bits = ctx->profile == FF_PROFILE_HEVC_MAIN_10 ? 10 : 8;
    return gm_vaapi_never_makes(device, bits, ctx->width, ctx->height, ROOM_ENCODER, try_encoder,
                                &again);
}

static int try_context(const AVBufferRef *device, const AVCodecContext *ctx, struct gm_err *err)
{
    const struct hold *h = hold_of(device);
    const char *what;
    VAEntrypoint entry = VAEntrypointEncSlice;
    if (!gm_va_find_encoder(&h->va, h->display, profile_of(ctx->codec_id, ctx->profile), &entry)) {
        return gm_err_set(err, GM_E_DEVICE_LOST, 0, "The VA driver's encoder is there no more");
    }
    VAStatus status = open_context(h, ctx, entry, ctx->width, ctx->height, &what);
    if (status == VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED ||
        (status == VA_STATUS_ERROR_ALLOCATION_FAILED && is_never_made(device, ctx, entry))) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, status,
                          "This VA driver does not make %s of %dx%d: leave vaapi out of `devices`",
                          avcodec_get_name(ctx->codec_id), ctx->width, ctx->height);
    }
    return status == VA_STATUS_SUCCESS ? 0 : blame(h, status, what, err);
}

int gm_vaapi_explain_open(const AVBufferRef *device, const AVCodecContext *ctx, int averror,
                          int *out_b_frames, struct gm_err *err)
{
    (void)out_b_frames;
    int rc = try_context(device, ctx, err);
    return rc < 0 ? rc
                  : gm_err_set(err, GM_E_DEVICE_DRIVER, averror,
                               "The VA driver's encoder for %s did not open, though a context "
                               "did: %s",
                               avcodec_get_name(ctx->codec_id), av_err2str(averror));
}

int gm_vaapi_explain_work(const AVCodecContext *ctx, int averror, struct gm_err *err)
{
    struct gm_err cause;
    int rc = check(hold_of(ctx->hw_device_ctx), &cause);
    if (rc == -GM_E_DEVICE_MEMORY || rc == -GM_E_DEVICE_BUSY) {
        *err = cause;
        return rc;
    }
    if (rc < 0) {
        return gm_err_set(err, GM_E_DEVICE_LOST, cause.native,
                          "The GPU was lost while it encoded: %.120s", cause.text);
    }
    return gm_err_set(err, averror == AVERROR(ENOMEM) ? GM_E_DEVICE_MEMORY : GM_E_DEVICE_LOST,
                      averror, "The VA driver failed in its work, though it gives surfaces: %s",
                      av_err2str(averror));
}

const struct gm_va *gm_vaapi_library(const AVBufferRef *device, void **out_display)
{
    const struct hold *h = hold_of(device);
    *out_display = h->display;
    return &h->va;
}

int gm_vaapi_blame(const AVBufferRef *device, int status, const char *what, struct gm_err *err)
{
    return blame(hold_of(device), status, what, err);
}
