/* POST /v1/jobs. The pool reads the body, the pipeline and the file system; the loop steps the
 * core; the answer leaves when the job is on disk. */
#include <stdlib.h>
#include <string.h>

#include "common/crash.h"
#include "common/id.h"
#include "common/time.h"
#include "common/traceparent.h"
#include "proto/envelope.h"
#include "scheduler/access.h"
#include "scheduler/hooks/target.h"
#include "scheduler/http/idempotency.h"
#include "scheduler/http/request.h"
#include "scheduler/overload.h"
#include "scheduler/report.h"
#include "scheduler/stored_pipelines.h"
#include "scheduler/title.h"
#include "scheduler/uploads_desk.h"

#define EXTERNAL_ID_BYTES 256
#define STORES_TIME (20 * GM_SEC)                /* servers' in all; a client waits for a minute */
#define LATEST_DEADLINE INT64_C(253402300799000) /* the end of the year 9999 */

struct submit {
    struct gm_request *r;   /* borrowed */
    json_t *body;           /* owned */
    Gm__Pipeline *pipeline; /* owned */
    struct gm_access_source source;
    Gm__PartRun *part_runs; /* owned: of an upload */
    Gm__PartRun **parts;    /* the same */
    size_t part_count;
    bool source_arrives;
    char *destination; /* owned */
    char *backup;      /* owned; NULL: none */
    char destination_mark[GM_ID_SIZE], work_mark[GM_ID_SIZE], backup_mark[GM_ID_SIZE];
    const char *external_id; /* borrowed from body */
    const char *webhook;     /* the same; NULL: none */
    const char *tenant;      /* the same, or from the request; NULL: the default */
    char traceparent[GM_TRACEPARENT_SIZE];
    bool paced; /* it counted among what its tenant may submit */
    int64_t deadline_unix_ms;
    int32_t priority;
    bool plan_only;
    bool replace;
    bool again;                         /* body and pipeline are those of the request's job */
    char key[GM_IDEMPOTENCY_BYTES + 1]; /* "": the request came without */
    struct gm_idempotency idempotency;  /* of that */
    bool is_first;                      /* no other request had that key */
    struct gm_taking taking;            /* of the server's list, once that is known */
    bool all;                           /* nothing that it made is taken over */
    bool reopens;
    char why_all[160]; /* why not, where that was not asked for; "": it was */
    char job_id[GM_ID_SIZE];
    struct gm_unstored unstored; /* of the server's list from the step to the disk */
    int rc;
    struct gm_at at;
    struct gm_err err;
};

/* Where rc is negative it is for that member of the body. Returns rc. */
static int at(struct submit *s, int rc, const char *member)
{
    return gm_at_member(&s->at, rc, member);
}

static void submit_destroy(struct submit *s)
{
    gm_taking_drop(&s->r->http->taking, &s->taking);
    json_decref(s->body);
    if (s->pipeline != NULL) {
        gm__pipeline__free_unpacked(s->pipeline, NULL);
    }
    gm_access_source_fini(&s->source);
    free(s->part_runs);
    free(s->parts);
    free(s->destination);
    free(s->backup);
    free(s);
}

static int read_pipeline(struct submit *s, struct gm_err *err)
{
    const json_t *p = json_object_get(s->body, "pipeline");
    if (json_is_string(p)) {
        return gm_stored_pipelines_find(gm_daemon_pipelines(s->r->http->d),
                                        gm_daemon_settings(s->r->http->d)->pipelines,
                                        json_string_value(p), &s->pipeline, NULL, NULL, err);
    }
    if (json_is_object(p)) {
        return gm_inline_pipeline(p, &s->pipeline, &s->at, err);
    }
    return gm_err_set(err, GM_E_INVAL, 0,
                      "`pipeline` is a name, or an object with `yaml`, `name` and `assets`");
}

