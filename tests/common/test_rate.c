#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/rate.h"

static unsigned count(struct gm_rate *rate, unsigned tries, uint32_t amount, gm_time now)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < tries; i++) {
        taken += gm_rate_take(rate, amount, 10, 50, now) ? 1 : 0;
    }
    return taken;
}

static void a_burst_then_so_many_a_second(void **state)
{
    struct gm_rate rate = {0};
    (void)state;
    assert_int_equal(count(&rate, 100, 1, 7 * GM_SEC), 50);
    assert_int_equal(count(&rate, 100, 1, 7 * GM_SEC + 99 * GM_MS), 0);
    assert_int_equal(count(&rate, 100, 1, 8 * GM_SEC), 10);
    assert_int_equal(count(&rate, 100, 1, 7 * GM_SEC), 0); /* time does not go back */
    assert_int_equal(count(&rate, 100, 1, 9 * GM_SEC), 10);
    assert_int_equal(count(&rate, 100, 1, 100000 * GM_SEC), 50);
    assert_int_equal(count(&rate, 100, 1, INT64_MAX), 50);
}

static void what_is_too_large_is_taken_from_a_full_one(void **state)
{
    struct gm_rate rate = {0};
    (void)state;
    assert_int_equal(count(&rate, 3, UINT32_MAX, GM_SEC), 1);
    assert_int_equal(count(&rate, 3, UINT32_MAX, 5 * GM_SEC), 0);
    assert_int_equal(count(&rate, 3, UINT32_MAX, 6 * GM_SEC), 1);
    rate = (struct gm_rate){0};
    assert_true(gm_rate_take(&rate, UINT32_MAX, UINT32_MAX, UINT32_MAX, GM_SEC));
    assert_false(gm_rate_take(&rate, UINT32_MAX, UINT32_MAX, UINT32_MAX, GM_SEC + 1));
    assert_true(gm_rate_take(&rate, UINT32_MAX, UINT32_MAX, UINT32_MAX, INT64_MAX));
}

static void none_a_second_is_the_burst_alone(void **state)
{
    struct gm_rate rate = {0};
    (void)state;
    assert_true(gm_rate_take(&rate, 2, 0, 2, GM_SEC));
    assert_false(gm_rate_take(&rate, 1, 0, 2, INT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_then_so_many_a_second),
        cmocka_unit_test(what_is_too_large_is_taken_from_a_full_one),
        cmocka_unit_test(none_a_second_is_the_burst_alone),
    };
    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
