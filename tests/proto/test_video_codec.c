#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "proto/video_codec.h"

static void tables_are_whole_and_levels_rise(void **state)
{
    (void)state;
    for (size_t i = 0; gm_video_codecs[i] != NULL; i++) {
        const struct gm_video_codec *c = gm_video_codecs[i];
        assert_ptr_equal(gm_video_codec_find(c->name), c);
        assert_true(c->default_crf > 0 && c->default_crf < c->max_crf);
        assert_true(c->unit_px >= 1 && c->cap_percent >= 1 && c->cap_percent <= 100);
        assert_non_null(c->profiles[0].name);
        int before = 0;
        for (const struct gm_video_level *l = c->levels; l->name != NULL; l++) {
            assert_true(gm_video_level_number(l) > before);
            before = gm_video_level_number(l);
            assert_ptr_equal(gm_video_level_find(c, l->name), l);
            if (l != c->levels) {
                assert_true(l->max_picture >= l[-1].max_picture);
                assert_true(l->max_rate >= l[-1].max_rate && l->max_bps >= l[-1].max_bps);
                assert_true(l->max_width_px >= l[-1].max_width_px);
            }
        }
        assert_true(before >= 62);
    }
    assert_null(gm_video_codec_find("vp8"));
    assert_null(gm_video_codec_find(""));
}

static void levels_have_two_spellings(void **state)
{
    const struct gm_video_codec *h264 = gm_video_codec_find("h264");
    const struct gm_video_codec *av1 = gm_video_codec_find("av1");
    static const char *const wrong[] = {"", "4.4", "41", "4.", "4.10", "0", "a", "4x"};
    (void)state;
    assert_ptr_equal(gm_video_level_find(h264, "4"), gm_video_level_find(h264, "4.0"));
    assert_ptr_equal(gm_video_level_find(av1, "4"), gm_video_level_find(av1, "4.0"));
    assert_int_equal(gm_video_level_number(gm_video_level_find(av1, "4")), 40);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_null(gm_video_level_find(h264, wrong[i]));
    }
    assert_null(gm_video_profile_find(h264, "main10"));
    assert_int_equal(gm_video_profile_find(h264, "high10")->bit_depths, 10);
}

static void the_lowest_level_that_holds_is_found(void **state)
{
    static const struct {
        const char *codec, *level;
        uint32_t width, height;
        int64_t num, den, bps;
    } rows[] = {
        {"h264", "4", 1920, 1080, 30, 1, 5000000}, /* 8160 macroblocks of 8192 */
        {"h264", "4.2", 1920, 1080, 60, 1, 5000000},
        {"h264", "4.1", 1920, 1080, 30, 1, 20000001},
        {"h264", "3.1", 1280, 720, 30000, 1001, 2800000},
        {"h264", "3.2", 1280, 720, 31, 1, 2800000},
        {"hevc", "4", 1920, 1080, 30, 1, 0},
        {"hevc", "2", 426, 240, 30, 1, 280000},
        {"hevc", "5", 1920, 1080, 30, 1, 21000000},
        {"av1", "2.0", 426, 240, 30, 1, 0},
        {"av1", "5.0", 6146, 64, 30, 1, 0}, /* too wide for 4.1 */
        {"vp9", "3.1", 1280, 720, 30, 1, 0},
        {"vp9", "1", 256, 144, 20, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct gm_video_codec *c = gm_video_codec_find(rows[i].codec);
        const struct gm_video_level *l = gm_video_level_lowest(
            c, rows[i].width, rows[i].height, rows[i].num, rows[i].den, rows[i].bps);
        assert_non_null(l);
        assert_string_equal(l->name, rows[i].level);
    }
    assert_null(gm_video_level_lowest(gm_video_codec_find("av1"), 16384, 16384, 30, 1, 0));
    assert_null(gm_video_level_lowest(gm_video_codec_find("vp9"), 1920, 1080, 30, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_whole_and_levels_rise),
        cmocka_unit_test(levels_have_two_spellings),
        cmocka_unit_test(the_lowest_level_that_holds_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
