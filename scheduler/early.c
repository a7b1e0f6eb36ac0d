/* Jobs whose playlists grow. What of a job's programme is there is read from the core as it comes
 * (scheduler/prefix.h); a version is written (scheduler/early_store.h) when there is more than the
 * last one named and `early_s` are over since then, one at a time a job.
 *
 * States of a job here: not planned or `package` is about to begin (nothing is written), open,
 * being registered, being written, stopped (what stands there is not to be touched). A version is
 * registered first: its keys become rows, so that clean-up knows them, all that it names is on disk
 * then, and the core says whether another job makes the same. A scheduler that starts anew begins
 * with no state: the rows say what is there, and the first version looks at what was written. What
 * jobs have is read some hundred items a tick.
 *
 * While a version is written no write grant of the publication leaves (scheduler/hold.h), so that
 * `package`, which writes the same playlists as they stay, never comes before it; and the end of
 * the job waits. So few are written at a time, those first that are due for longest, and none while
 * the pool has hardly a thread free.
 */
#include "scheduler/early.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "scheduler/core/view.h"
#include "scheduler/core/view_early.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/early_store.h"
#include "scheduler/json.h"

#define LONGEST_PAUSE (300 * GM_SEC)
#define ITEMS_AT_ONCE 500
#define MOST 4        /* at a time: each may keep a thread of the pool waiting for a server */
#define POOL_WORKS 12 /* with so many on the pool a version may have to wait for a thread */

struct gm_early_job {
    struct gm_daemon *d;            /* borrowed */
    char *id;                       /* owned, and so are these */
    char *out_url, *out_mark;       /* of the destination */
    json_t *source;                 /* a string, as reports say it */
    char title[GM_TITLE_SIZE];      /* of the job */
    char publication[GM_HOLD_NAME]; /* that prefix is of */
    struct gm_prefix *prefix;       /* owned; NULL: not read yet */
    struct gm_prefix_texts texts;   /* owned; of the version that is written */
    const char **keys;              /* owned, and so is each; outputs that versions write */
    size_t key_count;
    struct gm_early_end end; /* of it */
    struct gm_hold_batch batch;
    size_t written;    /* segments that the last version names */
    size_t writing;    /* that this one names */
    gm_time at;        /* not before */
    uint32_t failures; /* in a row */
    bool keeps_title;
    bool grown, begins, stopped, busy;
    bool publish_next;
    int rc;
    struct gm_err err;
    UT_hash_handle hh;
};

static void forget_keys(struct gm_early_job *job)
{
    for (size_t i = 0; i < job->key_count; i++) {
        free((void *)(uintptr_t)job->keys[i]);
    }
    free(job->keys);
    job->keys = NULL;
    job->key_count = 0;
}

static void job_destroy(struct gm_early_job *job)
{
    if (job == NULL) {
        return;
    }
    gm_prefix_destroy(&job->prefix);
    gm_prefix_texts_fini(&job->texts);
    forget_keys(job);
    free(job->id);
    free(job->out_url);
    free(job->out_mark);
    json_decref(job->source);
    free(job);
}

static void forget(struct gm_daemon *d, struct gm_early_job *job)
{
    HASH_DEL(d->earlies.jobs, job);
    job_destroy(job);
}

void gm_early_grown(struct gm_daemon *d, const char *job_id)
{
    struct gm_early_job *job = NULL;
    HASH_FIND_STR(d->earlies.jobs, job_id, job);
    if (job == NULL) {
        job = calloc(1, sizeof *job);
        char *id = strdup(job_id);
        if (job == NULL || id == NULL) { /* what it has is told again with the next item */
            free(job);
            free(id);
            return;
        }
        *job = (struct gm_early_job){.d = d, .id = id};
        HASH_ADD_KEYPTR(hh, d->earlies.jobs, job->id, strlen(job->id), job);
    }
    job->grown = true;
}

static void stop(struct gm_early_job *job, const char *why, const struct gm_err *err)
{
    job->stopped = true;
    if (err != NULL) {
        gm_log_err(GM_LOG_WARN, "early_stopped", err, "job=%s", job->id);
    } else {
        gm_log(GM_LOG_INFO, "early_stopped", "job=%s why=\"%s\"", job->id, why);
    }
}

