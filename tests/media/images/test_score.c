#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "media/images/score.h"

#define W 64
#define H 36

static void paint(struct gm_luma *l, int (*at)(int x, int y))
{
    static uint8_t plane[(W + 5) * H];
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            plane[y * (W + 5) + x] = (uint8_t)at(x, y);
        }
    }
    assert_true(gm_luma_take(l, plane, W + 5, W, H, 8));
}

static uint32_t score_of(int (*at)(int x, int y))
{
    struct gm_luma l = {0};
    paint(&l, at);
    uint32_t score = gm_score(&l);
    gm_luma_fini(&l);
    return score;
}

static int black(int x, int y)
{
    (void)x;
    (void)y;
    return 0;
}
static int white(int x, int y)
{
    (void)x;
    (void)y;
    return 255;
}
static int grey(int x, int y)
{
    return 128 + (x + y) % 2;
}
static int sharp(int x, int y)
{
    return (x / 4 + y / 4) % 2 ? 190 : 70;
}
static int other(int x, int y)
{
    return (x / 3 + y / 5) % 2 ? 60 : 170;
}
static int blurred(int x, int y)
{
    return 70 + (x + y);
}
static int dark_sharp(int x, int y)
{
    return sharp(x, y) / 8;
}
static int bright_sharp(int x, int y)
{
    return 255 - dark_sharp(x, y);
}
/* text on black: strong edges in one corner */
static int title(int x, int y)
{
    return x < 12 && y < 12 && (x + y) % 2 ? 255 : 0;
}
static int half_way(int x, int y)
{
    return (sharp(x, y) + other(x, y)) / 2;
}
static int moved(int x, int y)
{
    return sharp(x + 4, y);
}

static void better_pictures_score_higher(void **state)
{
    (void)state;
    assert_int_equal(score_of(black), 0);
    assert_int_equal(score_of(white), 0);
    assert_true(score_of(sharp) > 10 * score_of(blurred));
    assert_true(score_of(blurred) > score_of(grey));
    assert_true(score_of(sharp) > 20 * score_of(dark_sharp));
    assert_true(score_of(sharp) > 20 * score_of(bright_sharp));
    assert_true(score_of(sharp) > 20 * score_of(title));
    assert_true(score_of(sharp) < GM_SCORE_MAX);
}

static void the_formula_is_fixed(void **state)
{
    (void)state;
    struct gm_luma l = {0};
    /* 2x2: one gradient of 10 across and 20 down: e = 500; 500 * 400 * 256 / 900; near-uniform: /
     * 64 */
    const uint8_t tiny[4] = {100, 110, 120, 0};
    assert_true(gm_luma_take(&l, tiny, 2, 2, 2, 8));
    assert_int_equal(gm_score(&l), 56888 / 64);
    /* 3x2: gradients 100,50 and -100,50: e = 12500; variance 2500 */
    const uint8_t wide[6] = {100, 200, 100, 150, 150, 0};
    assert_true(gm_luma_take(&l, wide, 3, 3, 2, 8));
    assert_int_equal(gm_score(&l), 12500 * 400 * 256ull / 12900);
    gm_luma_fini(&l);
}

static void pictures_too_small_score_nothing(void **state)
{
    (void)state;
    const uint8_t luma[4] = {0, 255, 0, 255};
    struct gm_luma l = {0};
    assert_true(gm_luma_take(&l, luma, 4, 4, 1, 8));
    assert_int_equal(gm_score(&l), 0);
    assert_true(gm_luma_take(&l, luma, 1, 1, 4, 8));
    assert_int_equal(gm_score(&l), 0);
    assert_true(gm_luma_take(&l, luma, 0, 0, 0, 8));
    assert_int_equal(gm_score(&l), 0);
    gm_luma_fini(&l);
}

