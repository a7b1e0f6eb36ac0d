/* The table of routes, and the handlers that need nothing but the core. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/http/request.h"
#include "scheduler/json.h"
#include "scheduler/report.h"

/* ---- helpers */

static void not_found(struct gm_request *r, enum gm_code code)
{
    struct gm_err err;
    GM_IGNORE(gm_err_set(&err, code, 0, "there is nothing at %.100s", r->path), "answered");
    gm_request_fail(r, &err);
}

/* The usual end of a handler: a document or an error. */
static void finish(struct gm_request *r, unsigned status, int rc, json_t *doc,
                   const struct gm_err *err)
{
    if (rc < 0) {
        gm_request_fail(r, err);
    } else {
        gm_request_json(r, status, doc);
    }
}

static const struct gm_core *core_of(const struct gm_request *r)
{
    return gm_daemon_core(r->http->d);
}

/* ---- handlers */

static void handle_live(struct gm_request *r)
{
    gm_request_json(r, MHD_HTTP_OK, json_pack("{s:b, s:s}", "live", 1, "gopmill", GOPMILL_VERSION));
}

/* What takes no jobs serves all else, and what makes room for them comes to this very address: it
 * is ready. */
static void handle_ready(struct gm_request *r)
{
    struct gm_core_totals t;
    const char *reasons[GM_HTTP_REASONS];
    bool takes = gm_http_reasons(r->http, reasons);
    bool ready = !r->http->stopping;
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && reasons[i] != NULL; i++) {
        list = gm_json_add(list, json_string(reasons[i]));
    }
    gm_view_totals(core_of(r), &t);
    gm_request_json(r, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                    json_pack("{s:b, s:b, s:s, s:o, s:I, s:I, s:I, s:I}", "ready", (int)ready,
                              "takes_jobs", (int)takes, "reason",
                              takes                               ? "serving"
                              : !ready                            ? "stopping"
                              : gm_daemon_has_no_room(r->http->d) ? GM_HTTP_NO_ROOM
                                                                  : "full",
                              "reasons", list, "jobs", (json_int_t)gm_view_unfinished(&t), "nodes",
                              (json_int_t)t.nodes_connected, "slots", (json_int_t)t.slots,
                              "slots_used", (json_int_t)t.slots_used));
}

/* Nobody is told of a job, or of its end, that may not outlive this scheduler. */
void gm_request_show_stored(struct gm_request *r, void (*show)(struct gm_request *r))
{
    if (gm_submit_is_unstored(r->http, r->id) || gm_daemon_is_ending(r->http->d, r->id)) {
        gm_request_show_settled(r, show);
    } else {
        show(r);
    }
}

static void show_job(struct gm_request *r)
{
    struct gm_err err = {0};
    json_t *doc = NULL;
    int rc = gm_doc_job(core_of(r), r->id, false, &doc, &err);
    finish(r, MHD_HTTP_OK, rc, doc, &err);
}

static void handle_job(struct gm_request *r)
{
    gm_request_show_stored(r, show_job);
}

static void handle_events(struct gm_request *r)
{
    gm_request_show_stored(r, gm_handle_events);
}

static void show_explain(struct gm_request *r)
{
    struct gm_err err = {0};
    json_t *doc = NULL;
    int rc = gm_doc_explain(core_of(r), r->id, gm_time_now(), &doc, &err);
    finish(r, MHD_HTTP_OK, rc, doc, &err);
}

static void handle_explain(struct gm_request *r)
{
    gm_request_show_stored(r, show_explain);
}

static void show_report(struct gm_request *r)
{
    struct gm_err err = {0};
    json_t *doc = NULL;
    int rc = gm_report_json(core_of(r), r->id, false, &doc, &err);
    finish(r, MHD_HTTP_OK, rc, doc, &err);
}

static void handle_report(struct gm_request *r)
{
    gm_request_show_stored(r, show_report);
}

static void on_cancelled(int rc, const struct gm_err *error, void *arg)
{
    struct gm_request *r = arg;
    struct gm_err err = {0};
    json_t *doc = NULL;
    if (rc < 0) {
        gm_request_fail(r, error);
        return;
    }
    rc = gm_doc_job(core_of(r), r->id, true, &doc, &err);
    finish(r, MHD_HTTP_ACCEPTED, rc, doc, &err);
}