static int read_tenant(struct submit *s, struct gm_err *err)
{
    const struct gm_caller *caller = &s->r->caller;
    const json_t *tenant = json_object_get(s->body, "tenant");
    s->tenant = caller->tenant[0] != '\0' ? caller->tenant : NULL;
    if (tenant != NULL && json_is_string(tenant) &&
        !gm_caller_may_see(caller, json_string_value(tenant))) {
        return gm_err_set(err, GM_E_AUTH_DENIED, 0,
                          "token %s is of tenant %s: it submits no jobs "
                          "of others",
                          caller->id, caller->tenant);
    }
    if (tenant != NULL) {
        struct gm_tenant_params asked = {.name = json_string_value(tenant)};
        s->tenant = asked.name;
        if (asked.name == NULL || strcmp(asked.name, GM_TENANT_OTHERS) == 0) {
            return gm_err_set(err, GM_E_INVAL, 0, "`tenant` is the name of a tenant");
        }
        return gm_tenant_check(&asked, err);
    }
    return 0;
}

static int read_deadline(struct submit *s, struct gm_err *err)
{
    const json_t *deadline = json_object_get(s->body, "deadline");
    s->deadline_unix_ms = json_integer_value(deadline);
    if (deadline != NULL && (!json_is_integer(deadline) || s->deadline_unix_ms < 1 ||
                             s->deadline_unix_ms > LATEST_DEADLINE)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`deadline` is a time in ms since 1970");
    }
    return 0;
}

/* Chosen by the client, that it may ask whether a submission without an answer came. */
static int read_id(struct submit *s, struct gm_err *err)
{
    const json_t *id = json_object_get(s->body, "id");
    const char *text = json_string_value(id);
    if (id == NULL) {
        return gm_id_make(s->job_id, err);
    }
    if (text == NULL || !gm_id_is(text)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`id` is a ULID in lower case (26 characters)");
    }
    memcpy(s->job_id, text, sizeof s->job_id);
    return 0;
}

static int read_webhook(struct submit *s, struct gm_err *err)
{
    const json_t *webhook = json_object_get(s->body, "webhook");
    bool is_public = false;
    s->webhook = json_string_value(webhook);
    if (webhook != NULL && s->webhook == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "`webhook` is a URL");
    }
    if (s->webhook == NULL) {
        return 0;
    }
    int rc = gm_hook_url_allowed(s->webhook, gm_daemon_settings(s->r->http->d)->allow_webhooks,
                                 &is_public, err);
    return gm_err_wrap(err, rc, "webhook: ");
}

static int read_priority(struct submit *s, struct gm_err *err)
{
    const json_t *priority = json_object_get(s->body, "priority");
    json_int_t v = priority != NULL ? json_integer_value(priority) : 50;
    if ((priority != NULL && !json_is_integer(priority)) || v < 0 || v > 100) {
        return gm_err_set(err, GM_E_INVAL, 0, "`priority` is a number from 0 to 100");
    }
    s->priority = (int32_t)v;
    return 0;
}

static int read_external_id(struct submit *s, struct gm_err *err)
{
    const json_t *external = json_object_get(s->body, "external_id");
    s->external_id = external != NULL ? json_string_value(external) : "";
    if (s->external_id == NULL || strlen(s->external_id) > EXTERNAL_ID_BYTES) {
        return gm_err_set(err, GM_E_INVAL, 0, "`external_id` is a string of at most %d bytes",
                          EXTERNAL_ID_BYTES);
    }
    return 0;
}

static int read_flag(struct submit *s, const char *name, bool *out, struct gm_err *err)
{
    const json_t *flag = json_object_get(s->body, name);
    *out = json_is_true(flag);
    if (flag != NULL && !json_is_boolean(flag)) {
        return at(s, gm_err_set(err, GM_E_INVAL, 0, "`%s` is true or false", name), name);
    }
    return 0;
}

