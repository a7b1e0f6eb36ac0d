#include "media/picture/graph.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/pixdesc.h>

#include "common/buf.h"
#include "media/av.h"
#include "media/picture/scaler.h"

/* The graph as text, s<i> being what output i is made from:
 *   buffer@in=...,split=N[s0][s2]; [s0]<filters>,format=F,split=2[m0][s1]; [m0]buffersink@o0; ...
 * and for an output with a watermark
 *   buffer@w0=...,<filters>[v0]; [m0][v0]overlay=...,buffersink@o0
 */

/* For conversions that libavfilter puts in by itself: exact on every processor. */
#define SCALE_OPTIONS "flags=bicubic+accurate_rnd+full_chroma_int+bitexact"

struct output {
    char *filters; /* owned */
    char *quick;   /* owned */
    uint32_t parent;
    uint32_t width_px, height_px;
    enum AVPixelFormat format;
    enum AVColorSpace matrix;
    const struct gm_watermark *watermark; /* borrowed */
    AVFrame *picture;                     /* owned */
    AVFilterContext *sink;                /* borrowed from the graph */
};

struct gm_graph {
    struct output *outputs; /* owned */
    size_t count;
    uint32_t timescale;
    AVFilterGraph *graph;    /* owned; NULL: not built */
    AVFilterContext *source; /* borrowed from the graph */
    AVFrame *input;          /* owned */
    /* What it was built for. */
    int width, height, format;
    AVRational aspect;
    enum AVColorRange range;
    enum AVColorSpace matrix;
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVChromaLocation chroma;
};

int gm_graph_create(const struct gm_graph_output *outputs, size_t count, uint32_t timescale,
                    struct gm_graph **out, struct gm_err *err)
{
    if (count == 0 || timescale == 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "A filter graph needs outputs and a timescale");
    }
    for (size_t i = 0; i < count; i++) {
        if (outputs[i].parent > i) {
            return gm_err_set(err, GM_E_INVAL, 0, "Output %zu is made from one behind it", i);
        }
    }
    struct gm_graph *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return gm_err_nomem(err);
    }
    g->timescale = timescale;
    g->input = av_frame_alloc();
    g->outputs = calloc(count, sizeof *g->outputs);
    bool ok = g->input != NULL && g->outputs != NULL;
    g->count = g->outputs != NULL ? count : 0;
    for (size_t i = 0; ok && i < count; i++) {
        g->outputs[i] = (struct output){
            .parent = outputs[i].parent,
            .quick = strdup(outputs[i].quick != NULL ? outputs[i].quick : ""),
            .filters = strdup(outputs[i].filters[0] != '\0' ? outputs[i].filters : "null"),
            .width_px = outputs[i].width_px,
            .height_px = outputs[i].height_px,
            .format = outputs[i].format,
            .matrix = outputs[i].matrix,
            .watermark = outputs[i].watermark,
            .picture = av_frame_alloc(),
        };
        ok = g->outputs[i].filters != NULL && g->outputs[i].quick != NULL &&
             g->outputs[i].picture != NULL;
    }
    if (!ok) {
        gm_graph_destroy(&g);
        return gm_err_nomem(err);
    }
    *out = g;
    return 0;
}

void gm_graph_destroy(struct gm_graph **graph)
{
    struct gm_graph *g = *graph;
    if (g == NULL) {
        return;
    }
    avfilter_graph_free(&g->graph);
    for (size_t i = 0; i < g->count; i++) {
        free(g->outputs[i].filters);
        free(g->outputs[i].quick);
        av_frame_free(&g->outputs[i].picture);
    }
    free(g->outputs);
    av_frame_free(&g->input);
    free(g);
    *graph = NULL;
}

