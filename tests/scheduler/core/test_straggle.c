/* Runs that take too long are given out a second time. */
#include <stdio.h>
#include <string.h>

#include "scheduler/core/job.h"
#include "scheduler/core/story.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"
#include "scheduler/core/watch.h"

/* A farm whose first run stands still; its job's others teach how long runs take. */
struct tail {
    struct sim *sim;
    struct gm_lease *slow;
    struct sim_node *node;
    struct sim_task *task;
    uint64_t attempt;          /* of slow, and the rest of it may not outlive it */
    const struct gm_cnode *on; /* slow's */
};

static struct gm_lease *find_run(struct sim *sim, uint64_t task_id)
{
    for (struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
        if (l->chunk_count > 0 && !l->cancelling && l->task_id == task_id) {
            return l;
        }
    }
    return NULL;
}

/* A run that has made nothing yet, on that node; NULL: none. */
static struct sim_task *find_new_run(struct sim *sim, struct sim_node *node)
{
    for (size_t i = 0; i < SIM_TASKS; i++) {
        struct sim_task *t = &node->tasks[i];
        if (t->assign && strcmp(t->assign->spec->task, "video") == 0 && t->position == 0 &&
            find_run(sim, t->assign->task_id)) {
            return t;
        }
    }
    return NULL;
}

/* Of an even seed it is on the last node that has one, else on the first. */
static struct tail tail_open(const struct sim_params *params)
{
    struct tail t = {.sim = sim_create(params)};
    sim_run(t.sim, 2);
    (void)sim_submit(t.sim, "job", 24, 0, 50);
    for (uint32_t i = 0; i < 600 && !t.slow; i++) {
        sim_step(t.sim);
        sim_commit(t.sim);
        for (uint32_t n = 0; n < params->nodes && !t.task; n++) {
            t.node = &t.sim->nodes[params->seed % 2 ? n : params->nodes - 1 - n];
            t.task = find_new_run(t.sim, t.node);
        }
        if (t.task) {
            t.slow = find_run(t.sim, t.task->assign->task_id);
            t.task->hung = true;
            t.slow->progress = t.task->progress = 1; /* its worker is there */
            t.attempt = t.slow->attempt->number;
            t.on = t.slow->node;
        }
    }
    assert_non_null(t.slow);
    return t;
}

static bool is_copied(struct sim *sim)
{
    for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
        if (l->is_copy) {
            return true;
        }
    }
    return false;
}

static struct gm_attempt *attempt_of(const struct tail *t, uint64_t number)
{
    struct gm_cjob *job = t->sim->core->jobs;
    assert_true(number > 0 && number <= job->attempt_count);
    assert_int_equal(job->attempts[number - 1]->number, number);
    return job->attempts[number - 1];
}

static void nobody_was_charged(const struct tail *t)
{
    const struct gm_cjob *job = t->sim->core->jobs;
    for (uint32_t k = 0; k < job->task_count; k++) {
        assert_int_equal(job->tasks[k].failures, 0);
    }
    for (size_t i = 0; i < job->encode->insts[0].chunk_count; i++) {
        assert_false(job->encode->insts[0].chunks[i].alone);
    }
}

/* Tasks that failed on the node's processors and passed elsewhere. */
static uint32_t strikes_of(const struct tail *t, const struct gm_cnode *node)
{
    const struct gm_cwatch *w = gm_core_watch_find(t->sim->core, node->id, "cpu");
    return w ? gm_health_strikes(&w->health) : 0;
}

static struct sim_task *find_task(struct sim *sim, const struct gm_lease *lease)
{
    for (uint32_t n = 0; n < sim->params.nodes; n++) {
        for (size_t i = 0; i < SIM_TASKS; i++) {
            struct sim_task *task = &sim->nodes[n].tasks[i];
            if (task->assign && task->assign->task_id == lease->task_id) {
                return task;
            }
        }
    }
    fail_msg("no node has the task");
    return NULL;
}

