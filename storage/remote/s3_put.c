/* Bodies that the scheduler itself stores: playlists, manifests, reports; larger ones in parts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "storage/remote/remote.h"

#define PART ((uint64_t)64 << 20)

struct upload {
    struct gm_s3_store *store; /* borrowed */
    const struct gm_store_put *put;
    const char *key;               /* in the bucket */
    struct gm_s3_field headers[3]; /* of what begins it: type, cache */
    size_t header_count;
    char *id;          /* owned */
    struct gm_buf xml; /* of what ends it */
};

static void add_headers(struct upload *u)
{
    const char *type = gm_s3_content_type(u->put->key);

    if (type != NULL) {
        u->headers[u->header_count++] = (struct gm_s3_field){"Content-Type", type};
    }
    u->headers[u->header_count++] =
        (struct gm_s3_field){"Cache-Control", gm_s3_cache_control(u->put->key)};
}

static int wanted(const struct gm_store_put *put, struct gm_err *err)
{
    return put->guard == NULL ? 0 : put->guard->check(put->guard->arg, err);
}

/* At most 64 MiB, of which the server is told the hash. */
static int put_whole(struct upload *u, const void *data, const char *hash, struct gm_err *err)
{
    struct gm_ask ask = {.call = {.method = "PUT",
                                  .bucket = u->store->bucket,
                                  .key = u->key,
                                  .headers = u->headers,
                                  .header_count = u->header_count,
                                  .fd = u->put->fd,
                                  .body = data,
                                  .body_size = u->put->size,
                                  .payload = hash}};
    int rc;

    if (u->put->if_absent) {
        u->headers[u->header_count] = (struct gm_s3_field){"If-None-Match", "*"};
        ask.call.header_count = u->header_count + 1;
    }
    rc = gm_remote_ask(u->store->remote, &ask, err);
    if (rc < 0 && u->put->if_absent && ask.result.lacks) { /* it was looked for before */
        ask.call.header_count = u->header_count;
        rc = gm_remote_ask(u->store->remote, &ask, err);
    }
    return rc;
}

static int take_id(struct gm_ask *ask, const struct gm_s3_answer *answer)
{
    struct upload *u = ask->arg;

    u->id = strdup(answer->upload_id);
    return u->id != NULL ? 0 : gm_err_nomem(&ask->result.err);
}

static int begin(struct upload *u, struct gm_err *err)
{
    const struct gm_s3_field query = {"uploads", ""};
    struct gm_ask ask = {.call = {.method = "POST",
                                  .bucket = u->store->bucket,
                                  .key = u->key,
                                  .query = &query,
                                  .query_count = 1,
                                  .headers = u->headers,
                                  .header_count = u->header_count,
                                  .wants = GM_S3_WANTS_XML,
                                  .kind = GM_S3_INITIATE},
                         .take = take_id,
                         .arg = u};

    return gm_remote_ask(u->store->remote, &ask, err);
}

static int put_part(struct upload *u, unsigned number, uint64_t offset, struct gm_err *err)
{
    uint64_t left = u->put->size - offset;
    char text[16];
    const struct gm_s3_field query[] = {{"partNumber", text}, {"uploadId", u->id}};
    struct gm_ask ask = {.call = {.method = "PUT",
                                  .bucket = u->store->bucket,
                                  .key = u->key,
                                  .query = query,
                                  .query_count = 2,
                                  .fd = u->put->fd,
                                  .body_offset = offset,
                                  .body_size = left < PART ? left : PART}};
    int rc = wanted(u->put, err);

    (void)snprintf(text, sizeof(text), "%u", number);
    if (rc == 0) {
        rc = gm_remote_ask(u->store->remote, &ask, err);
    }
    if (rc == 0) {
        gm_buf_printf(&u->xml, "<Part><PartNumber>%u</PartNumber><ETag>", number);
        gm_buf_xml(&u->xml, ask.result.etag, GM_XML_ASCII);
        gm_buf_str(&u->xml, "</ETag></Part>");
    }
    return rc;
}

