/* Signed URLs for the parts of uploads, each of which is an object. */
#include <stdio.h>
#include <string.h>

#include "common/hash.h"
#include "storage/remote/remote.h"

int gm_stores_grant_part(struct gm_stores *stores, const struct gm_remote_part *part,
                         struct gm_remote_part_grant *out, struct gm_err *err)
{
    struct gm_remote_part_grant grant = {.url = NULL};
    struct gm_store *store = NULL;
    struct gm_s3_field headers[2];
    char full[GM_S3_KEY_MAX + 1], length[24];
    struct gm_s3_request request = {
        .method = "PUT", .headers = headers, .header_count = 1, .payload = GM_S3_UNSIGNED};
    int rc = gm_s3_store_open(stores, part->store_url, &store, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_s3_store *s = gm_s3_store_of(store);
    uv_mutex_lock(&s->remote->lock);
    enum gm_hash_way way = s->remote->way;
    uv_mutex_unlock(&s->remote->lock);
    rc = gm_s3_store_key(s, part->key, full, err);
    (void)snprintf(length, sizeof length, "%llu", (unsigned long long)part->size);
    headers[0] = (struct gm_s3_field){"Content-Length", length};
    if (part->sha256 != NULL && way == GM_HASH_SHA256) {
        grant.header = "x-amz-content-sha256";
        request.payload = gm_hex(part->sha256, GM_SHA256_SIZE, grant.value);
    } else if (part->sha256 != NULL && part->md5 != NULL) {
        grant.header = "Content-MD5";
        gm_md5_text(part->md5, grant.value);
        headers[request.header_count++] = (struct gm_s3_field){grant.header, grant.value};
    }
    grant.waits = way == GM_HASH_UNKNOWN && part->sha256 != NULL;
    grant.needs_md5 = way == GM_HASH_MD5 && part->sha256 != NULL && part->md5 == NULL;
    if (rc == 0 && !grant.waits && !grant.needs_md5) {
        rc = gm_remote_presign(s->remote, s->bucket, full, &request, part->expires_s, &grant.url,
                               err);
    }
    gm_store_close(&store);
    if (rc == 0) {
        *out = grant;
    }
    return rc;
}