static void handle_cancel(struct gm_request *r)
{
    struct gm_err err = {0};
    struct gm_event event = {.type = GM_EV_CANCEL, .job_id = r->id};
    int rc = gm_request_no_members(r, &err);
    if (rc < 0 || gm_daemon_step(r->http->d, &event, on_cancelled, r, &err) < 0) {
        gm_request_fail(r, &err);
    }
}

static void handle_nodes(struct gm_request *r)
{
    struct gm_err err = {0};
    json_t *doc = NULL;
    int rc = gm_doc_nodes(core_of(r), &doc, &err);
    finish(r, MHD_HTTP_OK, rc, doc, &err);
}

static void handle_node(struct gm_request *r)
{
    struct gm_err err = {0};
    json_t *doc = NULL;
    int64_t until = INT64_MAX;
    const char *key = gm_daemon_node_key(r->http->d, r->id, &until);
    int rc = gm_doc_node(core_of(r), r->id, key, until, &doc, &err);
    finish(r, MHD_HTTP_OK, rc, doc, &err);
}

static void answer_drain(struct gm_request *r, int rc, const struct gm_err *error, bool draining)
{
    if (rc < 0) {
        gm_request_fail(r, error);
        return;
    }
    gm_request_json(r, MHD_HTTP_ACCEPTED,
                    json_pack("{s:s, s:b}", "id", r->id, "draining", (int)draining));
}

static void on_drained(int rc, const struct gm_err *error, void *arg)
{
    answer_drain(arg, rc, error, true);
}

static void on_resumed(int rc, const struct gm_err *error, void *arg)
{
    answer_drain(arg, rc, error, false);
}

static void answer_quarantine(struct gm_request *r, int rc, const struct gm_err *error, bool on)
{
    if (rc < 0) {
        gm_request_fail(r, error);
        return;
    }
    gm_request_json(r, MHD_HTTP_ACCEPTED,
                    json_pack("{s:s, s:b}", "id", r->id, "quarantined", (int)on));
}

static void on_quarantined(int rc, const struct gm_err *error, void *arg)
{
    answer_quarantine(arg, rc, error, true);
}

static void on_lifted(int rc, const struct gm_err *error, void *arg)
{
    answer_quarantine(arg, rc, error, false);
}

static void handle_drain(struct gm_request *r)
{
    struct gm_err err = {0};
    struct gm_event event = {.type = GM_EV_DRAIN, .node_id = r->id};
    int rc = gm_request_no_members(r, &err);
    if (rc < 0 || gm_daemon_step(r->http->d, &event, on_drained, r, &err) < 0) {
        gm_request_fail(r, &err);
    }
}

static void on_restarting(int rc, const struct gm_err *error, void *arg)
{
    struct gm_request *r = arg;
    if (rc < 0) {
        gm_request_fail(r, error);
        return;
    }
    gm_request_json(r, MHD_HTTP_ACCEPTED, json_pack("{s:s, s:b}", "id", r->id, "restarting", 1));
}

/* {"force"}; an empty body is {}. */
static void handle_restart(struct gm_request *r)
{
    static const char *const known[] = {"force", NULL};
    struct gm_err err = {0};
    json_t *body = NULL;
    int rc = gm_request_members(r, known, &body, &err);
    const json_t *force = json_object_get(body, "force");
    if (rc == 0 && force != NULL && !json_is_boolean(force)) {
        rc = gm_err_set(&err, GM_E_INVAL, 0, "`force` is true or false");
        (void)gm_at_member(&r->at, rc, "force");
    }
    struct gm_event event = {.type = GM_EV_RESTART, .node_id = r->id, .force = json_is_true(force)};
    if (rc == 0) {
        rc = gm_daemon_step(r->http->d, &event, on_restarting, r, &err);
    }
    json_decref(body);
    if (rc < 0) {
        gm_request_fail(r, &err);
    }
}

static int read_string(struct gm_request *r, const json_t *body, const char *name, const char **out,
                       struct gm_err *err)
{
    const json_t *j = json_object_get(body, name);
    *out = json_string_value(j);
    int rc =
        j != NULL && *out == NULL ? gm_err_set(err, GM_E_INVAL, 0, "`%s` is a string", name) : 0;
    return gm_at_member(&r->at, rc, name);
}

