/* Submission of a job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/job.h"
#include "cli/pipeline_file.h"
#include "cli/url.h"
#include "common/hash.h"
#include "common/id.h"
#include "storage/store.h"

#define RETRY_FOR (60 * GM_SEC)

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
    if (rc == 0 && submit->webhook != NULL &&
        json_object_set_new(body, "webhook", json_string(submit->webhook)) != 0) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "--webhook is not UTF-8 text");
    }
    if (rc == 0 && submit->replace && json_object_set_new(body, "replace", json_true()) != 0) {
        rc = gm_err_nomem(err);
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
    if (rc == 0 && submit->backup != NULL) {
        rc = set_url(body, "backup", submit->backup, err);
    }
    if (rc < 0) {
        json_decref(body);
        return rc;
    }
    *out = body;
    return 0;
}

/* *out: NULL unless it is there. */
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

/* The submission may have been taken. */
static bool is_open(int rc)
{
    return rc == -GM_E_TIMEOUT || rc == -GM_E_STATE_AWAY;
}

static int not_known(const char *id, int rc, struct gm_err *err)
{
    const struct gm_err last = *err;
    GM_IGNORE(gm_err_set(err, last.code, last.native,
                         "%.150s; whether job %s was taken is not known", last.text, id),
              "rc says it");
    return rc;
}

static int post(struct gm_session *session, const json_t *body, json_t **out, struct gm_err *err)
{
    struct gm_answer answer = {0};
    int rc = gm_session_call(session, "POST", "/v1/jobs", body, false, &answer, err);
    *out = rc == 0 ? answer.body : NULL;
    return rc;
}

/* A refusal of what was sent again says nothing of the first one, which may have come late. */
static int post_again(struct gm_session *session, const char *id, const json_t *body, json_t **out,
                      struct gm_err *err)
{
    int rc = post(session, body, out, err);
    if (rc == 0 || is_open(rc) || rc == -GM_E_UNREACHABLE || rc == -GM_E_CANCELLED) {
        return rc;
    }
    const struct gm_err refusal = *err;
    int found = find_job(session, id, out, err);
    if (found == -GM_E_NOTFOUND) {
        *err = refusal;
        return rc;
    }
    return found;
}

/* Asked for, and sent again under the same id where it is not there, for RETRY_FOR: what comes late
 * of a submission without an answer makes no second job. rc: of the first one; interrupts: before
 * it. */
static int ask_for_job(struct gm_session *session, const char *id, const json_t *body,
                       int interrupts, int rc, json_t **out, struct gm_err *err)
{
    gm_time deadline = gm_time_now() + RETRY_FOR;
    gm_term_note(session->term, "the submission got no answer; asking whether job %s was taken",
                 id);
    while (is_open(rc)) {
        const struct gm_err open = *err;
        /* who lost its database may still show what it could not store */
        int found = rc == -GM_E_STATE_AWAY ? gm_session_next(session, err) : 0;
        found = found < 0 ? found : find_job(session, id, out, err);
        if (found != -GM_E_NOTFOUND && !is_open(found)) {
            return found < 0 ? not_known(id, found, err) : 0;
        }
        if (session->interrupts != interrupts) {
            rc = gm_err_set(err, GM_E_CANCELLED, 0, "interrupted");
            return not_known(id, rc, err);
        }
        if (gm_time_now() >= deadline) {
            *err = open;
            return not_known(id, rc, err);
        }
        rc = found == -GM_E_NOTFOUND ? post_again(session, id, body, out, err) : found;
    }
    return rc == -GM_E_UNREACHABLE || rc == -GM_E_CANCELLED ? not_known(id, rc, err) : rc;
}

/* To a scheduler of the release before, which makes ids by itself: said once. */
static int send_without_id(struct gm_session *session, json_t *body, json_t **out,
                           struct gm_err *err)
{
    int rc = json_object_del(body, "id") != 0 ? gm_err_nomem(err) : post(session, body, out, err);
    return is_open(rc) ? not_known("(its scheduler is of an earlier release)", rc, err) : rc;
}

/* body: loses its id where the scheduler knows none. */
static int send_job(struct gm_session *session, const char *id, json_t *body, json_t **out,
                    struct gm_err *err)
{
    int interrupts = session->interrupts;
    int rc = post(session, body, out, err);
    if (rc == -GM_E_INVAL && strstr(err->text, "unknown member `id`") != NULL) {
        return send_without_id(session, body, out, err);
    }
    return is_open(rc) ? ask_for_job(session, id, body, interrupts, rc, out, err) : rc;
}

