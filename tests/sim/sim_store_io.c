/* The scheduler's store: rows, and steps on their way into it. A batch is there whole or not at
 * all, as SQLite promises (tests/scheduler/test_sqlite_power.c holds it to that); a crash loses
 * what was not committed, and may come between a commit and the messages that it lets go. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/fsm.h"
#include "state.pb-c.h"

#define LATE_MS 1000

struct sim_row *sim_row_find(struct sim *sim, const struct gm_key *key)
{
    char id[GM_KEY_TEXT_BYTES];
    struct sim_row *row = NULL;
    HASH_FIND_STR(sim->rows, gm_key_text(key, id), row);
    return row;
}

bool sim_row_key(struct sim *sim, const char *unit, struct gm_key *out)
{
    char id[32], task[32];
    unsigned instance;
    bool found = false;
    assert_int_equal(sscanf(unit, "%31[^/]/%31[^/]/%u", id, task, &instance), 3);
    const struct sim_job *job = sim_find_job(sim, id);
    struct gm_key key = {.kind = GM_ROW_JOB, .job = job ? job->seq : 0};
    const struct sim_row *row = sim_row_find(sim, &key);
    Gm__JobRow *m = row ? gm__job_row__unpack(NULL, row->size, row->data) : NULL;
    for (size_t i = 0; m && i < m->pipeline->n_tasks; i++) {
        if (strcmp(m->pipeline->tasks[i]->name, task) == 0) {
            *out = (struct gm_key){
                .kind = GM_ROW_TASK, .job = key.job, .task = (uint32_t)i, .instance = instance};
            found = true;
        }
    }
    gm__job_row__free_unpacked(m, NULL);
    return found;
}

static void free_row(struct sim_row *row)
{
    free(row->id);
    free(row->key.name);
    free(row->data);
    free(row);
}

static bool is_result(enum gm_row_kind kind)
{
    return kind == GM_ROW_ITEM || kind == GM_ROW_TASK;
}

/* What was acknowledged goes only with its plan, or its job. */
static bool may_go(const struct gm_effects *fx)
{
    for (size_t i = 0; i < fx->event_count; i++) {
        if (strcmp(fx->events[i].type, "job.replanned") == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < fx->row_count; i++) {
        if (fx->rows[i].key.kind == GM_ROW_JOB && !fx->rows[i].data) {
            return true;
        }
    }
    return false;
}

/* The core forgets it. */
static void prune(struct sim *sim, const struct sim_row *row)
{
    struct sim_job *job = sim_find_seq(sim, row->key.job);
    if (!job) {
        return; /* a test has forgotten it, too */
    }
    Gm__JobRow *m = gm__job_row__unpack(NULL, row->size, row->data);
    assert_non_null(m);
    if (!gm_job_state_is_final((enum gm_job_state)m->state)) {
        fail_msg("seed %u: %s is forgotten before its end", sim->params.seed, row->id);
    }
    job->pruned = true;
    job->pruned_as = (enum gm_job_state)m->state;
    job->pruned_keeps = m->state == GM_JOB_DONE || m->publish_tried;
    sim->pruned++;
    gm__job_row__free_unpacked(m, NULL);
}

void sim_row_drop(struct sim *sim, struct sim_row *row)
{
    HASH_DEL(sim->rows, row);
    free_row(row);
}

static void delete_row(struct sim *sim, const struct gm_row *row, const struct gm_effects *fx)
{
    struct sim_row *old = sim_row_find(sim, &row->key), *next;
    if (!old) {
        return;
    }
    if (is_result(row->key.kind) && !may_go(fx)) {
        fail_msg("seed %u: row %s was committed and is deleted", sim->params.seed, old->id);
    }
    if (row->key.kind != GM_ROW_JOB) {
        sim_row_drop(sim, old);
        return;
    }
    prune(sim, old);
    HASH_ITER(hh, sim->rows, old, next)
    {
        if (old->key.job == row->key.job) {
            sim_row_drop(sim, old);
        }
    }
}

/* By which number the store knows the job. */
static void note_seq(struct sim *sim, const struct gm_row *row)
{
    Gm__JobRow *m = gm__job_row__unpack(NULL, row->size, row->data);
    assert_non_null(m);
    struct sim_job *job = sim_find_job(sim, m->id);
    if (job) {
        job->seq = row->key.job;
    }
    gm__job_row__free_unpacked(m, NULL);
}

static void keep_lazy(struct sim *sim, const struct gm_row *row)
{
    struct gm_err err;
    struct gm_row copy = *row;
    copy.key.name = row->key.name ? strdup(row->key.name) : NULL;
    copy.data = malloc(row->size + 1);
    assert_non_null(copy.data);
    memcpy(copy.data, row->data, row->size);
    assert_int_equal(gm_lazy_put(&sim->lazy, &copy, sim->now, &err), 0);
}

static void put_row(struct sim *sim, const struct gm_row *row)
{
    char id[GM_KEY_TEXT_BYTES];
    struct sim_row *r = sim_row_find(sim, &row->key);
    if (r && is_result(row->key.kind)) {
        fail_msg("seed %u: row %s is committed twice", sim->params.seed, r->id);
    }
    if (!r) {
        r = calloc(1, sizeof(*r));
        assert_non_null(r);
        r->key = row->key;
        r->key.name = row->key.name ? strdup(row->key.name) : NULL;
        r->id = strdup(gm_key_text(&row->key, id));
        HASH_ADD_KEYPTR(hh, sim->rows, r->id, strlen(r->id), r);
        if (row->key.kind == GM_ROW_JOB) {
            note_seq(sim, row);
        }
    }
    free(r->data);
    r->size = row->size;
    r->data = malloc(row->size + 1);
    assert_non_null(r->data);
    memcpy(r->data, row->data, row->size);
}

static void commit_row(struct sim *sim, const struct gm_row *row, const struct gm_effects *fx)
{
    if (row->lazy) {
        keep_lazy(sim, row);
        return;
    }
    gm_lazy_drop(&sim->lazy, row);
    if (row->data) {
        put_row(sim, row);
    } else {
        delete_row(sim, row, fx);
    }
}

/* Lazy rows that have waited until then. */
static void write_lazy(struct sim *sim, gm_time until)
{
    struct gm_row row;
    while (gm_lazy_take(&sim->lazy, until, &row)) {
        put_row(sim, &row);
        gm_row_fini(&row);
    }
}

void sim_store_keep(struct sim *sim, struct gm_effects *fx)
{
    if (sim->pending_count == sim->pending_cap) {
        sim->pending_cap = sim->pending_cap ? sim->pending_cap * 2 : 16;
        sim->pending = realloc(sim->pending, sim->pending_cap * sizeof(*sim->pending));
        assert_non_null(sim->pending);
    }
    sim->pending[sim->pending_count++] = *fx;
}

/* What waited for the disk leaves. */
static void release(struct sim *sim, struct gm_effects *fx)
{
    for (size_t s = 0; s < fx->send_count; s++) {
        if (fx->sends[s].durable && !gm_hold_keep(&sim->hold, &fx->sends[s])) {
            sim_deliver(sim, &fx->sends[s]);
        }
    }
    for (size_t p = 0; p < fx->publish_count; p++) {
        sim_daemon_publish(sim, fx->publishes[p].job_id);
    }
    for (size_t b = 0; b < fx->backup_count; b++) {
        *(fx->backups[b].tells ? &sim->tells : &sim->backups) += 1;
    }
    for (size_t c = 0; c < fx->cleanup_count; c++) {
        sim_daemon_clean(sim, fx->cleanups[c].job_id);
    }
}

static void write_steps(struct sim *sim, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t r = 0; r < sim->pending[i].row_count; r++) {
            commit_row(sim, &sim->pending[i].rows[r], &sim->pending[i]);
        }
        sim_ledger_stored(sim, &sim->pending[i]);
    }
}