/* {"device","reason"}, each where it is allowed; an empty body is {}. Borrowed from *out. */
static int quarantine_body(struct gm_request *r, const char *const *known, json_t **out,
                           struct gm_event *event, struct gm_err *err)
{
    int rc = gm_request_members(r, known, out, err);
    rc = rc < 0 ? rc : read_string(r, *out, "device", &event->device, err);
    return rc < 0 ? rc : read_string(r, *out, "reason", &event->reason, err);
}

static void handle_resume(struct gm_request *r)
{
    static const char *const known[] = {"device", NULL};
    struct gm_err err = {0};
    json_t *body = NULL;
    struct gm_event event = {.type = GM_EV_DRAIN, .node_id = r->id, .resume = true};
    int rc = quarantine_body(r, known, &body, &event, &err);
    if (rc == 0) {
        rc = gm_daemon_step(r->http->d, &event, event.device != NULL ? on_lifted : on_resumed, r,
                            &err);
    }
    json_decref(body);
    if (rc < 0) {
        gm_request_fail(r, &err);
    }
}

static void handle_quarantine(struct gm_request *r)
{
    static const char *const known[] = {"device", "reason", NULL};
    struct gm_err err = {0};
    json_t *body = NULL;
    struct gm_event event = {.type = GM_EV_QUARANTINE, .node_id = r->id};
    int rc = quarantine_body(r, known, &body, &event, &err);
    if (rc == 0) {
        rc = gm_daemon_step(r->http->d, &event, on_quarantined, r, &err);
        (void)gm_at_member(err.code == GM_E_INVAL ? &r->at : NULL, rc, "reason");
    }
    json_decref(body);
    if (rc < 0) {
        gm_request_fail(r, &err);
    }
}

/* ---- the table */

/* What a caller must be at least. A route without that is nobody's. */
enum least { UNSET, OPEN, SUBMIT, OPERATE, ADMIN };

struct route {
    const char *method;
    const char *before; /* the path, or its part before the ID */
    const char *after;  /* NULL: no ID; "/name/": a path follows */
    enum least least;
    void (*handle)(struct gm_request *r);
};

