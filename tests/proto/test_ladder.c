#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/ladder.h"

static size_t sides_of(uint32_t width, uint32_t height, int64_t num, int64_t den, int32_t turn,
                       uint32_t out[GM_LADDER_MAX])
{
    static const uint32_t usual[] = {240, 1080, 0, 721, 720, 480, 360, 240};
    Gm__VideoFacts v = GM__VIDEO_FACTS__INIT;
    Gm__Rational aspect = GM__RATIONAL__INIT;
    aspect.num = num;
    aspect.den = den;
    v.sample_aspect = &aspect;
    v.width_px = width;
    v.height_px = height;
    v.rotation_deg = turn;
    return gm_ladder_sides(&v, usual, sizeof usual / sizeof usual[0], out);
}

static void no_side_is_larger_than_the_picture_as_shown(void **state)
{
    static const struct {
        uint32_t w, h;
        int64_t num, den;
        int32_t turn;
        size_t count;
        uint32_t first;
    } rows[] = {
        {1920, 1080, 1, 1, 0, 5, 1080},
        {1920, 1080, 1, 1, 270, 5, 1080},
        {1080, 1920, 1, 1, 0, 5, 1080},
        {1280, 719, 1, 1, 0, 3, 480},
        {640, 360, 2, 1, 0, 2, 360},
        {640, 360, 1, 2, 0, 3, 480}, /* 640x720 when pixels are square */
        {704, 480, 10, 11, 0, 3, 480},
        {1280, 720, 0, 0, 0, 4, 720}, /* unknown: square */
        {16, 16, 1, 1, 0, 0, 0},
        {0, 720, 1, 1, 0, 0, 0},
        {16000, 240, 100, 1, 0, 0, 0}, /* wider than any output */
        {UINT32_MAX, 2, INT32_MAX, 1, 0, 0, 0},
        {UINT32_MAX, UINT32_MAX, INT32_MAX, INT32_MAX, 0, 5, 1080},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t out[GM_LADDER_MAX] = {0};
        assert_int_equal(
            sides_of(rows[i].w, rows[i].h, rows[i].num, rows[i].den, rows[i].turn, out),
            rows[i].count);
        assert_int_equal(out[0], rows[i].first);
        for (size_t k = 0; k < rows[i].count; k++) {
            assert_int_equal(out[k] % 2, 0);
            assert_true(k == 0 || out[k] < out[k - 1]);
        }
    }
}

static void long_lists_are_cut(void **state)
{
    uint32_t many[GM_LADDER_MAX + 4], out[GM_LADDER_MAX];
    Gm__VideoFacts v = GM__VIDEO_FACTS__INIT;
    (void)state;
    v.width_px = v.height_px = 1000;
    for (uint32_t i = 0; i < GM_LADDER_MAX + 4; i++) {
        many[i] = 100 + 2 * i;
    }
    assert_int_equal(gm_ladder_sides(&v, many, GM_LADDER_MAX + 4, out), GM_LADDER_MAX);
    assert_int_equal(out[0], many[GM_LADDER_MAX - 1]);
    assert_int_equal(gm_ladder_sides(&v, many, 0, out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_side_is_larger_than_the_picture_as_shown),
        cmocka_unit_test(long_lists_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
