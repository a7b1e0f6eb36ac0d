/* POST /v1/storage:sweep {"dry_run"}; an empty body is {}. */
#include "scheduler/http/request.h"
#include "scheduler/json.h"
#include "scheduler/sweep.h"

static json_t *row_json(const struct gm_leftover *row)
{
    char prefix[80];
    (void)snprintf(prefix, sizeof prefix, "jobs/%s/", row->job_id);
    json_t *age = row->age_ms < 0 ? json_null() : json_integer((json_int_t)(row->age_ms / 1000));
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:s}", "prefix", prefix, "job", row->job_id,
                     "objects", (json_int_t)row->objects, "bytes", (json_int_t)row->bytes,
                     "uploads", (json_int_t)row->uploads, "age_s", age, "why",
                     row->why == GM_LEFTOVER_ENDED ? "ended" : "unknown");
}

static void answer(int rc, const struct gm_err *err, const struct gm_leftovers *found,
                   struct gm_request *r, bool dry_run)
{
    if (rc < 0) {
        gm_request_fail(r, err);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < found->count; i++) {
        list = gm_json_add(list, row_json(&found->rows[i]));
    }
    gm_request_json(r, MHD_HTTP_OK,
                    json_pack("{s:b, s:o}", "dry_run", (int)dry_run, "found", list));
}

static void on_found(int rc, const struct gm_err *err, const struct gm_leftovers *found, void *arg)
{
    answer(rc, err, found, arg, true);
}

static void on_swept(int rc, const struct gm_err *err, const struct gm_leftovers *found, void *arg)
{
    answer(rc, err, found, arg, false);
}

void gm_handle_sweep(struct gm_request *r)
{
    static const char *const known[] = {"dry_run", NULL};
    struct gm_err err = {0};
    json_t *body = NULL;
    int rc = 0;
    if (r->body.size > 0) {
        rc = gm_request_object(r, &body, &err);
        rc = rc < 0 ? rc : gm_json_check_keys(body, known, &err);
    }
    const json_t *dry_run = json_object_get(body, "dry_run");
    if (rc == 0 && dry_run != NULL && !json_is_boolean(dry_run)) {
        rc = gm_err_set(&err, GM_E_INVAL, 0, "`dry_run` is true or false");
    }
    bool dry = json_is_true(dry_run);
    json_decref(body);
    if (rc == 0) {
        r->retry_s = 10;
        rc = gm_sweep_start(r->http->d, dry, dry ? on_found : on_swept, r, &err);
    }
    if (rc < 0) {
        gm_request_fail(r, &err);
    }
}
