/* Rows are the state: what they say, those too that wait for the disk, is loaded into a second
 * core, and both are written down as text and compared. What runs is in memory alone and left out.
 */
#include "sim/sim_io.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"
#include "scheduler/core/watch.h"

struct overlay { /* borrowed from rows or effects */
    char *id;    /* owned */
    struct gm_key key;
    const uint8_t *data;
    size_t size;
    uint8_t *own; /* owned: data where it was changed */
    UT_hash_handle hh;
};

static void put(struct overlay **rows, const struct gm_key *key, const uint8_t *data, size_t size)
{
    char id[GM_KEY_TEXT_BYTES];
    struct overlay *o = NULL;
    HASH_FIND_STR(*rows, gm_key_text(key, id), o);
    if (!o) {
        o = calloc(1, sizeof(*o));
        assert_non_null(o);
        o->id = strdup(id);
        HASH_ADD_KEYPTR(hh, *rows, o->id, strlen(o->id), o);
    }
    o->key = *key;
    o->data = data;
    o->size = size;
    for (struct overlay *r = key->kind == GM_ROW_JOB && !data ? *rows : NULL; r; r = r->hh.next) {
        r->data = r->key.job == key->job ? NULL : r->data;
    }
}

static void put_all(struct overlay **rows, const struct gm_effects *fx)
{
    for (size_t i = 0; i < fx->row_count; i++) {
        put(rows, &fx->rows[i].key, fx->rows[i].data, fx->rows[i].size);
    }
}

static void rows_free(struct overlay **rows)
{
    struct overlay *o, *next;
    HASH_ITER(hh, *rows, o, next)
    {
        HASH_DEL(*rows, o);
        free(o->own);
        free(o->id);
        free(o);
    }
}

/* loading: what the second core writes when it is loaded. */
static struct gm_core *load(struct sim *sim, const struct overlay *rows, struct gm_effects *loading)
{
    struct gm_core_params params = {.term = sim->term + 1,
                                    .lease_ms = sim->params.lease_ms,
                                    .last_lease_ms = sim->params.last_lease_ms,
                                    .stall_ms = sim->params.stall_ms,
                                    .device_wait_ms = sim->params.device_wait_ms,
                                    .max_attempts = sim->params.max_attempts,
                                    .retry_ms = sim->params.retry_ms,
                                    .loaded_unix_ms =
                                        SIM_UNIX_BASE + sim->now / GM_MS + sim->wall_ms,
                                    .backup_retry_s = sim->params.backup_retry_s,
                                    .keep_finished = sim->params.keep_finished,
                                    .keep_failed_ms = sim->params.keep_failed_ms};
    struct gm_core *core = NULL;
    struct gm_err err = {.code = GM_OK};
    assert_int_equal(gm_core_create(&params, &core, &err), 0);
    for (const struct overlay *o = rows; o; o = o->hh.next) {
        if (o->data) {
            assert_int_equal(gm_core_load(core, &o->key, o->data, o->size, &err), 0);
        }
    }
    if (gm_core_loaded(core, sim->now, loading, &err) < 0) {
        fail_msg("seed %u: the rows can't be loaded: %s", sim->params.seed, err.text);
    }
    return core;
}

static void write_inst_rows(struct gm_core *core, const struct gm_inst *inst)
{
    if (inst->unit.state == GM_TASK_DONE) {
        gm_core_row_task(core, inst);
    }
    for (size_t s = 0; s < inst->stream_count; s++) {
        for (size_t i = 0; i < inst->streams[s].size; i++) {
            if (gm_core_stream_has(&inst->streams[s], i)) {
                Gm__Item *item = gm_core_stream_item(&inst->streams[s], i);
                gm_core_row_item(core, inst, item);
                gm__item__free_unpacked(item, NULL);
            }
        }
    }
}

