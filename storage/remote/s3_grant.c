/* Signed URLs for objects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/time.h"
#include "storage/remote/remote.h"
#include "storage/s3/url.h"

#define MD5_SIZE 16

void gm_md5_text(const uint8_t md5[16], char out[GM_MD5_TEXT])
{
    (void)EVP_EncodeBlock((unsigned char *)out, md5, MD5_SIZE);
}

int gm_remote_presign(struct gm_remote *remote, const char *bucket, const char *key,
                      struct gm_s3_request *request, uint32_t expires_s, char **out_url,
                      struct gm_err *err)
{
    struct gm_s3_address address;
    int rc = gm_s3_address_make(&remote->endpoint, remote->style, bucket, key, &address, err);

    if (rc < 0) {
        return rc;
    }
    request->host = address.host;
    request->path = address.path;
    uv_mutex_lock(&remote->lock);
    rc = gm_s3_presign(remote->signer, request, remote->endpoint.tls,
                       gm_time_unix_ms() + remote->clock_offset_ms, expires_s, out_url, err);
    uv_mutex_unlock(&remote->lock);
    request->host = request->path = NULL;
    gm_s3_address_fini(&address);
    if (rc == 0 && strlen(*out_url) > GM_S3_URL_MAX) { /* no node would read it */
        free(*out_url);
        *out_url = NULL;
        rc = gm_err_set(err, GM_E_INVAL, 0,
                        "a signed URL would be longer than %zu bytes: a shorter key or session "
                        "token is needed",
                        GM_S3_URL_MAX);
    }
    return rc;
}

int gm_stores_grant_read(struct gm_stores *stores, const char *url, uint32_t expires_s,
                         char **out_url, struct gm_err *err)
{
    struct gm_s3_request request = {.method = "GET", .payload = GM_S3_UNSIGNED};
    struct gm_s3_location location;
    struct gm_remote *remote = NULL;
    int rc = gm_s3_location_read(url, &location, err);

    if (rc == 0) {
        rc = gm_remote_find(stores, location.bucket, &remote, err);
    }
    if (rc == 0) {
        rc = gm_remote_presign(remote, location.bucket, location.key, &request, expires_s, out_url,
                               err);
    }
    return rc;
}

/* ---- writing */

int gm_url_sign_body(const struct gm_url_target *t, const struct gm_url_body *body, char **out_url,
                     struct gm_err *err)
{
    struct gm_s3_field headers[4];
    size_t count = 0;
    char length[24], md5[GM_MD5_TEXT], hex[65];
    struct gm_s3_request request = {.method = body->method,
                                    .query = body->query,
                                    .query_count = body->query_count,
                                    .headers = headers,
                                    .payload = GM_S3_UNSIGNED};

    (void)snprintf(length, sizeof(length), "%llu", (unsigned long long)body->size);
    headers[count++] = (struct gm_s3_field){"Content-Length", length};
    if (t->way == GM_HASH_MD5 && body->md5 != NULL) {
        gm_md5_text(body->md5, md5);
        headers[count++] = (struct gm_s3_field){"Content-MD5", md5};
    } else if (t->way == GM_HASH_SHA256 && body->sha256 != NULL) {
        request.payload = gm_hex(body->sha256, GM_SHA256_SIZE, hex);
    }
    for (size_t i = 0; i < body->own_count; i++) {
        headers[count++] = body->own[i];
    }
    request.header_count = count;
    return gm_remote_presign(t->remote, t->bucket, t->key, &request, t->expires_s, out_url, err);
}

/* A URL without a body, or with one that is not known yet. */
static int sign_plain(const struct gm_url_target *t, const char *method,
                      const struct gm_s3_field *query, const struct gm_remote_grant *headers,
                      char **out_url, struct gm_err *err)
{
    struct gm_s3_field own[2];
    struct gm_s3_request request = {.method = method,
                                    .query = query,
                                    .query_count = query != NULL ? 1 : 0,
                                    .headers = own,
                                    .payload = GM_S3_UNSIGNED};

    for (size_t i = 0; headers != NULL && i < headers->header_count; i++) {
        own[request.header_count++] =
            (struct gm_s3_field){headers->headers[i].name, headers->headers[i].value};
    }
    return gm_remote_presign(t->remote, t->bucket, t->key, &request, t->expires_s, out_url, err);
}

static int add_header(struct gm_remote_grant *grant, const char *name, const char *value,
                      struct gm_err *err)
{
    struct gm_s3_header *header = &grant->headers[grant->header_count];

    if (value == NULL) {
        return 0;
    }
    header->name = name;
    header->value = strdup(value);
    if (header->value == NULL) {
        return gm_err_nomem(err);
    }
    grant->header_count++;
    return 0;
}

