/* Steps: BEGIN; or WHOLE; or PARTS -> JOIN -> LOOK. A join whose answer was lost finds no upload
 * when it is tried again: then the object is looked at, which says whether it is there. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/time.h"
#include "node/transfer/upload.h"
#include "storage/s3/url.h"

#define TRIES 5
#define FIELDS 10 /* GM_PROTO_MAX_HEADERS, and two of ours */

static const char EMPTY_HASH[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

enum step { BEGIN, WHOLE, PARTS, JOIN, LOOK };

/* A request under way. */
struct way {
    struct gm_transfer transfer;
    struct gm_upload *upload; /* borrowed */
    bool on;
    size_t part; /* PARTS */
    char hash[2 * GM_SHA256_SIZE + 1];
    char md5[GM_MD5_BASE64];
    struct gm_s3_field fields[FIELDS];
    size_t field_count;
};

struct gm_upload {
    struct gm_upload_params params;
    enum step step;
    bool was_gone; /* JOIN: there was no such upload */
    struct gm_buf join;
    struct way ways[GM_UPLOAD_PARTS];
};

static void free_upload(struct gm_upload *upload)
{
    for (size_t i = 0; i < GM_UPLOAD_PARTS; i++) {
        if (upload->ways[i].on) {
            gm_transfer_cancel(&upload->ways[i].transfer);
        }
    }
    gm_buf_fini(&upload->join);
    free(upload);
}

static void finish(struct gm_upload *upload, enum gm_upload_end end, const struct gm_err *why)
{
    const struct gm_upload_params params = upload->params;
    struct gm_err err = {0};

    if (why != NULL) {
        err = *why;
    }
    free_upload(upload);
    params.done(end, &err, params.arg);
}

static void on_done(const struct gm_s3_result *result, void *arg);

static int on_wanted(void *arg, struct gm_err *err)
{
    const struct way *way = arg;

    return way->upload->params.wanted(way->upload->params.arg, err);
}

static int add_field(struct way *way, const char *name, const char *value, struct gm_err *err)
{
    if (way->field_count == FIELDS) {
        return gm_err_set(err, GM_E_BUG, 0, "a grant has too many headers");
    }
    way->fields[way->field_count++] = (struct gm_s3_field){name, value};
    return 0;
}

/* What the URL was signed for of the body. sha256 NULL: it is empty; md5 NULL: not known. */
static int add_hashes(struct way *way, const char *url, const uint8_t *sha256, const uint8_t *md5,
                      struct gm_err *err)
{
    int rc = 0;

    way->field_count = 0;
    if (gm_s3_url_signs(url, "x-amz-content-sha256")) {
        rc =
            add_field(way, "x-amz-content-sha256",
                      sha256 == NULL ? EMPTY_HASH : gm_hex(sha256, GM_SHA256_SIZE, way->hash), err);
    }
    if (rc == 0 && gm_s3_url_signs(url, "content-md5")) {
        if (md5 == NULL) {
            return gm_err_set(err, GM_E_BUG, 0, "a grant is for an MD5 that nobody asked for");
        }
        rc = add_field(way, "Content-MD5", gm_md5_base64(md5, way->md5), err);
    }
    return rc;
}

static int add_headers(struct way *way, const Gm__Grant *grant, struct gm_err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < grant->n_headers; i++) {
        rc = add_field(way, grant->headers[i]->name, grant->headers[i]->value, err);
    }
    return rc;
}

static struct gm_s3_call call_of(struct way *way, const char *method, const char *url)
{
    const struct gm_upload_params *params = &way->upload->params;

    return (struct gm_s3_call){.method = method,
                               .url = url,
                               .url_until_unix_ms = params->until_unix_ms,
                               .headers = way->fields,
                               .header_count = way->field_count,
                               .fd = -1,
                               .wanted = params->wanted == NULL ? NULL : on_wanted,
                               .wants = GM_S3_WANTS_NOTHING,
                               .max_tries = TRIES,
                               .done = on_done,
                               .arg = way};
}

static int go(struct way *way, const struct gm_s3_call *call, struct gm_err *err)
{
    int rc = gm_transfer_start(way->upload->params.transfers, &way->transfer, call, err);

    way->on = rc == 0;
    return rc;
}

static int start_whole(struct gm_upload *upload, struct gm_err *err)
{
    const struct gm_upload_params *params = &upload->params;
    struct way *way = &upload->ways[0];
    const char *url = params->grant->url;
    int rc = add_hashes(way, url, params->sha256, params->md5, err);

    if (rc == 0) {
        rc = add_headers(way, params->grant, err);
    }
    if (rc < 0) {
        return rc;
    }
    struct gm_s3_call call = call_of(way, "PUT", url);

    call.fd = params->fd;
    call.body_size = params->size;
    return go(way, &call, err);
}

