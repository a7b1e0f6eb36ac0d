/* What the daemon does in stores for the core (scheduler/publish.c): a job's manifests are written,
 * its objects deleted, one step at a time while all else goes on. A scheduler that dies leaves what
 * it was at where it stands. Grants wait for the deletions below their publication, by the daemon's
 * own rule (scheduler/hold.h).
 */
#include "sim/sim_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELETE_BATCH 3 /* small, that there is much between them */

/* Publishing: outputs, report, master, mpd. */
enum { STEP_OUTPUTS, STEP_REPORT, STEP_MASTER, STEP_MPD, STEPS };

static void keys_fini(struct sim_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        free(keys->keys[i]);
    }
    free(keys->keys);
}

static void op_free(struct sim_op *op)
{
    keys_fini(&op->out);
    keys_fini(&op->work);
    keys_fini(&op->beside);
    free(op);
}

static gm_time next_due(struct sim *sim)
{
    return sim->now + sim_random(sim, sim->params.store_ms) * GM_MS;
}

static void take_out(struct sim *sim, size_t i)
{
    memmove(&sim->ops[i], &sim->ops[i + 1], (sim->op_count - i - 1) * sizeof(struct sim_op *));
    sim->op_count--;
}

static bool find_op(const struct sim *sim, const char *job_id, size_t *out_at)
{
    for (*out_at = 0; *out_at < sim->op_count; ++*out_at) {
        if (strcmp(sim->ops[*out_at]->job->id, job_id) == 0) {
            return true;
        }
    }
    return false;
}

void sim_daemon_told(struct sim *sim, const char *job_id)
{
    size_t at;
    if (find_op(sim, job_id, &at)) {
        op_free(sim->ops[at]);
        take_out(sim, at);
    }
}

static struct sim_op *begin(struct sim *sim, const char *job_id, bool cleanup)
{
    size_t at;
    if (find_op(sim, job_id, &at) && sim->ops[at]->step == 0) {
        sim_daemon_told(sim, job_id); /* by a test, before it was asked for */
    } else if (at < sim->op_count) {
        fail_msg("seed %u: %s is published or cleaned up twice at once", sim->params.seed, job_id);
    }
    struct sim_op *op = calloc(1, sizeof(*op));
    assert_non_null(op);
    assert_true(sim->op_count < SIM_JOBS);
    op->job = sim_find_job(sim, job_id);
    op->cleanup = cleanup;
    sim->ops[sim->op_count++] = op;
    return op;
}

void sim_daemon_publish(struct sim *sim, const char *job_id)
{
    struct sim_op *op = begin(sim, job_id, false);
    struct gm_job_view view;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, job_id, &view, &err), 0);
    op->good = view.error.code == GM_OK;
    gm_view_job_fini(&view);
    sim_ledger_publish(sim, job_id);
}

static void add(struct sim_keys *keys, const char *key)
{
    keys->keys = realloc(keys->keys, (keys->count + 1) * sizeof(char *));
    assert_non_null(keys->keys);
    keys->keys[keys->count] = strdup(key);
    assert_non_null(keys->keys[keys->count]);
    keys->count++;
}

static bool is_of(const char *key, const char *publication)
{
    char name[GM_HOLD_NAME];
    gm_hold_publication(key, name);
    return strcmp(name, publication) == 0;
}

static void collect(struct sim *sim, struct sim_op *op)
{
    struct gm_job_view view;
    struct gm_objects_view objects;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, op->job->id, &view, &err), 0);
    assert_int_equal(gm_view_objects(sim->core, op->job->id, &objects, &err), 0);
    op->stay = view.state == GM_JOB_DONE || view.keep_outputs;
    (void)snprintf(op->publication, sizeof(op->publication), "%s", view.publication);
    for (size_t i = 0; i < objects.count; i++) {
        const struct gm_object_view *o = &objects.rows[i];
        if (o->store != GM__OBJECT_STORE__STORE_OUT) {
            add(&op->work, o->key);
        } else if (o->stale || (is_of(o->key, op->publication) && (!op->stay || o->loose))) {
            add(&op->out, o->key);
        } else {
            op->passed_over = op->passed_over || !is_of(o->key, op->publication);
        }
    }
    const char *id;
    for (size_t i = 0; !op->stay && (id = gm_view_beside(sim->core, op->job->id, i)) != NULL; i++) {
        add(&op->beside, id);
    }
    gm_view_objects_fini(&objects);
    gm_view_job_fini(&view);
}

void sim_daemon_clean(struct sim *sim, const char *job_id)
{
    collect(sim, begin(sim, job_id, true));
}

static void end(struct sim *sim, struct sim_op *op, bool failed)
{
    struct gm_event event = {.type = op->cleanup ? GM_EV_CLEANED : GM_EV_PUBLISHED,
                             .job_id = op->job->id,
                             .manifests = failed && op->manifests,
                             .passed_over = op->passed_over};
    if (failed) {
        event.failure.code =
            !op->cleanup && sim->params.publish_code ? sim->params.publish_code : GM_E_STORE;
    } else if (op->cleanup) {
        op->job->cleaned++;
    } else {
        op->job->published++;
    }
    assert_int_equal(sim_event(sim, &event, NULL), 0); /* op is gone */
}

