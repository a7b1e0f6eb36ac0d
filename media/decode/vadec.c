/* libavcodec's decoder with the driver as its hwaccel. A picture is copied to memory as soon as it
 * comes, so that no surface waits for anybody; those that stay wait, and there are more of them.
 *
 * libavcodec takes what a hwaccel refuses for damage like any other, and goes on: it is told to
 * stop at the first error, and the driver is asked what it was. See: vadec.h. */
#include "media/decode/vadec.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/hwcontext.h>

#include "media/av.h"
#include "media/decode/vaapi_decode.h"
#include "media/device/packed.h"
#include "media/device/va_picture.h"
#include "media/device/vaapi.h"

#define READY 64 /* pictures at once: none holds back more than 16 */
#define BEGUN 8  /* pictures of a superframe of VP9, or of a temporal unit of AV1; else one */

struct gm_vadec {
    const struct gm_vaapi_way *way;
    AVBufferRef *device;    /* owned reference */
    AVCodecParameters *par; /* owned */
    AVCodecContext *ctx;    /* owned */
    AVFrame *surface;       /* owned: the driver's picture */
    AVFrame *packed;        /* owned: where it lands */
    AVFrame *ready[READY];  /* owned */
    size_t first, count;
    uintptr_t begun[BEGUN]; /* surfaces of the packet's pictures that nobody waited for */
    size_t begun_count;
    size_t pictures; /* that the packet began */
    bool stays;
    bool fed;        /* a packet went in */
    bool refused;    /* libavcodec did not open the driver's decoder */
    const char *why; /* static; NULL: all is well */
};

static bool is_taken(const AVCodecParameters *par)
{
    return par->width > 0 && par->height > 0 && par->width % 2 == 0 && par->height % 2 == 0 &&
           par->width <= INT16_MAX && par->height <= INT16_MAX;
}

/* The driver's surfaces, never silently software. */
static enum AVPixelFormat choose(AVCodecContext *ctx, const enum AVPixelFormat *formats)
{
    struct gm_vadec *v = ctx->opaque;
    for (const enum AVPixelFormat *f = formats; *f != AV_PIX_FMT_NONE; f++) {
        if (*f == AV_PIX_FMT_VAAPI) {
            return *f;
        }
    }
    v->refused = true; /* it was offered before, and did not open */
    return AV_PIX_FMT_NONE;
}

/* Packets have pictures that are not shown. */
static bool hides(const struct gm_vadec *v)
{
    return v->way->codec == AV_CODEC_ID_VP9 || v->way->codec == AV_CODEC_ID_AV1;
}

/* The driver would add AV1's, and nobody promises that it is software's to the bit. The sequence
 * tells before its first picture whether there may be any. */
static bool has_grain(const AVCodecContext *ctx)
{
    return (ctx->properties & FF_CODEC_PROPERTY_FILM_GRAIN) != 0;
}

/* How many pictures a packet may begin. More than those in it are libavcodec's, in the place of
 * missing ones, which it fills for its own decoder alone. At the first packet they are those before
 * an open GOP, and what refers to them is not shown. */
static size_t most_pictures(const struct gm_vadec *v)
{
    if (hides(v)) {
        return BEGUN;
    }
    return v->fed ? 1 : SIZE_MAX;
}

/* Remembers what is decoded: VP9, AV1 and HEVC have pictures that are not shown, and nobody would
 * wait for them. (H.264's: see wait_for.) HEVC's own picture comes before those in the place of
 * others, and nothing is ever done for these. */
