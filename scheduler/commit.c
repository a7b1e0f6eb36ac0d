/* The commit thread and the two batches: `filling` belongs to the loop, `writing` to the thread
 * from the moment it is handed over until the thread posts it back. */
#include "scheduler/commit.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/crash.h"
#include "common/log.h"
#include "common/loop.h"
#include "scheduler/lazy.h"
#include "scheduler/overload.h"

/* A disk of flash syncs in a millisecond, one that turns in ten; from a second on nodes wait. */
const struct gm_bounds gm_commit_bounds = {11,
                                           {GM_MS, 2 * GM_MS, 5 * GM_MS, 10 * GM_MS, 20 * GM_MS,
                                            50 * GM_MS, 100 * GM_MS, 200 * GM_MS, 500 * GM_MS,
                                            GM_SEC, 5 * GM_SEC}};

#define FULL_EVERY GM_SEC /* how often a disk without room is tried */

struct batch {
    struct gm_row *rows; /* owned, and what they hold */
    size_t row_count, row_cap;
    struct gm_state_event *events; /* borrow from entries */
    size_t event_count, event_cap;
    struct gm_commit_entry *entries; /* owned */
    size_t entry_count, entry_cap;
    size_t bytes;
    bool asked; /* something of it must be on disk */
};

struct gm_commit {
    struct gm_state *state; /* borrowed */
    struct gm_post *post;   /* owned */
    gm_commit_fn fn;
    void *arg;
    int64_t next_seq;
    struct batch filling;
    struct batch writing;
    struct gm_lazy *lazy; /* owned */
    bool flushing;        /* none is lazy any more */
    bool busy;            /* loop's view: `writing` is with the thread */
    bool full;            /* `writing` found no room so far */
    bool releasing;       /* entries are handed back: those that come now are behind them */
    gm_time handed_at;
    struct gm_flow flow;
    struct gm_commit_counts counts;
    int failed;
    struct gm_err error;

    uv_thread_t thread;
    bool has_thread;
    uv_mutex_t mutex;
    uv_cond_t cond;
    bool handed;           /* under mutex: `writing` waits for the thread */
    bool quit;             /* under mutex */
    bool hasty;            /* under mutex: what finds no room is given up */
    bool untidy;           /* the thread's */
    bool mute;             /* the same: its last beat found no room */
    bool is_lost;          /* the same */
    struct gm_err lost;    /* set by the thread before it posts on_lost */
    struct gm_err no_room; /* the same, of on_full */
    int rc;                /* the thread's answer, read by the loop after its post */
    struct gm_err err;
};

static void batch_fini(struct batch *b)
{
    for (size_t i = 0; i < b->row_count; i++) {
        gm_row_fini(&b->rows[i]);
    }
    for (size_t i = 0; i < b->entry_count; i++) {
        gm_effects_fini(&b->entries[i].effects);
    }
    free(b->rows);
    free(b->events);
    free(b->entries);
    *b = (struct batch){0};
}

static void release(struct gm_commit *c, struct batch *b, int rc, const struct gm_err *err)
{
    c->releasing = true;
    for (size_t i = 0; i < b->entry_count; i++) {
        c->fn(&b->entries[i], rc, err, c->arg);
    }
    c->releasing = false;
    batch_fini(b);
}

/* Lazy rows that have waited go along with the batch, behind what it has. */
static void take_lazy(struct gm_commit *c)
{
    struct batch *b = &c->filling;
    gm_time now = c->flushing ? INT64_MAX : gm_time_now();
    gm_time due = gm_lazy_due(c->lazy);
    struct gm_row row;
    struct gm_err err;
    while (due > 0 && due <= now &&
           gm_array_reserve(&b->rows, b->row_count, 1, &b->row_cap, sizeof *b->rows, &err) == 0 &&
           gm_lazy_take(&c->lazy, now, &row)) { /* without memory they wait for the next time */
        b->rows[b->row_count++] = row;
        b->bytes += row.size;
        due = gm_lazy_due(c->lazy);
    }
}

static void hand_over(struct gm_commit *c)
{
    if (c->busy || c->failed < 0) {
        return;
    }
    take_lazy(c);
    if (!c->filling.asked && c->filling.row_count == 0) {
        return;
    }
    c->writing = c->filling;
    c->filling = (struct batch){0};
    c->busy = true;
    c->handed_at = gm_time_now();
    uv_mutex_lock(&c->mutex);
    c->handed = true;
    uv_cond_signal(&c->cond);
    uv_mutex_unlock(&c->mutex);
}

