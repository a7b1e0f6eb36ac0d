#include "media/decode/frames_device.h"

#include <string.h>

#include <libavutil/imgutils.h>

#include "media/av.h"
#include "media/decode/frames.h"
#include "media/device/device_picture.h"
#include "media/format/nal.h"

/* See frames_device.h. */

/* ATSC captions in user data: the provider's code and its identifier, which no emulation prevention
 * changes. Source: ATSC A/53 part 4, 6.2.3. */
static const uint8_t CAPTIONS[] = {0x00, 0x31, 'G', 'A', '9', '4'};

void gm_frames_tell(const struct gm_frames_stats *stats, Gm__EncodeItemMeta *meta)
{
    /* protobuf-c's strings are not const; it does not write them */
    meta->decoder = (char *)(stats->on_device ? stats->by : "software");
    if (stats->device != NULL) {
        meta->decoder_device = (char *)stats->device;
    }
    if (stats->why != NULL) {
        meta->decoder_reason = (char *)stats->why;
    }
}

int gm_frames_device_set(struct gm_frames_device *d, AVBufferRef *device, struct gm_err *err)
{
    AVBufferRef *ref = av_buffer_ref(device);
    if (ref == NULL) {
        return gm_err_nomem(err);
    }
    gm_frames_device_fini(d);
    d->device = ref;
    d->api = gm_device_decoder_api(ref);
    gm_device_decoder_label(ref, d->label);
    return 0;
}

void gm_frames_device_close(struct gm_frames_device *d)
{
    gm_device_decoder_close(&d->decoder);
    avcodec_parameters_free(&d->par);
    if (d->parser != NULL) {
        av_parser_close(d->parser);
        d->parser = NULL;
    }
    avcodec_free_context(&d->parsing);
    av_frame_free(&d->like);
    av_frame_free(&d->pending);
}

void gm_frames_device_fini(struct gm_frames_device *d)
{
    gm_frames_device_close(d);
    av_buffer_unref(&d->pool);
    av_buffer_unref(&d->device);
    d->why = NULL;
    d->doubts = 0;
    d->assists = d->stays = false;
    d->failure = (struct gm_err){.code = GM_OK};
}

/* A parser that tells fields, for the codecs that have some. */
static int open_parser(struct gm_frames_device *d, struct gm_err *err)
{
    if (d->par->codec_id != AV_CODEC_ID_H264 && d->par->codec_id != AV_CODEC_ID_HEVC) {
        return 0;
    }
    d->parser = av_parser_init((int)d->par->codec_id);
    d->parsing = avcodec_alloc_context3(NULL);
    if (d->parser == NULL || d->parsing == NULL ||
        avcodec_parameters_to_context(d->parsing, d->par) < 0) {
        return gm_err_nomem(err);
    }
    d->parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
    return 0;
}

static void give_up(struct gm_frames_device *d, const char *why)
{
    d->why = why;
    av_buffer_unref(&d->pool);
    av_buffer_unref(&d->device);
}

const char *gm_frames_device_excuse(enum gm_code code)
{
    switch (code) {
    case GM_E_DEVICE_ABSENT:
        return "the device is not there";
    case GM_E_DEVICE_BUSY:
        return "the device takes no more decoders";
    case GM_E_DEVICE_DRIVER:
        return "the device's driver failed";
    case GM_E_DEVICE_LOST:
        return "the device was lost";
    case GM_E_DEVICE_MEMORY:
        return "the device is out of memory";
    default:
        return NULL;
    }
}

/* An error that software makes good: why it decodes. NULL: none such. */
static const char *forgive(struct gm_frames_device *d, int rc, const struct gm_err *err)
{
    const char *why = d->assists && rc < 0 ? gm_frames_device_excuse((enum gm_code) - rc) : NULL;
    if (why != NULL) {
        d->failure = *err;
    }
    return why;
}

bool gm_frames_device_yield(struct gm_frames_device *d, const struct gm_err *cause)
{
    const char *why = d->device != NULL ? forgive(d, -(int)cause->code, cause) : NULL;
    if (why != NULL) {
        gm_frames_device_close(d);
        give_up(d, why);
    }
    return why != NULL;
}

