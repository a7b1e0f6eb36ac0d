#include "scheduler/retire.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/replaced.h"
#include "storage/remote/stores.h"

#define AGAIN_MS INT64_C(600000)
#define AGAIN_MOST_MS INT64_C(86400000) /* pauses after failures grow up to that */
#define STOP_TIME (20 * GM_SEC)         /* a daemon that stops goes on so long */

struct look {
    struct gm_daemon *d; /* borrowed */
    char *url;           /* owned */
    int64_t pause_ms;    /* of the place */
    int64_t now_unix_ms;
    struct gm_replaced replaced; /* owned */
    size_t at;
    struct gm_hold_batch batch; /* the publication that goes */
    int64_t due_unix_ms;        /* the next look; 0: none */
    enum gm_replaced_step step;
    bool looked, held;
    bool failed; /* something of it did, or nothing could be looked at */
    int rc;
    struct gm_err err;
};

static void note_due(struct gm_retire *r, int64_t due_unix_ms)
{
    if (r->next_unix_ms == 0 || due_unix_ms < r->next_unix_ms) {
        r->next_unix_ms = due_unix_ms;
    }
}

static void note(struct gm_daemon *d, const char *destination_url, int64_t due_unix_ms,
                 int64_t pause_ms)
{
    struct gm_retire *r = &d->retire;
    struct gm_retire_place *place = NULL;
    HASH_FIND_STR(r->places, destination_url, place);
    if (place == NULL) {
        place = calloc(1, sizeof *place);
        char *url = strdup(destination_url);
        if (place == NULL || url == NULL) {
            free(place);
            free(url);
            return; /* the next start looks there */
        }
        *place =
            (struct gm_retire_place){.url = url, .due_unix_ms = due_unix_ms, .pause_ms = pause_ms};
        HASH_ADD_KEYPTR(hh, r->places, place->url, strlen(place->url), place);
    } else if (due_unix_ms < place->due_unix_ms) {
        place->due_unix_ms = due_unix_ms;
    }
    note_due(r, due_unix_ms);
}

void gm_retire_note(struct gm_daemon *d, const char *destination_url, int64_t due_unix_ms)
{
    note(d, destination_url, due_unix_ms, 0);
}

void gm_retire_start(struct gm_daemon *d)
{
    const char *source = NULL, *destination = NULL;
    struct gm_err err;
    for (const char *id = gm_view_next_job(d->core, NULL, false); id != NULL;
         id = gm_view_next_job(d->core, id, false)) {
        enum gm_job_state state = GM_JOB_QUEUED;
        if (gm_view_job_state(d->core, id, &state) && state == GM_JOB_DONE &&
            gm_view_job_urls(d->core, id, &source, &destination, &err) == 0 &&
            destination[0] != '\0') {
            gm_retire_note(d, destination, 1);
        }
        const char *backup = gm_view_backup_url(d->core, id);
        if (backup != NULL) {
            gm_retire_note(d, backup, 1);
        }
    }
}

/* Older ones had their time with the schedulers before, which looked there at least once a day. */
void gm_retire_titles(struct gm_daemon *d)
{
    const struct gm_catalogue *table = &d->assets.table;
    int64_t since_unix_ms =
        gm_time_unix_ms() - d->settings->publish_grace_s * 1000 - GM_RETIRE_TITLES_MS;
    for (size_t i = 0; i < table->all.count; i++) {
        const Gm__AssetRow *row = gm_catalogue_title(table, i)->row;
        if (row->finished_unix_ms >= since_unix_ms && row->destination[0] != '\0') {
            gm_retire_note(d, row->destination, 1);
        }
        if (row->finished_unix_ms >= since_unix_ms && row->backup[0] != '\0') {
            gm_retire_note(d, row->backup, 1);
        }
    }
}

static void look_destroy(struct look *look)
{
    gm_replaced_fini(&look->replaced);
    free(look->url);
    free(look);
}

static void look_step(struct look *look)
{
    struct gm_store *store = NULL;
    look->rc = gm_stores_open(look->d->stores, look->url, false, &store, &look->err);
    if (look->rc == -GM_E_NOTFOUND) { /* nothing is there, or it is not mounted just now */
        look->looked = look->failed = true;
        look->rc = 0;
        return;
    }
    if (look->rc == 0 && look->held) {
        look->rc = gm_publish_check_lead(look->d, &look->err);
    }
    if (look->rc == 0 && look->held) {
        look->rc = gm_replaced_delete(store, look->batch.publication, look->now_unix_ms,
                                      &look->step, &look->err);
    } else if (look->rc == 0) {
        look->rc = gm_replaced_read(store, look->now_unix_ms, &look->replaced, &look->err);
        look->due_unix_ms = look->rc == 0 ? look->replaced.next_unix_ms : 0;
        look->looked = true;
    }
    gm_store_close(&store);
}

static int still_leads(void *arg, struct gm_err *err)
{
    const struct look *look = arg;
    return gm_publish_check_lead(look->d, err);
}

static void look_work(void *arg)
{
    const struct gm_stores_limit limit = {.wanted = still_leads, .arg = arg};
    gm_stores_limit(&limit);
    look_step(arg);
    gm_stores_limit(NULL);
}

