#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <libavcodec/avcodec.h>

#include "media/av.h"
#include "media/prove/build.h"

static void a_build_names_what_makes_bytes(void **state)
{
    struct gm_buf text = {0}, again = {0};
    struct gm_err err;
    char words[64];
    unsigned v = avcodec_version();
    (void)state;
    assert_int_equal(gm_media_build(&text, &err), 0);
    assert_int_equal(gm_media_build(&again, &err), 0);
    const char *build = (const char *)text.data;
    assert_string_equal(build, (const char *)again.data);
    (void)snprintf(words, sizeof words, "gm%d FFmpeg-", GM_MEDIA_VERSION);
    assert_int_equal(strncmp(build, words, strlen(words)), 0);
    (void)snprintf(words, sizeof words, " lavc-%u.%u.%u ", v >> 16, v >> 8 & 255u, v & 255u);
    assert_non_null(strstr(build, words));
    assert_non_null(strstr(build, " x264-1"));
    assert_true(text.size < 400); /* proto/check.c */
    for (size_t i = 0; i < text.size; i++) {
        assert_in_range(build[i], ' ', '~');
    }
    gm_buf_fini(&text);
    gm_buf_fini(&again);
}

static bool opens = true, finds = true;

int __real_avcodec_open2(AVCodecContext *ctx, const AVCodec *codec, AVDictionary **options);
int __wrap_avcodec_open2(AVCodecContext *ctx, const AVCodec *codec, AVDictionary **options);
int __wrap_avcodec_open2(AVCodecContext *ctx, const AVCodec *codec, AVDictionary **options)
{
    return opens ? __real_avcodec_open2(ctx, codec, options) : AVERROR(EAGAIN);
}

const AVCodec *__real_avcodec_find_encoder_by_name(const char *name);
const AVCodec *__wrap_avcodec_find_encoder_by_name(const char *name);
const AVCodec *__wrap_avcodec_find_encoder_by_name(const char *name)
{
    return finds ? __real_avcodec_find_encoder_by_name(name) : NULL;
}

/* It is no other build: the next process may have more luck. */
static void what_does_not_open_is_not_taken_for_absent(void **state)
{
    struct gm_buf text = {0}, without = {0};
    struct gm_err err = {0};
    (void)state;
    opens = false;
    assert_int_equal(gm_media_build(&text, &err), -GM_E_MEDIA);
    assert_non_null(strstr(err.text, "build of h264"));
    opens = true;
    finds = false;
    assert_int_equal(gm_media_build(&without, &err), 0);
    assert_non_null(strstr((const char *)without.data, " h264-none "));
    finds = true;
    gm_buf_fini(&text);
    gm_buf_fini(&without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_build_names_what_makes_bytes),
        cmocka_unit_test(what_does_not_open_is_not_taken_for_absent),
    };
    gm_av_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
