#include "media/device/hw_device.h"

int gm_hw_device_wrap(const struct gm_hw_device_kind *kind, void *hold, AVBufferRef **out,
                      struct gm_err *err)
{
    AVBufferRef *ref = av_hwdevice_ctx_alloc(kind->type);
    if (ref == NULL) {
        return gm_err_set(err, GM_E_DEVICE_ABSENT, 0, "This build of FFmpeg has no %s",
                          av_hwdevice_get_type_name(kind->type));
    }
    AVHWDeviceContext *ctx = (AVHWDeviceContext *)(void *)ref->data;
    kind->fill(ctx->hwctx, hold);
    int av = av_hwdevice_ctx_init(ref);
    if (av < 0) {
        av_buffer_unref(&ref);
        return gm_err_set(err, GM_E_DEVICE_DRIVER, av, "libavutil did not take the device (%d): %s",
                          av, kind->refused);
    }
    ctx->user_opaque = hold;
    ctx->free = kind->free;
    *out = ref;
    return 0;
}

void *gm_hw_device_hold(const AVBufferRef *device)
{
    const AVHWDeviceContext *ctx = (const AVHWDeviceContext *)(const void *)device->data;
    return ctx->user_opaque;
}
