/* The list of the bucket at the start, and the sweeps: what was put and not told is noted, what is
 * old goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "scheduler/uploads_desk_parts.h"

#define HOUR_MS ((int64_t)3600 * 1000)

struct sweep {
    struct gm_upload_desk *desk; /* borrowed */
    struct gm_uploads_place place;
    bool first; /* what is there becomes the table */
    struct gm_upload_listing listing;
    struct gm_uploads table;      /* what was read of it */
    struct gm_upload_ids known;   /* of the table when it began; sorted */
    struct gm_upload_ids unread;  /* of those the list alone is looked at; sorted */
    struct gm_upload_ids remains; /* of deleted ones */
    struct gm_upload_ids old;     /* leaving */
    size_t gone;                  /* of those, the first ones */
    int64_t unix_ms;
    int rc;
    struct gm_err err;
};

static void sweep_destroy(struct sweep *s)
{
    gm_uploads_fini(&s->table);
    free(s->listing.list);
    free(s->known.list);
    free(s->unread.list);
    free(s->remains.list);
    free(s->old.list);
    free(s);
}

/* ---- on the pool */

/* A scheduler that hung may go on while another one leads. */
static int delete_one(const struct sweep *s, const char *id, struct gm_err *err)
{
    int rc = gm_upload_desk_leads(s->desk, err);
    return rc < 0 ? rc : gm_uploads_remove(&s->place, id, err);
}

/* It may just have been begun by another, whom this one does not know. */
static bool is_young(const struct sweep *s, const char *id)
{
    return gm_id_unix_ms(id) > s->unix_ms - HOUR_MS;
}

/* A list may lag behind: what the table knows stays, and what has its upload.json all the same. */
static int delete_remains(const struct sweep *s, const char *id, struct gm_err *err)
{
    struct gm_upload_seen info = {.size = 0};
    if (is_young(s, id) || gm_upload_ids_has(&s->known, id)) {
        return 0;
    }
    gm_upload_info_key(id, info.key);
    int rc = gm_uploads_look(&s->place, &info, 1, err);
    return rc < 0 || info.exists ? rc : delete_one(s, id, err);
}

static void sweep_work(void *arg)
{
    struct sweep *s = arg;
    const struct gm_stores_limit limit = {.wanted = gm_upload_desk_leads, .arg = s->desk};
    gm_stores_limit(&limit);
    s->rc = gm_uploads_list(&s->place, NULL, &s->listing, &s->err);
    if (s->rc == 0) {
        s->rc = gm_uploads_read(&s->place, &s->listing, &s->unread, s->unix_ms, &s->table,
                                &s->remains, &s->err);
    }
    for (size_t i = 0; s->rc == 0 && !s->first && i < s->remains.count; i++) {
        s->rc = delete_remains(s, s->remains.list[i], &s->err);
    }
    while (s->rc == 0 && s->gone < s->old.count) {
        s->rc = delete_one(s, s->old.list[s->gone], &s->err);
        s->gone += s->rc == 0;
    }
    gm_stores_limit(NULL);
}

/* ---- in the loop */

static bool has_readers(const struct gm_upload_desk *desk, const struct gm_upload *u)
{
    char source[sizeof GM_PARTS_URL + GM_ID_SIZE];
    (void)snprintf(source, sizeof source, GM_PARTS_URL "%s", u->id);
    return gm_view_has_source(desk->d->core, source);
}

/* Nodes may have been told of it before this scheduler began: what is there must stay. */
static void note_read(struct gm_upload_desk *desk)
{
    for (struct gm_upload *u = desk->table.all; u != NULL; u = u->hh.next) {
        u->read = u->whole && u->there == u->count && has_readers(desk, u);
    }
}

/* What was listed, unless it could not be. */
static void learn(struct gm_upload_desk *desk, struct sweep *s)
{
    desk->error = s->err;
    if (s->rc < 0) {
        desk->next_try = gm_time_now() + GM_UPLOAD_LIST_AGAIN;
        return;
    }
    desk->table = s->table;
    s->table.all = NULL;
    note_read(desk);
    desk->known = true;
    desk->next_sweep = gm_time_now() + GM_UPLOAD_SWEEP_EVERY;
    gm_log(GM_LOG_INFO, "uploads_listed", "uploads=%u open=%u",
           desk->table.all != NULL ? HASH_COUNT(desk->table.all) : 0,
           gm_uploads_open_count(&desk->table));
    gm_upload_asks_serve(desk, NULL);
}

