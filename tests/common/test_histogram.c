#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/histogram.h"

static void each_time_is_counted_once(void **state)
{
    static const struct gm_bounds bounds = {2, {GM_MS, GM_SEC}};
    struct gm_histogram h = {.sum_ns = 0};
    (void)state;
    gm_histogram_note(&h, &bounds, -5);
    gm_histogram_note(&h, &bounds, GM_MS); /* a bound includes itself */
    gm_histogram_note(&h, &bounds, GM_MS + 1);
    gm_histogram_note(&h, &bounds, 2 * GM_SEC);
    assert_int_equal(h.counts[0], 2);
    assert_int_equal(h.counts[1], 1);
    assert_int_equal(h.counts[2], 1);
    assert_int_equal(h.sum_ns, 2 * GM_SEC + 2 * GM_MS + 1);
    for (int i = 0; i < 3; i++) {
        gm_histogram_note(&h, &bounds, INT64_MAX);
    }
    assert_int_equal(h.sum_ns, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_time_is_counted_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
