#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/send_show.h"

static void a_row_tells_bytes_rate_and_time(void **state)
{
    static const struct {
        struct gm_sent sent;
        unsigned width;
        const char *row;
    } rows[] = {
        {{0, 1000, 0, ""}, 60, "upload 0% 0.0 kB of 1.0 kB, 0.0 kB/s, ETA unknown"},
        {{250000000, 1000000000, 12500000, ""},
         60,
         "upload 25% 250 MB of 1.0 GB, 12.5 MB/s, ETA 1:00"},
        {{1000, 1000, 1000, "encode 45%"},
         90,
         "[########################] upload 100% 1.0 kB of 1.0 kB, 1.0 kB/s, ETA 0:00; job: "
         "encode 4"},
        {{500, 1000, 100, ""},
         84,
         "[############------------] upload 50% 0.5 kB of 1.0 kB, 0.1 kB/s, ETA 0:05"},
        {{1, 1ull << 40, 1, ""}, 20, "upload 0% 0.0 kB of "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        assert_string_equal(gm_sent_row(&rows[i].sent, rows[i].width, text, sizeof text),
                            rows[i].row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_row_tells_bytes_rate_and_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
