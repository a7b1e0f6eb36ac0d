/* The farm's own decoder of a device over the fake libnvcuvid of tests/drivers, which says nothing
 * of a real one: what it is tried with, and that what it does not give is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/farm_decode.h"
#include "media/av.h"
#include "media/fake_gpu_io.h"

#define GPU "0000:00:1e.0"

static void only_what_it_takes_is_tried(void **state)
{
    static const char *const codecs[] = {"h264", "hevc", "vp9", "av1"};
    (void)state;
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        for (uint32_t depth = 8; depth <= 12; depth += 2) {
            bool taken = depth == 8 || (depth == 10 && i > 0);
            assert_int_equal(gm_hwtest_farm_decodes("nvdec", codecs[i], depth), taken);
            assert_int_equal(gm_hwtest_farm_decodes("vaapi", codecs[i], depth), taken);
            assert_int_equal(gm_hwtest_farm_profile(codecs[i], depth) != FF_PROFILE_UNKNOWN, taken);
            assert_false(gm_hwtest_farm_decodes("software", codecs[i], depth));
        }
    }
    assert_false(gm_hwtest_farm_decodes("nvdec", "mpeg2", 8));
}

/* The clip in that codec through it, half of a packet cut off (-1: of none); the error's code, 0:
 * all pictures are software's. */
static int decode_cut(const char *codec, const char *as, int cut, const char *lines)
{
    struct gm_hwtest_pictures pattern = {0}, want = {0}, got = {0};
    struct gm_hwtest_stream stream = {0};
    struct gm_err err = {.code = GM_OK};
    const struct gm_hwtest_encoding how = {.codec = codec, .depth = 8, .crf_centi = 2600};
    CHECK(gm_hwtest_pattern(8, &pattern, &err) == 0);
    CHECK(gm_hwtest_encode(&how, &pattern, &stream, &err) == 0);
    CHECK(gm_hwtest_decode_software(&stream, 0, stream.count, 8, &want, &err) == 0);
    if (cut >= 0) {
        stream.packets[cut]->size /= 2;
    }
    fake_gpu_profile("l4", lines);
    int rc = gm_hwtest_farm_decode("nvdec", GPU, as, 8, &stream, &got, &err);
    CHECK(rc < 0 || gm_hwtest_first_difference(&want, &got) == -1);
    gm_hwtest_pictures_fini(&pattern);
    gm_hwtest_pictures_fini(&want);
    gm_hwtest_pictures_fini(&got);
    gm_hwtest_stream_fini(&stream);
    return rc;
}

static int decode(const char *codec, const char *as, const char *lines)
{
    return decode_cut(codec, as, -1, lines);
}

static void decode_all(const void *arg)
{
    (void)arg;
    CHECK(decode("h264", "h264", "fault copied invalid at=3\n") ==
          -GM_E_MEDIA_VERIFY); /* of its copies */
    CHECK(decode("h264", "h264", "") == 0);
    CHECK(decode("vp9", "vp9", "") == 0);
    CHECK(decode("h264", "vp9", "") == -GM_E_PIPELINE_UNFIT); /* another profile is none for it */
    CHECK(decode_cut("h264", "h264", 0, "") == -GM_E_MEDIA_VERIFY);
    CHECK(decode("h264", "h264", "fault decode error at=30\n") < 0);
    CHECK(decode("h264", "h264", "fault decode lost at=30\n") == -GM_E_DEVICE_LOST);
}

static void what_it_gives_is_softwares_or_an_error(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(decode_all, NULL), 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_it_takes_is_tried),
        cmocka_unit_test(what_it_gives_is_softwares_or_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
