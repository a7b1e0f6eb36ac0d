#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "media/picture/siting.h"
#include "media/plan/plan.h"

#define NONE GM_SITING_NONE

static void chroma_is_where_the_turned_picture_has_it(void **state)
{
    static const struct {
        const char *format, *location;
        int32_t turn;
        bool flip;
        int h, v;
    } rows[] = {
        {"yuv420p", "", 0, false, 0, 128},           {"yuv420p", "left", 0, false, 0, 128},
        {"yuv420p", "center", 0, false, 128, 128},   {"yuv420p10le", "topleft", 0, false, 0, 0},
        {"yuv420p", "bottomleft", 0, false, 0, 256}, {"nv12", "left", 0, false, 0, 128},
        {"yuv422p", "left", 0, false, 0, NONE},      {"yuv440p", "left", 0, false, NONE, 128},
        {"yuv444p", "left", 0, false, NONE, NONE},   {"rgb24", "left", 0, false, NONE, NONE},
        {"gray", "", 0, false, NONE, NONE},          {"pal8", "", 90, false, NONE, NONE},
        {"yuv420p", "left", 90, false, 128, 0},      {"yuv420p", "left", 180, false, 256, 128},
        {"yuv420p", "left", 270, false, 128, 256},   {"yuv420p", "left", 0, true, 256, 128},
        {"yuv420p", "topleft", 90, false, 256, 0},   {"yuv420p", "topleft", 90, true, 0, 0},
        {"yuv420p", "center", 90, true, 128, 128},   {"yuv422p", "left", 90, false, 128, 0},
        {"unknown", "left", 0, false, NONE, NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__VideoFacts v = GM__VIDEO_FACTS__INIT;
        v.pixel_format = (char *)(uintptr_t)rows[i].format;
        v.chroma_location = (char *)(uintptr_t)rows[i].location;
        v.rotation_deg = rows[i].turn;
        v.flip = rows[i].flip;
        struct gm_siting s = gm_siting(&v);
        if (s.h != rows[i].h || s.v != rows[i].v) {
            fail_msg("row %zu: %d %d, not %d %d", i, s.h, s.v, rows[i].h, rows[i].v);
        }
    }
    struct gm_siting fine = gm_siting_mapped((struct gm_siting){NONE, NONE});
    assert_int_equal(fine.h, 0);
    assert_int_equal(fine.v, 128);
    fine = gm_siting_mapped((struct gm_siting){128, 0});
    assert_int_equal(fine.h, 128);
    assert_int_equal(fine.v, 0);
}

static void it_is_said_to_the_scaler(void **state)
{
    static const struct gm_colour colour = {1, 1, 1, AVCOL_RANGE_MPEG};
    struct gm_siting s = {128, NONE};
    char plain[512], text[600], small[64];
    struct gm_err err;
    (void)state;
    assert_int_equal(
        gm_plan_filters(64, 48, &colour, AV_PIX_FMT_YUV420P, plain, sizeof plain, &err), 0);
    assert_int_equal(gm_siting_add(s, plain, text, sizeof text, &err), 0);
    assert_non_null(strstr(text, ":in_h_chr_pos=128:in_v_chr_pos=-513:out_color_matrix=bt709:"));
    assert_int_equal(strncmp(text, "scale=64:48:", 12), 0);
    assert_int_equal(strlen(text), strlen(plain) + strlen(":in_h_chr_pos=128:in_v_chr_pos=-513"));
    assert_int_equal(gm_siting_add(s, plain, small, sizeof small, &err), -GM_E_LIMIT);
    assert_int_equal(gm_siting_add(s, "null", text, sizeof text, &err), -GM_E_BUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chroma_is_where_the_turned_picture_has_it),
        cmocka_unit_test(it_is_said_to_the_scaler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
