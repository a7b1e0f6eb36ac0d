/* The object stores: what nodes wrote, what manifests at the destinations name, what the end of a
 * job deletes, and what is left then. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.pb-c.h"

/* Jobs of a kind have one destination. */
static void make_id(const struct sim_job *job, Gm__ObjectStore store, const char *key,
                    char out[256])
{
    if (store == GM__OBJECT_STORE__STORE_OUT) {
        (void)snprintf(out, 256, "out %d/%s", (int)job->kind, key);
    } else {
        (void)snprintf(out, 256, "work/%s", key);
    }
}

static struct sim_object *find(struct sim *sim, const char *id)
{
    struct sim_object *o = NULL;
    HASH_FIND_STR(sim->objects, id, o);
    return o;
}

static void drop(struct sim *sim, struct sim_object *o)
{
    HASH_DEL(sim->objects, o);
    free(o->id);
    free(o);
}

void sim_object_put(struct sim *sim, const struct sim_job *job, const Gm__Object *object, bool late)
{
    char id[256];
    make_id(job, object->store, object->key, id);
    struct sim_object *o = find(sim, id);
    sim_trace(sim, "%s: %s is written%s", job->id, id, late ? ", late" : "");
    if (!o) {
        o = calloc(1, sizeof(*o));
        assert_non_null(o);
        o->id = strdup(id);
        o->late = late;
        HASH_ADD_KEYPTR(hh, sim->objects, o->id, strlen(o->id), o);
    }
    o->late = o->late && late;
    o->size = object->size;
    assert_int_equal(object->sha256.len, sizeof(o->hash));
    memcpy(o->hash, object->sha256.data, sizeof(o->hash));
}

static bool is_as(const struct sim_object *o, uint64_t size, const uint8_t *hash)
{
    return o && o->size == size && memcmp(o->hash, hash, sizeof(o->hash)) == 0;
}

void sim_objects_publish(struct sim *sim, const struct sim_job *job)
{
    struct gm_objects_view objects;
    struct gm_err err;
    char id[256];
    bool good = false;
    assert_int_equal(gm_view_committed(sim->core, job->id, &objects, &err), 0);
    assert_true(objects.count > 0);
    for (size_t i = 0; i < objects.count; i++) { /* a key may have several sizes, one is enough */
        const struct gm_object_view *o = &objects.rows[i];
        bool more = i + 1 < objects.count && strcmp(o->key, o[1].key) == 0;
        make_id(job, o->store, o->key, id);
        struct sim_object *there = find(sim, id);
        good = good || is_as(there, o->size, o->sha256);
        if (!good && !more) {
            fail_msg("seed %u: %s publishes, and %s is %s", sim->params.seed, job->id, id,
                     there ? "another" : "not there");
        }
        good = good && more;
        if (there) {
            there->published |= UINT64_C(1) << (job - sim->jobs);
        }
    }
    gm_view_objects_fini(&objects);
}

static void manifest_fini(struct sim_manifest *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->ids[i]);
    }
    free(m->ids);
    *m = (struct sim_manifest){0};
}

void sim_manifest_write(struct sim *sim, const struct sim_job *job, bool mpd)
{
    struct sim_manifest *m = &sim->manifests[job->kind][mpd];
    uint64_t mine = UINT64_C(1) << (job - sim->jobs);
    manifest_fini(m);
    m->job = job;
    m->ids = calloc(HASH_COUNT(sim->objects) + 1, sizeof(char *));
    assert_non_null(m->ids);
    for (const struct sim_object *o = sim->objects; o; o = o->hh.next) {
        if (o->published & mine) {
            m->ids[m->count++] = strdup(o->id);
        }
    }
    sim_trace(sim, "%s: %s is written, and names %zu objects", job->id,
              mpd ? "manifest.mpd" : "master.m3u8", m->count);
}