/* The task of the lease on its node stands still, or goes on. */
static void hang(struct sim *sim, const struct gm_lease *lease, bool hung)
{
    find_task(sim, lease)->hung = hung;
}

static void a_run_that_stands_still_is_copied_and_the_copy_wins(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
    struct tail t = tail_open(&params);
    uint32_t turns = 0;
    while (!is_copied(t.sim) && t.sim->now < 60 * GM_SEC) {
        turns = t.sim->core->order.turns;
        sim_step(t.sim);
    }
    assert_true(is_copied(t.sim));
    assert_int_equal(t.sim->core->order.turns, turns); /* a copy is nobody's turn */
    struct gm_lease *copy = t.slow->twin;
    assert_true(copy->is_copy && copy->node != t.slow->node);
    assert_int_equal(copy->first_chunk + copy->chunk_count,
                     t.slow->first_chunk + t.slow->chunk_count);
    assert_true(copy->work == 0 && t.slow->work == 0);
    sim_until(t.sim, sim_all_final, 20); /* before the watchdog */
    assert_int_equal(sim_state(t.sim, "job"), GM_JOB_DONE);
    sim_check_done(t.sim, &t.sim->jobs[0]);
    assert_int_equal(t.sim->copies, 1);
    assert_int_equal(attempt_of(&t, t.attempt)->outcome, GM_ATTEMPT_CANCELLED);
    nobody_was_charged(&t);
    assert_int_equal(strikes_of(&t, t.on), 1); /* its device let it hang */
    sim_destroy(t.sim);
}

/* Slow is not broken, and what a node does that is not heard of is not known. */
static void what_a_copy_overtakes_without_standing_still_is_no_strike(void **arg)
{
    enum { MOVES, WAITS_FOR_A_WORKER, IS_NOT_HEARD, FAILED_BEFORE, WAYS };
    (void)arg;
    for (int way = 0; way < WAYS; way++) {
        struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
        struct tail t = tail_open(&params);
        t.node->parted = way == IS_NOT_HEARD;
        if (way == WAITS_FOR_A_WORKER) {
            t.slow->progress = t.task->progress = 0;
        }
        t.slow->inst->chunks[t.slow->first_chunk].alone = way == FAILED_BEFORE;
        for (int i = 0; i < 400 && !sim_all_final(t.sim); i++) {
            t.task->progress += way == MOVES ? 1 : 0;
            sim_step(t.sim);
        }
        assert_int_equal(t.sim->copies, 1);
        assert_int_equal(attempt_of(&t, t.attempt)->outcome, GM_ATTEMPT_CANCELLED);
        assert_int_equal(strikes_of(&t, t.on), 0);
        sim_destroy(t.sim);
    }
}

/* As if all others took ns for a frame, and the slow one's node so many times that. */
static void teach(struct tail *t, uint64_t ns, uint64_t slower_percent)
{
    struct gm_history *h = &t->sim->core->history;
    static const char *const kinds[] = {"cpu/cpu/encode/14/h264.8/", "cpu/*/encode/14/h264.8/"};
    gm_history_fini(h);
    for (const struct gm_cnode *n = t->sim->core->nodes; n; n = n->hh.next) {
        uint64_t percent = n == t->on ? slower_percent : 100;
        struct gm_history_sample s = {.cost_ns = ns * percent / 100};
        for (size_t i = 0; i < 2; i++) {
            assert_null(gm_history_learn(h, kinds[i], gm_history_node(n->id), &s));
        }
    }
}

/* Beats may be shorter than the time between what a worker that is well says. */
static void a_life_sign_may_take_longer_than_many_beats(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
    struct tail t = tail_open(&params);
    sim_until(t.sim, is_copied, 30);
    t.sim->core->heartbeat_time = 200 * GM_MS;
    t.slow->progress_at = t.sim->now - GM_SEC; /* the next one is due */
    t.slow->expires_at = t.sim->now + t.sim->core->lease_time;
    for (int i = 0; i < 400 && !sim_all_final(t.sim); i++) {
        teach(&t, 1000, 100); /* the copy takes longer than usual */
        sim_step(t.sim);
    }
    assert_int_equal(attempt_of(&t, t.attempt)->outcome, GM_ATTEMPT_CANCELLED);
    assert_int_equal(strikes_of(&t, t.on), 0);
    sim_destroy(t.sim);
}

