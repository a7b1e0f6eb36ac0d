#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/cards_io.h"
#include "kernels/fibers_io.h"
#include "kernels/reference.h"
#include "kernels/twin.h"

#define MARK_MAX (80 * 80)

/* A ladder, its source and a result of it. */
struct scene {
    struct gm_ladder_params params;
    struct gm_ladder_mark mark[GM_LADDER_RUNGS];
    uint16_t image[3 * MARK_MAX];
    uint8_t alpha[MARK_MAX];
    struct card in;
    struct card want[GM_LADDER_RUNGS];
    struct gm_ladder *ladder;
    uint32_t slack, shift;
};

static void scene_out(const struct scene *s, struct card out[GM_LADDER_RUNGS],
                      struct gm_ladder_frame *frame)
{
    frame->in = s->in.surface;
    for (uint32_t i = 0; i < s->params.rungs; i++) {
        const struct gm_ladder_rung *r = &s->params.rung[i];
        card_init(&out[i], r->width_px, r->height_px, r->deep, s->slack, s->shift);
        frame->out[i] = out[i].surface;
    }
}

static void scene_init(struct scene *s, uint64_t *random)
{
    struct gm_err err;
    struct gm_ladder_frame frame = {0};
    for (size_t i = 0; i < 3 * MARK_MAX; i++) {
        s->image[i] = (uint16_t)card_random(random, 1100);
    }
    for (size_t i = 0; i < MARK_MAX; i++) {
        uint32_t r = card_random(random, 512);
        s->alpha[i] = (uint8_t)(r < 100 ? 0 : r < 200 ? 255 : r);
    }
    for (uint32_t i = 0; i < s->params.rungs; i++) {
        s->mark[i].luma = s->image;
        s->mark[i].blue = s->image + MARK_MAX;
        s->mark[i].red = s->image + 2 * MARK_MAX;
        s->mark[i].alpha = s->alpha;
        s->params.rung[i].mark = s->mark[i].width_px > 0 ? &s->mark[i] : NULL;
    }
    card_init(&s->in, s->params.width_px, s->params.height_px, s->params.deep, s->slack, s->shift);
    card_noise(&s->in, random);
    scene_out(s, s->want, &frame);
    assert_int_equal(gm_ladder_create(&s->params, &s->ladder, &err), 0);
    assert_int_equal(gm_ladder_check(s->ladder, &frame, &err), 0);
    assert_int_equal(gm_reference_ladder(&s->params, &frame, &err), 0);
}

static void scene_fini(struct scene *s)
{
    card_fini(&s->in);
    for (uint32_t i = 0; i < s->params.rungs; i++) {
        card_fini(&s->want[i]);
    }
    gm_ladder_destroy(&s->ladder);
}

enum mode { ONE_THREAD, FORWARD, BACKWARD };

/* The kernel gives what the reference gives, in every byte; gaps and guards are untouched. */
static bool scene_same(const struct scene *s, enum mode mode, int drop)
{
    struct card out[GM_LADDER_RUNGS];
    struct gm_ladder_frame frame = {0};
    scene_out(s, out, &frame);
    size_t size = 0;
    struct gm_ladder_args args = {(uintptr_t)gm_ladder_plan(s->ladder, &size), (uintptr_t)&frame};
    struct gm_launch launch = gm_ladder_launch(s->ladder, 1);
    struct gm_err err;
    bool same = true;
    if (mode == ONE_THREAD) {
        assert_int_equal(gm_twin_run(&launch, &args, &err), 0);
    } else {
        struct fibers_how how = {.backward = mode == BACKWARD, .drop = drop};
        assert_int_equal(fibers_run(&launch, &args, &how), FIBERS_OK);
    }
    for (uint32_t i = 0; i < s->params.rungs; i++) {
        same = same && card_equal(&out[i], &s->want[i]);
        card_fini(&out[i]);
    }
    return same;
}

static void check_scene(struct scene *s, uint64_t *random, bool fibers)
{
    scene_init(s, random);
    assert_true(scene_same(s, ONE_THREAD, 0));
    if (fibers && FIBERS_WORK) {
        assert_true(scene_same(s, FORWARD, 0));
        assert_true(scene_same(s, BACKWARD, 0));
    }
    scene_fini(s);
}

static void every_small_size_is_exact(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (uint32_t in = 0; in < 49; in++) {
        struct scene s = {.params = {.width_px = 2 + in % 7, .height_px = 2 + in / 7, .rungs = 4}};
        s.params.deep = in % 2 == 1;
        s.params.turns = in % 4;
        s.params.mirror = in % 3 == 0;
        for (uint32_t i = 0; i < 4; i++) {
            s.params.rung[i] = (struct gm_ladder_rung){
                2 + card_random(&random, 8), 2 + card_random(&random, 8), i % 2 == 1, NULL};
        }
        s.slack = 2 * card_random(&random, 9);
        check_scene(&s, &random, in % 5 == 0);
    }
}