static void commit_steps(struct sim *sim, size_t count)
{
    write_steps(sim, count);
    struct gm_effects *batch = sim->pending; /* what leaves makes new steps */
    size_t all = sim->pending_count;
    sim->pending = NULL;
    sim->pending_count = sim->pending_cap = 0;
    for (size_t i = count; i < all; i++) {
        sim_store_keep(sim, &batch[i]);
    }
    sim->writing = 0;
    for (size_t i = 0; i < count; i++) {
        release(sim, &batch[i]);
        gm_effects_fini(&batch[i]);
    }
    free(batch);
}

void sim_commit(struct sim *sim)
{
    commit_steps(sim, sim->pending_count);
    write_lazy(sim, INT64_MAX);
}

/* That an attempt began may be on disk later than what came of it. */
static void lose_beginnings(struct sim *sim)
{
    int64_t unix_ms = SIM_UNIX_BASE + sim->now / GM_MS + sim->wall_ms;
    struct sim_row *row, *next;
    HASH_ITER(hh, sim->rows, row, next)
    {
        Gm__AttemptRow *m = row->key.kind == GM_ROW_ATTEMPT
                                ? gm__attempt_row__unpack(NULL, row->size, row->data)
                                : NULL;
        bool young = m && m->outcome == GM_ATTEMPT_RUNNING && !m->progressed &&
                     m->started_unix_ms > unix_ms - LATE_MS;
        gm__attempt_row__free_unpacked(m, NULL);
        if (young && sim_random(sim, 2) == 0) {
            sim_trace(sim, "store: row %s was not there yet", row->id);
            sim_row_drop(sim, row);
        }
    }
}

void sim_store_crash(struct sim *sim)
{
    if (sim->writing > 0 && sim_random(sim, 2) == 0) {
        sim_trace(sim, "store: the batch of %zu steps is there, and nobody was told", sim->writing);
        write_steps(sim, sim->writing);
    }
    for (size_t i = 0; i < sim->pending_count; i++) {
        gm_effects_fini(&sim->pending[i]);
    }
    sim->pending_count = sim->writing = 0;
    gm_lazy_fini(&sim->lazy);
    if (sim->params.late_starts) {
        lose_beginnings(sim);
    }
}

void sim_store_step(struct sim *sim)
{
    write_lazy(sim, sim->now);
    if (sim->params.commit_ms == 0) {
        if (sim_random(sim, 3) > 0) {
            sim_commit(sim);
        }
        return;
    }
    if (sim->writing > 0 && sim->now >= sim->written_at) {
        if (sim_happens(sim, sim->params.commit_fails)) {
            sim_trace(sim, "store: a commit fails");
            sim_restart(sim);
            return;
        }
        commit_steps(sim, sim->writing);
    }
    if (sim->writing == 0 && sim->pending_count > 0) {
        sim->writing = sim->pending_count;
        sim->written_at = sim->now + sim_random(sim, sim->params.commit_ms) * GM_MS;
    }
}

void sim_store_free(struct sim *sim)
{
    struct sim_row *row, *next;
    HASH_ITER(hh, sim->rows, row, next)
    {
        HASH_DEL(sim->rows, row);
        free_row(row);
    }
    for (size_t i = 0; i < sim->pending_count; i++) {
        gm_effects_fini(&sim->pending[i]);
    }
    free(sim->pending);
    gm_lazy_fini(&sim->lazy);
}
