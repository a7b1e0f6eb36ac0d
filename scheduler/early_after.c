#include "scheduler/early_after.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "scheduler/core/view.h"
#include "scheduler/core/view_early.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/early_store.h"

#define POOL_WORKS 12            /* with so many on the pool others have more to do */
#define LOOK_TIME (300 * GM_SEC) /* others wait behind it */
#define MOST_LOOKS 256
#define MOST_BYTES ((size_t)64 << 20)

/* After the end of the job, in `early_s`. */
static const int64_t pauses[] = {10, 100, 600};
#define PAUSES (sizeof pauses / sizeof pauses[0])

struct gm_early_look {
    struct gm_early_look *next;
    struct gm_daemon *d;         /* borrowed */
    char *job_id, *out_url;      /* owned, and so are these */
    char *out_mark;              /* take down */
    char *publication;           /* compare */
    struct gm_early_final final; /* compare */
    bool takes_down;
    gm_time since;
    size_t pause; /* number of the next */
    size_t mended;
    bool went;
    int rc;
    struct gm_err err;
};

static void look_destroy(struct gm_early_look *look)
{
    if (look != NULL) {
        gm_early_final_fini(&look->final);
        free(look->job_id);
        free(look->out_url);
        free(look->out_mark);
        free(look->publication);
        free(look);
    }
}

static struct gm_early_look *look_create(struct gm_daemon *d, const char *job_id,
                                         const char *out_url, const char *out_mark,
                                         const char *publication)
{
    struct gm_early_look *look = calloc(1, sizeof *look);
    if (look == NULL) {
        return NULL;
    }
    *look = (struct gm_early_look){.d = d,
                                   .job_id = strdup(job_id),
                                   .out_url = strdup(out_url),
                                   .out_mark = strdup(out_mark),
                                   .publication = strdup(publication),
                                   .since = gm_time_now()};
    if (look->job_id == NULL || look->out_url == NULL || look->out_mark == NULL ||
        look->publication == NULL) {
        look_destroy(look);
        return NULL;
    }
    return look;
}

static void forget(struct gm_early_after *after, struct gm_early_look *look)
{
    struct gm_early_look **at = &after->looks;
    while (*at != look) {
        at = &(*at)->next;
    }
    *at = look->next;
    after->count--;
    after->bytes -= look->final.bytes;
    look_destroy(look);
}

/* Forgets the oldest, where there are too many; not the one that the pool has. */
static void trim(struct gm_early_after *after)
{
    while (after->count > MOST_LOOKS || after->bytes > MOST_BYTES) {
        struct gm_early_look *oldest = after->looks;
        oldest = oldest == after->busy ? oldest->next : oldest;
        if (oldest == NULL) {
            return;
        }
        forget(after, oldest);
    }
}

void gm_early_after_published(struct gm_daemon *d, const char *job_id, const char *out_url,
                              const char *publication, struct gm_early_final *final)
{
    struct gm_early_after *after = &d->after;
    struct gm_early_look *look =
        final->count > 0 ? look_create(d, job_id, out_url, "", publication) : NULL;
    if (look == NULL) {
        gm_early_final_fini(final);
        return;
    }
    look->final = *final;
    *final = (struct gm_early_final){0};
    struct gm_early_look **end = &after->looks;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = look;
    after->count++;
    after->bytes += look->final.bytes;
    trim(after);
}

/* ---- on the pool */

static int leads(void *arg, struct gm_err *err)
{
    const struct gm_early_look *look = arg;
    if (atomic_load(&look->d->told) > 0) {
        return gm_err_set(err, GM_E_STORE, 0, "the scheduler stops");
    }
    return gm_publish_check_lead(look->d, err);
}

static int take_down(struct gm_early_look *look, struct gm_store *store)
{
    int rc = gm_early_has_own(store, look->job_id, &look->went, &look->err);
    rc = rc == 0 && look->went ? leads(look, &look->err) : rc;
    return rc == 0 && look->went ? gm_early_take_down(store, look->job_id, &look->err) : rc;
}

static int mend(struct gm_early_look *look, struct gm_store *store)
{
    const struct gm_early_mend m = {.final = &look->final,
                                    .job_id = look->job_id,
                                    .publication = look->publication,
                                    .leads = leads,
                                    .arg = look};
    return gm_early_final_mend(store, &m, &look->mended, &look->err);
}

