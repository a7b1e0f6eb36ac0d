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

static int make_body(const struct gm_submit *submit, const char *external_id, json_t **out,
                     struct gm_err *err)
{
    json_t *pipeline = NULL;
    int rc = 0;
    json_t *body = json_pack("{s:I,s:s,s:b}", "priority", (json_int_t)submit->priority,
                             "external_id", external_id, "plan_only", (int)submit->plan_only);
    if (body == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "--external-id is not UTF-8 text");
    }
    if (submit->tenant != NULL &&
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

/* The newest job with that external id; *out stays NULL when there is none. */
static int find_job(struct gm_session *session, const char *external_id, json_t **out,
                    struct gm_err *err)
{
    struct gm_answer answer = {0};
    int rc = gm_session_call(session, "GET", "/v1/jobs?limit=100", NULL, true, &answer, err);
    if (rc < 0) {
        return rc;
    }
    const json_t *jobs = json_object_get(answer.body, "jobs");
    size_t i;
    json_t *job;
    json_array_foreach(jobs, i, job)
    {
        if (strcmp(gm_job_text(job, "external_id"), external_id) == 0) {
            *out = json_incref(job);
            break;
        }
    }
    json_decref(answer.body);
    return 0;
}

int gm_job_submit(struct gm_session *session, const struct gm_submit *submit, json_t **out,
                  struct gm_err *err)
{
    char made[GM_ID_SIZE];
    const char *external_id = submit->external_id;
    struct gm_answer answer = {0};
    json_t *body = NULL;
    int rc = 0;
    if (external_id == NULL) {
        rc = gm_id_make(made, err);
        external_id = made;
    }
    if (rc == 0) {
        rc = make_body(submit, external_id, &body, err);
    }
    if (rc < 0) {
        return rc;
    }
    rc = gm_session_call(session, "POST", "/v1/jobs", body, false, &answer, err);
    while ((rc == -GM_E_TIMEOUT || rc == -GM_E_STATE_AWAY) && answer.body == NULL) {
        rc = find_job(session, external_id, &answer.body, err);
        if (rc == 0 && answer.body == NULL) {
            rc = gm_session_call(session, "POST", "/v1/jobs", body, false, &answer, err);
        }
    }
    json_decref(body);
    if (rc < 0) {
        return rc;
    }
    if (gm_job_text(answer.body, "id")[0] == '\0') {
        json_decref(answer.body);
        return gm_err_set(err, GM_E_PROTO, 0, "the scheduler's answer holds no job id");
    }
    *out = answer.body;
    return 0;
}