static void write_source(struct gm_buf *text, const char *name, const AVFrame *f, AVRational aspect,
                         uint32_t timescale)
{
    gm_buf_printf(text, "buffer@%s=video_size=%dx%d:pix_fmt=%s:time_base=1/%" PRIu32, name,
                  f->width, f->height, av_get_pix_fmt_name((enum AVPixelFormat)f->format),
                  timescale);
    gm_buf_printf(text, ":pixel_aspect=%d/%d", aspect.num, aspect.den);
}

/* ",split=N" and the labels of what is made from `from` (0: the input, 1 + k: output k). own: a
 * first label besides; "": none. */
static void write_branches(const struct gm_graph *g, struct gm_buf *text, uint32_t from,
                           const char *own)
{
    size_t n = own[0] != '\0';
    for (size_t i = 0; i < g->count; i++) {
        n += g->outputs[i].parent == from;
    }
    gm_buf_printf(text, ",split=%zu%s", n, own);
    for (size_t i = 0; i < g->count; i++) {
        if (g->outputs[i].parent == from) {
            gm_buf_printf(text, "[s%zu]", i);
        }
    }
}

static void write_format(struct gm_buf *text, enum AVPixelFormat format)
{
    if (format != AV_PIX_FMT_NONE) {
        gm_buf_printf(text, ",format=%s", av_get_pix_fmt_name(format));
    }
}

/* The plan says where the source's pictures have their chroma; of one whose chroma is as fine as
 * luma that does not hold. */
static void write_filters(struct gm_buf *text, const struct output *o, const AVFrame *in)
{
    static const char *const names[2] = {"in_h_chr_pos=", "in_v_chr_pos="};
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)in->format);
    const uint8_t shift[2] = {desc->log2_chroma_w, desc->log2_chroma_h};
    const char *s = o->filters;
    for (int i = 0; i < 2 && o->parent == 0; i++) {
        const char *at = shift[i] == 0 ? strstr(s, names[i]) : NULL;
        if (at != NULL) {
            at += strlen(names[i]);
            gm_buf_add(text, s, (size_t)(at - s));
            gm_buf_str(text, "-513");
            s = at + strspn(at, "-0123456789");
        }
    }
    gm_buf_str(text, s);
}

static void write_output(struct gm_graph *g, struct gm_buf *text, size_t i, const AVFrame *in)
{
    const struct output *o = &g->outputs[i];
    char name[40];
    gm_buf_printf(text, ";[s%zu]", i);
    if (o->parent == 0 && gm_scaler_takes(o->quick, in, o->width_px, o->height_px)) {
        gm_buf_str(text, o->quick);
    } else {
        write_filters(text, o, in);
    }
    write_format(text, o->format);
    (void)snprintf(name, sizeof name, "[m%zu]", i);
    write_branches(g, text, (uint32_t)i + 1, name);
    if (o->watermark == NULL) {
        gm_buf_printf(text, ";[m%zu]null", i);
    } else {
        struct gm_watermark_place place =
            gm_watermark_place(o->watermark, o->width_px, o->height_px);
        char filters[GM_WATERMARK_FILTERS_SIZE];
        char enable[GM_WATERMARK_ENABLE_SIZE];
        bool deep = o->format == AV_PIX_FMT_YUV420P10LE;
        gm_watermark_filters(o->watermark, &place, o->matrix, o->height_px, deep, filters);
        gm_watermark_enable(o->watermark, g->timescale, enable);
        (void)snprintf(name, sizeof name, "w%zu", i);
        gm_buf_printf(text, ";");
        write_source(text, name, o->watermark->image, (AVRational){1, 1}, g->timescale);
        gm_buf_printf(text, ",%s[v%zu];[m%zu][v%zu]", filters, i, i, i);
        gm_buf_printf(text,
                      "overlay=x=%" PRIu32 ":y=%" PRIu32 ":eval=init:format=%s:"
                      "eof_action=repeat:repeatlast=1%s",
                      place.x_px, place.y_px, deep ? "yuv420p10" : "yuv420", enable);
        write_format(text, o->format);
    }
    gm_buf_printf(text, ",buffersink@o%zu", i);
}