static int read_options(struct submit *s, struct gm_err *err)
{
    int rc = at(s, read_priority(s, err), "priority");
    rc = rc < 0 ? rc : at(s, read_external_id(s, err), "external_id");
    rc = rc < 0 ? rc : read_flag(s, "plan_only", &s->plan_only, err);
    rc = rc < 0 ? rc : read_flag(s, "replace", &s->replace, err);
    rc = rc < 0 ? rc : at(s, read_webhook(s, err), "webhook");
    rc = rc < 0 ? rc : at(s, read_tenant(s, err), "tenant");
    rc = rc < 0 ? rc : at(s, read_deadline(s, err), "deadline");
    return rc < 0 ? rc : at(s, read_id(s, err), "id");
}

/* Asked again when the job is published. */
static int check_title(const struct submit *s, struct gm_err *err)
{
    struct gm_store *store = NULL;
    char title[GM_TITLE_SIZE];
    json_t *source = gm_json_url(s->source.url);
    const struct gm_title_source of = {s->source.url, s->source.name,
                                       s->tenant != NULL ? s->tenant : GM_TENANT_DEFAULT,
                                       s->source.size};
    int rc = source == NULL ? gm_err_nomem(err) : gm_title_make(&of, s->pipeline, title, err);
    if (rc == 0) {
        rc = gm_stores_open(gm_daemon_stores(s->r->http->d), s->destination, false, &store, err);
    }
    if (rc == 0) {
        struct gm_title_own own = {.job_id = s->job_id,
                                   .title = title,
                                   .source = json_string_value(source),
                                   .publication = ""};
        rc = gm_err_wrap(err, gm_title_check(store, &own, err), "destination: ");
    }
    gm_store_close(&store);
    json_decref(source);
    return rc;
}

/* What is below `uploads` is read as upload:ID alone, which knows whose it is. */
static int check_place(const struct gm_settings *settings, const char *url, struct gm_err *err)
{
    size_t n = strlen(settings->uploads);
    if (n == 0 || strncmp(url, settings->uploads, n) != 0 || strchr("/", url[n]) == NULL) {
        return 0;
    }
    return gm_err_set(err, GM_E_STORE_DENIED, 0, "`%.120s` lies in the place of uploads", url);
}

static bool is_below(const char *url, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(url, folder, n) == 0 && strchr("/", url[n]) != NULL;
}

/* A folder is made, as one of results is; of a bucket nothing is asked: one that is away is waited
 * for when the job is done. */
static int read_backup(struct submit *s, struct gm_err *err)
{
    const struct gm_settings *settings = gm_daemon_settings(s->r->http->d);
    struct gm_stores *stores = gm_daemon_stores(s->r->http->d);
    const json_t *backup = json_object_get(s->body, "backup");
    if (backup == NULL) {
        return 0;
    }
    if (!json_is_string(backup) || s->destination[0] == '\0') {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "`backup` is the URL of a folder, of a job with a `destination`");
    }
    int rc = check_place(settings, json_string_value(backup), err);
    rc = rc < 0 ? rc
                : gm_access_destination(stores, json_string_value(backup),
                                        settings->allow_destinations, &s->backup, err);
    if (rc == 0 && (is_below(s->backup, s->destination) || is_below(s->destination, s->backup))) {
        rc = gm_err_set(err, GM_E_INVAL, 0,
                        "the place lies in the destination, or that in it: take another one");
    }
    if (rc == 0 && !s->plan_only && !gm_s3_is_url(s->backup)) {
        rc = gm_access_make_destination(stores, s->backup, s->backup_mark, err);
    }
    return gm_err_wrap(err, rc, "backup: ");
}

static int read_source(struct submit *s, struct gm_err *err)
{
    const struct gm_settings *settings = gm_daemon_settings(s->r->http->d);
    const char *source = json_string_value(json_object_get(s->body, "source"));
    if (source == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "`source` is the input's URL");
    }
    int rc = 0;
    if (gm_parts_is_url(source, NULL)) { /* what is known of it, the loop knows */
        s->source.url = strdup(source);
        rc = s->source.url == NULL ? gm_err_nomem(err) : 0;
    } else {
        rc = check_place(settings, source, err);
    }
    if (rc == 0 && s->source.url == NULL) {
        rc = gm_access_source(gm_daemon_stores(s->r->http->d), source, settings->allow_sources,
                              &s->source, err);
    }
    return rc < 0 ? rc : gm_daemon_check_source(s->r->http->d, s->source.url, err);
}

