/* When who is refused should come again. */
#include "tests/scheduler/helper.h"

#include "scheduler/overload.h"

static void a_backlog_leaves_as_fast_as_the_ones_before(void **state)
{
    (void)state;
    struct gm_flow flow = {0};
    assert_int_equal(gm_flow_wait_s(&flow, 1000000), GM_RETRY_UNKNOWN_S);
    gm_flow_note(&flow, 1000000, GM_SEC);
    assert_int_equal(gm_flow_wait_s(&flow, 1000000), 1);
    assert_int_equal(gm_flow_wait_s(&flow, 7000001), 8);
    assert_int_equal(gm_flow_wait_s(&flow, 0), 1);
    assert_int_equal(gm_flow_wait_s(&flow, SIZE_MAX / 2), GM_RETRY_MOST_S);
    for (int i = 0; i < 20; i++) {
        gm_flow_note(&flow, 100000, GM_SEC); /* the disk got slow */
    }
    assert_in_range(gm_flow_wait_s(&flow, 1000000), 9, 11);
    gm_flow_note(&flow, 0, 0);
    assert_true(gm_flow_wait_s(&flow, 1000000) > 10);
}

static void jobs_end_as_far_apart_as_the_ones_before(void **state)
{
    (void)state;
    struct gm_gap gap = {0};
    assert_int_equal(gm_gap_wait_s(&gap, 5 * GM_SEC), GM_RETRY_UNKNOWN_S);
    for (int i = 1; i <= 40; i++) {
        gm_gap_note(&gap, i * 10 * GM_SEC);
    }
    assert_in_range(gm_gap_wait_s(&gap, 400 * GM_SEC), 9, 10);
    assert_in_range(gm_gap_wait_s(&gap, 560 * GM_SEC), 19, 20); /* none for long: it gets longer */
    assert_int_equal(gm_gap_wait_s(&gap, 40000 * GM_SEC), GM_RETRY_MOST_S);
    for (int i = 0; i < 16; i++) {
        gm_gap_note(&gap, 40000 * GM_SEC);
    }
    assert_int_equal(gm_gap_wait_s(&gap, 40000 * GM_SEC), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backlog_leaves_as_fast_as_the_ones_before),
        cmocka_unit_test(jobs_end_as_far_apart_as_the_ones_before)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
