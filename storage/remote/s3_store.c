/* A bucket, or what lies below a prefix of it, as a gm_store. */
#include <stdlib.h>
#include <string.h>

#include "storage/remote/remote.h"

static const struct gm_store_ops OPS;

struct gm_s3_store *gm_s3_store_of(struct gm_store *store)
{
    return store->ops == &OPS ? (struct gm_s3_store *)store : NULL;
}

static struct gm_s3_store *self(struct gm_store *store)
{
    return (struct gm_s3_store *)store;
}

static void s3_close(struct gm_store *store)
{
    free(self(store)->url);
    free(store);
}

static int s3_settle(struct gm_store *store, struct gm_err *err)
{
    (void)store;
    (void)err;
    return 0;
}

int gm_s3_store_key(const struct gm_s3_store *store, const char *key, char out[GM_S3_KEY_MAX + 1],
                    struct gm_err *err)
{
    size_t prefix = strlen(store->prefix);
    size_t size = strlen(key);

    if (prefix + size > GM_S3_KEY_MAX) {
        return gm_err_set(err, GM_E_INVAL, 0, "the key %.60s... is longer than %d bytes", key,
                          GM_S3_KEY_MAX);
    }
    memcpy(out, store->prefix, prefix);
    memcpy(out + prefix, key, size + 1);
    return 0;
}

static int no_bucket(const struct gm_s3_store *store, struct gm_err *err)
{
    return gm_err_set(err, GM_E_STORE, err->native, "there is no bucket %s at %.120s",
                      store->bucket, store->remote->endpoint.host);
}

/* A HEAD that finds nothing does not say whether it is the bucket that is missing, which is a store
 * that is away. */
int gm_s3_store_check_bucket(struct gm_s3_store *store, struct gm_err *err)
{
    struct gm_ask ask = {.call = {.method = "HEAD", .bucket = store->bucket}};
    int rc = gm_remote_ask(store->remote, &ask, err);

    return rc == -GM_E_NOTFOUND ? no_bucket(store, err) : rc;
}

static int s3_head(struct gm_store *store, const char *key, struct gm_store_stat *out,
                   struct gm_err *err)
{
    struct gm_s3_store *s = self(store);
    char full[GM_S3_KEY_MAX + 1];
    struct gm_ask ask = {.call = {.method = "HEAD", .bucket = s->bucket, .key = full}};
    struct gm_err missing = {0};
    int rc = gm_s3_store_key(s, key, full, err);

    if (rc == 0) {
        rc = gm_remote_ask(s->remote, &ask, err);
    }
    if (rc == -GM_E_NOTFOUND && gm_s3_store_check_bucket(s, &missing) < 0) {
        *err = missing;
        rc = -(int)missing.code;
    }
    if (rc == 0) {
        out->size = ask.result.size;
    }
    return rc;
}

struct body { /* first of struct gm_ask's arg: what on_body has */
    char *out;
    size_t size;
    size_t length;
};

static int on_body(const void *data, size_t size, void *arg, struct gm_err *err)
{
    struct gm_ask *ask = arg;
    struct body *body = ask->arg;

    if (size > body->length - body->size) {
        return gm_err_set(err, GM_E_STORE, 0, "the store sent more than was asked for");
    }
    memcpy(body->out + body->size, data, size);
    body->size += size;
    return 0;
}

static int s3_get(struct gm_store *store, const char *key, uint64_t offset, void *out,
                  size_t length, size_t *out_read, struct gm_err *err)
{
    struct gm_s3_store *s = self(store);
    struct gm_store_stat stat = {0};
    char full[GM_S3_KEY_MAX + 1];
    struct body body = {.out = out, .length = length};
    struct gm_ask ask = {.call = {.method = "GET",
                                  .bucket = s->bucket,
                                  .key = full,
                                  .wants = GM_S3_WANTS_BODY,
                                  .on_body = on_body,
                                  .range_from = offset},
                         .arg = &body};
    int rc = s3_head(store, key, &stat, err); /* a range beyond the end is an error of S3's */

    if (rc == 0 && (offset >= stat.size || length == 0)) {
        *out_read = 0;
        return 0;
    }
    if (rc == 0) {
        rc = gm_s3_store_key(s, key, full, err);
    }
    if (rc < 0) {
        return rc;
    }
    ask.call.range_size = length < stat.size - offset ? length : stat.size - offset;
    rc = gm_remote_ask(s->remote, &ask, err);
    if (rc == 0) {
        *out_read = body.size;
    }
    return rc;
}

struct listing {
    const char *own;   /* prefix of the store, which is in no key that fn is told */
    const char *asked; /* begins with it; a server that does not know prefixes lists others, too */
    int (*fn)(const char *key, uint64_t size, void *arg);
    void *arg;
    char *next;  /* owned; NULL: it ends */
    int stopped; /* what fn said */
};

