#include "media/front.h"

#include <stdlib.h>

#include "media/colour.h"
#include "media/graph.h"

struct gm_front {
    struct gm_colour source; /* what pictures without tags are taken for */
    AVFrame *tagged;         /* owned */
    struct gm_graph *graph;  /* owned; NULL: no filters */
};

int gm_front_create(const Gm__Policy *policy, const Gm__VideoFacts *facts, struct gm_front **out,
                    struct gm_err *err)
{
    struct gm_front *f = calloc(1, sizeof *f);
    int rc = f != NULL ? 0 : gm_err_nomem(err);
    if (rc == 0) {
        f->source = gm_colour_of_source(facts);
        f->tagged = av_frame_alloc();
        rc = f->tagged != NULL ? 0 : gm_err_nomem(err);
    }
    if (rc == 0 && policy->front_filters[0] != '\0') {
        struct gm_graph_output all = {.filters = policy->front_filters, .format = AV_PIX_FMT_NONE};
        rc = gm_graph_create(&all, 1, policy->timescale, &f->graph, err);
    }
    if (rc < 0) {
        gm_front_destroy(&f);
        return rc;
    }
    *out = f;
    return 0;
}

void gm_front_destroy(struct gm_front **front)
{
    struct gm_front *f = *front;
    if (f == NULL) {
        return;
    }
    gm_graph_destroy(&f->graph);
    av_frame_free(&f->tagged);
    free(f);
    *front = NULL;
}

int gm_front_push(struct gm_front *f, const AVFrame *picture, int64_t pts, const AVFrame **out,
                  struct gm_err *err)
{
    av_frame_unref(f->tagged);
    if (av_frame_ref(f->tagged, picture) < 0) {
        return gm_err_nomem(err);
    }
    gm_colour_tag(f->source, f->tagged);
    if (f->graph == NULL) {
        *out = f->tagged;
        return 0;
    }
    int rc = gm_graph_push(f->graph, f->tagged, pts, err);
    if (rc == 0) {
        *out = gm_graph_get(f->graph, 0);
    }
    return rc;
}
