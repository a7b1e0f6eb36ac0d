#include "media/encode/encoder_backend.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/hwcontext.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libavutil/time.h>

#include "common/id.h"
#include "media/av.h"
#include "media/device/packed.h"
#include "media/encode/encoder_device.h"
#include "media/format/bitstream.h"
#include "media/picture/colour.h"
#include "proto/video_codec.h"

/* What all video encoders share: size, times and colour tags, packets in and out. The table of
 * encoders and the checks of the plan's numbers: encoder_check.c. */
#define LEAST_INIT 1001 /* bits: libavcodec does not tell libx265 of up to 1000 */
#define LEAD_PICTURES 8
#define OPEN_TRIES 3         /* more: others may take a session that was free for a moment */
#define RETRY_LEAST_US 50000 /* between them: what a session is opened and closed in */
#define RETRY_JITTER_US 150000
#define MAX_TAIL_PICTURES 300 /* more than any look-ahead */

struct gm_encoder {
    const struct gm_encoder_backend *backend;
    AVBufferRef *device;     /* owned; NULL: software */
    AVCodecContext *ctx;     /* owned */
    bool fed;                /* a picture was sent */
    int64_t lead_ticks;      /* duration of a black picture before the first; 0: none are sent */
    int64_t start_pts;       /* of the first picture; packets before it are not the caller's */
    AVFrame *last;           /* owned: the last picture, where lead_ticks > 0 */
    AVFrame *packed;         /* owned: the last one in the encoder's layout; NULL: none was made */
    AVFrame *surface;        /* owned: where the encoder takes its device's; else NULL */
    uint64_t sent, received; /* pictures and packets of the caller's */
    int tail;                /* copies of the last picture sent after it; -1: not at the end */
    struct gm_buf headers;   /* what stands before the stream */
    char name[64];           /* of the rendition, for messages */
};

int gm_encoder_hold(const char *chain, const char *device, bool scales, AVBufferRef **out,
                    struct gm_err *err)
{
    const struct gm_encoder_device *d = gm_encoder_find_device(chain);
    if (d != NULL && (d->is_shared || (scales && d->takes_surfaces))) {
        return d->open_device(device, out, err);
    }
    *out = NULL;
    return 0;
}

int gm_encoder_option(AVCodecContext *ctx, const char *name, const char *value, struct gm_err *err)
{
    int averror = av_opt_set(ctx->priv_data, name, value, 0);
    if (averror < 0) {
        return gm_err_av(err, GM_E_MEDIA, averror, "The encoder refused %s=%s", name, value);
    }
    return 0;
}

