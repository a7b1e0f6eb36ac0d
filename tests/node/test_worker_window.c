#include "node/worker_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void ranges_together_cover(void **state)
{
    struct gm_held held = {.count = 0};
    (void)state;
    assert_int_equal(gm_held_missing(&held, 5, 9), 5);
    gm_held_add(&held, 10, 20);
    gm_held_add(&held, 0, 10);
    gm_held_add(&held, 30, 40);
    assert_int_equal(gm_held_missing(&held, 5, 20), 20);
    assert_int_equal(gm_held_missing(&held, 5, 25), 20);
    assert_int_equal(gm_held_missing(&held, 20, 35), 20);
    assert_int_equal(gm_held_missing(&held, 39, 40), 40);
}

static void what_was_used_last_stays(void **state)
{
    struct gm_held held = {.count = 0};
    (void)state;
    for (uint64_t i = 0; i < GM_WINDOW_MAX_HELD; i++) {
        gm_held_trim(&held);
        gm_held_add(&held, i * 10, i * 10 + 5);
    }
    assert_int_equal(held.count, GM_WINDOW_MAX_HELD);
    assert_int_equal(gm_held_missing(&held, 0, 5), 5);
    gm_held_trim(&held);
    gm_held_add(&held, 1000, 1005);
    assert_int_equal(gm_held_missing(&held, 0, 5), 5);
    assert_int_equal(gm_held_missing(&held, 10, 15), 10); /* the oldest went */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_together_cover),
        cmocka_unit_test(what_was_used_last_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
