/* GET /v1/jobs/ID/logs: the course of a job in sentences, made of its stored events and of attempts
 * that failed. A line's number is that of its event; what failed comes behind the last event that
 * was not later, and is counted from there. So it is the same whenever it is asked for, and a page
 * reads as many events as it has lines, however long the job is. */
#include <stdlib.h>

#include "scheduler/http/log_lines.h"
#include "scheduler/http/request.h"
#include "scheduler/report.h"

#define PAGE 500

static json_t *lines_json(const struct gm_log *log, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < count; i++) {
        const struct gm_log_line *l = &log->lines[i];
        list = gm_json_add(list,
                           json_pack("{s:I, s:o, s:s, s:o, s:o, s:o}", "seq", (json_int_t)l->seq,
                                     "time", gm_json_time(l->unix_ms), "level", l->level, "text",
                                     gm_json_string(l->text), "task", gm_json_text_or_null(l->task),
                                     "node", gm_json_text_or_null(l->node)));
    }
    return list;
}

/* Also the event that `after` is of, for its time. *out_next: behind what was read; 0: all was. */
static int read_log(const struct gm_request *r, struct gm_log *log, size_t limit, int64_t *out_next,
                    struct gm_err *err)
{
    const struct gm_core *core = gm_daemon_core(r->http->d);
    struct gm_attempts_view failures;
    struct gm_state *state = gm_daemon_state(r->http->d);
    int64_t event = log->after / GM_LOG_PLACES;
    int rc = gm_state_events(state, log->job->seq, event > 0 ? event - 1 : 0, (int)limit + 2,
                             gm_log_add_event, log, err);
    if (rc == 0 && event > 0 && log->count == 0) { /* another release's number: all anew */
        log->after = event = 0;
        rc = gm_state_events(state, log->job->seq, 0, (int)limit + 2, gm_log_add_event, log, err);
    }
    log->events = log->count;
    bool last = log->events < limit + 2;
    int64_t since = event > 0 && log->events > 0 ? log->lines[0].unix_ms : 0;
    rc = rc < 0 ? rc : gm_view_failures(core, r->id, since, &failures, err);
    if (rc < 0) {
        return rc;
    }
    *out_next = last ? 0 : log->lines[log->events - 1].seq;
    bool over = gm_job_state_is_final(log->job->state); /* no event comes that matters */
    gm_log_add_failures(log, &failures, last, over ? INT64_MAX : r->asked_unix_ms);
    gm_view_attempts_fini(&failures);
    gm_log_sift(log);
    return log->failed ? gm_err_nomem(err) : 0;
}

static void show_logs(struct gm_request *r)
{
    static const char *const known[] = {"after", "limit", NULL};
    struct gm_err err = {0};
    struct gm_job_view job = {0};
    uint64_t after = 0, limit = PAGE;
    int64_t behind = 0;
    int rc = gm_request_check_query(r, known, &err);
    rc = rc < 0 ? rc : gm_request_number(r, "after", 0, INT64_MAX, &after, &err);
    rc = rc < 0 ? rc : gm_request_number(r, "limit", 1, PAGE, &limit, &err);
    rc = rc < 0 ? rc : gm_view_job(gm_daemon_core(r->http->d), r->id, &job, &err);
    struct gm_log log = {.after = (int64_t)after, .job = &job};
    rc = rc < 0 ? rc : read_log(r, &log, (size_t)limit, &behind, &err);
    if (rc < 0) {
        gm_request_fail(r, &err);
    } else {
        size_t count = log.count < limit ? log.count : (size_t)limit;
        json_t *next = count < log.count ? json_integer(log.lines[count - 1].seq)
                       : behind > 0      ? json_integer(behind)
                                         : json_null();
        gm_request_json(r, MHD_HTTP_OK,
                        json_pack("{s:o, s:o}", "lines", lines_json(&log, count), "next", next));
    }
    gm_view_job_fini(&job);
    free(log.lines);
}

/* What is stored later than what was read would have an earlier number: all is on disk first. */
void gm_handle_logs(struct gm_request *r)
{
    r->asked_unix_ms = gm_time_unix_ms();
    gm_request_show_settled(r, show_logs);
}