void gm_encoder_version(const char *prefix, const char *symbol, bool call, char out[64])
{
    const char *text = LIBAVCODEC_IDENT;
    void *found = dlsym(RTLD_DEFAULT, symbol);
    if (found != NULL && call) {
        const char *(*version)(void);
        memcpy(&version, &found, sizeof version);
        text = version();
    } else if (found != NULL) {
        text = *(const char *const *)found;
    }
    int n = snprintf(out, 64, "%s-%s", prefix, text);
    for (int i = 0; i < n && i < 63; i++) {
        char c = out[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '+' || c == '_';
        out[i] = plain ? c : '-';
    }
}

const char *gm_encoder_preset(const Gm__EncodeParams *p)
{
    return p->preset[0] != '\0' ? p->preset : "veryfast";
}

static int32_t worse_crf(const struct gm_encoder_params *params, int32_t add)
{
    const Gm__EncodeParams *p = params->rendition->encode;
    const struct gm_video_codec *codec = gm_video_codec_find(p->codec);
    int32_t crf = (params->crf_centi > 0 ? params->crf_centi : p->crf * 100) + add * 100;
    return codec != NULL && crf > codec->max_crf * 100 ? codec->max_crf * 100 : crf;
}

int gm_encoder_crf_alone(const struct gm_encoder_params *params)
{
    return (worse_crf(params, params->limits != NULL ? params->limits->crf_add : 0) + 50) / 100;
}

int32_t gm_encoder_limit(AVCodecContext *ctx, const struct gm_encoder_params *params)
{
    const Gm__Rendition *r = params->rendition;
    const struct gm_vbv_limits *l = params->limits;
    if (r->maxrate_bps <= 0) {
        return worse_crf(params, 0);
    }
    ctx->rc_max_rate = l != NULL ? l->rate_bps : r->maxrate_bps;
    ctx->rc_buffer_size = (int)(l != NULL ? l->buffer_bits : r->bufsize_bits);
    if (l != NULL) {
        ctx->rc_initial_buffer_occupancy = (int)l->init_bits;
    }
    return worse_crf(params, l != NULL ? l->crf_add : 0);
}

/* The rendition's tags, for the VUI. */
static void set_colour(AVCodecContext *ctx, const Gm__Rendition *r)
{
    struct gm_colour c = gm_colour_of_rendition(r);
    ctx->color_primaries = c.primaries;
    ctx->color_trc = c.transfer;
    ctx->colorspace = c.matrix;
    ctx->color_range = AVCOL_RANGE_MPEG;
    ctx->chroma_sample_location = AVCHROMA_LOC_LEFT;
}

/* Black pictures that bring the encoder's state to what it is in mid-stream: so many that the
 * average quantiser of the pictures before, which the first keyframe takes, has come near its
 * limit. They cost next to nothing, but the buffer fills while they pass: it starts that much
 * emptier. */
static void plan_lead(struct gm_encoder *e, const struct gm_encoder_params *params)
{
    AVCodecContext *ctx = e->ctx;
    if (e->backend->starts_cold == NULL || !e->backend->starts_cold(params->rendition->encode)) {
        return;
    }
    AVRational rate = gm_encoder_nominal_rate(params);
    e->lead_ticks = av_rescale(params->timescale, rate.den, rate.num);
    e->lead_ticks = e->lead_ticks > 0 ? e->lead_ticks : 1;
    if (ctx->rc_initial_buffer_occupancy > 0) {
        int64_t filled =
            av_rescale(ctx->rc_max_rate, LEAD_PICTURES * e->lead_ticks, params->timescale);
        int64_t left = ctx->rc_initial_buffer_occupancy - filled;
        ctx->rc_initial_buffer_occupancy = left > LEAST_INIT ? (int)left : LEAST_INIT;
    }
}

/* The encoder takes the device's own pictures. */
static int use_surfaces(AVCodecContext *ctx, AVBufferRef *surfaces, struct gm_err *err)
{
    const AVHWFramesContext *frames = gm_av_pool(surfaces);
    if (frames->width != ctx->width || frames->height != ctx->height) {
        return gm_err_set(err, GM_E_BUG, 0, "pictures of %dx%d for an encoder of %dx%d",
                          frames->width, frames->height, ctx->width, ctx->height);
    }
    ctx->pix_fmt = frames->format;
    ctx->sw_pix_fmt = frames->sw_format;
    ctx->hw_frames_ctx = av_buffer_ref(surfaces);
    return ctx->hw_frames_ctx != NULL ? 0 : gm_err_nomem(err);
}

/* Everything before avcodec_open2. b_frames: at most so many B pictures; -1: as the backend has it.
 */
static int make_context(struct gm_encoder *e, const struct gm_encoder_params *params, int b_frames,
                        struct gm_err *err)
{
    const Gm__Rendition *r = params->rendition;
    const AVCodec *codec = avcodec_find_encoder_by_name(e->backend->library);
    if (codec == NULL) {
        unsigned v = avcodec_version();
        return gm_err_set(err, e->backend->device != NULL ? GM_E_PIPELINE_UNFIT : GM_E_MEDIA, 0,
                          "libavcodec %u.%u.%u has no encoder %s: choose another `codec` or other "
                          "`devices`, or a newer FFmpeg",
                          v >> 16, v >> 8 & 255, v & 255, e->backend->library);
    }
    avcodec_free_context(&e->ctx);
    AVCodecContext *ctx = e->ctx = avcodec_alloc_context3(codec);
    if (ctx == NULL) {
        return gm_err_nomem(err);
    }
    ctx->width = (int)r->width_px;
    ctx->height = (int)r->height_px;
    ctx->pix_fmt = av_get_pix_fmt(r->pixel_format);
    ctx->sample_aspect_ratio = (AVRational){1, 1};
    ctx->time_base = (AVRational){1, (int)params->timescale};
    ctx->framerate = gm_encoder_nominal_rate(params);
    ctx->thread_count = 1;
    ctx->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP | AV_CODEC_FLAG_BITEXACT;
    set_colour(ctx, r);
    if (e->device != NULL && (ctx->hw_device_ctx = av_buffer_ref(e->device)) == NULL) {
        return gm_err_nomem(err);
    }
    int rc = e->backend->setup(ctx, params, err);
    if (rc == 0 && params->surfaces != NULL) {
        rc = use_surfaces(ctx, params->surfaces, err);
    }
    if (b_frames >= 0 && ctx->max_b_frames > b_frames) {
        ctx->max_b_frames = b_frames;
    }
    return rc;
}

/* Who met the same refusal tries again, too: not all at once. */
static void wait_a_moment(void)
{
    uint8_t random = 0;
    GM_IGNORE(gm_random(&random, sizeof random, NULL), "then all wait the least");
    (void)av_usleep(RETRY_LEAST_US + RETRY_JITTER_US / UINT8_MAX * random);
}

static int open_codec(struct gm_encoder *e, const struct gm_encoder_params *params,
                      struct gm_err *err)
{
    int b_frames = -1;
    for (int tries = 0;; tries++) {
        int rc = make_context(e, params, b_frames, err);
        if (rc < 0) {
            return rc;
        }
        plan_lead(e, params);
        int averror = avcodec_open2(e->ctx, e->ctx->codec, NULL);
        if (averror >= 0) {
            return 0;
        }
        if (e->backend->device == NULL) {
            return gm_err_av(err, GM_E_MEDIA, averror, "The encoder of %s did not open", e->name);
        }
        rc = e->backend->device->open_failed(e->device, e->ctx, averror, &b_frames, err);
        if (rc < 0) {
            return rc;
        }
        if (tries == OPEN_TRIES) {
            return gm_err_set(err, GM_E_DEVICE_DRIVER, averror,
                              "The encoder of %s did not open at %d more tries, with %d B pictures,"
                              " either",
                              e->name, OPEN_TRIES, b_frames);
        }
        if (averror == AVERROR(EINVAL)) { /* of a GPU: its sessions may be taken */
            wait_a_moment();
        }
    }
}

static int open_device(struct gm_encoder *e, const struct gm_encoder_params *params,
                       struct gm_err *err)
{
    const struct gm_encoder_device *d = e->backend->device;
    if (params->surfaces != NULL && (d == NULL || !d->takes_surfaces)) {
        return gm_err_set(err, GM_E_BUG, 0, "chain %s takes no pictures of a device's",
                          gm_encoder_chain(params->chain));
    }
    if (params->surfaces != NULL) {
        e->device = av_buffer_ref(gm_av_pool(params->surfaces)->device_ref);
        return e->device != NULL ? 0 : gm_err_nomem(err);
    }
    return d != NULL ? d->open_device(params->device, &e->device, err) : 0;
}

static int open_context(struct gm_encoder *e, const struct gm_encoder_params *params,
                        struct gm_err *err)
{
    int rc = open_device(e, params, err);
    if (rc == 0) {
        rc = open_codec(e, params, err);
    }
    if (rc < 0) {
        return rc;
    }
    const AVCodecContext *ctx = e->ctx;
    if (e->backend->headers != NULL) {
        return e->backend->headers(ctx, params, &e->headers, err);
    }
    if (e->backend->packet_headers != NULL) {
        return 0;
    }
    if (ctx->extradata == NULL || ctx->extradata_size <= 0) {
        return gm_err_set(err, GM_E_MEDIA, 0, "The encoder of %s gave no headers", e->name);
    }
    gm_buf_add(&e->headers, ctx->extradata, (size_t)ctx->extradata_size);
    rc = gm_buf_check(&e->headers, err);
    if (rc == 0 && e->backend->hides_reorder) {
        const struct gm_bitstream *codec = gm_bitstream_find(e->backend->codec);
        GM_ASSERT(codec != NULL && codec->reorder != NULL);
        rc = codec->reorder(e->headers.data, e->headers.size, &e->ctx->has_b_frames, err);
    }
    return rc;
}

int gm_encoder_open(const struct gm_encoder_params *params, struct gm_encoder **out,
                    struct gm_err *err)
{
    const struct gm_encoder_backend *backend = NULL;
    int rc = gm_encoder_check(params, &backend, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_encoder *e = calloc(1, sizeof *e);
    if (e == NULL) {
        return gm_err_nomem(err);
    }
    e->backend = backend;
    e->start_pts = INT64_MIN;
    e->tail = -1;
    (void)snprintf(e->name, sizeof e->name, "%s", params->rendition->name);
    rc = open_context(e, params, err);
    if (rc < 0) {
        gm_encoder_close(&e);
        return rc;
    }
    *out = e;
    return 0;
}

static int fail_work(const struct gm_encoder *e, int av, const char *what, struct gm_err *err)
{
    return e->backend->device != NULL
               ? e->backend->device->work_failed(e->ctx, av, err)
               : gm_err_av(err, GM_E_MEDIA, av, "The encoder of %s %s", e->name, what);
}

/* The layout in memory that the encoder takes, or its surfaces are filled from. */
static enum AVPixelFormat memory_format(const AVCodecContext *ctx)
{
    return ctx->hw_frames_ctx == NULL ? ctx->pix_fmt : gm_av_pool(ctx->hw_frames_ctx)->sw_format;
}

/* Copies the frame's samples, time and type into e->packed, in the layout that the encoder takes.
 * The memory is that of the picture before, once libavcodec has let go of it. */
static int pack(struct gm_encoder *e, const AVFrame *frame, struct gm_err *err)
{
    if (e->packed == NULL || av_frame_is_writable(e->packed) <= 0) {
        av_frame_free(&e->packed);
        e->packed = gm_av_frame(memory_format(e->ctx), frame->width, frame->height);
        if (e->packed == NULL) {
            return gm_err_nomem(err);
        }
        for (int i = 0; i < AV_NUM_DATA_POINTERS && e->packed->buf[i] != NULL; i++) {
            memset(e->packed->buf[i]->data, 0,
                   e->packed->buf[i]->size); /* devices read its edges */
        }
    }
    e->packed->pts = frame->pts;
    e->packed->pict_type = frame->pict_type;
    e->packed->reordered_opaque = frame->reordered_opaque;
    return gm_packed_copy(frame, e->packed, err);
}

/* Puts the frame's samples, time and type into a surface of the device, e->surface. */
static int upload(struct gm_encoder *e, const AVFrame *frame, struct gm_err *err)
{
    if (e->surface == NULL && (e->surface = av_frame_alloc()) == NULL) {
        return gm_err_nomem(err);
    }
    int av = av_hwframe_get_buffer(e->ctx->hw_frames_ctx, e->surface, 0);
    av = av < 0 ? av : av_hwframe_transfer_data(e->surface, frame, 0);
    if (av < 0) {
        return fail_work(e, av, "has no room for a frame", err);
    }
    e->surface->pts = frame->pts;
    e->surface->pict_type = frame->pict_type;
    return 0;
}

static int feed(struct gm_encoder *e, const AVFrame *frame, struct gm_err *err)
{
    bool there = frame != NULL && e->ctx->hw_frames_ctx != NULL && frame->format == e->ctx->pix_fmt;
    bool other = frame != NULL && !there && frame->format != (int)memory_format(e->ctx);
    if (frame != NULL && !there && e->ctx->pix_fmt == AV_PIX_FMT_CUDA) {
        return gm_err_set(err, GM_E_BUG, 0, "the encoder of %s takes the device's pictures alone",
                          e->name);
    }
    int rc = other ? pack(e, frame, err) : 0;
    const AVFrame *given = other ? e->packed : frame;
    if (rc == 0 && given != NULL && !there && e->ctx->hw_frames_ctx != NULL) {
        rc = upload(e, given, err);
        given = e->surface;
    }
    if (rc < 0) {
        return rc;
    }
    e->fed = e->fed || frame != NULL;
    int av = avcodec_send_frame(e->ctx, given);
    if (e->surface != NULL) {
        av_frame_unref(e->surface); /* libavcodec has its own reference */
    }
    return av < 0 ? fail_work(e, av, "refused a frame", err) : 0;
}

/* count black pictures from pts on, each `ticks` after the one before. */
static int send_black(struct gm_encoder *e, int count, int64_t pts, int64_t ticks,
                      struct gm_err *err)
{
    AVFrame *f = gm_av_frame(memory_format(e->ctx), e->ctx->width, e->ctx->height);
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    ptrdiff_t stride[4] = {f->linesize[0], f->linesize[1], f->linesize[2], f->linesize[3]};
    int av = av_image_fill_black(f->data, stride, memory_format(e->ctx), AVCOL_RANGE_MPEG, f->width,
                                 f->height);
    int rc = av < 0 ? gm_err_av(err, GM_E_MEDIA, av, "making a black picture") : 0;
    for (int i = 0; i < count && rc == 0; i++) {
        f->pts = pts + i * ticks;
        rc = feed(e, f, err);
    }
    av_frame_free(&f);
    return rc;
}

/* Before the first picture: the lead. Then each picture is kept, for the tail. */
static int keep(struct gm_encoder *e, const AVFrame *frame, struct gm_err *err)
{
    int rc = 0;
    if (e->last == NULL) {
        e->last = av_frame_alloc();
        if (e->last == NULL) {
            return gm_err_nomem(err);
        }
        e->start_pts = frame->pts;
        rc = send_black(e, LEAD_PICTURES, frame->pts - LEAD_PICTURES * e->lead_ticks, e->lead_ticks,
                        err);
    }
    av_frame_unref(e->last);
    if (rc == 0 && av_frame_ref(e->last, frame) < 0) {
        rc = gm_err_nomem(err);
    }
    return rc;
}

int gm_encoder_send(struct gm_encoder *e, const AVFrame *frame, struct gm_err *err)
{
    if (frame == NULL && e->last != NULL) {
        e->tail = 0; /* receive sends it */
        return 0;
    }
    int rc = e->lead_ticks > 0 && frame != NULL ? keep(e, frame, err) : 0;
    e->sent += frame != NULL ? 1 : 0;
    return rc == 0 ? feed(e, frame, err) : rc;
}

/* A keyframe and what follows it, all like the last picture: the look-ahead, which spends bits on
 * what later pictures are made of and knows no keyframes, sees no end. None of them is encoded:
 * the encoder is closed before. */
static int send_tail(struct gm_encoder *e, struct gm_err *err)
{
    if (e->tail == MAX_TAIL_PICTURES) {
        return feed(e, NULL, err);
    }
    e->last->pts += e->lead_ticks;
    e->last->pict_type = e->tail == 0 ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    e->last->reordered_opaque = 0; /* libavcodec keeps others for libx265, and loses these */
    e->tail++;
    return feed(e, e->last, err);
}

/* For headers alone no picture is ever sent. */
static void give_picture(struct gm_encoder *e)
{
    if (e->ctx != NULL && avcodec_is_open(e->ctx) && e->backend->waits_for_picture && !e->fed) {
        GM_IGNORE(send_black(e, 1, 0, 1, NULL), "closing it is all that is left");
        GM_IGNORE(feed(e, NULL, NULL), "closing it is all that is left");
    }
}

void gm_encoder_close(struct gm_encoder **encoder)
{
    if (*encoder != NULL) {
        give_picture(*encoder);
        avcodec_free_context(&(*encoder)->ctx);
        av_buffer_unref(&(*encoder)->device);
        gm_buf_fini(&(*encoder)->headers);
        av_frame_free(&(*encoder)->last);
        av_frame_free(&(*encoder)->packed);
        av_frame_free(&(*encoder)->surface);
        free(*encoder);
        *encoder = NULL;
    }
}

int gm_encoder_receive(struct gm_encoder *e, AVPacket *packet, bool *out_got, struct gm_err *err)
{
    int av = 0;
    int rc = 0;
    bool got = false;
    while (rc == 0 && !got && (e->tail < 0 || e->received < e->sent)) {
        av = avcodec_receive_packet(e->ctx, packet);
        if (av >= 0 && packet->size == 0 && e->backend->device != NULL) {
            av_packet_unref(packet); /* of Quick Sync: libavcodec overlooks failures of waiting */
            av = AVERROR(EIO);
        }
        got = av >= 0 && packet->pts >= e->start_pts;
        if (av >= 0 && !got) {
            av_packet_unref(packet);
        } else if (av == AVERROR(EAGAIN) && e->tail >= 0) {
            rc = send_tail(e, err);
        } else if (av == AVERROR_EOF || av == AVERROR(EAGAIN)) {
            break;
        } else if (av < 0) {
            rc = fail_work(e, av, "failed", err);
        }
    }
    if (rc == 0) {
        e->received += got ? 1 : 0;
        *out_got = got;
    }
    return rc;
}

const uint8_t *gm_encoder_headers(const struct gm_encoder *e, size_t *out_size)
{
    *out_size = e->headers.size;
    return e->headers.data;
}

bool gm_encoder_takes_captions(const struct gm_encoder *e)
{
    return e->ctx->codec_id == AV_CODEC_ID_H264 && !e->backend->drops_captions;
}

const AVCodecContext *gm_encoder_context(const struct gm_encoder *e)
{
    return e->ctx;
}

int gm_encoder_reorder(const struct gm_encoder *e)
{
    return e->ctx->has_b_frames;
}

/* The packet of a black picture. */
static int encode_black(const struct gm_encoder_params *params, AVPacket *packet,
                        struct gm_err *err)
{
    struct gm_encoder *e = NULL;
    bool got = false;
    int rc = gm_encoder_open(params, &e, err);
    if (rc == 0) {
        rc = send_black(e, 1, 0, 1, err);
    }
    if (rc == 0) {
        rc = feed(e, NULL, err);
    }
    if (rc == 0) {
        rc = gm_encoder_receive(e, packet, &got, err);
    }
    if (rc == 0 && !got) {
        rc = gm_err_set(err, GM_E_MEDIA, 0, "the encoder made no picture");
    }
    gm_encoder_close(&e);
    return rc;
}

int gm_encoder_build(const struct gm_encoder_params *params, char out[64], struct gm_err *err)
{
    const struct gm_encoder_backend *backend = NULL;
    int rc = gm_encoder_check(params, &backend, err);
    if (rc < 0 || backend->device != NULL) {
        return rc < 0 ? rc : gm_encoder_device_build(backend->device, params->device, out, err);
    }
    if (backend->version != NULL) {
        backend->version(out);
        return 0;
    }
    AVPacket *packet = av_packet_alloc();
    rc = packet != NULL ? encode_black(params, packet, err) : gm_err_nomem(err);
    if (rc == 0) {
        backend->build(packet, out);
    }
    av_packet_free(&packet);
    return rc;
}

static int describe_packet(const struct gm_encoder_params *params,
                           const struct gm_encoder_backend *backend, struct gm_buf *headers,
                           struct gm_err *err)
{
    AVPacket *packet = av_packet_alloc();
    int rc = packet != NULL ? encode_black(params, packet, err) : gm_err_nomem(err);
    if (rc == 0) {
        rc = backend->packet_headers(packet, headers, err);
    }
    av_packet_free(&packet);
    return rc;
}

int gm_encoder_describe(const struct gm_encoder_params *params, struct gm_buf *headers,
                        int *out_reorder, struct gm_err *err)
{
    struct gm_encoder *e = NULL;
    int rc = gm_encoder_open(params, &e, err);
    if (rc < 0) {
        return rc;
    }
    *out_reorder = gm_encoder_reorder(e);
    const struct gm_encoder_backend *backend = e->backend;
    if (backend->packet_headers == NULL) {
        gm_buf_add(headers, e->headers.data, e->headers.size);
        rc = gm_buf_check(headers, err);
    }
    gm_encoder_close(&e); /* before another one: a device counts its sessions */
    if (backend->packet_headers != NULL) {
        rc = describe_packet(params, backend, headers, err);
    }
    return rc;
}
