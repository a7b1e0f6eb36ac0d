#include "hwtest/large.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/picture/graph.h"

struct gm_hwtest_recipe {
    struct gm_graph *graph;
    struct gm_encoder *encoder[GM_HWTEST_RUNGS];
    AVPacket *packet;
    AVFrame *frame;
    int64_t number;
};

/* Those of 1080, of 2160, and what stands for them where it must be quick: no rung is smaller than
 * encoders of devices take. */
static const struct set {
    uint32_t width_px[GM_HWTEST_RUNGS], height_px[GM_HWTEST_RUNGS];
} SETS[2][2] = {
    {{{1920, 1280, 854, 640}, {1080, 720, 480, 360}},
     {{3840, 1920, 1280, 854}, {2160, 1080, 720, 480}}},
    {{{384, 320, 256, 192}, {216, 180, 144, 108}}, {{768, 384, 320, 256}, {432, 216, 180, 144}}}};

void gm_hwtest_recipe_size(uint32_t height_px, bool quick, uint32_t rung, uint32_t *out_width_px,
                           uint32_t *out_height_px)
{
    const struct set *set = &SETS[quick ? 1 : 0][height_px == 2160 ? 1 : 0];
    *out_width_px = set->width_px[rung];
    *out_height_px = set->height_px[rung];
}

static int open_rungs(struct gm_hwtest_recipe *r, const struct gm_hwtest_recipe_params *p,
                      struct gm_err *err)
{
    struct gm_graph_output outputs[GM_HWTEST_RUNGS] = {{0}};
    char filters[GM_HWTEST_RUNGS][80];
    int rc = 0;
    for (uint32_t k = 0; rc == 0 && k < GM_HWTEST_RUNGS; k++) {
        struct gm_hwtest_encoding how = {.chain = p->chain,
                                         .device = p->device,
                                         .codec = "h264",
                                         .depth = 8,
                                         .crf_centi = GM_HWTEST_RUNG_CRF};
        gm_hwtest_recipe_size(p->height_px, p->quick, k, &how.width_px, &how.height_px);
        (void)snprintf(filters[k], sizeof(filters[k]),
                       k == 0 ? "null" : "zscale=w=%u:h=%u:filter=lanczos", how.width_px,
                       how.height_px);
        outputs[k] = (struct gm_graph_output){.filters = filters[k],
                                              .parent = k,
                                              .width_px = how.width_px,
                                              .height_px = how.height_px,
                                              .format = AV_PIX_FMT_YUV420P,
                                              .matrix = AVCOL_SPC_BT709};
        rc = gm_hwtest_open_encoder(&how, &r->encoder[k], err);
    }
    return rc == 0 ? gm_graph_create(outputs, GM_HWTEST_RUNGS, GM_HWTEST_RATE, &r->graph, err) : rc;
}

int gm_hwtest_recipe_open(const struct gm_hwtest_recipe_params *params,
                          struct gm_hwtest_recipe **out, struct gm_err *err)
{
    struct gm_hwtest_recipe *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return gm_err_nomem(err);
    }
    r->packet = av_packet_alloc();
    r->frame = av_frame_alloc();
    int rc = r->packet == NULL || r->frame == NULL ? gm_err_nomem(err) : open_rungs(r, params, err);
    if (rc < 0) {
        gm_hwtest_recipe_close(&r);
        return rc;
    }
    *out = r;
    return 0;
}

void gm_hwtest_recipe_close(struct gm_hwtest_recipe **recipe)
{
    struct gm_hwtest_recipe *r = *recipe;
    if (r == NULL) {
        return;
    }
    for (size_t k = 0; k < GM_HWTEST_RUNGS; k++) {
        gm_encoder_close(&r->encoder[k]);
    }
    gm_graph_destroy(&r->graph);
    av_packet_free(&r->packet);
    av_frame_free(&r->frame);
    free(r);
    *recipe = NULL;
}

int gm_hwtest_recipe_push(struct gm_hwtest_recipe *r, const AVFrame *picture, uint64_t *io_count,
                          struct gm_err *err)
{
    int rc = gm_graph_push(r->graph, picture, r->number, err);
    for (size_t k = 0; rc == 0 && k < GM_HWTEST_RUNGS; k++) {
        uint64_t others = 0;
        rc = gm_hwtest_large_send(r->encoder[k], gm_graph_get(r->graph, k), r->number, r->frame,
                                  err);
        if (rc == 0) { /* a picture is done when its smallest rung is */
            rc = gm_hwtest_large_drain(r->encoder[k], r->packet,
                                       k == GM_HWTEST_RUNGS - 1 ? io_count : &others, err);
        }
    }
    av_frame_unref(r->frame); /* the graph's picture is its own again */
    r->number++;
    return rc;
}
