/* Events on their way to webhooks: GET /v1/events/dead, GET /v1/events/waiting, POST
 * /v1/events:redeliver {"id", "job"}; an empty body is {}. */
#include "scheduler/hooks/hooks.h"
#include "scheduler/http/request.h"
#include "scheduler/json.h"

#define LIST_DEFAULT 100
#define LIST_MAX 1000

static void show(struct gm_request *r, bool dead)
{
    static const char *const known[] = {"limit", "after", NULL};
    struct gm_err err = {0};
    json_t *doc = NULL;
    uint64_t limit = LIST_DEFAULT;
    const char *after = gm_request_query(r, "after");
    int rc = gm_request_check_query(r, known, &err);
    rc = rc < 0 ? rc : gm_request_number(r, "limit", 1, LIST_MAX, &limit, &err);
    rc = rc < 0 ? rc
                : gm_hooks_list(gm_daemon_hooks(r->http->d), dead, after != NULL ? after : "",
                                (size_t)limit, &doc, &err);
    rc = doc == NULL && rc == -GM_E_INVAL && r->at.path[0] == '\0'
             ? gm_at_query(&r->at, rc, "after")
             : rc;
    if (rc < 0) {
        gm_request_fail(r, &err);
    } else {
        gm_request_json(r, MHD_HTTP_OK, doc);
    }
}

void gm_handle_dead(struct gm_request *r)
{
    show(r, true);
}

void gm_handle_undelivered(struct gm_request *r)
{
    show(r, false);
}

static void on_stored(struct gm_request *r)
{
    gm_request_json(r, MHD_HTTP_ACCEPTED, json_pack("{s:I}", "redelivered", (json_int_t)r->count));
}

/* Borrowed from *out. */
static int read_body(struct gm_request *r, json_t **out, const char **out_id, const char **out_job,
                     struct gm_err *err)
{
    static const char *const known[] = {"id", "job", NULL};
    static const char *const none[] = {NULL};
    int rc = gm_request_check_query(r, none, err);
    rc = rc < 0 ? rc : gm_request_members(r, known, out, err);
    const json_t *id = json_object_get(*out, "id");
    const json_t *job = json_object_get(*out, "job");
    *out_id = json_string_value(id);
    *out_job = json_string_value(job);
    if (rc == 0 && id != NULL && *out_id == NULL) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "`id` is that of a dead letter");
        (void)gm_at_member(&r->at, rc, "id");
    }
    if (rc == 0 && job != NULL && *out_job == NULL) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "`job` is the id of a job");
        (void)gm_at_member(&r->at, rc, "job");
    }
    return rc;
}

void gm_handle_redeliver(struct gm_request *r)
{
    struct gm_err err = {0};
    json_t *body = NULL;
    const char *id = NULL, *job = NULL;
    if (!gm_request_has_room(r)) {
        return;
    }
    int rc = read_body(r, &body, &id, &job, &err);
    if (rc == 0) {
        rc = gm_hooks_redeliver(gm_daemon_hooks(r->http->d), id, job, &r->count, &err);
    }
    json_decref(body);
    if (rc < 0) {
        gm_request_fail(r, &err);
    } else {
        gm_request_show_settled(r, on_stored);
    }
}
