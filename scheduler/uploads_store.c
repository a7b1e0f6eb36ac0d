#include "scheduler/uploads_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/log.h"
#include "scheduler/uploads_doc.h"

#define TEXT_MAX ((size_t)8 << 20) /* of upload.json and manifest.json: 10,000 parts, thrice */

struct entry {
    enum gm_upload_kind kind;
    struct gm_upload_key key;
    uint64_t size;
};
struct listing {
    struct entry *list; /* owned; in the order of keys: an upload's follow each other */
    size_t count, cap;
    struct gm_err *err;
};

static int on_key(const char *key, uint64_t size, void *arg)
{
    struct listing *l = arg;
    struct entry e = {.size = size};
    e.kind = gm_upload_key_read(key, &e.key);
    if (e.kind == GM_UPLOAD_OTHER) {
        return 0;
    }
    int rc = gm_array_reserve(&l->list, l->count, 1, &l->cap, sizeof *l->list, l->err);
    if (rc == 0) {
        l->list[l->count++] = e;
    }
    return rc;
}

/* A small object as text. */
static int read_text(struct gm_store *store, const char *key, char **out, size_t *out_size,
                     struct gm_err *err)
{
    char *text = malloc(TEXT_MAX);
    int rc = text == NULL ? gm_err_nomem(err)
                          : gm_store_get(store, key, 0, text, TEXT_MAX, out_size, err);
    if (rc < 0) {
        free(text);
        return rc;
    }
    *out = text;
    return 0;
}

static int read_info(struct gm_store *store, const char *id, struct gm_upload **out,
                     struct gm_err *err)
{
    char key[GM_UPLOAD_KEY_SIZE], *text = NULL;
    size_t size = 0;
    gm_upload_info_key(id, key);
    int rc = read_text(store, key, &text, &size, err);
    if (rc == 0) {
        rc = gm_upload_info_read(text, size, id, out, err);
    }
    free(text);
    return rc;
}

static int read_manifest(struct gm_store *store, struct gm_upload *u, struct gm_err *err)
{
    char key[GM_UPLOAD_KEY_SIZE], *text = NULL;
    size_t size = 0;
    gm_upload_manifest_key(u->id, key);
    int rc = read_text(store, key, &text, &size, err);
    if (rc == 0) {
        int64_t at = gm_upload_manifest_time(text, size);
        u->complete = at > 0 && u->there == u->count;
        u->changed_unix_ms = u->complete ? at : u->changed_unix_ms;
    }
    free(text);
    return rc;
}

/* One upload: entries first to end. What can't be read is left alone. */
static int take(struct gm_store *store, const struct entry *list, size_t count, int64_t now_unix_ms,
                struct gm_uploads *out, struct gm_err *err)
{
    struct gm_upload *u = NULL;
    bool ended = false;
    int rc = read_info(store, list[0].key.id, &u, err);
    if (rc == -GM_E_PROTO || rc == -GM_E_NOTFOUND) { /* or it was deleted meanwhile */
        gm_log_err(GM_LOG_WARN, "upload_not_read", err, "upload=%s", list[0].key.id);
        return 0;
    }
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        const struct entry *e = &list[i];
        ended = ended || e->kind == GM_UPLOAD_MANIFEST;
        if (e->kind == GM_UPLOAD_PART || e->kind == GM_UPLOAD_WHOLE) {
            (void)gm_upload_note(u, e->key.index, e->kind == GM_UPLOAD_PART ? e->key.sha256 : NULL,
                                 e->size, now_unix_ms);
        }
    }
    rc = ended ? read_manifest(store, u, err) : 0;
    if (rc == -GM_E_NOTFOUND) {
        rc = 0;
    }
    if (rc < 0) {
        gm_upload_destroy(&u);
        return rc;
    }
    gm_uploads_add(out, u);
    return 0;
}

static int add_id(struct gm_upload_ids *ids, const char *id, struct gm_err *err)
{
    int rc = ids == NULL
                 ? 0
                 : gm_array_reserve(&ids->list, ids->count, 1, &ids->cap, sizeof *ids->list, err);
    if (rc == 0 && ids != NULL) {
        memcpy(ids->list[ids->count++], id, GM_ID_SIZE);
    }
    return rc;
}

static int list_all(struct gm_store *store, const char *id, struct listing *l, struct gm_err *err)
{
    char prefix[GM_ID_SIZE + 1] = "";
    l->err = err;
    if (id != NULL) {
        (void)snprintf(prefix, sizeof prefix, "%s/", id);
    }
    return gm_store_list(store, prefix, on_key, l, err);
}

int gm_uploads_scan(const struct gm_uploads_place *place, const char *id, int64_t now_unix_ms,
                    struct gm_uploads *out, struct gm_upload_ids *remains, struct gm_err *err)
{
    struct gm_store *store = NULL;
    struct listing l = {0};
    int rc = gm_stores_open(place->stores, place->url, false, &store, err);
    if (rc == 0) {
        rc = list_all(store, id, &l, err);
    }
    for (size_t i = 0, end; rc == 0 && i < l.count; i = end) {
        bool known = false;
        for (end = i; end < l.count && strcmp(l.list[end].key.id, l.list[i].key.id) == 0; end++) {
            known = known || l.list[end].kind == GM_UPLOAD_INFO;
        }
        rc = known ? take(store, &l.list[i], end - i, now_unix_ms, out, err)
                   : add_id(remains, l.list[i].key.id, err);
    }
    free(l.list);
    gm_store_close(&store);
    if (rc < 0) {
        gm_uploads_fini(out);
    }
    return gm_err_wrap(err, rc, "uploads: ");
}

int gm_uploads_look(const struct gm_uploads_place *place, struct gm_upload_seen *seen, size_t count,
                    struct gm_err *err)
{
    struct gm_store *store = NULL;
    int rc = gm_stores_open(place->stores, place->url, false, &store, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct gm_store_stat stat = {0};
        if (seen[i].there) {
            continue;
        }
        rc = gm_store_head(store, seen[i].key, &stat, err);
        seen[i].exists = rc == 0;
        seen[i].there = rc == 0 && stat.size == seen[i].size;
        rc = rc == -GM_E_NOTFOUND ? 0 : rc;
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
