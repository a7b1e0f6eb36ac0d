#include "media/picture/rungs.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/picture/colour.h"
#include "media/picture/graph.h"
#include "media/picture/sdr.h"

enum { SDR, KEPT, GROUPS };

struct rung {
    int group;
    size_t output;             /* of the group's graph */
    struct gm_watermark *mark; /* owned; NULL: none */
};

struct gm_rungs {
    struct rung *rungs; /* owned */
    size_t count;
    struct gm_graph *graphs[GROUPS]; /* owned; NULL: no rendition is of that group */
    struct gm_sdr *sdr;              /* owned */
    struct gm_sdr *large;            /* owned: for a poster wider than all in SDR; NULL: none is */
    const AVFrame *picture;          /* the last, borrowed */
    const AVFrame *mapped;           /* in SDR, borrowed; NULL: not made */
    int64_t pts;
};

/* A parent counts within the group; one of the other group is none. */
static uint32_t find_parent(const struct gm_rungs *r, const Gm__Policy *policy, size_t i)
{
    uint32_t parent = policy->renditions[i]->parent;
    if (parent == 0 || parent > i || r->rungs[parent - 1].group != r->rungs[i].group) {
        return 0;
    }
    return (uint32_t)r->rungs[parent - 1].output + 1;
}

static int make_graphs(struct gm_rungs *r, const Gm__Policy *policy, const Gm__Pipeline *pipeline,
                       struct gm_graph_output *outputs[GROUPS], struct gm_err *err)
{
    size_t counts[GROUPS] = {0, 0};
    int rc = 0;
    for (size_t i = 0; i < r->count && rc == 0; i++) {
        const Gm__Rendition *d = policy->renditions[i];
        const Gm__Watermark *how = d->encode != NULL ? d->encode->watermark : NULL;
        struct rung *rung = &r->rungs[i];
        if (how != NULL) {
            rc = gm_watermark_create(how, pipeline, &rung->mark, err);
        }
        if (rc == 0 && how != NULL) {
            rc = gm_watermark_light(rung->mark, gm_colour_of_rendition(d), err);
        }
        rung->group = gm_colour_is_kept(d) ? KEPT : SDR;
        rung->output = counts[rung->group]++;
        outputs[rung->group][rung->output] =
            (struct gm_graph_output){.filters = d->filters,
                                     .quick = d->quick_filters,
                                     .parent = find_parent(r, policy, i),
                                     .width_px = d->width_px,
                                     .height_px = d->height_px,
                                     .format = av_get_pix_fmt(d->pixel_format),
                                     .matrix = gm_colour_of_rendition(d).matrix,
                                     .watermark = rung->mark};
    }
    for (int g = 0; g < GROUPS && rc == 0; g++) {
        if (counts[g] > 0) {
            rc = gm_graph_create(outputs[g], counts[g], policy->timescale, &r->graphs[g], err);
        }
    }
    return rc;
}

static int make_sdr(struct gm_rungs *r, const Gm__Policy *policy, struct gm_err *err)
{
    struct gm_sdr_params p = {.map = policy->tone_map, .timescale = policy->timescale};
    for (size_t i = 0; i < policy->n_renditions; i++) {
        const Gm__Rendition *d = policy->renditions[i];
        if (gm_colour_is_kept(d)) {
            continue;
        }
        p.deep = p.deep || strcmp(d->pixel_format, "yuv420p10le") == 0;
        if (d->width_px > p.width_px) {
            p.width_px = d->width_px;
            p.height_px = d->height_px;
        }
    }
    int rc = gm_sdr_create(&p, &r->sdr, err);
    bool poster = policy->thumbnails != NULL && policy->thumbnails->poster_image[0] == '\0';
    if (rc == 0 && poster && p.width_px > 0 && policy->poster_width_px > p.width_px) {
        p.deep = false;
        p.width_px = policy->poster_width_px;
        p.height_px = policy->poster_height_px;
        rc = gm_sdr_create(&p, &r->large, err);
    }
    return rc;
}

int gm_rungs_create(const Gm__Policy *policy, const Gm__Pipeline *pipeline, struct gm_rungs **out,
                    struct gm_err *err)
{
    size_t n = policy->n_renditions;
    struct gm_rungs *r = calloc(1, sizeof *r);
    struct gm_graph_output *outputs[GROUPS] = {calloc(n + 1, sizeof **outputs),
                                               calloc(n + 1, sizeof **outputs)};
    int rc = gm_err_nomem(err);
    if (r != NULL && outputs[SDR] != NULL && outputs[KEPT] != NULL) {
        r->rungs = calloc(n + 1, sizeof *r->rungs);
        r->count = r->rungs != NULL ? n : 0;
        rc = r->rungs == NULL ? rc : make_graphs(r, policy, pipeline, outputs, err);
    }
    if (rc == 0) {
        rc = make_sdr(r, policy, err);
    }
    free(outputs[SDR]);
    free(outputs[KEPT]);
    if (rc < 0) {
        gm_rungs_destroy(&r);
        return rc;
    }
    *out = r;
    return 0;
}

void gm_rungs_destroy(struct gm_rungs **rungs)
{
    struct gm_rungs *r = *rungs;
    if (r == NULL) {
        return;
    }
    for (int g = 0; g < GROUPS; g++) {
        gm_graph_destroy(&r->graphs[g]);
    }
    for (size_t i = 0; i < r->count; i++) {
        gm_watermark_destroy(&r->rungs[i].mark);
    }
    gm_sdr_destroy(&r->sdr);
    gm_sdr_destroy(&r->large);
    free(r->rungs);
    free(r);
    *rungs = NULL;
}

static int map(struct gm_rungs *r, const AVFrame **out, struct gm_err *err)
{
    if (r->mapped == NULL) {
        int rc = gm_sdr_push(r->sdr, r->picture, r->pts, &r->mapped, err);
        if (rc < 0) {
            r->mapped = NULL;
            return rc;
        }
    }
    *out = r->mapped;
    return 0;
}

int gm_rungs_sdr(struct gm_rungs *r, const AVFrame **out, struct gm_err *err)
{
    return r->large != NULL ? gm_sdr_push(r->large, r->picture, r->pts, out, err)
                            : map(r, out, err);
}

void gm_rungs_show(struct gm_rungs *r, const AVFrame *picture, int64_t pts)
{
    r->picture = picture;
    r->mapped = NULL;
    r->pts = pts;
}

int gm_rungs_push(struct gm_rungs *r, const AVFrame *picture, int64_t pts, struct gm_err *err)
{
    int rc = 0;
    gm_rungs_show(r, picture, pts);
    if (r->graphs[KEPT] != NULL) {
        rc = gm_graph_push(r->graphs[KEPT], picture, pts, err);
    }
    if (rc == 0 && r->graphs[SDR] != NULL) {
        rc = map(r, &picture, err);
        if (rc == 0) {
            rc = gm_graph_push(r->graphs[SDR], picture, pts, err);
        }
    }
    return rc;
}

AVFrame *gm_rungs_get(struct gm_rungs *r, size_t rendition)
{
    GM_ASSERT(rendition < r->count);
    const struct rung *rung = &r->rungs[rendition];
    return gm_graph_get(r->graphs[rung->group], rung->output);
}