static void random_scene(struct scene *s, uint64_t *random)
{
    struct gm_ladder_params *p = &s->params;
    p->width_px = 2 + card_random(random, 120);
    p->height_px = 2 + card_random(random, 70);
    p->deep = card_random(random, 2) == 1;
    p->turns = card_random(random, 4);
    p->mirror = card_random(random, 2) == 1;
    p->chroma_x2 = card_random(random, 2);
    p->chroma_y2 = card_random(random, 2);
    if (card_random(random, 2) == 1) {
        p->crop_x_px = card_random(random, (p->width_px - 1 + 1) / 2) * 2;
        p->crop_y_px = card_random(random, (p->height_px - 1 + 1) / 2) * 2;
        uint32_t w = p->width_px - p->crop_x_px, h = p->height_px - p->crop_y_px;
        p->crop_x_px = w < 2 ? 0 : p->crop_x_px;
        p->crop_y_px = h < 2 ? 0 : p->crop_y_px;
        w = p->width_px - p->crop_x_px;
        h = p->height_px - p->crop_y_px;
        p->crop_width_px = 2 + card_random(random, w - 1);
        p->crop_height_px = 2 + card_random(random, h - 1);
    }
    p->rungs = 1 + card_random(random, 3);
    for (uint32_t i = 0; i < p->rungs; i++) {
        struct gm_ladder_rung *r = &p->rung[i];
        *r = (struct gm_ladder_rung){5 + card_random(random, 90), 5 + card_random(random, 50),
                                     card_random(random, 2) == 1, NULL};
        if (i == 0 && card_random(random, 2) == 1) { /* the size it has */
            uint32_t w = p->crop_width_px > 0 ? p->crop_width_px : p->width_px;
            uint32_t h = p->crop_height_px > 0 ? p->crop_height_px : p->height_px;
            r->width_px = p->turns % 2 == 0 ? w : h;
            r->height_px = p->turns % 2 == 0 ? h : w;
        }
        if (card_random(random, 2) == 1) {
            s->mark[i].x_px = card_random(random, (r->width_px + 1) / 2) * 2;
            s->mark[i].y_px = card_random(random, (r->height_px + 1) / 2) * 2;
            s->mark[i].width_px = 1 + card_random(random, 40);
            s->mark[i].height_px = 1 + card_random(random, 40);
        }
    }
    s->slack = card_random(random, 12) * 2;
    s->shift = card_random(random, 4) * 2;
    /* 8-bit surfaces may lie anywhere. */
    if (!p->deep && !p->rung[0].deep && !p->rung[1].deep && !p->rung[2].deep) {
        s->slack = card_random(random, 30);
        s->shift = card_random(random, 9);
    }
}

static void every_shape_is_exact(void **state)
{
    (void)state;
    uint64_t random = 12345;
    for (int i = 0; i < 120; i++) {
        struct scene s = {0};
        random_scene(&s, &random);
        check_scene(&s, &random, i % 8 == 0);
    }
}

static void tiles_and_borders_are_exact(void **state)
{
    (void)state;
    uint64_t random = 99;
    /* More than a tile each way, the widest ratio, and marks over tile borders. */
    struct scene a = {.params = {.width_px = 301, .height_px = 99, .rungs = 3}};
    a.params.rung[0] = (struct gm_ladder_rung){301, 99, false, NULL};
    a.params.rung[1] = (struct gm_ladder_rung){150, 50, false, NULL};
    a.params.rung[2] = (struct gm_ladder_rung){10, 4, false, NULL};
    for (int i = 0; i < 3; i++) {
        a.mark[i] = (struct gm_ladder_mark){
            .x_px = i < 2 ? 40 : 6, .y_px = i < 2 ? 10 : 0, .width_px = 79, .height_px = 33};
    }
    check_scene(&a, &random, true);
    struct scene b = {.params = {.width_px = 256, .height_px = 64, .deep = true, .rungs = 2}};
    b.params.rung[0] = (struct gm_ladder_rung){8, 2, true, NULL};
    b.params.rung[1] = (struct gm_ladder_rung){129, 67, false, NULL};
    check_scene(&b, &random, true);
}