static void the_first_one_may_win_too(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
    struct tail t = tail_open(&params);
    sim_until(t.sim, is_copied, 30);
    uint64_t copy = t.slow->twin->attempt->number;
    sim_commit(t.sim);
    hang(t.sim, t.slow->twin, true);
    t.task->hung = false;
    sim_until(t.sim, sim_all_final, 20);
    sim_check_done(t.sim, &t.sim->jobs[0]);
    assert_int_equal(attempt_of(&t, copy)->outcome, GM_ATTEMPT_CANCELLED);
    assert_int_equal(attempt_of(&t, t.attempt)->outcome, GM_ATTEMPT_DONE);
    nobody_was_charged(&t);
    assert_null(t.sim->core->watches);
    sim_destroy(t.sim);
}

/* Each of the two makes some of the chunks. */
static void both_may_commit_and_each_chunk_is_committed_once(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
    struct tail t = tail_open(&params);
    sim_until(t.sim, is_copied, 30);
    t.task->hung = false; /* the store of the simulation fails where an item comes twice */
    sim_until(t.sim, sim_all_final, 20);
    sim_check_done(t.sim, &t.sim->jobs[0]);
    nobody_was_charged(&t);
    sim_destroy(t.sim);
}

static void fails(struct tail *t, struct gm_lease *lease, enum gm_code code)
{
    for (uint32_t n = 0; n < t->sim->params.nodes; n++) {
        for (size_t i = 0; i < SIM_TASKS; i++) {
            struct sim_task *task = &t->sim->nodes[n].tasks[i];
            if (task->assign && task->assign->task_id == lease->task_id) {
                sim_task_fail(t->sim, &t->sim->nodes[n], task, code, 0, -1);
                return;
            }
        }
    }
    fail_msg("no node has the task");
}

static void one_that_fails_leaves_the_units_to_the_other(void **arg)
{
    (void)arg;
    for (int copy_fails = 0; copy_fails < 2; copy_fails++) {
        struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
        struct tail t = tail_open(&params);
        sim_until(t.sim, is_copied, 30);
        sim_commit(t.sim);
        struct gm_lease *copy = t.slow->twin, *stays = copy_fails ? t.slow : copy;
        struct gm_unit *unit = &copy->inst->chunks[copy->first_chunk].unit;
        const struct gm_cnode *failed = copy_fails ? copy->node : t.on;
        hang(t.sim, copy, true);
        /* even with what is never tried again: the other one will show whether it is so */
        fails(&t, copy_fails ? copy : t.slow, copy_fails ? GM_E_MEDIA : GM_E_WORKER_DIED);
        assert_int_equal(strikes_of(&t, failed), 0); /* it may be the work */
        assert_null(stays->twin);
        assert_false(stays->is_copy);
        assert_ptr_equal(unit->lease, stays);
        assert_int_equal(unit->failures, 0);
        hang(t.sim, stays, false);
        sim_until(t.sim, sim_all_final, 30);
        sim_check_done(t.sim, &t.sim->jobs[0]);
        assert_int_equal(t.sim->copies, 1); /* a chunk is copied once */
        nobody_was_charged(&t);
        assert_int_equal(strikes_of(&t, failed), 1);
        sim_destroy(t.sim);
    }
}

static void the_last_of_both_is_charged(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
    struct tail t = tail_open(&params);
    sim_until(t.sim, is_copied, 30);
    sim_commit(t.sim);
    struct gm_lease *copy = t.slow->twin;
    const struct gm_unit *unit = &copy->inst->chunks[copy->first_chunk].unit;
    hang(t.sim, copy, true);
    fails(&t, t.slow, GM_E_WORKER_DIED);
    assert_int_equal(unit->failures, 0);
    fails(&t, copy, GM_E_WORKER_DIED);
    assert_int_equal(unit->failures, 1);
    sim_until(t.sim, sim_all_final, 60);
    sim_check_done(t.sim, &t.sim->jobs[0]);
    for (const struct gm_cnode *n = t.sim->core->nodes; n; n = n->hh.next) {
        assert_int_equal(strikes_of(&t, n), 0); /* it failed in two places */
    }
    sim_destroy(t.sim);
}