static int write_graph(struct gm_graph *g, const AVFrame *in, struct gm_buf *text,
                       struct gm_err *err)
{
    AVRational aspect = in->sample_aspect_ratio;
    if (aspect.num <= 0 || aspect.den <= 0) {
        aspect = (AVRational){0, 1};
    }
    write_source(text, "in", in, aspect, g->timescale);
    write_branches(g, text, 0, "");
    for (size_t i = 0; i < g->count; i++) {
        write_output(g, text, i, in);
    }
    return gm_buf_check(text, err);
}

/* One picture for ever: it is given once, then its input is closed. */
static int give_watermark(struct gm_graph *g, size_t i, int64_t pts, struct gm_err *err)
{
    char name[48];
    (void)snprintf(name, sizeof name, "buffer@w%zu", i);
    AVFilterContext *source = avfilter_graph_get_filter(g->graph, name);
    AVFrame *image = av_frame_clone(g->outputs[i].watermark->image);
    if (image == NULL) {
        return gm_err_nomem(err);
    }
    image->pts = pts;
    int av = av_buffersrc_add_frame_flags(source, image, 0);
    if (av >= 0) {
        av = av_buffersrc_close(source, pts + 1, 0);
    }
    av_frame_free(&image);
    return av < 0 ? gm_err_av(err, GM_E_MEDIA, av, "The watermark was refused by its filter") : 0;
}

static int find_ends(struct gm_graph *g, struct gm_err *err)
{
    char name[48];
    g->source = avfilter_graph_get_filter(g->graph, "buffer@in");
    bool ok = g->source != NULL;
    for (size_t i = 0; i < g->count; i++) {
        struct output *o = &g->outputs[i];
        (void)snprintf(name, sizeof name, "buffersink@o%zu", i);
        o->sink = avfilter_graph_get_filter(g->graph, name);
        ok = ok && o->sink != NULL;
    }
    return ok ? 0 : gm_err_set(err, GM_E_BUG, 0, "The filter graph has lost its ends");
}

static int check_output(const struct output *o, struct gm_err *err)
{
    int w = av_buffersink_get_w(o->sink);
    int h = av_buffersink_get_h(o->sink);
    if (o->width_px != 0 && (w != (int)o->width_px || h != (int)o->height_px)) {
        return gm_err_set(err, GM_E_MEDIA, 0,
                          "Filters make %dx%d where the plan says %" PRIu32 "x%" PRIu32, w, h,
                          o->width_px, o->height_px);
    }
    return 0;
}

