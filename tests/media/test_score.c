#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "media/score.h"

#define W 64
#define H 36

static uint64_t score_of(int (*at)(int x, int y))
{
    uint8_t luma[(W + 5) * H];
    memset(luma, 77, sizeof luma);
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            luma[y * (W + 5) + x] = (uint8_t)at(x, y);
        }
    }
    return gm_score(luma, W + 5, W, H);
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

static void better_pictures_score_higher(void **state)
{
    (void)state;
    assert_int_equal(score_of(black), 0);
    assert_int_equal(score_of(white), 0);
    assert_true(score_of(sharp) > score_of(blurred));
    assert_true(score_of(blurred) > score_of(grey));
    assert_true(score_of(grey) > score_of(black));
    assert_true(score_of(sharp) > 20 * score_of(dark_sharp));
    assert_true(score_of(sharp) > 20 * score_of(bright_sharp));
}

static void the_formula_is_fixed(void **state)
{
    (void)state;
    /* 2x2: one gradient of 10 across and 20 down: (100 + 400) * 256, near-uniform: / 64 */
    const uint8_t tiny[4] = {100, 110, 120, 0};
    assert_int_equal(gm_score(tiny, 2, 2, 2), 2000);
    /* 3x2: gradients 100,50 and -100,50: 12500 * 256; variance 2500 */
    const uint8_t wide[6] = {100, 200, 100, 150, 150, 0};
    assert_int_equal(gm_score(wide, 3, 3, 2), 12500 * 256);
}

static void pictures_too_small_score_nothing(void **state)
{
    (void)state;
    const uint8_t luma[4] = {0, 255, 0, 255};
    assert_int_equal(gm_score(luma, 4, 4, 1), 0);
    assert_int_equal(gm_score(luma, 1, 1, 4), 0);
    assert_int_equal(gm_score(luma, 0, 0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(better_pictures_score_higher),
        cmocka_unit_test(the_formula_is_fixed),
        cmocka_unit_test(pictures_too_small_score_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
