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
    if (desk->error.code != GM_OK) {
        *err = desk->error;
        return -(int)err->code;
    }
    return gm_err_set(err, GM_E_BUSY, 0, "the scheduler still looks which uploads there are");
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
    struct gm_upload_ids remains; /* of deleted ones */
    struct gm_upload_ids old;     /* leaving */
    size_t gone;                  /* of those, the first ones */
    int rc;
    struct gm_err err;
};

static void sweep_destroy(struct sweep *s)
{
    gm_uploads_fini(&s->table);
    free(s->remains.list);
    free(s->old.list);
    free(s);
}

static void sweep_work(void *arg)
{
    struct sweep *s = arg;
    s->rc = gm_uploads_scan(&s->place, NULL, gm_time_unix_ms(), &s->table, &s->remains, &s->err);
    for (size_t i = 0; s->rc == 0 && i < s->remains.count; i++) {
        s->rc = gm_uploads_remove(&s->place, s->remains.list[i], &s->err);
    }
    while (s->rc == 0 && s->gone < s->old.count) {
        s->rc = gm_uploads_remove(&s->place, s->old.list[s->gone], &s->err);
        s->gone += s->rc == 0;
    }
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
    }
    sweep_destroy(s);
}

/* Those that are over and that no unfinished job reads; and those whose deletion failed before. */
static int choose(struct gm_upload_desk *desk, struct gm_upload_ids *out, struct gm_err *err)
{
    int64_t now = gm_time_unix_ms();
    int64_t keep_ms = desk->d->settings->upload_keep_hours * HOUR_MS;
    int rc = 0;
    for (struct gm_upload *u = desk->table.all; rc == 0 && u != NULL; u = u->hh.next) {
        char source[sizeof GM_PARTS_URL + GM_ID_SIZE];
        (void)snprintf(source, sizeof source, GM_PARTS_URL "%s", u->id);
        if (!u->leaving &&
            (now < gm_upload_expires(u, keep_ms) || gm_view_has_source(desk->d->core, source))) {
            continue;
        }
        rc = gm_array_reserve(&out->list, out->count, 1, &out->cap, sizeof *out->list, err);
        if (rc == 0) {
            memcpy(out->list[out->count++], u->id, GM_ID_SIZE);
            u->leaving = true;
        }
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
        rc = choose(desk, &s->old, &err);
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