/* All that it would have on disk. */
static void write_rows(struct gm_core *core, struct gm_effects *fx)
{
    core->fx = fx;
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        gm_core_row_job(core, job);
        for (uint32_t t = 0; t < job->task_count; t++) {
            for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
                write_inst_rows(core, &job->tasks[t].insts[i]);
            }
        }
        for (size_t i = 0; i < job->attempt_count; i++) {
            gm_core_row_attempt(core, job, job->attempts[i]);
        }
        for (const struct gm_granted *g = job->objects; g; g = g->hh.next) {
            gm_core_row_object(core, job, g->object);
        }
    }
    for (const struct gm_drained *d = core->drained; d; d = d->hh.next) {
        gm_core_row_node(core, d->id);
    }
    for (const struct gm_cwatch *w = core->watches; w; w = w->hh.next) {
        if (gm_core_watch_is_kept(w)) { /* some nodes again: it is the same row */
            gm_core_row_node(core, w->node_id);
        }
    }
    for (const struct gm_history_entry *e = core->history.entries; e; e = e->hh.next) {
        if (!e->dirty) {
            gm_core_row_history(core, e);
        }
    }
    core->fx = NULL;
}

/* The attempt's job still has units to give out. */
static bool is_open(struct overlay *rows, const struct overlay *attempt)
{
    const struct gm_key key = {.kind = GM_ROW_JOB, .job = attempt->key.job};
    char id[GM_KEY_TEXT_BYTES];
    const struct overlay *o = NULL;
    HASH_FIND_STR(rows, gm_key_text(&key, id), o);
    Gm__JobRow *m = o && o->data ? gm__job_row__unpack(NULL, o->size, o->data) : NULL;
    bool open = m && (m->state == GM_JOB_QUEUED || m->state == GM_JOB_RUNNING);
    gm__job_row__free_unpacked(m, NULL);
    return open;
}

/* What runs may be taken over, but for a job that has no use for it. */
static void lose_running(struct overlay *rows)
{
    for (struct overlay *o = rows; o; o = o->hh.next) {
        Gm__AttemptRow *m = o->key.kind == GM_ROW_ATTEMPT && o->data
                                ? gm__attempt_row__unpack(NULL, o->size, o->data)
                                : NULL;
        if (m && m->outcome == GM_ATTEMPT_RUNNING && !is_open(rows, o)) {
            m->outcome = GM_ATTEMPT_LOST;
            o->size = gm__attempt_row__get_packed_size(m);
            o->own = malloc(o->size);
            assert_non_null(o->own);
            (void)gm__attempt_row__pack(m, o->own);
            o->data = o->own;
        }
        gm__attempt_row__free_unpacked(m, NULL);
    }
}

/* What was learned since then is written later: such a row may be older than its entry. */
static bool is_behind(const struct gm_core *core, const struct overlay *o)
{
    const char *prefix = "history/";
    const char *name = o->key.name ? o->key.name : "";
    bool history = o->key.kind == GM_ROW_NODE && strncmp(name, prefix, strlen(prefix)) == 0;
    const struct gm_history_entry *e =
        history ? gm_history_find(&core->history, name + strlen(prefix)) : NULL;
    if (!e || !e->dirty || !o->data) {
        return false;
    }
    Gm__NodeRow *m = gm__node_row__unpack(NULL, o->size, o->data);
    assert_true(m && m->history && !m->draining && m->history->stamp < e->stamp);
    assert_string_equal(m->node_id, name);
    gm__node_row__free_unpacked(m, NULL);
    return true;
}

/* Each row on disk, byte for byte, and no other. fx: what core would write. */
static void compare_rows(struct sim *sim, const struct gm_core *core, const struct overlay *rows,
                         const struct gm_effects *fx, const char *whose)
{
    struct overlay *theirs = NULL;
    size_t count = 0;
    put_all(&theirs, fx);
    for (const struct overlay *o = rows; o; o = o->hh.next) {
        const struct overlay *t = NULL;
        if (is_behind(core, o)) {
            continue;
        }
        HASH_FIND_STR(theirs, o->id, t);
        count += o->data ? 1 : 0;
        bool same =
            o->data ? t && t->size == o->size && memcmp(t->data, o->data, o->size) == 0 : t == NULL;
        if (!same) {
            fail_msg("seed %u, event %llu: row %s is %s, and not as the %s core has it",
                     sim->params.seed, (unsigned long long)sim->events, o->id,
                     o->data ? "on disk" : "deleted", whose);
        }
    }
    if (count != HASH_COUNT(theirs)) {
        fail_msg("seed %u, event %llu: %zu rows are on disk, the %s core has %u", sim->params.seed,
                 (unsigned long long)sim->events, count, whose, HASH_COUNT(theirs));
    }
    rows_free(&theirs);
}

