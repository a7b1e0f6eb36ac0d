#include "scheduler/uploads_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/log.h"
#include "scheduler/uploads_desk_parts.h"

#define LIST_AGAIN (5 * GM_SEC)
#define SWEEP_EVERY (3600 * GM_SEC)
#define HOUR_MS ((int64_t)3600 * 1000)

int gm_upload_desk_create(struct gm_daemon *d, struct gm_upload_desk **out, struct gm_err *err)
{
    struct gm_upload_desk *desk = NULL;
    if (d->settings->uploads[0] != '\0') {
        desk = calloc(1, sizeof *desk);
        if (desk == NULL) {
            return gm_err_nomem(err);
        }
        desk->d = d;
    }
    *out = desk;
    return 0;
}

void gm_upload_desk_destroy(struct gm_upload_desk **desk)
{
    if (*desk != NULL) {
        gm_upload_asks_fini(*desk);
        gm_uploads_fini(&(*desk)->table);
        free(*desk);
        *desk = NULL;
    }
}

struct gm_uploads *gm_upload_desk_table(struct gm_upload_desk *desk)
{
    return &desk->table;
}

struct gm_uploads_place gm_upload_desk_place(const struct gm_upload_desk *desk)
{
    return (struct gm_uploads_place){desk->d->stores, desk->d->settings->uploads};
}

struct gm_upload_limits gm_upload_desk_limits(const struct gm_upload_desk *desk)
{
    const struct gm_settings *s = desk->d->settings;
    return (struct gm_upload_limits){.max_bytes = (uint64_t)s->upload_max_bytes,
                                     .keep_ms = s->upload_keep_hours * HOUR_MS,
                                     .idle_ms = s->upload_idle_ms};
}

int gm_upload_desk_check(const struct gm_upload_desk *desk, struct gm_err *err)
{
    if (desk == NULL) {
        return gm_err_set(err, GM_E_UPLOADS_OFF, 0, "the scheduler's `uploads` names no place");
    }
    if (desk->known) {
        return 0;
    }
    return gm_err_set(err, GM_E_BUSY, 0, "the scheduler still looks which uploads there are%s%s",
                      desk->error.code != GM_OK ? ": " : "", desk->error.text);
}

int gm_upload_desk_leads(void *arg, struct gm_err *err)
{
    const struct gm_upload_desk *desk = arg;
    return gm_publish_check_lead(desk->d, err);
}

int gm_upload_desk_begin(struct gm_upload_desk *desk, struct gm_err *err)
{
    int64_t open = (int64_t)gm_uploads_open_count(&desk->table) + desk->beginning;
    if (open >= desk->d->settings->max_uploads) {
        return gm_err_set(err, GM_E_BUSY, open, "%lld uploads are open: `max_uploads` are",
                          (long long)open);
    }
    desk->beginning++;
    return 0;
}

void gm_upload_desk_began(struct gm_upload_desk *desk)
{
    GM_ASSERT(desk->beginning > 0);
    desk->beginning--;
}

void gm_upload_desk_changed(struct gm_upload_desk *desk, const char *id)
{
    gm_upload_asks_serve(desk, id);
}

/* ---- the list at the start, and the sweeps */

struct sweep {
    struct gm_upload_desk *desk; /* borrowed */
    struct gm_uploads_place place;
    bool first;                   /* what is there becomes the table */
    struct gm_uploads table;      /* what was listed */
    struct gm_upload_ids known;   /* of the table when it began */
    struct gm_upload_ids remains; /* of deleted ones */
    struct gm_upload_ids old;     /* leaving */
    size_t gone;                  /* of those, the first ones */
    int rc;
    struct gm_err err;
};

static void sweep_destroy(struct sweep *s)
{
    gm_uploads_fini(&s->table);
    free(s->known.list);
    free(s->remains.list);
    free(s->old.list);
    free(s);
}

/* A scheduler that hung may go on while another one leads. */
static int delete_one(const struct sweep *s, const char *id, struct gm_err *err)
{
    int rc = gm_upload_desk_leads(s->desk, err);
    return rc < 0 ? rc : gm_uploads_remove(&s->place, id, err);
}

