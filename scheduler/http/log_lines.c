#include "scheduler/http/log_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/report.h"

static struct gm_log_line *add_line(struct gm_log *log, int64_t unix_ms, int64_t seq)
{
    if (log->failed) {
        return NULL;
    }
    if (log->count == log->cap) {
        size_t cap = log->cap > 0 ? log->cap * 2 : 64;
        struct gm_log_line *more = reallocarray(log->lines, cap, sizeof *more);
        log->failed = more == NULL;
        if (more == NULL) {
            return NULL;
        }
        log->lines = more;
        log->cap = cap;
    }
    struct gm_log_line *line = &log->lines[log->count++];
    *line = (struct gm_log_line){.seq = seq, .unix_ms = unix_ms, .level = "info"};
    return line;
}

/* What it failed with the event has; one of an earlier release has not. */
static void say_end(struct gm_log_line *line, const struct gm_job_view *job, const char *state,
                    const json_t *data)
{
    const char *code = json_string_value(json_object_get(data, "code"));
    const char *text = json_string_value(json_object_get(data, "text"));
    bool failed = strcmp(state, "failed") == 0;
    line->level = failed ? "error" : "info";
    if (failed && code != NULL && text != NULL) {
        (void)snprintf(line->text, sizeof line->text, "The job failed with %s: %s", code, text);
    } else if (failed && job->error.code != GM_OK) {
        (void)snprintf(line->text, sizeof line->text, "The job failed with %s: %s",
                       gm_code_get((int)job->error.code)->id, job->error.text);
    } else {
        (void)snprintf(line->text, sizeof line->text, "The job is %.40s.", state);
    }
}

/* What a job comes by once. */
static bool say_news(struct gm_log_line *line, const char *type)
{
    static const struct {
        const char *type, *text;
    } news[] = {{"job.accepted", "The job was accepted."},
                {"job.inspected", "The source is inspected."},
                {"job.playable", "The first segments of all renditions are made and verified."},
                {"job.deadline_doubtful", "The job is expected to miss its deadline."},
                {"job.deadline_missed", "The job has missed its deadline."}};
    for (size_t i = 0; i < sizeof news / sizeof news[0]; i++) {
        if (strcmp(type, news[i].type) == 0) {
            (void)snprintf(line->text, sizeof line->text, "%s", news[i].text);
            return true;
        }
    }
    return false;
}

static void say_publishing(struct gm_log_line *line, const char *type, const json_t *data)
{
    const char *code = json_string_value(json_object_get(data, "code"));
    const char *text = json_string_value(json_object_get(data, "text"));
    bool held = strcmp(type, "publish.held") == 0;
    line->level = held ? "info" : "warn";
    (void)snprintf(line->text, sizeof line->text, "%s%s: %s",
                   held ? "Publishing waits" : "Publishing failed, and is tried again, with ",
                   held || code == NULL ? "" : code, text != NULL ? text : "");
}

void gm_log_add_event(const struct gm_state_event *e, void *arg)
{
    struct gm_log *log = arg;
    struct gm_log_line *line = add_line(log, e->unix_ms, e->seq * GM_LOG_PLACES);
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
        say_end(line, log->job, state, data);
    }
    json_decref(data);
}

static void add_failure(struct gm_log *log, const struct gm_attempt_view *a, int64_t seq)
{
    struct gm_log_line *line = add_line(log, a->ended_unix_ms, seq);
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

void gm_log_add_failures(struct gm_log *log, const struct gm_attempts_view *failures, bool last,
                         int64_t until_unix_ms)
{
    size_t at = 0;
    int64_t place = 0;
    for (size_t i = 0; i < failures->count && log->events > 0; i++) {
        const struct gm_attempt_view *a = &failures->rows[i];
        while (at + 1 < log->events && log->lines[at + 1].unix_ms <= a->ended_unix_ms) {
            at++;
            place = 0;
        }
        if ((at + 1 == log->events && !last) || a->ended_unix_ms >= until_unix_ms) {
            return;
        }
        if (++place < GM_LOG_PLACES) {
            add_failure(log, a, log->lines[at].seq + place);
        }
    }
}

static int by_seq(const void *pa, const void *pb)
{
    const struct gm_log_line *a = pa, *b = pb;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

void gm_log_sift(struct gm_log *log)
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
