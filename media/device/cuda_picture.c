#include "media/device/cuda_picture.h"

#include <libavutil/hwcontext.h>

#include "media/av.h"
#include "media/device/hw.h"
#include "media/device/packed.h"

static int explain(const AVBufferRef *device, int av, const char *what, struct gm_err *err)
{
    return gm_hw_explain(device, &(struct gm_hw_failure){what, av, 0, GM_E_DEVICE_DRIVER}, err);
}

int gm_cuda_picture_pool(AVBufferRef *device, const struct gm_cuda_pictures *what,
                         AVBufferRef **out, struct gm_err *err)
{
    AVBufferRef *ref = av_hwframe_ctx_alloc(device);
    if (ref == NULL) {
        return gm_err_nomem(err);
    }
    AVHWFramesContext *frames = (AVHWFramesContext *)(void *)ref->data;
    frames->format = AV_PIX_FMT_CUDA;
    frames->sw_format = gm_packed_format(what->bits);
    frames->width = what->width_px;
    frames->height = what->height_px;
    frames->initial_pool_size = what->taken;
    int av = av_hwframe_ctx_init(ref);
    if (av < 0) {
        av_buffer_unref(&ref);
        return explain(device, av, "No pictures can be made on the GPU", err);
    }
    *out = ref;
    return 0;
}

int gm_cuda_picture_repool(AVBufferRef *device, const struct gm_cuda_pictures *what,
                           AVBufferRef **pool, struct gm_err *err)
{
    const AVHWFramesContext *old = *pool != NULL ? gm_av_pool(*pool) : NULL;
    AVBufferRef *made = NULL;
    if (old != NULL && old->device_ref->data == device->data && old->width == what->width_px &&
        old->height == what->height_px && old->sw_format == gm_packed_format(what->bits)) {
        return 0;
    }
    int rc = gm_cuda_picture_pool(device, what, &made, err);
    if (rc == 0) {
        av_buffer_unref(pool);
        *pool = made;
    }
    return rc;
}

int gm_cuda_picture_get(AVBufferRef *pool, AVFrame **out, struct gm_err *err)
{
    AVFrame *f = av_frame_alloc();
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    int av = av_hwframe_get_buffer(pool, f, 0);
    if (av < 0) {
        av_frame_free(&f);
        return explain(gm_av_pool(pool)->device_ref, av, "The GPU gives no picture", err);
    }
    *out = f;
    return 0;
}

bool gm_cuda_picture_is(const AVFrame *p)
{
    return p->format == AV_PIX_FMT_CUDA && p->hw_frames_ctx != NULL;
}

enum AVPixelFormat gm_cuda_picture_format(const AVFrame *p)
{
    return gm_av_pool(p->hw_frames_ctx)->sw_format == gm_packed_format(10) ? AV_PIX_FMT_YUV420P10LE
                                                                           : AV_PIX_FMT_YUV420P;
}

struct gm_surface gm_cuda_picture_surface(const AVFrame *p)
{
    return (struct gm_surface){{(uintptr_t)p->data[0], (uintptr_t)p->data[1]},
                               {(uint32_t)p->linesize[0], (uint32_t)p->linesize[1]}};
}

struct gm_cuda_place gm_cuda_picture_place(const AVFrame *p)
{
    return (struct gm_cuda_place){gm_cuda_picture_is(p), gm_cuda_picture_surface(p)};
}

static size_t sample_bytes(const AVFrame *p)
{
    enum AVPixelFormat format =
        gm_cuda_picture_is(p) ? gm_av_pool(p->hw_frames_ctx)->sw_format : p->format;
    return format == gm_packed_format(10) ? 2 : 1;
}

void gm_cuda_picture_copies(const struct gm_cuda_place *from, const AVFrame *to,
                            struct gm_cuda_copy_2d out[2])
{
    const struct gm_cuda_place dst = gm_cuda_picture_place(to);
    for (int i = 0; i < 2; i++) {
        uintptr_t a = (uintptr_t)from->at.plane[i], b = (uintptr_t)dst.at.plane[i];
        out[i] = (struct gm_cuda_copy_2d){.src_type = from->there ? GM_CUDA_DEVICE : GM_CUDA_HOST,
                                          .src_device = from->there ? a : 0,
                                          .src_host = from->there ? NULL : (const void *)a,
                                          .src_pitch = from->at.stride[i],
                                          .dst_type = dst.there ? GM_CUDA_DEVICE : GM_CUDA_HOST,
                                          .dst_device = dst.there ? b : 0,
                                          .dst_host = dst.there ? NULL : (void *)b,
                                          .dst_pitch = dst.at.stride[i],
                                          .width_bytes = (size_t)to->width * sample_bytes(to),
                                          .height = (size_t)to->height >> i};
    }
}

/* Both planes of p into packed, of the same layout. */
static int fetch(const AVFrame *p, const AVFrame *packed, struct gm_err *err)
{
    struct gm_cuda_copy_2d copies[2];
    const struct gm_cuda_place from = gm_cuda_picture_place(p);
    gm_cuda_picture_copies(&from, packed, copies);
    return gm_hw_copy(gm_av_pool(p->hw_frames_ctx)->device_ref, copies, 2, err);
}

int gm_cuda_picture_download(const AVFrame *p, AVFrame **out, struct gm_err *err)
{
    AVFrame *packed = gm_av_frame(gm_av_pool(p->hw_frames_ctx)->sw_format, p->width, p->height);
    AVFrame *planar = gm_av_frame(gm_cuda_picture_format(p), p->width, p->height);
    int rc = packed == NULL || planar == NULL ? gm_err_nomem(err) : fetch(p, packed, err);
    if (rc == 0) {
        rc = gm_packed_copy(packed, planar, err);
    }
    if (rc == 0 && av_frame_copy_props(planar, p) < 0) {
        rc = gm_err_nomem(err);
    }
    av_frame_free(&packed);
    if (rc < 0) {
        av_frame_free(&planar);
        return rc;
    }
    *out = planar;
    return 0;
}