/* Starts the next batch, or hands back what waits for none. */
static void settle(struct gm_commit *c)
{
    hand_over(c);
    while (!c->busy && !c->releasing && c->failed == 0 && c->filling.entry_count > 0) {
        struct batch light = c->filling;
        c->filling = (struct batch){0};
        release(c, &light, 0, NULL);
        hand_over(c);
    }
}

/* On the loop: the batch that was written comes back. */
static void on_written(void *arg)
{
    struct gm_commit *c = arg;
    struct batch done = c->writing;
    c->writing = (struct batch){0};
    c->busy = false;
    if (c->full && c->rc == 0) {
        gm_log(GM_LOG_INFO, "state_has_room", "waited_ms=%lld",
               (long long)((gm_time_now() - c->handed_at) / GM_MS));
    }
    c->full = false;
    if (c->rc < 0) {
        c->failed = c->rc;
        c->error = c->err;
        release(c, &done, c->rc, &c->error);
        struct batch rest = c->filling;
        c->filling = (struct batch){0};
        release(c, &rest, c->rc, &c->error);
        return;
    }
    gm_time took = gm_time_now() - c->handed_at;
    gm_flow_note(&c->flow, done.bytes, took);
    c->counts.commits++;
    c->counts.rows += done.row_count;
    c->counts.bytes += done.bytes;
    gm_histogram_note(&c->counts.took, &gm_commit_bounds, took);
    hand_over(c);
    release(c, &done, 0, NULL);
    settle(c);
}

/* Who waits for the batch does not wait for this. The same again is not told again. */
static void tidy(struct gm_commit *c)
{
    struct gm_err err = {0};
    bool failed = gm_state_tidy(c->state, &err) < 0;
    if (failed && !c->untidy) {
        gm_log_err(GM_LOG_WARN, "log_stays", &err, "file=state.db-wal");
    }
    c->untidy = failed;
}

/* On the loop: this scheduler leads no more, or its database is gone. An entry of nothing says so.
 */
static void on_lost(void *arg)
{
    struct gm_commit *c = arg;
    struct gm_commit_entry nothing = {0};
    if (c->failed == 0) {
        struct batch rest = c->filling;
        c->failed = -(int)c->lost.code;
        c->error = c->lost;
        c->filling = (struct batch){0};
        release(c, &rest, c->failed, &c->error);
        c->fn(&nothing, c->failed, &c->error, c->arg);
    }
}

/* Between batches; once that fails there is no more to say. What finds no room is said again. */
static void beat(struct gm_commit *c)
{
    struct gm_err err = {0};
    int rc = gm_state_beat(c->state, &err);
    if (rc == -GM_E_STATE_FULL && !c->mute) {
        gm_log_err(GM_LOG_ERROR, "state_full", &err, "retry_ms=%d",
                   (int)(gm_state_beat_every(c->state) / GM_MS));
    }
    c->mute = rc == -GM_E_STATE_FULL;
    if (rc < 0 && !c->mute) {
        c->lost = err;
        c->is_lost = true;
        if (gm_post(c->post, on_lost, c, NULL) < 0) {
            abort(); /* who goes on leading must know that another one does */
        }
    }
}

/* Until there is a batch (true), or this is the end (false). */
static bool wait_for_batch(struct gm_commit *c)
{
    bool work, quit;
    do {
        gm_time every = c->is_lost ? 0 : gm_state_beat_every(c->state);
        bool due = false;
        uv_mutex_lock(&c->mutex);
        while (!c->handed && !c->quit && !due) {
            if (every == 0) {
                uv_cond_wait(&c->cond, &c->mutex);
            } else {
                due = uv_cond_timedwait(&c->cond, &c->mutex, (uint64_t)every) == UV_ETIMEDOUT;
            }
        }
        work = c->handed;
        quit = c->quit;
        c->handed = false;
        uv_mutex_unlock(&c->mutex);
        if (!work && !quit) {
            beat(c);
        }
    } while (!work && !quit);
    return work;
}

/* On the loop. */
static void on_full(void *arg)
{
    struct gm_commit *c = arg;
    c->full = c->busy;
    gm_log_err(GM_LOG_ERROR, "state_full", &c->no_room, "retry_ms=%d", (int)(FULL_EVERY / GM_MS));
}

/* Until what found no room is to be tried again. False: for the last time. */
static bool wait_for_room(struct gm_commit *c)
{
    bool due = false;
    uv_mutex_lock(&c->mutex);
    while (!c->quit && !c->hasty && !due) {
        due = uv_cond_timedwait(&c->cond, &c->mutex, (uint64_t)FULL_EVERY) == UV_ETIMEDOUT;
    }
    bool again = !c->quit && !c->hasty;
    uv_mutex_unlock(&c->mutex);
    return again;
}

