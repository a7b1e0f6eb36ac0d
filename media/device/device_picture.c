#include "media/device/device_picture.h"

#include "media/device/cuda_picture.h"
#include "media/device/va_picture.h"

bool gm_device_picture_is(const AVFrame *p)
{
    return gm_cuda_picture_is(p) || gm_va_picture_is(p);
}

enum AVPixelFormat gm_device_picture_format(const AVFrame *p)
{
    return gm_va_picture_is(p) ? gm_va_picture_format(p) : gm_cuda_picture_format(p);
}

int gm_device_picture_download(const AVFrame *p, AVFrame **out, struct gm_err *err)
{
    return gm_va_picture_is(p) ? gm_va_picture_download(p, out, err)
                               : gm_cuda_picture_download(p, out, err);
}
