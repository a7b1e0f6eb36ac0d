/* job trace: asks for all that is known of a job, and writes it as cli/trace.h has it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/pages.h"
#include "cli/print.h"
#include "cli/trace.h"

struct answers {
    struct gm_answer job, tasks, attempts, lines;
};

static int get(struct gm_session *session, const char *job, const char *suffix, const char *rows,
               struct gm_answer *out, struct gm_err *err)
{
    char *path = NULL;
    int rc = gm_job_path(job, suffix, &path, err);
    if (rc == 0) {
        rc = rows != NULL ? gm_pages_after(session, path, rows, out, err)
                          : gm_session_call(session, "GET", path, NULL, true, out, err);
    }
    free(path);
    return rc;
}

static int ask(struct gm_session *session, const char *job, struct answers *a, struct gm_err *err)
{
    int rc = get(session, job, "", NULL, &a->job, err);
    rc = rc < 0 ? rc : get(session, job, "/tasks", NULL, &a->tasks, err);
    rc = rc < 0 ? rc : get(session, job, "/attempts?", "attempts", &a->attempts, err);
    return rc < 0 ? rc : get(session, job, "/logs?", "lines", &a->lines, err);
}

static int make(const struct answers *a, json_t **out, struct gm_err *err)
{
    const struct gm_trace_facts facts = {
        .job = a->job.body,
        .tasks = json_object_get(a->tasks.body, "tasks"),
        .attempts = json_object_get(a->attempts.body, "attempts"),
        .lines = json_object_get(a->lines.body, "lines"),
        .now_unix_ms = gm_time_unix_ms(),
    };
    *out = gm_trace_json(&facts);
    return *out != NULL ? 0 : gm_err_nomem(err);
}

static int write_file(const char *path, const json_t *trace, struct gm_err *err)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return gm_err_sys(err, errno, "could not make %.200s", path);
    }
    bool good = json_dumpf(trace, file, JSON_COMPACT) == 0 && fputc('\n', file) != EOF;
    int native = errno;
    good = fclose(file) == 0 && good;
    return good ? 0 : gm_err_sys(err, native, "could not write %.200s", path);
}

static int show(const struct gm_args *args, struct gm_term *term, const json_t *trace,
                struct gm_err *err)
{
    size_t count = json_array_size(json_object_get(trace, "traceEvents"));
    if (args->out == NULL) {
        bool good = json_dumpf(trace, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF &&
                    fflush(stdout) == 0;
        return good || errno == EPIPE ? 0 : gm_err_sys(err, errno, "could not write to stdout");
    }
    int rc = write_file(args->out, trace, err);
    if (rc < 0 || !args->json) {
        if (rc == 0) {
            gm_term_note(term, "%zu events are in %s: open it at https://ui.perfetto.dev", count,
                         args->out);
        }
        return rc;
    }
    json_t *doc = json_pack("{s:s, s:I}", "file", args->out, "events", (json_int_t)count);
    rc = doc == NULL || gm_print_json(stdout, doc) != 0
             ? gm_err_set(err, GM_E_SYS, errno, "could not write to stdout")
             : 0;
    json_decref(doc);
    return rc;
}

enum gm_exit gm_command_trace(const struct gm_args *args, struct gm_term *term)
{
    struct gm_session *session = NULL;
    struct answers answers = {.job = {.body = NULL}};
    struct gm_err err = {0};
    json_t *trace = NULL;
    int rc = gm_command_session(args, NULL, term, &session, &err);
    rc = rc < 0 ? rc : ask(session, args->operand, &answers, &err);
    gm_session_close(&session);
    rc = rc < 0 ? rc : make(&answers, &trace, &err);
    rc = rc < 0 ? rc : show(args, term, trace, &err);
    json_decref(trace);
    json_decref(answers.job.body);
    json_decref(answers.tasks.body);
    json_decref(answers.attempts.body);
    json_decref(answers.lines.body);
    return rc < 0 ? gm_command_fail(args, term, &err) : GM_EXIT_DONE;
}