static void look_later(struct look *look, int64_t pause_ms)
{
    int64_t due = look->now_unix_ms + pause_ms;
    look->due_unix_ms = look->due_unix_ms == 0 || look->due_unix_ms > due ? due : look->due_unix_ms;
}

static void again(struct look *look)
{
    look_later(look, AGAIN_MS);
}

static void log_failed(const struct look *look)
{
    char where[512];
    gm_log_err(GM_LOG_WARN, "replaced_not_deleted", &look->err, "destination=%s publication=%s",
               gm_log_quote(look->url, where, sizeof where),
               look->held ? look->batch.publication : "-");
}

/* The next publication that nobody makes. */
static bool next_publication(struct look *look)
{
    for (; look->at < look->replaced.count; look->at++) {
        const char *name = look->replaced.due[look->at];
        if (!gm_view_is_made_at(look->d->core, look->url, name)) {
            memcpy(look->batch.publication, name, sizeof look->batch.publication);
            return true;
        }
        again(look);
    }
    return false;
}

static void leave(const char *node_id, Gm__Envelope *envelope, void *arg)
{
    gm_wire_send(arg, node_id, envelope);
}

static void look_done(void *arg);

/* What is left then the next start deletes: its note stays. */
static bool is_over(struct gm_daemon *d)
{
    if (!d->stopping) {
        return false;
    }
    gm_time now = gm_time_now();
    d->retire.until = d->retire.until == 0 ? now + STOP_TIME : d->retire.until;
    return d->hurried || now >= d->retire.until;
}

static bool go_on(struct look *look)
{
    struct gm_err error = {0};
    look->held = look->looked;
    if (look->rc < 0 || is_over(look->d) || (look->looked && !next_publication(look))) {
        return false;
    }
    if (look->held) {
        gm_hold_begin(&look->d->hold, &look->batch);
    }
    int queued = gm_daemon_work(look->d, look_work, look_done, look, &error);
    if (queued == 0) {
        return true; /* it is the pool's now */
    }
    if (look->held) {
        gm_hold_end(&look->d->hold, &look->batch, leave, look->d);
    }
    look->rc = queued;
    look->err = error;
    return false;
}

static void look_next(struct look *look)
{
    struct gm_daemon *d = look->d;
    if (go_on(look)) {
        return;
    }
    if (look->rc < 0) {
        log_failed(look);
    }
    int64_t pause_ms = 0;
    if (look->rc < 0 || look->failed) {
        pause_ms = look->pause_ms == 0                  ? AGAIN_MS
                   : look->pause_ms < AGAIN_MOST_MS / 2 ? 2 * look->pause_ms
                                                        : AGAIN_MOST_MS;
        look_later(look, pause_ms);
    }
    if (look->due_unix_ms > 0) {
        note(d, look->url, look->due_unix_ms, pause_ms);
    }
    d->retire.busy = false;
    look_destroy(look);
}

static void look_done(void *arg)
{
    struct look *look = arg;
    if (look->held) {
        gm_hold_end(&look->d->hold, &look->batch, leave, look->d);
    }
    if (look->held && look->rc < 0 && look->rc != -GM_E_NOT_LEADER) {
        log_failed(look); /* it keeps none of those behind it */
        look->failed = true;
        look->rc = 0;
        look->at++;
    } else if (look->held && look->rc == 0 && look->step != GM_REPLACED_MORE) {
        look->at++;
        if (look->step == GM_REPLACED_GONE) {
            gm_log(GM_LOG_INFO, "replaced_deleted", "publication=%s", look->batch.publication);
        } else {
            again(look); /* what its note says now the next look reads */
        }
    }
    look_next(look);
}

/* Takes the place's URL. */
static void look_at(struct gm_daemon *d, char *url, int64_t pause_ms, int64_t now_unix_ms)
{
    struct look *look = calloc(1, sizeof *look);
    if (look == NULL) {
        free(url); /* the next start looks there */
        return;
    }
    *look = (struct look){.d = d, .url = url, .pause_ms = pause_ms, .now_unix_ms = now_unix_ms};
    d->retire.busy = true;
    look_next(look);
}

void gm_retire_tick(struct gm_daemon *d)
{
    struct gm_retire *r = &d->retire;
    struct gm_retire_place *place, *more, *due = NULL;
    int64_t now_unix_ms = gm_time_unix_ms();
    if (r->busy || r->next_unix_ms == 0 || now_unix_ms < r->next_unix_ms) {
        return;
    }
    r->next_unix_ms = 0;
    HASH_ITER(hh, r->places, place, more)
    {
        if (place->due_unix_ms <= now_unix_ms) {
            due = place;
            r->next_unix_ms = now_unix_ms; /* those behind it the next time */
            break;
        }
        note_due(r, place->due_unix_ms);
    }
    if (due != NULL) {
        char *url = due->url;
        int64_t pause_ms = due->pause_ms;
        HASH_DEL(r->places, due);
        free(due);
        look_at(d, url, pause_ms, now_unix_ms);
    }
}

void gm_retire_fini(struct gm_retire *retire)
{
    struct gm_retire_place *place, *more;
    HASH_ITER(hh, retire->places, place, more)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed has left the table */
        HASH_DEL(retire->places, place);
        free(place->url);
        free(place);
    }
    *retire = (struct gm_retire){0};
}
