/* Classes, weights, shares and prices. */
#include "scheduler/core/fair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static void priorities_have_classes(void **arg)
{
    (void)arg;
    assert_int_equal(gm_fair_class(0), GM_CLASS_BATCH);
    assert_int_equal(gm_fair_class(24), GM_CLASS_BATCH);
    assert_int_equal(gm_fair_class(25), GM_CLASS_NORMAL);
    assert_int_equal(gm_fair_class(50), GM_CLASS_NORMAL);
    assert_int_equal(gm_fair_class(74), GM_CLASS_NORMAL);
    assert_int_equal(gm_fair_class(75), GM_CLASS_HIGH);
    assert_int_equal(gm_fair_class(100), GM_CLASS_HIGH);
    assert_string_equal(gm_job_class_name(GM_CLASS_BATCH), "batch");
    assert_string_equal(gm_job_class_name(GM_CLASS_NORMAL), "normal");
    assert_string_equal(gm_job_class_name(GM_CLASS_HIGH), "high");
}

static void ten_points_are_twice_the_weight(void **arg)
{
    (void)arg;
    assert_int_equal(gm_fair_job_weight(0), 10);
    assert_int_equal(gm_fair_job_weight(100), 10240);
    for (int32_t p = 0; p <= 90; p++) {
        assert_int_equal(gm_fair_job_weight(p + 10), 2 * gm_fair_job_weight(p));
        assert_true(gm_fair_job_weight(p + 1) > gm_fair_job_weight(p));
    }
}

static void the_dominant_share_counts(void **arg)
{
    (void)arg;
    const struct gm_capacity farm = {.cpu_milli = 100000,
                                     .memory_bytes = UINT64_C(1) << 45,
                                     .scratch_bytes = 1000,
                                     .slots = 100,
                                     .sessions = 4};
    struct gm_capacity demand = {.cpu_milli = 1000, .slots = 1};
    assert_int_equal(gm_fair_share(&demand, &farm), (GM_FAIR_WHOLE + 99) / 100);
    demand.sessions = 1;
    assert_int_equal(gm_fair_share(&demand, &farm), GM_FAIR_WHOLE / 4);
    demand.memory_bytes = UINT64_C(1) << 44;
    assert_int_equal(gm_fair_share(&demand, &farm), GM_FAIR_WHOLE / 2);
    demand.scratch_bytes = 1001; /* more than there is */
    assert_int_equal(gm_fair_share(&demand, &farm), GM_FAIR_WHOLE);
    const struct gm_capacity nothing = {0};
    assert_int_equal(gm_fair_share(&demand, &nothing), 1);
    assert_int_equal(gm_fair_share(&nothing, &farm), 1);
}

static void a_price_is_share_times_time(void **arg)
{
    (void)arg;
    uint64_t second = gm_fair_cost(100, GM_SEC), ten = gm_fair_cost(100, 10 * GM_SEC);
    assert_true(ten > second * 9 && ten < second * 11);
    assert_true(gm_fair_cost(200, GM_SEC) == 2 * second);
    assert_true(gm_fair_cost(1, 0) > 0 && gm_fair_cost(1, -GM_SEC) > 0);
    gm_time years = 15 * 365 * 86400 * (gm_time)GM_SEC;
    assert_true(gm_fair_cost(GM_FAIR_WHOLE, years) < UINT64_C(1) << 63);
    assert_int_equal(gm_fair_mean(80, 160), 90);
    assert_int_equal(gm_fair_mean(80, 0), 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(priorities_have_classes),
        cmocka_unit_test(ten_points_are_twice_the_weight),
        cmocka_unit_test(the_dominant_share_counts),
        cmocka_unit_test(a_price_is_share_times_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
