#include "scheduler/uploads_desk.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/tenants.h"
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
        while ((*desk)->beginning != NULL) {
            struct gm_upload_beginning *next = (*desk)->beginning->next;
            free((*desk)->beginning);
            (*desk)->beginning = next;
        }
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

static const char *owner(const char *tenant)
{
    return tenant[0] != '\0' ? tenant : GM_TENANT_DEFAULT;
}

/* Under way, and idle ones; tenant NULL: of all. */
struct open_count {
    int64_t busy, idle;
};

static struct open_count count_open(const struct gm_upload_desk *desk, const char *tenant)
{
    struct open_count n = {0, 0};
    int64_t now = gm_time_unix_ms(), idle_ms = desk->d->settings->upload_idle_ms;
    for (const struct gm_upload *u = desk->table.all; u != NULL; u = u->hh.next) {
        if (u->complete || u->leaving ||
            (tenant != NULL && strcmp(owner(u->tenant), tenant) != 0)) {
            continue;
        }
        bool idle = gm_upload_state(u, now, idle_ms) == GM_UPLOAD_IDLE;
        n.idle += idle;
        n.busy += !idle;
    }
    for (const struct gm_upload_beginning *b = desk->beginning; b != NULL; b = b->next) {
        n.busy += tenant == NULL || strcmp(owner(b->tenant), tenant) == 0;
    }
    return n;
}

static bool has_room(struct open_count n, int64_t most)
{
    return n.busy < most && n.busy + n.idle < most * IDLE_TIMES;
}

static int check_tenant(const struct gm_upload_desk *desk, const char *tenant, struct gm_err *err)
{
    const struct gm_settings *s = desk->d->settings;
    const struct gm_tenant_params *limits =
        gm_tenants_find(s->tenant_list, s->tenant_count, owner(tenant));
    if (limits == NULL || limits->max_uploads == 0) {
        return 0;
    }
    struct open_count n = count_open(desk, owner(tenant));
    return has_room(n, limits->max_uploads)
               ? 0
               : gm_err_set(err, GM_E_BUSY, n.busy,
                            "tenant %s has %lld uploads under way and %lld idle, which is as many "
                            "as it may have: complete some, or delete what is given up",
                            owner(tenant), (long long)n.busy, (long long)n.idle);
}

int gm_upload_desk_begin(struct gm_upload_desk *desk, const char *tenant, struct gm_err *err)
{
    struct open_count n = count_open(desk, NULL);
    if (!has_room(n, desk->d->settings->max_uploads)) {
        return gm_err_set(err, GM_E_BUSY, n.busy,
                          "%lld uploads are under way and %lld idle, which is as many as may be: "
                          "complete some, or delete what is given up",
                          (long long)n.busy, (long long)n.idle);
    }
    int rc = check_tenant(desk, tenant, err);
    struct gm_upload_beginning *b = rc == 0 ? calloc(1, sizeof *b) : NULL;
    if (b == NULL) {
        return rc < 0 ? rc : gm_err_nomem(err);
    }
    (void)strncpy(b->tenant, tenant, sizeof b->tenant - 1);
    b->next = desk->beginning;
    desk->beginning = b;
    return 0;
}

void gm_upload_desk_began(struct gm_upload_desk *desk, const char *tenant)
{
    struct gm_upload_beginning **at = &desk->beginning;
    GM_ASSERT(*at != NULL);
    while (strcmp((*at)->tenant, tenant) != 0) {
        at = &(*at)->next;
        GM_ASSERT(*at != NULL);
    }
    struct gm_upload_beginning *b = *at;
    *at = b->next;
    free(b);
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
