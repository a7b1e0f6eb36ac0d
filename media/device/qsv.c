/* See qsv.h. libavutil is given a session rather than asked to make one: its own way demands one VA
 * driver by name, leaks the session where it is given a display, and says "unknown" of every error.
 * See: Media SDK 22.5; libavutil/hwcontext_qsv.c. */
#include "media/device/qsv.h"

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/hwcontext_vaapi.h>

#include "kernels/mfx.h"
#include "media/device/hw_device.h"
#include "media/device/packed.h"
#include "media/device/vaapi.h"

#define TRY_SIDE_PX 256
#define TRY_QP 30

/* What the AVHWDeviceContext owns. */
struct hold {
    struct gm_mfx mfx;
    AVBufferRef *display; /* of gm_vaapi_open */
    void *session;        /* NULL: none */
};

/* AVQSVDeviceContext, whose header is not to be had without Media SDK's: it begins so. */
struct session_first {
    void *session;
};

static void stop(void *hold)
{
    struct hold *h = hold;
    if (h->session != NULL) {
        (void)h->mfx.close(h->session);
    }
    av_buffer_unref(&h->display);
    gm_mfx_close(&h->mfx);
}

static void fill(void *hwctx, const void *hold)
{
    struct session_first *qsv = hwctx;
    qsv->session = ((const struct hold *)hold)->session;
}

static const struct hold *hold_of(const AVBufferRef *device)
{
    return gm_hw_device_hold(device);
}

const AVBufferRef *gm_qsv_display(const AVBufferRef *device)
{
    return hold_of(device)->display;
}

static int blame(int status, const char *node, struct gm_err *err)
{
    enum gm_code code = GM_E_DEVICE_DRIVER;
    switch (status) {
    case GM_MFX_UNSUPPORTED: /* what the dispatcher says where it finds no runtime */
    case GM_MFX_NOT_FOUND:
        return gm_err_set(err, GM_E_DEVICE_ABSENT, status,
                          "No Quick Sync runtime takes %.64s (mfxStatus %d): install the package "
                          "libmfx-gen1.2, or what Intel has for older chips",
                          node, status);
    case GM_MFX_MEMORY_ALLOC:
        code = GM_E_DEVICE_MEMORY;
        break;
    case GM_MFX_DEVICE_LOST:
    case GM_MFX_GPU_HANG:
        code = GM_E_DEVICE_LOST;
        break;
    default:
        break;
    }
    return gm_err_set(err, code, status,
                      "The Quick Sync runtime does not start on %.64s: mfxStatus %d", node, status);
}

static int start(void *hold, const char *node, struct gm_err *err)
{
    struct hold *h = hold;
    struct gm_mfx_version least = {.minor = 1, .major = 1}; /* what libavcodec asks for */
    if (!gm_mfx_open(&h->mfx)) {
        return gm_err_set(err, GM_E_DEVICE_ABSENT, 0,
                          "libmfx.so.1 is missing: install the package libmfx1");
    }
    int rc = gm_vaapi_open(node, &h->display, err);
    if (rc < 0) {
        return rc;
    }
    int status = h->mfx.init(GM_MFX_HARDWARE_ANY, &least, &h->session);
    if (status < 0) {
        h->session = NULL;
        return blame(status, node, err);
    }
    const AVHWDeviceContext *ctx = (const AVHWDeviceContext *)(const void *)h->display->data;
    const AVVAAPIDeviceContext *va = ctx->hwctx;
    status = h->mfx.set_handle(h->session, GM_MFX_VA_DISPLAY, va->display);
    return status < 0 ? blame(status, node, err) : 0;
}

static const struct gm_hw_device_kind QSV = {.type = AV_HWDEVICE_TYPE_QSV,
                                             .hold_bytes = sizeof(struct hold),
                                             .start = start,
                                             .stop = stop,
                                             .fill = fill,
                                             .refused = "the runtime does not tell its version"};