static int get_buffer(AVCodecContext *ctx, AVFrame *frame, int flags)
{
    struct gm_vadec *v = ctx->opaque;
    if (++v->pictures > most_pictures(v)) {
        v->why = hides(v) ? "a packet has too many pictures"
                          : "pictures that others may refer to are missing";
        return AVERROR_INVALIDDATA;
    }
    if (has_grain(ctx)) {
        v->why = "the stream has film grain";
        return AVERROR_PATCHWELCOME;
    }
    int av = avcodec_default_get_buffer2(ctx, frame, flags);
    bool own = hides(v) || (v->way->codec == AV_CODEC_ID_HEVC && v->pictures == 1);
    if (av >= 0 && own) {
        v->begun[v->begun_count++] = (uintptr_t)frame->data[3];
    }
    return av;
}

static int open_codec(struct gm_vadec *v, struct gm_err *err)
{
    const AVCodec *codec = avcodec_find_decoder_by_name(v->way->decoder);
    AVCodecContext *ctx = codec == NULL ? NULL : avcodec_alloc_context3(codec);
    if (codec == NULL) {
        v->why = "this build of FFmpeg has no decoder that takes the driver";
        return 0;
    }
    v->ctx = ctx;
    if (ctx == NULL || (ctx->hw_device_ctx = av_buffer_ref(v->device)) == NULL) {
        return gm_err_nomem(err);
    }
    int av = avcodec_parameters_to_context(ctx, v->par);
    ctx->thread_count = 1;
    ctx->opaque = v;
    ctx->get_format = choose;
    ctx->get_buffer2 = get_buffer;
    ctx->max_pixels = gm_decoder_pixels((int64_t)v->par->width * v->par->height);
    ctx->err_recognition = AV_EF_EXPLODE;
    ctx->extra_hw_frames = v->stays ? GM_VADEC_WAITING : 0;
    /* as gm_decoder_open: software's pictures are its reference */
    ctx->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT | AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_UNALIGNED;
    av = av < 0 ? av : avcodec_open2(ctx, codec, NULL);
    if (av == AVERROR(ENOMEM)) {
        return gm_err_nomem(err);
    }
    v->why = av < 0 ? "its parameter sets are malformed" : NULL;
    return 0;
}

int gm_vadec_open(AVBufferRef *device, const AVCodecParameters *par, bool stays,
                  struct gm_vadec **out, const char **out_why, struct gm_err *err)
{
    const struct gm_vaapi_way *way = gm_vaapi_find_way(par);
    const char *why = NULL;
    if (way == NULL || !is_taken(par)) {
        *out = NULL;
        *out_why = "a codec, profile or size that is left to software";
        return 0;
    }
    int rc = gm_vaapi_ask_decoder(device, way, par, &why, err);
    if (rc < 0 || why != NULL) {
        *out = NULL;
        *out_why = why;
        return rc;
    }
    struct gm_vadec *v = calloc(1, sizeof *v);
    if (v == NULL) {
        return gm_err_nomem(err);
    }
    v->way = way;
    v->stays = stays;
    v->device = av_buffer_ref(device);
    v->par = avcodec_parameters_alloc();
    v->surface = av_frame_alloc();
    v->packed = gm_av_frame(gm_packed_format(way->bits), par->width, par->height);
    bool good = v->device != NULL && v->par != NULL && v->surface != NULL && v->packed != NULL &&
                avcodec_parameters_copy(v->par, par) >= 0;
    rc = good ? open_codec(v, err) : gm_err_nomem(err);
    why = v->why;
    if (rc < 0 || why != NULL) {
        gm_vadec_close(&v);
    }
    if (rc == 0) {
        *out = v;
        *out_why = why;
    }
    return rc;
}

void gm_vadec_close(struct gm_vadec **vadec)
{
    struct gm_vadec *v = *vadec;
    if (v == NULL) {
        return;
    }
    for (AVFrame *f = gm_vadec_take(v); f != NULL; f = gm_vadec_take(v)) {
        av_frame_free(&f);
    }
    av_frame_free(&v->surface);
    av_frame_free(&v->packed);
    avcodec_free_context(&v->ctx);
    avcodec_parameters_free(&v->par);
    av_buffer_unref(&v->device);
    free(v);
    *vadec = NULL;
}

