#include "scheduler/uploads_desk.h"

#include <stdlib.h>

#include "scheduler/uploads_desk_parts.h"

#define IDLE_TIMES 10 /* max_uploads: what is begun and given up all the same takes memory */
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
    const struct gm_settings *s = desk->d->settings;
    int64_t all = (int64_t)gm_uploads_open_count(&desk->table) + desk->beginning;
    int64_t idle = gm_uploads_idle_count(&desk->table, gm_time_unix_ms(), s->upload_idle_ms);
    if (all - idle >= s->max_uploads || all >= s->max_uploads * IDLE_TIMES) {
        return gm_err_set(err, GM_E_BUSY, all,
                          "%lld uploads are under way and %lld idle, which is as many as may be: "
                          "complete some, or delete what is given up",
                          (long long)(all - idle), (long long)idle);
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

void gm_upload_desk_tick(struct gm_upload_desk *desk, gm_time now)
{
    if (desk == NULL || desk->d->stopping) {
        return;
    }
    if (!desk->working && !desk->known && now >= desk->next_try) {
        desk->next_try = now + GM_UPLOAD_LIST_AGAIN;
        gm_upload_sweep_start(desk);
    } else if (!desk->working && desk->known && now >= desk->next_sweep) {
        desk->next_sweep = now + GM_UPLOAD_SWEEP_EVERY;
        gm_upload_sweep_start(desk);
    }
    if (!desk->known) {
        gm_upload_asks_give_up(desk, now);
    }
    if (desk->known && now >= desk->next_look) { /* what is idle by now */
        desk->next_look = now + GM_SEC;
        gm_upload_asks_serve(desk, NULL);
    }
}