int gm_qsv_open(const char *node, AVBufferRef **out, struct gm_err *err)
{
    return node == NULL || node[0] == '\0'
               ? gm_err_set(err, GM_E_INVAL, 0, "Quick Sync needs a render node")
               : gm_hw_device_open(&QSV, node, out, err);
}

int gm_qsv_frames(AVBufferRef *device, unsigned bits, int width, int height, AVBufferRef **out,
                  struct gm_err *err)
{
    AVBufferRef *ref = av_hwframe_ctx_alloc(device);
    if (ref == NULL) {
        return gm_err_nomem(err);
    }
    AVHWFramesContext *frames = (AVHWFramesContext *)(void *)ref->data;
    frames->format = AV_PIX_FMT_QSV;
    frames->sw_format = gm_packed_format(bits);
    frames->width = width;
    frames->height = height;
    frames->initial_pool_size = GM_QSV_SURFACES;
    int av = av_hwframe_ctx_init(ref);
    if (av < 0) {
        av_buffer_unref(&ref);
        int rc = gm_vaapi_check(hold_of(device)->display, err);
        return rc < 0 ? rc
                      : gm_err_set(err, GM_E_PIPELINE_UNFIT, av,
                                   "The VA driver has no %d surfaces of %dx%d in %u bits",
                                   GM_QSV_SURFACES, width, height, bits);
    }
    *out = ref;
    return 0;
}

/* Of the loaded library that the dispatcher chose: the name behind all links. */
static int find_runtime(struct dl_phdr_info *info, size_t size, void *arg)
{
    static const char *const NAMES[] = {"/libmfx-gen.so", "/libmfxhw64.so"};
    char *out = arg;
    (void)size;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        char *real =
            strstr(info->dlpi_name, NAMES[i]) != NULL ? realpath(info->dlpi_name, NULL) : NULL;
        const char *name = real != NULL ? strrchr(real, '/') : NULL;
        if (name != NULL) {
            name += strncmp(name, "/libmfx-", 8) == 0  ? 8
                    : strncmp(name, "/libmfx", 7) == 0 ? 7
                                                       : 1;
            (void)snprintf(out, GM_QSV_RUNTIME, "%s", name);
        }
        free(real);
        if (name != NULL) {
            return 1;
        }
    }
    return 0;
}

void gm_qsv_runtime(char out[GM_QSV_RUNTIME])
{
    if (dl_iterate_phdr(find_runtime, out) == 0) {
        (void)snprintf(out, GM_QSV_RUNTIME, "unknown");
    }
}

void gm_qsv_name(const AVBufferRef *device, char *out, size_t size)
{
    char runtime[GM_QSV_RUNTIME];
    char display[128];
    gm_qsv_runtime(runtime);
    gm_vaapi_name(hold_of(device)->display, display, sizeof display);
    (void)snprintf(out, size, "%s-%s", runtime, display);
}

/* Whether an encoder opens for pictures of that size, in format, with a constant quantiser, or
 * (rate) an average rate. */
static bool opens(const AVBufferRef *device, enum AVCodecID id, enum AVPixelFormat format,
                  int width, int height, bool rate)
{
    char name[32];
    (void)snprintf(name, sizeof name, "%.16s_qsv", avcodec_get_name(id));
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    AVCodecContext *ctx = codec != NULL ? avcodec_alloc_context3(codec) : NULL;
    if (ctx == NULL) {
        return false;
    }
    ctx->width = width;
    ctx->height = height;
    ctx->pix_fmt = format;
    ctx->time_base = (AVRational){1, 30};
    ctx->framerate = (AVRational){30, 1};
    ctx->bit_rate = 1000000;
    if (!rate) {
        ctx->flags |= AV_CODEC_FLAG_QSCALE;
        ctx->global_quality = TRY_QP * FF_QP2LAMBDA;
    }
    ctx->hw_device_ctx = av_buffer_ref(device);
    bool good = ctx->hw_device_ctx != NULL && avcodec_open2(ctx, codec, NULL) >= 0;
    avcodec_free_context(&ctx);
    return good;
}