/* How many ways of naming the objects of that chunk of `video` are in the store. */
static uint32_t ways_of(const struct sim *sim, uint32_t chunk)
{
    char part[48];
    bool plain = false, other = false;
    (void)snprintf(part, sizeof(part), "video/0/0-%u", chunk);
    for (const struct sim_object *o = sim->objects; o; o = o->hh.next) {
        const char *at = strstr(o->id, part);
        if (at) {
            bool strays = strstr(at, "-other") != NULL;
            plain = plain || !strays;
            other = other || strays;
        }
    }
    return (plain ? 1u : 0u) + (other ? 1u : 0u);
}

/* Both have stored the chunk, under names of their own, before one of them says so. */
static void what_the_loser_named_otherwise_is_deleted(void **arg)
{
    (void)arg;
    uint32_t both = 0;
    for (uint32_t seed = 1; seed < 12; seed++) {
        struct sim_params params = {.seed = seed, .nodes = 3, .slots = 1};
        struct tail t = tail_open(&params);
        sim_until(t.sim, is_copied, 30);
        sim_commit(t.sim);
        uint32_t chunk = t.slow->twin->first_chunk;
        struct sim_task *copy = find_task(t.sim, t.slow->twin);
        if (t.task->grant_asked || copy->grant_asked) { /* by the names that they had */
            sim_destroy(t.sim);
            continue;
        }
        t.sim->jobs[0].strays = true;
        copy->assign->spec->attempt = 2; /* that one's names are others */
        t.task->assign->spec->attempt = 3;
        t.sim->params.put_ms = 900;
        t.task->hung = false;
        uint32_t most = 0;
        for (int i = 0; i < 3000 && !sim_all_final(t.sim); i++) {
            uint32_t ways = ways_of(t.sim, chunk);
            most = ways > most ? ways : most;
            sim_step(t.sim);
        }
        sim_run(t.sim, 30);
        sim_commit(t.sim);
        sim_check_done(t.sim, &t.sim->jobs[0]);
        sim_objects_check(t.sim); /* each is one that the job publishes */
        assert_int_equal(ways_of(t.sim, chunk), 1);
        both += most == 2 ? 1 : 0;
        sim_destroy(t.sim);
    }
    assert_true(both > 0);
}

static struct gm_lease *find_epoch(struct sim *sim, uint64_t epoch)
{
    struct gm_lease *l = NULL;
    HASH_FIND(hh, sim->core->leases, &epoch, sizeof(epoch), l);
    return l;
}

/* Whichever node comes first; either may be the one that ends the job. */
static void both_go_on_when_the_scheduler_starts_anew(void **arg)
{
    (void)arg;
    for (int way = 0; way < 4; way++) {
        bool copy_first = way % 2, copy_wins = way / 2;
        struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
        struct tail t = tail_open(&params);
        sim_until(t.sim, is_copied, 30);
        hang(t.sim, t.slow->twin, true);
        sim_commit(t.sim);
        uint64_t epoch = t.slow->epoch, copy_epoch = t.slow->twin->epoch;
        uint64_t copy_attempt = t.slow->twin->attempt->number;
        uint32_t first = t.slow->twin->first_chunk;
        for (uint32_t n = 0; n < params.nodes; n++) {
            t.sim->nodes[n].parted = (&t.sim->nodes[n] == t.node) == copy_first;
        }
        sim_restart(t.sim);
        sim_run(t.sim, 2);
        struct gm_lease *came = find_epoch(t.sim, copy_first ? copy_epoch : epoch);
        assert_non_null(came);
        assert_true(!came->twin && !came->is_copy);
        for (uint32_t n = 0; n < params.nodes; n++) {
            t.sim->nodes[n].parted = false;
        }
        sim_run(t.sim, 3);
        struct gm_lease *slow = find_epoch(t.sim, epoch), *copy = find_epoch(t.sim, copy_epoch);
        assert_non_null(slow);
        assert_non_null(copy);
        assert_true(slow->twin == copy && copy->twin == slow);
        assert_true(copy->is_copy && !slow->is_copy);
        assert_ptr_equal(slow->inst->chunks[first].unit.lease, slow);
        hang(t.sim, copy_wins ? copy : slow, false);
        sim_until(t.sim, sim_all_final, 20);
        sim_check_done(t.sim, &t.sim->jobs[0]);
        assert_int_equal(t.sim->copies, 1); /* and it is not copied once more */
        assert_true(t.sim->pairs > 0);
        assert_int_equal(attempt_of(&t, copy_wins ? t.attempt : copy_attempt)->outcome,
                         GM_ATTEMPT_CANCELLED);
        nobody_was_charged(&t);
        sim_destroy(t.sim);
    }
}

