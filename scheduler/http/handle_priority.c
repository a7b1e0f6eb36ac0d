/* POST /v1/jobs/ID:priority {"priority"}. */
#include "scheduler/http/request.h"
#include "scheduler/report.h"

static void on_changed(int rc, const struct gm_err *error, void *arg)
{
    struct gm_request *r = arg;
    struct gm_err err = {0};
    json_t *doc = NULL;
    if (rc < 0) {
        gm_request_fail(r, error);
    } else if (gm_doc_job(gm_daemon_core(r->http->d), r->id, true, &doc, &err) < 0) {
        gm_request_fail(r, &err);
    } else {
        gm_request_json(r, MHD_HTTP_ACCEPTED, doc);
    }
}

void gm_handle_priority(struct gm_request *r)
{
    static const char *const known[] = {"priority", NULL};
    struct gm_err err = {0};
    json_t *body = NULL;
    int rc = gm_request_object(r, &body, &err);
    rc = rc < 0 ? rc : gm_json_check_keys(body, known, &r->at, &err);
    const json_t *priority = json_object_get(body, "priority");
    json_int_t v = json_integer_value(priority);
    if (rc == 0 && (!json_is_integer(priority) || v < 0 || v > 100)) {
        rc = gm_err_set(&err, GM_E_INVAL, 0, "`priority` is a number from 0 to 100");
        (void)gm_at_member(&r->at, rc, "priority");
    }
    json_decref(body);
    if (rc == 0) {
        struct gm_event event = {.type = GM_EV_PRIORITY, .job_id = r->id, .priority = (int32_t)v};
        rc = gm_daemon_step(r->http->d, &event, on_changed, r, &err);
    }
    if (rc < 0) {
        gm_request_fail(r, &err);
    }
}
