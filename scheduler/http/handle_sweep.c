/* POST /v1/storage:sweep {"dry_run", "sweep"}; an empty body is {}. */
#include "scheduler/http/request.h"
#include "scheduler/json.h"
#include "scheduler/sweep.h"

static json_t *row_json(const struct gm_leftover *row)
{
    char prefix[80];
    (void)snprintf(prefix, sizeof prefix, "jobs/%s/", row->job_id);
    json_t *age = row->age_ms < 0 ? json_null() : json_integer((json_int_t)(row->age_ms / 1000));
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:s, s:b}", "prefix", prefix, "job",
                     row->job_id, "objects", (json_int_t)row->objects, "bytes",
                     (json_int_t)row->bytes, "uploads", (json_int_t)row->uploads, "age_s", age,
                     "why", row->why == GM_LEFTOVER_ENDED ? "ended" : "unknown", "deleted",
                     (int)row->deleted);
}

/* 202: it goes on; who asks for it by its number hears more. */
static void answer(const struct gm_sweep_view *view, void *arg)
{
    struct gm_request *r = arg;
    if (view->ended && view->rc < 0) {
        gm_request_fail(r, view->err);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < view->found->count; i++) {
        list = gm_json_add(list, row_json(&view->found->rows[i]));
    }
    const char *state = view->ended ? "ended" : view->listed ? "deleting" : "listing";
    gm_request_json(r, view->ended ? MHD_HTTP_OK : MHD_HTTP_ACCEPTED,
                    json_pack("{s:I, s:s, s:b, s:o}", "sweep", (json_int_t)view->id, "state", state,
                              "dry_run", (int)view->dry_run, "found", list));
}

void gm_handle_sweep(struct gm_request *r)
{
    static const char *const known[] = {"dry_run", "sweep", NULL};
    struct gm_err err = {0};
    json_t *body = NULL;
    int rc = gm_request_members(r, known, &body, &err);
    const json_t *dry_run = json_object_get(body, "dry_run");
    if (rc == 0 && dry_run != NULL && !json_is_boolean(dry_run)) {
        rc = gm_err_set(&err, GM_E_INVAL, 0, "`dry_run` is true or false");
        (void)gm_at_member(&r->at, rc, "dry_run");
    }
    const json_t *id = json_object_get(body, "sweep");
    if (rc == 0 && id != NULL && (!json_is_integer(id) || json_integer_value(id) < 1)) {
        rc = gm_err_set(&err, GM_E_INVAL, 0, "`sweep` is the number of an answer");
        (void)gm_at_member(&r->at, rc, "sweep");
    }
    bool dry = json_is_true(dry_run);
    uint64_t number = id == NULL || rc < 0 ? 0 : (uint64_t)json_integer_value(id);
    json_decref(body);
    if (rc == 0) {
        r->retry_s = 10;
        rc = gm_sweep_ask(r->http->d, dry, number, answer, r, &err);
    }
    if (rc < 0) {
        gm_request_fail(r, &err);
    }
}
