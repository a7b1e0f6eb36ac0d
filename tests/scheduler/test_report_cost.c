/* What was decoded for nothing: the plan's doing, or for chunks that were made again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "scheduler/report_cost.h"

static struct gm_attempt_view run(int64_t first, uint32_t chunks, uint64_t frames, uint64_t decoded,
                                  uint64_t spare)
{
    struct gm_attempt_view a = {
        .task = "video", .type = "encode", .first_chunk = first, .chunks = chunks};
    a.usage.cpu_us = 500000;
    a.usage.bytes_in = 10;
    a.usage.frames = frames;
    a.usage.frames_decoded = decoded;
    a.usage.frames_spare = spare;
    return a;
}

static void cost_is(struct gm_attempt_view *rows, size_t count, json_int_t discarded,
                    json_int_t repeated, double share)
{
    struct gm_attempts_view v = {.rows = rows, .count = count};
    json_t *j = gm_report_cost(&v);
    assert_non_null(j);
    assert_int_equal(json_integer_value(json_object_get(j, "frames_discarded")), discarded);
    assert_int_equal(json_integer_value(json_object_get(j, "frames_repeated")), repeated);
    double got = json_real_value(json_object_get(j, "discarded_share"));
    assert_true(got > share - 1e-9 && got < share + 1e-9);
    json_decref(j);
}

static void nothing_costs_nothing(void **state)
{
    (void)state;
    cost_is(NULL, 0, 0, 0, 0);
}

static void what_a_plan_throws_away_is_told_from_what_is_decoded_again(void **state)
{
    (void)state;
    struct gm_attempt_view rows[] = {run(0, 4, 400, 400, 0), run(4, 4, 400, 450, 50),
                                     run(8, 4, 400, 650, 50)};
    cost_is(rows, 2, 50, 0, 50.0 / 850);
    cost_is(rows, 3, 100, 200, 100.0 / 1300); /* a chunk of the third was made twice */
}

static void runs_inside_of_one_that_failed_are_repeated(void **state)
{
    (void)state;
    struct gm_attempt_view rows[] = {
        run(4, 4, 0, 0, 0), /* failed, or was refused before it began */
        run(4, 1, 100, 110, 10),
        run(5, 1, 100, 120, 20),
        run(6, 2, 200, 230, 30),
    };
    cost_is(rows, 2, 10, 0, 10.0 / 110);
    cost_is(rows, 4, 10, 50, 10.0 / 410);
}

static void runs_of_another_plan_are_its_own(void **state)
{
    (void)state;
    struct gm_attempt_view rows[] = {
        run(0, 4, 0, 0, 0), /* its device was lost */
        run(-1, 0, 0, 0, 0),
        run(0, 2, 200, 210, 10),
        run(2, 2, 200, 220, 20),
    };
    rows[1].type = "plan";
    rows[1].outcome = GM_ATTEMPT_FAILED;
    cost_is(rows, 4, 10, 20, 10.0 / 410);
    rows[1].outcome = GM_ATTEMPT_DONE;
    cost_is(rows, 4, 30, 0, 30.0 / 430);
}

static void tasks_without_chunks_cost_time_alone(void **state)
{
    (void)state;
    struct gm_attempt_view rows[] = {run(-1, 0, 0, 0, 0), run(0, 2, 200, 210, 10)};
    struct gm_attempts_view v = {.rows = rows, .count = 2};
    rows[0].type = "split";
    json_t *j = gm_report_cost(&v);
    assert_non_null(j);
    assert_true(json_real_value(json_object_get(j, "cpu_s")) == 1.0);
    assert_int_equal(json_integer_value(json_object_get(j, "bytes_in")), 20);
    assert_int_equal(json_integer_value(json_object_get(j, "frames_decoded")), 210);
    assert_int_equal(json_integer_value(json_object_get(j, "frames_discarded")), 10);
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_costs_nothing),
        cmocka_unit_test(what_a_plan_throws_away_is_told_from_what_is_decoded_again),
        cmocka_unit_test(runs_inside_of_one_that_failed_are_repeated),
        cmocka_unit_test(runs_of_another_plan_are_its_own),
        cmocka_unit_test(tasks_without_chunks_cost_time_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