static int read_destination(struct submit *s, struct gm_err *err)
{
    const struct gm_settings *settings = gm_daemon_settings(s->r->http->d);
    const json_t *destination = json_object_get(s->body, "destination");
    if (destination == NULL && s->plan_only) {
        s->destination = strdup("");
        return s->destination != NULL ? 0 : gm_err_nomem(err);
    }
    if (!json_is_string(destination)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`destination` is the URL of a folder");
    }
    int rc = check_place(settings, json_string_value(destination), err);
    return rc < 0 ? rc
                  : gm_access_destination(gm_daemon_stores(s->r->http->d),
                                          json_string_value(destination),
                                          settings->allow_destinations, &s->destination, err);
}

static int read_places(struct submit *s, struct gm_err *err)
{
    int rc = at(s, read_source(s, err), "source");
    rc = rc < 0 ? rc : at(s, read_destination(s, err), "destination");
    rc = rc < 0 ? rc : at(s, read_backup(s, err), "backup");
    if (rc < 0 || s->plan_only) {
        return rc;
    }
    /* Nodes never make a store's root: a missing one is an unmounted disk to them. */
    rc = gm_access_make_destination(gm_daemon_stores(s->r->http->d), s->destination,
                                    s->destination_mark, err);
    (void)at(s, rc, "destination");
    return rc < 0 || s->replace || gm_parts_is_url(s->source.url, NULL) ? rc : check_title(s, err);
}

static int find_upload(const struct submit *s, const char *id, const struct gm_upload **out,
                       struct gm_err *err)
{
    struct gm_upload_desk *desk = gm_daemon_uploads(s->r->http->d);
    int rc = gm_upload_desk_check(desk, err);
    if (rc < 0) {
        return rc;
    }
    const struct gm_upload *u = gm_uploads_find(gm_upload_desk_table(desk), id);
    if (u == NULL || u->leaving ||
        (u->tenant[0] != '\0' && !gm_caller_may_see(&s->r->caller, u->tenant))) {
        return gm_err_set(err, GM_E_INPUT_MISSING, 0, "there is no upload %s", id);
    }
    if (u->tenant[0] != '\0' &&
        strcmp(u->tenant, s->tenant != NULL ? s->tenant : GM_TENANT_DEFAULT) != 0) {
        return gm_err_set(err, GM_E_INPUT_DENIED, 0, "upload %s is another tenant's", id);
    }
    *out = u;
    return 0;
}

/* Its parts may still be on their way. */
static int read_upload(struct submit *s, const char *id, struct gm_err *err)
{
    const struct gm_upload *u = NULL;
    int rc = find_upload(s, id, &u, err);
    if (rc < 0) {
        return rc;
    }
    s->source_arrives = !gm_upload_has_ends(u);
    if (s->source.name != NULL) { /* looked for once more, after its title */
        return 0;
    }
    s->source.size = u->size;
    if (u->there == u->count) { /* what jobs read is that; of parts there is none */
        memcpy(s->source.etag, u->etag, sizeof s->source.etag);
    }
    s->source.name = strdup(u->name);
    if (s->source.name == NULL) {
        return gm_err_nomem(err);
    }
    return gm_upload_runs(u, &s->part_runs, &s->parts, &s->part_count, err);
}

static int read_body(struct submit *s, struct gm_err *err)
{
    static const char *const known[] = {
        "pipeline", "source", "destination", "priority", "external_id", "plan_only", "tenant",
        "deadline", "id",     "replace",     "backup",   "webhook",     NULL};
    int rc = s->body == NULL ? gm_request_object(s->r, &s->body, err) : 0;
    if (rc == 0) {
        rc = gm_json_check_keys(s->body, known, &s->at, err);
    }
    return rc;
}

