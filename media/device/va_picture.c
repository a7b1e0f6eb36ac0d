#include "media/device/va_picture.h"

#include <libavutil/hwcontext.h>

#include "media/av.h"
#include "media/device/packed.h"
#include "media/device/vaapi.h"

/* libavutil gave av: its numbers do not tell causes apart, so the driver is asked. */
static int explain(const AVBufferRef *pool, int av, const char *what, struct gm_err *err)
{
    int rc = gm_vaapi_check(gm_av_pool(pool)->device_ref, err);
    return rc < 0 ? rc
                  : gm_err_set(err, av == AVERROR(ENOMEM) ? GM_E_DEVICE_MEMORY : GM_E_DEVICE_DRIVER,
                               av, "The VA driver %s, though it answers: %s", what, av_err2str(av));
}

int gm_va_picture_get(AVBufferRef *pool, AVFrame **out, struct gm_err *err)
{
    AVFrame *f = av_frame_alloc();
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    int av = av_hwframe_get_buffer(pool, f, 0);
    if (av < 0) {
        av_frame_free(&f);
        return explain(pool, av, "gives no surface", err);
    }
    *out = f;
    return 0;
}

bool gm_va_picture_is(const AVFrame *p)
{
    return p->format == AV_PIX_FMT_VAAPI && p->hw_frames_ctx != NULL;
}

enum AVPixelFormat gm_va_picture_format(const AVFrame *p)
{
    return gm_av_pool(p->hw_frames_ctx)->sw_format == gm_packed_format(10) ? AV_PIX_FMT_YUV420P10LE
                                                                           : AV_PIX_FMT_YUV420P;
}

int gm_va_picture_strip(const AVFrame *decoded, AVFrame **out, struct gm_err *err)
{
    AVFrame *f = av_frame_alloc();
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    f->format = decoded->format;
    f->width = decoded->width;
    f->height = decoded->height;
    f->buf[0] = av_buffer_ref(decoded->buf[0]);
    f->data[3] = decoded->data[3];
    f->hw_frames_ctx = av_buffer_ref(decoded->hw_frames_ctx);
    if (f->buf[0] == NULL || f->hw_frames_ctx == NULL) {
        av_frame_free(&f);
        return gm_err_nomem(err);
    }
    *out = f;
    return 0;
}

int gm_va_picture_upload(const AVFrame *p, AVBufferRef *pool, AVFrame **packed, AVFrame **out,
                         struct gm_err *err)
{
    AVFrame *there = NULL;
    if (*packed == NULL) {
        *packed = gm_av_frame(gm_av_pool(pool)->sw_format, p->width, p->height);
    }
    int rc = *packed != NULL ? gm_packed_copy(p, *packed, err) : gm_err_nomem(err);
    if (rc == 0) {
        rc = gm_va_picture_get(pool, &there, err);
    }
    if (there == NULL) {
        return rc;
    }
    there->width = p->width;
    there->height = p->height;
    int av = av_hwframe_transfer_data(there, *packed, 0);
    if (av < 0) {
        av_frame_free(&there);
        return explain(pool, av, "takes no picture", err);
    }
    *out = there;
    return 0;
}

int gm_va_picture_download(const AVFrame *p, AVFrame **out, struct gm_err *err)
{
    AVFrame *packed = gm_av_frame(gm_av_pool(p->hw_frames_ctx)->sw_format, p->width, p->height);
    AVFrame *planar = gm_av_frame(gm_va_picture_format(p), p->width, p->height);
    int rc = packed == NULL || planar == NULL ? gm_err_nomem(err) : 0;
    int av = rc == 0 ? av_hwframe_transfer_data(packed, p, 0) : 0;
    if (av < 0) {
        rc = explain(p->hw_frames_ctx, av, "gives no picture back", err);
    }
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
