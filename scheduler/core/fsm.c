#include "scheduler/core/fsm.h"

/* 0 in a table means illegal, so states are stored plus one. */
#define TO(s) ((s) + 1)

static const signed char unit_table[GM_TASK_STATES][GM_UNIT_EVENTS] = {
    [GM_TASK_BLOCKED] = {[GM_UNIT_RESET] = TO(GM_TASK_BLOCKED),
                         [GM_UNIT_UNBLOCK] = TO(GM_TASK_READY),
                         [GM_UNIT_END] = TO(GM_TASK_ENDED),
                         [GM_UNIT_RESTORE] = TO(GM_TASK_DONE)},
    [GM_TASK_READY] = {[GM_UNIT_RESET] = TO(GM_TASK_BLOCKED),
                       [GM_UNIT_ASSIGN] = TO(GM_TASK_RUNNING),
                       [GM_UNIT_AWAIT] = TO(GM_TASK_BACKOFF),
                       [GM_UNIT_END] = TO(GM_TASK_ENDED),
                       [GM_UNIT_RESTORE] = TO(GM_TASK_DONE)},
    [GM_TASK_RUNNING] = {[GM_UNIT_COMMIT] = TO(GM_TASK_DONE),
                         [GM_UNIT_PAUSE] = TO(GM_TASK_BACKOFF),
                         [GM_UNIT_RETURN] = TO(GM_TASK_READY),
                         [GM_UNIT_FAIL] = TO(GM_TASK_FAILED),
                         [GM_UNIT_END] = TO(GM_TASK_ENDED)},
    [GM_TASK_BACKOFF] = {[GM_UNIT_RESET] = TO(GM_TASK_BLOCKED),
                         [GM_UNIT_WAKE] = TO(GM_TASK_READY),
                         [GM_UNIT_END] = TO(GM_TASK_ENDED)},
    [GM_TASK_DONE] = {[GM_UNIT_RESET] = TO(GM_TASK_BLOCKED)},
    [GM_TASK_FAILED] = {[GM_UNIT_RESET] = TO(GM_TASK_BLOCKED)},
    [GM_TASK_ENDED] = {[GM_UNIT_RESET] = TO(GM_TASK_BLOCKED)},
};

static const signed char job_table[GM_JOB_STATES][GM_JOB_EVENTS] = {
    [GM_JOB_QUEUED] =
        {[GM_JOB_EV_START] = TO(GM_JOB_RUNNING), [GM_JOB_EV_CANCEL] = TO(GM_JOB_CANCELLING)},
    [GM_JOB_RUNNING] = {[GM_JOB_EV_START] = TO(GM_JOB_RUNNING),
                        [GM_JOB_EV_COMPLETE] = TO(GM_JOB_PUBLISHING),
                        [GM_JOB_EV_PLANNED] = TO(GM_JOB_DONE),
                        [GM_JOB_EV_FAIL] = TO(GM_JOB_FAILING),
                        [GM_JOB_EV_CANCEL] = TO(GM_JOB_CANCELLING)},
    /* A cancel is heard, but manifests may stand at any moment: it counts when publishing fails. */
    [GM_JOB_PUBLISHING] = {[GM_JOB_EV_CANCEL] = TO(GM_JOB_PUBLISHING),
                           [GM_JOB_EV_ABORT] = TO(GM_JOB_CANCELLING),
                           [GM_JOB_EV_FAIL] = TO(GM_JOB_FAILING),
                           [GM_JOB_EV_REPORTED] = TO(GM_JOB_DONE)},
    [GM_JOB_FAILING] =
        {[GM_JOB_EV_CANCEL] = TO(GM_JOB_FAILING), [GM_JOB_EV_REPORTED] = TO(GM_JOB_FAILED)},
    [GM_JOB_FAILED] = {[GM_JOB_EV_REOPEN] = TO(GM_JOB_RUNNING)},
    [GM_JOB_CANCELLING] =
        {[GM_JOB_EV_CANCEL] = TO(GM_JOB_CANCELLING), [GM_JOB_EV_REPORTED] = TO(GM_JOB_CANCELLED)},
};

int gm_unit_next(enum gm_task_state state, enum gm_unit_event event)
{
    return unit_table[state][event] - 1;
}

int gm_job_next(enum gm_job_state state, enum gm_job_event_kind event)
{
    return job_table[state][event] - 1;
}

bool gm_task_state_is_final(enum gm_task_state state)
{
    return state == GM_TASK_DONE || state == GM_TASK_FAILED || state == GM_TASK_ENDED;
}

bool gm_job_state_is_final(enum gm_job_state state)
{
    return state == GM_JOB_DONE || state == GM_JOB_FAILED || state == GM_JOB_CANCELLED;
}

const char *gm_job_state_name(enum gm_job_state state)
{
    static const char *const names[GM_JOB_STATES] = {
        [GM_JOB_QUEUED] = "queued",         [GM_JOB_RUNNING] = "running",
        [GM_JOB_PUBLISHING] = "publishing", [GM_JOB_DONE] = "done",
        [GM_JOB_FAILING] = "running",       [GM_JOB_FAILED] = "failed",
        [GM_JOB_CANCELLING] = "cancelling", [GM_JOB_CANCELLED] = "cancelled"};
    return names[state];
}

const char *gm_task_state_name(enum gm_task_state state)
{
    static const char *const names[GM_TASK_STATES] = {
        [GM_TASK_BLOCKED] = "blocked", [GM_TASK_READY] = "ready", [GM_TASK_RUNNING] = "running",
        [GM_TASK_BACKOFF] = "backoff", [GM_TASK_DONE] = "done",   [GM_TASK_FAILED] = "failed",
        [GM_TASK_ENDED] = "ended"};
    return names[state];
}

const char *gm_attempt_outcome_name(enum gm_attempt_outcome outcome)
{
    static const char *const names[GM_ATTEMPT_OUTCOMES] = {[GM_ATTEMPT_RUNNING] = "running",
                                                           [GM_ATTEMPT_DONE] = "done",
                                                           [GM_ATTEMPT_FAILED] = "failed",
                                                           [GM_ATTEMPT_LOST] = "lost",
                                                           [GM_ATTEMPT_CANCELLED] = "cancelled"};
    return names[outcome];
}