static int build(struct gm_graph *g, const AVFrame *in, int64_t pts, struct gm_err *err)
{
    struct gm_buf text = {0};
    AVFilterInOut *open_in = NULL;
    AVFilterInOut *open_out = NULL;
    int av;
    avfilter_graph_free(&g->graph);
    int rc = write_graph(g, in, &text, err);
    if (rc < 0) {
        goto out;
    }
    g->graph = avfilter_graph_alloc();
    if (g->graph == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    g->graph->nb_threads = 1;
    g->graph->thread_type = 0;
    g->graph->scale_sws_opts = av_strdup(SCALE_OPTIONS);
    av = avfilter_graph_parse2(g->graph, (const char *)text.data, &open_in, &open_out);
    if (av >= 0 && (open_in != NULL || open_out != NULL)) {
        av = AVERROR(EINVAL);
    }
    if (av >= 0) {
        av = avfilter_graph_config(g->graph, NULL);
    }
    if (av < 0) {
        rc = gm_err_av(err, GM_E_MEDIA, av, "The filters of %dx%d %s were refused", in->width,
                       in->height, av_get_pix_fmt_name((enum AVPixelFormat)in->format));
        goto out;
    }
    rc = find_ends(g, err);
    for (size_t i = 0; i < g->count && rc == 0; i++) {
        rc = check_output(&g->outputs[i], err);
        if (rc == 0 && g->outputs[i].watermark != NULL) {
            rc = give_watermark(g, i, pts, err);
        }
    }
out:
    avfilter_inout_free(&open_in);
    avfilter_inout_free(&open_out);
    gm_buf_fini(&text);
    if (rc < 0) {
        avfilter_graph_free(&g->graph);
    }
    return rc;
}

static bool fits(const struct gm_graph *g, const AVFrame *p)
{
    return g->graph != NULL && g->width == p->width && g->height == p->height &&
           g->format == p->format && g->aspect.num == p->sample_aspect_ratio.num &&
           g->aspect.den == p->sample_aspect_ratio.den && g->range == p->color_range &&
           g->matrix == p->colorspace && g->primaries == p->color_primaries &&
           g->transfer == p->color_trc && g->chroma == p->chroma_location;
}

static void remember(struct gm_graph *g, const AVFrame *p)
{
    g->width = p->width;
    g->height = p->height;
    g->format = p->format;
    g->aspect = p->sample_aspect_ratio;
    g->range = p->color_range;
    g->matrix = p->colorspace;
    g->primaries = p->color_primaries;
    g->transfer = p->color_trc;
    g->chroma = p->chroma_location;
}

static int pull(struct output *o, int64_t pts, struct gm_err *err)
{
    av_frame_unref(o->picture);
    int av = av_buffersink_get_frame(o->sink, o->picture);
    if (av < 0) {
        return gm_err_av(err, GM_E_MEDIA, av, "The filters %.60s gave no picture", o->filters);
    }
    bool sized = o->width_px == 0 ||
                 (o->picture->width == (int)o->width_px && o->picture->height == (int)o->height_px);
    if (o->picture->pts != pts || !sized) {
        return gm_err_set(err, GM_E_MEDIA, 0, "The filters %.60s changed time or size", o->filters);
    }
    AVFrame *more = av_frame_alloc();
    if (more == NULL) {
        return gm_err_nomem(err);
    }
    av = av_buffersink_get_frame_flags(o->sink, more, AV_BUFFERSINK_FLAG_NO_REQUEST);
    av_frame_free(&more);
    if (av != AVERROR(EAGAIN) && av != AVERROR_EOF) {
        return gm_err_set(err, GM_E_MEDIA, 0, "The filters %.60s gave more than one picture",
                          o->filters);
    }
    o->picture->pict_type = AV_PICTURE_TYPE_NONE;
    o->picture->key_frame = 0;
    o->picture->interlaced_frame = 0;
    o->picture->repeat_pict = 0;
    o->picture->quality = 0;
    return 0;
}

static void drop_side_data(AVFrame *frame)
{
    while (frame->nb_side_data > 0) {
        av_frame_remove_side_data(frame, frame->side_data[0]->type);
    }
    av_dict_free(&frame->metadata);
}

int gm_graph_push(struct gm_graph *g, const AVFrame *picture, int64_t pts, struct gm_err *err)
{
    int rc = 0;
    if (!fits(g, picture)) {
        rc = build(g, picture, pts, err);
        if (rc < 0) {
            return rc;
        }
        remember(g, picture);
    }
    av_frame_unref(g->input);
    if (av_frame_ref(g->input, picture) < 0) {
        return gm_err_nomem(err);
    }
    drop_side_data(g->input);
    g->input->pts = pts;
    int av = av_buffersrc_add_frame_flags(g->source, g->input, AV_BUFFERSRC_FLAG_PUSH);
    if (av < 0) {
        return gm_err_av(err, GM_E_MEDIA, av, "A picture was refused by the filters");
    }
    for (size_t i = 0; i < g->count && rc == 0; i++) {
        rc = pull(&g->outputs[i], pts, err);
    }
    return rc;
}

AVFrame *gm_graph_get(struct gm_graph *g, size_t output)
{
    GM_ASSERT(output < g->count);
    return g->outputs[output].picture;
}
