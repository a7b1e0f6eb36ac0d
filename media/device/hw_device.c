#include "media/device/hw_device.h"

#include <stdlib.h>

/* What AVHWDeviceContext.user_opaque points to. */
struct box {
    const struct gm_hw_device_kind *kind;
    void *hold; /* owned */
};

static void box_free(struct box *box)
{
    if (box->hold != NULL) {
        box->kind->stop(box->hold);
        free(box->hold);
    }
    free(box);
}

static void on_free(AVHWDeviceContext *ctx)
{
    box_free(ctx->user_opaque);
}

/* box: taken on success. */
static int wrap(struct box *box, AVBufferRef **out, struct gm_err *err)
{
    const struct gm_hw_device_kind *kind = box->kind;
    AVBufferRef *ref = av_hwdevice_ctx_alloc(kind->type);
    if (ref == NULL) {
        return gm_err_set(err, GM_E_DEVICE_ABSENT, 0, "This build of FFmpeg has no %s",
                          av_hwdevice_get_type_name(kind->type));
    }
    AVHWDeviceContext *ctx = (AVHWDeviceContext *)(void *)ref->data;
    kind->fill(ctx->hwctx, box->hold);
    int av = av_hwdevice_ctx_init(ref);
    if (av < 0) {
        av_buffer_unref(&ref);
        return gm_err_set(err, GM_E_DEVICE_DRIVER, av, "libavutil did not take the device (%d): %s",
                          av, kind->refused);
    }
    ctx->user_opaque = box;
    ctx->free = on_free;
    *out = ref;
    return 0;
}

int gm_hw_device_open(const struct gm_hw_device_kind *kind, const char *id, AVBufferRef **out,
                      struct gm_err *err)
{
    struct box *box = calloc(1, sizeof *box);
    if (box == NULL) {
        return gm_err_nomem(err);
    }
    box->kind = kind;
    box->hold = calloc(1, kind->hold_bytes);
    int rc = box->hold != NULL ? kind->start(box->hold, id, err) : gm_err_nomem(err);
    if (rc == 0) {
        rc = wrap(box, out, err);
    }
    if (rc != 0) {
        box_free(box);
    }
    return rc;
}

void *gm_hw_device_hold(const AVBufferRef *device)
{
    const AVHWDeviceContext *ctx = (const AVHWDeviceContext *)(const void *)device->data;
    return ((const struct box *)ctx->user_opaque)->hold;
}