static bool opens_small(const AVBufferRef *device, enum AVCodecID id, enum AVPixelFormat format)
{
    return opens(device, id, format, TRY_SIDE_PX, TRY_SIDE_PX, false) ||
           opens(device, id, format, TRY_SIDE_PX, TRY_SIDE_PX, true);
}

/* The runtime said that it does not do what it was asked for. */
static int find_unfit(const AVBufferRef *device, const AVCodecContext *ctx, int averror,
                      struct gm_err *err)
{
    const char *codec = avcodec_get_name(ctx->codec_id);
    const enum AVPixelFormat format = ctx->sw_pix_fmt, plain = gm_packed_format(8);
    bool constant = (ctx->flags & AV_CODEC_FLAG_QSCALE) != 0;
    if (opens(device, ctx->codec_id, format, ctx->width, ctx->height, constant)) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, averror,
                          constant ? "This Quick Sync runtime has no constant "
                                     "quantiser: set `crf`"
                          : ctx->rc_max_rate > 0
                              ? "This Quick Sync runtime keeps no quality below "
                                "a cap (QVBR): set `qp`, or leave qsv out of "
                                "`devices`"
                              : "This Quick Sync runtime keeps no quality "
                                "(ICQ): set `qp`, or leave qsv out of `devices`");
    }
    if (opens_small(device, ctx->codec_id, format)) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, averror,
                          "This Quick Sync runtime does not make %s of %dx%d: leave qsv out of "
                          "`devices`",
                          codec, ctx->width, ctx->height);
    }
    if (format != plain && opens_small(device, ctx->codec_id, plain)) {
        return gm_err_set(
            err, GM_E_PIPELINE_UNFIT, averror,
            "This Quick Sync runtime makes %s in 8 bits alone: set `bit_depth: 8`, or "
            "leave qsv out of `devices`",
            codec);
    }
    if (ctx->codec_id != AV_CODEC_ID_H264 && opens_small(device, AV_CODEC_ID_H264, plain)) {
        return gm_err_set(
            err, GM_E_PIPELINE_UNFIT, averror,
            "This Quick Sync runtime makes no %s: choose another `codec`, or `devices` "
            "without qsv",
            codec);
    }
    return gm_err_set(err, GM_E_DEVICE_DRIVER, averror,
                      "The Quick Sync runtime opens no encoder for %s: %s", codec,
                      av_err2str(averror));
}

int gm_qsv_explain_open(const AVBufferRef *device, const AVCodecContext *ctx, int averror,
                        int *out_b_frames, struct gm_err *err)
{
    (void)out_b_frames;
    int rc = gm_vaapi_check(hold_of(device)->display, err);
    if (rc < 0) {
        return rc;
    }
    if (averror == AVERROR(ENOSYS) || averror == AVERROR(EINVAL)) {
        return find_unfit(device, ctx, averror, err);
    }
    return gm_err_set(err,
                      averror == AVERROR(ENOMEM) ? GM_E_DEVICE_MEMORY
                      : averror == AVERROR(EIO)  ? GM_E_DEVICE_LOST
                                                 : GM_E_DEVICE_DRIVER,
                      averror, "The Quick Sync runtime's encoder for %s did not open: %s",
                      avcodec_get_name(ctx->codec_id), av_err2str(averror));
}

int gm_qsv_explain_work(const AVCodecContext *ctx, int averror, struct gm_err *err)
{
    struct gm_err cause;
    int rc = gm_vaapi_check(hold_of(ctx->hw_device_ctx)->display, &cause);
    if (rc == -GM_E_DEVICE_MEMORY || rc == -GM_E_DEVICE_BUSY) {
        *err = cause;
        return rc;
    }
    if (rc < 0) {
        return gm_err_set(err, GM_E_DEVICE_LOST, cause.native,
                          "The GPU was lost while it encoded: %.120s", cause.text);
    }
    return gm_err_set(err, averror == AVERROR(ENOMEM) ? GM_E_DEVICE_MEMORY : GM_E_DEVICE_LOST,
                      averror,
                      "The Quick Sync runtime failed in its work, though the VA driver answers: %s",
                      av_err2str(averror));
}
