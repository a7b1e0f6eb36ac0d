#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/picture/ladder.h"

static const uint32_t usual[] = {1080, 720, 480, 360, 240};

static void facts(Gm__VideoFacts *v, Gm__Rational *sar, uint32_t w, uint32_t h, AVRational aspect,
                  int32_t turn)
{
    gm__video_facts__init(v);
    gm__rational__init(sar);
    sar->num = aspect.num;
    sar->den = aspect.den;
    v->sample_aspect = sar;
    v->width_px = w;
    v->height_px = h;
    v->rotation_deg = turn;
}

static void rungs_fit_into_the_picture_as_shown(void **state)
{
    static const struct {
        uint32_t w, h;
        AVRational sar;
        int32_t turn;
        size_t count;
        uint32_t first_w, first_h, last_w, last_h;
    } rows[] = {
        {1920, 1080, {1, 1}, 0, 5, 1920, 1080, 426, 240},
        {1920, 1080, {1, 1}, 90, 5, 1080, 1920, 240, 426},
        {3840, 2160, {1, 1}, 0, 5, 1920, 1080, 426, 240},
        {1280, 720, {1, 1}, 0, 4, 1280, 720, 426, 240},
        {1920, 800, {1, 1}, 0, 4, 1728, 720, 576, 240},
        {704, 480, {10, 11}, 0, 3, 640, 480, 320, 240}, /* 704x528 when widened by lines */
        {640, 360, {2, 1}, 0, 2, 1280, 360, 854, 240},
        {161, 121, {1, 1}, 0, 1, 160, 120, 160, 120},
        {320, 213, {1, 1}, 0, 1, 320, 212, 320, 212},
        {16, 16, {1, 1}, 0, 1, 16, 16, 16, 16},
        {854, 480, {1280, 1281}, 0, 3, 854, 480, 426, 240},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__VideoFacts v;
        Gm__Rational sar;
        struct gm_rung r[GM_LADDER_MAX];
        struct gm_err err;
        size_t n = 0;
        facts(&v, &sar, rows[i].w, rows[i].h, rows[i].sar, rows[i].turn);
        assert_int_equal(gm_ladder_make(&v, usual, 5, (AVRational){25, 1}, r, &n, &err), 0);
        assert_int_equal(n, rows[i].count);
        assert_int_equal(r[0].width_px, rows[i].first_w);
        assert_int_equal(r[0].height_px, rows[i].first_h);
        assert_int_equal(r[n - 1].width_px, rows[i].last_w);
        assert_int_equal(r[n - 1].height_px, rows[i].last_h);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(r[k].width_px % 2 + r[k].height_px % 2, 0);
        }
    }
}

static void caps_follow_the_table(void **state)
{
    static const int64_t bps[] = {5000000, 2800000, 1400000, 800000, 400000};
    Gm__VideoFacts v;
    Gm__Rational sar;
    struct gm_rung r[GM_LADDER_MAX];
    struct gm_err err;
    size_t n;
    (void)state;
    facts(&v, &sar, 1920, 1080, (AVRational){1, 1}, 0);
    assert_int_equal(gm_ladder_make(&v, usual, 5, (AVRational){30, 1}, r, &n, &err), 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(r[i].maxrate_bps, bps[i]);
    }
    assert_int_equal(gm_ladder_make(&v, usual, 5, (AVRational){60000, 1001}, r, &n, &err), 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(r[i].maxrate_bps, bps[i] * 3 / 2);
    }
    /* between two rows: between their caps */
    int64_t middle = gm_ladder_rate(960 * 540, (AVRational){25, 1});
    assert_in_range(middle, 1400001, 2799999);
    assert_int_equal(gm_ladder_rate(100, (AVRational){25, 1}), 64000);
    assert_int_equal(gm_ladder_rate(UINT64_MAX, (AVRational){25, 1}), 40000000);
}

static void odd_lists_are_put_right_or_refused(void **state)
{
    static const uint32_t mixed[] = {240, 0, 721, 720, 240};
    uint32_t many[GM_LADDER_MAX + 1] = {0};
    Gm__VideoFacts v;
    Gm__Rational sar;
    struct gm_rung r[GM_LADDER_MAX];
    struct gm_err err;
    size_t n = 77;
    (void)state;
    facts(&v, &sar, 1920, 1080, (AVRational){1, 1}, 0);
    assert_int_equal(gm_ladder_make(&v, mixed, 5, (AVRational){25, 1}, r, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_int_equal(r[0].short_side, 720);
    assert_int_equal(r[1].short_side, 240);
    n = 77;
    assert_int_equal(gm_ladder_make(&v, many, GM_LADDER_MAX + 1, (AVRational){25, 1}, r, &n, &err),
                     -GM_E_LIMIT);
    facts(&v, &sar, 0, 10, (AVRational){1, 1}, 0);
    assert_int_equal(gm_ladder_make(&v, usual, 5, (AVRational){25, 1}, r, &n, &err), -GM_E_INVAL);
    assert_int_equal(n, 77);
    /* so wide that no rung can hold it */
    facts(&v, &sar, 16000, 240, (AVRational){100, 1}, 0);
    assert_int_equal(gm_ladder_make(&v, usual, 5, (AVRational){25, 1}, r, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(r[0].width_px, 16384);
}

static void tiles_keep_the_shape(void **state)
{
    Gm__VideoFacts v;
    Gm__Rational sar;
    (void)state;
    facts(&v, &sar, 1920, 1080, (AVRational){1, 1}, 0);
    assert_int_equal(gm_ladder_height_for(&v, 160), 90);
    facts(&v, &sar, 1920, 1080, (AVRational){1, 1}, 270);
    assert_int_equal(gm_ladder_height_for(&v, 160), 284);
    facts(&v, &sar, 1600, 16, (AVRational){1, 1}, 0);
    assert_int_equal(gm_ladder_height_for(&v, 160), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rungs_fit_into_the_picture_as_shown),
        cmocka_unit_test(caps_follow_the_table),
        cmocka_unit_test(odd_lists_are_put_right_or_refused),
        cmocka_unit_test(tiles_keep_the_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
