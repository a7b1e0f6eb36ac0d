/* The object stores: what nodes wrote, what a job publishes, what its end deletes
 * (scheduler/publish.c), and what is left then. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void sim_object_put(struct sim *sim, const struct sim_job *job, const Gm__Object *object)
{
    char id[256];
    make_id(job, object->store, object->key, id);
    struct sim_object *o = find(sim, id);
    sim_trace(sim, "%s: %s is written", job->id, id);
    if (!o) {
        o = calloc(1, sizeof(*o));
        assert_non_null(o);
        o->id = strdup(id);
        HASH_ADD_KEYPTR(hh, sim->objects, o->id, strlen(o->id), o);
    }
    o->size = object->size;
}

void sim_objects_publish(struct sim *sim, const struct sim_job *job)
{
    struct gm_objects_view objects;
    struct gm_err err;
    char id[256];
    assert_int_equal(gm_view_committed(sim->core, job->id, &objects, &err), 0);
    assert_true(objects.count > 0);
    for (size_t i = 0; i < objects.count; i++) {
        make_id(job, objects.rows[i].store, objects.rows[i].key, id);
        const struct sim_object *o = find(sim, id);
        if (!o || o->size != objects.rows[i].size) {
            fail_msg("seed %u: %s publishes, and %s is not there", sim->params.seed, job->id, id);
        }
    }
    gm_view_objects_fini(&objects);
}

/* *passed_over is set where another job is why it stays. */
static bool goes(struct sim *sim, const struct gm_job_view *job, const struct gm_object_view *o,
                 bool *passed_over)
{
    char own[96];
    if (o->store != GM__OBJECT_STORE__STORE_OUT) {
        return true;
    }
    (void)snprintf(own, sizeof(own), "v/%s/", job->publication);
    bool mine = strncmp(o->key, own, strlen(own)) == 0;
    bool stay = job->state == GM_JOB_DONE || job->keep_outputs;
    if (!o->stale && !(mine && (!stay || o->loose))) {
        *passed_over = *passed_over || !mine;
        return false;
    }
    if (mine && stay) {
        bool shared = gm_view_is_output_shared(sim->core, job->id, o->key);
        *passed_over = *passed_over || shared;
        return !shared;
    }
    char publication[64];
    (void)snprintf(publication, sizeof(publication), "%.*s", (int)strcspn(o->key + 2, "/"),
                   o->key + 2);
    bool shared = gm_view_is_publication_shared(sim->core, job->id, publication);
    *passed_over = *passed_over || shared;
    return !shared;
}

bool sim_objects_clean(struct sim *sim, const struct sim_job *job)
{
    bool passed_over = false;
    struct gm_job_view view;
    struct gm_objects_view objects;
    struct gm_err err;
    char id[256];
    assert_int_equal(gm_view_job(sim->core, job->id, &view, &err), 0);
    assert_int_equal(gm_view_objects(sim->core, job->id, &objects, &err), 0);
    for (size_t i = 0; i < objects.count; i++) {
        make_id(job, objects.rows[i].store, objects.rows[i].key, id);
        struct sim_object *o = find(sim, id);
        if (goes(sim, &view, &objects.rows[i], &passed_over) && o) {
            sim_trace(sim, "%s: deletes %s", job->id, id);
            drop(sim, o);
        }
    }
    gm_view_objects_fini(&objects);
    gm_view_job_fini(&view);
    return passed_over;
}

/* It keeps its outputs, and this is one of them. */
static bool keeps(struct sim *sim, const struct sim_job *job, const char *id)
{
    struct gm_job_view view;
    struct gm_objects_view objects;
    struct gm_err err;
    char own[256];
    bool found = false;
    assert_int_equal(gm_view_job(sim->core, job->id, &view, &err), 0);
    bool stay = view.state == GM_JOB_DONE || view.keep_outputs;
    gm_view_job_fini(&view);
    if (!stay) {
        return false;
    }
    assert_int_equal(gm_view_committed(sim->core, job->id, &objects, &err), 0);
    for (size_t i = 0; i < objects.count && !found; i++) {
        make_id(job, objects.rows[i].store, objects.rows[i].key, own);
        found = strcmp(own, id) == 0;
    }
    gm_view_objects_fini(&objects);
    return found;
}

void sim_objects_check(struct sim *sim)
{
    for (const struct sim_object *o = sim->objects; o; o = o->hh.next) {
        bool kept = false;
        for (uint32_t j = 0; j < sim->job_count && !kept; j++) {
            kept = keeps(sim, &sim->jobs[j], o->id);
        }
        if (!kept) {
            fail_msg("seed %u: object %s is left, and nobody's", sim->params.seed, o->id);
        }
    }
}

void sim_objects_free(struct sim *sim)
{
    struct sim_object *o, *next;
    HASH_ITER(hh, sim->objects, o, next)
    {
        drop(sim, o);
    }
}
