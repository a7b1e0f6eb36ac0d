/* What lies in the bucket of uploads: listed, and read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/log.h"
#include "scheduler/uploads_doc.h"
#include "scheduler/uploads_store.h"

#define TEXT_MAX ((size_t)8 << 20) /* of upload.json and manifest.json: 10,000 parts, thrice */
#define BATCH 16

/* ---- ids */

int gm_upload_ids_add(struct gm_upload_ids *ids, const char *id, struct gm_err *err)
{
    int rc = gm_array_reserve(&ids->list, ids->count, 1, &ids->cap, sizeof *ids->list, err);
    if (rc == 0) {
        memcpy(ids->list[ids->count++], id, GM_ID_SIZE);
    }
    return rc;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

void gm_upload_ids_sort(struct gm_upload_ids *ids)
{
    if (ids->count > 0) {
        qsort(ids->list, ids->count, sizeof *ids->list, compare_ids);
    }
}

bool gm_upload_ids_has(const struct gm_upload_ids *ids, const char *id)
{
    return ids->count > 0 &&
           bsearch(id, ids->list, ids->count, sizeof *ids->list, compare_ids) != NULL;
}

/* ---- the list */

struct lister {
    struct gm_upload_listing *out;
    struct gm_err *err;
};

static int on_key(const char *key, uint64_t size, void *arg)
{
    const struct lister *l = arg;
    struct gm_upload_listing *out = l->out;
    struct gm_upload_entry e = {.size = size};
    e.kind = gm_upload_key_read(key, &e.key);
    if (e.kind == GM_UPLOAD_OTHER) {
        return 0;
    }
    int rc = gm_array_reserve(&out->list, out->count, 1, &out->cap, sizeof *out->list, l->err);
    if (rc == 0) {
        out->list[out->count++] = e;
    }
    return rc;
}

int gm_uploads_list(const struct gm_uploads_place *place, const char *id,
                    struct gm_upload_listing *out, struct gm_err *err)
{
    struct gm_store *store = NULL;
    struct lister l = {out, err};
    char prefix[GM_ID_SIZE + 1] = "";
    if (id != NULL) {
        (void)snprintf(prefix, sizeof prefix, "%s/", id);
    }
    int rc = gm_stores_open(place->stores, place->url, false, &store, err);
    if (rc == 0) {
        rc = gm_store_list(store, prefix, on_key, &l, err);
    }
    gm_store_close(&store);
    return gm_err_wrap(err, rc, "uploads: ");
}

/* ---- what was listed is read */

/* An upload of the list. */
struct group {
    char id[GM_ID_SIZE];
    const struct gm_upload_entry *list; /* borrowed */
    size_t count;
    bool known, ended, whole; /* upload.json, manifest.json and part-00000 were listed */
    char info_key[GM_UPLOAD_KEY_SIZE], manifest_key[GM_UPLOAD_KEY_SIZE];
    char whole_key[GM_UPLOAD_KEY_SIZE];
    const struct gm_store_read *info, *manifest; /* manifest NULL: none was listed */
    const struct gm_store_look *object;          /* of a whole one; NULL: not looked at */
};

struct scan {
    struct gm_store *store; /* owned */
    int64_t unix_ms;
    struct gm_uploads *out; /* borrowed */
    struct group groups[BATCH];
    size_t count;
    struct gm_store_read reads[2 * BATCH];
    size_t read_count;
    struct gm_store_look looks[BATCH];
    size_t look_count;
};

static struct group group_of(const struct gm_upload_entry *list, size_t count, const char *id)
{
    struct group g = {.list = list, .count = count};
    memcpy(g.id, id, sizeof g.id);
    for (size_t i = 0; i < count; i++) {
        g.known = g.known || list[i].kind == GM_UPLOAD_INFO;
        g.ended = g.ended || list[i].kind == GM_UPLOAD_MANIFEST;
        g.whole = g.whole || list[i].kind == GM_UPLOAD_WHOLE;
    }
    gm_upload_info_key(id, g.info_key);
    gm_upload_manifest_key(id, g.manifest_key);
    return g;
}

static void scan_add(struct scan *s, const struct group *group)
{
    struct group *g = &s->groups[s->count++];
    *g = *group;
    s->reads[s->read_count] = (struct gm_store_read){.key = g->info_key, .max = TEXT_MAX};
    g->info = &s->reads[s->read_count++];
    if (g->ended) {
        s->reads[s->read_count] = (struct gm_store_read){.key = g->manifest_key, .max = TEXT_MAX};
        g->manifest = &s->reads[s->read_count++];
    } else if (g->whole) {
        gm_upload_whole_key(g->id, g->whole_key);
        s->looks[s->look_count] = (struct gm_store_look){.key = g->whole_key};
        g->object = &s->looks[s->look_count++];
    }
}

/* Whether what was read is there. Below 0: the store can't be asked, or refuses: keys may be new to
 * one of its servers, and jobs that read an upload fail for good where it is not known. */
static int judge(const struct gm_store_read *read, const char *id, struct gm_err *err)
{
    if (read->rc == 0) {
        return 1;
    }
    *err = read->err;
    if (read->rc == -GM_E_NOTFOUND || read->rc == -GM_E_LIMIT) {
        gm_log_err(GM_LOG_WARN, "upload_not_read", err, "upload=%s", id);
        return 0;
    }
    return read->rc;
}

static void note_all(struct gm_upload *u, const struct group *g, int64_t now_unix_ms)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct gm_upload_entry *e = &g->list[i];
        if (e->kind == GM_UPLOAD_PART || e->kind == GM_UPLOAD_WHOLE) {
            (void)gm_upload_note(u, e->key.index, e->kind == GM_UPLOAD_PART ? e->key.sha256 : NULL,
                                 e->size, now_unix_ms);
        }
    }
    if (g->object != NULL && g->object->there && u->whole) {
        (void)snprintf(u->etag, sizeof u->etag, "%s", g->object->stat.etag);
    }
}

