#include "media/prove/prove_device.h"

#include <string.h>

#include <libavutil/hwcontext.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>

#include "media/av.h"
#include "media/device/hw.h"
#include "media/device/nvenc.h"
#include "media/device/packed.h"
#include "media/device/qsv.h"
#include "media/device/vaapi.h"

static const struct row {
    const char *api;
    enum AVPixelFormat surface;
    const char *decoder; /* suffix of a decoder of its own: "h264_cuvid"; NULL: a hwaccel */
    bool uploads;        /* its encoders are given surfaces */
    /* As media/encode/encoder_backend.h has them; NULL: what libavutil says. */
    int (*open_device)(const char *id, AVBufferRef **out, struct gm_err *err);
    int (*open_failed)(const AVBufferRef *device, const AVCodecContext *ctx, int averror,
                       int *out_b_frames, struct gm_err *err);
} ROWS[] = {
    {"nvenc", AV_PIX_FMT_CUDA, NULL, true, gm_hw_open, gm_nvenc_explain_open},
    {"nvdec", AV_PIX_FMT_CUDA, "cuvid", true, gm_hw_open, NULL},
    {"vaapi", AV_PIX_FMT_VAAPI, NULL, true, gm_vaapi_open, NULL},
    {"qsv", AV_PIX_FMT_QSV, "qsv", false, gm_qsv_open, NULL},
};

static const struct row *find_row(const char *api)
{
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        if (strcmp(ROWS[i].api, api) == 0) {
            return &ROWS[i];
        }
    }
    return NULL;
}

int gm_prove_start(const struct gm_prove_work *work, struct gm_err *err)
{
    const struct row *row = find_row(work->api);
    AVBufferRef *device = NULL;
    if (row == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "there is no API %.20s", work->api);
    }
    int rc = row->open_device(work->device, &device, err);
    av_buffer_unref(&device);
    return rc;
}

enum AVCodecID gm_prove_codec_id(const char *codec)
{
    static const struct {
        const char *name;
        enum AVCodecID id;
    } ids[] = {{"h264", AV_CODEC_ID_H264},
               {"hevc", AV_CODEC_ID_HEVC},
               {"av1", AV_CODEC_ID_AV1},
               {"vp9", AV_CODEC_ID_VP9}};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        if (strcmp(ids[i].name, codec) == 0) {
            return ids[i].id;
        }
    }
    return AV_CODEC_ID_NONE;
}

AVFrame *gm_prove_frame(enum AVPixelFormat format)
{
    return gm_av_frame(format, GM_PROVE_SIDE_PX, GM_PROVE_SIDE_PX);
}

static int add_surfaces(AVCodecContext *ctx, const struct row *row, uint32_t depth,
                        struct gm_err *err)
{
    ctx->hw_frames_ctx = av_hwframe_ctx_alloc(ctx->hw_device_ctx);
    if (ctx->hw_frames_ctx == NULL) {
        return gm_err_nomem(err);
    }
    AVHWFramesContext *frames = (AVHWFramesContext *)ctx->hw_frames_ctx->data;
    frames->format = row->surface;
    frames->sw_format = gm_packed_format(depth);
    frames->width = frames->height = GM_PROVE_SIDE_PX;
    frames->initial_pool_size = 20;
    int av = av_hwframe_ctx_init(ctx->hw_frames_ctx);
    ctx->pix_fmt = row->surface;
    return av < 0 ? gm_err_av(err, GM_E_MEDIA, av, "no surfaces were to be had") : 0;
}

/* Why avcodec_open2 gave av. */
static int explain(const struct row *row, const AVBufferRef *device, const AVCodecContext *ctx,
                   int av, const char *name, struct gm_err *err)
{
    int b_frames = 0;
    int rc = row->open_failed != NULL ? row->open_failed(device, ctx, av, &b_frames, err) : 0;
    return rc < 0 ? rc : gm_err_av(err, GM_E_MEDIA, av, "the encoder %s did not open", name);
}

int gm_prove_open_encoder(const struct gm_prove_work *work, AVCodecContext **out,
                          struct gm_err *err)
{
    char name[40];
    const struct row *row = find_row(work->api);
    (void)snprintf(name, sizeof(name), "%s_%s", work->codec, work->api);
    const AVCodec *codec = row == NULL ? NULL : avcodec_find_encoder_by_name(name);
    if (codec == NULL) {
        return gm_err_set(err, GM_E_MEDIA, 0, "this build of FFmpeg has no encoder %s", name);
    }
    AVCodecContext *ctx = avcodec_alloc_context3(codec);
    if (ctx == NULL) {
        return gm_err_nomem(err);
    }
    ctx->width = ctx->height = GM_PROVE_SIDE_PX;
    ctx->time_base = (AVRational){1, 30};
    ctx->framerate = (AVRational){30, 1};
    ctx->gop_size = GM_PROVE_FRAMES;
    ctx->bit_rate = 4000000;
    ctx->pix_fmt = gm_packed_format(work->depth);
    AVBufferRef *device = NULL;
    int rc = row->open_device(work->device, &device, err);
    if (rc == 0 && (ctx->hw_device_ctx = av_buffer_ref(device)) == NULL) {
        rc = gm_err_nomem(err);
    }
    if (rc == 0 && row->uploads) {
        rc = add_surfaces(ctx, row, work->depth, err);
    }
    int av = rc < 0 ? 0 : avcodec_open2(ctx, codec, NULL);
    if (av < 0) {
        rc = explain(row, device, ctx, av, name, err);
    }
    av_buffer_unref(&device);
    if (rc < 0) {
        avcodec_free_context(&ctx);
        return rc;
    }
    *out = ctx;
    return 0;
}