/* Of one that this scheduler did not know, as where its beginning got no answer. */
static void adopt(struct gm_upload_desk *desk, struct sweep *s, struct gm_upload *u)
{
    if (!is_young(s, u->id) && !gm_upload_ids_has(&s->known, u->id)) {
        HASH_DEL(s->table.all, u);
        gm_uploads_add(&desk->table, u);
        gm_log(GM_LOG_INFO, "upload_found", "upload=%s", u->id);
    }
}

/* Parts of which nobody told. */
static void note_listed(struct gm_upload_desk *desk, struct sweep *s)
{
    struct gm_upload *u = NULL, *next = NULL;
    struct gm_err err;
    for (size_t i = 0; i < s->listing.count; i++) {
        const struct gm_upload_entry *e = &s->listing.list[i];
        if (u == NULL || strcmp(u->id, e->key.id) != 0) {
            u = gm_uploads_find(&desk->table, e->key.id);
        }
        if (u != NULL && e->kind == GM_UPLOAD_PART && !u->leaving && !u->complete) {
            (void)gm_upload_note(u, e->key.index, e->key.sha256, e->size, s->unix_ms);
        }
    }
    for (struct gm_upload *l = s->table.all; l != NULL; l = next) {
        next = l->hh.next;
        u = gm_uploads_find(&desk->table, l->id);
        if (u == NULL) {
            adopt(desk, s, l);
        } else if (l->whole && l->there == 1 && u->whole && !u->leaving && !u->complete &&
                   gm_upload_tag(u, l->etag, &err) == 0) {
            (void)gm_upload_note(u, 0, NULL, l->size, s->unix_ms);
        }
    }
    gm_upload_asks_serve(desk, NULL);
}

static void sweep_done(void *arg)
{
    struct sweep *s = arg;
    struct gm_upload_desk *desk = s->desk;
    desk->working = false;
    if (s->rc < 0) {
        gm_log_err(GM_LOG_WARN, s->first ? "uploads_not_listed" : "uploads_not_swept", &s->err,
                   "place=%s", s->place.url);
    }
    for (size_t i = 0; i < s->gone; i++) {
        struct gm_upload *u = gm_uploads_find(&desk->table, s->old.list[i]);
        if (u != NULL) {
            gm_log(GM_LOG_INFO, "upload_deleted", "upload=%s", u->id);
            gm_uploads_drop(&desk->table, u);
        }
    }
    if (s->first) {
        learn(desk, s);
    } else {
        note_listed(desk, s);
    }
    sweep_destroy(s);
}

/* Into known: all; into unread: those of which the names in the list say all; into old: those that
 * are over and that no unfinished job reads, and those whose deletion failed before. */
static int choose(struct gm_upload_desk *desk, struct sweep *s, struct gm_err *err)
{
    int64_t keep_ms = desk->d->settings->upload_keep_hours * HOUR_MS;
    int rc = 0;
    for (struct gm_upload *u = desk->table.all; rc == 0 && u != NULL; u = u->hh.next) {
        rc = gm_upload_ids_add(&s->known, u->id, err);
        if (rc == 0 && (!u->whole || u->complete)) {
            rc = gm_upload_ids_add(&s->unread, u->id, err);
        }
        if (rc < 0 ||
            (!u->leaving && (s->unix_ms < gm_upload_expires(u, keep_ms) || has_readers(desk, u)))) {
            continue;
        }
        rc = gm_upload_ids_add(&s->old, u->id, err);
        u->leaving = u->leaving || rc == 0;
    }
    gm_upload_ids_sort(&s->known);
    gm_upload_ids_sort(&s->unread);
    return rc;
}

void gm_upload_sweep_start(struct gm_upload_desk *desk)
{
    struct gm_err err = {0};
    struct sweep *s = calloc(1, sizeof *s);
    int rc = s == NULL ? gm_err_nomem(&err) : 0;
    if (rc == 0) {
        *s = (struct sweep){.desk = desk,
                            .place = gm_upload_desk_place(desk),
                            .first = !desk->known,
                            .unix_ms = gm_time_unix_ms()};
        rc = choose(desk, s, &err);
    }
    desk->working = rc == 0;
    if (rc == 0) {
        rc = gm_daemon_work(desk->d, sweep_work, sweep_done, s, &err);
    }
    if (rc < 0) {
        desk->working = false;
        gm_log_err(GM_LOG_WARN, "uploads_not_swept", &err, "place=%s", desk->d->settings->uploads);
        if (s != NULL) {
            sweep_destroy(s);
        }
    }
}
