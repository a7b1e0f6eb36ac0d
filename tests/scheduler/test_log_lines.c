#include "scheduler/http/log_lines.h"

#include "tests/scheduler/helper.h"

/* What failed in the millisecond in which the next event is stored. */
static const struct gm_attempt_view FAILED = {.attempt = 1,
                                              .task = "video",
                                              .node_id = "n",
                                              .outcome = GM_ATTEMPT_FAILED,
                                              .ended_unix_ms = 100};

static size_t ask(size_t events, int64_t asked_unix_ms, int64_t after, int64_t seqs[4])
{
    static const struct gm_state_event all[] = {
        {.seq = 7, .type = "job.accepted", .json = "{\"state\":\"queued\"}", .unix_ms = 50},
        {.seq = 8, .type = "job.inspected", .json = "{\"state\":\"running\"}", .unix_ms = 100},
        {.seq = 9, .type = "job.playable", .json = "{\"state\":\"running\"}", .unix_ms = 101}};
    const struct gm_attempts_view failures = {.rows = (struct gm_attempt_view *)(uintptr_t)&FAILED,
                                              .count = 1};
    struct gm_log log = {.after = after};
    for (size_t i = 0; i < events; i++) {
        gm_log_add_event(&all[i], &log);
    }
    log.events = log.count;
    gm_log_add_failures(&log, &failures, true, asked_unix_ms);
    gm_log_sift(&log);
    assert_false(log.failed);
    for (size_t i = 0; i < log.count; i++) {
        seqs[i] = log.lines[i].seq;
    }
    size_t count = log.count;
    free(log.lines);
    return count;
}

static void a_failure_is_told_once_its_place_is_known(void **state)
{
    int64_t seqs[4] = {0};
    (void)state;
    assert_int_equal(ask(1, 100, 0, seqs), 1); /* an event may still come before it */
    assert_int_equal(ask(2, 101, seqs[0], seqs), 2);
    assert_int_equal(seqs[0], 8 * GM_LOG_PLACES);
    assert_int_equal(seqs[1], 8 * GM_LOG_PLACES + 1);
    assert_int_equal(ask(3, 200, seqs[1], seqs), 1);
    assert_int_equal(seqs[0], 9 * GM_LOG_PLACES);
}

/* What the job shows now is of its last failure. */
static void a_failure_keeps_what_it_failed_with(void **state)
{
    const struct gm_job_view job = {.error = {.code = GM_E_STORE, .text = "later"}};
    const struct gm_state_event first = {
        .seq = 1,
        .type = "job.failed",
        .json = "{\"state\":\"failed\",\"code\":\"task.crashed\",\"text\":\"first\"}"};
    const struct gm_state_event old = {
        .seq = 2, .type = "job.failed", .json = "{\"state\":\"failed\"}"};
    struct gm_log log = {.job = &job};
    (void)state;
    gm_log_add_event(&first, &log);
    gm_log_add_event(&old, &log);
    assert_int_equal(log.count, 2);
    assert_string_equal(log.lines[0].text, "The job failed with task.crashed: first");
    assert_non_null(strstr(log.lines[1].text, ": later"));
    free(log.lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_told_once_its_place_is_known),
        cmocka_unit_test(a_failure_keeps_what_it_failed_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
