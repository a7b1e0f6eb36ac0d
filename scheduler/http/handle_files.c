/* GET /v1/jobs/ID/files/PATH: what a job published, for who plays it.
 *
 * Of a job that is done, and of the names alone that it published: its outputs, its manifests and
 * its report. The latter three are made of what the core knows, as another job may have published
 * at the same place since. What is in a folder is read by the pool; a client that asks for an
 * object of S3 is sent there by a signed URL, but for texts: what a playlist names is relative to
 * where it was got, and a signature is good for one object. */
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "scheduler/http/request.h"
#include "scheduler/metas.h"
#include "scheduler/report.h"
#include "storage/s3/location.h"

#define OPEN_TIME (20 * GM_SEC)
#define REDIRECT_S 3600
#define ETAG_SIZE (2 * GM_SHA256_SIZE + 3)

struct open_file {
    struct gm_request *r; /* borrowed */
    struct gm_file_work work;
    char *destination;      /* owned */
    struct gm_store *store; /* owned */
    uint64_t size;          /* as the job stored it; then, as it is */
    char etag[ETAG_SIZE];   /* "": another job wrote it anew */
    int rc;
    struct gm_err err;
};

static void tag_of(const uint8_t sha256[GM_SHA256_SIZE], char out[ETAG_SIZE])
{
    out[0] = '"';
    (void)gm_hex(sha256, GM_SHA256_SIZE, out + 1);
    out[ETAG_SIZE - 2] = '"';
    out[ETAG_SIZE - 1] = '\0';
}

static void fail_missing(struct gm_request *r)
{
    struct gm_err err = {0};
    GM_IGNORE(gm_err_set(&err, GM_E_NOTFOUND, 0, "the job published no `%.150s`", r->rest),
              "answered");
    gm_request_fail(r, &err);
}

/* ---- what the core knows */

static int read_text(const struct gm_core *core, const struct gm_request *r, struct gm_buf *out,
                     struct gm_err *err)
{
    struct gm_metas metas;
    if (strcmp(r->rest, "report.json") == 0) {
        json_t *doc = NULL;
        int rc = gm_report_json(core, r->id, false, &doc, err);
        return rc < 0 ? rc : gm_json_text(doc, true, out, err);
    }
    int rc = gm_metas_read(core, r->id, false, &metas, err);
    if (rc < 0) {
        return rc;
    }
    if (metas.package != NULL) {
        const ProtobufCBinaryData *text = strcmp(r->rest, "master.m3u8") == 0
                                              ? &metas.package->master_m3u8
                                              : &metas.package->manifest_mpd;
        gm_buf_add(out, text->data, text->len);
    }
    gm_metas_fini(&metas);
    return gm_buf_check(out, err);
}

static bool is_text_of_core(const char *path)
{
    return strcmp(path, "master.m3u8") == 0 || strcmp(path, "manifest.mpd") == 0 ||
           strcmp(path, "report.json") == 0;
}

static void show_text(struct gm_request *r)
{
    struct gm_buf body = {0};
    struct gm_err err = {0};
    uint8_t sha256[GM_SHA256_SIZE];
    char etag[ETAG_SIZE];
    int rc = read_text(gm_daemon_core(r->http->d), r, &body, &err);
    if (rc < 0) {
        gm_request_fail(r, &err);
    } else if (body.size == 0) {
        fail_missing(r);
    } else {
        gm_sha256(body.data, body.size, sha256);
        tag_of(sha256, etag);
        gm_file_answer(r, &(struct gm_file_params){.key = r->rest,
                                                   .size = body.size,
                                                   .body = &body,
                                                   .etag = etag,
                                                   .content_type = gm_s3_content_type(r->rest),
                                                   .cache_control = "private, no-cache"});
    }
    gm_buf_fini(&body);
}

/* ---- what the destination has */

static void open_work(void *arg)
{
    struct open_file *o = arg;
    const struct gm_stores_limit limit = {.until = gm_time_now() + OPEN_TIME};
    struct gm_store_stat stat = {0};
    gm_stores_limit(&limit);
    o->rc =
        gm_stores_open(gm_daemon_stores(o->r->http->d), o->destination, false, &o->store, &o->err);
    if (o->rc == 0) {
        o->rc = gm_store_head(o->store, o->r->rest, &stat, &o->err);
    }
    gm_stores_limit(NULL);
    if (o->rc == 0 && stat.size != o->size) { /* ADR-0002 */
        o->size = stat.size;
        o->etag[0] = '\0';
    }
}