/* Its node says hello without it, before that of the first one is there: nobody else gets that. */
static void a_copy_that_is_lost_leaves_the_first_one_to_go_on(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
    struct tail t = tail_open(&params);
    sim_until(t.sim, is_copied, 30);
    hang(t.sim, t.slow->twin, true);
    sim_commit(t.sim);
    uint64_t epoch = t.slow->epoch, copy_attempt = t.slow->twin->attempt->number;
    uint32_t first = t.slow->twin->first_chunk;
    for (uint32_t n = 0; n < params.nodes; n++) {
        struct sim_node *node = &t.sim->nodes[n];
        node->parted = node == t.node;
        if (strcmp(node->id, t.slow->twin->node->id) == 0) {
            sim_node_kill(t.sim, node);
            sim_node_start(t.sim, node);
        }
    }
    sim_restart(t.sim);
    sim_run(t.sim, 3);
    assert_int_equal(attempt_of(&t, copy_attempt)->outcome, GM_ATTEMPT_LOST);
    t.node->parted = false;
    sim_run(t.sim, 2);
    struct gm_lease *slow = find_epoch(t.sim, epoch);
    assert_non_null(slow);
    assert_ptr_equal(slow->inst->chunks[first].unit.lease, slow);
    hang(t.sim, slow, false);
    sim_until(t.sim, sim_all_final, 20);
    sim_check_done(t.sim, &t.sim->jobs[0]);
    assert_int_equal(attempt_of(&t, t.attempt)->outcome, GM_ATTEMPT_DONE);
    assert_int_equal(t.sim->core->jobs->attempt_count, copy_attempt + 3); /* what finishes it */
    nobody_was_charged(&t);
    sim_destroy(t.sim);
}

static struct gm_lease *find_long_run(struct sim *sim)
{
    for (int i = 0; i < 600; i++) {
        for (struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
            if (l->chunk_count > 1 && l->inst->chunks[l->first_chunk].unit.lease == l) {
                return l;
            }
        }
        sim_step(sim);
    }
    fail_msg("no run has two chunks");
    return NULL;
}

/* What was made before a copy began may have been lost with its scheduler: the copy takes nothing
 * of that. */
static void what_the_copy_never_had_stays_with_the_first_one(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    (void)sim_submit(sim, "job", 40, 0, 50);
    struct gm_lease *first = find_long_run(sim);
    struct gm_lease copy = {.inst = first->inst,
                            .epoch = first->epoch + 1,
                            .first_chunk = first->first_chunk + 1,
                            .chunk_count = first->chunk_count - 1};
    struct gm_core_chunk *chunks = &first->inst->chunks[first->first_chunk];
    gm_core_twin_join(&copy, first);
    assert_true(copy.is_copy && !first->is_copy);
    assert_true(chunks[1].copied && !chunks[0].copied);
    assert_ptr_equal(chunks[1].unit.lease, first);
    gm_core_twin_part(first);
    assert_ptr_equal(chunks[0].unit.lease, first);
    assert_ptr_equal(chunks[1].unit.lease, &copy);
    gm_core_twin_join(first, &copy);
    assert_true(copy.is_copy && !first->is_copy);
    assert_ptr_equal(chunks[1].unit.lease, first);
    gm_core_twin_part(&copy);
    assert_ptr_equal(chunks[1].unit.lease, first);
    sim_destroy(sim);
}

