/* GET /v1/jobs/ID/logs: the course of a job in sentences, made of its stored events and of attempts
 * that failed. A line's number is that of its event; what failed comes behind the last event that
 * was not later, and is counted from there. So it is the same whenever it is asked for, and a page
 * reads as many events as it has lines, however long the job is. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/http/request.h"
#include "scheduler/report.h"

#define PAGE 500
#define PLACES (INT64_C(1) << 20) /* of an event: itself, then what failed */

struct line {
    int64_t seq;
    int64_t unix_ms;
    const char *level;
    char text[400]; /* "": nothing to say */
    char task[65];
    char node[65];
};
struct log {
    struct line *lines; /* owned; first the events, each with a line, then what failed */
    size_t count, cap;
    size_t events;
    int64_t after;
    const struct gm_job_view *job; /* borrowed */
    bool failed;                   /* memory has run out */
};

static struct line *add_line(struct log *log, int64_t unix_ms, int64_t seq)
{
    if (log->failed) {
        return NULL;
    }
    if (log->count == log->cap) {
        size_t cap = log->cap > 0 ? log->cap * 2 : 64;
        struct line *more = reallocarray(log->lines, cap, sizeof *more);
        log->failed = more == NULL;
        if (more == NULL) {
            return NULL;
        }
        log->lines = more;
        log->cap = cap;
    }
    struct line *line = &log->lines[log->count++];
    *line = (struct line){.seq = seq, .unix_ms = unix_ms, .level = "info"};
    return line;
}

static void say_end(struct line *line, const struct gm_job_view *job, const char *state)
{
    bool failed = strcmp(state, "failed") == 0;
    line->level = failed ? "error" : "info";
    if (failed && job->error.code != GM_OK) {
        (void)snprintf(line->text, sizeof line->text, "The job failed with %s: %s",
                       gm_code_get((int)job->error.code)->id, job->error.text);
    } else {
        (void)snprintf(line->text, sizeof line->text, "The job is %.40s.", state);
    }
}

/* What a job comes by once. */
static bool say_news(struct line *line, const char *type)
{
    static const struct {
        const char *type, *text;
    } news[] = {{"job.accepted", "The job was accepted."},
                {"job.inspected", "The source is inspected."},
                {"job.playable", "The first segments of all renditions are made and verified."}};
    for (size_t i = 0; i < sizeof news / sizeof news[0]; i++) {
        if (strcmp(type, news[i].type) == 0) {
            (void)snprintf(line->text, sizeof line->text, "%s", news[i].text);
            return true;
        }
    }
    return false;
}

static void say_publishing(struct line *line, const char *type, const json_t *data)
{
    const char *code = json_string_value(json_object_get(data, "code"));
    const char *text = json_string_value(json_object_get(data, "text"));
    bool held = strcmp(type, "publish.held") == 0;
    line->level = held ? "info" : "warn";
    (void)snprintf(line->text, sizeof line->text, "%s%s: %s",
                   held ? "Publishing waits" : "Publishing failed, and is tried again, with ",
                   held || code == NULL ? "" : code, text != NULL ? text : "");
}

static void add_event(const struct gm_state_event *e, void *arg)
{
    struct log *log = arg;
    struct line *line = add_line(log, e->unix_ms, e->seq * PLACES);
    json_t *data = line != NULL ? json_loads(e->json, 0, NULL) : NULL;
    const char *state = json_string_value(json_object_get(data, "state"));
    const char *task = json_string_value(json_object_get(data, "task"));
    if (state == NULL) {
        json_decref(data);
        return;
    }
    if (task != NULL) {
        (void)snprintf(line->task, sizeof line->task, "%s", task);
        (void)snprintf(line->text, sizeof line->text, "Task `%.64s` is %.40s.", task, state);
    } else if (strcmp(e->type, "job.replanned") == 0) {
        line->level = "warn";
        (void)snprintf(line->text, sizeof line->text,
                       "What encodes was given up: all after `inspect` is made anew.");
    } else if (strncmp(e->type, "publish.", 8) == 0) {
        say_publishing(line, e->type, data);
    } else if (strcmp(e->type, "asset.removed") == 0) {
        (void)snprintf(line->text, sizeof line->text, "What the job published was taken down.");
    } else if (!say_news(line, e->type)) {
        say_end(line, log->job, state);
    }
    json_decref(data);
}