/* What is made of the request follows once it is known that it is the first one. */
static int prepare_key(struct submit *s, struct gm_err *err)
{
    int rc = read_body(s, err);
    rc = rc < 0 ? rc : at(s, read_tenant(s, err), "tenant");
    if (rc == 0 && s->again) {
        return gm_idempotency_hash_retry(s->tenant, s->key, s->r->path, s->all, &s->idempotency,
                                         err);
    }
    return rc < 0
               ? rc
               : gm_idempotency_hash(s->tenant, s->key, s->r->path, s->body, &s->idempotency, err);
}

static int prepare(struct submit *s, struct gm_err *err)
{
    int rc = read_body(s, err);
    if (rc == 0) {
        rc = read_options(s, err);
    }
    if (rc == 0 && s->pipeline == NULL) {
        rc = at(s, read_pipeline(s, err), "pipeline");
    }
    if (rc == 0) { /* anew for each: it may have been mounted since */
        rc = gm_access_work_mark(gm_daemon_stores(s->r->http->d),
                                 gm_daemon_settings(s->r->http->d)->work_store, s->work_mark, err);
    }
    if (rc == 0) {
        rc = read_places(s, err);
    }
    GM_CRASH("submit.prepared");
    return rc;
}

static void work(void *arg)
{
    struct submit *s = arg;
    const struct gm_stores_limit limit = {.until = gm_time_now() + STORES_TIME};
    gm_stores_limit(&limit);
    s->rc = s->key[0] != '\0' && !s->is_first ? prepare_key(s, &s->err) : prepare(s, &s->err);
    gm_stores_limit(NULL);
}

static void title_work(void *arg)
{
    struct submit *s = arg;
    const struct gm_stores_limit limit = {.until = gm_time_now() + STORES_TIME};
    gm_stores_limit(&limit);
    s->rc = check_title(s, &s->err);
    gm_stores_limit(NULL);
}

static void note_unstored(struct submit *s)
{
    s->unstored = (struct gm_unstored){.next = s->r->http->unstored, .job_id = s->job_id};
    s->r->http->unstored = &s->unstored;
}

static void note_end(struct submit *s)
{
    struct gm_unstored **at = &s->r->http->unstored;
    while (*at != &s->unstored) {
        at = &(*at)->next;
    }
    *at = s->unstored.next;
}

bool gm_submit_is_unstored(const struct gm_http *http, const char *job_id)
{
    const struct gm_unstored *at = http->unstored;
    while (at != NULL && strcmp(at->job_id, job_id) != 0) {
        at = at->next;
    }
    return at != NULL;
}

/* The job; of one that is made again also what of it is. */
static int make_answer(const struct submit *s, json_t **out, struct gm_err *err)
{
    json_t *doc = NULL;
    int rc = gm_doc_job(gm_daemon_core(s->r->http->d), s->job_id, true, &doc, err);
    if (rc < 0) {
        return rc;
    }
    if (s->again &&
        json_object_set_new(doc, "again",
                            json_pack("{s:s, s:o}", "made", s->reopens ? "failed" : "all", "why",
                                      gm_json_text_or_null(s->why_all))) != 0) {
        json_decref(doc);
        return gm_err_nomem(err);
    }
    *out = doc;
    return 0;
}

static void on_stored(int rc, const struct gm_err *error, void *arg)
{
    struct submit *s = arg;
    struct gm_err err = {0};
    json_t *doc = NULL;
    note_end(s);
    if (rc < 0) {
        gm_request_fail(s->r, error);
    } else if (make_answer(s, &doc, &err) < 0) {
        gm_request_fail(s->r, &err);
    } else {
        gm_request_json(s->r, s->reopens ? MHD_HTTP_ACCEPTED : MHD_HTTP_CREATED, doc);
    }
    submit_destroy(s);
}