static void a_job_that_is_cancelled_takes_both_along(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
    struct tail t = tail_open(&params);
    sim_until(t.sim, is_copied, 30);
    sim_commit(t.sim);
    assert_int_equal(sim_cancel(t.sim, "job"), 0);
    sim_until(t.sim, sim_all_final, 30);
    struct gm_core_totals totals;
    gm_view_totals(t.sim->core, &totals);
    assert_int_equal(totals.leases, 0);
    sim_destroy(t.sim);
}

static bool splits_no_more(struct sim *sim)
{
    return gm_core_split_is_done(sim->core->jobs);
}

static void offer(struct tail *t, struct sim_node *node, const char *device, uint64_t scratch,
                  const Gm__Device *facts)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Offer offer = GM__OFFER__INIT;
    Gm__Capacity usable = GM__CAPACITY__INIT;
    usable.slots = 1;
    usable.cpu_milli = 1000;
    usable.memory_bytes = UINT64_C(1) << 30;
    usable.scratch_bytes = scratch;
    offer.device = (char *)(uintptr_t)device;
    offer.usable = &usable;
    offer.facts = (Gm__Device *)(uintptr_t)facts;
    envelope.body_case = GM__ENVELOPE__BODY_OFFER;
    envelope.offer = &offer;
    sim_send(t->sim, node, &envelope);
}

/* The other nodes have room for a copy, and none for what waits: it may have the slow one's. */
static void nothing_is_copied_while_something_waits(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
    struct tail t = tail_open(&params);
    const struct gm_cjob *other = NULL;
    sim_until(t.sim, splits_no_more, 60);
    for (uint32_t n = 0; n < 3; n++) {
        if (&t.sim->nodes[n] != t.node) {
            offer(&t, &t.sim->nodes[n], "cpu", UINT64_C(200) << 20, NULL);
        }
    }
    (void)sim_submit(t.sim, "other", 40, 0, 50);
    other = t.sim->core->jobs->hh.next;
    for (uint32_t i = 0; i < 600; i++) {
        bool waits = other->split->insts[0].unit.state == GM_TASK_READY;
        teach(&t, waits ? GM_MS : 4 * GM_SEC, 100);
        sim_step(t.sim);
    }
    assert_int_equal(other->split->insts[0].unit.state, GM_TASK_READY);
    assert_int_equal(t.sim->copies, 0);
    assert_int_equal(sim_cancel(t.sim, "other"), 0);
    for (uint32_t i = 0; i < 50 && t.sim->copies == 0; i++) {
        teach(&t, GM_MS, 100);
        sim_step(t.sim);
    }
    assert_int_equal(t.sim->copies, 1);
    sim_destroy(t.sim);
}

/* The other one is for a task of another job that stands still too; only runs are copied. */
static void a_tenant_gets_no_copy_beyond_its_slots(void **arg)
{
    (void)arg;
    const struct gm_tenant_params tenants[] = {{.name = "default", .max_running = 2}};
    struct sim_params params = {
        .seed = 1, .nodes = 3, .slots = 1, .tenants = tenants, .tenant_count = 1};
    struct tail t = tail_open(&params);
    struct sim_task *inspect = NULL;
    struct sim_node *node;
    bool sent = false;
    for (uint32_t i = 0; i < 600 && !inspect; i++) {
        teach(&t, 40 * GM_SEC, 100); /* nothing takes too long */
        sim_step(t.sim);
        if (!sent && t.sim->core->jobs->lease_count == 1 && splits_no_more(t.sim) &&
            t.sim->core->jobs->ready_units == 0) {
            (void)sim_submit(t.sim, "other", 4, 0, 50);
            sent = true;
        }
        inspect = sent ? sim_find_running(t.sim, "inspect", &node) : NULL;
    }
    assert_non_null(inspect);
    inspect->hung = true;
    const struct gm_tenant *tenant = gm_core_tenant_find(t.sim->core, "default");
    for (uint32_t i = 0; i < 50; i++) {
        teach(&t, GM_MS, 100);
        sim_step(t.sim);
        assert_int_equal(tenant->running, 2);
    }
    assert_int_equal(t.sim->copies, 0);
    assert_int_equal(sim_cancel(t.sim, "other"), 0);
    for (uint32_t i = 0; i < 50 && t.sim->copies == 0; i++) {
        teach(&t, GM_MS, 100);
        sim_step(t.sim);
    }
    assert_int_equal(t.sim->copies, 1);
    sim_destroy(t.sim);
}

