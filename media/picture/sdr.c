#include "media/picture/sdr.h"

#include <stdlib.h>

#include <libavutil/pixdesc.h>

#include "common/fs.h"
#include "media/av.h"
#include "media/picture/graph.h"
#include "media/picture/siting.h"
#include "media/picture/tonemap.h"

struct gm_sdr {
    uint32_t timescale;
    double source_peak;        /* of the programme; HLG has its own */
    enum AVPixelFormat format; /* of mapped pictures */
    int chroma_h, chroma_v;    /* of what comes; GM_SITING_NONE: as fine as luma */
    uint32_t width, height;    /* at most; 0: any */
    struct gm_graph *graph;    /* owned: to 10-bit 4:2:0; NULL: not needed yet */
    enum AVPixelFormat from;   /* what it does */
    bool from_rgb, scales;
    struct gm_tonemap *table; /* owned; NULL: not needed yet */
    struct gm_colour made_for;
    AVFrame *mapped; /* owned */
};

static double peak_of(const Gm__ToneMap *map)
{
    return map != NULL && map->source_peak > 0 ? map->source_peak : GM_TONEMAP_PEAK;
}

static struct gm_tonemap_params table_of(double peak, struct gm_colour colour)
{
    return (struct gm_tonemap_params){
        .source = colour,
        .source_peak = colour.transfer == AVCOL_TRC_ARIB_STD_B67 ? GM_TONEMAP_PEAK : peak,
        .target_peak = GM_TONEMAP_WHITE,
    };
}

struct gm_tonemap_params gm_sdr_table(const Gm__ToneMap *map, struct gm_colour colour)
{
    return table_of(peak_of(map), colour);
}

int gm_sdr_create(const struct gm_sdr_params *p, struct gm_sdr **out, struct gm_err *err)
{
    struct gm_sdr *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->timescale = p->timescale;
    s->source_peak = peak_of(p->map);
    s->format = p->deep ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P;
    s->chroma_h = p->map != NULL ? p->map->chroma_h : 0;
    s->chroma_v = p->map != NULL ? p->map->chroma_v : 128;
    s->width = p->width_px;
    s->height = p->height_px;
    s->mapped = av_frame_alloc();
    if (s->mapped == NULL) {
        gm_sdr_destroy(&s);
        return gm_err_nomem(err);
    }
    *out = s;
    return 0;
}

void gm_sdr_destroy(struct gm_sdr **sdr)
{
    struct gm_sdr *s = *sdr;
    if (s == NULL) {
        return;
    }
    gm_graph_destroy(&s->graph);
    gm_tonemap_destroy(&s->table);
    av_frame_free(&s->mapped);
    free(s);
    *sdr = NULL;
}

static struct gm_colour colour_of(const AVFrame *f)
{
    return (struct gm_colour){f->color_primaries, f->color_trc, f->colorspace, f->color_range};
}

/* Of 4:2:0 that is made from what comes. */
static int made_h(const struct gm_sdr *s)
{
    return s->chroma_h == GM_SITING_NONE ? 0 : s->chroma_h;
}

static int made_v(const struct gm_sdr *s)
{
    return s->chroma_v == GM_SITING_NONE ? 128 : s->chroma_v;
}

/* The nearest that the table knows. */
static enum AVChromaLocation place(const struct gm_sdr *s)
{
    if (made_h(s) == 0) {
        return made_v(s) == 0 ? AVCHROMA_LOC_TOPLEFT : AVCHROMA_LOC_LEFT;
    }
    return made_v(s) == 0 ? AVCHROMA_LOC_TOP : AVCHROMA_LOC_CENTER;
}

/* RGB gets the matrix that goes with BT.2020; limited range, as the scaler makes it anyway. */
static int make_graph(struct gm_sdr *s, enum AVPixelFormat from, bool rgb, bool scale,
                      struct gm_err *err)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(from);
    char filters[384], size[32] = "";
    int rc = 0;
    gm_graph_destroy(&s->graph);
    if (scale) {
        rc = gm_fs_path(size, sizeof size, err, "%u:%u:", s->width, s->height);
    }
    if (rc == 0) {
        rc = gm_fs_path(filters, sizeof filters, err,
                        "scale=%sflags=bicubic+accurate_rnd+full_chroma_int+bitexact:out_range=tv"
                        ":in_h_chr_pos=%d:in_v_chr_pos=%d:out_h_chr_pos=%d:out_v_chr_pos=%d"
                        "%s,format=yuv420p10le",
                        size, desc->log2_chroma_w > 0 ? made_h(s) : GM_SITING_NONE,
                        desc->log2_chroma_h > 0 ? made_v(s) : GM_SITING_NONE, made_h(s), made_v(s),
                        rgb ? ":out_color_matrix=bt2020,setparams=colorspace=bt2020nc" : "");
    }
    struct gm_graph_output output = {.filters = filters, .format = AV_PIX_FMT_YUV420P10LE};
    if (rc == 0) {
        rc = gm_graph_create(&output, 1, s->timescale, &s->graph, err);
    }
    s->from = from;
    s->from_rgb = rgb;
    s->scales = scale;
    return rc;
}