/* Nothing of a batch that finds no room is stored, and nothing behind it was begun: all of it is
 * tried again, and what must not leave before goes on waiting. */
static int write_batch(struct gm_commit *c, const struct gm_state_batch *batch)
{
    int rc = gm_state_commit(c->state, batch, &c->err);
    if (rc == -GM_E_STATE_FULL) {
        c->no_room = c->err;
        if (gm_post(c->post, on_full, c, NULL) < 0) {
            return rc; /* then it ends as for another failure */
        }
    }
    for (bool more = true; rc == -GM_E_STATE_FULL && more;) {
        more = wait_for_room(c);
        rc = gm_state_commit(c->state, batch, &c->err);
    }
    return rc;
}

static void thread_main(void *arg)
{
    struct gm_commit *c = arg;
    while (wait_for_batch(c)) {
        struct gm_state_batch batch = {.rows = c->writing.rows,
                                       .row_count = c->writing.row_count,
                                       .events = c->writing.events,
                                       .event_count = c->writing.event_count};
        GM_CRASH("commit.before");
        c->rc = write_batch(c, &batch);
        bool ok = c->rc == 0; /* before it is the loop's */
        GM_CRASH("commit.after");
        if (gm_post(c->post, on_written, c, NULL) < 0) {
            abort(); /* an acknowledged commit that nobody hears of can't be undone */
        }
        if (ok) {
            tidy(c);
        }
    }
}

int gm_commit_start(uv_loop_t *loop, struct gm_state *state, gm_commit_fn fn, void *arg,
                    struct gm_commit **out, struct gm_err *err)
{
    struct gm_commit *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return gm_err_nomem(err);
    }
    c->state = state;
    c->fn = fn;
    c->arg = arg;
    c->next_seq = gm_state_last_event(state) + 1;
    int rc = gm_post_create(loop, &c->post, err);
    if (rc < 0) {
        free(c);
        return rc;
    }
    int uv = uv_mutex_init(&c->mutex);
    GM_ASSERT(uv == 0);
    uv = uv_cond_init(&c->cond);
    GM_ASSERT(uv == 0);
    rc = gm_thread_start(&c->thread, thread_main, c, err);
    if (rc < 0) {
        gm_commit_stop(&c);
        return rc;
    }
    c->has_thread = true;
    *out = c;
    return 0;
}

static int add_events(struct gm_commit *c, struct gm_commit_entry *entry, int64_t wall,
                      struct gm_err *err)
{
    struct batch *b = &c->filling;
    int rc = gm_array_reserve(&b->events, b->event_count, entry->effects.event_count, &b->event_cap,
                              sizeof *b->events, err);
    if (rc < 0) {
        return rc;
    }
    entry->first_seq = c->next_seq;
    for (size_t i = 0; i < entry->effects.event_count; i++) {
        const struct gm_job_event *e = &entry->effects.events[i];
        if (!e->durable) {
            continue;
        }
        b->events[b->event_count++] = (struct gm_state_event){
            .seq = c->next_seq++, .job = e->job, .type = e->type, .json = e->json, .unix_ms = wall};
        b->bytes += strlen(e->json);
    }
    return 0;
}

static bool asks_for_disk(const struct gm_commit *c, const struct gm_commit_entry *entry)
{
    const struct gm_effects *fx = &entry->effects;
    bool asks = entry->answer != NULL || fx->publish_count > 0 || fx->cleanup_count > 0 ||
                fx->backup_count > 0;
    for (size_t i = 0; !asks && i < fx->row_count; i++) {
        asks = !fx->rows[i].lazy || c->flushing;
    }
    for (size_t i = 0; !asks && i < fx->send_count; i++) {
        asks = fx->sends[i].durable;
    }
    for (size_t i = 0; !asks && i < fx->event_count; i++) {
        asks = fx->events[i].durable;
    }
    return asks;
}

/* There is room for all of them. */
static int move_rows(struct gm_commit *c, struct gm_effects *fx, struct gm_err *err)
{
    struct batch *b = &c->filling;
    gm_time now = gm_time_now();
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < fx->row_count; i++) {
        struct gm_row *row = &fx->rows[i];
        if (row->lazy && !c->flushing) {
            rc = gm_lazy_put(&c->lazy, row, now, err);
            continue;
        }
        gm_lazy_drop(&c->lazy, row);
        b->bytes += row->size;
        b->rows[b->row_count++] = *row;
        *row = (struct gm_row){0};
    }
    return rc;
}