static void a_run_that_may_end_in_time_is_not_copied(void **arg)
{
    (void)arg;
    for (uint64_t percent = 170; percent <= 230; percent += 60) {
        struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
        struct tail t = tail_open(&params);
        for (uint32_t i = 0; i < 300; i++) {
            teach(&t, 4 * GM_SEC, percent);
            sim_step(t.sim);
        }
        assert_int_equal(t.sim->copies, percent > 200 ? 1 : 0);
        sim_destroy(t.sim);
    }
}

/* It has little left: who begins anew is later. */
static void a_run_that_is_nearly_done_is_not_copied(void **arg)
{
    (void)arg;
    for (uint64_t tenths = 1; tenths < 10; tenths += 8) {
        struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
        struct tail t = tail_open(&params);
        uint64_t all;
        (void)gm_core_lease_frames(t.slow, &all);
        for (uint32_t i = 0; i < 300 && t.sim->copies == 0; i++) {
            teach(&t, 5 * GM_SEC / t.slow->work, 100);
            t.slow->frames_done = all * tenths / 10;
            sim_step(t.sim);
        }
        assert_int_equal(t.sim->copies, tenths == 1);
        sim_destroy(t.sim);
    }
}

/* Where the times of a kind are far apart twice the usual is nothing. */
static void a_kind_whose_times_differ_has_more_time(void **arg)
{
    (void)arg;
    for (uint64_t apart = 0; apart < 2; apart++) {
        struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
        struct tail t = tail_open(&params);
        for (uint32_t i = 0; i < 300; i++) {
            teach(&t, 4 * GM_SEC, 230);
            for (struct gm_history_entry *e = t.sim->core->history.entries; e; e = e->hh.next) {
                for (uint32_t v = 0; v < e->voice_count; v++) {
                    e->voices[v].error_ns = apart * 4 * GM_SEC;
                }
            }
            sim_step(t.sim);
        }
        assert_int_equal(t.sim->copies, apart ? 0 : 1);
        sim_destroy(t.sim);
    }
}

/* The slow one's node gets a second device of that chain, which comes first in the order of all. */
static void tell_second_device(struct tail *t)
{
    Gm__Device facts = GM__DEVICE__INIT;
    Gm__Chain cpu = GM__CHAIN__INIT, *chains[] = {&cpu};
    cpu.name = (char *)"cpu";
    facts.id = (char *)"gpu";
    facts.kind = (char *)"fake";
    facts.chains = chains;
    facts.n_chains = 1;
    offer(t, t->node, "gpu", UINT64_C(1) << 30, &facts);
}

