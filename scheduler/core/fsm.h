#ifndef GM_SCHEDULER_CORE_FSM_H
#define GM_SCHEDULER_CORE_FSM_H

#include "scheduler/core/view.h"

/* The two state machines, as tables. A unit is what a lease holds: a task instance, or one chunk
 * of encode. Thread: any. */
enum gm_unit_event {
    GM_UNIT_UNBLOCK, /* its inputs are there */
    GM_UNIT_ASSIGN,
    GM_UNIT_COMMIT,  /* its result is durable */
    GM_UNIT_PAUSE,   /* failed, pause before the next try */
    GM_UNIT_RETURN,  /* given back, may be assigned at once */
    GM_UNIT_WAKE,    /* the pause is over */
    GM_UNIT_AWAIT,   /* it may still run for the scheduler before this one, or a pause of that one
                        goes on */
    GM_UNIT_FAIL,    /* failed for good */
    GM_UNIT_END,     /* the job ended without it */
    GM_UNIT_RESET,   /* its job is planned again, or was reopened */
    GM_UNIT_RESTORE, /* recovery found its result; or there is nothing to do */
    GM_UNIT_EVENTS
};
enum gm_job_event_kind {
    GM_JOB_EV_START,    /* something was assigned */
    GM_JOB_EV_COMPLETE, /* all tasks are done */
    GM_JOB_EV_PLANNED,  /* plan is done and no more was asked for */
    GM_JOB_EV_FAIL,
    GM_JOB_EV_CANCEL,
    GM_JOB_EV_ABORT,    /* publishing failed and a cancel waits */
    GM_JOB_EV_REOPEN,   /* it is tried again from where it failed */
    GM_JOB_EV_REPORTED, /* PUBLISHED said 0, or reporting was given up */
    GM_JOB_EVENTS
};

#define GM_FSM_ILLEGAL (-1)
/* The next state, or GM_FSM_ILLEGAL. */
int gm_unit_next(enum gm_task_state state, enum gm_unit_event event);
int gm_job_next(enum gm_job_state state, enum gm_job_event_kind event);
bool gm_task_state_is_final(enum gm_task_state state); /* done, failed or ended */

#endif
