#ifndef GM_MEDIA_DEVICE_HW_DEVICE_H
#define GM_MEDIA_DEVICE_HW_DEVICE_H

#include <libavutil/hwcontext.h>

#include "common/err.h"

/* A device that our own code opened, as libavutil's, with what we hold of it (`hold`: a structure
 * of the kind's). Inside of media/device/hw.c, media/device/vaapi.c and media/device/qsv.c. */
struct gm_hw_device_kind {
    enum AVHWDeviceType type;
    size_t hold_bytes;
    /* Opens it. hold: all-zero; id: as gm_hw_device_open has it. Whatever it leaves in hold when it
     * fails is stop's. */
    int (*start)(void *hold, const char *id, struct gm_err *err);
    /* Gives back what start took, all of it or a part, but not hold itself. */
    void (*stop)(void *hold);
    /* Puts what hold has into AVHWDeviceContext.hwctx, which is of the type's own structure. */
    void (*fill)(void *hwctx, const void *hold);
    const char *refused; /* static: why libavutil would not take it */
};

/* *out: owned, av_buffer_unref; the hold goes with its last reference. kind: static.
 * Errors: those of start; NOMEM; DEVICE_ABSENT (this build of FFmpeg has no such type),
 * DEVICE_DRIVER (native = AVERROR). */
int gm_hw_device_open(const struct gm_hw_device_kind *kind, const char *id, AVBufferRef **out,
                      struct gm_err *err) GM_MUST_CHECK;
/* Borrowed from device, of gm_hw_device_open. */
void *gm_hw_device_hold(const AVBufferRef *device);

#endif
