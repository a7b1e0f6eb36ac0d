#ifndef GM_MEDIA_NVENC_H
#define GM_MEDIA_NVENC_H

#include <libavcodec/avcodec.h>

#include "common/err.h"

/* Why libavcodec's NVENC encoders fail. Their error numbers are the same for different causes, so
 * the driver is asked again: by a session of our own after a refused open, by its context after a
 * failure in mid-stream. Thread: any. */

/* What the chip does of one codec. */
struct gm_nvenc_limits {
    int min_width_px, min_height_px, max_width_px, max_height_px; /* 0: not told */
    int b_frames;                                                 /* at most */
    bool ten_bits;
};
/* Opens a session on the device (of gm_hw_open) and closes it again. Errors: DEVICE_ABSENT (no
 * library, no encoder in the chip), DEVICE_DRIVER (too old, broken), DEVICE_BUSY (no session free),
 * DEVICE_MEMORY, DEVICE_LOST; PIPELINE_UNFIT (the chip has no encoder for that codec). */
int gm_nvenc_ask(const AVBufferRef *device, enum AVCodecID codec, struct gm_nvenc_limits *out,
                 struct gm_err *err) GM_MUST_CHECK;
/* After avcodec_open2(ctx) gave averror on that device (it takes ctx's own away). Returns 0 where
 * fewer B pictures would do, *out_b_frames of them; else the error: those of gm_nvenc_ask,
 * and PIPELINE_UNFIT for sizes and depths. */
int gm_nvenc_explain_open(const AVBufferRef *device, const AVCodecContext *ctx, int averror,
                          int *out_b_frames, struct gm_err *err) GM_MUST_CHECK;
/* After sending or receiving gave averror. Errors: DEVICE_LOST, DEVICE_MEMORY. */
int gm_nvenc_explain_work(const AVCodecContext *ctx, int averror, struct gm_err *err) GM_MUST_CHECK;
/* Highest NVENC interface of the driver, major * 16 + minor; 0: not told. */
unsigned gm_nvenc_version(void);

#endif