static void done(void *arg);

/* Counts once, as soon as it is known whose job it is. */
static int take_turn(struct submit *s, const char *tenant, struct gm_err *err)
{
    const struct gm_settings *settings = gm_daemon_settings(s->r->http->d);
    if (s->paced) {
        return 0;
    }
    s->paced = true;
    int rc = gm_pace_take(&s->r->http->pace, settings->tenant_list, settings->tenant_count, tenant,
                          gm_time_now(), err);
    s->r->retry_s = rc < 0 ? 1 : s->r->retry_s;
    return rc;
}

static void refuse(struct submit *s)
{
    if (!s->again) { /* else nothing of that was sent */
        s->r->at = s->at;
    }
    gm_request_fail(s->r, &s->err);
    submit_destroy(s);
}

void gm_submit_show(struct gm_request *r)
{
    struct gm_err err = {0};
    json_t *doc = NULL;
    if (gm_doc_job(gm_daemon_core(r->http->d), r->id, true, &doc, &err) < 0) {
        gm_request_fail(r, &err);
    } else {
        gm_request_json(r, MHD_HTTP_OK, doc);
    }
}

/* The job that its key stands for is the answer; without one, the request is taken from here on. */
static void look_for_key(struct submit *s)
{
    struct gm_request *r = s->r;
    const char *job = NULL;
    s->rc = s->rc < 0 ? s->rc
                      : gm_idempotency_find(r->http->taking, gm_daemon_core(r->http->d),
                                            &s->idempotency, &job, &s->err);
    if (s->rc == 0 && job != NULL) {
        (void)snprintf(r->id, sizeof r->id, "%s", job);
        submit_destroy(s);
        gm_request_show_stored(r, gm_submit_show);
        return;
    }
    if (s->rc == -GM_E_KEY_BUSY) {
        r->comes_again = true;
        r->retry_s = 1;
    }
    if (s->rc == 0) {
        struct gm_err err = {0};
        s->is_first = true;
        gm_taking_add(&r->http->taking, &s->taking, &s->idempotency);
        int rc = gm_daemon_work(r->http->d, work, done, s, &err);
        if (rc == 0) {
            return; /* s is the work's from here on */
        }
        s->err = err;
    }
    refuse(s);
}

/* Goes on from what the job made; else the answer says why not. */
static bool may_reopen(struct submit *s, const struct gm_submit *job)
{
    struct gm_err why = {0};
    if (!s->again || s->all || !gm_id_is(s->r->id)) {
        return false;
    }
    s->reopens = gm_view_may_reopen(gm_daemon_core(s->r->http->d), s->r->id, job, &why) == 0;
    if (s->reopens) {
        memcpy(s->job_id, s->r->id, sizeof s->job_id);
    } else {
        (void)snprintf(s->why_all, sizeof s->why_all, "%.150s", why.text);
    }
    return s->reopens;
}

