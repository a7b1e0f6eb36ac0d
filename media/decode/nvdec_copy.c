/* Pictures leave the decoder: each is copied behind the caller's back, into memory or on the
 * device, while the next one is decoded, and handed out when an event says that it is there. Until
 * then its surface is mapped and decoded to by nobody, since a driver need not order that. See:
 * nvdec.h. */
#include "media/decode/nvdec_state.h"

#include <inttypes.h>

#include <libavutil/imgutils.h>

#include "media/av.h"
#include "media/device/cuda_picture.h"
#include "media/device/packed.h"

#define ALIGN 64 /* of rows: what libavutil's own pictures have */

/* A picture in memory as the device lays it out. Copies to memory that is not page-locked are
 * waited for by the driver itself: slower, the same bytes. */
static AVFrame *make_host(struct gm_nvdec *n, void **out_pinned)
{
    const enum AVPixelFormat format = gm_packed_format(n->depth);
    int size = av_image_get_buffer_size(format, n->width_px, n->height_px, ALIGN);
    void *pinned = NULL;
    if (size <= 0 || n->cuda.host_alloc(&pinned, (size_t)size, 0) != 0) {
        return gm_av_frame(format, n->width_px, n->height_px);
    }
    *out_pinned = pinned;
    AVFrame *f = av_frame_alloc();
    if (f != NULL) {
        f->format = format;
        f->width = n->width_px;
        f->height = n->height_px;
        (void)av_image_fill_arrays(f->data, f->linesize, pinned, format, f->width, f->height,
                                   ALIGN); /* as large as was asked for */
    }
    return f;
}

void gm_nvdec_copies_open(struct gm_nvdec *n)
{
    for (size_t i = 0; i < GM_NVDEC_COPIES && n->rc == 0 && n->why == NULL; i++) {
        struct gm_nvdec_copy *c = &n->copies[i];
        if (gm_nvdec_failed(n, (CUresult)n->cuda.event_create(&c->done, GM_CUDA_EVENT),
                            "cuEventCreate", "the driver gives no event for it")) {
            c->done = NULL;
        } else if (n->pool == NULL) {
            c->to = make_host(n, &c->pinned);
            n->rc = c->to != NULL ? 0 : gm_err_nomem(&n->err);
        }
    }
}

void gm_nvdec_copies_close(struct gm_nvdec *n)
{
    if (n->under_way > 0) {
        (void)n->cuda.stream_sync(n->stream); /* nothing writes to what goes now */
    }
    for (size_t i = 0; i < n->under_way; i++) {
        (void)n->cuvidUnmapVideoFrame64(n->decoder,
                                        n->copies[(n->oldest + i) % GM_NVDEC_COPIES].surface);
    }
    n->under_way = 0;
    for (size_t i = 0; i < GM_NVDEC_COPIES; i++) {
        struct gm_nvdec_copy *c = &n->copies[i];
        av_frame_free(&c->to);
        if (c->pinned != NULL) {
            (void)n->cuda.host_release(c->pinned);
        }
        if (c->done != NULL) {
            (void)n->cuda.event_destroy(c->done);
        }
        *c = (struct gm_nvdec_copy){0};
    }
}

/* Rows of the surface into c->to, and the event behind them. */
static CUresult begin(struct gm_nvdec *n, const struct gm_nvdec_copy *c, unsigned pitch)
{
    const uint64_t chroma = c->surface + (uint64_t)pitch * (uint64_t)n->height_px;
    const struct gm_cuda_place from = {true, {{c->surface, chroma}, {pitch, pitch}}};
    struct gm_cuda_copy_2d copies[2];
    int result = 0;
    gm_cuda_picture_copies(&from, c->to, copies);
    for (int plane = 0; plane < 2 && result == 0; plane++) {
        result = n->cuda.copy_2d(&copies[plane], n->stream);
    }
    return (CUresult)(result == 0 ? n->cuda.event_record(c->done, n->stream) : result);
}

