#include "cli/query.h"

#include <stdlib.h>
#include <string.h>

#include "cli/job.h"
#include "cli/pipeline_file.h"
#include "cli/print.h"
#include "cli/table.h"
#include "cli/url.h"
#include "common/yaml.h"

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyz0123456789-"

/* The commands that need nothing but their operand. */
struct plain {
    enum gm_command command;
    const char *method, *before;
    const char *after; /* what follows the operand; NULL: there is none */
    void (*print)(FILE *file, const json_t *answer);
    enum gm_paging paging;
    const char *rows;
};

static void print_yaml(FILE *file, const json_t *answer)
{
    fputs(gm_job_text(answer, "yaml"), file);
}

static void print_document(FILE *file, const json_t *answer)
{
    GM_IGNORE(gm_print_json(file, answer), "who flushes is told");
}

static void print_cancelled(FILE *file, const json_t *answer)
{
    fprintf(file, "%s %s\n", gm_job_text(answer, "id"), gm_job_text(answer, "state"));
}

static void print_stored(FILE *file, const json_t *answer)
{
    fprintf(file, "%s is %s\n", gm_job_text(answer, "name"),
            json_is_true(json_object_get(answer, "stored")) ? "stored" : "deleted");
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

static void print_removed(FILE *file, const json_t *answer)
{
    const char *place = gm_job_text(answer, "destination");
    fprintf(file, "%s is taken down%s%s\n", gm_job_text(answer, "job"),
            place[0] != '\0' ? ", at " : "", place);
}

/* "<prefix><operand, escaped><suffix>" */
static int set_path(struct gm_query *q, const char *prefix, const char *operand, const char *suffix,
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

static const struct plain PLAIN[] = {
    {GM_CMD_JOB_SHOW, "GET", "/v1/jobs/", "", gm_print_job, GM_PAGING_NONE, NULL},
    {GM_CMD_JOB_CANCEL, "POST", "/v1/jobs/", ":cancel", print_cancelled, GM_PAGING_NONE, NULL},
    {GM_CMD_JOB_RETRY, "POST", "/v1/jobs/", ":retry", gm_print_retried, GM_PAGING_NONE, NULL},
    {GM_CMD_JOB_EXPLAIN, "GET", "/v1/jobs/", ":explain", gm_print_explain, GM_PAGING_NONE, NULL},
    {GM_CMD_JOB_TASKS, "GET", "/v1/jobs/", "/tasks", gm_print_job_tasks, GM_PAGING_NONE, NULL},
    {GM_CMD_JOB_ATTEMPTS, "GET", "/v1/jobs/", "/attempts?", gm_print_attempts, GM_PAGING_AFTER,
     "attempts"},
    {GM_CMD_JOB_LOGS, "GET", "/v1/jobs/", "/logs?", gm_print_logs, GM_PAGING_AFTER, "lines"},
    {GM_CMD_JOB_REPORT, "GET", "/v1/jobs/", "/report", print_document, GM_PAGING_NONE, NULL},
    {GM_CMD_NODE_LIST, "GET", "/v1/nodes", NULL, gm_print_nodes, GM_PAGING_NONE, NULL},
    {GM_CMD_NODE_SHOW, "GET", "/v1/nodes/", "", gm_print_node, GM_PAGING_NONE, NULL},
    {GM_CMD_NODE_DRAIN, "POST", "/v1/nodes/", ":drain", print_drained, GM_PAGING_NONE, NULL},
    {GM_CMD_PIPELINE_LIST, "GET", "/v1/pipelines", NULL, gm_print_pipelines, GM_PAGING_NONE, NULL},
    {GM_CMD_PIPELINE_SHOW, "GET", "/v1/pipelines/", "", print_yaml, GM_PAGING_NONE, NULL},
    {GM_CMD_PIPELINE_DELETE, "DELETE", "/v1/pipelines/", "", print_stored, GM_PAGING_NONE, NULL},
    {GM_CMD_ASSET_SHOW, "GET", "/v1/assets/", "", gm_print_asset, GM_PAGING_NONE, NULL},
    {GM_CMD_ASSET_DELETE, "DELETE", "/v1/assets/", "", print_removed, GM_PAGING_NONE, NULL},
    {GM_CMD_UPLOADS_LIST, "GET", "/v1/uploads", NULL, gm_print_uploads, GM_PAGING_NONE, NULL},
    {GM_CMD_UPLOADS_SHOW, "GET", "/v1/uploads/", "", gm_print_upload, GM_PAGING_NONE, NULL},
    {GM_CMD_UPLOADS_DELETE, "DELETE", "/v1/uploads/", "", gm_print_upload_deleted, GM_PAGING_NONE,
     NULL},
    {GM_CMD_FARM, "GET", "/v1/farm", NULL, gm_print_farm, GM_PAGING_NONE, NULL},
};

static int make_plain(const struct plain *plain, const struct gm_args *args, struct gm_query *q,
                      struct gm_err *err)
{
    const char *operand = args->operand;
    const char *after =
        args->command == GM_CMD_ASSET_DELETE && args->force ? "?force=1" : plain->after;
    q->method = plain->method;
    q->print = plain->print;
    q->paging = plain->paging;
    q->rows = plain->rows;
    q->once = plain->command == GM_CMD_JOB_RETRY;
    q->gone = plain->command == GM_CMD_PIPELINE_DELETE ? "name"
              : plain->command == GM_CMD_ASSET_DELETE  ? "job"
                                                       : NULL;
    if (plain->command == GM_CMD_JOB_RETRY && args->force) {
        q->body = json_pack("{s:b}", "all", 1);
        if (q->body == NULL) {
            return gm_err_nomem(err);
        }
    }
    if (plain->after == NULL) {
        snprintf(q->path, sizeof(q->path), "%s", plain->before);
        return 0;
    }
    bool upload = strcmp(plain->before, "/v1/uploads/") == 0 && strncmp(operand, "upload:", 7) == 0;
    return set_path(q, plain->before, upload ? operand + 7 : operand, after, err);
}

/* "<name>=<value, escaped>&"; NULL: none. */
static int add_filter(struct gm_query *q, const char *name, const char *value, struct gm_err *err)
{
    size_t used = strlen(q->path);
    char *escaped = NULL;
    int rc = value != NULL ? gm_url_escape(value, &escaped, err) : 0;
    if (rc == 0 && value != NULL &&
        snprintf(q->path + used, sizeof(q->path) - used, "%s=%s&", name, escaped) >=
            (int)(sizeof(q->path) - used)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "`%.60s...` is too long", value);
    }
    free(escaped);
    return rc;
}

static int check_state(const char *state, struct gm_err *err)
{
    static const char *const states[] = {"queued", "running",    "publishing", "done",
                                         "failed", "cancelling", "cancelled",  NULL};
    for (size_t i = 0; state != NULL && states[i] != NULL; i++) {
        if (strcmp(states[i], state) == 0) {
            return 0;
        }
    }
    if (state == NULL) {
        return 0;
    }
    const char *near = gm_suggest(state, states);
    return gm_err_set(err, GM_E_INVAL, 0,
                      "no job is ever `%s`%s%s%s: jobs are queued, running, publishing, done, "
                      "failed, cancelling or cancelled",
                      state, near == NULL ? "" : ", did you mean `", near == NULL ? "" : near,
                      near == NULL ? "" : "`?");
}

static int make_job_list(const struct gm_args *args, struct gm_query *q, struct gm_err *err)
{
    q->print = gm_print_jobs;
    q->paging = GM_PAGING_CURSOR;
    q->rows = "jobs";
    snprintf(q->path, sizeof(q->path), "/v1/jobs?");
    int rc = check_state(args->state, err);
    rc = rc < 0 ? rc : add_filter(q, "state", args->state, err);
    rc = rc < 0 ? rc : add_filter(q, "tenant", args->tenant, err);
    rc = rc < 0 ? rc : add_filter(q, "pipeline", args->pipeline, err);
    rc = rc < 0 ? rc : add_filter(q, "external_id", args->external_id, err);
    return rc < 0 ? rc : add_filter(q, "q", args->query, err);
}

static int make_priority(const struct gm_args *args, struct gm_query *q, struct gm_err *err)
{
    char *end = NULL;
    const char *text = args->operands[1];
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || number < 0 || number > 100) {
        return gm_err_set(err, GM_E_INVAL, 0, "a priority is a number from 0 to 100, not `%.60s`",
                          text);
    }
    q->print = gm_print_priority;
    q->body = json_pack("{s:I}", "priority", (json_int_t)number);
    return q->body == NULL ? gm_err_nomem(err)
                           : set_path(q, "/v1/jobs/", args->operand, ":priority", err);
}