static void a_copy_goes_to_another_node_where_there_is_one(void **arg)
{
    (void)arg;
    bool later = false; /* other nodes came before it */
    for (uint32_t i = 0; i < 12; i++) {
        uint32_t nodes = i < 10 ? 3 : 1;
        struct sim_params params = {.seed = i + 1,
                                    .nodes = nodes,
                                    .slots = i < 2 || nodes == 1 ? 3 : 1,
                                    .gpus = nodes,
                                    .device = "cpu"};
        struct tail t = tail_open(&params);
        later = later || t.node->number > 0;
        while (!is_copied(t.sim) && t.sim->now < 60 * GM_SEC) {
            const struct gm_inst *inst = t.slow->inst;
            bool tail = gm_core_split_is_done(t.sim->core->jobs) &&
                        HASH_COUNT(t.sim->core->leases) == 1; /* the others have said their end */
            for (size_t c = 0; c < inst->chunk_count; c++) {
                const struct gm_unit *unit = &inst->chunks[c].unit;
                tail = tail && (unit->lease == t.slow || unit->state == GM_TASK_DONE);
            }
            if (tail) {
                tell_second_device(&t);
                for (uint32_t n = 0; n < nodes; n++) { /* no simulated gpu takes the cpu's chain */
                    t.sim->nodes[n].parted = true;
                }
            }
            sim_step(t.sim);
        }
        assert_true(is_copied(t.sim));
        assert_int_equal(t.slow->twin->node == t.slow->node, nodes == 1);
        assert_ptr_not_equal(t.slow->twin->device, t.slow->device);
        sim_destroy(t.sim);
    }
    assert_true(later);
}

/* The same device would be as slow; and one of another chain makes other bytes. */
static void only_another_device_of_the_chain_takes_a_copy(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 1, .slots = 3};
    struct tail t = tail_open(&params);
    sim_run(t.sim, 60);
    assert_int_equal(t.sim->copies, 0);
    sim_until(t.sim, sim_all_final, 300); /* the watchdog */
    sim_destroy(t.sim);
}

static void what_nobody_did_before_is_not_copied(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
    struct tail t = tail_open(&params);
    for (uint32_t i = 0; i < 600; i++) {
        gm_history_fini(&t.sim->core->history);
        sim_step(t.sim);
    }
    assert_int_equal(t.sim->copies, 0);
    sim_destroy(t.sim);
}

/* Frames that both make count once. */
static void frames_of_twins_count_once(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
    struct tail t = tail_open(&params);
    sim_until(t.sim, is_copied, 30);
    struct gm_cjob *job = t.sim->core->jobs;
    struct gm_lease *copy = t.slow->twin;
    uint64_t before = gm_core_job_frames_done(job);
    copy->frames_done = 100;
    assert_int_equal(gm_core_job_frames_done(job), before);
    t.slow->frames_done = 70;
    assert_int_equal(gm_core_job_frames_done(job), before + 70);
    sim_destroy(t.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_stands_still_is_copied_and_the_copy_wins),
        cmocka_unit_test(what_a_copy_overtakes_without_standing_still_is_no_strike),
        cmocka_unit_test(a_life_sign_may_take_longer_than_many_beats),
        cmocka_unit_test(the_first_one_may_win_too),
        cmocka_unit_test(both_may_commit_and_each_chunk_is_committed_once),
        cmocka_unit_test(one_that_fails_leaves_the_units_to_the_other),
        cmocka_unit_test(the_last_of_both_is_charged),
        cmocka_unit_test(what_the_loser_named_otherwise_is_deleted),
        cmocka_unit_test(both_go_on_when_the_scheduler_starts_anew),
        cmocka_unit_test(a_copy_that_is_lost_leaves_the_first_one_to_go_on),
        cmocka_unit_test(what_the_copy_never_had_stays_with_the_first_one),
        cmocka_unit_test(a_job_that_is_cancelled_takes_both_along),
        cmocka_unit_test(nothing_is_copied_while_something_waits),
        cmocka_unit_test(a_tenant_gets_no_copy_beyond_its_slots),
        cmocka_unit_test(a_run_that_may_end_in_time_is_not_copied),
        cmocka_unit_test(a_run_that_is_nearly_done_is_not_copied),
        cmocka_unit_test(a_kind_whose_times_differ_has_more_time),
        cmocka_unit_test(a_copy_goes_to_another_node_where_there_is_one),
        cmocka_unit_test(only_another_device_of_the_chain_takes_a_copy),
        cmocka_unit_test(what_nobody_did_before_is_not_copied),
        cmocka_unit_test(frames_of_twins_count_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
