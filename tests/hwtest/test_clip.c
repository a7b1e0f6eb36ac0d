#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/battery.h"
#include "hwtest/clip.h"
#include "media/av.h"

static void pictures_are_the_same_everywhere(void **state)
{
    (void)state;
    static const char *const want[] = {
        "cc673683d70aaf3849dbf56d8b6136322a1af36873f49ac890b71d1c110c081b",
        "9c24771c43de3e10553bf8e40c547d76969586de05d9d2138bf77c332fcd8442"};
    for (int i = 0; i < 2; i++) {
        struct gm_hwtest_pictures p = {0};
        struct gm_err err;
        uint8_t sum[GM_SHA256_SIZE];
        char hex[2 * GM_SHA256_SIZE + 1];
        assert_int_equal(gm_hwtest_pattern(i == 0 ? 8 : 10, &p, &err), 0);
        assert_int_equal(p.count, GM_HWTEST_FRAMES);
        struct gm_sha256 *hash = gm_sha256_create();
        for (int f = 0; f < p.count; f++) {
            for (int plane = 0; plane < 3; plane++) {
                int w = (plane == 0 ? GM_HWTEST_WIDTH_PX : GM_HWTEST_WIDTH_PX / 2) << i;
                int h = plane == 0 ? GM_HWTEST_HEIGHT_PX : GM_HWTEST_HEIGHT_PX / 2;
                for (int y = 0; y < h; y++) {
                    gm_sha256_update(
                        hash, p.frame[f]->data[plane] + (ptrdiff_t)y * p.frame[f]->linesize[plane],
                        (size_t)w);
                }
            }
        }
        gm_sha256_final(hash, sum);
        gm_sha256_destroy(&hash);
        assert_string_equal(gm_hex(sum, sizeof sum, hex), want[i]);
        gm_hwtest_pictures_fini(&p);
    }
}

static void one_changed_sample_is_found(void **state)
{
    (void)state;
    struct gm_hwtest_pictures a = {0}, b = {0};
    struct gm_err err;
    assert_int_equal(gm_hwtest_pattern(8, &a, &err), 0);
    assert_int_equal(gm_hwtest_pattern(8, &b, &err), 0);
    assert_int_equal(gm_hwtest_first_difference(&a, &b), -1);
    AVFrame *f = b.frame[37];
    f->data[2][(GM_HWTEST_HEIGHT_PX / 2 - 1) * f->linesize[2] + GM_HWTEST_WIDTH_PX / 2 - 1] ^= 1;
    assert_int_equal(gm_hwtest_first_difference(&a, &b), 37);
    av_frame_free(&b.frame[--b.count]);
    assert_int_equal(gm_hwtest_first_difference(&a, &b), 37);
    f->data[2][(GM_HWTEST_HEIGHT_PX / 2 - 1) * f->linesize[2] + GM_HWTEST_WIDTH_PX / 2 - 1] ^= 1;
    assert_int_equal(gm_hwtest_first_difference(&a, &b), GM_HWTEST_FRAMES - 1);
    gm_hwtest_pictures_fini(&a);
    gm_hwtest_pictures_fini(&b);
}

static void an_encoded_clip_decodes(void **state)
{
    (void)state;
    struct gm_hwtest_pictures in = {0}, out = {0};
    struct gm_hwtest_stream one = {0}, two = {0};
    struct gm_compare like;
    struct gm_err err;
    float ssim[GM_HWTEST_FRAMES];
    const struct gm_hwtest_encoding how = {.codec = "h264", .depth = 8, .crf_centi = 2600};
    assert_int_equal(gm_hwtest_pattern(8, &in, &err), 0);
    assert_int_equal(gm_hwtest_encode(&how, &in, &one, &err), 0);
    assert_int_equal(gm_hwtest_encode(&how, &in, &two, &err), 0);
    assert_int_equal(one.count, GM_HWTEST_FRAMES);
    assert_string_equal(one.hash, two.hash);
    assert_int_equal(gm_hwtest_decode_software(&one, 0, one.count, 8, &out, &err), 0);
    assert_int_equal(out.count, GM_HWTEST_FRAMES);
    assert_int_equal(gm_hwtest_likeness(&in, &out, &like, ssim, &err), 0);
    assert_true(gm_compare_ssim(&like) > 0.97 && ssim[71] > 0.9f && ssim[71] < 1.0f);
    /* As many again are too many. */
    assert_int_equal(gm_hwtest_decode_software(&one, 0, one.count, 8, &out, &err),
                     -GM_E_MEDIA_VERIFY);
    gm_hwtest_pictures_fini(&in);
    gm_hwtest_pictures_fini(&out);
    gm_hwtest_stream_fini(&one);
    gm_hwtest_stream_fini(&two);
}

static void an_encoder_that_is_none_is_an_error(void **state)
{
    (void)state;
    struct gm_hwtest_pictures in = {0};
    struct gm_hwtest_stream one = {0};
    struct gm_err err;
    const struct gm_hwtest_encoding how = {.codec = "mpeg2", .depth = 8, .crf_centi = 2600};
    assert_int_equal(gm_hwtest_encode(&how, &in, &one, &err), -GM_E_INVAL);
    gm_hwtest_stream_fini(&one);
}

static void the_kernels_cpu_build_is_exact(void **state)
{
    (void)state;
    struct gm_battery_result r[GM_BATTERY_KERNELS];
    struct gm_err err;
    assert_int_equal(gm_battery_run(NULL, r, &err), 0);
    for (int i = 0; i < GM_BATTERY_KERNELS; i++) {
        assert_true(r[i].cases >= 4);
        assert_int_equal(r[i].equal, r[i].cases);
        assert_string_equal(r[i].first, "");
    }
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_the_same_everywhere),
        cmocka_unit_test(one_changed_sample_is_found),
        cmocka_unit_test(an_encoded_clip_decodes),
        cmocka_unit_test(an_encoder_that_is_none_is_an_error),
        cmocka_unit_test(the_kernels_cpu_build_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