/* resume, quarantine: of a node, or of a device of it. */
static int make_device(const struct gm_args *args, struct gm_query *q, struct gm_err *err)
{
    bool resume = args->command == GM_CMD_NODE_RESUME;
    q->print = resume && args->device == NULL ? print_drained : print_quarantined;
    if (!resume || args->device != NULL) {
        q->body = json_pack("{s:s*, s:s*}", "device", args->device, "reason", args->reason);
        if (q->body == NULL) {
            return gm_err_set(err, GM_E_INVAL, 0, "--device or --reason is not UTF-8");
        }
    }
    return set_path(q, "/v1/nodes/", args->operand, resume ? ":resume" : ":quarantine", err);
}

/* Events on their way to webhooks, or dead. One request: what it may show is below a page. */
static int make_deliveries(const struct gm_args *args, struct gm_query *q, struct gm_err *err)
{
    if (args->dead && args->waiting) {
        return gm_err_set(err, GM_E_INVAL, 0, "--dead and --waiting: these are two lists");
    }
    q->print = args->waiting ? gm_print_waiting : gm_print_dead;
    snprintf(q->path, sizeof(q->path), "/v1/events/%s?limit=%d", args->waiting ? "waiting" : "dead",
             (int)args->limit);
    return 0;
}

/* A delivery's id has a slash, a job's has none. Its answer is a count, which a second request
 * would not give again. */
