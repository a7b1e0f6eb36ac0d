#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/chunk_io.h"
#include "media/cuda_ladder_io.h"
#include "media/device/cuda_picture.h"
#include "media/fake_gpu_io.h"
#include "media/picture/colour.h"
#include "media/picture/front.h"
#include "media/picture/graph.h"
#include "media/picture/siting.h"
#include "media/plan/plan.h"

/* Where the device's ladder puts pictures that are cropped and turned, and their chroma: as the
 * processors' filters do. Over the fake libcuda: nothing here says anything about a real GPU. */

/* A picture on two ways: through the device's ladder, and what a test does with the front. */
struct turning {
    struct job j;
    struct gm_front *front; /* owned */
    AVFrame *picture;       /* owned: as decoded */
    AVFrame *here;          /* owned: what the ladder made of it, in memory */
    Gm__Policy turned;
};

/* The first rendition gets 1 / shrink of the upright picture's size. */
static void begin_turn(struct turning *t, const struct way *w, uint32_t shrink)
{
    Gm__EncodeParams how = GM__ENCODE_PARAMS__INIT;
    struct gm_err err = {0};
    memset(t, 0, sizeof *t);
    gm__policy__init(&t->turned);
    fake_gpu_profile("none", GPU);
    ladder_describe(&t->j, w);
    bool lies = w->turn % 180 != 0;
    uint32_t width = t->j.facts.width_px / shrink, height = t->j.facts.height_px / shrink;
    t->j.renditions[0].width_px = lies ? height : width;
    t->j.renditions[0].height_px = lies ? width : height;
    ladder_must(gm_plan_front(&t->j.facts, &how, &t->turned, &err), &err);
    ladder_must(gm_front_create(&t->turned, &t->j.facts, &t->front, &err), &err);
}

/* Takes the picture. Returns it as the front makes it: borrowed until end_turn. */
static const AVFrame *push_turn(struct turning *t, AVFrame *picture)
{
    struct gm_err err = {0};
    int64_t tag = 0;
    t->picture = picture;
    ladder_must(ladder_open(&t->j, &err), &err);
    gm_front_start(t->front);
    ladder_must(gm_front_push(t->front, picture, 5, &err), &err);
    const AVFrame *upright = gm_front_next(t->front, &tag);
    CHECK(upright != NULL && tag == 5);
    ladder_must(gm_cuda_ladder_push(t->j.ladder, picture, 0, &err), &err);
    ladder_must(gm_cuda_picture_download(gm_cuda_ladder_get(t->j.ladder, 0), &t->here, &err), &err);
    return upright;
}

static void end_turn(struct turning *t)
{
    av_frame_free(&t->here);
    av_frame_free(&t->picture);
    gm_front_destroy(&t->front);
    free(t->turned.front_filters);
    ladder_close(&t->j);
}

/* Luma of a rendition of the upright picture's size is what the front makes. */
static void turn_it(const void *arg)
{
    struct turning t;
    begin_turn(&t, arg, 1);
    const AVFrame *want = push_turn(&t, ladder_picture(&t.j, 3));
    CHECK(t.here->width == want->width && t.here->height == want->height);
    for (int y = 0; y < t.here->height; y++) {
        CHECK(memcmp(t.here->data[0] + (ptrdiff_t)y * t.here->linesize[0],
                     want->data[0] + (ptrdiff_t)y * want->linesize[0], (size_t)t.here->width) == 0);
    }
    end_turn(&t);
}

static void pictures_are_turned_as_software_does(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        struct way w = {"yuv420p",  {"yuv420p", "yuv420p", "yuv420p"},
                        i % 4 * 90, i / 4 % 2 == 1,
                        i / 8 == 1, false};
        if (fake_gpu_run(turn_it, &w) != 0) {
            fail_msg("turned by %d, flip %d, crop %d", w.turn, w.flip, w.crop);
        }
    }
}

/* Ramps: along rows in one colour, down the columns in the other. */
static AVFrame *ramps(void)
{
    AVFrame *f = gm_av_frame(AV_PIX_FMT_YUV420P, WIDTH, HEIGHT);
    CHECK(f != NULL);
    f->color_range = AVCOL_RANGE_MPEG;
    for (int p = 0; p < 3; p++) {
        for (int y = 0; y < HEIGHT >> (p > 0); y++) {
            for (int x = 0; x < WIDTH >> (p > 0); x++) {
                int v = p == 0 ? 20 + x + y : p == 1 ? 20 + 4 * x : 40 + 5 * y;
                f->data[p][y * f->linesize[p] + x] = (uint8_t)v;
            }
        }
    }
    return f;
}

/* How much brighter a plane of a is than of b, away from the edges. */
static double brighter(const AVFrame *a, const AVFrame *b, int plane)
{
    int w = a->width >> (plane > 0), h = a->height >> (plane > 0), count = 0, sum = 0;
    for (int y = 4; y < h - 4; y++) {
        for (int x = 4; x < w - 4; x++, count++) {
            sum += a->data[plane][y * a->linesize[plane] + x] -
                   b->data[plane][y * b->linesize[plane] + x];
        }
    }
    CHECK(count > 0);
    return (double)sum / count;
}

/* Half the size, chroma lies where the plan's filters put it: elsewhere ramps are brighter or
 * darker by 1. */
static void place_chroma(const void *arg)
{
    struct turning t;
    struct gm_graph *graph = NULL;
    struct gm_err err = {0};
    char plain[512], filters[600];
    begin_turn(&t, arg, 2);
    const Gm__Rendition *r = &t.j.renditions[0];
    struct gm_colour colour = gm_colour_of_rendition(r);
    ladder_must(gm_plan_filters(r->width_px, r->height_px, &colour, AV_PIX_FMT_YUV420P, plain,
                                sizeof plain, &err),
                &err);
    ladder_must(gm_siting_add(gm_siting(&t.j.facts), plain, filters, sizeof filters, &err), &err);
    struct gm_graph_output output = {.filters = filters, .format = AV_PIX_FMT_YUV420P};
    ladder_must(gm_graph_create(&output, 1, 1, &graph, &err), &err);
    ladder_must(gm_graph_push(graph, push_turn(&t, ramps()), 0, &err), &err);
    for (int p = 0; p < 3; p++) {
        double d = brighter(t.here, gm_graph_get(graph, 0), p);
        if (d < -0.4 || d > 0.4) {
            (void)fprintf(stderr, "plane %d: %.2f\n", p, d);
            CHECK(false);
        }
    }
    gm_graph_destroy(&graph);
    end_turn(&t);
}

static void chroma_is_where_software_puts_it(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct way w = {"yuv420p", {"yuv420p", "yuv420p", "yuv420p"}, i % 4 * 90, i / 4 == 1, false,
                        false};
        if (fake_gpu_run(place_chroma, &w) != 0) {
            fail_msg("turned by %d, flip %d", w.turn, w.flip);
        }
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_turned_as_software_does),
        cmocka_unit_test(chroma_is_where_software_puts_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