/* ---- what is there */

static int take_view(struct gm_early_job *job, const struct gm_job_view *view, struct gm_err *err)
{
    const struct gm_title_source source = {view->source_url, view->source_name, view->tenant,
                                           view->source_size};
    free(job->out_url);
    free(job->out_mark);
    json_decref(job->source);
    job->out_url = strdup(view->destination_url);
    job->out_mark = strdup(view->destination_mark);
    job->source = gm_json_url(view->source_url);
    job->keeps_title = view->keeps_title;
    if (job->out_url == NULL || job->out_mark == NULL || job->source == NULL) {
        return gm_err_nomem(err);
    }
    return gm_title_make(&source, view->pipeline, job->title, err);
}

static int make_prefix(struct gm_early_job *job, const struct gm_job_view *view, struct gm_err *err)
{
    struct gm_results_view results;
    struct gm_prefix_params params = {.job_id = job->id,
                                      .publication = view->publication,
                                      .pipeline = view->pipeline,
                                      .created_unix_ms = view->created_unix_ms,
                                      .duration_us = view->duration_us};
    int rc = gm_view_results(job->d->core, job->id, &results, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < results.count; i++) {
        if (strcmp(results.rows[i].type, "plan") == 0) {
            params.policy = results.rows[i].meta;
            params.policy_size = results.rows[i].meta_size;
        }
    }
    rc = gm_prefix_create(&params, &job->prefix, err);
    gm_view_results_fini(&results);
    return rc;
}

/* A plan, the job's first or another one, is to be published. */
static int open_prefix(struct gm_early_job *job, const char *publication, struct gm_err *err)
{
    struct gm_job_view view;
    gm_prefix_destroy(&job->prefix);
    forget_keys(job);
    job->begins = true;
    job->stopped = false;
    job->written = 0;
    (void)snprintf(job->publication, sizeof job->publication, "%s", publication);
    int rc = gm_view_job(job->d->core, job->id, &view, err);
    if (rc < 0) {
        return rc;
    }
    rc = take_view(job, &view, err);
    if (rc == 0) {
        rc = make_prefix(job, &view, err);
    }
    gm_view_job_fini(&view);
    return rc;
}

struct reading {
    struct gm_prefix *prefix;
    size_t feed;
};

static int read_item(const Gm__Item *item, void *arg, struct gm_err *err)
{
    struct reading *r = arg;
    return gm_prefix_add(r->prefix, r->feed, item, err);
}

static int read_feed(struct gm_early_job *job, size_t i, const struct gm_prefix_feed *feed,
                     size_t *left, struct gm_err *err)
{
    struct reading r = {job->prefix, i};
    struct gm_early_feed state;
    size_t from = gm_prefix_taken(job->prefix, i);
    int rc = gm_view_early_items(job->d->core, job->id, feed->type, feed->instance, from, *left,
                                 read_item, &r, &state, err);
    if (rc < 0) {
        return rc == -GM_E_NOTFOUND ? 0 : rc; /* not opened yet */
    }
    size_t taken = gm_prefix_taken(job->prefix, i);
    *left -= taken - from;
    if (taken < state.committed) {
        job->grown = true; /* the next tick goes on */
    } else if (state.done) {
        gm_prefix_end(job->prefix, i);
    }
    return 0;
}

/* left: so many items may be read in this tick. */
static void read_grown(struct gm_early_job *job, const char *publication, size_t *left)
{
    struct gm_prefix_feed feed;
    struct gm_err err = {0};
    int rc = 0;
    job->grown = false;
    if (job->stopped && strcmp(job->publication, publication) == 0) {
        return;
    }
    if (job->prefix == NULL || strcmp(job->publication, publication) != 0) {
        rc = open_prefix(job, publication, &err);
    }
    for (size_t i = 0; rc == 0 && gm_prefix_feed(job->prefix, i, &feed); i++) {
        rc = read_feed(job, i, &feed, left, &err);
    }
    if (rc == -GM_E_CONFLICT) { /* read it all again: is what was written a beginning of it? */
        gm_prefix_destroy(&job->prefix);
        job->grown = true;
    } else if (rc < 0) {
        stop(job, "", &err);
    }
}

