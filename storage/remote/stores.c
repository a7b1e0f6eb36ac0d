#include "storage/remote/stores.h"

#include <stdlib.h>
#include <string.h>

#include "storage/remote/remote.h"

static void remote_fini(struct gm_remote *r)
{
    gm_remote_close_idle(r);
    gm_remote_forget_tried(r);
    gm_remote_forget_left(r);
    gm_s3_signer_destroy(&r->signer);
    gm_key_file_wipe(&r->keys);
    if (r->has_lock) {
        uv_mutex_destroy(&r->lock);
        uv_mutex_destroy(&r->reload_lock);
    }
    free(r->bucket);
    free(r->region);
    free(r->keys_path);
    free(r->ca_file);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_keys(const struct gm_key_file *a, const struct gm_key_file *b)
{
    return same_text(a->id, b->id) && same_text(a->secret, b->secret) &&
           same_text(a->token, b->token);
}

int gm_remote_reload(struct gm_remote *remote, bool *out_changed, struct gm_err *err)
{
    struct gm_key_file keys = {.id = NULL};
    struct gm_s3_signer *signer = NULL;
    uv_mutex_lock(&remote->reload_lock); /* or what was read first could be taken last */
    int rc = gm_key_file_load(remote->keys_path, &keys, err);

    if (rc == 0) {
        const struct gm_s3_keys said = {keys.id, keys.secret, keys.token};

        rc = gm_s3_signer_create(&said, remote->region, "s3", &signer, err);
    }
    if (rc == 0) {
        uv_mutex_lock(&remote->lock);
        *out_changed = !same_keys(&remote->keys, &keys);
        if (*out_changed) {
            struct gm_key_file old = remote->keys;
            struct gm_s3_signer *old_signer = remote->signer;

            remote->keys = keys;
            remote->signer = signer;
            remote->generation++;
            gm_remote_forget_tried(remote);
            keys = old;
            signer = old_signer;
        }
        uv_mutex_unlock(&remote->lock);
    }
    uv_mutex_unlock(&remote->reload_lock);
    gm_s3_signer_destroy(&signer);
    gm_key_file_wipe(&keys);
    return rc;
}

static int remote_init(const char *line, struct gm_remote *out, struct gm_err *err)
{
    bool changed;
    int rc = uv_mutex_init(&out->lock);

    if (rc != 0) {
        return gm_err_nomem(err);
    }
    if (uv_mutex_init(&out->reload_lock) != 0) {
        uv_mutex_destroy(&out->lock);
        return gm_err_nomem(err);
    }
    out->has_lock = true;
    rc = gm_remote_read(line, out, err);
    if (rc == 0) {
        rc = gm_remote_reload(out, &changed, err);
    }
    return gm_err_wrap(err, rc, "storage: ");
}

int gm_stores_create(char *const *lines, struct gm_stores **out, struct gm_err *err)
{
    struct gm_stores *stores = calloc(1, sizeof(*stores));
    size_t count = 0;
    int rc = 0;

    while (lines != NULL && lines[count] != NULL) {
        count++;
    }
    if (stores != NULL) {
        stores->remotes = calloc(count + 1, sizeof(*stores->remotes));
    }
    if (stores == NULL || stores->remotes == NULL) {
        free(stores);
        return gm_err_nomem(err);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        stores->count = i + 1;
        rc = remote_init(lines[i], &stores->remotes[i], err);
    }
    if (rc < 0) {
        gm_stores_destroy(&stores);
        return rc;
    }
    *out = stores;
    return 0;
}

void gm_stores_destroy(struct gm_stores **stores)
{
    if (*stores != NULL) {
        for (size_t i = 0; i < (*stores)->count; i++) {
            remote_fini(&(*stores)->remotes[i]);
        }
        free((*stores)->remotes);
        free(*stores);
        *stores = NULL;
    }
}

int gm_stores_reload(struct gm_stores *stores, struct gm_err *err)
{
    struct gm_err other = {0};
    bool changed;
    int rc = 0;

    for (size_t i = 0; i < stores->count; i++) {
        int one = gm_remote_reload(&stores->remotes[i], &changed, rc == 0 ? err : &other);

        rc = rc == 0 ? one : rc;
    }
    return gm_err_wrap(err, rc, "storage: ");
}

int gm_remote_find(const struct gm_stores *stores, const char *bucket, struct gm_remote **out,
                   struct gm_err *err)
{
    for (size_t i = 0; stores != NULL && i < stores->count; i++) {
        struct gm_remote *r = &stores->remotes[i];

        if (strcmp(r->bucket, "*") == 0 || strcmp(r->bucket, bucket) == 0) {
            *out = r;
            return 0;
        }
    }
    return gm_err_set(err, GM_E_CONFIG, 0,
                      "no line of `storage` in the scheduler's configuration fits s3://%s", bucket);
}

bool gm_stores_has(const struct gm_stores *stores, const char *bucket)
{
    struct gm_remote *remote;
    struct gm_err err;

    return gm_remote_find(stores, bucket, &remote, &err) == 0;
}

int gm_stores_check(const struct gm_stores *stores, const char *url, struct gm_err *err)
{
    struct gm_s3_location location;
    struct gm_remote *remote;
    int rc = gm_s3_location_read(url, &location, err);

    return rc < 0 ? rc : gm_remote_find(stores, location.bucket, &remote, err);
}

int gm_stores_open(struct gm_stores *stores, const char *url, bool create, struct gm_store **out,
                   struct gm_err *err)
{
    return gm_s3_is_url(url) ? gm_s3_store_open(stores, url, out, err)
                             : gm_store_open(url, create, out, err);
}

int gm_stores_open_marked(struct gm_stores *stores, const char *url, const char *mark,
                          struct gm_store **out, struct gm_err *err)
{
    return gm_s3_is_url(url) ? gm_s3_store_open(stores, url, out, err)
                             : gm_store_open_marked(url, mark, out, err);
}

int gm_stores_stat(struct gm_stores *stores, const char *url, struct gm_remote_stat *out,
                   struct gm_err *err)
{
    struct gm_s3_location location;
    struct gm_remote *remote = NULL;
    struct gm_ask ask = {.call = {.method = "HEAD"}};
    int rc = gm_s3_location_read(url, &location, err);

    if (rc == 0) {
        rc = gm_remote_find(stores, location.bucket, &remote, err);
    }
    if (rc == 0 && location.key[0] == '\0') {
        rc = gm_err_set(err, GM_E_INVAL, 0, "%.120s names a bucket, and no object in it", url);
    }
    if (rc < 0) {
        return rc;
    }
    ask.call.bucket = location.bucket;
    ask.call.key = location.key;
    rc = gm_remote_ask(remote, &ask, err);
    if (rc == -GM_E_NOTFOUND) { /* a HEAD does not say what is missing */
        struct gm_ask bucket = {.call = {.method = "HEAD", .bucket = location.bucket}};
        struct gm_err why = {0};
        int found = gm_remote_ask(remote, &bucket, &why);

        if (found == -GM_E_NOTFOUND) {
            rc = gm_err_set(err, GM_E_STORE, why.native, "there is no bucket %s at %.120s",
                            location.bucket, remote->endpoint.host);
        }
    }
    if (rc == 0) {
        out->size = ask.result.size;
        memcpy(out->etag, ask.result.etag, sizeof(out->etag));
    }
    return rc;
}