static int end(struct upload *u, struct gm_err *err)
{
    const struct gm_s3_field query = {"uploadId", u->id};
    struct gm_ask ask = {.call = {.method = "POST",
                                  .bucket = u->store->bucket,
                                  .key = u->key,
                                  .query = &query,
                                  .query_count = 1,
                                  .wants = GM_S3_WANTS_XML,
                                  .kind = GM_S3_COMPLETE}};
    struct gm_store_stat stat;
    int rc;

    gm_buf_str(&u->xml, "</CompleteMultipartUpload>");
    rc = gm_buf_check(&u->xml, err);
    if (rc == 0) {
        rc = wanted(u->put, err);
    }
    if (rc == 0) {
        ask.call.body = u->xml.data;
        ask.call.body_size = u->xml.size;
        rc = gm_remote_ask(u->store->remote, &ask, err);
    }
    if (rc == 0) {
        rc = gm_store_head(&u->store->base, u->put->key, &stat, err);
    }
    if (rc == 0 && stat.size != u->put->size) {
        rc = gm_err_set(err, GM_E_STORE_CORRUPT, 0, "%.120s has another size than was stored",
                        u->put->key);
    }
    return rc;
}

static void give_up(struct upload *u)
{
    const struct gm_s3_field query = {"uploadId", u->id};
    struct gm_ask ask = {.call = {.method = "DELETE",
                                  .bucket = u->store->bucket,
                                  .key = u->key,
                                  .query = &query,
                                  .query_count = 1}};
    struct gm_err other;

    GM_IGNORE(gm_remote_ask(u->store->remote, &ask, &other), "a sweep ends it, too");
}

static int put_parts(struct upload *u, struct gm_err *err)
{
    unsigned number = 1;
    int rc = begin(u, err);

    if (rc < 0) {
        return rc;
    }
    gm_buf_str(&u->xml, "<CompleteMultipartUpload>");
    for (uint64_t at = 0; rc == 0 && at < u->put->size; at += PART) {
        rc = put_part(u, number++, at, err);
    }
    if (rc == 0) {
        rc = end(u, err);
    }
    if (rc < 0) {
        give_up(u);
    }
    return rc;
}

/* The hash of what is there, as hex: it must be the one that was said. */
static int check_body(const struct gm_store_put *put, const void *data, char hex[65],
                      struct gm_err *err)
{
    uint8_t hash[GM_SHA256_SIZE];
    uint64_t size = put->size;
    int rc = 0;

    if (data != NULL) {
        gm_sha256(data, (size_t)put->size, hash);
    } else {
        rc = gm_sha256_fd(put->fd, hash, &size, err);
    }
    if (rc == 0 && (size != put->size ||
                    (put->sha256 != NULL && memcmp(put->sha256, hash, sizeof(hash)) != 0))) {
        rc = gm_err_set(err, GM_E_STORE_CORRUPT, 0, "%.120s was not what was to be stored",
                        put->key);
    }
    if (rc == 0) {
        (void)gm_hex(hash, sizeof(hash), hex);
    }
    return rc;
}

int gm_s3_store_put(struct gm_store *store, const struct gm_store_put *put, const void *data,
                    struct gm_err *err)
{
    struct gm_s3_store *s = gm_s3_store_of(store);
    struct upload u = {.store = s, .put = put};
    struct gm_store_stat stat;
    char full[GM_S3_KEY_MAX + 1];
    char hex[65];
    int rc = gm_s3_store_key(s, put->key, full, err);

    if (rc == 0) {
        rc = check_body(put, data, hex, err);
    }
    if (rc == 0 && put->if_absent) {
        rc = gm_store_head(store, put->key, &stat, err);
        rc = rc == 0 ? gm_err_set(err, GM_E_STORE_EXISTS, 0, "%.120s is there already", put->key)
                     : rc;
        rc = rc == -GM_E_NOTFOUND ? 0 : rc;
    }
    if (rc == 0) {
        rc = wanted(put, err);
    }
    if (rc < 0) {
        return rc;
    }
    u.key = full;
    add_headers(&u);
    rc = data != NULL || put->size <= GM_REMOTE_ONE_PUT ? put_whole(&u, data, hex, err)
                                                        : put_parts(&u, err);
    gm_buf_fini(&u.xml);
    free(u.id);
    return rc;
}
