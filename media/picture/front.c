#include "media/picture/front.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/pixdesc.h>

#include "common/buf.h"
#include "media/av.h"
#include "media/picture/colour.h"
#include "media/picture/flatten.h"
#include "media/picture/front_shape.h"

/* One chain as a libavfilter graph; none where nothing is to be done. Pictures are numbered as they
 * go in; the numbers are their time stamps within, so that what comes out is known to be in order.
 * What belongs to a picture besides waits in `in`, what has come out in `out`.
 */

/* For conversions that libavfilter puts in by itself: exact on every processor. */
#define SCALE_OPTIONS "flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
#define ALIGNMENT 32
#define HELD 16 /* pictures within the filters, at most; and ready ones */

struct held {
    int64_t tag, number;
    AVBufferRef *captions; /* owned; NULL: none */
};

struct gm_front {
    const char *filters;     /* borrowed from the policy */
    struct gm_colour colour; /* what pictures without tags are taken for */
    uint32_t background;     /* behind transparent ones: 0xrrggbb */
    struct gm_front_shape shape;
    AVFilterGraph *graph;          /* owned; NULL: not built, or nothing to do */
    AVFilterContext *source, *end; /* borrowed from the graph */
    AVFrame *kind;                 /* owned: properties of what it was built for */
    bool known;                    /* kind holds */
    int64_t numbers;
    struct held in[HELD];
    size_t in_count;
    struct {
        AVFrame *picture; /* owned */
        int64_t tag;
    } out[HELD];
    size_t out_count;
    AVFrame *given; /* owned: what the caller looks at */
};

int gm_front_create(const Gm__Policy *policy, const Gm__VideoFacts *facts, struct gm_front **out,
                    struct gm_err *err)
{
    struct gm_front_shape shape = gm_front_shape(facts);
    if (shape.width <= 0 || shape.height <= 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "The picture's size is not known");
    }
    if (facts->crop != NULL && shape.crop.width == 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "The picture's part lies outside of it");
    }
    struct gm_front *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    f->filters = policy->front_filters;
    f->colour = gm_colour_of_source(facts);
    if (policy->n_renditions > 0 && policy->renditions[0]->encode != NULL) {
        f->background = gm_flatten_colour(policy->renditions[0]->encode->background);
    }
    f->shape = shape;
    f->kind = av_frame_alloc();
    f->given = av_frame_alloc();
    if (f->kind == NULL || f->given == NULL) {
        gm_front_destroy(&f);
        return gm_err_nomem(err);
    }
    *out = f;
    return 0;
}

void gm_front_start(struct gm_front *f)
{
    avfilter_graph_free(&f->graph);
    for (size_t i = 0; i < f->in_count; i++) {
        av_buffer_unref(&f->in[i].captions);
    }
    for (size_t i = 0; i < f->out_count; i++) {
        av_frame_free(&f->out[i].picture);
    }
    f->in_count = f->out_count = 0;
    f->known = false;
}

void gm_front_destroy(struct gm_front **front)
{
    struct gm_front *f = *front;
    if (f == NULL) {
        return;
    }
    gm_front_start(f);
    av_frame_free(&f->kind);
    av_frame_free(&f->given);
    free(f);
    *front = NULL;
}

static int write_chain(const struct gm_front *f, const AVFrame *p, struct gm_buf *text,
                       struct gm_err *err)
{
    struct gm_front_bars bars = gm_front_bars(&f->shape, p);
    bool some = f->filters[0] != '\0';
    if (!some && bars.width == 0) {
        return 0;
    }
    AVRational aspect = gm_av_aspect(p->sample_aspect_ratio);
    gm_buf_printf(text, "buffer@in=video_size=%dx%d:pix_fmt=%s:time_base=1/1000:pixel_aspect=%d/%d",
                  p->width, p->height, av_get_pix_fmt_name((enum AVPixelFormat)p->format),
                  aspect.num, aspect.den);
    gm_buf_printf(text, "%s%s", some ? "," : "", f->filters);
    if (bars.width > 0) {
        gm_buf_printf(text, ",pad=w=%d:h=%d:x=%d:y=%d:color=black", bars.width, bars.height, bars.x,
                      bars.y);
    }
    gm_buf_printf(text, ",buffersink@out");
    return gm_buf_check(text, err);
}