static void large_and_deep_planes_are_averaged(void **state)
{
    (void)state;
    struct gm_luma l = {0};
    const uint32_t w = 1290;
    const uint32_t h = 8;
    uint8_t *plane = calloc(w * h, 2);
    for (uint32_t i = 0; i < w * h; i++) {
        plane[i] = (uint8_t)(i % w % 3 == 0 ? 30 : 60); /* blocks of 3x3: 50 */
    }
    assert_true(gm_luma_take(&l, plane, w, w, h, 8));
    assert_int_equal(l.width_px, 430);
    assert_int_equal(l.height_px, 2);
    for (int i = 0; i < 860; i++) {
        assert_int_equal(l.data[i], 50);
    }
    /* 10 bits: 0x3ff is 255, 0x0c8 is 50 */
    for (uint32_t i = 0; i < 16; i++) {
        plane[2 * i] = i % 2 != 0 ? 0xff : 0xc8;
        plane[2 * i + 1] = i % 2 != 0 ? 3 : 0;
    }
    assert_true(gm_luma_take(&l, plane, 8, 4, 4, 10));
    assert_int_equal(l.width_px, 4);
    assert_int_equal(l.data[0], 50);
    assert_int_equal(l.data[1], 255);
    assert_int_equal(l.data[15], 255);
    /* a strip */
    assert_true(gm_luma_take(&l, plane, 1, 1, 1300, 8));
    assert_int_equal(l.width_px, 1);
    assert_int_equal(l.height_px, 433);
    free(plane);
    gm_luma_fini(&l);
}

static void what_lies_around_a_picture_counts(void **state)
{
    (void)state;
    struct gm_luma s = {0}, o = {0}, half = {0}, w = {0}, m = {0};
    paint(&s, sharp);
    paint(&o, other);
    paint(&half, half_way);
    paint(&w, white);
    paint(&m, moved);
    assert_int_equal(gm_score_settle(1000, NULL, &s, NULL), 1000);
    assert_int_equal(gm_score_settle(1000, &s, &s, &s), 1000);
    assert_int_equal(gm_score_settle(1000, NULL, &s, &s), 1000);
    /* just before and just after a cut: the picture itself is whole */
    assert_int_equal(gm_score_settle(1000, &s, &s, &o), 1000);
    assert_int_equal(gm_score_settle(1000, &o, &s, &s), 1000);
    /* in motion */
    assert_true(gm_score_settle(1000, &m, &s, &o) < 200);
    assert_true(gm_score_settle(1000, &m, &s, NULL) < 200);
    /* half-way of a cross-fade: motion alone would cost less */
    uint32_t fade = gm_score_settle(8000, &s, &half, &o);
    assert_true(fade > 0);
    assert_true(fade < 8 * gm_score_settle(1000, &s, &half, NULL) / 4);
    /* a flash */
    assert_true(gm_score_settle(8000, &s, &w, &s) < 8 * gm_score_settle(1000, &s, &w, NULL) / 4);
    assert_int_equal(gm_score_settle(0, &s, &w, &s), 0);
    gm_luma_fini(&s);
    gm_luma_fini(&o);
    gm_luma_fini(&half);
    gm_luma_fini(&w);
    gm_luma_fini(&m);
}

static void the_middle_of_the_programme_is_preferred(void **state)
{
    (void)state;
    assert_int_equal(gm_score_place(1000, 0, 900), 500);
    assert_int_equal(gm_score_place(1000, 44, 900), 500);
    assert_int_equal(gm_score_place(1000, 45, 900), 750);
    assert_int_equal(gm_score_place(1000, 300, 900), 1000);
    assert_int_equal(gm_score_place(1000, 600, 900), 1000);
    assert_int_equal(gm_score_place(1001, 601, 900), 750);
    assert_int_equal(gm_score_place(1000, 855, 900), 750);
    assert_int_equal(gm_score_place(1000, 856, 900), 500);
    assert_int_equal(gm_score_place(GM_SCORE_MAX, INT64_MAX, INT64_MAX), GM_SCORE_MAX / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(better_pictures_score_higher),
        cmocka_unit_test(the_formula_is_fixed),
        cmocka_unit_test(pictures_too_small_score_nothing),
        cmocka_unit_test(large_and_deep_planes_are_averaged),
        cmocka_unit_test(what_lies_around_a_picture_counts),
        cmocka_unit_test(the_middle_of_the_programme_is_preferred),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