static const struct route ROUTES[] = {
    {"GET", "/livez", NULL, OPEN, handle_live},
    {"GET", "/readyz", NULL, OPEN, handle_ready},
    {"GET", "/v1/assets", NULL, SUBMIT, gm_handle_assets},
    {"GET", "/v1/assets/", "", SUBMIT, gm_handle_asset},
    {"DELETE", "/v1/assets/", "", SUBMIT, gm_handle_asset_delete},
    {"GET", "/v1/assets/", "/files/", SUBMIT, gm_handle_title_files},
    {"GET", "/metrics", NULL, OPERATE, gm_handle_metrics},
    {"GET", "/v1/events", NULL, SUBMIT, gm_handle_farm_events},
    {"GET", "/v1/events/dead", NULL, OPERATE, gm_handle_dead},
    {"GET", "/v1/events/waiting", NULL, OPERATE, gm_handle_undelivered},
    {"POST", "/v1/events:redeliver", NULL, OPERATE, gm_handle_redeliver},
    {"GET", "/v1/farm", NULL, OPERATE, gm_handle_farm},
    {"GET", "/v1/jobs", NULL, SUBMIT, gm_handle_jobs},
    {"POST", "/v1/jobs", NULL, SUBMIT, gm_handle_submit},
    {"GET", "/v1/jobs/", "", SUBMIT, handle_job},
    {"POST", "/v1/jobs/", ":cancel", SUBMIT, handle_cancel},
    {"POST", "/v1/jobs/", ":priority", SUBMIT, gm_handle_priority},
    {"POST", "/v1/jobs/", ":retry", SUBMIT, gm_handle_retry},
    {"GET", "/v1/jobs/", ":explain", SUBMIT, handle_explain},
    {"GET", "/v1/jobs/", "/report", SUBMIT, handle_report},
    {"GET", "/v1/jobs/", "/events", SUBMIT, handle_events},
    {"GET", "/v1/jobs/", "/tasks", SUBMIT, gm_handle_tasks},
    {"GET", "/v1/jobs/", "/attempts", SUBMIT, gm_handle_attempts},
    {"GET", "/v1/jobs/", "/logs", SUBMIT, gm_handle_logs},
    {"GET", "/v1/jobs/", "/files/", SUBMIT, gm_handle_files},
    {"GET", "/v1/nodes", NULL, OPERATE, handle_nodes},
    {"GET", "/v1/nodes/", "", OPERATE, handle_node},
    {"POST", "/v1/nodes/", ":drain", OPERATE, handle_drain},
    {"POST", "/v1/nodes/", ":resume", OPERATE, handle_resume},
    {"POST", "/v1/nodes/", ":restart", OPERATE, handle_restart},
    {"POST", "/v1/nodes/", ":quarantine", OPERATE, handle_quarantine},
    {"GET", "/v1/uploads", NULL, SUBMIT, gm_handle_uploads},
    {"POST", "/v1/uploads", NULL, SUBMIT, gm_handle_upload},
    {"GET", "/v1/uploads/", "", SUBMIT, gm_handle_upload_show},
    {"DELETE", "/v1/uploads/", "", SUBMIT, gm_handle_upload_delete},
    {"POST", "/v1/uploads/", "/grants", SUBMIT, gm_handle_upload_grants},
    {"POST", "/v1/uploads/", "/parts", SUBMIT, gm_handle_upload_parts},
    {"POST", "/v1/uploads/", ":complete", SUBMIT, gm_handle_upload_complete},
    {"GET", "/v1/pipelines", NULL, SUBMIT, gm_handle_pipelines},
    {"GET", "/v1/pipelines/", "", SUBMIT, gm_handle_pipeline},
    {"PUT", "/v1/pipelines/", "", OPERATE, gm_handle_pipeline_put},
    {"DELETE", "/v1/pipelines/", "", OPERATE, gm_handle_pipeline_delete},
    {"POST", "/v1/storage:sweep", NULL, OPERATE, gm_handle_sweep},
    {"POST", "/v1/pipelines:check", NULL, SUBMIT, gm_handle_pipeline_check},
};

/* Up to where a name begins: what follows may be one that can't be. */
static bool is_of(const struct route *route, const struct gm_request *r)
{
    return route->after != NULL && strncmp(r->path, route->before, strlen(route->before)) == 0;
}

/* *out_rest: of the path behind it, where it has an ID. */
static bool matches(const struct route *route, const char *path, char out_id[GM_HTTP_ID_BYTES],
                    const char **out_rest)
{
    size_t n = strlen(route->before);
    if (strncmp(path, route->before, n) != 0) {
        return false;
    }
    const char *rest = path + n;
    if (route->after == NULL) {
        return rest[0] == '\0';
    }
    size_t id = strspn(rest, "abcdefghijklmnopqrstuvwxyz0123456789-");
    size_t after = strlen(route->after);
    bool deep = after > 0 && route->after[after - 1] == '/'; /* of at least one byte */
    if (id == 0 || id >= GM_HTTP_ID_BYTES || strncmp(rest + id, route->after, after) != 0 ||
        (rest[id + after] != '\0') != deep) {
        return false;
    }
    memcpy(out_id, rest, id);
    out_id[id] = '\0';
    *out_rest = rest + id + after;
    return true;
}

static const char *method_of(const char *method)
{
    return strcmp(method, "HEAD") == 0 ? "GET" : method;
}

static enum gm_token_role role_of(const struct route *route)
{
    static const enum gm_token_role roles[] = {[UNSET] = GM_TOKEN_ROLES,
                                               [OPEN] = GM_TOKEN_NOBODY,
                                               [SUBMIT] = GM_TOKEN_SUBMIT,
                                               [OPERATE] = GM_TOKEN_OPERATE,
                                               [ADMIN] = GM_TOKEN_ADMIN};
    return roles[route->least];
}