static int build(struct gm_front *f, const AVFrame *p, struct gm_err *err)
{
    struct gm_buf text = {0};
    AVFilterInOut *open_in = NULL;
    AVFilterInOut *open_out = NULL;
    int rc = write_chain(f, p, &text, err);
    if (rc < 0 || text.size == 0) {
        goto out;
    }
    f->graph = avfilter_graph_alloc();
    if (f->graph == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    f->graph->nb_threads = 1;
    f->graph->thread_type = 0;
    f->graph->scale_sws_opts = av_strdup(SCALE_OPTIONS);
    int av = avfilter_graph_parse2(f->graph, (const char *)text.data, &open_in, &open_out);
    if (av >= 0 && (open_in != NULL || open_out != NULL)) {
        av = AVERROR(EINVAL);
    }
    if (av >= 0) {
        av = avfilter_graph_config(f->graph, NULL);
    }
    if (av < 0) {
        rc =
            gm_err_av(err, GM_E_MEDIA, av, "The filters %.80s of %dx%d %s were refused", f->filters,
                      p->width, p->height, av_get_pix_fmt_name((enum AVPixelFormat)p->format));
        goto out;
    }
    f->source = avfilter_graph_get_filter(f->graph, "buffer@in");
    f->end = avfilter_graph_get_filter(f->graph, "buffersink@out");
    if (f->source == NULL || f->end == NULL) {
        rc = gm_err_set(err, GM_E_BUG, 0, "The filters have lost their ends");
    }
out:
    avfilter_inout_free(&open_in);
    avfilter_inout_free(&open_out);
    gm_buf_fini(&text);
    if (rc < 0) {
        avfilter_graph_free(&f->graph);
    }
    return rc;
}

static bool same_kind(const AVFrame *a, const AVFrame *b)
{
    return a->width == b->width && a->height == b->height && a->format == b->format &&
           a->sample_aspect_ratio.num == b->sample_aspect_ratio.num &&
           a->sample_aspect_ratio.den == b->sample_aspect_ratio.den &&
           a->color_range == b->color_range && a->colorspace == b->colorspace &&
           a->color_primaries == b->color_primaries && a->color_trc == b->color_trc &&
           a->chroma_location == b->chroma_location;
}

static void remember(struct gm_front *f, const AVFrame *p)
{
    f->kind->width = p->width;
    f->kind->height = p->height;
    f->kind->format = p->format;
    f->kind->sample_aspect_ratio = p->sample_aspect_ratio;
    f->kind->color_range = p->color_range;
    f->kind->colorspace = p->colorspace;
    f->kind->color_primaries = p->color_primaries;
    f->kind->color_trc = p->color_trc;
    f->kind->chroma_location = p->chroma_location;
    f->known = true;
}

/* picture: taken on success. */
static int put_out(struct gm_front *f, AVFrame *picture, int64_t tag, struct gm_err *err)
{
    if (f->out_count == HELD) {
        return gm_err_set(err, GM_E_BUG, 0, "Pictures are not taken from the filters");
    }
    f->out[f->out_count].picture = picture;
    f->out[f->out_count++].tag = tag;
    return 0;
}

/* What the filters gave; its number must be the oldest one's. picture: taken on success. */
static int take_picture(struct gm_front *f, AVFrame *picture, struct gm_err *err)
{
    int64_t number =
        gm_av_rescale(picture->pts, av_buffersink_get_time_base(f->end), (AVRational){1, 1000});
    if (f->in_count == 0 || f->in[0].number != number) {
        return gm_err_set(err, GM_E_MEDIA, 0, "The filters %.80s lost or doubled a picture",
                          f->filters);
    }
    struct held held = f->in[0];
    memmove(&f->in[0], &f->in[1], --f->in_count * sizeof f->in[0]);
    picture->sample_aspect_ratio = gm_front_aspect(&f->shape, f->kind);
    if (held.captions != NULL &&
        av_frame_new_side_data_from_buf(picture, AV_FRAME_DATA_A53_CC, held.captions) == NULL) {
        av_buffer_unref(&held.captions);
        return gm_err_nomem(err);
    }
    return put_out(f, picture, held.tag, err);
}

/* Takes all that is ready. */
static int drain(struct gm_front *f, struct gm_err *err)
{
    for (;;) {
        AVFrame *picture = av_frame_alloc();
        if (picture == NULL) {
            return gm_err_nomem(err);
        }
        int av = av_buffersink_get_frame(f->end, picture);
        int rc = av < 0 ? 0 : take_picture(f, picture, err);
        if (av < 0 || rc < 0) {
            av_frame_free(&picture);
        }
        if (av == AVERROR(EAGAIN) || av == AVERROR_EOF || rc < 0) {
            return rc;
        }
        if (av < 0) {
            return gm_err_av(err, GM_E_MEDIA, av, "The filters %.80s failed", f->filters);
        }
    }
}

int gm_front_end(struct gm_front *f, struct gm_err *err)
{
    int rc = 0;
    if (f->graph != NULL) {
        int av = av_buffersrc_close(f->source, f->numbers, 0);
        rc = av < 0 ? gm_err_av(err, GM_E_MEDIA, av, "The filters %.80s did not end", f->filters)
                    : drain(f, err);
    }
    avfilter_graph_free(&f->graph);
    f->known = false;
    if (rc == 0 && f->in_count > 0) {
        rc = gm_err_set(err, GM_E_MEDIA, 0, "The filters %.80s lost %zu pictures", f->filters,
                        f->in_count);
    }
    return rc;
}

static void drop_side_data(AVFrame *frame)
{
    while (frame->nb_side_data > 0) {
        av_frame_remove_side_data(frame, frame->side_data[0]->type);
    }
    av_dict_free(&frame->metadata);
}

static int push_filter(struct gm_front *f, AVFrame *copy, int64_t tag, struct gm_err *err)
{
    const AVFrameSideData *side = av_frame_get_side_data(copy, AV_FRAME_DATA_A53_CC);
    struct held *held = &f->in[f->in_count];
    if (f->in_count == HELD) {
        return gm_err_set(err, GM_E_MEDIA, 0, "The filters %.80s hold too many pictures",
                          f->filters);
    }
    *held = (struct held){.tag = tag, .number = f->numbers++};
    if (side != NULL) {
        held->captions = av_buffer_ref(side->buf);
        if (held->captions == NULL) {
            return gm_err_nomem(err);
        }
    }
    f->in_count++;
    drop_side_data(copy);
    copy->pts = held->number;
    copy->sample_aspect_ratio = gm_av_aspect(copy->sample_aspect_ratio);
    int av = av_buffersrc_add_frame_flags(f->source, copy, AV_BUFFERSRC_FLAG_PUSH);
    if (av < 0) {
        return gm_err_av(err, GM_E_MEDIA, av, "A picture was refused by the filters %.80s",
                         f->filters);
    }
    return drain(f, err);
}

static bool is_aligned(const AVFrame *p)
{
    bool aligned = true;
    for (int i = 0; i < AV_NUM_DATA_POINTERS && p->data[i] != NULL; i++) {
        aligned = aligned && (uintptr_t)p->data[i] % ALIGNMENT == 0;
    }
    return aligned;
}

/* Leaves of a picture of the size that the container speaks of what it shows. picture: a reference
 * of our own. */
static int crop(const struct gm_front *f, AVFrame *picture, struct gm_err *err)
{
    const struct gm_front_crop *c = &f->shape.crop;
    if (c->width == 0 || picture->width != c->whole_width || picture->height != c->whole_height) {
        return 0;
    }
    picture->crop_left = (size_t)c->x;
    picture->crop_top = (size_t)c->y;
    picture->crop_right = (size_t)(c->whole_width - c->x - c->width);
    picture->crop_bottom = (size_t)(c->whole_height - c->y - c->height);
    int av = av_frame_apply_cropping(picture, AV_FRAME_CROP_UNALIGNED);
    return av < 0 ? gm_err_av(err, GM_E_MEDIA, av, "A picture was not cropped") : 0;
}

/* A copy with planes of its own, where vector routines find their samples as in any other. */
static int copy_aligned(const AVFrame *picture, AVFrame **out, struct gm_err *err)
{
    AVFrame *copy =
        gm_av_frame((enum AVPixelFormat)picture->format, picture->width, picture->height);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    int av = av_frame_copy(copy, picture);
    if (av >= 0) {
        av = av_frame_copy_props(copy, picture);
    }
    if (av < 0) {
        av_frame_free(&copy);
        return gm_err_av(err, GM_E_MEDIA, av, "A cropped picture was not copied");
    }
    *out = copy;
    return 0;
}

/* A reference to what is shown of the picture, or a copy of it: where it was cropped on the left.
 */
static int refer(const struct gm_front *f, const AVFrame *whole, AVFrame **out, struct gm_err *err)
{
    AVFrame *picture = av_frame_clone(whole);
    if (picture == NULL) {
        return gm_err_nomem(err);
    }
    int rc = crop(f, picture, err);
    if (rc == 0 && !is_aligned(picture)) {
        rc = copy_aligned(picture, out, err);
    } else if (rc == 0) {
        *out = picture;
        picture = NULL;
    }
    av_frame_free(&picture);
    return rc;
}

int gm_front_push(struct gm_front *f, const AVFrame *picture, int64_t tag, struct gm_err *err)
{
    AVFrame *copy = NULL;
    int rc = refer(f, picture, &copy, err);
    if (rc < 0) {
        return rc;
    }
    GM_ASSERT(copy != NULL);
    gm_colour_tag(f->colour, copy);
    if (gm_flatten_wants(copy)) {
        rc = gm_flatten(copy, f->background, err);
        if (rc < 0) {
            goto out;
        }
    }
    if (!f->known || !same_kind(f->kind, copy)) {
        rc = gm_front_end(f, err);
        if (rc == 0) {
            rc = build(f, copy, err);
        }
        if (rc < 0) {
            goto out;
        }
        remember(f, copy);
    }
    if (f->graph != NULL) {
        rc = push_filter(f, copy, tag, err);
        goto out;
    }
    copy->sample_aspect_ratio = gm_front_aspect(&f->shape, copy);
    rc = put_out(f, copy, tag, err);
    if (rc == 0) {
        copy = NULL;
    }
out:
    av_frame_free(&copy);
    return rc;
}

AVFrame *gm_front_next(struct gm_front *f, int64_t *out_tag)
{
    av_frame_unref(f->given);
    if (f->out_count == 0) {
        return NULL;
    }
    av_frame_move_ref(f->given, f->out[0].picture);
    av_frame_free(&f->out[0].picture);
    *out_tag = f->out[0].tag;
    memmove(&f->out[0], &f->out[1], --f->out_count * sizeof f->out[0]);
    return f->given;
}
