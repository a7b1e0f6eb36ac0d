/* Submission of a job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/job.h"
#include "cli/pipeline_file.h"
#include "cli/url.h"
#include "common/id.h"

int gm_job_path(const char *id, const char *suffix, char **out, struct gm_err *err)
{
    char *escaped = NULL;
    int rc = gm_url_escape(id, &escaped, err);
    if (rc < 0) {
        return rc;
    }
    size_t size = strlen("/v1/jobs/") + strlen(escaped) + strlen(suffix) + 1;
    char *path = malloc(size);
    if (path != NULL) {
        snprintf(path, size, "/v1/jobs/%s%s", escaped, suffix);
        *out = path;
    }
    free(escaped);
    return path == NULL ? gm_err_nomem(err) : 0;
}

const char *gm_job_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

int64_t gm_job_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

double gm_job_real(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static int set_url(json_t *body, const char *key, const char *path, struct gm_err *err)
{
    char *url = NULL;
    int rc = gm_url_from_path(path, &url, err);
    if (rc == 0 && json_object_set_new(body, key, json_string(url)) != 0) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "%s is not UTF-8 text", key);
    }
    free(url);
    return rc;
}

static int make_body(const struct gm_submit *submit, const char *id, json_t **out,
                     struct gm_err *err)
{
    json_t *pipeline = NULL;
    int rc = 0;
    json_t *body = json_pack("{s:s,s:I,s:b}", "id", id, "priority", (json_int_t)submit->priority,
                             "plan_only", (int)submit->plan_only);
    if (body == NULL) {
        return gm_err_nomem(err);
    }
    if (submit->external_id != NULL &&
        json_object_set_new(body, "external_id", json_string(submit->external_id)) != 0) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "--external-id is not UTF-8 text");
    }
    if (rc == 0 && submit->tenant != NULL &&
        json_object_set_new(body, "tenant", json_string(submit->tenant))) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "--tenant is not UTF-8 text");
    }
    if (rc == 0 && submit->deadline_unix_ms > 0 &&
        json_object_set_new(body, "deadline", json_integer(submit->deadline_unix_ms)) != 0) {
        rc = gm_err_nomem(err);
    }
    if (rc < 0) {
        json_decref(body);
        return rc;
    }
    if (gm_pipeline_is_file(submit->pipeline)) {
        rc = gm_pipeline_load(submit->pipeline, &pipeline, err);
    } else {
        pipeline = json_string(submit->pipeline);
    }
    if (rc == 0 && json_object_set_new(body, "pipeline", pipeline) != 0) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "--pipeline is not UTF-8 text");
    }
    if (rc == 0) {
        rc = set_url(body, "source", submit->input, err);
    }
    if (rc == 0 && submit->out != NULL) {
        rc = set_url(body, "destination", submit->out, err);
    }
    if (rc < 0) {
        json_decref(body);
        return rc;
    }
    *out = body;
    return 0;
}

static int find_job(struct gm_session *session, const char *id, json_t **out, struct gm_err *err)
{
    struct gm_answer answer = {0};
    char *path = NULL;
    int rc = gm_job_path(id, "", &path, err);
    if (rc == 0) {
        rc = gm_session_call(session, "GET", path, NULL, true, &answer, err);
    }
    free(path);
    *out = rc == 0 ? answer.body : NULL;
    return rc;
}

/* Sent again under the same id until it is known to be there, or refused: what comes late of a
 * submission without an answer makes no second job. */
static int send_job(struct gm_session *session, const char *id, const json_t *body, json_t **out,
                    struct gm_err *err)
{
    struct gm_answer answer = {0};
    int rc = gm_session_call(session, "POST", "/v1/jobs", body, false, &answer, err);
    while (rc == -GM_E_TIMEOUT || rc == -GM_E_STATE_AWAY) {
        rc = find_job(session, id, &answer.body, err);
        if (rc != -GM_E_NOTFOUND) {
            break;
        }
        rc = gm_session_call(session, "POST", "/v1/jobs", body, false, &answer, err);
        if (rc == -GM_E_CONFLICT) { /* with the first one, or with another job */
            const struct gm_err refusal = *err;
            rc = find_job(session, id, &answer.body, err);
            if (rc == -GM_E_NOTFOUND) {
                *err = refusal;
                rc = -GM_E_CONFLICT;
            }
        }
    }
    *out = answer.body;
    return rc;
}

int gm_job_submit(struct gm_session *session, const struct gm_submit *submit, json_t **out,
                  struct gm_err *err)
{
    char id[GM_ID_SIZE];
    json_t *body = NULL, *job = NULL;
    int rc = gm_id_make(id, err);
    if (rc == 0) {
        rc = make_body(submit, id, &body, err);
    }
    if (rc == 0) {
        rc = send_job(session, id, body, &job, err);
    }
    json_decref(body);
    if (rc == 0 && strcmp(gm_job_text(job, "id"), id) != 0) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "the scheduler's answer is not of job %s", id);
    }
    if (rc < 0) {
        json_decref(job);
        return rc;
    }
    *out = job;
    return 0;
}