/* Returns true when it is over. A manifest whose writing failed may stand all the same. */
static bool publish_step(struct sim *sim, struct sim_op *op)
{
    if (op->step == STEP_OUTPUTS) {
        op->fails = sim_happens(sim, sim->params.publish_fails);
        op->fails_at = !op->fails ? STEPS : sim_random(sim, sim->params.manifests ? STEPS : 2);
    }
    bool fails = op->step == op->fails_at;
    bool manifest = op->good && op->step >= STEP_MASTER;
    op->manifests = op->manifests || manifest;
    if (op->step == STEP_OUTPUTS && op->good) {
        sim_objects_publish(sim, op->job);
    } else if (manifest && (!fails || sim_random(sim, 2) == 0)) {
        sim_manifest_write(sim, op->job, op->step == STEP_MPD);
    }
    op->step++;
    if (fails || op->step == STEPS) {
        end(sim, op, fails);
        return true;
    }
    return false;
}

static void leave(const char *node_id, Gm__Envelope *envelope, void *arg)
{
    struct sim *sim = arg;
    struct gm_send send = {.node_id = (char *)(uintptr_t)node_id, .envelope = envelope};
    sim_deliver(sim, &send);
}

static bool goes_alone(const struct sim_op *op)
{
    return (op->stay || op->beside.count > 0) &&
           strcmp(op->batch.publication, op->publication) == 0;
}

/* As is_kept of scheduler/publish.c. */
static bool is_kept(struct sim *sim, struct sim_op *op)
{
    const char *id = op->job->id, *publication = op->batch.publication;
    bool alone = goes_alone(op), beside = alone && !op->stay, known = true;
    bool kept = beside  ? gm_view_is_publication_made(sim->core, id, publication)
                : alone ? false
                        : gm_view_is_publication_shared(sim->core, id, publication);
    for (size_t i = 0; beside && i < op->beside.count; i++) {
        known = known && gm_view_is_beside(sim->core, id, op->beside.keys[i]);
    }
    op->passed_over = op->passed_over || kept;
    return kept || !known;
}

/* As next_batch of scheduler/publish.c. */
static bool next_outputs(struct sim *sim, struct sim_op *op)
{
    while (op->out.next < op->out.count) {
        const char *id = op->job->id;
        gm_hold_publication(op->out.keys[op->out.next], op->batch.publication);
        if (is_kept(sim, op)) {
            while (op->out.next < op->out.count &&
                   is_of(op->out.keys[op->out.next], op->batch.publication)) {
                op->out.next++;
            }
            continue;
        }
        size_t at = op->out.next;
        while (at < op->out.count && at - op->out.next < DELETE_BATCH &&
               is_of(op->out.keys[at], op->batch.publication) &&
               !(goes_alone(op) && gm_view_is_output_shared(sim->core, id, op->out.keys[at]))) {
            at++;
        }
        if (at > op->out.next) {
            op->end = at;
            return true;
        }
        op->passed_over = op->passed_over || op->stay;
        op->out.next++;
    }
    return false;
}

static void delete_batch(struct sim *sim, struct sim_op *op)
{
    struct sim_keys *keys = op->deleting_out ? &op->out : &op->work;
    for (; keys->next < op->end; keys->next++) {
        if (op->fails && sim_random(sim, 3) == 0) {
            op->work_failed = !op->deleting_out;
            op->out.next = op->deleting_out ? op->out.count : op->out.next; /* the rest waits */
            break;
        }
        sim_object_delete(sim, op->job,
                          op->deleting_out ? GM__OBJECT_STORE__STORE_OUT
                                           : GM__OBJECT_STORE__STORE_WORK,
                          keys->keys[keys->next]);
    }
    if (op->deleting_out) {
        gm_hold_end(&sim->hold, &op->batch, leave, sim);
    }
}

/* The next batch is named; it goes in the next step. */
static bool next_batch(struct sim *sim, struct sim_op *op)
{
    op->deleting_out = !op->work_failed && next_outputs(sim, op);
    if (op->deleting_out) {
        gm_hold_begin(&sim->hold, &op->batch);
        return true;
    }
    size_t left = op->work.count - op->work.next;
    op->end = op->work.next + (left < DELETE_BATCH ? left : DELETE_BATCH);
    return !op->work_failed && left > 0;
}

static bool clean_step(struct sim *sim, struct sim_op *op)
{
    if (op->step++ == 0) {
        op->fails = sim_happens(sim, sim->params.clean_fails);
    } else {
        delete_batch(sim, op);
    }
    if (next_batch(sim, op)) {
        return false;
    }
    end(sim, op, op->fails);
    return true;
}

bool sim_daemon_clean_now(struct sim *sim, struct sim_job *job)
{
    struct sim_op *op = calloc(1, sizeof(*op));
    assert_non_null(op);
    op->job = job;
    collect(sim, op);
    while (next_batch(sim, op)) {
        delete_batch(sim, op);
    }
    bool passed_over = op->passed_over;
    op_free(op);
    return passed_over;
}

void sim_daemon_step(struct sim *sim)
{
    for (size_t i = 0; i < sim->op_count;) {
        struct sim_op *op = sim->ops[i];
        bool over = false;
        while (!over && sim->now >= op->due) {
            over = op->cleanup ? clean_step(sim, op) : publish_step(sim, op);
            if (!over) {
                op->due = sim->params.store_ms > 0 ? next_due(sim) + 1 : 0;
            }
        }
        i += over ? 0 : 1;
    }
}

void sim_daemon_crash(struct sim *sim)
{
    while (sim->op_count > 0) {
        op_free(sim->ops[--sim->op_count]);
    }
    gm_hold_fini(&sim->hold);
    sim->hold = (struct gm_hold){0};
}