enum gm_token_role gm_route_least(const char *method, const char *path)
{
    char id[GM_HTTP_ID_BYTES];
    const char *rest = NULL;
    if (gm_web_is_path(path) && strcmp(method_of(method), "GET") == 0) {
        return GM_TOKEN_NOBODY; /* the page itself is the same for everybody */
    }
    for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES[0]; i++) {
        if (matches(&ROUTES[i], path, id, &rest) &&
            strcmp(ROUTES[i].method, method_of(method)) == 0) {
            return role_of(&ROUTES[i]);
        }
    }
    return GM_TOKEN_SUBMIT;
}

bool gm_route_get(size_t i, struct gm_route_row *out)
{
    if (i >= sizeof ROUTES / sizeof ROUTES[0]) {
        return false;
    }
    const struct route *route = &ROUTES[i];
    const char *after = route->after != NULL ? route->after : "";
    bool deep = after[0] != '\0' && after[strlen(after) - 1] == '/';
    (void)snprintf(out->path, sizeof out->path, "%s%s%s%s", route->before,
                   route->after != NULL ? "x" : "", after, deep ? "x" : "");
    out->method = route->method;
    out->least = role_of(route);
    return true;
}

/* Another tenant's job is not there. */
static bool may_see_job(const struct route *route, struct gm_request *r)
{
    if (route->after == NULL || strcmp(route->before, "/v1/jobs/") != 0 ||
        gm_caller_may_see(&r->caller, gm_view_job_tenant(core_of(r), r->id))) {
        return true;
    }
    struct gm_err err;
    GM_IGNORE(gm_err_set(&err, GM_E_NOTFOUND, 0, "no job is called %.64s", r->id), "answered");
    gm_request_fail(r, &err);
    return false;
}

/* Handlers of what takes no parameter; the others look at theirs, but for what is OPEN and metrics,
 * whose callers may have a habit of adding some. */
static void (*const BARE[])(struct gm_request *) = {gm_handle_submit,
                                                    handle_job,
                                                    handle_cancel,
                                                    gm_handle_priority,
                                                    gm_handle_retry,
                                                    handle_explain,
                                                    handle_report,
                                                    handle_events,
                                                    handle_nodes,
                                                    handle_node,
                                                    handle_drain,
                                                    handle_resume,
                                                    handle_restart,
                                                    handle_quarantine,
                                                    gm_handle_uploads,
                                                    gm_handle_upload,
                                                    gm_handle_upload_delete,
                                                    gm_handle_upload_grants,
                                                    gm_handle_upload_parts,
                                                    gm_handle_upload_complete,
                                                    gm_handle_pipelines,
                                                    gm_handle_pipeline,
                                                    gm_handle_pipeline_put,
                                                    gm_handle_pipeline_delete,
                                                    gm_handle_sweep,
                                                    gm_handle_pipeline_check};

static bool takes_query(const struct route *route, struct gm_request *r)
{
    static const char *const none[] = {NULL};
    struct gm_err err;
    bool bare = false;
    for (size_t i = 0; i < sizeof BARE / sizeof BARE[0]; i++) {
        bare = bare || BARE[i] == route->handle;
    }
    if (!bare || gm_request_check_query(r, none, &err) == 0) {
        return true;
    }
    gm_request_fail(r, &err);
    return false;
}

void gm_route(struct gm_request *r)
{
    const char *method = method_of(r->method);
    enum gm_code missing = GM_E_NO_ROUTE;
    for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES[0]; i++) {
        missing = is_of(&ROUTES[i], r) ? GM_E_NOTFOUND : missing;
        if (!matches(&ROUTES[i], r->path, r->id, &r->rest)) {
            continue;
        }
        if (strcmp(ROUTES[i].method, method) == 0) {
            r->allow[0] = '\0';
            if (may_see_job(&ROUTES[i], r) && takes_query(&ROUTES[i], r)) {
                ROUTES[i].handle(r);
            }
            return;
        }
        size_t n = strlen(r->allow);
        (void)snprintf(r->allow + n, sizeof r->allow - n, "%s%s", n > 0 ? ", " : "",
                       ROUTES[i].method);
    }
    if (r->allow[0] == '\0') {
        not_found(r, missing);
        return;
    }
    struct gm_err err;
    GM_IGNORE(gm_err_set(&err, GM_E_INVAL, 0, "that path takes %s", r->allow), "answered");
    gm_request_fail_status(r, MHD_HTTP_METHOD_NOT_ALLOWED, &err);
}
