#include "media/picture/cuda_mark.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/picture/colour.h"
#include "media/picture/graph.h"
#include "media/picture/watermark.h"

struct gm_cuda_mark {
    struct gm_watermark *source; /* owned */
    struct gm_ladder_mark mark;
    uint16_t *planes[3]; /* owned */
    uint8_t *alpha;      /* owned */
};

static uint16_t sample(const AVFrame *f, int plane, uint32_t x, uint32_t y, bool deep)
{
    const uint8_t *row = f->data[plane] + (ptrdiff_t)y * f->linesize[plane];
    uint16_t wide = 0;
    if (!deep) {
        return row[x];
    }
    memcpy(&wide, row + 2 * (size_t)x, sizeof wide);
    return wide;
}

/* f: yuva420p, or the same in 10 bits. */
static int take(struct gm_cuda_mark *m, const AVFrame *f, bool deep, struct gm_err *err)
{
    uint32_t w = m->mark.width_px, h = m->mark.height_px;
    for (int i = 0; i < 3; i++) {
        uint32_t pw = i == 0 ? w : (w + 1) / 2, ph = i == 0 ? h : (h + 1) / 2;
        m->planes[i] = calloc((size_t)pw * ph, sizeof *m->planes[i]);
        for (size_t k = 0; m->planes[i] != NULL && k < (size_t)pw * ph; k++) {
            m->planes[i][k] = sample(f, i, (uint32_t)(k % pw), (uint32_t)(k / pw), deep);
        }
    }
    m->alpha = calloc((size_t)w * h, 1);
    if (m->planes[0] == NULL || m->planes[1] == NULL || m->planes[2] == NULL || m->alpha == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t k = 0; k < (size_t)w * h; k++) {
        uint32_t a = sample(f, 3, (uint32_t)(k % w), (uint32_t)(k / w), deep);
        m->alpha[k] = (uint8_t)(deep ? (a * 255 + 511) / 1023 : a);
    }
    m->mark.luma = m->planes[0];
    m->mark.blue = m->planes[1];
    m->mark.red = m->planes[2];
    m->mark.alpha = m->alpha;
    return 0;
}

/* The image in the rendition's size, matrix and depth, as media/picture/graph.c makes it. */
static int draw(struct gm_cuda_mark *m, const Gm__Rendition *r, struct gm_err *err)
{
    bool deep = strcmp(r->pixel_format, "yuv420p10le") == 0;
    struct gm_watermark_place place = gm_watermark_place(m->source, r->width_px, r->height_px);
    char filters[GM_WATERMARK_FILTERS_SIZE];
    struct gm_graph *graph = NULL;
    gm_watermark_filters(m->source, &place, gm_colour_of_rendition(r).matrix, r->height_px, deep,
                         filters);
    struct gm_graph_output output = {.filters = filters,
                                     .width_px = place.width_px,
                                     .height_px = place.height_px,
                                     .format =
                                         deep ? AV_PIX_FMT_YUVA420P10LE : AV_PIX_FMT_YUVA420P};
    m->mark = (struct gm_ladder_mark){.x_px = place.x_px,
                                      .y_px = place.y_px,
                                      .width_px = place.width_px,
                                      .height_px = place.height_px};
    int rc = gm_graph_create(&output, 1, 1, &graph, err);
    if (rc == 0) {
        rc = gm_graph_push(graph, m->source->image, 0, err);
    }
    if (rc == 0) {
        rc = take(m, gm_graph_get(graph, 0), deep, err);
    }
    gm_graph_destroy(&graph);
    return rc;
}

int gm_cuda_mark_create(const Gm__Watermark *how, const Gm__Rendition *r,
                        const Gm__Pipeline *pipeline, struct gm_cuda_mark **out, struct gm_err *err)
{
    struct gm_cuda_mark *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_watermark_create(how, pipeline, &m->source, err);
    if (rc == 0) {
        rc = gm_watermark_light(m->source, gm_colour_of_rendition(r), err);
    }
    if (rc == 0) {
        rc = draw(m, r, err);
    }
    if (rc < 0) {
        gm_cuda_mark_destroy(&m);
        return rc;
    }
    *out = m;
    return 0;
}

void gm_cuda_mark_destroy(struct gm_cuda_mark **mark)
{
    struct gm_cuda_mark *m = *mark;
    if (m == NULL) {
        return;
    }
    gm_watermark_destroy(&m->source);
    for (int i = 0; i < 3; i++) {
        free(m->planes[i]);
    }
    free(m->alpha);
    free(m);
    *mark = NULL;
}

bool gm_cuda_mark_shows(const struct gm_cuda_mark *m, uint32_t timescale, int64_t pts)
{
    return gm_watermark_shows(m->source, timescale, pts);
}

const struct gm_ladder_mark *gm_cuda_mark_get(const struct gm_cuda_mark *m)
{
    return &m->mark;
}