static int start_part(struct way *way, size_t index, struct gm_err *err)
{
    const struct gm_upload_params *params = &way->upload->params;
    const struct gm_parts *parts = params->parts;
    const struct gm_part *part = &parts->list[index];
    const char *url = params->grant->part_urls[index];
    int rc = add_hashes(way, url, part->sha256, parts->has_md5 ? part->md5 : NULL, err);

    if (rc < 0) {
        return rc;
    }
    struct gm_s3_call call = call_of(way, "PUT", url);

    way->part = index;
    call.fd = params->fd;
    call.body_offset = index * parts->part_size;
    call.body_size = gm_parts_bytes(parts, index);
    return go(way, &call, err);
}

static int start_join(struct gm_upload *upload, struct gm_err *err)
{
    struct way *way = &upload->ways[0];
    int rc;

    upload->step = JOIN;
    gm_parts_join(upload->params.parts, &upload->join);
    rc = gm_buf_check(&upload->join, err);
    if (rc < 0) {
        return rc;
    }
    way->field_count = 0;
    struct gm_s3_call call = call_of(way, "POST", upload->params.grant->complete_url);

    call.body = upload->join.data;
    call.body_size = upload->join.size;
    call.wants = GM_S3_WANTS_XML;
    call.kind = GM_S3_COMPLETE;
    return go(way, &call, err);
}

static int start_look(struct gm_upload *upload, struct gm_err *err)
{
    struct way *way = &upload->ways[0];
    const char *url = upload->params.grant->head_url;
    int rc = add_hashes(way, url, NULL, NULL, err);

    upload->step = LOOK;
    if (rc < 0) {
        return rc;
    }
    const struct gm_s3_call call = call_of(way, "HEAD", url);

    return go(way, &call, err);
}

/* Whether that part is there, or on its way. */
static bool is_taken(const struct gm_upload *upload, size_t index)
{
    for (size_t i = 0; i < GM_UPLOAD_PARTS; i++) {
        if (upload->ways[i].on && upload->ways[i].part == index) {
            return true;
        }
    }
    return upload->params.parts->list[index].etag[0] != '\0';
}

/* Sends as many parts as may go at once; joins them where all are there. */
static int start_parts(struct gm_upload *upload, struct gm_err *err)
{
    size_t index = 0;
    bool goes = false;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < GM_UPLOAD_PARTS; i++) {
        struct way *way = &upload->ways[i];

        while (index < upload->params.parts->count && is_taken(upload, index)) {
            index++;
        }
        if (!way->on && index < upload->params.parts->count) {
            rc = start_part(way, index, err);
        }
        goes = goes || way->on;
    }
    return rc < 0 || goes ? rc : start_join(upload, err);
}

static int end_begin(struct gm_upload *upload, const struct gm_s3_result *result,
                     struct gm_err *err)
{
    struct gm_parts *parts = upload->params.parts;

    free(parts->upload_id);
    parts->upload_id = strdup(result->answer.upload_id);
    return parts->upload_id == NULL ? gm_err_nomem(err) : 0;
}

/* What is there under the name: by its size, and by the hashes of its parts. */
static void end_look(struct gm_upload *upload, const struct gm_s3_result *result)
{
    struct gm_err err;

    if (result->size == upload->params.size) {
        finish(upload, GM_UPLOAD_DONE, NULL);
        return;
    }
    GM_IGNORE(gm_err_set(&err, GM_E_STORE_CORRUPT, 0,
                         "the store joined parts to %" PRIu64 " bytes, not %" PRIu64, result->size,
                         upload->params.size),
              "it is handed on");
    finish(upload, upload->was_gone ? GM_UPLOAD_GONE : GM_UPLOAD_FAILED, &err);
}

/* A step is done: what follows. */
static void go_on(struct gm_upload *upload, const struct way *way,
                  const struct gm_s3_result *result)
{
    struct gm_err err = {0};
    int rc = 0;

    switch (upload->step) {
    case BEGIN:
        rc = end_begin(upload, result, &err);
        break;
    case PARTS:
        rc = gm_parts_stored(upload->params.parts, way->part, result->etag, &err);
        if (rc == 0) {
            rc = start_parts(upload, &err);
        }
        break;
    case JOIN:
        rc = start_look(upload, &err);
        break;
    case LOOK:
        end_look(upload, result);
        return;
    default:
        break;
    }
    if (rc < 0) {
        finish(upload, GM_UPLOAD_FAILED, &err);
    } else if (upload->step == BEGIN || upload->step == WHOLE) {
        finish(upload, GM_UPLOAD_DONE, NULL);
    }
}