static void done(void *arg)
{
    struct submit *s = arg;
    const char *upload = NULL;
    if (s->rc == 0) {
        s->rc = take_turn(s, s->tenant, &s->err);
    }
    if (s->key[0] != '\0' && !s->is_first) {
        look_for_key(s);
        return;
    }
    if (s->rc == 0 && gm_parts_is_url(s->source.url, &upload)) {
        bool first = s->source.name == NULL;
        s->rc = at(s, read_upload(s, upload, &s->err), "source");
        if (s->rc == 0 && first && !s->plan_only && !s->replace) { /* what it is called is known */
            struct gm_err err = {0};
            int rc = gm_daemon_work(s->r->http->d, title_work, done, s, &err);
            if (rc == 0) {
                return; /* s is the work's from here on */
            }
            s->rc = rc;
            s->err = err;
        }
    }
    if (s->rc == 0) {
        struct gm_submit job = {.job_id = s->job_id,
                                .pipeline = s->pipeline,
                                .source_url = s->source.url,
                                .source_size = s->source.size,
                                .source_version = s->source.version,
                                .source_etag = s->source.etag,
                                .source_parts = s->parts,
                                .source_part_count = s->part_count,
                                .source_arrives = s->source_arrives,
                                .source_name = s->source.name,
                                .destination_url = s->destination,
                                .destination_mark = s->destination_mark,
                                .work_mark = s->work_mark,
                                .backup_url = s->backup,
                                .backup_mark = s->backup_mark,
                                .priority = s->priority,
                                .tenant = s->tenant,
                                .deadline_unix_ms = s->deadline_unix_ms,
                                .external_id = s->external_id,
                                .traceparent = s->traceparent,
                                .retry_of = s->again ? s->r->id : NULL,
                                .key = s->is_first ? s->idempotency.key : NULL,
                                .request = s->idempotency.request,
                                .webhook = s->webhook,
                                .plan_only = s->plan_only,
                                .keeps_title = !s->replace,
                                .created_unix_ms = gm_time_unix_ms()};
        struct gm_event event = {.type = GM_EV_SUBMIT, .submit = &job};
        if (may_reopen(s, &job)) {
            event.type = GM_EV_REOPEN;
            event.job_id = s->job_id;
        }
        note_unstored(s);
        struct gm_err err = {0};
        if (gm_daemon_step(s->r->http->d, &event, on_stored, s, &err) == 0) {
            return; /* s is the answer's */
        }
        s->err = err;
        note_end(s);
        if (s->err.code == GM_E_BUSY) {
            s->r->retry_s = gm_daemon_job_wait_s(s->r->http->d);
        }
    }
    refuse(s);
}

bool gm_submit_is_open(struct gm_request *r)
{
    struct gm_err err = {0};
    if (r->http->stopping) {
        GM_IGNORE(gm_err_set(&err, GM_E_BUSY, 0, "the scheduler is stopping"), "answered");
        gm_request_fail_status(r, MHD_HTTP_SERVICE_UNAVAILABLE, &err);
        return false;
    }
    if (!gm_request_has_room(r)) {
        return false;
    }
    if (gm_daemon_is_full(r->http->d, &r->retry_s)) {
        GM_IGNORE(gm_err_set(&err, GM_E_BUSY, 0, "more than %zu MiB wait for the scheduler's disk",
                             GM_DAEMON_FULL_BYTES >> 20),
                  "answered");
        gm_request_fail(r, &err);
        return false;
    }
    r->retry_s = GM_RETRY_UNKNOWN_S;
    return true;
}

void gm_submit_start(struct gm_request *r, json_t *body, Gm__Pipeline *pipeline, bool all)
{
    struct gm_err err = {0};
    struct submit *s = calloc(1, sizeof *s);
    if (s == NULL) {
        json_decref(body);
        if (pipeline != NULL) {
            gm__pipeline__free_unpacked(pipeline, NULL);
        }
        GM_IGNORE(gm_err_nomem(&err), "answered");
        gm_request_fail(r, &err);
        return;
    }
    s->r = r;
    s->body = body;
    s->pipeline = pipeline;
    s->again = body != NULL;
    s->all = all;
    (void)gm_traceparent_parse(/* a malformed one is none: Trace Context, 4.3 */
                               MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND,
                                                           "traceparent"),
                               s->traceparent);
    int rc = gm_idempotency_read(r->connection, s->key, &err);
    rc = rc == 0 && r->caller.tenant[0] != '\0' ? take_turn(s, r->caller.tenant, &err) : rc;
    rc = rc < 0 ? rc : gm_daemon_work(r->http->d, work, done, s, &err);
    if (rc < 0) {
        gm_request_fail(r, &err);
        submit_destroy(s);
    }
}

void gm_handle_submit(struct gm_request *r)
{
    if (gm_submit_is_open(r)) {
        gm_submit_start(r, NULL, NULL, true);
    }
}
