#ifndef GM_MEDIA_DEVICE_NVENC_H
#define GM_MEDIA_DEVICE_NVENC_H

#include <libavcodec/avcodec.h>

#include "common/err.h"

/* Why libavcodec's NVENC encoders fail. Their error numbers are the same for different causes, so
 * the driver is asked again: by a session of our own after a refused open, by its context after a
 * failure in mid-stream. Thread: any. */

/* After avcodec_open2(ctx) gave averror on that device (of gm_hw_open; it takes ctx's own away).
 * Opens a session there and closes it again. Returns 0 where fewer B pictures would do,
 * *out_b_frames of them, or where another try may (as many: the driver may have had no session
 * free, and now has); else an error: DEVICE_ABSENT (no library, no encoder in the chip),
 * DEVICE_DRIVER (too old, broken), DEVICE_BUSY (no session free), DEVICE_MEMORY, DEVICE_LOST;
 * PIPELINE_UNFIT (the chip has no encoder for that codec, size or depth). */
int gm_nvenc_explain_open(const AVBufferRef *device, const AVCodecContext *ctx, int averror,
                          int *out_b_frames, struct gm_err *err) GM_MUST_CHECK;
/* After sending or receiving gave averror. Errors: DEVICE_LOST, DEVICE_MEMORY. */
int gm_nvenc_explain_work(const AVCodecContext *ctx, int averror, struct gm_err *err) GM_MUST_CHECK;
/* Highest NVENC interface of the driver, major * 16 + minor; 0: not told. */
unsigned gm_nvenc_version(void);

#endif