static int take(const struct group *g, int64_t now_unix_ms, struct gm_uploads *out,
                struct gm_err *err)
{
    struct gm_upload *u = NULL;
    int64_t completed = 0;
    int rc = judge(g->info, g->id, err);
    if (rc > 0 && g->manifest != NULL && g->manifest->rc != -GM_E_NOTFOUND) {
        rc = judge(g->manifest, g->id, err);
    }
    if (rc <= 0) {
        return rc;
    }
    rc = gm_upload_info_read((const char *)g->info->body.data, g->info->body.size, g->id, &u, err);
    if (rc == -GM_E_PROTO) {
        gm_log_err(GM_LOG_WARN, "upload_not_read", err, "upload=%s", g->id);
        return 0;
    }
    if (rc < 0) {
        return rc;
    }
    if (g->manifest != NULL && g->manifest->rc == 0) {
        completed = gm_upload_manifest_read(u, (const char *)g->manifest->body.data,
                                            g->manifest->body.size);
    }
    note_all(u, g, now_unix_ms);
    if (completed > 0 && u->there == u->count) {
        u->complete = true;
        u->changed_unix_ms = completed;
    }
    gm_uploads_add(out, u);
    return 0;
}

static int read_batch(struct scan *s, struct gm_err *err)
{
    int rc = gm_stores_read(s->store, s->reads, s->read_count, err);
    if (rc == 0) {
        rc = gm_stores_look(s->store, s->looks, s->look_count, err);
    }
    for (size_t i = 0; rc == 0 && i < s->count; i++) {
        rc = take(&s->groups[i], s->unix_ms, s->out, err);
    }
    gm_stores_read_fini(s->reads, s->read_count);
    s->count = s->read_count = s->look_count = 0;
    return rc;
}

static int scan_create(const struct gm_uploads_place *place, int64_t unix_ms,
                       struct gm_uploads *out, struct scan **out_scan, struct gm_err *err)
{
    struct scan *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_stores_open(place->stores, place->url, false, &s->store, err);
    if (rc < 0) {
        free(s);
        return rc;
    }
    s->unix_ms = unix_ms;
    s->out = out;
    *out_scan = s;
    return 0;
}

/* What is left of the last batch is read. rc: how it went so far. */
static int scan_end(struct scan *s, int rc, struct gm_err *err)
{
    if (rc == 0 && s->count > 0) {
        rc = read_batch(s, err);
    }
    gm_store_close(&s->store);
    if (rc < 0) {
        gm_uploads_fini(s->out);
    }
    free(s);
    return gm_err_wrap(err, rc, "uploads: ");
}

static size_t end_of_group(const struct gm_upload_listing *l, size_t at)
{
    size_t end = at;
    while (end < l->count && strcmp(l->list[end].key.id, l->list[at].key.id) == 0) {
        end++;
    }
    return end;
}

int gm_uploads_read(const struct gm_uploads_place *place, const struct gm_upload_listing *listing,
                    const struct gm_upload_ids *but, int64_t now_unix_ms, struct gm_uploads *out,
                    struct gm_upload_ids *remains, struct gm_err *err)
{
    struct scan *s = NULL;
    int rc = scan_create(place, now_unix_ms, out, &s, err);
    if (rc < 0) {
        return gm_err_wrap(err, rc, "uploads: ");
    }
    for (size_t i = 0, end; rc == 0 && i < listing->count; i = end) {
        end = end_of_group(listing, i);
        struct group g = group_of(&listing->list[i], end - i, listing->list[i].key.id);
        if (!g.known) {
            rc = remains != NULL ? gm_upload_ids_add(remains, g.id, err) : 0;
        } else if (but == NULL || !gm_upload_ids_has(but, g.id)) {
            scan_add(s, &g);
        }
        if (rc == 0 && s->count == BATCH) {
            rc = read_batch(s, err);
        }
    }
    return scan_end(s, rc, err);
}

int gm_uploads_read_one(const struct gm_uploads_place *place, const char *id, int64_t now_unix_ms,
                        struct gm_uploads *out, struct gm_err *err)
{
    struct gm_upload_listing listing = {.list = NULL};
    struct scan *s = NULL;
    int rc = gm_uploads_list(place, id, &listing, err);
    if (rc == 0) {
        rc = scan_create(place, now_unix_ms, out, &s, err);
    }
    if (rc == 0) {
        const struct group g = group_of(listing.list, listing.count, id);
        scan_add(s, &g);
        rc = scan_end(s, 0, err);
    }
    free(listing.list);
    return rc;
}
