#ifndef GM_MEDIA_DEVICE_DEVICE_PICTURE_H
#define GM_MEDIA_DEVICE_DEVICE_PICTURE_H

#include <libavutil/frame.h>

#include "common/err.h"

/* A picture that lies on a device, whichever it is: an NVIDIA GPU (media/device/cuda_picture.h) or
 * a VA driver's (media/device/va_picture.h), whose words on errors and threads hold. */

bool gm_device_picture_is(const AVFrame *picture);
/* The rest is for such pictures alone: the planar format of the same samples in memory. */
enum AVPixelFormat gm_device_picture_format(const AVFrame *picture);
/* The same in memory, planar, with all properties; owned. */
int gm_device_picture_download(const AVFrame *picture, AVFrame **out,
                               struct gm_err *err) GM_MUST_CHECK;

#endif