/* The picture in the table's format, and no larger than needed; *picture stays where it is so. */
static int convert(struct gm_sdr *s, const AVFrame **picture, int64_t pts, struct gm_err *err)
{
    const AVFrame *in = *picture;
    bool rgb = in->colorspace == AVCOL_SPC_RGB;
    bool scale = s->width > 0 && (int64_t)in->width * in->height > (int64_t)s->width * s->height;
    int rc = 0;
    if (in->format == AV_PIX_FMT_YUV420P10LE && !scale) {
        return 0;
    }
    enum AVPixelFormat from = (enum AVPixelFormat)in->format;
    if (s->graph == NULL || s->from != from || s->from_rgb != rgb || s->scales != scale) {
        rc = make_graph(s, from, rgb, scale, err);
    }
    if (rc == 0) {
        rc = gm_graph_push(s->graph, in, pts, err);
    }
    if (rc == 0) {
        *picture = gm_graph_get(s->graph, 0);
    }
    return rc;
}

static int make_table(struct gm_sdr *s, struct gm_colour colour, struct gm_err *err)
{
    struct gm_colour have = s->made_for;
    if (s->table != NULL && have.primaries == colour.primaries &&
        have.transfer == colour.transfer && have.matrix == colour.matrix &&
        have.range == colour.range) {
        return 0;
    }
    gm_tonemap_destroy(&s->table);
    struct gm_tonemap_params params = table_of(s->source_peak, colour);
    s->made_for = colour;
    return gm_tonemap_create(&params, &s->table, err);
}

/* All but what speaks of the light that is no more there. */
static int copy_properties(AVFrame *to, const AVFrame *from)
{
    static const enum AVFrameSideDataType light[] = {
        AV_FRAME_DATA_MASTERING_DISPLAY_METADATA,
        AV_FRAME_DATA_CONTENT_LIGHT_LEVEL,
        AV_FRAME_DATA_DYNAMIC_HDR_PLUS,
        AV_FRAME_DATA_DYNAMIC_HDR_VIVID,
        AV_FRAME_DATA_DOVI_RPU_BUFFER,
        AV_FRAME_DATA_DOVI_METADATA,
        AV_FRAME_DATA_ICC_PROFILE,
    };
    int av = av_frame_copy_props(to, from);
    for (size_t i = 0; av >= 0 && i < sizeof light / sizeof light[0]; i++) {
        av_frame_remove_side_data(to, light[i]);
    }
    return av;
}

int gm_sdr_push(struct gm_sdr *s, const AVFrame *picture, int64_t pts, const AVFrame **out,
                struct gm_err *err)
{
    const AVFrame *whole = picture;
    struct gm_colour colour = colour_of(picture);
    if (!gm_colour_needs_table(colour, gm_colour_target(colour, false))) {
        *out = picture;
        return 0;
    }
    int rc = convert(s, &picture, pts, err);
    if (rc == 0) {
        rc = make_table(s, colour_of(picture), err);
    }
    if (rc < 0) {
        return rc;
    }
    AVFrame *to = s->mapped;
    av_frame_unref(to);
    to->format = s->format;
    to->width = picture->width;
    to->height = picture->height;
    int av = av_frame_get_buffer(to, 0);
    if (av >= 0) {
        av = copy_properties(to, whole);
        to->sample_aspect_ratio = picture->sample_aspect_ratio;
        to->pts = pts;
    }
    if (av < 0) {
        return gm_err_av(err, GM_E_MEDIA, av, "A picture of %dx%d has no room", to->width,
                         to->height);
    }
    rc = gm_tonemap_apply(s->table, picture, place(s), to, err);
    if (rc == 0) {
        *out = to;
    }
    return rc;
}