/* A list may lag behind: what the table knows stays, and what has its upload.json all the same. */
static int delete_remains(const struct sweep *s, const char *id, struct gm_err *err)
{
    struct gm_upload_seen info = {.size = 0};
    bool known = gm_id_unix_ms(id) > gm_time_unix_ms() - HOUR_MS;
    for (size_t i = 0; !known && i < s->known.count; i++) {
        known = strcmp(s->known.list[i], id) == 0;
    }
    if (known) {
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
    s->rc = gm_uploads_scan(&s->place, NULL, gm_time_unix_ms(), &s->table, &s->remains, &s->err);
    for (size_t i = 0; s->rc == 0 && !s->first && i < s->remains.count; i++) {
        s->rc = delete_remains(s, s->remains.list[i], &s->err);
    }
    while (s->rc == 0 && s->gone < s->old.count) {
        s->rc = delete_one(s, s->old.list[s->gone], &s->err);
        s->gone += s->rc == 0;
    }
    gm_stores_limit(NULL);
}

/* What was listed, unless it could not be. */
static void learn(struct gm_upload_desk *desk, struct sweep *s)
{
    desk->error = s->err;
    if (s->rc < 0) {
        desk->next_try = gm_time_now() + LIST_AGAIN;
        return;
    }
    desk->table = s->table;
    s->table.all = NULL;
    desk->known = true;
    gm_log(GM_LOG_INFO, "uploads_listed", "uploads=%u open=%u",
           desk->table.all != NULL ? HASH_COUNT(desk->table.all) : 0,
           gm_uploads_open_count(&desk->table));
    gm_upload_asks_serve(desk, NULL);
}

/* Parts of which nobody told. */
static void note_listed(struct gm_upload_desk *desk, const struct gm_uploads *listed)
{
    int64_t now = gm_time_unix_ms();
    for (const struct gm_upload *l = listed->all; l != NULL; l = l->hh.next) {
        struct gm_upload *u = gm_uploads_find(&desk->table, l->id);
        bool fits = u != NULL && !u->leaving && !u->complete && u->count == l->count;
        for (uint32_t i = 0; fits && i < l->count; i++) {
            const struct gm_upload_part *part = &l->parts[i];
            if (part->there) {
                (void)gm_upload_note(u, i, u->whole ? NULL : part->sha256, part->size, now);
            }
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
        note_listed(desk, &s->table);
    }
    sweep_destroy(s);
}

static int add_id(struct gm_upload_ids *ids, const char *id, struct gm_err *err)
{
    int rc = gm_array_reserve(&ids->list, ids->count, 1, &ids->cap, sizeof *ids->list, err);
    if (rc == 0) {
        memcpy(ids->list[ids->count++], id, GM_ID_SIZE);
    }
    return rc;
}

/* Into known: all; into old: those that are over and that no unfinished job reads, and those whose
 * deletion failed before. */
static int choose(struct gm_upload_desk *desk, struct sweep *s, struct gm_err *err)
{
    int64_t now = gm_time_unix_ms();
    int64_t keep_ms = desk->d->settings->upload_keep_hours * HOUR_MS;
    int rc = 0;
    for (struct gm_upload *u = desk->table.all; rc == 0 && u != NULL; u = u->hh.next) {
        rc = add_id(&s->known, u->id, err);
        char source[sizeof GM_PARTS_URL + GM_ID_SIZE];
        (void)snprintf(source, sizeof source, GM_PARTS_URL "%s", u->id);
        if (rc < 0 || (!u->leaving && (now < gm_upload_expires(u, keep_ms) ||
                                       gm_view_has_source(desk->d->core, source)))) {
            continue;
        }
        rc = add_id(&s->old, u->id, err);
        u->leaving = u->leaving || rc == 0;
    }
    return rc;
}

static void sweep_start(struct gm_upload_desk *desk)
{
    struct gm_err err = {0};
    struct sweep *s = calloc(1, sizeof *s);
    int rc = s == NULL ? gm_err_nomem(&err) : 0;
    if (rc == 0) {
        *s = (struct sweep){
            .desk = desk, .place = gm_upload_desk_place(desk), .first = !desk->known};
        rc = choose(desk, s, &err);
    }
    if (rc == 0) {
        rc = gm_daemon_work(desk->d, sweep_work, sweep_done, s, &err);
    }
    if (rc < 0) {
        gm_log_err(GM_LOG_WARN, "uploads_not_swept", &err, "place=%s", desk->d->settings->uploads);
        if (s != NULL) {
            sweep_destroy(s);
        }
        return;
    }
    desk->working = true;
}

void gm_upload_desk_tick(struct gm_upload_desk *desk, gm_time now)
{
    if (desk == NULL || desk->d->stopping) {
        return;
    }
    if (!desk->working && !desk->known && now >= desk->next_try) {
        desk->next_try = now + LIST_AGAIN;
        sweep_start(desk);
    } else if (!desk->working && desk->known && now >= desk->next_sweep) {
        desk->next_sweep = now + SWEEP_EVERY;
        sweep_start(desk);
    }
    if (desk->known && now >= desk->next_look) { /* what is idle by now */
        desk->next_look = now + GM_SEC;
        gm_upload_asks_serve(desk, NULL);
    }
}
