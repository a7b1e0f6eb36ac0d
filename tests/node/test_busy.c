#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/busy.h"

static void what_lies_one_over_another_counts_once(void **state)
{
    struct gm_busy busy = {0};
    (void)state;
    assert_int_equal(gm_busy_get_ms(&busy, 5 * GM_SEC), 0);
    gm_busy_begin(&busy, 1 * GM_SEC);
    gm_busy_begin(&busy, 2 * GM_SEC);
    gm_busy_end(&busy, 3 * GM_SEC);
    assert_int_equal(gm_busy_get_ms(&busy, 4 * GM_SEC), 3000);
    gm_busy_end(&busy, 4 * GM_SEC);
    assert_int_equal(gm_busy_get_ms(&busy, 9 * GM_SEC), 3000);
    gm_busy_begin(&busy, 10 * GM_SEC);
    gm_busy_end(&busy, 10 * GM_SEC + 500 * GM_MS);
    assert_int_equal(gm_busy_get_ms(&busy, 20 * GM_SEC), 3500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_one_over_another_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
