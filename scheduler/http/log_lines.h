#ifndef GM_SCHEDULER_HTTP_LOG_LINES_H
#define GM_SCHEDULER_HTTP_LOG_LINES_H

#include "scheduler/core/view.h"
#include "scheduler/store/state.h"

/* The course of a job, line by line: of its stored events, and of attempts that failed. A line's
 * number is that of its event; what failed comes behind the last event that was not later, and is
 * counted from there. Pure. Thread: any. */
#define GM_LOG_PLACES (INT64_C(1) << 20) /* of an event: itself, then what failed */

struct gm_log_line {
    int64_t seq;
    int64_t unix_ms;
    const char *level;
    char text[400]; /* "": nothing to say */
    char task[65];
    char node[65];
};
struct gm_log {
    struct gm_log_line *lines; /* owned; first the events, each with a line, then what failed */
    size_t count, cap;
    size_t events; /* of the lines; set by the caller when all were added */
    int64_t after;
    const struct gm_job_view *job; /* borrowed */
    bool failed;                   /* memory has run out */
};

/* The job's next event. arg: the log. */
void gm_log_add_event(const struct gm_state_event *event, void *arg);
/* What failed, in order, from the time of the first event on. Of what comes behind the last event
 * none is added unless that is the `last` there is: there may be events that it is behind of. An
 * event that is stored from until_unix_ms on may come between what failed then and the events
 * before it, and would give it another number: it is told once that time is over. */
void gm_log_add_failures(struct gm_log *log, const struct gm_attempts_view *failures, bool last,
                         int64_t until_unix_ms);
/* Drops lines up to `after` and those that say nothing, and puts the others in order. */
void gm_log_sift(struct gm_log *log);

#endif