#define NAME_SIZE (sizeof "transcode-" + 32)

/* What tells one state of the file from another; 0 where there is none to look at, which finds no
 * job that was sent while there was one. */
static void add_file(const char *url, struct gm_sha256 *hash)
{
    struct stat st = {0};
    char *path = NULL;
    int64_t what[3] = {0};
    if (gm_store_path(url, &path, NULL) == 0 && stat(path, &st) == 0) {
        what[0] = st.st_size;
        what[1] = st.st_mtim.tv_sec;
        what[2] = st.st_mtim.tv_nsec;
    }
    free(path);
    gm_sha256_update(hash, what, sizeof what);
}

/* A name that follows from what is made of what, for the job's external id. */
static int name_job(const json_t *body, char out[NAME_SIZE], struct gm_err *err)
{
    static const char *const keys[] = {"source", "destination", "pipeline", "plan_only", "backup"};
    uint8_t digest[GM_SHA256_SIZE];
    struct gm_sha256 *hash = gm_sha256_create();
    int rc = hash == NULL ? gm_err_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < sizeof keys / sizeof keys[0]; i++) {
        char *text = json_dumps(json_object_get(body, keys[i]),
                                JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);
        const char *said = text != NULL ? text : "null"; /* plan has no destination */
        gm_sha256_update(hash, said, strlen(said) + 1);
        free(text);
    }
    if (rc == 0) {
        add_file(gm_job_text(body, "source"), hash);
        gm_sha256_final(hash, digest);
        memcpy(out, "transcode-", sizeof "transcode-");
        gm_hex(digest, 16, out + strlen(out));
    }
    gm_sha256_destroy(&hash);
    return rc;
}

/* The newest job with that external id, of a list; *out stays NULL when there is none. */
static int find_listed(struct gm_session *session, const char *list, const char *external_id,
                       json_t **out, struct gm_err *err)
{
    struct gm_answer answer = {0};
    int rc = gm_session_call(session, "GET", list, NULL, true, &answer, err);
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

static int find_unfinished(struct gm_session *session, const char *external_id, json_t **out,
                           struct gm_err *err)
{
    static const char *const lists[] = {"/v1/jobs?limit=500&state=publishing",
                                        "/v1/jobs?limit=500&state=running",
                                        "/v1/jobs?limit=500&state=queued"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && *out == NULL && i < sizeof lists / sizeof lists[0]; i++) {
        rc = find_listed(session, lists[i], external_id, out, err);
    }
    if (rc == 0 && *out != NULL) {
        gm_term_note(session->term, "goes on with %s", gm_job_text(*out, "id"));
    }
    return rc;
}

/* The body that is sent has its name then. */
static int look_for_kept(struct gm_session *session, bool goes_on, json_t *body, json_t **out,
                         struct gm_err *err)
{
    char name[NAME_SIZE];
    int rc = name_job(body, name, err);
    if (rc == 0 && json_object_set_new(body, "external_id", json_string(name)) != 0) {
        rc = gm_err_nomem(err);
    }
    return rc < 0 || !goes_on ? rc : find_unfinished(session, name, out, err);
}

int gm_job_submit(struct gm_session *session, const struct gm_submit *submit, json_t **out,
                  struct gm_err *err)
{
    char id[GM_ID_SIZE];
    json_t *body = NULL, *job = NULL;
    int rc = submit->id == NULL ? gm_id_make(id, err) : 0;
    if (submit->id != NULL) {
        snprintf(id, sizeof id, "%s", submit->id);
    }
    if (rc == 0) {
        rc = make_body(submit, id, &body, err);
    }
    if (rc == 0 && submit->keeps && submit->external_id == NULL) {
        rc = look_for_kept(session, submit->goes_on, body, &job, err);
    }
    bool found = job != NULL;
    if (rc == 0 && !found) {
        rc = send_job(session, id, body, &job, err);
    }
    bool named = json_object_get(body, "id") != NULL;
    json_decref(body);
    if (rc == 0 && !found && named && strcmp(gm_job_text(job, "id"), id) != 0) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "the scheduler's answer is not of job %s", id);
    }
    if (rc < 0) {
        json_decref(job);
        return rc;
    }
    *out = job;
    return 0;
}