/* The decoder has no surface left: libavcodec says that in more than one way. */
static bool is_used_up(const struct gm_vadec *v)
{
    AVFrame *f = av_frame_alloc();
    bool used_up = f != NULL && v->ctx->hw_frames_ctx != NULL &&
                   av_hwframe_get_buffer(v->ctx->hw_frames_ctx, f, 0) == AVERROR(ENOMEM);
    av_frame_free(&f);
    return used_up;
}

/* libavcodec or libavutil gave av: the device's own errors are errors, all else is what the stream
 * does to it. */
static int judge(struct gm_vadec *v, int av, struct gm_err *err)
{
    if (v->refused) {
        return gm_vaapi_explain_decoder(v->device, v->way, v->par, &v->why, err);
    }
    int rc = gm_vaapi_check(v->device, err);
    if (rc < 0) {
        return rc;
    }
    if (v->stays && is_used_up(v)) {
        v->why = "too many of the device's pictures wait";
        return 0;
    }
    if (av == AVERROR(ENOMEM)) {
        return gm_err_set(err, GM_E_DEVICE_MEMORY, av, "The VA driver has no memory to decode");
    }
    v->why = av == AVERROR(EIO) ? "the driver refused a picture"
                                : "a packet is malformed, or the driver refused it";
    return 0;
}

/* What keeps a picture from being what software gives; NULL: nothing. */
static const char *misfit(const struct gm_vadec *v)
{
    const AVFrame *s = v->surface;
    if (s->format != AV_PIX_FMT_VAAPI || s->hw_frames_ctx == NULL ||
        gm_av_pool(s->hw_frames_ctx)->sw_format != gm_packed_format(v->way->bits)) {
        return "the stream is not what its container says";
    }
    if (s->width != v->par->width || s->height != v->par->height) {
        return "the stream's size is not what its container says";
    }
    if (s->crop_left != 0 || s->crop_top != 0) { /* libavcodec leaves these to others */
        return "the stream is cropped at its left or top";
    }
    if (s->interlaced_frame != 0) {
        return "the stream is interlaced";
    }
    return s->pts < 0 ? "the device showed a picture that no packet names" : NULL;
}

/* The surface's samples, planar; those of a damaged one are zeros. */
static int download(struct gm_vadec *v, bool damaged, AVFrame *to, struct gm_err *err)
{
    if (damaged) {
        for (size_t i = 0; i < AV_NUM_DATA_POINTERS && to->buf[i] != NULL; i++) {
            memset(to->buf[i]->data, 0, to->buf[i]->size);
        }
        return 0;
    }
    int av = av_hwframe_transfer_data(v->packed, v->surface, 0);
    return av < 0 ? judge(v, av, err) : gm_packed_copy(v->packed, to, err);
}

/* Damage counts in pictures that no chunk lists, too, for others refer to them. Not so in H.264:
 * the first pictures behind an open GOP's keyframe miss what they refer to, and nobody says which
 * they are. libavcodec leaves out HEVC's, VP9 has none, and AV1 has none behind a keyframe that is
 * shown, which takes all slots. */
static int wait_for(struct gm_vadec *v, uintptr_t surface, bool *out_damaged, struct gm_err *err)
{
    int rc = gm_vaapi_wait(v->device, surface, out_damaged, err);
    if (rc == 0 && *out_damaged && v->way->codec != AV_CODEC_ID_H264) {
        v->why = "the driver says that a picture is damaged";
    }
    return rc;
}

static void forget_begun(struct gm_vadec *v, uintptr_t surface)
{
    for (size_t i = v->begun_count; i-- > 0;) {
        if (v->begun[i] == surface) {
            v->begun[i] = v->begun[--v->begun_count];
        }
    }
}

