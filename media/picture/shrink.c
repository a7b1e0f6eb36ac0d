#include "media/picture/shrink.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "common/fs.h"
#include "kernels/mean.h"
#include "media/av.h"
#include "media/picture/graph.h"

#define SIDE_MAX 4096

struct gm_shrink {
    struct gm_graph *graph; /* owned: to planar YUV; NULL: not needed yet */
    enum AVPixelFormat planar;
    bool rgb, deep; /* what the graph is for */
};

int gm_shrink_create(struct gm_shrink **out, struct gm_err *err)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? 0 : gm_err_nomem(err);
}

void gm_shrink_destroy(struct gm_shrink **shrink)
{
    if (*shrink != NULL) {
        gm_graph_destroy(&(*shrink)->graph);
        free(*shrink);
        *shrink = NULL;
    }
}

/* Three planes of whole samples of 8 to 16 bits, low byte first. */
static bool is_planar_yuv(const AVPixFmtDescriptor *d)
{
    const uint64_t other = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM |
                           AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BE |
                           AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_BAYER;
    bool fits = d != NULL && d->nb_components == 3 && (d->flags & other) == 0;
    for (int i = 0; fits && i < 3; i++) {
        const AVComponentDescriptor *c = &d->comp[i];
        fits = c->plane == i && c->offset == 0 && c->shift == 0 && c->depth >= 8 &&
               c->depth <= 16 && c->step == (c->depth > 8 ? 2 : 1);
    }
    return fits;
}

/* RGB gets the matrix of its gamut's standard; its depth is what comes out. */
static int make_graph(struct gm_shrink *s, bool rgb, bool deep, struct gm_err *err)
{
    char filters[320];
    gm_graph_destroy(&s->graph);
    s->planar = deep ? AV_PIX_FMT_YUV444P10LE : AV_PIX_FMT_YUV444P;
    s->rgb = rgb;
    s->deep = deep;
    int rc = gm_fs_path(filters, sizeof filters, err,
                        "scale=flags=bicubic+accurate_rnd+full_chroma_int+bitexact:out_range=tv"
                        "%s%s%s,format=%s",
                        rgb ? ":out_color_matrix=" : "", rgb ? (deep ? "bt2020" : "bt709") : "",
                        !rgb   ? ""
                        : deep ? ",setparams=colorspace=bt2020nc"
                               : ",setparams=colorspace=bt709",
                        av_get_pix_fmt_name(s->planar));
    struct gm_graph_output output = {.filters = filters, .format = s->planar};
    return rc == 0 ? gm_graph_create(&output, 1, 1, &s->graph, err) : rc;
}

/* *picture stays where it is planar YUV. */
static int convert(struct gm_shrink *s, bool deep, const AVFrame **picture, struct gm_err *err)
{
    const AVFrame *in = *picture;
    bool rgb = in->colorspace == AVCOL_SPC_RGB;
    int rc = 0;
    if (is_planar_yuv(av_pix_fmt_desc_get((enum AVPixelFormat)in->format))) {
        return 0;
    }
    if (s->graph == NULL || s->rgb != rgb || s->deep != deep) {
        rc = make_graph(s, rgb, deep, err);
    }
    if (rc == 0) {
        rc = gm_graph_push(s->graph, in, 0, err);
    }
    if (rc == 0) {
        *picture = gm_graph_get(s->graph, 0);
    }
    return rc;
}

static enum AVPixelFormat format_of(const struct gm_shrink_to *to)
{
    if (to->luma) {
        return to->deep ? AV_PIX_FMT_GRAY10LE : AV_PIX_FMT_GRAY8;
    }
    return to->deep ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P;
}

static int make_planes(const AVFrame *in, const struct gm_shrink_to *to, AVFrame *made,
                       struct gm_err *err)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get((enum AVPixelFormat)in->format);
    int rc = 0;
    for (int p = 0; rc == 0 && p < (to->luma ? 1 : 3); p++) {
        const struct gm_mean mean = {
            .in_width = (uint32_t)AV_CEIL_RSHIFT(in->width, p > 0 ? d->log2_chroma_w : 0),
            .in_height = (uint32_t)AV_CEIL_RSHIFT(in->height, p > 0 ? d->log2_chroma_h : 0),
            .out_width = to->width_px >> (p > 0),
            .out_height = to->height_px >> (p > 0),
            .in_bits = (unsigned)d->comp[p].depth,
            .out_bits = to->deep ? 10 : 8};
        rc = gm_mean_plane(&mean, in->data[p], in->linesize[p], made->data[p], made->linesize[p],
                           err);
    }
    return rc;
}

static void tag(const AVFrame *from, AVFrame *to)
{
    to->color_primaries = from->color_primaries;
    to->color_trc = from->color_trc;
    to->colorspace = from->colorspace;
    to->color_range = from->color_range;
    to->chroma_location = AVCHROMA_LOC_CENTER;
    to->sample_aspect_ratio = (AVRational){1, 1};
}

int gm_shrink_picture(struct gm_shrink *s, const AVFrame *picture, const struct gm_shrink_to *to,
                      AVFrame **out, struct gm_err *err)
{
    if (to->width_px < 2 || to->width_px > SIDE_MAX || to->width_px % 2 != 0 || to->height_px < 2 ||
        to->height_px > SIDE_MAX || to->height_px % 2 != 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "No picture is made as small as %ux%u", to->width_px,
                          to->height_px);
    }
    int rc = convert(s, to->deep, &picture, err);
    if (rc < 0) {
        return rc;
    }
    AVFrame *made = gm_av_frame(format_of(to), (int)to->width_px, (int)to->height_px);
    rc = made != NULL ? make_planes(picture, to, made, err) : gm_err_nomem(err);
    if (rc < 0) {
        av_frame_free(&made);
        return rc;
    }
    tag(picture, made);
    *out = made;
    return 0;
}
