#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "kernels/reference.h"
#include "media/picture/score.h"

#define W 64
#define H 36
#define STRIDE (W + 5)

static const struct gm_score_size size = {W, H};
static const struct gm_luma none = {NULL, 0};

struct plane {
    uint8_t samples[STRIDE * H];
};

static struct gm_luma paint(struct plane *p, int (*at)(int x, int y))
{
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            p->samples[y * STRIDE + x] = (uint8_t)at(x, y);
        }
    }
    return (struct gm_luma){p->samples, STRIDE};
}

static uint32_t score_of(int (*at)(int x, int y))
{
    static struct plane p;
    struct gm_score_sums sums;
    gm_score_count(size, none, paint(&p, at), none, &sums);
    return gm_score(size, &sums);
}

static uint32_t settle(uint32_t score, struct gm_luma before, struct gm_luma now,
                       struct gm_luma after)
{
    struct gm_score_sums sums;
    const struct gm_score_around around = {before.samples != NULL, after.samples != NULL};
    gm_score_count(size, before, now, after, &sums);
    return gm_score_settle(score, size, around, &sums);
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

static uint32_t score_small(const uint8_t *samples, uint32_t w, uint32_t h)
{
    const struct gm_score_size small = {w, h};
    struct gm_score_sums sums;
    gm_score_count(small, none, (struct gm_luma){samples, (ptrdiff_t)w}, none, &sums);
    return gm_score(small, &sums);
}

static void the_formula_is_fixed(void **state)
{
    (void)state;
    /* 2x2: one gradient of 10 across and 20 down: e = 500; 500 * 400 * 256 / 900; near-uniform: /
     * 64 */
    const uint8_t tiny[4] = {100, 110, 120, 0};
    assert_int_equal(score_small(tiny, 2, 2), 56888 / 64);
    /* 3x2: gradients 100,50 and -100,50: e = 12500; variance 2500 */
    const uint8_t wide[6] = {100, 200, 100, 150, 150, 0};
    assert_int_equal(score_small(wide, 3, 2), 12500 * 400 * 256ull / 12900);
}

static void what_lies_around_a_picture_counts(void **state)
{
    (void)state;
    static struct plane planes[5];
    struct gm_luma s = paint(&planes[0], sharp), o = paint(&planes[1], other);
    struct gm_luma half = paint(&planes[2], half_way), w = paint(&planes[3], white);
    struct gm_luma m = paint(&planes[4], moved);
    assert_int_equal(settle(1000, none, s, none), 1000);
    assert_int_equal(settle(1000, s, s, s), 1000);
    assert_int_equal(settle(1000, none, s, s), 1000);
    /* just before and just after a cut: the picture itself is whole */
    assert_int_equal(settle(1000, s, s, o), 1000);
    assert_int_equal(settle(1000, o, s, s), 1000);
    /* in motion */
    assert_true(settle(1000, m, s, o) < 200);
    assert_true(settle(1000, m, s, none) < 200);
    /* half-way of a cross-fade: motion alone would cost less */
    uint32_t fade = settle(8000, s, half, o);
    assert_true(fade > 0);
    assert_true(fade < 8 * settle(1000, s, half, none) / 4);
    /* a flash */
    assert_true(settle(8000, s, w, s) < 8 * settle(1000, s, w, none) / 4);
    assert_int_equal(settle(0, s, w, s), 0);
}

static int rough(int x, int y)
{
    return (x * 37 + y * 101 + x * y * 7) % 256;
}
static int inverse(int x, int y)
{
    return 255 - rough(x, y);
}

/* What the processor counts is what the kernel's reference does. */
static void sums_are_the_kernels(void **state)
{
    (void)state;
    static struct plane planes[3];
    const struct gm_luma now = paint(&planes[0], rough), before = paint(&planes[1], inverse),
                         after = paint(&planes[2], sharp);
    for (uint32_t w = 2; w <= W; w += 3) {
        for (int around = 0; around < 4; around++) {
            const struct gm_score_size part = {w, 2 + w / 2};
            const struct gm_luma b = around & 1 ? before : none, a = around & 2 ? after : none;
            const struct gm_score_args args = {.width = w, .height = 2 + w / 2};
            const struct gm_score_frame f = {.luma = (uintptr_t)now.samples,
                                             .before = (uintptr_t)b.samples,
                                             .after = (uintptr_t)a.samples,
                                             .stride = STRIDE,
                                             .before_stride = STRIDE,
                                             .after_stride = STRIDE};
            struct gm_score_sums got, want;
            gm_score_count(part, b, now, a, &got);
            gm_reference_score(&args, &f, &want);
            assert_memory_equal(&got, &want, sizeof want);
        }
    }
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
        cmocka_unit_test(sums_are_the_kernels),
        cmocka_unit_test(what_lies_around_a_picture_counts),
        cmocka_unit_test(the_middle_of_the_programme_is_preferred),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