/* ---- a version */

static int leads(void *arg, struct gm_err *err)
{
    const struct gm_early_job *job = arg;
    if (atomic_load(&job->d->told) > 0) { /* the next scheduler writes it */
        return gm_err_set(err, GM_E_STORE, 0, "the scheduler stops");
    }
    return gm_publish_check_lead(job->d, err);
}

static void write_step(struct gm_early_job *job)
{
    struct gm_store *store = NULL;
    const struct gm_early_put put = {.texts = &job->texts,
                                     .own = {.job_id = job->id,
                                             .title = job->title,
                                             .source = json_string_value(job->source),
                                             .publication = job->publication},
                                     .begins = job->begins,
                                     .keeps_title = job->keeps_title,
                                     .until_unix_ms = gm_time_unix_ms() +
                                                      job->d->settings->publish_grace_s * 1000,
                                     .leads = leads,
                                     .arg = job};
    job->rc = 0;
    if (job->texts.rows == NULL) {
        job->rc = gm_prefix_write(job->prefix, gm_time_unix_ms(), &job->texts, &job->err);
    }
    if (job->rc == 0) {
        job->rc =
            gm_stores_open_marked(job->d->stores, job->out_url, job->out_mark, &store, &job->err);
    }
    if (job->rc == 0) {
        job->rc = gm_early_put(store, &put, &job->end, &job->err);
    }
    gm_store_close(&store);
}

static void write_work(void *arg)
{
    const struct gm_stores_limit limit = {.wanted = leads, .arg = arg};
    gm_stores_limit(&limit);
    write_step(arg);
    gm_stores_limit(NULL);
}

static void leave(const char *node_id, Gm__Envelope *envelope, void *arg)
{
    gm_wire_send(arg, node_id, envelope);
}

static void put_off(struct gm_early_job *job)
{
    gm_time pause = job->d->settings->early_s * GM_SEC;
    for (uint32_t i = 0; i < job->failures && pause < LONGEST_PAUSE; i++) {
        pause *= 2;
    }
    job->at = gm_time_now() + (pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE);
}

static void note_end(struct gm_early_job *job)
{
    if (job->rc == -GM_E_TITLE_EXISTS) {
        stop(job, "", &job->err);
    } else if (job->rc < 0) {
        if (atomic_load(&job->d->told) == 0) {
            gm_log_err(GM_LOG_WARN, "early_failed", &job->err, "job=%s", job->id);
        }
        job->failures++;
    } else if (job->end.passed) {
        stop(job, "another result stands there, or no beginning of this one", NULL);
    } else {
        gm_log(GM_LOG_INFO, "early_published", "job=%s segments=%zu end_ms=%lld", job->id,
               job->writing, (long long)gm_prefix_end_ms(job->prefix));
        job->written = job->writing;
        job->failures = 0;
        job->begins = false;
    }
    put_off(job);
}

/* The version is over, whatever came of it. */
static void release(struct gm_early_job *job)
{
    struct gm_daemon *d = job->d;
    bool next = job->publish_next && !d->stopping;
    gm_prefix_texts_fini(&job->texts);
    job->busy = job->publish_next = false;
    d->earlies.busy--;
    if (next) {
        gm_publish_start(d, job->id);
    }
}

static void write_done(void *arg)
{
    struct gm_early_job *job = arg;
    struct gm_daemon *d = job->d;
    gm_hold_end(&d->hold, &job->batch, leave, d);
    note_end(job);
    if (job->rc == 0 && job->end.replaced) {
        gm_retire_note(d, job->out_url, 1);
    }
    release(job);
}

static void start_write(struct gm_early_job *job)
{
    struct gm_early_view view;
    struct gm_daemon *d = job->d;
    bool open = gm_view_early(d->core, job->id, &view) && view.open &&
                strcmp(view.publication, job->publication) == 0;
    if (!open || d->stopping || d->works >= POOL_WORKS) { /* it is due again, where it is open */
        release(job);
        return;
    }
    (void)snprintf(job->batch.publication, sizeof job->batch.publication, "%s", job->publication);
    gm_hold_begin(&d->hold, &job->batch);
    int rc = gm_daemon_work(d, write_work, write_done, job, &job->err);
    if (rc < 0) {
        job->rc = rc;
        gm_hold_end(&d->hold, &job->batch, leave, d);
        note_end(job);
        release(job);
    }
}

