#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "media/prove/prove.h"

static void software_encoders_are_proven(void **state)
{
    static const struct {
        const char *codec;
        uint32_t depth;
    } rows[] = {{"h264", 8}, {"h264", 10}, {"av1", 8}, {"av1", 10}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct gm_prove_work work = {
            .api = "software", .codec = rows[i].codec, .depth = rows[i].depth, .encode = true};
        struct gm_err err = {0};
        int32_t psnr = 0;
        assert_int_equal(gm_prove_run(&work, &psnr, &err), 0);
        assert_true(psnr > GM_PROVE_PSNR_CENTI && psnr < 10000);
    }
}

static void absent_devices_are_not_proven(void **state)
{
    static const struct {
        const char *api;
        bool encode;
    } rows[] = {
        {"nvenc", true}, {"nvdec", false}, {"vaapi", true}, {"vaapi", false}, {"qsv", true}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct gm_prove_work work = {.api = rows[i].api,
                                           .codec = "h264",
                                           .depth = 8,
                                           .encode = rows[i].encode,
                                           .device = "/no/such/device"};
        struct gm_err err = {0};
        int32_t psnr = -1;
        assert_true(gm_prove_run(&work, &psnr, &err) < 0);
        assert_int_equal(psnr, -1);
        assert_true(strlen(err.text) > 10);
    }
    char runtime[GM_PROVE_RUNTIME];
    assert_false(gm_prove_qsv_opens("/no/such/device", "h264", 8));
    assert_false(gm_prove_qsv_runtime("/no/such/device", runtime));
}

static void encoders_of_libavcodec_are_told(void **state)
{
    (void)state;
    char why[160] = "";
    assert_true(gm_prove_has_encoder("nvenc", "hevc", why, sizeof why));
    assert_string_equal(why, "");
    assert_false(gm_prove_has_encoder("nvenc", "vp9", why, sizeof why));
    assert_int_equal(strncmp(why, "libavcodec ", 11), 0);
    assert_non_null(strstr(why, " has no vp9_nvenc"));
    if (!gm_prove_has_encoder("vaapi", "av1", why, sizeof why)) {
        assert_non_null(strstr(why, " has no av1_vaapi, which came with FFmpeg 6.1"));
    }
}

static void nonsense_is_refused(void **state)
{
    struct gm_err err;
    int32_t psnr = 0;
    struct gm_prove_work work = {.api = "software", .codec = "theora", .depth = 8, .encode = true};
    (void)state;
    assert_int_equal(gm_prove_run(&work, &psnr, &err), -GM_E_INVAL);
    work.codec = "h264";
    work.depth = 12;
    assert_int_equal(gm_prove_run(&work, &psnr, &err), -GM_E_INVAL);
    work.depth = 8;
    work.api = "nvenc"; /* without its device */
    assert_int_equal(gm_prove_run(&work, &psnr, &err), -GM_E_INVAL);
    work.api = "toaster";
    work.device = "0";
    assert_true(gm_prove_run(&work, &psnr, &err) < 0);
    char versions[128];
    gm_prove_versions(versions, sizeof(versions));
    assert_non_null(strstr(versions, "libavcodec-"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(software_encoders_are_proven),
        cmocka_unit_test(absent_devices_are_not_proven),
        cmocka_unit_test(encoders_of_libavcodec_are_told),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests_name("media/prove", tests, NULL, NULL);
}
