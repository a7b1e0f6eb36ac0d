/* The commands that ask the API once: job list|show|cancel|explain, node
 * list|show|drain|resume|quarantine, pipeline list|show|check, storage sweep. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/pages.h"
#include "cli/pipeline_file.h"
#include "cli/print.h"
#include "cli/url.h"

#define HTTP_ACCEPTED 202

struct query {
    const char *method;
    char path[1024];
    json_t *body; /* owned */
    void (*print)(FILE *file, const json_t *answer);
};

static void print_yaml(FILE *file, const json_t *answer)
{
    fputs(gm_job_text(answer, "yaml"), file);
}

static void print_cancelled(FILE *file, const json_t *answer)
{
    fprintf(file, "%s %s\n", gm_job_text(answer, "id"), gm_job_text(answer, "state"));
}

static void print_drained(FILE *file, const json_t *answer)
{
    bool gone = json_is_false(json_object_get(answer, "connected"));
    fprintf(file, "%s %s%s\n", gm_job_text(answer, "id"),
            json_is_true(json_object_get(answer, "draining")) ? "draining" : "takes tasks",
            gone ? " when it is back" : "");
}

static void print_quarantined(FILE *file, const json_t *answer)
{
    fprintf(file, "%s %s\n", gm_job_text(answer, "id"),
            json_is_true(json_object_get(answer, "quarantined")) ? "in quarantine" : "takes tasks");
}

/* "<prefix><operand, escaped><suffix>" */
static int set_path(struct query *q, const char *prefix, const char *operand, const char *suffix,
                    struct gm_err *err)
{
    char *escaped = NULL;
    int rc = gm_url_escape(operand, &escaped, err);
    if (rc == 0 && snprintf(q->path, sizeof(q->path), "%s%s%s", prefix, escaped, suffix) >=
                       (int)sizeof(q->path)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "`%.60s...` is too long", operand);
    }
    free(escaped);
    return rc;
}

static int job_list_path(const struct gm_args *args, struct query *q, struct gm_err *err)
{
    static const char *const states[] = {"queued", "running",    "publishing", "done",
                                         "failed", "cancelling", "cancelled",  NULL};
    snprintf(q->path, sizeof(q->path), "/v1/jobs?");
    if (args->state == NULL) {
        return 0;
    }
    for (size_t i = 0; states[i] != NULL; i++) {
        if (strcmp(states[i], args->state) == 0) {
            snprintf(q->path, sizeof(q->path), "/v1/jobs?state=%s&", states[i]);
            return 0;
        }
    }
    const char *near = gm_suggest(args->state, states);
    return gm_err_set(err, GM_E_INVAL, 0,
                      "no job is ever `%s`%s%s%s: jobs are queued, running, publishing, done, "
                      "failed, cancelling or cancelled",
                      args->state, near == NULL ? "" : ", did you mean `", near == NULL ? "" : near,
                      near == NULL ? "" : "`?");
}

static json_t *device_body(const struct gm_args *args)
{
    return json_pack("{s:s*, s:s*}", "device", args->device, "reason", args->reason);
}