static void a_missing_barrier_is_seen(void **state)
{
    (void)state;
    if (!FIBERS_DIRT) {
        print_message("SKIPPED here: a missing barrier (sanitizers refuse what this test does)\n");
        skip();
    }
    uint64_t random = 5;
    struct scene s = {.params = {.width_px = 64, .height_px = 48, .rungs = 1}};
    s.params.rung[0] = (struct gm_ladder_rung){32, 24, false, NULL};
    scene_init(&s, &random);
    assert_false(scene_same(&s, FORWARD, 1));
    assert_false(scene_same(&s, BACKWARD, 1));
    assert_true(scene_same(&s, FORWARD, 0));
    scene_fini(&s);
}

static void several_pictures_in_one_launch(void **state)
{
    (void)state;
    uint64_t random = 77;
    struct scene s = {.params = {.width_px = 50, .height_px = 30, .rungs = 2}};
    s.params.rung[0] = (struct gm_ladder_rung){25, 15, false, NULL};
    s.params.rung[1] = (struct gm_ladder_rung){50, 30, true, NULL};
    scene_init(&s, &random);
    struct gm_ladder_frame frames[3];
    struct card out[3][GM_LADDER_RUNGS];
    for (int i = 0; i < 3; i++) {
        scene_out(&s, out[i], &frames[i]);
    }
    size_t size = 0;
    struct gm_ladder_args args = {(uintptr_t)gm_ladder_plan(s.ladder, &size), (uintptr_t)frames};
    struct gm_launch launch = gm_ladder_launch(s.ladder, 3);
    struct gm_err err;
    assert_int_equal(gm_twin_run(&launch, &args, &err), 0);
    for (int i = 0; i < 3; i++) {
        assert_true(card_equal(&out[i][0], &s.want[0]));
        assert_true(card_equal(&out[i][1], &s.want[1]));
        card_fini(&out[i][0]);
        card_fini(&out[i][1]);
    }
    scene_fini(&s);
}

/* Turns, by a picture whose corners differ. */
static void turns_are_clockwise(void **state)
{
    (void)state;
    static const uint8_t want[8][4] = {
        {10, 20, 30, 40}, {30, 10, 40, 20}, {40, 30, 20, 10}, {20, 40, 10, 30},
        {20, 10, 40, 30}, {10, 30, 20, 40}, {30, 40, 10, 20}, {40, 20, 30, 10},
    };
    for (uint32_t i = 0; i < 8; i++) {
        uint8_t in[4] = {10, 20, 30, 40}, pair[2] = {128, 128}, out[4], out_pair[2];
        struct gm_ladder_params p = {
            .width_px = 2, .height_px = 2, .turns = i % 4, .mirror = i >= 4, .rungs = 1};
        p.chroma_x2 = p.chroma_y2 = 1;
        p.rung[0] = (struct gm_ladder_rung){2, 2, false, NULL};
        struct gm_ladder *l = NULL;
        struct gm_err err;
        assert_int_equal(gm_ladder_create(&p, &l, &err), 0);
        struct gm_ladder_frame f = {{{(uintptr_t)in, (uintptr_t)pair}, {2, 2}},
                                    {{{(uintptr_t)out, (uintptr_t)out_pair}, {2, 2}}}};
        size_t size = 0;
        struct gm_ladder_args args = {(uintptr_t)gm_ladder_plan(l, &size), (uintptr_t)&f};
        struct gm_launch launch = gm_ladder_launch(l, 1);
        assert_int_equal(gm_twin_run(&launch, &args, &err), 0);
        assert_memory_equal(out, want[i], 4);
        gm_ladder_destroy(&l);
    }
}

/* A zone plate: frequency grows with the place, to the source's limit at its right and lower ends.
 * What lies above the limit of the rung must be gone; 84.9 would be all of it. */