static void add_failure(struct log *log, const struct gm_attempt_view *a, int64_t seq)
{
    struct line *line = add_line(log, a->ended_unix_ms, seq);
    if (line == NULL) {
        return;
    }
    bool said = a->error_code != GM_OK;
    line->level = "warn";
    (void)snprintf(line->task, sizeof line->task, "%s", a->task);
    (void)snprintf(line->node, sizeof line->node, "%s", a->node_id);
    (void)snprintf(line->text, sizeof line->text, "Attempt %" PRIu64 " of `%.64s` %s%s%s%s%s",
                   a->attempt, a->task, a->outcome == GM_ATTEMPT_LOST ? "was lost" : "failed",
                   said ? " with " : ".", said ? gm_code_get((int)a->error_code)->id : "",
                   said ? ": " : "", said ? a->error_text : "");
}

/* Each behind its event; what comes behind the last of them is left for the next page where there
 * may be events that it is behind of, too. */
static void add_failures(struct log *log, const struct gm_attempts_view *failures, bool last)
{
    size_t at = 0;
    int64_t place = 0;
    for (size_t i = 0; i < failures->count && log->events > 0; i++) {
        const struct gm_attempt_view *a = &failures->rows[i];
        while (at + 1 < log->events && log->lines[at + 1].unix_ms <= a->ended_unix_ms) {
            at++;
            place = 0;
        }
        if (at + 1 == log->events && !last) {
            return;
        }
        if (++place < PLACES) {
            add_failure(log, a, log->lines[at].seq + place);
        }
    }
}

static int by_seq(const void *pa, const void *pb)
{
    const struct line *a = pa, *b = pb;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static json_t *lines_json(const struct log *log, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < count; i++) {
        const struct line *l = &log->lines[i];
        list = gm_json_add(list,
                           json_pack("{s:I, s:o, s:s, s:o, s:o, s:o}", "seq", (json_int_t)l->seq,
                                     "time", gm_json_time(l->unix_ms), "level", l->level, "text",
                                     gm_json_string(l->text), "task", gm_json_text_or_null(l->task),
                                     "node", gm_json_text_or_null(l->node)));
    }
    return list;
}

/* Drops what was said, and what says nothing. */
static void sift(struct log *log)
{
    size_t kept = 0;
    for (size_t i = 0; i < log->count; i++) {
        if (log->lines[i].seq > log->after && log->lines[i].text[0] != '\0') {
            log->lines[kept++] = log->lines[i];
        }
    }
    log->count = kept;
    if (kept > 1) {
        qsort(log->lines, kept, sizeof *log->lines, by_seq);
    }
}

/* Also the event that `after` is of, for its time. *out_next: behind what was read; 0: all was. */
static int read_log(const struct gm_request *r, struct log *log, size_t limit, int64_t *out_next,
                    struct gm_err *err)
{
    const struct gm_core *core = gm_daemon_core(r->http->d);
    struct gm_attempts_view failures;
    struct gm_state *state = gm_daemon_state(r->http->d);
    int64_t event = log->after / PLACES;
    int rc = gm_state_events(state, log->job->seq, event > 0 ? event - 1 : 0, (int)limit + 2,
                             add_event, log, err);
    if (rc == 0 && event > 0 && log->count == 0) { /* another release's number: all anew */
        log->after = event = 0;
        rc = gm_state_events(state, log->job->seq, 0, (int)limit + 2, add_event, log, err);
    }
    log->events = log->count;
    bool last = log->events < limit + 2;
    int64_t since = event > 0 && log->events > 0 ? log->lines[0].unix_ms : 0;
    rc = rc < 0 ? rc : gm_view_failures(core, r->id, since, &failures, err);
    if (rc < 0) {
        return rc;
    }
    *out_next = last ? 0 : log->lines[log->events - 1].seq;
    add_failures(log, &failures, last);
    gm_view_attempts_fini(&failures);
    sift(log);
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
    struct log log = {.after = (int64_t)after, .job = &job};
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
    gm_request_show_settled(r, show_logs);
}