static void open_done(void *arg)
{
    struct open_file *o = arg;
    o->r->http->file_count--; /* the answer's from now on */
    if (o->rc < 0) {
        gm_store_close(&o->store);
        gm_request_fail(o->r, &o->err);
    } else {
        gm_file_answer(
            o->r, &(struct gm_file_params){
                      .store = o->store,
                      .key = o->r->rest,
                      .size = o->size,
                      .etag = o->etag[0] != '\0' ? o->etag : NULL,
                      .content_type = gm_s3_content_type(o->r->rest),
                      .cache_control = o->etag[0] != '\0' ? "private, max-age=3600" : "no-store"});
    }
    free(o->destination);
    free(o);
}

static void open_file(struct gm_request *r, const char *destination, uint64_t size,
                      const uint8_t *sha256)
{
    struct gm_err err = {0};
    struct open_file *o = calloc(1, sizeof *o);
    int rc = 0;
    if (o != NULL) {
        *o = (struct open_file){.r = r, .size = size, .destination = strdup(destination)};
        if (sha256 != NULL) {
            tag_of(sha256, o->etag);
        }
    }
    if (o == NULL || o->destination == NULL) {
        rc = gm_err_nomem(&err);
    } else if (gm_file_is_crowded(r)) {
        rc = gm_err_set(&err, GM_E_BUSY, 0, "too many files are being sent");
    } else {
        o->work = (struct gm_file_work){
            .work = open_work, .done = open_done, .arg = o, .rc = &o->rc, .err = &o->err};
        r->http->file_count++;
        r->sends_file = true;
        gm_file_work_run(r->http, &o->work);
    }
    if (rc < 0) {
        free(o != NULL ? o->destination : NULL);
        free(o);
        gm_request_fail(r, &err);
    }
}

static bool names_others(const char *key)
{
    const char *end = strrchr(key, '.');
    return end != NULL &&
           (strcmp(end, ".m3u8") == 0 || strcmp(end, ".mpd") == 0 || strcmp(end, ".vtt") == 0);
}

static void redirect(struct gm_request *r, const char *destination)
{
    struct gm_err err = {0};
    struct gm_buf url = {0};
    gm_buf_printf(&url, "%s/%s", destination, r->rest);
    int rc = gm_buf_check(&url, &err);
    if (rc == 0) {
        rc = gm_stores_grant_read(gm_daemon_stores(r->http->d), (const char *)url.data, REDIRECT_S,
                                  &r->location, &err);
    }
    gm_buf_fini(&url);
    if (rc < 0) {
        gm_request_fail(r, &err);
    } else {
        gm_request_json(r, MHD_HTTP_FOUND, json_object());
    }
}

void gm_request_show_object(struct gm_request *r, const char *destination, uint64_t size,
                            const uint8_t *sha256)
{
    if (gm_s3_is_url(destination) && !names_others(r->rest)) {
        redirect(r, destination);
    } else {
        open_file(r, destination, size, sha256);
    }
}

/* ---- */

static bool is_removed(const struct gm_core *core, const char *job_id)
{
    struct gm_card_view card;
    return gm_view_card(core, job_id, &card) && card.removed;
}

static void show_file(struct gm_request *r)
{
    static const char *const known[] = {NULL};
    const struct gm_core *core = gm_daemon_core(r->http->d);
    struct gm_err err = {0};
    enum gm_job_state state = GM_JOB_QUEUED;
    const char *source = NULL, *destination = NULL;
    const uint8_t *sha256 = NULL;
    uint64_t size = 0;
    int rc = gm_request_check_query(r, known, &err);
    rc = rc < 0 ? rc : gm_view_job_urls(core, r->id, &source, &destination, &err);
    if (rc < 0) {
        gm_request_fail(r, &err);
    } else if (!gm_view_job_state(core, r->id, &state) || state != GM_JOB_DONE ||
               destination[0] == '\0') {
        fail_missing(r);
    } else if (is_removed(core, r->id)) {
        GM_IGNORE(gm_err_set(&err, GM_E_NOTFOUND, 0, "the result of the job was taken down"),
                  "answered");
        gm_request_fail(r, &err);
    } else if (is_text_of_core(r->rest)) {
        show_text(r);
    } else if (!gm_view_output(core, r->id, r->rest, &size, &sha256)) {
        fail_missing(r);
    } else {
        gm_request_show_object(r, destination, size, sha256);
    }
}

void gm_handle_files(struct gm_request *r)
{
    gm_request_show_stored(r, show_file);
}
