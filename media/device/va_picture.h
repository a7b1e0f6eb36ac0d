#ifndef GM_MEDIA_DEVICE_VA_PICTURE_H
#define GM_MEDIA_DEVICE_VA_PICTURE_H

#include <libavutil/frame.h>

#include "common/err.h"

/* Pictures in surfaces of a VA driver as libavutil, its decoders and encoders have them:
 * AV_PIX_FMT_VAAPI over NV12 (8 bits) or P010 (10). A surface may be larger than its picture, which
 * begins at its left and top then: a decoder's have whole blocks. References are passed as with any
 * AVFrame; the last one gives the surface back to its pool, from any thread. Pools:
 * gm_vaapi_frames.
 *
 * Errors of all: NOMEM; DEVICE_LOST, DEVICE_MEMORY, DEVICE_BUSY, DEVICE_DRIVER (the device answers
 * and has room). */

/* A picture of the pool, its samples anything; owned. */
int gm_va_picture_get(AVBufferRef *pool, AVFrame **out, struct gm_err *err) GM_MUST_CHECK;
/* It is in a surface. The rest below but for upload is for such pictures alone. */
bool gm_va_picture_is(const AVFrame *picture);
/* The planar format of the same samples in memory: yuv420p or yuv420p10le. */
enum AVPixelFormat gm_va_picture_format(const AVFrame *picture);
/* Surface and picture alone of a decoded one, without what else libavcodec says of it; owned. */
int gm_va_picture_strip(const AVFrame *decoded, AVFrame **out, struct gm_err *err) GM_MUST_CHECK;
/* picture: planar, in memory. *out: the same in a surface of the pool, without properties; owned.
 * *packed: memory by which it goes, of such pictures alone; owned; NULL at first. */
int gm_va_picture_upload(const AVFrame *picture, AVBufferRef *pool, AVFrame **packed, AVFrame **out,
                         struct gm_err *err) GM_MUST_CHECK;
/* The same in memory, planar, with all properties; owned. */
int gm_va_picture_download(const AVFrame *picture, AVFrame **out, struct gm_err *err) GM_MUST_CHECK;

#endif