static void look_work(void *arg)
{
    struct gm_early_look *look = arg;
    struct gm_store *store = NULL;
    const struct gm_stores_limit limit = {
        .until = gm_time_now() + LOOK_TIME, .wanted = leads, .arg = arg};
    gm_stores_limit(&limit);
    look->mended = 0;
    look->went = false;
    look->rc =
        gm_stores_open_marked(look->d->stores, look->out_url, look->out_mark, &store, &look->err);
    if (look->rc == 0) {
        look->rc = look->takes_down ? take_down(look, store) : mend(look, store);
    }
    gm_store_close(&store);
    gm_stores_limit(NULL);
}

/* ---- the daemon's side */

static void look_done(void *arg)
{
    struct gm_early_look *look = arg;
    struct gm_early_after *after = &look->d->after;
    after->busy = NULL;
    if (look->mended > 0) {
        gm_log(GM_LOG_WARN, "early_mended", "job=%s texts=%zu", look->job_id, look->mended);
    }
    if (look->rc < 0 && look->rc != -GM_E_NOTFOUND && atomic_load(&look->d->told) == 0) {
        gm_log_err(GM_LOG_WARN, "early_not_looked_at", &look->err, "job=%s", look->job_id);
    } else if (look->rc == 0 && look->went) {
        gm_log(GM_LOG_INFO, "early_taken_down", "job=%s", look->job_id);
    }
    if (look->takes_down) {
        look_destroy(look);
    } else if (++look->pause == PAUSES) {
        forget(after, look);
    }
}

static bool begin(struct gm_daemon *d, struct gm_early_look *look)
{
    struct gm_err err = {0};
    d->after.busy = look;
    if (gm_daemon_work(d, look_work, look_done, look, &err) < 0) {
        d->after.busy = NULL;
    }
    return d->after.busy != NULL;
}

static void take_down_next(struct gm_daemon *d)
{
    struct gm_early_after *after = &d->after;
    struct gm_job_view view;
    struct gm_early_look *look = NULL;
    struct gm_err err = {0};
    char *id = after->ended[after->ended_next++];
    if (gm_view_job(d->core, id, &view, &err) == 0) {
        look = look_create(d, id, view.destination_url, view.destination_mark, "");
        gm_view_job_fini(&view);
    }
    if (look != NULL) {
        look->takes_down = true;
        if (!begin(d, look)) {
            look_destroy(look);
        }
    }
    free(id);
    if (after->ended_next == after->ended_count) {
        free(after->ended);
        after->ended = NULL;
        after->ended_count = after->ended_next = 0;
    }
}

void gm_early_after_tick(struct gm_daemon *d)
{
    struct gm_early_after *after = &d->after;
    gm_time now = gm_time_now(), unit = d->settings->early_s * GM_SEC;
    if (after->busy != NULL || d->stopping || d->works >= POOL_WORKS) {
        return;
    }
    if (after->ended_next < after->ended_count) {
        take_down_next(d);
        return;
    }
    for (struct gm_early_look *look = after->looks; look != NULL; look = look->next) {
        struct gm_card_view card;
        if (now - look->since < pauses[look->pause] * unit) {
            continue;
        }
        if (gm_view_card(d->core, look->job_id, &card) && card.removed) {
            forget(after, look);
        } else {
            (void)begin(d, look);
        }
        return;
    }
}

void gm_early_after_start(struct gm_daemon *d)
{
    struct gm_early_after *after = &d->after;
    size_t cap = 0;
    for (const char *id = gm_view_next_early_end(d->core, NULL); id != NULL;
         id = gm_view_next_early_end(d->core, id)) {
        after->ended = gm_mem_grow(after->ended, after->ended_count, &cap, sizeof(char *));
        after->ended[after->ended_count++] = gm_mem_strdup(id);
    }
}

void gm_early_after_fini(struct gm_early_after *after)
{
    while (after->looks != NULL) {
        forget(after, after->looks);
    }
    for (size_t i = after->ended_next; i < after->ended_count; i++) {
        free(after->ended[i]);
    }
    free(after->ended);
    *after = (struct gm_early_after){0};
}