static int grant_whole(const struct gm_url_target *t, const struct gm_remote_write *write,
                       struct gm_remote_grant *out, struct gm_err *err)
{
    struct gm_s3_field own[2];
    struct gm_url_body body = {
        .method = "PUT", .size = write->size, .sha256 = write->sha256.data, .own = own};

    if (t->way == GM_HASH_MD5 && write->md5_count != 1) {
        out->needs_md5 = true;
        return 0;
    }
    if (write->md5_count == 1) {
        body.md5 = write->md5[0].data;
    }
    for (; body.own_count < out->header_count; body.own_count++) {
        own[body.own_count] = (struct gm_s3_field){out->headers[body.own_count].name,
                                                   out->headers[body.own_count].value};
    }
    return gm_url_sign_body(t, &body, &out->url, err);
}

static int grant_part(const struct gm_url_target *t, const struct gm_remote_write *write, size_t i,
                      char **out_url, struct gm_err *err)
{
    char number[24];
    const struct gm_s3_field query[] = {{"partNumber", number}, {"uploadId", write->upload_id}};
    uint64_t left = write->size - i * write->part_size;
    const struct gm_url_body body = {.method = "PUT",
                                     .query = query,
                                     .query_count = 2,
                                     .size = left < write->part_size ? left : write->part_size,
                                     .sha256 = write->part_sha256[i].data,
                                     .md5 = write->md5_count > 0 ? write->md5[i].data : NULL};

    (void)snprintf(number, sizeof(number), "%zu", i + 1);
    return gm_url_sign_body(t, &body, out_url, err);
}

static int grant_parts(const struct gm_url_target *t, const struct gm_remote_write *write,
                       struct gm_remote_grant *out, struct gm_err *err)
{
    const struct gm_s3_field begin = {"uploads", ""};
    const struct gm_s3_field end = {"uploadId", write->upload_id};
    bool begun = write->part_count > 0 && write->upload_id != NULL && write->upload_id[0] != '\0';
    int rc;

    if (!begun || (t->way == GM_HASH_MD5 && write->md5_count != write->part_count)) {
        out->needs_md5 = t->way == GM_HASH_MD5;
        return begun ? 0 : sign_plain(t, "POST", &begin, out, &out->start_url, err);
    }
    out->part_urls = calloc(write->part_count, sizeof(*out->part_urls));
    rc = out->part_urls == NULL ? gm_err_nomem(err) : 0;
    while (rc == 0 && out->part_count < write->part_count) {
        rc = grant_part(t, write, out->part_count, &out->part_urls[out->part_count], err);
        out->part_count++;
    }
    if (rc == 0) {
        rc = sign_plain(t, "POST", &end, NULL, &out->complete_url, err);
    }
    return rc < 0 ? rc : sign_plain(t, "HEAD", NULL, NULL, &out->head_url, err);
}

int gm_stores_grant_write(struct gm_stores *stores, const struct gm_remote_write *write,
                          struct gm_remote_grant *out, struct gm_err *err)
{
    struct gm_store *store = NULL;
    struct gm_s3_store *s;
    struct gm_remote_grant grant = {.url = NULL};
    char full[GM_S3_KEY_MAX + 1];
    struct gm_url_target t = {.key = full, .expires_s = write->expires_s};
    int rc = gm_s3_store_open(stores, write->store_url, &store, err);

    if (rc < 0) {
        return rc;
    }
    s = gm_s3_store_of(store);
    t.remote = s->remote;
    t.bucket = s->bucket;
    uv_mutex_lock(&s->remote->lock);
    t.way = s->remote->way;
    grant.waits = t.way == GM_HASH_UNKNOWN;
    uv_mutex_unlock(&s->remote->lock);
    rc = gm_s3_store_key(s, write->key, full, err);
    if (rc == 0) {
        rc = add_header(&grant, "Content-Type", write->content_type, err);
    }
    if (rc == 0) {
        rc = add_header(&grant, "Cache-Control", write->cache_control, err);
    }
    if (rc == 0 && !grant.waits) {
        rc = write->size > GM_REMOTE_ONE_PUT ? grant_parts(&t, write, &grant, err)
                                             : grant_whole(&t, write, &grant, err);
    }
    gm_store_close(&store);
    if (rc < 0) {
        gm_remote_grant_fini(&grant);
        return rc;
    }
    *out = grant;
    return 0;
}

void gm_remote_grant_fini(struct gm_remote_grant *grant)
{
    for (size_t i = 0; i < grant->part_count; i++) {
        free(grant->part_urls[i]);
    }
    for (size_t i = 0; i < grant->header_count; i++) {
        free(grant->headers[i].value);
    }
    free(grant->part_urls);
    free(grant->url);
    free(grant->start_url);
    free(grant->complete_url);
    free(grant->head_url);
    *grant = (struct gm_remote_grant){.url = NULL};
}
