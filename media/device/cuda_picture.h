#ifndef GM_MEDIA_DEVICE_CUDA_PICTURE_H
#define GM_MEDIA_DEVICE_CUDA_PICTURE_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "kernels/args.h"
#include "kernels/cuda.h"

/* Pictures in an NVIDIA GPU's memory as libavutil and NVENC have them: AV_PIX_FMT_CUDA over NV12
 * (8 bits) or P010 (10), out of pools that grow. References are passed as with any AVFrame; the
 * last one gives a picture back, from any thread.
 *
 * Errors of all: NOMEM; DEVICE_LOST, DEVICE_MEMORY, DEVICE_DRIVER (the device answers and has
 * room). */

/* Sides are even. taken: pictures whose memory is taken at once, since a device that is full says
 * so best before the work, and memory that is taken in its midst makes the whole device wait. */
struct gm_cuda_pictures {
    unsigned bits; /* 8 or 10 */
    int width_px, height_px, taken;
};
/* device: of gm_hw_open; referenced. *out: an AVHWFramesContext, owned. */
int gm_cuda_picture_pool(AVBufferRef *device, const struct gm_cuda_pictures *what,
                         AVBufferRef **out, struct gm_err *err) GM_MUST_CHECK;
/* The same, where *pool (owned; NULL: none) is none of that device, bits and size. */
int gm_cuda_picture_repool(AVBufferRef *device, const struct gm_cuda_pictures *what,
                           AVBufferRef **pool, struct gm_err *err) GM_MUST_CHECK;
/* A picture of the pool, its samples anything; owned. */
int gm_cuda_picture_get(AVBufferRef *pool, AVFrame **out, struct gm_err *err) GM_MUST_CHECK;
/* It is in a GPU's memory. The rest below is for such pictures alone. */
bool gm_cuda_picture_is(const AVFrame *picture);
/* The planar format of the same samples in memory: yuv420p or yuv420p10le. */
enum AVPixelFormat gm_cuda_picture_format(const AVFrame *picture);
/* As the kernels take it. Borrowed from the picture. */
struct gm_surface gm_cuda_picture_surface(const AVFrame *picture);
/* Copies of both planes of a picture, NV12 or P010, from one place to another: each in memory or on
 * the device. How: media/device/hw.h, kernels/gpu.h. */
struct gm_cuda_place {
    bool there; /* on the device */
    struct gm_surface at;
};
struct gm_cuda_place gm_cuda_picture_place(const AVFrame *picture); /* packed, or the device's */
void gm_cuda_picture_copies(const struct gm_cuda_place *from, const AVFrame *to,
                            struct gm_cuda_copy_2d out[2]);
/* The same in memory, planar, with all properties; owned. What writes the picture has ended. */
int gm_cuda_picture_download(const AVFrame *picture, AVFrame **out,
                             struct gm_err *err) GM_MUST_CHECK;

#endif
