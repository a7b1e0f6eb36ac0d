#ifndef GM_MEDIA_DEVICE_HW_DEVICE_H
#define GM_MEDIA_DEVICE_HW_DEVICE_H

#include <libavutil/hwcontext.h>

#include "common/err.h"

/* A device that our own code opened, as libavutil's. Inside of media/device/hw.c,
 * media/device/vaapi.c and media/device/qsv.c. */
struct gm_hw_device_kind {
    enum AVHWDeviceType type;
    /* Puts what hold has into AVHWDeviceContext.hwctx, which is of the type's own structure. */
    void (*fill)(void *hwctx, const void *hold);
    void (*free)(AVHWDeviceContext *ctx); /* frees ctx->user_opaque, the hold */
    const char *refused;                  /* static: why libavutil would not take it */
};

/* Wraps hold, which goes with *out's last reference; on failure it stays the caller's.
 * Errors: DEVICE_ABSENT (this build of FFmpeg has no such type), DEVICE_DRIVER (native = AVERROR).
 */
int gm_hw_device_wrap(const struct gm_hw_device_kind *kind, void *hold, AVBufferRef **out,
                      struct gm_err *err) GM_MUST_CHECK;
/* Borrowed from device, of gm_hw_device_wrap. */
void *gm_hw_device_hold(const AVBufferRef *device);

#endif