static int make_redeliver(const struct gm_args *args, struct gm_query *q, struct gm_err *err)
{
    const char *what = args->all ? NULL : args->operand;
    bool delivery = what != NULL && strchr(what, '/') != NULL;
    q->print = gm_print_redelivered;
    q->once = true;
    q->body = json_pack("{s:s*}", delivery ? "id" : "job", what);
    snprintf(q->path, sizeof(q->path), "/v1/events:redeliver");
    return q->body != NULL ? 0 : gm_err_set(err, GM_E_INVAL, 0, "`%.100s` is not UTF-8", what);
}

/* Under the name in it, which the scheduler checks. */
static int make_store(const struct gm_args *args, struct gm_query *q, struct gm_err *err)
{
    struct gm_yaml *root = NULL;
    const char *name = "";
    q->method = "PUT";
    q->print = print_stored;
    int rc = gm_pipeline_load(args->operand, &q->body, err);
    if (rc < 0) {
        return rc;
    }
    const char *yaml = gm_job_text(q->body, "yaml");
    rc = gm_yaml_parse(args->operand, yaml, strlen(yaml), &root, err);
    if (rc == 0) {
        const struct gm_yaml *node = root->kind == GM_YAML_MAP ? gm_yaml_find(root, "name") : NULL;
        rc = node == NULL ? gm_yaml_fail(root, err, "the pipeline has no `name`")
                          : gm_yaml_string(node, &name, err);
        if (rc == 0 && (name[0] == '\0' || name[strspn(name, NAME_BYTES)] != '\0')) {
            rc = gm_yaml_fail(node, err, "a name is 1 to 64 of a-z, 0-9 and `-`");
        }
    }
    rc = rc < 0 ? rc : set_path(q, "/v1/pipelines/", name, "", err);
    gm_yaml_destroy(&root);
    return rc;
}

int gm_query_make(const struct gm_args *args, struct gm_query *q, struct gm_err *err)
{
    for (size_t i = 0; i < sizeof(PLAIN) / sizeof(PLAIN[0]); i++) {
        if (PLAIN[i].command == args->command) {
            return make_plain(&PLAIN[i], args, q, err);
        }
    }
    q->method = "GET";
    switch (args->command) {
    case GM_CMD_JOB_LIST:
        return make_job_list(args, q, err);
    case GM_CMD_ASSET_LIST:
        q->print = gm_print_assets;
        q->paging = GM_PAGING_CURSOR;
        q->rows = "assets";
        snprintf(q->path, sizeof(q->path), "/v1/assets?");
        return add_filter(q, "q", args->query, err);
    case GM_CMD_EVENTS_LIST:
        return make_deliveries(args, q, err);
    default:
        break;
    }
    q->method = "POST";
    switch (args->command) {
    case GM_CMD_PIPELINE_STORE:
        return make_store(args, q, err);
    case GM_CMD_EVENTS_REDELIVER:
        return make_redeliver(args, q, err);
    case GM_CMD_JOB_PRIORITY:
        return make_priority(args, q, err);
    case GM_CMD_NODE_RESUME:
    case GM_CMD_NODE_QUARANTINE:
        return make_device(args, q, err);
    case GM_CMD_STORAGE_SWEEP:
        q->print = gm_print_swept;
        q->body = json_pack("{s:b}", "dry_run", (int)args->dry_run);
        snprintf(q->path, sizeof(q->path), "/v1/storage:sweep");
        return q->body == NULL ? gm_err_nomem(err) : 0;
    default: /* pipeline check */
        q->print = gm_print_checked;
        snprintf(q->path, sizeof(q->path), "/v1/pipelines:check");
        return gm_pipeline_load(args->operand, &q->body, err);
    }
}
