#ifndef GM_MEDIA_DEVICE_QSV_H
#define GM_MEDIA_DEVICE_QSV_H

#include <libavcodec/avcodec.h>

#include "common/err.h"

/* A render node as libavcodec's Quick Sync encoders take it: a session of the runtime over a VA
 * display of our own (media/device/vaapi.h); and why they fail.
 *
 * Thread: any, one at a time a device. Errors of all: DEVICE_ABSENT (no libva, no runtime, no such
 * node), DEVICE_DRIVER, DEVICE_MEMORY, DEVICE_BUSY, DEVICE_LOST (native = mfxStatus, VAStatus or
 * errno). */

/* node: path of a render node. *out: an AVHWDeviceContext, owned: av_buffer_unref. Errors: INVAL no
 * node; NOMEM besides. */
int gm_qsv_open(const char *node, AVBufferRef **out, struct gm_err *err) GM_MUST_CHECK;
/* The VA display of it, of gm_vaapi_open. Borrowed from device. */
const AVBufferRef *gm_qsv_display(const AVBufferRef *device);
/* Surfaces for 4:2:0 pictures of 8 or 10 bits: GM_QSV_SURFACES, all of them at once. *out owned.
 * Errors besides: PIPELINE_UNFIT the size. */
#define GM_QSV_ASYNC 4 /* pictures that the runtime is given before the first is waited for */
/* Those, with as many that wait for others between which they are shown, what the runtime holds of
 * its own (MSDK suggests up to 8), and one that is being filled. */
#define GM_QSV_SURFACES 20
int gm_qsv_frames(AVBufferRef *device, unsigned bits, int width, int height, AVBufferRef **out,
                  struct gm_err *err) GM_MUST_CHECK;
/* The runtime's file, without "libmfx", and what gm_vaapi_name says: "gen.so.1.2.8-1.17-...", of
 * letters, digits and "-+._". */
void gm_qsv_name(const AVBufferRef *device, char *out, size_t size);
/* The file alone: what bytes depend on besides the VA driver. "unknown": it can't be told. */
#define GM_QSV_RUNTIME 20
void gm_qsv_runtime(char out[GM_QSV_RUNTIME]);

/* After avcodec_open2(ctx) gave averror. Tries easier encoders of its own, to tell what was asked
 * for in vain: PIPELINE_UNFIT besides. *out_b_frames stays: there is nothing to open again with. */
int gm_qsv_explain_open(const AVBufferRef *device, const AVCodecContext *ctx, int averror,
                        int *out_b_frames, struct gm_err *err) GM_MUST_CHECK;
/* After sending, receiving or filling a surface gave averror. Errors: DEVICE_LOST, DEVICE_MEMORY,
 * DEVICE_BUSY. */
int gm_qsv_explain_work(const AVCodecContext *ctx, int averror, struct gm_err *err) GM_MUST_CHECK;

#endif