static void write_unit(FILE *f, const char *what, size_t number, const struct gm_unit *u)
{
    bool final = gm_task_state_is_final(u->state);
    const char *state = u->state == GM_TASK_DONE      ? "done"
                        : final                       ? "over"
                        : u->state == GM_TASK_BLOCKED ? "blocked"
                                                      : "open";
    (void)fprintf(f, "  %s %zu %s", what, number, state);
    /* What made progress starts from nothing when it is lost. */
    const struct gm_attempt *last = u->lease ? u->lease->attempt : u->awaited;
    bool anew = last && last->chunks == 0 && last->progressed;
    if (!final) {
        (void)fprintf(f, " failures %u streak %u avoids %u", anew ? 0 : u->failures,
                      anew ? 0 : u->streak, anew ? 0 : u->avoid_count);
    }
    (void)fprintf(f, "\n");
}

static void write_objects(FILE *f, Gm__Object *const *objects, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(f, "      %d %s %" PRIu64 "\n", (int)objects[i]->store, objects[i]->key,
                      objects[i]->size);
    }
}

static void write_inst(FILE *f, const struct gm_inst *inst)
{
    write_unit(f, inst->task->name, inst->number, &inst->unit);
    (void)fprintf(f, "    result of %zu bytes\n", inst->meta_size);
    write_objects(f, inst->objects, inst->object_count);
    for (size_t c = 0; c < inst->chunk_count; c++) {
        write_unit(f, "  chunk", c, &inst->chunks[c].unit);
        (void)fprintf(f, "    %u + %u\n", inst->chunks[c].preroll, inst->chunks[c].frames);
    }
    for (size_t s = 0; s < inst->stream_count; s++) {
        const struct gm_stream *st = &inst->streams[s];
        (void)fprintf(f, "    stream %zu: %zu of %zu, last %" PRId64 "\n", s, st->committed,
                      st->size, st->last);
        for (size_t i = 0; i < st->size; i++) {
            if (gm_core_stream_has(st, i)) {
                Gm__Item *item = gm_core_stream_item(st, i);
                (void)fprintf(f, "     item %zu, %zu bytes\n", i, item->meta.len);
                write_objects(f, item->objects, item->n_objects);
                gm__item__free_unpacked(item, NULL);
            }
        }
    }
}

static void write_attempts(FILE *f, const struct gm_cjob *job)
{
    for (size_t i = 0; i < job->attempt_count; i++) {
        const struct gm_attempt *a = job->attempts[i];
        enum gm_attempt_outcome outcome =
            a->outcome == GM_ATTEMPT_RUNNING ? GM_ATTEMPT_LOST : a->outcome;
        (void)fprintf(
            f, "  attempt %" PRIu64 " %s/%u %" PRId64 "+%u %s/%s %s %s code %d chunk %" PRId64,
            a->number, a->inst->task->name, a->inst->number, a->first_chunk, a->chunks, a->node_id,
            a->device, a->chain, gm_attempt_outcome_name(outcome), (int)a->error.code,
            a->blamed_chunk);
        (void)fprintf(f, " charged %d %" PRId64 "\n", (int)a->charged, a->charged_chunk);
    }
}

static int by_id(const void *pa, const void *pb)
{
    return strcmp((*(struct gm_granted *const *)pa)->id, (*(struct gm_granted *const *)pb)->id);
}

static void write_granted(FILE *f, const struct gm_cjob *job)
{
    size_t count = 0;
    struct gm_granted **list = calloc(HASH_COUNT(job->objects) + 1, sizeof(struct gm_granted *));
    assert_non_null(list);
    for (struct gm_granted *g = job->objects; g; g = g->hh.next) {
        list[count++] = g;
    }
    qsort(list, count, sizeof(struct gm_granted *), by_id);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(f, "  granted %s %" PRIu64 " %s\n", list[i]->id, list[i]->object->size,
                      list[i]->committed ? "committed" : "loose");
    }
    free(list);
}

