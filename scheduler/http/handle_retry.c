/* POST /v1/jobs/ID:retry: the job goes on from where it failed, or a new one takes its place. */
#include "proto/envelope.h"
#include "scheduler/http/idempotency.h"
#include "scheduler/http/request.h"

static int read_job(const struct gm_core *core, const char *job_id, json_t **out_body,
                    Gm__Pipeline **out_pipeline, struct gm_err *err)
{
    struct gm_job_view v;
    int rc = gm_view_job(core, job_id, &v, err);
    if (rc < 0) {
        return rc;
    }
    if (v.state != GM_JOB_FAILED && v.state != GM_JOB_CANCELLED) {
        rc = gm_err_set(err, GM_E_CONFLICT, 0,
                        "job %s is %s: what failed or was cancelled is made again", v.id,
                        gm_job_state_name(v.state));
        gm_view_job_fini(&v);
        return rc;
    }
    const char *backup = gm_view_backup_url(core, job_id);
    json_t *body = json_pack("{s:s, s:i, s:s, s:s, s:b, s:b}", "source", v.source_url, "priority",
                             (int)v.priority, "tenant", v.tenant, "external_id", v.external_id,
                             "plan_only", (int)v.plan_only, "replace", (int)!v.keeps_title);
    if (body != NULL && v.destination_url[0] != '\0') {
        rc = json_object_set_new(body, "destination", json_string(v.destination_url));
    }
    if (body != NULL && rc == 0 && backup != NULL && backup[0] != '\0') {
        rc = json_object_set_new(body, "backup", json_string(backup));
    }
    if (body != NULL && rc == 0 && v.webhook[0] != '\0') {
        rc = json_object_set_new(body, "webhook", json_string(v.webhook));
    }
    *out_pipeline = (Gm__Pipeline *)gm_message_dup(&v.pipeline->base);
    gm_view_job_fini(&v);
    if (body == NULL || rc != 0 || *out_pipeline == NULL) {
        json_decref(body);
        if (*out_pipeline != NULL) {
            gm__pipeline__free_unpacked(*out_pipeline, NULL);
        }
        return gm_err_nomem(err);
    }
    *out_body = body;
    return 0;
}

static int read_all(struct gm_request *r, bool *out, struct gm_err *err)
{
    static const char *const known[] = {"all", NULL};
    json_t *body = NULL;
    int rc = gm_request_members(r, known, &body, err);
    const json_t *all = json_object_get(body, "all");
    if (rc == 0 && all != NULL && !json_is_boolean(all)) {
        rc = gm_at_member(&r->at, gm_err_set(err, GM_E_INVAL, 0, "`all` is true or false"), "all");
    }
    *out = json_is_true(all);
    json_decref(body);
    return rc;
}

/* Of a request that comes again the job may be at work by now, or have failed once more. */
static bool is_answered(struct gm_request *r, bool all)
{
    struct gm_err err = {0};
    struct gm_card_view card;
    struct gm_idempotency of;
    char key[GM_IDEMPOTENCY_BYTES + 1];
    const struct gm_core *core = gm_daemon_core(r->http->d);
    const char *job = NULL;
    int rc = gm_idempotency_read(r->connection, key, &err);
    if (rc == 0 && (key[0] == '\0' || !gm_view_card(core, r->id, &card))) {
        return false;
    }
    rc = rc < 0 ? rc : gm_idempotency_hash_retry(card.tenant, key, r->path, all, &of, &err);
    rc = rc < 0 ? rc : gm_idempotency_find(NULL, core, &of, &job, &err);
    if (rc < 0) {
        gm_request_fail(r, &err);
    } else if (job != NULL) {
        (void)snprintf(r->id, sizeof r->id, "%s", job);
        gm_request_show_stored(r, gm_submit_show);
    }
    return rc < 0 || job != NULL;
}

static void show_again(struct gm_request *r)
{
    struct gm_err err = {0};
    json_t *body = NULL;
    Gm__Pipeline *pipeline = NULL;
    bool all = false;
    int rc = read_all(r, &all, &err);
    if (rc == 0 && is_answered(r, all)) {
        return;
    }
    rc = rc < 0 ? rc : read_job(gm_daemon_core(r->http->d), r->id, &body, &pipeline, &err);
    if (rc < 0) {
        gm_request_fail(r, &err);
    } else {
        gm_submit_start(r, body, pipeline, all);
    }
}

void gm_handle_retry(struct gm_request *r)
{
    if (gm_submit_is_open(r)) {
        gm_request_show_stored(r, show_again);
    }
}
