/* Many objects of a store at once: looked at, and read. Of a folder one after the other. */
#include <stdlib.h>
#include <string.h>

#include "storage/remote/remote.h"

#define BATCH 16 /* what is asked at once */

typedef char full_key[GM_S3_KEY_MAX + 1];

struct batch {
    struct gm_ask asks[BATCH];
    full_key keys[BATCH];
};

/* Keys of a session that is over are read again by who asks for one alone. */
static int ask_batch(struct gm_s3_store *store, struct batch *b, size_t count, struct gm_err *err)
{
    int rc = gm_remote_ask_all(store->remote, b->asks, count, err);

    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct gm_err why = {0};

        if (b->asks[i].rc < 0 && b->asks[i].result.renew &&
            gm_remote_ask(store->remote, &b->asks[i], &why) < 0) {
            b->asks[i].result.err = why;
            b->asks[i].rc = -(int)why.code;
        }
    }
    return rc;
}

/* ---- looked at */

static int look_one(struct gm_store *store, struct gm_store_look *look, struct gm_err *err)
{
    struct gm_store_stat stat = {0};
    int rc = gm_store_head(store, look->key, &stat, err);

    look->there = rc == 0;
    look->stat = (struct gm_remote_stat){.size = stat.size};
    return rc == -GM_E_NOTFOUND ? 0 : rc;
}

static int look_batch(struct gm_s3_store *store, struct batch *b, struct gm_store_look *looks,
                      size_t count, struct gm_err *err)
{
    bool missing = false;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = gm_s3_store_key(store, looks[i].key, b->keys[i], err);
        b->asks[i] =
            (struct gm_ask){.call = {.method = "HEAD", .bucket = store->bucket, .key = b->keys[i]}};
    }
    if (rc == 0) {
        rc = ask_batch(store, b, count, err);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct gm_ask *ask = &b->asks[i];

        looks[i].there = ask->rc == 0;
        looks[i].stat = (struct gm_remote_stat){.size = ask->rc == 0 ? ask->result.size : 0};
        if (ask->rc == 0) {
            memcpy(looks[i].stat.etag, ask->result.etag, sizeof looks[i].stat.etag);
        } else if (ask->rc == -GM_E_NOTFOUND) {
            missing = true;
        } else {
            *err = ask->result.err;
            rc = ask->rc;
        }
    }
    return rc == 0 && missing ? gm_s3_store_check_bucket(store, err) : rc;
}

int gm_stores_look(struct gm_store *store, struct gm_store_look *looks, size_t count,
                   struct gm_err *err)
{
    struct gm_s3_store *s3 = gm_s3_store_of(store);
    struct batch *b = s3 != NULL ? calloc(1, sizeof(*b)) : NULL;
    int rc = s3 != NULL && b == NULL ? gm_err_nomem(err) : 0;

    for (size_t i = 0; rc == 0 && s3 == NULL && i < count; i++) {
        rc = look_one(store, &looks[i], err);
    }
    for (size_t i = 0; rc == 0 && s3 != NULL && i < count; i += BATCH) {
        rc = look_batch(s3, b, &looks[i], count - i < BATCH ? count - i : BATCH, err);
    }
    free(b);
    return rc;
}

/* ---- read */

static int on_body(const void *data, size_t size, void *arg, struct gm_err *err)
{
    const struct gm_ask *ask = arg;
    struct gm_store_read *read = ask->arg;

    if (size > read->max - read->body.size) {
        return gm_err_set(err, GM_E_LIMIT, 0, "the object %.80s is larger than %zu bytes",
                          read->key, read->max);
    }
    gm_buf_add(&read->body, data, size);
    return gm_buf_check(&read->body, err);
}

static void read_one(struct gm_store *store, struct gm_store_read *read)
{
    struct gm_store_stat stat = {0};

    read->rc = gm_store_head(store, read->key, &stat, &read->err);
    if (read->rc == 0 && stat.size > read->max) {
        read->rc = gm_err_set(&read->err, GM_E_LIMIT, 0,
                              "the object %.80s is larger than %zu bytes", read->key, read->max);
    }
    char *data = read->rc == 0 ? malloc(stat.size + 1) : NULL;
    if (read->rc == 0) {
        size_t size = 0;
        read->rc = data == NULL
                       ? gm_err_nomem(&read->err)
                       : gm_store_get(store, read->key, 0, data, stat.size, &size, &read->err);
        gm_buf_add(&read->body, data, read->rc == 0 ? size : 0);
    }
    free(data);
}

static int read_batch(struct gm_s3_store *store, struct batch *b, struct gm_store_read *reads,
                      size_t count, struct gm_err *err)
{
    bool missing = false;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = gm_s3_store_key(store, reads[i].key, b->keys[i], err);
        b->asks[i] = (struct gm_ask){.call = {.method = "GET",
                                              .bucket = store->bucket,
                                              .key = b->keys[i],
                                              .wants = GM_S3_WANTS_BODY,
                                              .on_body = on_body},
                                     .arg = &reads[i]};
    }
    if (rc == 0) {
        rc = ask_batch(store, b, count, err);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        reads[i].rc = b->asks[i].rc;
        reads[i].err = b->asks[i].result.err;
        missing = missing || reads[i].rc == -GM_E_NOTFOUND;
    }
    return rc == 0 && missing ? gm_s3_store_check_bucket(store, err) : rc;
}

int gm_stores_read(struct gm_store *store, struct gm_store_read *reads, size_t count,
                   struct gm_err *err)
{
    struct gm_s3_store *s3 = gm_s3_store_of(store);
    struct batch *b = s3 != NULL ? calloc(1, sizeof(*b)) : NULL;
    int rc = s3 != NULL && b == NULL ? gm_err_nomem(err) : 0;

    for (size_t i = 0; rc == 0 && s3 == NULL && i < count; i++) {
        read_one(store, &reads[i]);
    }
    for (size_t i = 0; rc == 0 && s3 != NULL && i < count; i += BATCH) {
        rc = read_batch(s3, b, &reads[i], count - i < BATCH ? count - i : BATCH, err);
    }
    free(b);
    return rc;
}

void gm_stores_read_fini(struct gm_store_read *reads, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        gm_buf_fini(&reads[i].body);
    }
}