/* The device's surfaces, never silently software. */
static enum AVPixelFormat choose(AVCodecContext *ctx, const enum AVPixelFormat *formats)
{
    for (const enum AVPixelFormat *f = formats; *f != AV_PIX_FMT_NONE; f++) {
        const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(*f);
        if (d != NULL && (d->flags & AV_PIX_FMT_FLAG_HWACCEL) != 0 && ctx->hw_device_ctx != NULL &&
            *f == (enum AVPixelFormat)(intptr_t)ctx->opaque) {
            return *f;
        }
    }
    return AV_PIX_FMT_NONE;
}

int gm_prove_open_decoder(const struct gm_prove_work *work, const AVCodecParameters *par,
                          AVCodecContext **out, struct gm_err *err)
{
    char name[40];
    const struct row *row = find_row(work->api);
    if (row == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%s` is no decoder's interface", work->api);
    }
    (void)snprintf(name, sizeof(name), "%s%s%s", work->codec, row->decoder == NULL ? "" : "_",
                   row->decoder == NULL ? "" : row->decoder);
    const AVCodec *codec = avcodec_find_decoder_by_name(name);
    if (codec == NULL) {
        return gm_err_set(err, GM_E_MEDIA, 0, "this build of FFmpeg has no decoder %s", name);
    }
    AVCodecContext *ctx = avcodec_alloc_context3(codec);
    if (ctx == NULL) {
        return gm_err_nomem(err);
    }
    int av = avcodec_parameters_to_context(ctx, par);
    ctx->pkt_timebase = (AVRational){1, 30};
    ctx->opaque = (void *)(intptr_t)row->surface;
    ctx->get_format = choose;
    int rc = av < 0 ? gm_err_av(err, GM_E_MEDIA, av, "the decoder %s refused its stream", name)
                    : row->open_device(work->device, &ctx->hw_device_ctx, err);
    if (rc == 0) {
        av = avcodec_open2(ctx, codec, NULL);
        rc = av < 0 ? gm_err_av(err, GM_E_MEDIA, av, "the decoder %s did not open", name) : 0;
    }
    if (rc < 0) {
        avcodec_free_context(&ctx);
        return rc;
    }
    *out = ctx;
    return 0;
}

int gm_prove_upload(const AVCodecContext *ctx, const AVFrame *frame, AVFrame **out,
                    struct gm_err *err)
{
    bool deep = frame->format == AV_PIX_FMT_YUV420P10LE;
    AVFrame *packed = gm_prove_frame(gm_packed_format(deep ? 10 : 8));
    AVFrame *surface = NULL;
    int rc = packed == NULL ? gm_err_nomem(err) : 0;
    if (rc == 0) {
        rc = gm_packed_copy(frame, packed, err);
    }
    if (rc == 0 && ctx->hw_frames_ctx != NULL) {
        surface = av_frame_alloc();
        rc = surface == NULL ? gm_err_nomem(err) : 0;
        int av = rc < 0 ? 0 : av_hwframe_get_buffer(ctx->hw_frames_ctx, surface, 0);
        av = rc < 0 || av < 0 ? av : av_hwframe_transfer_data(surface, packed, 0);
        if (av < 0) {
            rc = gm_err_av(err, GM_E_MEDIA, av, "a picture did not get to the device");
        }
        av_frame_free(&packed);
    } else if (rc == 0) {
        surface = packed;
        packed = NULL;
    }
    if (rc < 0 || surface == NULL) {
        av_frame_free(&packed);
        av_frame_free(&surface);
        return rc;
    }
    surface->pts = frame->pts;
    *out = surface;
    return 0;
}

int gm_prove_download(const AVFrame *frame, uint32_t depth, int side_px, AVFrame **out,
                      struct gm_err *err)
{
    enum AVPixelFormat planar = depth == 8 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_YUV420P10LE;
    AVFrame *memory = av_frame_alloc();
    AVFrame *result = gm_av_frame(planar, frame->width, frame->height);
    int rc = memory == NULL || result == NULL ? gm_err_nomem(err) : 0;
    int av = 0;
    if (rc == 0 && frame->hw_frames_ctx != NULL) {
        av = av_hwframe_transfer_data(memory, frame, 0);
    } else if (rc == 0) {
        av = av_frame_ref(memory, frame);
    }
    if (av < 0) {
        rc = gm_err_av(err, GM_E_MEDIA, av, "a picture did not come back from the device");
    }
    int wide = side_px > 0 ? side_px : frame->width, high = side_px > 0 ? side_px : frame->height;
    if (rc == 0 && (memory->width != wide || memory->height != high)) {
        rc = gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "a picture came out in %dx%d", memory->width,
                        memory->height);
    }
    bool same = rc == 0 && memory->format == planar;
    if (rc == 0 && !same && memory->format != gm_packed_format(depth)) {
        rc = gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "pictures came out as %s",
                        av_get_pix_fmt_name(memory->format));
    }
    if (same && av_frame_copy(result, memory) < 0) {
        rc = gm_err_nomem(err);
    }
    if (rc == 0 && !same) {
        rc = gm_packed_copy(memory, result, err);
    }
    av_frame_free(&memory);
    if (rc < 0) {
        av_frame_free(&result);
        return rc;
    }
    *out = result;
    return 0;
}

/* Pictures that the decoder has ready. frame: scratch, empty. */
static int take_pictures(AVCodecContext *ctx, AVFrame *frame, struct gm_prove_pictures *out,
                         struct gm_err *err)
{
    for (;;) {
        int av = avcodec_receive_frame(ctx, frame);
        if (av == AVERROR(EAGAIN) || av == AVERROR_EOF) {
            return 0;
        }
        if (av < 0) {
            return gm_err_av(err, GM_E_MEDIA, av, "decoding failed");
        }
        int rc =
            out->count < out->max
                ? gm_prove_download(frame, out->depth, out->side_px, &out->frame[out->count], err)
                : gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "more than %d pictures came out", out->max);
        av_frame_unref(frame);
        if (rc < 0) {
            return rc;
        }
        out->count++;
    }
}

int gm_prove_decode(AVCodecContext *ctx, AVPacket *const *packets, int count,
                    struct gm_prove_pictures *out, struct gm_err *err)
{
    AVFrame *frame = av_frame_alloc();
    int rc = frame == NULL ? gm_err_nomem(err) : 0;
    for (int i = 0; rc == 0 && i <= count; i++) {
        const AVPacket *packet = i < count ? packets[i] : NULL;
        int av = avcodec_send_packet(ctx, packet);
        if (av == AVERROR(EAGAIN)) { /* it wants to be emptied first */
            rc = take_pictures(ctx, frame, out, err);
            av = rc < 0 ? 0 : avcodec_send_packet(ctx, packet);
        }
        if (av < 0) {
            rc = gm_err_av(err, GM_E_MEDIA, av, "packet %d was not taken", i);
        }
        if (rc == 0) {
            rc = take_pictures(ctx, frame, out, err);
        }
    }
    av_frame_free(&frame);
    return rc;
}

/* Of AV1, since the others have been there for long. See: FFmpeg's Changelog. */
static const char *brought_by(const char *api)
{
    return strcmp(api, "vaapi") == 0 ? "6.1" : "6.0";
}

bool gm_prove_has_encoder(const char *api, const char *codec, char *out, size_t size)
{
    char name[40];
    unsigned v = avcodec_version();
    (void)snprintf(name, sizeof(name), "%.12s_%.12s", codec, api);
    if (avcodec_find_encoder_by_name(name) != NULL) {
        return true;
    }
    (void)snprintf(out, size, "libavcodec %u.%u.%u has no %s%s%s%s", v >> 16, v >> 8 & 255, v & 255,
                   name, strcmp(codec, "av1") == 0 ? ", which came with FFmpeg " : "",
                   strcmp(codec, "av1") == 0 ? brought_by(api) : "",
                   strcmp(codec, "av1") == 0 && strcmp(api, "nvenc") == 0
                       ? " (built with NVENC's headers of 12.0 or later)"
                       : "");
    return false;
}

bool gm_prove_qsv_runtime(const char *node, char out[GM_PROVE_RUNTIME])
{
    AVBufferRef *device = NULL;
    struct gm_err ignored;
    if (gm_qsv_open(node, &device, &ignored) < 0) {
        return false;
    }
    gm_qsv_runtime(out);
    av_buffer_unref(&device);
    return true;
}

bool gm_prove_qsv_opens(const char *node, const char *codec, uint32_t depth)
{
    const struct gm_prove_work work = {
        .api = "qsv", .codec = codec, .depth = depth, .encode = true, .device = node};
    AVCodecContext *ctx = NULL;
    struct gm_err ignored;
    int rc = gm_prove_open_encoder(&work, &ctx, &ignored);
    avcodec_free_context(&ctx);
    return rc == 0;
}
