/* Every state and every event of the two machines. */
#include "sim/sim_io.h"

#include "scheduler/core/fsm.h"

struct transition {
    int state, event, next;
};

static int expected(const struct transition *list, size_t count, int state, int event)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].state == state && list[i].event == event) {
            return list[i].next;
        }
    }
    return GM_FSM_ILLEGAL;
}

static void every_unit_state_meets_every_event(void **arg)
{
    static const struct transition list[] = {
        {GM_TASK_BLOCKED, GM_UNIT_UNBLOCK, GM_TASK_READY},
        {GM_TASK_BLOCKED, GM_UNIT_END, GM_TASK_ENDED},
        {GM_TASK_BLOCKED, GM_UNIT_RESTORE, GM_TASK_DONE},
        {GM_TASK_READY, GM_UNIT_ASSIGN, GM_TASK_RUNNING},
        {GM_TASK_READY, GM_UNIT_AWAIT, GM_TASK_BACKOFF},
        {GM_TASK_READY, GM_UNIT_END, GM_TASK_ENDED},
        {GM_TASK_READY, GM_UNIT_RESTORE, GM_TASK_DONE},
        {GM_TASK_RUNNING, GM_UNIT_COMMIT, GM_TASK_DONE},
        {GM_TASK_RUNNING, GM_UNIT_PAUSE, GM_TASK_BACKOFF},
        {GM_TASK_RUNNING, GM_UNIT_RETURN, GM_TASK_READY},
        {GM_TASK_RUNNING, GM_UNIT_FAIL, GM_TASK_FAILED},
        {GM_TASK_RUNNING, GM_UNIT_END, GM_TASK_ENDED},
        {GM_TASK_BACKOFF, GM_UNIT_WAKE, GM_TASK_READY},
        {GM_TASK_BACKOFF, GM_UNIT_END, GM_TASK_ENDED},
        {GM_TASK_BLOCKED, GM_UNIT_RESET, GM_TASK_BLOCKED},
        {GM_TASK_READY, GM_UNIT_RESET, GM_TASK_BLOCKED},
        {GM_TASK_BACKOFF, GM_UNIT_RESET, GM_TASK_BLOCKED},
        {GM_TASK_DONE, GM_UNIT_RESET, GM_TASK_BLOCKED},
        {GM_TASK_FAILED, GM_UNIT_RESET, GM_TASK_BLOCKED},
        {GM_TASK_ENDED, GM_UNIT_RESET, GM_TASK_BLOCKED},
    };
    (void)arg;
    for (int s = 0; s < GM_TASK_STATES; s++) {
        for (int e = 0; e < GM_UNIT_EVENTS; e++) {
            int next = gm_unit_next((enum gm_task_state)s, (enum gm_unit_event)e);
            assert_int_equal(next, expected(list, sizeof(list) / sizeof(list[0]), s, e));
            assert_false(next >= 0 && gm_task_state_is_final((enum gm_task_state)s) &&
                         e != GM_UNIT_RESET);
        }
        assert_non_null(gm_task_state_name((enum gm_task_state)s));
    }
}

static void every_job_state_meets_every_event(void **arg)
{
    static const struct transition list[] = {
        {GM_JOB_QUEUED, GM_JOB_EV_START, GM_JOB_RUNNING},
        {GM_JOB_QUEUED, GM_JOB_EV_CANCEL, GM_JOB_CANCELLING},
        {GM_JOB_RUNNING, GM_JOB_EV_START, GM_JOB_RUNNING},
        {GM_JOB_RUNNING, GM_JOB_EV_COMPLETE, GM_JOB_PUBLISHING},
        {GM_JOB_RUNNING, GM_JOB_EV_PLANNED, GM_JOB_DONE},
        {GM_JOB_RUNNING, GM_JOB_EV_FAIL, GM_JOB_FAILING},
        {GM_JOB_RUNNING, GM_JOB_EV_CANCEL, GM_JOB_CANCELLING},
        {GM_JOB_PUBLISHING, GM_JOB_EV_CANCEL, GM_JOB_PUBLISHING},
        {GM_JOB_PUBLISHING, GM_JOB_EV_ABORT, GM_JOB_CANCELLING},
        {GM_JOB_PUBLISHING, GM_JOB_EV_FAIL, GM_JOB_FAILING},
        {GM_JOB_PUBLISHING, GM_JOB_EV_REPORTED, GM_JOB_DONE},
        {GM_JOB_FAILING, GM_JOB_EV_CANCEL, GM_JOB_FAILING},
        {GM_JOB_FAILING, GM_JOB_EV_REPORTED, GM_JOB_FAILED},
        {GM_JOB_FAILED, GM_JOB_EV_REOPEN, GM_JOB_RUNNING},
        {GM_JOB_CANCELLING, GM_JOB_EV_CANCEL, GM_JOB_CANCELLING},
        {GM_JOB_CANCELLING, GM_JOB_EV_REPORTED, GM_JOB_CANCELLED},
    };
    (void)arg;
    for (int s = 0; s < GM_JOB_STATES; s++) {
        for (int e = 0; e < GM_JOB_EVENTS; e++) {
            int next = gm_job_next((enum gm_job_state)s, (enum gm_job_event_kind)e);
            assert_int_equal(next, expected(list, sizeof(list) / sizeof(list[0]), s, e));
            assert_false(next >= 0 && gm_job_state_is_final((enum gm_job_state)s) &&
                         e != GM_JOB_EV_REOPEN);
        }
    }
}

static void names_are_the_api_s(void **arg)
{
    (void)arg;
    assert_string_equal(gm_job_state_name(GM_JOB_QUEUED), "queued");
    assert_string_equal(gm_job_state_name(GM_JOB_FAILING), "running");
    assert_string_equal(gm_job_state_name(GM_JOB_CANCELLED), "cancelled");
    assert_string_equal(gm_task_state_name(GM_TASK_BACKOFF), "backoff");
    assert_string_equal(gm_attempt_outcome_name(GM_ATTEMPT_LOST), "lost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_state_meets_every_event),
        cmocka_unit_test(every_job_state_meets_every_event),
        cmocka_unit_test(names_are_the_api_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
