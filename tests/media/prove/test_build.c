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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_build_names_what_makes_bytes),
    };
    gm_av_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