static double aliasing(uint32_t in_w, uint32_t in_h, uint32_t out_w, uint32_t out_h)
{
    struct card in, out;
    card_init(&in, in_w, in_h, false, 0, 0);
    card_init(&out, out_w, out_h, false, 0, 0);
    memset(in.memory[1], 128, in.size[1]);
    uint8_t *luma = (uint8_t *)(uintptr_t)in.surface.plane[0];
    for (uint32_t y = 0; y < in_h; y++) {
        for (uint32_t x = 0; x < in_w; x++) {
            double phase = (double)x * x / (2.0 * in_w) + (double)y * y / (2.0 * in_h);
            luma[y * in_w + x] = (uint8_t)lround(128 + 120 * cos(3.14159265358979 * phase));
        }
    }
    struct gm_ladder_params p = {.width_px = in_w, .height_px = in_h, .rungs = 1};
    p.rung[0] = (struct gm_ladder_rung){out_w, out_h, false, NULL};
    struct gm_ladder *l = NULL;
    struct gm_err err;
    assert_int_equal(gm_ladder_create(&p, &l, &err), 0);
    struct gm_ladder_frame f = {in.surface, {out.surface}};
    size_t size = 0;
    struct gm_ladder_args args = {(uintptr_t)gm_ladder_plan(l, &size), (uintptr_t)&f};
    struct gm_launch launch = gm_ladder_launch(l, 1);
    assert_int_equal(gm_twin_run(&launch, &args, &err), 0);
    const uint8_t *got = (const uint8_t *)(uintptr_t)out.surface.plane[0];
    double sum = 0, count = 0;
    for (uint32_t y = 0; y < out_h; y++) {
        for (uint32_t x = 0; x < out_w; x++) {
            /* Of the source's limit; the rung's is out / in. */
            double fx = (x + 0.5) / out_w, fy = (y + 0.5) / out_h;
            if (fx * in_w / out_w > 1.25 || fy * in_h / out_h > 1.25) {
                sum += (got[y * out_w + x] - 128.0) * (got[y * out_w + x] - 128.0);
                count++;
            }
        }
    }
    gm_ladder_destroy(&l);
    card_fini(&in);
    card_fini(&out);
    return sqrt(sum / count);
}

static void what_a_rung_cannot_hold_is_gone(void **state)
{
    (void)state;
    double third = aliasing(960, 540, 320, 180), half = aliasing(960, 540, 480, 270);
    double other = aliasing(960, 540, 640, 360);
    print_message("zone plate: rms above the limit of a third %.2f, a half %.2f, two thirds %.2f\n",
                  third, half, other);
    assert_true(third < 2);
    assert_true(half < 3);
    assert_true(other < 5);
}

static void refuse(struct gm_ladder_params p)
{
    struct gm_ladder *l = (struct gm_ladder *)(void *)&p;
    struct gm_err err = {0};
    assert_int_equal(gm_ladder_create(&p, &l, &err), -GM_E_INVAL);
    assert_ptr_equal(l, &p);
    assert_true(err.text[0] != '\0');
}

static void what_is_out_of_range_is_refused(void **state)
{
    (void)state;
    uint16_t v[4] = {0};
    uint8_t a[4] = {0};
    struct gm_ladder_mark mark = {0, 0, 2, 2, v, v, v, a};
    const struct gm_ladder_params good = {
        .width_px = 64, .height_px = 64, .rungs = 1, .rung = {{32, 32, false, &mark}}};
    struct gm_ladder_params p = good;
    struct gm_ladder *l = NULL;
    struct gm_err err;
    assert_int_equal(gm_ladder_create(&good, &l, &err), 0);
    struct gm_ladder_frame f = {{{16, 16}, {64, 64}}, {{{16, 16}, {32, 32}}}};
    assert_int_equal(gm_ladder_check(l, &f, &err), 0);
    f.out[0].stride[1] = 31;
    assert_int_equal(gm_ladder_check(l, &f, &err), -GM_E_INVAL);
    f.out[0].stride[1] = 32;
    f.in.plane[0] = 0;
    assert_int_equal(gm_ladder_check(l, &f, &err), -GM_E_INVAL);
    gm_ladder_destroy(&l);
    gm_ladder_destroy(&l);
#define BAD(what)                                                                                  \
    p = good;                                                                                      \
    what;                                                                                          \
    refuse(p)
    BAD(p.width_px = 1);
    BAD(p.height_px = 16385);
    BAD(p.rungs = 0);
    BAD(p.rungs = GM_LADDER_RUNGS + 1);
    BAD(p.turns = 4);
    BAD(p.chroma_x2 = 2);
    BAD(p.crop_x_px = 1);
    BAD(p.crop_x_px = 64);
    BAD(p.crop_width_px = 65);
    BAD(p.crop_height_px = 1);
    BAD(p.rung[0].width_px = 1);
    BAD(p.width_px = 32 * 32 + 1);
    BAD(mark.x_px = 1);
    mark.x_px = 0;
    BAD(mark.y_px = 32);
    mark.y_px = 0;
    BAD(mark.width_px = 0);
    mark.width_px = 2;
    BAD(mark.alpha = NULL);
#undef BAD
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_small_size_is_exact),
        cmocka_unit_test(every_shape_is_exact),
        cmocka_unit_test(tiles_and_borders_are_exact),
        cmocka_unit_test(a_missing_barrier_is_seen),
        cmocka_unit_test(several_pictures_in_one_launch),
        cmocka_unit_test(turns_are_clockwise),
        cmocka_unit_test(what_a_rung_cannot_hold_is_gone),
        cmocka_unit_test(what_is_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