static void write_job(FILE *f, const struct gm_cjob *job)
{
    (void)fprintf(f, "job %s %" PRIu64 " %s, error %d, publication %s, chain %s, %s, %s, %s\n",
                  job->id, job->seq, gm_job_state_name(job->state), (int)job->error.code,
                  job->publication, job->chain ? job->chain->fingerprint : "-", job->chain_reason,
                  job->destination_mark, job->work_mark);
    (void)fprintf(f, "  tenant %s, deadline %" PRId64 "\n", job->tenant->name,
                  job->deadline_unix_ms);
    (void)fprintf(f,
                  "  cleanup %d, tried %d, cancel %d, planned %d, expanded %d, %" PRId64 " %" PRId64
                  " %" PRId64 "\n",
                  job->cleanup_pending, job->publish_tried, job->cancel_wanted,
                  (int)(job->planned || job->expanded), (int)job->expanded, job->created_unix_ms,
                  job->started_unix_ms, job->finished_unix_ms);
    (void)fprintf(f,
                  "  frames %" PRIu64 " %" PRIu64 " of %" PRIu64
                  ", rungs %u, renditions %u, works %u, memory %" PRIu64 "\n",
                  job->frames_known, job->frames_committed, job->estimated_frames, job->rungs,
                  job->renditions, job->work_count, job->encode_memory_bytes);
    for (size_t i = 0; i < job->lost_count; i++) {
        (void)fprintf(f, "  lost %s: %d\n", job->lost[i].name, (int)job->lost[i].why.code);
    }
    for (uint32_t t = 0; t < job->task_count; t++) {
        for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
            write_inst(f, &job->tasks[t].insts[i]);
        }
    }
    write_attempts(f, job);
    write_granted(f, job);
}

static char *write_core(const struct gm_core *core)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        write_job(f, job);
    }
    (void)fprintf(f, "unfinished %" PRIu64 ", finished %" PRIu64 ", next %" PRIu64 "\n",
                  core->unfinished, core->finished, core->next_seq);
    assert_int_equal(fclose(f), 0);
    return text;
}

/* The first line that differs. */
static void compare(struct sim *sim, const char *live, const char *loaded)
{
    const char *a = live, *b = loaded, *job = live;
    while (*a && *a == *b) {
        size_t n = strcspn(a, "\n");
        if (strncmp(a, b, n + 1) != 0) {
            break;
        }
        job = strncmp(a, "job ", 4) == 0 ? a : job;
        a += n + 1;
        b += n + 1;
    }
    if (*a != *b || strcmp(a, b) != 0) {
        fail_msg("seed %u, event %llu: the rows make another state, in %.*s:\n is     %.*s\n "
                 "loaded %.*s",
                 sim->params.seed, (unsigned long long)sim->events, (int)strcspn(job, ","), job,
                 (int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
    }
}

void sim_reload_check(struct sim *sim)
{
    struct overlay *rows = NULL;
    struct gm_effects loading = {0}, now = {0}, then = {0};
    struct gm_err err = {.code = GM_OK};
    for (const struct sim_row *r = sim->rows; r; r = r->hh.next) {
        put(&rows, &r->key, r->data, r->size);
    }
    for (const struct gm_row *r = NULL; (r = gm_lazy_next(sim->lazy, r)) != NULL;) {
        put(&rows, &r->key, r->data, r->size);
    }
    for (size_t i = 0; i < sim->pending_count; i++) {
        put_all(&rows, &sim->pending[i]);
    }
    write_rows(sim->core, &now);
    if (!sim->core->unstamped) { /* what a restart ended is written at its first tick */
        compare_rows(sim, sim->core, rows, &now, "live");
    }
    struct gm_core *again = load(sim, rows, &loading);
    put_all(&rows, &loading);
    lose_running(rows);
    write_rows(again, &then);
    compare_rows(sim, again, rows, &then, "loaded");
    char *live = write_core(sim->core), *loaded = write_core(again);
    if (gm_core_check(again, &err) < 0) {
        fail_msg("seed %u: the rows make a broken state: %s", sim->params.seed, err.text);
    }
    compare(sim, live, loaded);
    free(live);
    free(loaded);
    rows_free(&rows);
    gm_effects_fini(&loading);
    gm_effects_fini(&now);
    gm_effects_fini(&then);
    gm_core_destroy(&again);
    sim->reloads++;
}