/* The picture that has come; c->to is given away where it stays. */
static void hand_out(struct gm_nvdec *n, struct gm_nvdec_copy *c)
{
    AVFrame *f = c->to;
    if (n->pool == NULL) {
        f = gm_av_frame(n->depth == 8 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_YUV420P10LE, n->width_px,
                        n->height_px);
        n->rc = f == NULL ? gm_err_nomem(&n->err) : gm_packed_copy(c->to, f, &n->err);
        if (n->rc < 0) {
            av_frame_free(&f);
            return;
        }
    } else {
        c->to = NULL;
    }
    f->pts = (int64_t)c->id;
    f->flags |= c->damaged ? AV_FRAME_FLAG_CORRUPT : 0;
    n->ready[(n->first + n->count++) % GM_NVDEC_READY] = f;
}

/* Lets go of the surface, once nothing reads it any more. False: the picture has not come. */
static bool finish(struct gm_nvdec *n, struct gm_nvdec_copy *c, CUresult result,
                   const char *function)
{
    bool bad = gm_nvdec_failed(n, result, function, "a picture did not come out of the decoder");
    bad = gm_nvdec_failed(n, n->cuvidUnmapVideoFrame64(n->decoder, c->surface),
                          "cuvidUnmapVideoFrame", "the device did not let go of a picture") ||
          bad;
    if (n->rc < 0) {
        gm_err_wrap(&n->err, n->rc, "The picture of packet %" PRIu64 ": ", c->id);
    }
    if (bad && n->pool != NULL) {
        av_frame_free(&c->to);
    }
    return !bad;
}

/* Waits for the oldest and hands it out. */
static void end_oldest(struct gm_nvdec *n)
{
    struct gm_nvdec_copy *c = &n->copies[n->oldest];
    n->oldest = (n->oldest + 1) % GM_NVDEC_COPIES;
    n->under_way--;
    if (finish(n, c, (CUresult)n->cuda.event_sync(c->done), "cuEventSynchronize")) {
        hand_out(n, c);
    }
}

void gm_nvdec_copies_clear(struct gm_nvdec *n, int index)
{
    size_t count = 0; /* up to the newest that it is to end */
    for (size_t i = 0; i < n->under_way; i++) {
        bool is = index < 0 || n->copies[(n->oldest + i) % GM_NVDEC_COPIES].index == index;
        count = is ? i + 1 : count;
    }
    while (count-- > 0 && n->rc == 0 && n->why == NULL) {
        end_oldest(n);
    }
}

void gm_nvdec_copy(struct gm_nvdec *n, const CUVIDPARSERDISPINFO *shown, uint64_t id)
{
    gm_nvdec_copies_clear(n, shown->picture_index); /* it may be shown twice */
    struct gm_nvdec_copy *c = &n->copies[(n->oldest + n->under_way) % GM_NVDEC_COPIES];
    unsigned pitch = 0;
    if (n->pool != NULL && n->rc == 0) {
        n->rc = gm_cuda_picture_get(n->pool, &c->to, &n->err);
    }
    if (n->rc < 0 || n->why != NULL) {
        return;
    }
    CUVIDPROCPARAMS params = {.progressive_frame = shown->progressive_frame,
                              .top_field_first = shown->top_field_first,
                              .output_stream = n->stream};
    CUresult result =
        n->cuvidMapVideoFrame64(n->decoder, shown->picture_index, &c->surface, &pitch, &params);
    if (gm_nvdec_failed(n, result, "cuvidMapVideoFrame", "the device refused to show a picture")) {
        return; /* c->to goes with the copies */
    }
    CUVIDGETDECODESTATUS status = {0};
    result = n->cuvidGetDecodeStatus(n->decoder, shown->picture_index, &status);
    /* Not told of every codec. */
    c->damaged =
        result == CUDA_SUCCESS && (status.decodeStatus == cuvidDecodeStatus_Error ||
                                   status.decodeStatus == cuvidDecodeStatus_Error_Concealed);
    c->index = shown->picture_index;
    c->id = id;
    result = begin(n, c, pitch);
    if (result != CUDA_SUCCESS) {
        (void)n->cuda.stream_sync(n->stream); /* the first plane may be on its way */
        (void)finish(n, c, result, "cuMemcpy2DAsync");
        return;
    }
    n->under_way++;
    if (n->under_way == GM_NVDEC_COPIES) {
        end_oldest(n);
    }
}