static bool names(const struct sim_manifest *m, const char *id)
{
    for (size_t i = 0; i < m->count; i++) {
        if (strcmp(m->ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

/* The manifest at a destination that names it, or NULL. */
static const struct sim_manifest *find_manifest(const struct sim *sim, const char *id)
{
    for (size_t i = 0; i < SIM_KINDS * 2; i++) {
        if (names(&sim->manifests[i / 2][i % 2], id)) {
            return &sim->manifests[i / 2][i % 2];
        }
    }
    return NULL;
}

void sim_object_delete(struct sim *sim, const struct sim_job *job, Gm__ObjectStore store,
                       const char *key)
{
    char id[256];
    make_id(job, store, key, id);
    struct sim_object *o = find(sim, id);
    if (!o) {
        return;
    }
    const struct sim_manifest *m = find_manifest(sim, id);
    if (m && !sim_knows(sim, m->job->id)) {
        return; /* what other farms' manifests name is looked for before (scheduler/standing.h) */
    }
    if (m) {
        fail_msg("seed %u: %s deletes %s, which a manifest of %s names", sim->params.seed, job->id,
                 id, m->job->id);
    }
    sim_trace(sim, "%s: deletes %s", job->id, id);
    drop(sim, o);
}

/* Its outputs are to stay, and are its from now on: it may not have come to looking at them. */
static bool keeps(struct sim *sim, const struct sim_job *job)
{
    struct gm_job_view view;
    struct gm_objects_view objects;
    struct gm_err err;
    char id[256];
    if (job->pruned) {
        return job->pruned_keeps;
    }
    assert_int_equal(gm_view_job(sim->core, job->id, &view, &err), 0);
    bool stay = view.state == GM_JOB_DONE || view.keep_outputs;
    gm_view_job_fini(&view);
    assert_int_equal(gm_view_committed(sim->core, job->id, &objects, &err), 0);
    for (size_t i = 0; stay && i < objects.count; i++) {
        make_id(job, objects.rows[i].store, objects.rows[i].key, id);
        struct sim_object *o = find(sim, id);
        if (o) {
            o->published |= UINT64_C(1) << (job - sim->jobs);
        }
    }
    gm_view_objects_fini(&objects);
    return stay;
}

static void check_row(struct sim *sim, const struct sim_job *job, Gm__Object *const *objects,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Gm__Object *o = objects[i];
        char id[256];
        make_id(job, o->store, o->key, id);
        if (o->store == GM__OBJECT_STORE__STORE_OUT &&
            !is_as(find(sim, id), o->size, o->sha256.data)) {
            fail_msg("seed %u: %s keeps %s, which is %s", sim->params.seed, job->id, id,
                     find(sim, id) ? "another" : "not there");
        }
    }
}

/* It ended, was cleaned up, and all of that is on disk. */
static bool is_at_rest(struct sim *sim, const char *id)
{
    struct gm_job_view view;
    struct gm_err err;
    if (sim->pending_count > 0 || gm_view_job(sim->core, id, &view, &err) < 0) {
        return false;
    }
    bool over = gm_job_state_is_final(view.state) && !view.cleanup_pending;
    gm_view_job_fini(&view);
    return over;
}

/* What a done job's rows on disk name is there, and so is what any job says that it has. */
static void check_rows(struct sim *sim)
{
    for (const struct sim_row *r = sim->rows; r; r = r->hh.next) {
        enum gm_row_kind kind = r->key.kind;
        const struct sim_job *job = sim_find_seq(sim, r->key.job);
        bool result = kind == GM_ROW_ITEM || kind == GM_ROW_TASK;
        bool names = job && ((result && sim_state(sim, job->id) == GM_JOB_DONE) ||
                             (kind == GM_ROW_OBJECT && is_at_rest(sim, job->id)));
        if (!names) {
            continue;
        }
        if (kind == GM_ROW_OBJECT) {
            Gm__ObjectRow *row = gm__object_row__unpack(NULL, r->size, r->data);
            assert_non_null(row);
            check_row(sim, job, &row->object, 1);
            gm__object_row__free_unpacked(row, NULL);
        } else if (kind == GM_ROW_ITEM) {
            Gm__ItemRow *row = gm__item_row__unpack(NULL, r->size, r->data);
            assert_non_null(row);
            check_row(sim, job, row->item->objects, row->item->n_objects);
            gm__item_row__free_unpacked(row, NULL);
        } else {
            Gm__TaskRow *row = gm__task_row__unpack(NULL, r->size, r->data);
            assert_non_null(row);
            check_row(sim, job, row->objects, row->n_objects);
            gm__task_row__free_unpacked(row, NULL);
        }
    }
}

void sim_objects_check(struct sim *sim)
{
    uint64_t keep = 0;
    for (uint32_t j = 0; j < sim->job_count; j++) {
        keep |= keeps(sim, &sim->jobs[j]) ? UINT64_C(1) << j : 0;
    }
    for (const struct sim_object *o = sim->objects; o; o = o->hh.next) {
        if (!(o->published & keep) && !o->late) {
            fail_msg("seed %u: object %s is left, and nobody's", sim->params.seed, o->id);
        }
        sim->late += o->late;
    }
    for (size_t i = 0; i < SIM_KINDS * 2; i++) {
        const struct sim_manifest *m = &sim->manifests[i / 2][i % 2];
        for (size_t k = 0; k < m->count; k++) {
            if (!find(sim, m->ids[k])) {
                fail_msg("seed %u: a manifest of %s names %s, which is not there", sim->params.seed,
                         m->job->id, m->ids[k]);
            }
        }
    }
    check_rows(sim);
}

void sim_objects_free(struct sim *sim)
{
    struct sim_object *o, *next;
    HASH_ITER(hh, sim->objects, o, next)
    {
        drop(sim, o);
    }
    for (size_t i = 0; i < SIM_KINDS * 2; i++) {
        manifest_fini(&sim->manifests[i / 2][i % 2]);
    }
}