int gm_frames_device_open(struct gm_frames_device *d, const AVCodecParameters *par,
                          struct gm_err *err)
{
    const char *why = NULL;
    gm_frames_device_close(d);
    if (d->device == NULL) {
        return 0;
    }
    int rc =
        gm_device_decoder_open(d->device, par, d->stays ? &d->pool : NULL, &d->decoder, &why, err);
    const char *excuse = forgive(d, rc, err);
    if (excuse != NULL || (rc == 0 && d->decoder == NULL)) {
        give_up(d, excuse != NULL ? excuse : why);
        return 0;
    }
    if (rc == 0) {
        d->par = avcodec_parameters_alloc();
        rc = d->par == NULL || avcodec_parameters_copy(d->par, par) < 0 ? gm_err_nomem(err)
                                                                        : open_parser(d, err);
    }
    if (rc < 0) {
        gm_frames_device_close(d);
    }
    return rc;
}

/* libavcodec's software decoders add what the messages of H.264 and HEVC say, no device does. Who
 * decodes AV1 looks for its grain. */
static const char GRAIN[] = "the stream has film grain";

static bool has_grain(const AVCodecContext *ctx, const AVFrame *frame)
{
    bool says = (ctx->properties & FF_CODEC_PROPERTY_FILM_GRAIN) != 0 ||
                av_frame_get_side_data(frame, AV_FRAME_DATA_FILM_GRAIN_PARAMS) != NULL;
    return says && (ctx->codec_id == AV_CODEC_ID_H264 || ctx->codec_id == AV_CODEC_ID_HEVC);
}