/* What a failure means here. */
static void fail(struct gm_upload *upload, const struct gm_s3_result *result)
{
    struct gm_err err = result->err;
    bool missing = err.code == GM_E_NOTFOUND;
    bool whole = upload->step == WHOLE || upload->step == JOIN;
    enum gm_upload_end end = GM_UPLOAD_FAILED;

    if (result->unsure && whole && upload->params.unsure != NULL) {
        *upload->params.unsure = true;
    }
    if (upload->step == JOIN && missing) {
        upload->was_gone = true;
        if (start_look(upload, &err) == 0) {
            return;
        }
    }
    if (result->renew) {
        end = GM_UPLOAD_RENEW;
    } else if (missing && upload->step != BEGIN && upload->step != WHOLE) {
        end = GM_UPLOAD_GONE;
    } else if (upload->step == JOIN && err.code == GM_E_STORE_CORRUPT) {
        end = GM_UPLOAD_GONE; /* it does not know the parts any more */
    }
    if (missing) { /* the bucket, or a part of what is ours: the store is not what it was */
        err.code = GM_E_STORE;
    } else if (err.code == GM_E_INVAL) {
        err.code = GM_E_STORE_CORRUPT; /* the file is not what was granted */
    }
    finish(upload, end, &err);
}

static void on_done(const struct gm_s3_result *result, void *arg)
{
    struct way *way = arg;
    struct gm_upload *upload = way->upload;

    way->on = false;
    if (result->rc < 0) {
        fail(upload, result);
    } else {
        go_on(upload, way, result);
    }
}

static int create(const struct gm_upload_params *params, enum step step, struct gm_upload **out,
                  struct gm_err *err)
{
    struct gm_upload *upload = calloc(1, sizeof(*upload));

    if (upload == NULL) {
        return gm_err_nomem(err);
    }
    upload->params = *params;
    upload->step = step;
    for (size_t i = 0; i < GM_UPLOAD_PARTS; i++) {
        upload->ways[i].upload = upload;
    }
    *out = upload;
    return 0;
}

int gm_upload_start(const struct gm_upload_params *params, struct gm_upload **out,
                    struct gm_err *err)
{
    struct gm_upload *upload = NULL;
    const struct gm_parts *parts = params->parts;
    bool whole = parts == NULL;
    int rc;

    if (whole ? params->grant->url[0] == '\0'
              : parts->count != params->grant->n_part_urls || parts->upload_id == NULL) {
        return gm_err_set(err, GM_E_BUG, 0, "a grant is for other parts than were asked for");
    }
    rc = create(params, whole ? WHOLE : PARTS, &upload, err);
    if (rc < 0) {
        return rc;
    }
    rc = whole ? start_whole(upload, err) : start_parts(upload, err);
    if (rc < 0) {
        free_upload(upload);
        return rc;
    }
    *out = upload;
    return 0;
}

int gm_upload_begin(const struct gm_upload_params *params, struct gm_upload **out,
                    struct gm_err *err)
{
    const char *url = params->grant->start_url;
    struct gm_upload *upload = NULL;
    int rc = create(params, BEGIN, &upload, err);
    struct way *way;

    if (rc < 0) {
        return rc;
    }
    way = &upload->ways[0];
    rc = add_hashes(way, url, NULL, NULL, err);
    if (rc == 0) {
        rc = add_headers(way, params->grant, err);
    }
    if (rc == 0) {
        struct gm_s3_call call = call_of(way, "POST", url);

        call.wants = GM_S3_WANTS_XML;
        call.kind = GM_S3_INITIATE;
        rc = go(way, &call, err);
    }
    if (rc < 0) {
        free_upload(upload);
        return rc;
    }
    *out = upload;
    return 0;
}

bool gm_upload_waits(const struct gm_upload *upload)
{
    for (size_t i = 0; i < GM_UPLOAD_PARTS; i++) {
        if (upload->ways[i].on && !gm_transfer_waits(&upload->ways[i].transfer)) {
            return false;
        }
    }
    return true;
}

void gm_upload_cancel(struct gm_upload **upload)
{
    struct gm_upload *up = *upload;

    *upload = NULL;
    if (up != NULL) {
        free_upload(up);
    }
}

bool gm_upload_give_up(struct gm_upload **upload)
{
    struct gm_upload *up = *upload;

    if (up != NULL && (up->step == WHOLE || up->step == JOIN) &&
        gm_transfer_is_sent(&up->ways[0].transfer)) {
        return true;
    }
    gm_upload_cancel(upload);
    return false;
}
