#include "scheduler/uploads_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"

#define LOOKS 64

int gm_uploads_look(const struct gm_uploads_place *place, struct gm_upload_seen *seen, size_t count,
                    struct gm_err *err)
{
    struct gm_store *store = NULL;
    struct gm_store_look looks[LOOKS] = {{.key = NULL}};
    size_t which[LOOKS], asked = 0;
    GM_ASSERT(count <= LOOKS);
    for (size_t i = 0; i < count; i++) {
        if (!seen[i].there) {
            which[asked] = i;
            looks[asked++].key = seen[i].key;
        }
    }
    int rc = gm_stores_open(place->stores, place->url, false, &store, err);
    if (rc == 0) {
        rc = gm_stores_look(store, looks, asked, err);
    }
    for (size_t i = 0; rc == 0 && i < asked; i++) {
        struct gm_upload_seen *s = &seen[which[i]];
        s->exists = looks[i].there;
        s->there = looks[i].there && looks[i].stat.size == s->size;
        (void)snprintf(s->etag, sizeof s->etag, "%s", looks[i].stat.etag);
    }
    gm_store_close(&store);
    return gm_err_wrap(err, rc, "uploads: ");
}

int gm_uploads_put(const struct gm_uploads_place *place, const char *key, const char *text,
                   struct gm_err *err)
{
    struct gm_store *store = NULL;
    int rc = gm_stores_open(place->stores, place->url, false, &store, err);
    if (rc == 0) {
        rc = gm_store_put_bytes(store, key, text, strlen(text), err);
    }
    gm_store_close(&store);
    return gm_err_wrap(err, rc, "uploads: ");
}

struct removal {
    char **keys; /* owned, and so are they */
    size_t count, cap;
    struct gm_err *err;
};

static int on_removed(const char *key, uint64_t size, void *arg)
{
    struct removal *r = arg;
    struct gm_upload_key read;
    (void)size;
    if (gm_upload_key_read(key, &read) == GM_UPLOAD_OTHER) {
        return 0;
    }
    int rc = gm_array_reserve(&r->keys, r->count, 1, &r->cap, sizeof *r->keys, r->err);
    if (rc == 0 && (r->keys[r->count] = strdup(key)) == NULL) {
        rc = gm_err_nomem(r->err);
    }
    r->count += rc == 0;
    return rc;
}

int gm_uploads_remove(const struct gm_uploads_place *place, const char *id, struct gm_err *err)
{
    struct gm_store *store = NULL;
    struct removal r = {.err = err};
    char prefix[GM_ID_SIZE + 1];
    size_t done = 0;
    (void)snprintf(prefix, sizeof prefix, "%s/", id);
    int rc = gm_stores_open(place->stores, place->url, false, &store, err);
    if (rc == 0) {
        rc = gm_store_list(store, prefix, on_removed, &r, err);
    }
    if (rc == 0 && r.count > 0) { /* "upload.json" is the last, or among the last */
        rc = gm_store_delete_many(store, (const char *const *)r.keys, r.count, &done, err);
    }
    for (size_t i = 0; i < r.count; i++) {
        free(r.keys[i]);
    }
    free(r.keys);
    gm_store_close(&store);
    return gm_err_wrap(err, rc, "uploads: ");
}