/* A keyframe by software, alone; NULL: it gives none that is whole. */
static int decode_alone(const struct gm_frames_device *d, const AVPacket *packet, AVFrame **out,
                        bool *out_grain, struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    AVFrame *frame = av_frame_alloc();
    if (frame == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_decoder_open(d->par, (AVRational){1, 1000}, &ctx, err);
    int av = rc == 0 ? avcodec_send_packet(ctx, packet) : 0;
    if (rc == 0 && av >= 0) {
        av = avcodec_send_packet(ctx, NULL);
    }
    if (rc == 0 && av >= 0) {
        av = avcodec_receive_frame(ctx, frame);
    }
    bool grain = rc == 0 && has_grain(ctx, frame);
    avcodec_free_context(&ctx);
    if (av == AVERROR(ENOMEM)) {
        rc = gm_err_nomem(err);
    }
    if (rc < 0 || av < 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 ||
        frame->decode_error_flags != 0) {
        av_frame_free(&frame);
    }
    if (rc == 0) {
        *out = frame;
        *out_grain = grain;
    }
    return rc;
}

static bool is_alike(const AVFrame *a, const AVFrame *b)
{
    return a->format == b->format && a->width == b->width && a->height == b->height &&
           av_cmp_q(a->sample_aspect_ratio, b->sample_aspect_ratio) == 0 &&
           a->color_range == b->color_range && a->colorspace == b->colorspace &&
           a->color_primaries == b->color_primaries && a->color_trc == b->color_trc &&
           a->chroma_location == b->chroma_location;
}

/* Both are 4:2:0 with samples of the same size. */
static bool is_same_picture(const AVFrame *a, const AVFrame *b)
{
    for (int plane = 0; plane < 3; plane++) {
        int bytes = av_image_get_linesize((enum AVPixelFormat)a->format, a->width, plane);
        int rows = plane == 0 ? a->height : (a->height + 1) / 2;
        for (int y = 0; y < rows; y++) {
            if (bytes <= 0 ||
                memcmp(a->data[plane] + (ptrdiff_t)y * a->linesize[plane],
                       b->data[plane] + (ptrdiff_t)y * b->linesize[plane], (size_t)bytes) != 0) {
                return false;
            }
        }
    }
    return true;
}

struct verdict {
    enum gm_frames_doubt doubt;
    const char *why;
};
static struct verdict unfit(enum gm_frames_doubt doubt, const char *why)
{
    return (struct verdict){doubt, why};
}

/* Takes a keyframe that is decoded in software too. */
static int check_keyframe(struct gm_frames_device *d, const AVPacket *packet, struct verdict *out,
                          struct gm_err *err)
{
    AVFrame *frame = NULL;
    bool grain = false;
    int rc = decode_alone(d, packet, &frame, &grain, err);
    if (rc < 0) {
        return rc;
    }
    if (frame == NULL) { /* a later one: what the first one has must be known */
        *out = d->like != NULL ? *out : unfit(GM_FRAMES_UNFIT_HERE, "it begins with damage");
        return 0;
    }
    if (grain) { /* its first message may be among the parameter sets */
        *out = unfit(GM_FRAMES_UNFIT, GRAIN);
    } else if (frame->interlaced_frame != 0) {
        *out = unfit(GM_FRAMES_UNFIT, "the stream is interlaced");
    } else if (frame->width != d->par->width || frame->height != d->par->height) {
        *out = unfit(GM_FRAMES_UNFIT, "the stream's size is not what its container says");
    } else if (d->like != NULL && !is_alike(d->like, frame)) {
        *out = unfit(GM_FRAMES_UNFIT_HERE, "the stream changes its format");
    }
    av_frame_free(&d->like);
    d->like = frame;
    d->checked = (uint64_t)packet->pts;
    if (d->pending == NULL && out->doubt == GM_FRAMES_FIT) {
        d->pending = av_frame_clone(frame);
        if (d->pending == NULL) {
            return gm_err_nomem(err);
        }
        d->pending->pts = packet->pts;
    }
    return 0;
}

/* Side data that no decoder looks at. */
static bool says_nothing(enum AVPacketSideDataType type)
{
    return type == AV_PKT_DATA_MPEGTS_STREAM_ID || type == AV_PKT_DATA_QUALITY_STATS ||
           type == AV_PKT_DATA_CPB_PROPERTIES || type == AV_PKT_DATA_PRFT;
}

static struct verdict look(struct gm_frames_device *d, const AVPacket *p)
{
    if ((p->flags & (AV_PKT_FLAG_CORRUPT | AV_PKT_FLAG_DISCARD)) != 0) {
        return unfit(GM_FRAMES_UNFIT_HERE, "a packet is damaged");
    }
    for (int i = 0; i < p->side_data_elems; i++) {
        if (!says_nothing(p->side_data[i].type)) {
            return unfit(GM_FRAMES_UNFIT, "its packets have side data");
        }
    }
    if (memmem(p->data, (size_t)p->size, CAPTIONS, sizeof CAPTIONS) != NULL) {
        return unfit(GM_FRAMES_UNFIT, "the stream has captions");
    }
    if (gm_nal_has_grain(d->par->codec_id, d->par->extradata, (size_t)d->par->extradata_size,
                         p->data, (size_t)p->size)) {
        return unfit(GM_FRAMES_UNFIT, GRAIN);
    }
    if (d->parser != NULL) {
        uint8_t *data = NULL;
        int size = 0;
        d->parser->field_order = AV_FIELD_UNKNOWN;
        (void)av_parser_parse2(d->parser, d->parsing, &data, &size, p->data, p->size, p->pts,
                               p->pts, -1);
        bool frame = d->parser->picture_structure != AV_PICTURE_STRUCTURE_TOP_FIELD &&
                     d->parser->picture_structure != AV_PICTURE_STRUCTURE_BOTTOM_FIELD;
        bool one = d->parser->field_order == AV_FIELD_UNKNOWN ||
                   d->parser->field_order == AV_FIELD_PROGRESSIVE;
        if (!frame || !one) {
            return unfit(GM_FRAMES_UNFIT, "the stream is interlaced");
        }
    }
    return unfit(GM_FRAMES_FIT, NULL);
}

/* A keyframe's picture should have been here long ago: no codec holds back so many. Without it
 * no later keyframe would be compared. */
static bool is_overdue(const struct gm_frames_device *d, uint64_t id)
{
    return d->pending != NULL && id - (uint64_t)d->pending->pts >= GM_FRAMES_CHECK;
}

/* What is to be done with a doubt. */
static void settle(struct gm_frames_device *d, struct verdict v, enum gm_frames_doubt *out_doubt,
                   const char **out_why)
{
    if (v.doubt != GM_FRAMES_FIT) {
        gm_frames_device_close(d);
        d->doubts++;
    }
    if (v.doubt == GM_FRAMES_UNFIT || d->doubts == GM_FRAMES_DOUBTS) {
        give_up(d, v.why);
    }
    *out_doubt = v.doubt;
    *out_why = v.why;
}

int gm_frames_device_send(struct gm_frames_device *d, const AVPacket *packet,
                          enum gm_frames_doubt *out_doubt, const char **out_why, struct gm_err *err)
{
    struct verdict v = {GM_FRAMES_FIT, NULL};
    const char *why = NULL;
    uint64_t id = packet != NULL ? (uint64_t)packet->pts : 0;
    int rc = 0;
    if (packet != NULL) {
        v = look(d, packet);
        if (v.doubt == GM_FRAMES_FIT && is_overdue(d, id)) {
            v = unfit(GM_FRAMES_UNFIT_HERE, "the device does not give a keyframe's picture");
        }
        bool key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
        if (v.doubt == GM_FRAMES_FIT && d->like == NULL && !key) {
            v = unfit(GM_FRAMES_UNFIT_HERE, "it does not begin with a keyframe");
        } else if (v.doubt == GM_FRAMES_FIT && key &&
                   (d->like == NULL || id - d->checked >= GM_FRAMES_CHECK)) {
            rc = check_keyframe(d, packet, &v, err);
        }
    }
    if (rc == 0 && v.doubt == GM_FRAMES_FIT) {
        rc = gm_device_decoder_send(d->decoder, packet, &why, err);
        const char *excuse = forgive(d, rc, err);
        if (excuse != NULL) {
            rc = 0;
            v = unfit(GM_FRAMES_UNFIT, excuse);
        } else if (rc == 0 && why != NULL) {
            v = unfit(GM_FRAMES_UNFIT_HERE, why);
        }
    }
    if (rc == 0) {
        settle(d, v, out_doubt, out_why);
    }
    return rc;
}

/* Is the picture that has come the one that software made? *out_same. */
static int compare(const struct gm_frames_device *d, const AVFrame *f, bool *out_same,
                   struct gm_err *err)
{
    AVFrame *here = NULL;
    int rc = gm_device_picture_is(f) ? gm_device_picture_download(f, &here, err) : 0;
    if (rc == 0) {
        *out_same = is_same_picture(d->pending, here != NULL ? here : f);
    }
    av_frame_free(&here);
    return rc;
}

/* What software would say of the picture. *f: replaced where its format can't be said of one that
 * stays: yuvj420p is yuv420p with a range. A damaged one is looked at by nobody, and drivers do not
 * give it to memory. */
static int describe(const struct gm_frames_device *d, AVFrame **picture, struct gm_err *err)
{
    AVFrame *f = *picture;
    bool damaged = (f->flags & AV_FRAME_FLAG_CORRUPT) != 0;
    if (!damaged && gm_device_picture_is(f) && gm_device_picture_format(f) != d->like->format) {
        AVFrame *here = NULL;
        int rc = gm_device_picture_download(f, &here, err);
        if (rc < 0) {
            return rc;
        }
        av_frame_free(picture);
        *picture = f = here;
    }
    if (!gm_device_picture_is(f)) {
        f->format = d->like->format;
    }
    f->sample_aspect_ratio = d->like->sample_aspect_ratio;
    f->color_range = d->like->color_range;
    f->colorspace = d->like->colorspace;
    f->color_primaries = d->like->color_primaries;
    f->color_trc = d->like->color_trc;
    f->chroma_location = d->like->chroma_location;
    f->top_field_first = d->like->top_field_first;
    f->reordered_opaque = f->best_effort_timestamp = f->pts;
    return 0;
}

int gm_frames_device_take(struct gm_frames_device *d, AVFrame **out,
                          enum gm_frames_doubt *out_doubt, const char **out_why, struct gm_err *err)
{
    struct verdict v = {GM_FRAMES_FIT, NULL};
    AVFrame *f = d->decoder != NULL ? gm_device_decoder_take(d->decoder) : NULL;
    int rc = 0;
    if (f != NULL && d->pending != NULL && d->pending->pts == f->pts) {
        bool same = true;
        if ((f->flags & AV_FRAME_FLAG_CORRUPT) == 0) {
            rc = compare(d, f, &same, err);
        }
        if (rc == 0 && !same) {
            v = unfit(GM_FRAMES_UNFIT, "the device gives other pictures than software");
            gm_err_set(&d->failure, GM_E_MEDIA_VERIFY, f->pts, "%s", v.why);
        }
        av_frame_free(&d->pending);
    }
    if (rc == 0 && f != NULL) {
        rc = describe(d, &f, err);
    }
    const char *excuse = forgive(d, rc, err); /* a picture that stays did not come to memory */
    if (excuse != NULL) {
        rc = 0;
        v = unfit(GM_FRAMES_UNFIT, excuse);
    }
    if (rc < 0 || v.doubt != GM_FRAMES_FIT) {
        av_frame_free(&f);
    }
    if (rc == 0) {
        settle(d, v, out_doubt, out_why);
        *out = f;
    }
    return rc;
}