static int take_page(struct gm_ask *ask, const struct gm_s3_answer *answer)
{
    struct listing *l = ask->arg;

    free(l->next);
    l->next = NULL;
    for (size_t i = 0; l->stopped == 0 && i < answer->object_count; i++) {
        const char *key = answer->objects[i].key;
        size_t own = strlen(l->own);

        if (strncmp(key, l->asked, strlen(l->asked)) == 0 && gm_store_is_key(key + own)) {
            l->stopped = l->fn(key + own, answer->objects[i].size, l->arg);
        }
    }
    if (l->stopped == 0 && answer->next != NULL) {
        l->next = strdup(answer->next);
        return l->next != NULL ? 0 : gm_err_nomem(&ask->result.err);
    }
    return 0;
}

static int s3_list(struct gm_store *store, const char *prefix,
                   int (*fn)(const char *key, uint64_t size, void *arg), void *arg,
                   struct gm_err *err)
{
    struct gm_s3_store *s = self(store);
    char full[GM_S3_KEY_MAX + 1];
    struct listing l = {.own = s->prefix, .asked = full, .fn = fn, .arg = arg};
    int rc = gm_s3_store_key(s, prefix, full, err);

    do {
        const struct gm_s3_field query[] = {{"list-type", "2"},
                                            {"encoding-type", "url"},
                                            {"prefix", full},
                                            {"continuation-token", l.next != NULL ? l.next : ""}};
        struct gm_ask ask = {.call = {.method = "GET",
                                      .bucket = s->bucket,
                                      .query = query,
                                      .query_count = l.next != NULL ? 4 : 3,
                                      .wants = GM_S3_WANTS_XML,
                                      .kind = GM_S3_LIST},
                             .take = take_page,
                             .arg = &l};

        rc = rc < 0 ? rc : gm_remote_ask(s->remote, &ask, err);
    } while (rc == 0 && l.stopped == 0 && l.next != NULL);
    free(l.next);
    rc = rc == -GM_E_NOTFOUND ? no_bucket(s, err) : rc; /* a list is of no object */
    return rc < 0 ? rc : l.stopped;
}

/* One request each: what deletes many at once is not the same on all servers. */
static int s3_delete(struct gm_store *store, const char *const *keys, size_t count,
                     size_t *out_done, struct gm_err *err)
{
    enum { BATCH = 16 }; /* what is asked at once: the first that fails ends it */
    struct gm_s3_store *s = self(store);
    struct gm_ask *asks = calloc(BATCH, sizeof(*asks));
    char(*full)[GM_S3_KEY_MAX + 1] = calloc(BATCH, sizeof(*full));
    int rc = asks == NULL || full == NULL ? gm_err_nomem(err) : 0;

    *out_done = 0;
    while (rc == 0 && *out_done < count) {
        size_t n = count - *out_done < BATCH ? count - *out_done : BATCH;

        for (size_t i = 0; rc == 0 && i < n; i++) {
            rc = gm_s3_store_key(s, keys[*out_done + i], full[i], err);
            asks[i] =
                (struct gm_ask){.call = {.method = "DELETE", .bucket = s->bucket, .key = full[i]}};
        }
        if (rc == 0) {
            rc = gm_remote_ask_all(s->remote, asks, n, err);
        }
        for (size_t i = 0; rc == 0 && i < n; i++) {
            if (asks[i].rc < 0 && asks[i].rc != -GM_E_NOTFOUND) {
                *err = asks[i].result.err;
                rc = asks[i].rc;
            } else {
                ++*out_done;
            }
        }
    }
    free(asks);
    free(full);
    return rc;
}

static const struct gm_store_ops OPS = {.close = s3_close,
                                        .settle = s3_settle,
                                        .put = gm_s3_store_put,
                                        .get = s3_get,
                                        .head = s3_head,
                                        .list = s3_list,
                                        .delete = s3_delete};

int gm_s3_store_open(struct gm_stores *stores, const char *url, struct gm_store **out,
                     struct gm_err *err)
{
    struct gm_s3_location location;
    struct gm_remote *remote = NULL;
    struct gm_s3_store *s;
    size_t size;
    int rc = gm_s3_location_read(url, &location, err);

    if (rc == 0) {
        rc = gm_remote_find(stores, location.bucket, &remote, err);
    }
    if (rc < 0) {
        return rc;
    }
    s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->base.ops = &OPS;
    s->remote = remote;
    memcpy(s->bucket, location.bucket, sizeof(s->bucket));
    size = strlen(location.key);
    while (size > 0 && location.key[size - 1] == '/') {
        size--;
    }
    memcpy(s->prefix, location.key, size);
    if (size > 0 && !gm_store_is_key(s->prefix)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "`%.120s` is no prefix that a store may have",
                        location.key);
    } else if (size >= GM_S3_KEY_MAX) {
        rc =
            gm_err_set(err, GM_E_INVAL, 0, "the prefix is longer than %d bytes", GM_S3_KEY_MAX - 1);
    } else if (size > 0) {
        s->prefix[size] = '/';
    }
    if (rc == 0) {
        s->url = strdup(url);
        rc = s->url == NULL ? gm_err_nomem(err) : 0;
    }
    if (rc < 0) {
        s3_close(&s->base);
        return rc;
    }
    *out = &s->base;
    return 0;
}