/* Half of a step may be in the batch that fills: it is not written, and nothing after it. */
static void lose(struct gm_commit *c, int rc)
{
    struct batch rest = c->filling;
    c->filling = (struct batch){0};
    c->failed = rc;
    (void)gm_err_set(&c->error, (enum gm_code) - rc, 0, "a step was lost");
    release(c, &rest, rc, &c->error);
}

int gm_commit_add(struct gm_commit *c, struct gm_commit_entry *entry, int64_t wall_unix_ms,
                  struct gm_err *err)
{
    struct batch *b = &c->filling;
    struct gm_effects *fx = &entry->effects;
    int rc =
        c->failed < 0 ? gm_err_set(err, c->error.code, c->error.native, "%s", c->error.text) : 0;
    if (rc == 0) {
        rc = gm_array_reserve(&b->rows, b->row_count, fx->row_count, &b->row_cap, sizeof *b->rows,
                              err);
    }
    if (rc == 0) {
        rc = gm_array_reserve(&b->entries, b->entry_count, 1, &b->entry_cap, sizeof *b->entries,
                              err);
    }
    if (rc == 0) {
        rc = add_events(c, entry, wall_unix_ms, err);
    }
    bool asks = asks_for_disk(c, entry);
    if (rc == 0) {
        rc = move_rows(c, fx, err);
    }
    if (rc < 0) {
        gm_effects_fini(fx);
        if (c->failed == 0) {
            lose(c, rc);
        }
        return rc;
    }
    b->asked = b->asked || asks;
    fx->row_count = 0; /* the array stays with the effects, what it held is the batch's */
    b->entries[b->entry_count++] = *entry;
    *entry = (struct gm_commit_entry){0};
    settle(c);
    return 0;
}

int64_t gm_commit_next_event(const struct gm_commit *c)
{
    return c->next_seq;
}

void gm_commit_tick(struct gm_commit *c)
{
    settle(c);
}

void gm_commit_flush(struct gm_commit *c)
{
    c->flushing = true;
    uv_mutex_lock(&c->mutex);
    c->hasty = true;
    uv_cond_signal(&c->cond);
    uv_mutex_unlock(&c->mutex);
    settle(c);
}

size_t gm_commit_backlog(const struct gm_commit *c)
{
    return c->filling.bytes;
}

const struct gm_commit_counts *gm_commit_counts(const struct gm_commit *c)
{
    return &c->counts;
}

uint32_t gm_commit_wait_s(const struct gm_commit *c)
{
    return gm_flow_wait_s(&c->flow, c->filling.bytes + c->writing.bytes);
}

bool gm_commit_is_idle(const struct gm_commit *c)
{
    return !c->busy && c->filling.entry_count == 0 && c->filling.row_count == 0;
}

bool gm_commit_is_full(const struct gm_commit *c)
{
    return c->full;
}

static bool is_end(const struct gm_job_event *e)
{
    return strcmp(e->type, "job.done") == 0 || strcmp(e->type, "job.failed") == 0 ||
           strcmp(e->type, "job.cancelled") == 0;
}

static bool batch_has_end(const struct batch *b, const char *job_id)
{
    for (size_t i = 0; i < b->entry_count; i++) {
        const struct gm_effects *fx = &b->entries[i].effects;
        for (size_t e = 0; e < fx->event_count; e++) {
            if (is_end(&fx->events[e]) && strcmp(fx->events[e].job_id, job_id) == 0) {
                return true;
            }
        }
    }
    return false;
}

bool gm_commit_has_end(const struct gm_commit *c, const char *job_id)
{
    return batch_has_end(&c->writing, job_id) || batch_has_end(&c->filling, job_id);
}

void gm_commit_stop(struct gm_commit **commit)
{
    struct gm_commit *c = *commit;
    if (c == NULL) {
        return;
    }
    if (c->has_thread) {
        uv_mutex_lock(&c->mutex);
        c->quit = true;
        uv_cond_signal(&c->cond);
        uv_mutex_unlock(&c->mutex);
        (void)uv_thread_join(&c->thread);
    }
    struct gm_err err;
    int rc = gm_err_set(&err, GM_E_CANCELLED, 0, "the scheduler is stopping");
    if (c->failed == 0) { /* what the thread finished is still released; nothing more is started */
        c->failed = rc;
        c->error = err;
    }
    gm_post_destroy(&c->post);
    release(c, &c->filling, rc, &err);
    gm_lazy_fini(&c->lazy);
    uv_cond_destroy(&c->cond);
    uv_mutex_destroy(&c->mutex);
    free(c);
    *commit = NULL;
}
