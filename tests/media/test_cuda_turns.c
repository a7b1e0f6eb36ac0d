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
#include "media/colour.h"
#include "media/cuda_ladder_io.h"
#include "media/cuda_picture.h"
#include "media/fake_gpu_io.h"
#include "media/front.h"
#include "media/graph.h"
#include "media/plan.h"

/* Where the device's ladder puts pictures that are cropped and turned, and their chroma: as the
 * processors' filters do. Over the fake libcuda: nothing here says anything about a real GPU. */

/* Luma of a rendition of the upright picture's size is what the front makes. */
static void turn_it(const void *arg)
{
    const struct way *w = arg;
    struct job j;
    struct gm_front *front = NULL;
    struct gm_err err = {0};
    Gm__EncodeParams how = GM__ENCODE_PARAMS__INIT;
    Gm__Policy turned = GM__POLICY__INIT;
    AVFrame *here = NULL;
    int64_t tag = 0;
    fake_gpu_profile("none", GPU);
    ladder_describe(&j, w);
    bool lies = w->turn % 180 != 0;
    j.renditions[0].width_px = lies ? j.facts.height_px : j.facts.width_px;
    j.renditions[0].height_px = lies ? j.facts.width_px : j.facts.height_px;
    ladder_must(gm_plan_front(&j.facts, &how, &turned, &err), &err);
    ladder_must(gm_front_create(&turned, &j.facts, &front, &err), &err);
    ladder_must(ladder_open(&j, &err), &err);
    AVFrame *f = ladder_picture(&j, 3);
    gm_front_start(front);
    ladder_must(gm_front_push(front, f, 5, &err), &err);
    const AVFrame *want = gm_front_next(front, &tag);
    CHECK(want != NULL && tag == 5);
    ladder_must(gm_cuda_ladder_push(j.ladder, f, 0, &err), &err);
    ladder_must(gm_cuda_picture_download(gm_cuda_ladder_get(j.ladder, 0), &here, &err), &err);
    CHECK(here->width == want->width && here->height == want->height);
    for (int y = 0; y < here->height; y++) {
        CHECK(memcmp(here->data[0] + (ptrdiff_t)y * here->linesize[0],
                     want->data[0] + (ptrdiff_t)y * want->linesize[0], (size_t)here->width) == 0);
    }
    av_frame_free(&here);
    av_frame_free(&f);
    gm_front_destroy(&front);
    free(turned.front_filters);
    ladder_close(&j);
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
    const struct way *w = arg;
    struct job j;
    struct gm_front *front = NULL;
    struct gm_graph *graph = NULL;
    struct gm_err err = {0};
    Gm__EncodeParams how = GM__ENCODE_PARAMS__INIT;
    Gm__Policy turned = GM__POLICY__INIT;
    AVFrame *here = NULL;
    int64_t tag = 0;
    char plain[512], filters[600];
    fake_gpu_profile("none", GPU);
    ladder_describe(&j, w);
    bool lies = w->turn % 180 != 0;
    Gm__Rendition *r = &j.renditions[0];
    r->width_px = lies ? HEIGHT / 2 : WIDTH / 2;
    r->height_px = lies ? WIDTH / 2 : HEIGHT / 2;
    struct gm_colour colour = gm_colour_of_rendition(r);
    ladder_must(gm_plan_front(&j.facts, &how, &turned, &err), &err);
    ladder_must(gm_plan_filters(r->width_px, r->height_px, &colour, AV_PIX_FMT_YUV420P, plain,
                                sizeof plain, &err),
                &err);
    ladder_must(gm_plan_add_siting(gm_plan_siting(&j.facts), plain, filters, sizeof filters, &err),
                &err);
    struct gm_graph_output output = {.filters = filters, .format = AV_PIX_FMT_YUV420P};
    ladder_must(gm_graph_create(&output, 1, 1, &graph, &err), &err);
    ladder_must(gm_front_create(&turned, &j.facts, &front, &err), &err);
    ladder_must(ladder_open(&j, &err), &err);
    AVFrame *f = ramps();
    gm_front_start(front);
    ladder_must(gm_front_push(front, f, 0, &err), &err);
    ladder_must(gm_graph_push(graph, gm_front_next(front, &tag), 0, &err), &err);
    ladder_must(gm_cuda_ladder_push(j.ladder, f, 0, &err), &err);
    ladder_must(gm_cuda_picture_download(gm_cuda_ladder_get(j.ladder, 0), &here, &err), &err);
    for (int p = 0; p < 3; p++) {
        double d = brighter(here, gm_graph_get(graph, 0), p);
        if (d < -0.4 || d > 0.4) {
            (void)fprintf(stderr, "plane %d: %.2f\n", p, d);
            CHECK(false);
        }
    }
    av_frame_free(&here);
    av_frame_free(&f);
    gm_graph_destroy(&graph);
    gm_front_destroy(&front);
    free(turned.front_filters);
    ladder_close(&j);
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