/* A packet has gone in, and what it shows has come out. */
static int wait_hidden(struct gm_vadec *v, struct gm_err *err)
{
    int rc = 0;
    bool damaged = false;
    while (rc == 0 && v->begun_count > 0) {
        rc = wait_for(v, v->begun[--v->begun_count], &damaged, err);
    }
    return rc;
}

/* *out owned; NULL where v->why says why. */
static int give(struct gm_vadec *v, bool damaged, AVFrame **out, struct gm_err *err)
{
    if (v->stays) {
        return gm_va_picture_strip(v->surface, out, err);
    }
    AVFrame *f = gm_av_frame(v->way->bits == 10 ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P,
                             v->par->width, v->par->height);
    int rc = f == NULL ? gm_err_nomem(err) : download(v, damaged, f, err);
    if (rc < 0 || v->why != NULL) {
        av_frame_free(&f);
    }
    *out = f;
    return rc;
}

static int keep(struct gm_vadec *v, struct gm_err *err)
{
    uintptr_t surface = (uintptr_t)v->surface->data[3];
    bool damaged = false;
    v->why = v->count == READY ? "the device showed too many pictures at once" : misfit(v);
    if (v->why != NULL) {
        return 0;
    }
    forget_begun(v, surface);
    int rc = wait_for(v, surface, &damaged, err);
    if (rc < 0 || v->why != NULL) {
        return rc;
    }
    AVFrame *f = NULL;
    rc = give(v, damaged, &f, err);
    if (rc < 0 || v->why != NULL) {
        return rc;
    }
    damaged = damaged || (v->surface->flags & AV_FRAME_FLAG_CORRUPT) != 0 ||
              v->surface->decode_error_flags != 0;
    f->pts = v->surface->pts;
    f->flags |= damaged ? AV_FRAME_FLAG_CORRUPT : 0;
    v->ready[(v->first + v->count++) % READY] = f;
    return 0;
}

/* *out_av: what libavcodec gave last. */
static int feed(struct gm_vadec *v, const AVPacket *packet, int *out_av, struct gm_err *err)
{
    int rc = 0;
    v->pictures = 0;
    int av = v->why == NULL ? avcodec_send_packet(v->ctx, packet) : 0;
    while (rc == 0 && v->why == NULL && av >= 0) {
        av = avcodec_receive_frame(v->ctx, v->surface);
        if (av >= 0) {
            rc = keep(v, err);
            av_frame_unref(v->surface);
        }
    }
    *out_av = av;
    return rc;
}

/* The driver may lack memory for the surfaces of pictures that wait, and have it for the rest: then
 * pictures come to memory. */
static int open_smaller(struct gm_vadec *v, struct gm_err *err)
{
    avcodec_free_context(&v->ctx);
    v->stays = v->refused = false;
    v->begun_count = 0;
    return open_codec(v, err);
}

int gm_vadec_send(struct gm_vadec *v, const AVPacket *packet, const char **out_why,
                  struct gm_err *err)
{
    int av = 0;
    if (packet != NULL && (packet->pts < 0 || packet->size <= 0)) {
        v->why = "a packet is empty, or its number out of range";
    }
    int rc = feed(v, packet, &av, err);
    if (rc == 0 && v->why == NULL && v->refused && v->stays && !v->fed) {
        rc = open_smaller(v, err);
        rc = rc == 0 ? feed(v, packet, &av, err) : rc;
    }
    v->fed = true;
    if (rc == 0 && v->why == NULL && av != AVERROR(EAGAIN) && av != AVERROR_EOF) {
        rc = judge(v, av, err);
    }
    if (rc == 0 && v->why == NULL) {
        rc = wait_hidden(v, err);
    }
    if (rc == 0) {
        *out_why = v->why;
    }
    return rc;
}

AVFrame *gm_vadec_take(struct gm_vadec *v)
{
    if (v->count == 0) {
        return NULL;
    }
    AVFrame *f = v->ready[v->first];
    v->first = (v->first + 1) % READY;
    v->count--;
    return f;
}
