#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <libavcodec/avcodec.h>

#include "media/prove/libraries.h"

static void libraries_tell_their_versions(void **state)
{
    static const char *const names[] = {"FFmpeg",    "libavcodec", "libavformat",  "libavfilter",
                                        "libavutil", "libswscale", "libswresample"};
    struct gm_library out[GM_LIBRARIES_MAX];
    char loaded[32];
    unsigned v = avcodec_version();
    (void)state;
    size_t count = gm_libraries_find(out);
    assert_in_range(count, sizeof names / sizeof names[0], GM_LIBRARIES_MAX);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_string_equal(out[i].name, names[i]);
    }
    (void)snprintf(loaded, sizeof loaded, "%u.%u.%u", v >> 16, v >> 8 & 255u, v & 255u);
    assert_string_equal(out[1].version, loaded);
    for (size_t i = 0; i < count; i++) {
        assert_true(out[i].version[0] != '\0');
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(out[i].name, out[k].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libraries_tell_their_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