static void on_registered(int rc, const struct gm_err *err, void *arg)
{
    struct gm_early_job *job = arg;
    if (rc < 0) { /* the scheduler ends: see on_durable in daemon.c */
        (void)err;
        release(job);
        return;
    }
    start_write(job);
}

/* The keys of the first version are those of all. */
static int name_keys(struct gm_early_job *job, struct gm_err *err)
{
    int rc = gm_prefix_write(job->prefix, gm_time_unix_ms(), &job->texts, err);
    if (rc < 0) {
        return rc;
    }
    job->keys = calloc(job->texts.count + 1, sizeof *job->keys);
    if (job->keys == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < job->texts.count; i++) {
        if (strncmp(job->texts.rows[i].key, "v/", 2) != 0) {
            continue;
        }
        char *key = strdup(job->texts.rows[i].key);
        if (key == NULL) {
            forget_keys(job);
            return gm_err_nomem(err);
        }
        job->keys[job->key_count++] = key;
    }
    return 0;
}

static int register_keys(struct gm_early_job *job, struct gm_err *err)
{
    int rc = job->keys == NULL ? name_keys(job, err) : 0;
    const struct gm_event event = {.type = GM_EV_EARLY,
                                   .job_id = job->id,
                                   .publication = job->publication,
                                   .keys = job->keys,
                                   .key_count = job->key_count};
    rc = rc < 0 ? rc : gm_daemon_step(job->d, &event, on_registered, job, err);
    if (rc == -GM_E_CONFLICT) { /* another job writes: what will stand there then? */
        job->begins = true;
    }
    return rc;
}

static void begin(struct gm_early_job *job)
{
    job->busy = true;
    job->d->earlies.busy++;
    job->writing = gm_prefix_count(job->prefix);
    job->end = (struct gm_early_end){false, false};
    struct gm_err err = {0};
    int rc = register_keys(job, &err);
    if (rc < 0) { /* else it may be the pool's by now */
        job->rc = rc;
        job->err = err;
        note_end(job);
        release(job);
    }
}

/* ---- the daemon's side */

/* Whether a version is due. */
static bool look(struct gm_early_job *job, size_t *left)
{
    struct gm_early_view view;
    struct gm_daemon *d = job->d;
    if (!gm_view_early(d->core, job->id, &view)) {
        forget(d, job);
        return false;
    }
    if (!view.open) {
        return false;
    }
    if (job->grown) {
        read_grown(job, view.publication, left);
    }
    return job->prefix != NULL && !job->grown && !job->stopped && gm_time_now() >= job->at &&
           gm_prefix_count(job->prefix) > job->written;
}

void gm_early_tick(struct gm_daemon *d)
{
    struct gm_early_job *job, *next, *due;
    size_t left = ITEMS_AT_ONCE;
    do {
        due = NULL;
        HASH_ITER(hh, d->earlies.jobs, job, next)
        {
            if (!job->busy && !d->stopping && look(job, &left) &&
                (due == NULL || job->at < due->at)) {
                due = job;
            }
        }
        if (due != NULL && d->earlies.busy < MOST && d->works < POOL_WORKS) {
            begin(due);
        } else {
            due = NULL;
        }
    } while (due != NULL);
}

bool gm_early_holds(struct gm_daemon *d, const char *job_id)
{
    struct gm_early_job *job = NULL;
    HASH_FIND_STR(d->earlies.jobs, job_id, job);
    if (job != NULL && job->busy) {
        job->publish_next = true;
        return true;
    }
    return false;
}

void gm_earlies_fini(struct gm_earlies *earlies)
{
    struct gm_early_job *job, *next;
    HASH_ITER(hh, earlies->jobs, job, next)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed has left the table */
        HASH_DEL(earlies->jobs, job);
        job_destroy(job);
    }
}