static int make_query(const struct gm_args *args, struct query *q, struct gm_err *err)
{
    q->method = "GET";
    switch (args->command) {
    case GM_CMD_JOB_LIST:
        q->print = gm_print_jobs;
        return job_list_path(args, q, err);
    case GM_CMD_JOB_SHOW:
        q->print = gm_print_job;
        return set_path(q, "/v1/jobs/", args->operand, "", err);
    case GM_CMD_JOB_CANCEL:
        q->method = "POST";
        q->print = print_cancelled;
        return set_path(q, "/v1/jobs/", args->operand, ":cancel", err);
    case GM_CMD_JOB_EXPLAIN:
        q->print = gm_print_explain;
        return set_path(q, "/v1/jobs/", args->operand, ":explain", err);
    case GM_CMD_NODE_LIST:
        q->print = gm_print_nodes;
        snprintf(q->path, sizeof(q->path), "/v1/nodes");
        return 0;
    case GM_CMD_NODE_SHOW:
        q->print = gm_print_node;
        return set_path(q, "/v1/nodes/", args->operand, "", err);
    case GM_CMD_NODE_QUARANTINE:
        q->method = "POST";
        q->print = print_quarantined;
        q->body = device_body(args);
        if (q->body == NULL) {
            return gm_err_set(err, GM_E_INVAL, 0, "--device or --reason is not UTF-8");
        }
        return set_path(q, "/v1/nodes/", args->operand, ":quarantine", err);
    case GM_CMD_NODE_DRAIN:
    case GM_CMD_NODE_RESUME:
        q->method = "POST";
        q->print = args->device != NULL ? print_quarantined : print_drained;
        q->body = args->device != NULL ? device_body(args) : NULL;
        if (args->device != NULL && q->body == NULL) {
            return gm_err_set(err, GM_E_INVAL, 0, "--device is not UTF-8");
        }
        return set_path(q, "/v1/nodes/", args->operand,
                        args->command == GM_CMD_NODE_DRAIN ? ":drain" : ":resume", err);
    case GM_CMD_STORAGE_SWEEP:
        q->method = "POST";
        q->print = gm_print_swept;
        q->body = json_pack("{s:b}", "dry_run", (int)args->dry_run);
        snprintf(q->path, sizeof(q->path), "/v1/storage:sweep");
        return q->body == NULL ? gm_err_nomem(err) : 0;
    case GM_CMD_PIPELINE_LIST:
        q->print = gm_print_pipelines;
        snprintf(q->path, sizeof(q->path), "/v1/pipelines");
        return 0;
    case GM_CMD_PIPELINE_SHOW:
        q->print = print_yaml;
        return set_path(q, "/v1/pipelines/", args->operand, "", err);
    default:
        q->method = "POST";
        q->print = gm_print_checked;
        snprintf(q->path, sizeof(q->path), "/v1/pipelines:check");
        return gm_pipeline_load(args->operand, &q->body, err);
    }
}

static bool goes_on(const struct gm_args *args, const struct gm_answer *answer)
{
    return args->command == GM_CMD_STORAGE_SWEEP && answer->status == HTTP_ACCEPTED;
}

/* Asks until there is a last answer: a sweep may take as long as it likes. */
static int ask(struct gm_session *session, const struct gm_args *args, struct gm_term *term,
               struct query *q, struct gm_answer *answer, struct gm_err *err)
{
    if (args->command == GM_CMD_JOB_LIST) {
        return gm_pages_call(session, q->path, "jobs", (size_t)args->limit, answer, err);
    }
    int rc = gm_session_call(session, q->method, q->path, q->body, true, answer, err);
    while (rc == 0 && goes_on(args, answer)) {
        const json_t *found = json_object_get(answer->body, "found");
        gm_term_note(term, "the work store is being swept: %.20s, %zu found",
                     gm_job_text(answer->body, "state"), json_array_size(found));
        json_t *id = json_object_get(answer->body, "sweep");
        if (!json_is_integer(id) || json_object_set(q->body, "sweep", id) < 0) {
            return gm_err_set(err, GM_E_PROTO, 0, "an answer of a sweep has no number");
        }
        json_decref(answer->body);
        *answer = (struct gm_answer){.body = NULL};
        rc = gm_session_call(session, q->method, q->path, q->body, true, answer, err);
    }
    return rc;
}

/* Who reads no further, as `head`, has what he wants. */
static int written(bool done, struct gm_err *err)
{
    int native = errno;
    return done || native == EPIPE ? 0
                                   : gm_err_set(err, GM_E_SYS, native, "could not write to stdout");
}

enum gm_exit gm_command_query(const struct gm_args *args, struct gm_term *term)
{
    struct query q = {0};
    struct gm_err err = {0};
    struct gm_session *session = NULL;
    struct gm_answer answer = {0};
    /* Pipelines are the scheduler's alone: no node is needed to read them. */
    static const struct gm_farm_params farm = {.nodes = 0};
    int rc = make_query(args, &q, &err);
    if (rc == 0) {
        rc = gm_command_session(args, &farm, term, &session, &err);
    }
    if (rc == 0) {
        rc = ask(session, args, term, &q, &answer, &err);
    }
    gm_session_close(&session);
    if (rc == 0 && args->json) {
        rc = written(gm_print_json(stdout, answer.body) == 0, &err);
    } else if (rc == 0) {
        q.print(stdout, answer.body);
        rc = written(fflush(stdout) == 0, &err);
    }
    json_decref(q.body);
    json_decref(answer.body);
    return rc < 0 ? gm_command_fail(args, term, &err) : GM_EXIT_DONE;
}
