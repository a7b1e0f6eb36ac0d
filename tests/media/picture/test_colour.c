#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "media/picture/colour.h"

#define U_P AVCOL_PRI_UNSPECIFIED
#define U_T AVCOL_TRC_UNSPECIFIED
#define U_M AVCOL_SPC_UNSPECIFIED
#define U_R AVCOL_RANGE_UNSPECIFIED

static void assert_colour(struct gm_colour got, struct gm_colour want, size_t row)
{
    if (got.primaries != want.primaries || got.transfer != want.transfer ||
        got.matrix != want.matrix || got.range != want.range) {
        fail_msg("row %zu: got %d %d %d %d, not %d %d %d %d", row, got.primaries, got.transfer,
                 got.matrix, got.range, want.primaries, want.transfer, want.matrix, want.range);
    }
}

static void what_is_not_said_is_guessed(void **state)
{
    static const struct {
        struct gm_colour said;
        int width, height;
        enum AVPixelFormat format;
        struct gm_colour want;
    } rows[] = {
        {{U_P, U_T, U_M, U_R}, 1920, 1080, AV_PIX_FMT_YUV420P, {1, 1, 1, 1}},
        {{U_P, U_T, U_M, U_R}, 1280, 534, AV_PIX_FMT_YUV420P, {1, 1, 1, 1}},
        {{U_P, U_T, U_M, U_R}, 720, 1280, AV_PIX_FMT_YUV420P, {1, 1, 1, 1}},
        {{U_P, U_T, U_M, U_R}, 720, 576, AV_PIX_FMT_YUV420P, {5, 6, 5, 1}},
        {{U_P, U_T, U_M, U_R}, 352, 288, AV_PIX_FMT_YUV420P, {5, 6, 5, 1}},
        {{U_P, U_T, U_M, U_R}, 720, 480, AV_PIX_FMT_YUV420P, {6, 6, 6, 1}},
        {{U_P, U_T, U_M, U_R}, 640, 480, AV_PIX_FMT_YUVJ420P, {6, 6, 6, 2}},
        {{U_P, U_T, U_M, AVCOL_RANGE_MPEG}, 640, 480, AV_PIX_FMT_YUVJ420P, {6, 6, 6, 2}},
        {{U_P, U_T, U_M, AVCOL_RANGE_JPEG}, 640, 480, AV_PIX_FMT_YUV420P, {6, 6, 6, 2}},
        {{U_P, U_T, U_M, U_R}, 640, 480, AV_PIX_FMT_RGB24, {1, 1, 0, 2}},
        {{U_P, U_T, U_M, U_R}, 640, 480, AV_PIX_FMT_PAL8, {1, 1, 0, 2}},
        {{U_P, U_T, AVCOL_SPC_BT709, U_R}, 640, 480, AV_PIX_FMT_YUV420P, {1, 1, 1, 1}},
        {{U_P, U_T, AVCOL_SPC_SMPTE170M, U_R}, 1920, 1080, AV_PIX_FMT_YUV420P, {6, 6, 6, 1}},
        {{AVCOL_PRI_BT470BG, U_T, U_M, U_R}, 1920, 1080, AV_PIX_FMT_YUV420P, {5, 6, 5, 1}},
        {{AVCOL_PRI_BT2020, U_T, U_M, U_R}, 640, 480, AV_PIX_FMT_YUV420P10, {9, 14, 9, 1}},
        {{U_P, AVCOL_TRC_SMPTE2084, U_M, U_R}, 640, 480, AV_PIX_FMT_YUV420P10, {9, 16, 9, 1}},
        {{U_P, AVCOL_TRC_ARIB_STD_B67, U_M, U_R}, 640, 480, AV_PIX_FMT_GBRP10, {9, 18, 0, 2}},
        {{U_P, U_T, AVCOL_SPC_RGB, U_R}, 640, 480, AV_PIX_FMT_YUV444P, {6, 6, 6, 1}},
        {{AVCOL_PRI_SMPTE432, U_T, U_M, U_R}, 1920, 1080, AV_PIX_FMT_YUV420P, {12, 1, 1, 1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_colour(
            gm_colour_complete(rows[i].said, rows[i].width, rows[i].height, rows[i].format),
            rows[i].want, i);
    }
}

static void targets_are_what_players_show(void **state)
{
    static const struct {
        struct gm_colour source;
        bool keep;
        struct gm_colour want;
        bool table;
    } rows[] = {
        {{1, 1, 1, 1}, false, {1, 1, 1, 1}, false},
        {{1, 1, 1, 2}, true, {1, 1, 1, 1}, false},    /* full range */
        {{5, 6, 5, 1}, false, {5, 6, 5, 1}, false},   /* PAL */
        {{6, 6, 6, 1}, false, {6, 6, 6, 1}, false},   /* NTSC */
        {{1, 1, 6, 1}, false, {1, 1, 6, 1}, false},   /* mixed, but consistent */
        {{1, 13, 0, 2}, false, {1, 13, 1, 1}, false}, /* sRGB */
        {{1, 14, 1, 1}, false, {1, 1, 1, 1}, false},
        {{9, 14, 9, 1}, false, {1, 1, 1, 1}, true}, /* BT.2020 SDR */
        {{9, 14, 9, 1}, true, {9, 14, 9, 1}, false},
        {{9, 14, 0, 2}, true, {9, 14, 9, 1}, false}, /* as RGB */
        {{9, 16, 9, 1}, false, {1, 1, 1, 1}, true},  /* PQ */
        {{9, 16, 9, 2}, true, {9, 16, 9, 1}, false},
        {{9, 18, 9, 1}, false, {1, 1, 1, 1}, true}, /* HLG */
        {{9, 18, 9, 1}, true, {9, 18, 9, 1}, false},
        {{9, 16, 14, 1}, true, {1, 1, 1, 1}, true},  /* ICtCp */
        {{12, 13, 1, 1}, false, {1, 1, 1, 1}, true}, /* Display P3 */
        {{1, 8, 1, 1}, true, {1, 1, 1, 1}, true},    /* linear */
        {{1, 1, 8, 1}, false, {1, 1, 1, 1}, true},   /* YCgCo */
        {{7, 7, 7, 1}, false, {1, 1, 1, 1}, true},   /* SMPTE 240M */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_colour got = gm_colour_target(rows[i].source, rows[i].keep);
        assert_colour(got, rows[i].want, i);
        if (gm_colour_needs_table(rows[i].source, got) != rows[i].table) {
            fail_msg("row %zu: table", i);
        }
    }
}

static void a_rendition_carries_the_names(void **state)
{
    Gm__Rendition *r = malloc(sizeof *r);
    struct gm_err err;
    (void)state;
    gm__rendition__init(r);
    assert_colour(gm_colour_of_rendition(r), (struct gm_colour){U_P, U_T, U_M, U_R}, 0);
    assert_int_equal(gm_colour_to_rendition((struct gm_colour){9, 16, 9, 1}, r, &err), 0);
    assert_string_equal(r->primaries, "bt2020");
    assert_string_equal(r->transfer, "smpte2084");
    assert_string_equal(r->matrix, "bt2020nc");
    assert_string_equal(r->range, "tv");
    assert_colour(gm_colour_of_rendition(r), (struct gm_colour){9, 16, 9, 1}, 1);
    gm__rendition__free_unpacked(r, NULL);
}

static void a_picture_keeps_its_own_tags(void **state)
{
    struct gm_colour source = {9, 16, 9, AVCOL_RANGE_JPEG};
    AVFrame *f = av_frame_alloc();
    (void)state;
    f->width = 64;
    f->height = 48;
    f->format = AV_PIX_FMT_YUV420P10;
    gm_colour_tag(source, f);
    assert_colour(
        (struct gm_colour){f->color_primaries, f->color_trc, f->colorspace, f->color_range}, source,
        0);
    f->color_primaries = AVCOL_PRI_BT709;
    f->color_trc = AVCOL_TRC_UNSPECIFIED;
    f->colorspace = AVCOL_SPC_RGB; /* can't be */
    f->color_range = AVCOL_RANGE_MPEG;
    gm_colour_tag(source, f);
    assert_colour(
        (struct gm_colour){f->color_primaries, f->color_trc, f->colorspace, f->color_range},
        (struct gm_colour){1, 16, 9, 1}, 1);
    f->format = AV_PIX_FMT_GBRP;
    gm_colour_tag(source, f);
    assert_int_equal(f->colorspace, AVCOL_SPC_RGB);
    assert_int_equal(f->color_range, AVCOL_RANGE_JPEG);
    av_frame_free(&f);
}

static void matrices_have_the_names_that_the_scaler_knows(void **state)
{
    (void)state;
    assert_string_equal(gm_colour_matrix_name(AVCOL_SPC_BT709), "bt709");
    assert_string_equal(gm_colour_matrix_name(AVCOL_SPC_BT470BG), "bt601");
    assert_string_equal(gm_colour_matrix_name(AVCOL_SPC_SMPTE170M), "bt601");
    assert_string_equal(gm_colour_matrix_name(AVCOL_SPC_BT2020_NCL), "bt2020");
    assert_string_equal(gm_colour_matrix_name(AVCOL_SPC_UNSPECIFIED), "bt709");
    struct gm_colour jpeg = gm_colour_of_jpeg();
    assert_string_equal(gm_colour_matrix_name(jpeg.matrix), "bt601");
    assert_int_equal(jpeg.range, AVCOL_RANGE_JPEG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_is_guessed),
        cmocka_unit_test(targets_are_what_players_show),
        cmocka_unit_test(a_rendition_carries_the_names),
        cmocka_unit_test(a_picture_keeps_its_own_tags),
        cmocka_unit_test(matrices_have_the_names_that_the_scaler_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
