/* Jobs that lack parts of their uploads hold no slots for what waits (scheduler/core/arrival.h):
 * they go on when enough is there for it, and when it will never be, for then they end. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/uploads_desk_parts.h"

#define ENDS_BYTES ((uint64_t)6 << 20)   /* of begin and end that inspection reads of many parts */
#define SHORT_BYTES ((uint64_t)16 << 20) /* up to so many it reads all */
/* A task that gave its slot back begins anew: with so many of the parts before, of which it reads
 * all once more, as many more must be there. So it is not begun for each. */
#define MORE_OF 8u

static bool has_parts(const struct gm_upload *u, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < u->count && i - from < count; i++) {
        if (!u->parts[i].there) {
            return false;
        }
    }
    return true;
}

bool gm_upload_has_ends(const struct gm_upload *u)
{
    uint64_t at = 0;
    if (u->count == 1 || u->size <= SHORT_BYTES) {
        return has_parts(u, 0, u->count);
    }
    for (uint32_t i = 0; i < u->count; i++) {
        uint64_t end = at + u->parts[i].size;
        if ((at < ENDS_BYTES || end > u->size - ENDS_BYTES) && !u->parts[i].there) {
            return false;
        }
        at = end;
    }
    return true;
}

/* Jobs that are to be told: the view may not change while it is read. */
struct found {
    const struct gm_upload_desk *desk; /* borrowed; NULL: uploads are off */
    struct {
        char id[65];
        char etag[GM_UPLOAD_ETAG_SIZE]; /* of a whole one */
    } jobs[16];
    size_t count;
};

static bool goes_on(const struct gm_upload_desk *desk, const struct gm_arrival_view *view)
{
    const char *id = NULL;
    const struct gm_upload *u = desk != NULL && gm_parts_is_url(view->source_url, &id)
                                    ? gm_uploads_find(&desk->table, id)
                                    : NULL;
    if (u == NULL || u->leaving || u->complete ||
        gm_upload_state(u, gm_time_unix_ms(), desk->d->settings->upload_idle_ms) ==
            GM_UPLOAD_IDLE) {
        return true; /* who asks for its parts hears so */
    }
    return view->begin ? gm_upload_has_ends(u) : has_parts(u, view->part, 1 + view->part / MORE_OF);
}

static void look(const struct gm_arrival_view *view, void *arg)
{
    struct found *f = arg;
    const char *id = NULL;
    if (f->count == sizeof f->jobs / sizeof f->jobs[0] || !goes_on(f->desk, view)) {
        return;
    }
    const struct gm_upload *u = f->desk != NULL && gm_parts_is_url(view->source_url, &id)
                                    ? gm_uploads_find(&f->desk->table, id)
                                    : NULL;
    (void)strncpy(f->jobs[f->count].id, view->job_id, sizeof f->jobs[0].id - 1);
    if (u != NULL && u->there == u->count) {
        memcpy(f->jobs[f->count].etag, u->etag, sizeof u->etag);
    }
    f->count++;
}

void gm_upload_arrivals_tick(struct gm_daemon *d, gm_time now)
{
    struct gm_upload_desk *desk = d->uploads;
    if (d->stopping ||
        (desk != NULL && (!desk->known || !(desk->changed || now >= desk->next_arrivals)))) {
        return;
    }
    struct found f = {.desk = desk};
    gm_view_arrivals(d->core, look, &f);
    for (size_t i = 0; i < f.count; i++) {
        struct gm_event event = {
            .type = GM_EV_ARRIVED, .job_id = f.jobs[i].id, .etag = f.jobs[i].etag};
        gm_daemon_tell(d, &event);
    }
    if (desk != NULL) { /* more than one look finds are found by the next */
        desk->changed = f.count == sizeof f.jobs / sizeof f.jobs[0];
        desk->next_arrivals = now + GM_SEC;
    }
}
