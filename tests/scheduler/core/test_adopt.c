/* What runs goes on when its scheduler started anew: by the claims of nodes, written by hand. */
#include "proto/envelope.h"
#include "scheduler/core/adopt.h"
#include "scheduler/core/job.h"
#include "scheduler/core/lease.h"
#include "tests/scheduler/core/stage.h"
#include "tests/scheduler/core/story.h"

#define LEASE_S 15

static void part_all(struct sim *sim)
{
    for (uint32_t n = 0; n < sim->params.nodes; n++) {
        sim->nodes[n].parted = true;
    }
}

/* The task runs, its scheduler starts anew, and nobody has said a word. */
static struct stage restarted(const char *task)
{
    struct stage s = stage_open(task);
    sim_commit(s.sim);
    part_all(s.sim);
    sim_restart(s.sim);
    return s;
}

static uint32_t say_hello(struct stage *s, Gm__HeldLease *held)
{
    return said_hello(s->sim, s->node, &held, held ? 1 : 0);
}

static Gm__HeldLease held_by(const struct stage *s)
{
    Gm__HeldLease held;
    sim_task_held(s->task, &held);
    return held;
}

static struct gm_cjob *only_job(const struct sim *sim)
{
    assert_non_null(sim->core->jobs);
    return sim->core->jobs;
}

static enum gm_task_state state_of(const struct stage *s)
{
    const Gm__TaskSpec *spec = s->task->assign->spec;
    struct gm_inst *inst = gm_core_job_find_inst(only_job(s->sim), spec->task, spec->instance);
    assert_non_null(inst);
    bool runs = inst->task->type->fan == GM_FAN_RUNS;
    return runs ? inst->chunks[spec->inputs[0]->item->index].unit.state : inst->unit.state;
}

static void a_task_goes_on_under_its_old_name(void **arg)
{
    static const char *const tasks[] = {"inspect", "plan", "split", "video", "audio", "hls"};
    (void)arg;
    for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
        struct stage s = restarted(tasks[i]);
        Gm__HeldLease held = held_by(&s);
        size_t attempts = only_job(s.sim)->attempt_count;
        assert_int_equal(state_of(&s), GM_TASK_BACKOFF);
        assert_int_equal(say_hello(&s, &held), 1);
        assert_int_equal(state_of(&s), GM_TASK_RUNNING);
        assert_int_equal(only_job(s.sim)->attempt_count, attempts);
        const struct gm_lease *lease =
            gm_core_lease_find(s.sim->core, s.sim->core->nodes, held.task_id, 1, held.epoch);
        assert_non_null(lease);
        assert_int_equal(lease->attempt->number, held.attempt);
        assert_int_equal(s.sim->core->order.turns, 0); /* it was nobody's turn */
        assert_string_equal(gm_view_lease_job(s.sim->core, held.epoch), "job");
        assert_int_equal(say_hello(&s, &held), 1); /* Welcome was lost */
        assert_int_equal(only_job(s.sim)->lease_count, 1);
        assert_int_equal(sim_cancel(s.sim, "job"), 0);
        assert_int_equal(say_hello(&s, &held), 0);
        sim_destroy(s.sim);
    }
}

/* No slot is free, so nothing is placed; what the end of the lease costs depends on it. */
static void what_the_farm_has_is_known_while_all_of_it_goes_on(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 3, .nodes = 1, .slots = 1};
    struct stage s = {.sim = sim_create(&params)};
    (void)sim_submit(s.sim, "job", 12, 1, 50);
    assert_true(stage_find(&s, "split"));
    sim_restart(s.sim);
    sim_run(s.sim, 3);
    assert_int_equal(only_job(s.sim)->lease_count, 1);
    assert_int_equal(only_job(s.sim)->attempt_count, 3);
    assert_int_equal(s.sim->core->order.farm.slots, 1);
    sim_destroy(s.sim);
}

static void its_results_are_taken(void **arg)
{
    (void)arg;
    struct stage s = restarted("video");
    Gm__HeldLease held = held_by(&s);
    Gm__Item item = GM__ITEM__INIT;
    item.index = held.first_chunk;
    assert_int_equal(say_hello(&s, &held), 1);
    s.node->parted = false;
    assert_null(
        say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/a.m4s", 10, 1, held.epoch)->error);
    assert_true(is_ack(say_produced(&s, &item, held.epoch), false));
    assert_int_equal(state_of(&s), GM_TASK_DONE);
    sim_destroy(s.sim);
}

/* The whole farm, whatever ran: nothing is done again. */
static void nothing_is_done_twice(void **arg)
{
    (void)arg;
    uint64_t copies = 0;
    for (uint32_t seed = 1; seed < 30; seed++) {
        struct sim_params params = {.seed = seed, .nodes = 3, .slots = 2};
        struct sim *sim = sim_create(&params);
        struct sim_job *job = sim_submit_kind(sim, "job", SIM_BARRIERS, 12, 2, 1);
        sim_run(sim, 2);
        for (int i = 0; i < 300 && !sim_all_final(sim); i++) {
            if (i % 31 == (int)seed) {
                sim_commit(sim);
                sim_restart(sim);
            }
            sim_step(sim);
        }
        sim_until(sim, sim_all_final, 600);
        sim_check_done(sim, job);
        struct gm_attempts_view v;
        struct gm_err err;
        assert_int_equal(gm_view_attempts(sim->core, "job", &v, &err), 0);
        uint64_t others = 0; /* a copy, or what it overtook */
        for (size_t i = 0; i < v.count; i++) {
            others += v.rows[i].outcome == GM_ATTEMPT_CANCELLED ? 1 : 0;
            if (v.rows[i].outcome != GM_ATTEMPT_DONE && others > sim->copies) {
                fail_msg("seed %u: attempt %zu of %s was not done", seed, i + 1, v.rows[i].task);
            }
        }
        copies += sim->copies;
        assert_true(sim->adopted > 5);
        gm_view_attempts_fini(&v);
        sim_destroy(sim);
    }
    assert_true(copies < 6); /* the end of a job that waits may look slow; most do not */
}

static void others_are_given_out_meanwhile(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 3, .nodes = 2, .slots = 2};
    struct sim *sim = sim_create(&params);
    (void)sim_submit(sim, "job", 12, 1, 50);
    sim_until(sim, encode_runs, 60);
    struct sim_node *node;
    struct sim_task *task = sim_find_running(sim, "video", &node);
    task->hung = true;
    sim_commit(sim);
    node->parted = true;
    struct sim_node *other = &sim->nodes[node == &sim->nodes[0] ? 1 : 0];
    uint32_t first = task->assign->spec->inputs[0]->item->index;
    sim_restart(sim);
    uint32_t before = other->assigned;
    (void)sim_submit(sim, "another", 1, 0, 100);
    sim_run(sim, 10);
    const struct gm_unit *unit = &only_job(sim)->encode->insts[0].chunks[first].unit;
    assert_true(other->assigned > before);
    assert_int_equal(unit->state, GM_TASK_BACKOFF);
    assert_string_equal(unit->awaited->node_id, node->id);
    sim_run(sim, LEASE_S - 10 + 1); /* the node has stopped by its own clock */
    assert_int_not_equal(unit->state, GM_TASK_BACKOFF);
    assert_int_equal(count_attempts(sim, "job", "video", GM_ATTEMPT_LOST, GM_OK) > 0, 1);
    assert_int_equal(unit->failures, 0);
    sim_destroy(sim);
}

static void it_is_said_whom_a_task_waits_for(void **arg)
{
    (void)arg;
    struct stage s = restarted("split");
    struct gm_explain_view v;
    struct gm_err err;
    char expected[160];
    bool said = false;
    (void)snprintf(expected, sizeof(expected),
                   "It ran on node %s when the scheduler started anew, which waits up to 15 s for "
                   "that node.",
                   s.node->id);
    assert_int_equal(gm_view_explain(s.sim->core, "job", s.sim->now, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        said = said || strcmp(v.rows[i].why, expected) == 0;
    }
    assert_true(said);
    gm_view_explain_fini(&v);
    sim_destroy(s.sim);
}

static void a_node_that_has_it_no_more_frees_it_at_once(void **arg)
{
    enum { SAYS_HELLO, IS_NEW, LEAVES, WAYS };
    (void)arg;
    for (int way = 0; way < WAYS; way++) {
        struct stage s = restarted("split");
        s.node->instance += way == IS_NEW ? 1 : 0;
        if (way == LEAVES) {
            Gm__Envelope envelope = GM__ENVELOPE__INIT;
            Gm__Goodbye goodbye = GM__GOODBYE__INIT;
            envelope.body_case = GM__ENVELOPE__BODY_GOODBYE;
            envelope.goodbye = &goodbye;
            say(s.sim, s.node->id, &envelope);
        } else {
            assert_int_equal(say_hello(&s, NULL), 0);
        }
        assert_int_equal(state_of(&s), GM_TASK_READY);
        assert_int_equal(count_attempts(s.sim, "job", "split", GM_ATTEMPT_LOST, GM_OK), 1);
        Gm__HeldLease held = held_by(&s); /* a Hello that was late */
        assert_int_equal(say_hello(&s, &held), 0);
        assert_int_equal(state_of(&s), GM_TASK_READY);
        sim_destroy(s.sim);
    }
}

/* False: there is no such way. */
static bool spoil(uint32_t way, Gm__HeldLease *held)
{
    static Gm__Chain other;
    gm__chain__init(&other);
    other.name = (char *)"cpu";
    other.fingerprint = (char *)"another build";
    switch (way) {
    case 0:
        held->job_id = (char *)"another";
        return true;
    case 1:
        held->task = (char *)"another";
        return true;
    case 2:
        held->instance = 1;
        return true;
    case 3: /* of an earlier plan */
        held->publication = (char *)"ffff456789abcdef";
        return true;
    case 4: /* its renditions are none of the job's */
        held->chain = &other;
        return true;
    case 5:
        held->chain = NULL;
        return true;
    case 6:
        held->device = (char *)"gpu";
        return true;
    case 7:
        held->chunks = 1000000;
        return true;
    case 8:
        held->chunks = 0;
        return true;
    case 9:
        held->first_chunk = UINT32_MAX;
        return true;
    case 10: /* another job's */
        held->task_id += UINT64_C(1) << 32;
        return true;
    case 11: /* of this term, and of one to come */
        held->epoch = UINT64_C(2) << 32 | 1;
        return true;
    case 12:
        held->term = 3;
        return true;
    case 13: /* it is another attempt's */
        held->first_chunk++;
        return true;
    default:
        return false;
    }
}

/* As it would be had the scheduler that gave the run out died before the row was on disk, and a
 * later one stored the thing anew. */
static void store_anew(struct sim *sim, const char *unit, int64_t item, uint64_t term)
{
    struct gm_key key;
    assert_true(sim_row_key(sim, unit, &key));
    if (item >= 0) {
        key.kind = GM_ROW_ITEM;
        key.index = (uint32_t)item;
    }
    struct sim_row *row = sim_row_find(sim, &key);
    assert_non_null(row);
    const ProtobufCMessageDescriptor *type =
        item >= 0 ? &gm__item_row__descriptor : &gm__task_row__descriptor;
    ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, row->size, row->data);
    assert_non_null(m);
    if (item >= 0) {
        ((Gm__ItemRow *)m)->term = term;
    } else {
        ((Gm__TaskRow *)m)->term = term;
    }
    free(row->data);
    row->size = protobuf_c_message_get_packed_size(m);
    row->data = malloc(row->size + 1);
    assert_non_null(row->data);
    (void)protobuf_c_message_pack(m, row->data);
    protobuf_c_message_free_unpacked(m, NULL);
}

static void what_was_stored_after_a_run_began_is_not_what_it_was_told(void **arg)
{
    (void)arg;
    static const struct {
        const char *unit;
        bool item;      /* the run's last chunk */
        uint32_t terms; /* after the lease's */
        bool goes_on;
    } rows[] = {{"job/split/0", true, 0, true},
                {"job/split/0", true, 1, false},
                {"job/plan/0", false, 0, true},
                {"job/plan/0", false, 1, false},
                {"job/inspect/0", false, 1, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct stage s = stage_open("video");
        sim_commit(s.sim);
        part_all(s.sim);
        Gm__HeldLease held = held_by(&s);
        int64_t last = (int64_t)held.first_chunk + held.chunks - 1;
        store_anew(s.sim, rows[i].unit, rows[i].item ? last : -1, held.term + rows[i].terms);
        sim_restart(s.sim);
        sim_restart(s.sim); /* it is two terms later */
        if (say_hello(&s, &held) != (rows[i].goes_on ? 1 : 0)) {
            fail_msg("claim %zu %s", i, rows[i].goes_on ? "was refused" : "was taken");
        }
        sim_destroy(s.sim);
    }
}

/* Rows of the version before don't say when they came: then nothing was given out before. */
static void rows_of_no_term_are_old(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    sim_commit(s.sim);
    part_all(s.sim);
    Gm__HeldLease held = held_by(&s);
    store_anew(s.sim, "job/split/0", held.first_chunk, 0);
    store_anew(s.sim, "job/plan/0", -1, 0);
    sim_restart(s.sim);
    assert_int_equal(say_hello(&s, &held), 1);
    sim_destroy(s.sim);
}

/* Its chunk is told by a message whose row is on its way; and the end of a run asks for no disk. */
static void a_run_is_given_out_before_its_chunk_is_on_disk(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 3, .nodes = 2, .slots = 2};
    struct stage s = {.sim = sim_create(&params)};
    (void)sim_submit(s.sim, "job", 12, 1, 50);
    assert_true(stage_find(&s, "split"));
    struct sim_node *node = NULL;
    struct sim_task *task = NULL;
    struct gm_key key;
    assert_true(sim_row_key(s.sim, "job/plan/0", &key));
    s.task->hung = false;
    for (int i = 0; i < 200 && !task; i++) {
        bool planned = sim_row_find(s.sim, &key) != NULL;
        s.task->hung = s.task->granted && !planned;
        s.sim->hold_commits = s.sim->hold_commits || (s.task->granted && planned);
        sim_step(s.sim);
        task = sim_find_running(s.sim, "video", &node);
    }
    assert_non_null(task);
    assert_true(sim_row_key(s.sim, "job/split/0", &key));
    key.kind = GM_ROW_ITEM;
    assert_null(sim_row_find(s.sim, &key));
    s.task = task;
    s.node = node;
    Gm__HeldLease held = held_by(&s);
    part_all(s.sim);
    sim_restart(s.sim); /* which forgets the chunk */
    assert_int_equal(say_hello(&s, &held), 0);
    s.sim->hold_commits = false;
    for (uint32_t n = 0; n < s.sim->params.nodes; n++) {
        s.sim->nodes[n].parted = false;
    }
    sim_until(s.sim, sim_all_final, 120);
    sim_check_done(s.sim, &s.sim->jobs[0]);
    sim_destroy(s.sim);
}

static void claims_that_fit_nothing_are_refused(void **arg)
{
    bool more = true;
    (void)arg;
    for (uint32_t way = 0; more; way++) {
        struct stage s = restarted("video");
        Gm__HeldLease held = held_by(&s);
        more = spoil(way, &held);
        if (more && say_hello(&s, &held) != 0) {
            fail_msg("claim %u was taken", way);
        }
        assert_int_equal(only_job(s.sim)->lease_count, 0);
        sim_destroy(s.sim);
    }
}

static void inputs_that_nobody_has_are_refused(void **arg)
{
    (void)arg;
    struct stage s = restarted("audio");
    Gm__HeldLease held = held_by(&s);
    held.inputs_received = 1000;
    assert_int_equal(say_hello(&s, &held), 0);
    sim_destroy(s.sim);
}

static void a_track_is_fed_what_it_lacks(void **arg)
{
    (void)arg;
    struct stage s = restarted("audio");
    Gm__HeldLease held = held_by(&s);
    assert_true(held.inputs_received > 0);
    held.inputs_received--;
    assert_int_equal(say_hello(&s, &held), 1);
    const Gm__Envelope *e = s.sim->pending[s.sim->pending_count - 1].sends[0].envelope;
    assert_int_equal(e->body_case, GM__ENVELOPE__BODY_FEED);
    assert_int_equal(e->feed->epoch, held.epoch);
    assert_int_equal(e->feed->term, held.term);
    assert_int_equal(e->feed->first, held.inputs_received);
    assert_true(e->feed->n_inputs >= 1);
    sim_destroy(s.sim);
}

static void a_cancelled_job_takes_nothing_over(void **arg)
{
    (void)arg;
    struct stage s = restarted("split");
    Gm__HeldLease held = held_by(&s);
    assert_int_equal(sim_cancel(s.sim, "job"), 0);
    assert_int_equal(count_attempts(s.sim, "job", "split", GM_ATTEMPT_LOST, GM_OK), 1);
    assert_int_equal(say_hello(&s, &held), 0);
    assert_int_equal(only_job(s.sim)->lease_count, 0);
    sim_destroy(s.sim);
}

/* The same, where that was in the term before. */
static void a_cancelled_lease_is_not_taken_over(void **arg)
{
    (void)arg;
    struct stage s = stage_open("audio");
    Gm__HeldLease held = held_by(&s);
    sim_commit(s.sim);
    part_all(s.sim);
    struct gm_lease *lease = NULL;
    HASH_FIND(hh, s.sim->core->leases, &held.epoch, sizeof(held.epoch), lease);
    assert_non_null(lease);
    struct gm_effects fx = {0};
    s.sim->core->fx = &fx;
    gm_core_lease_cancel(s.sim->core, lease, "it is wanted no more");
    s.sim->core->fx = NULL;
    sim_store_keep(s.sim, &fx);
    sim_commit(s.sim);
    sim_restart(s.sim);
    assert_int_equal(state_of(&s), GM_TASK_READY);
    assert_int_equal(say_hello(&s, &held), 0);
    sim_destroy(s.sim);
}

/* As if the scheduler had died before the attempt was written. */
static void forget_attempt(struct sim *sim, uint64_t number)
{
    const struct gm_key key = {.kind = GM_ROW_ATTEMPT, .job = only_job(sim)->seq, .number = number};
    struct sim_row *row = sim_row_find(sim, &key);
    assert_non_null(row);
    sim_row_drop(sim, row);
}

/* The older of two leases, which the second scheduler did not know of, whoever comes first. */
static void a_unit_that_two_nodes_claim_goes_to_the_newer(void **arg)
{
    (void)arg;
    for (int older_first = 0; older_first < 2; older_first++) {
        struct stage old = stage_open("split");
        struct sim *sim = old.sim;
        Gm__HeldLease older = held_by(&old);
        sim_commit(sim);
        old.node->parted = true;
        forget_attempt(sim, older.attempt);
        sim_restart(sim);
        struct stage new = {.sim = sim};
        struct sim_node *other = &sim->nodes[old.node == &sim->nodes[0] ? 1 : 0];
        for (int i = 0; i < 100 && new.node != other; i++) {
            sim_step(sim);
            for (size_t t = 0; t < SIM_TASKS; t++) {
                struct sim_task *task = &other->tasks[t];
                if (task->assign && strcmp(task->assign->spec->task, "split") == 0) {
                    new.task = task;
                    new.node = other;
                    task->hung = true;
                }
            }
        }
        assert_non_null(new.node);
        Gm__HeldLease newer = held_by(&new);
        Gm__HeldLease *list = &newer;
        assert_true(newer.epoch > older.epoch);
        sim_commit(sim);
        part_all(sim);
        sim_restart(sim);
        if (older_first) {
            assert_int_equal(say_hello(&old, &older), 0);
        }
        assert_int_equal(said_hello(sim, other, &list, 1), 1);
        assert_int_equal(say_hello(&old, &older), 0);
        assert_int_equal(state_of(&old), GM_TASK_RUNNING);
        assert_int_equal(only_job(sim)->lease_count, 1);
        sim_destroy(sim);
    }
}

static void a_node_claims_a_lease_once(void **arg)
{
    (void)arg;
    struct stage s = restarted("video");
    Gm__HeldLease held = held_by(&s);
    Gm__HeldLease *twice[] = {&held, &held};
    assert_int_equal(said_hello(s.sim, s.node, twice, 2), 3);
    assert_int_equal(only_job(s.sim)->lease_count, 1);
    struct sim_node *other = &s.sim->nodes[s.node == &s.sim->nodes[0] ? 1 : 0];
    Gm__HeldLease *list = &held;
    assert_int_equal(said_hello(s.sim, other, &list, 1), 0); /* it is not that one's */
    sim_destroy(s.sim);
}

static void an_attempt_that_was_not_stored_goes_on(void **arg)
{
    (void)arg;
    struct stage s = stage_open("split");
    Gm__HeldLease held = held_by(&s);
    sim_commit(s.sim);
    part_all(s.sim);
    forget_attempt(s.sim, held.attempt);
    sim_restart(s.sim);
    assert_int_equal(state_of(&s), GM_TASK_READY);
    assert_int_equal(say_hello(&s, &held), 1);
    const struct gm_cjob *job = only_job(s.sim);
    const struct gm_attempt *last = job->attempts[job->attempt_count - 1];
    assert_int_equal(last->number, held.attempt);
    assert_int_equal(last->epoch, held.epoch);
    sim_commit(s.sim);
    sim_restart(s.sim); /* now it is on disk */
    assert_int_equal(state_of(&s), GM_TASK_BACKOFF);
    assert_int_equal(say_hello(&s, &held), 1);
    sim_destroy(s.sim);
}

/* It was given to another node meanwhile, which has its number, too. */
static void an_attempt_that_was_not_stored_may_come_too_late(void **arg)
{
    (void)arg;
    struct stage s = stage_open("split");
    Gm__HeldLease held = held_by(&s);
    struct sim_node *other = &s.sim->nodes[s.node == &s.sim->nodes[0] ? 1 : 0];
    sim_commit(s.sim);
    s.node->parted = true;
    forget_attempt(s.sim, held.attempt);
    sim_restart(s.sim);
    sim_run(s.sim, 3);
    struct sim_node *node;
    assert_non_null(sim_find_running(s.sim, "split", &node));
    assert_true(state_of(&s) == GM_TASK_RUNNING || state_of(&s) == GM_TASK_DONE);
    assert_true(other->assigned > 0);
    assert_int_equal(say_hello(&s, &held), 0);
    sim_destroy(s.sim);
}

/* Before Hello: what was stored need not be made again. */
static void a_stranger_is_asked_who_it_is(void **arg)
{
    (void)arg;
    struct stage s = restarted("video");
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Produced m = GM__PRODUCED__INIT;
    Gm__Item item = GM__ITEM__INIT;
    m.task_id = s.task->assign->task_id;
    m.term = s.task->assign->term;
    m.epoch = s.task->assign->epoch;
    m.item = &item;
    envelope.seq = 7;
    envelope.body_case = GM__ENVELOPE__BODY_PRODUCED;
    envelope.produced = &m;
    say(s.sim, s.node->id, &envelope);
    const Gm__Envelope *answer = sim_last_send(s.sim);
    assert_int_equal(answer->body_case, GM__ENVELOPE__BODY_REFUSE);
    assert_int_equal(answer->refuse->error->code, GM_E_UNREACHABLE);
    sim_destroy(s.sim);
}

/* It runs for the third scheduler under the name that the first gave it. */
static void two_restarts_are_as_one(void **arg)
{
    (void)arg;
    struct stage s = restarted("split");
    Gm__HeldLease held = held_by(&s);
    assert_int_equal(say_hello(&s, &held), 1);
    sim_commit(s.sim);
    sim_restart(s.sim);
    assert_int_equal(state_of(&s), GM_TASK_BACKOFF);
    assert_int_equal(say_hello(&s, &held), 1);
    sim_run(s.sim, LEASE_S + 1); /* and the node is silent */
    assert_int_equal(only_job(s.sim)->lease_count, 0);
    assert_int_equal(count_attempts(s.sim, "job", "split", GM_ATTEMPT_LOST, GM_E_NODE_LOST), 1);
    sim_destroy(s.sim);
}

/* What it goes on with is this scheduler's: the node works for no other. */
static void a_node_that_goes_on_is_no_stranger(void **arg)
{
    (void)arg;
    struct stage s = restarted("split");
    Gm__HeldLease held = held_by(&s);
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Renew renew = GM__RENEW__INIT;
    Gm__LeaseState state = GM__LEASE_STATE__INIT, other = GM__LEASE_STATE__INIT;
    Gm__LeaseState *list[] = {&state, &other};
    assert_int_equal(say_hello(&s, &held), 1);
    state.task_id = held.task_id;
    state.term = other.term = held.term;
    state.epoch = held.epoch;
    other.epoch = held.epoch + 1; /* something of it is stored yet */
    renew.leases = list;
    renew.n_leases = 2;
    envelope.body_case = GM__ENVELOPE__BODY_RENEW;
    envelope.renew = &renew;
    say(s.sim, s.node->id, &envelope);
    assert_false(s.sim->core->nodes->settled);
    const Gm__Renewed *answer = sim_last_send(s.sim)->renewed;
    assert_int_equal(answer->n_kept, 1);
    assert_int_equal(answer->n_lost, 1);
    renew.n_leases = 1;
    say(s.sim, s.node->id, &envelope);
    assert_true(s.sim->core->nodes->settled);
    sim_destroy(s.sim);
}

/* Capacity is held, though nobody knows yet what the device offers. */
static void what_goes_on_takes_its_place(void **arg)
{
    (void)arg;
    struct stage s = restarted("video");
    Gm__HeldLease held = held_by(&s);
    assert_int_equal(say_hello(&s, &held), 1);
    const struct gm_cdevice *d = &s.sim->core->nodes->devices[0];
    assert_int_equal(d->used.slots, 1);
    assert_true(held.demand->memory_bytes > 0);
    assert_int_equal(d->used.memory_bytes, held.demand->memory_bytes);
    assert_int_equal(d->usable.slots, 0);
    sim_destroy(s.sim);
}

/* What is done takes no place: without a stored attempt any number of leases could claim it. */
static void what_is_done_is_claimed_by_its_own_attempt_alone(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    Gm__HeldLease held = held_by(&s), invented = held;
    Gm__Item item = GM__ITEM__INIT;
    item.index = held.first_chunk;
    assert_true(is_ack(say_produced(&s, &item, held.epoch), false));
    sim_commit(s.sim);
    part_all(s.sim);
    sim_restart(s.sim);
    assert_int_equal(state_of(&s), GM_TASK_DONE);
    invented.chunks = 1;
    for (uint64_t i = 1; i < 20; i++) {
        invented.epoch = held.epoch + 1000 * i;
        assert_int_equal(say_hello(&s, &invented), 0);
    }
    assert_int_equal(only_job(s.sim)->lease_count, 0);
    sim_destroy(s.sim);

    s = stage_open("video");
    held = held_by(&s);
    assert_true(is_ack(say_produced(&s, &item, held.epoch), false));
    sim_commit(s.sim);
    part_all(s.sim);
    sim_restart(s.sim);
    assert_int_equal(say_hello(&s, &held), 1); /* its own */
    sim_destroy(s.sim);
}

static void a_node_has_no_more_leases_than_a_hello_names(void **arg)
{
    (void)arg;
    struct stage s = stage_open("split");
    Gm__HeldLease held = held_by(&s);
    struct gm_cnode *node = NULL;
    struct gm_effects fx = {0};
    sim_commit(s.sim);
    part_all(s.sim);
    forget_attempt(s.sim, held.attempt);
    sim_restart(s.sim);
    assert_int_equal(say_hello(&s, NULL), 0);
    HASH_FIND_STR(s.sim->core->nodes, s.node->id, node);
    assert_non_null(node);
    s.sim->core->fx = &fx;
    node->lease_count = GM_PROTO_MAX_HELD;
    assert_false(gm_core_adopt(s.sim->core, node, &held));
    node->lease_count = 0;
    assert_true(gm_core_adopt(s.sim->core, node, &held));
    s.sim->core->fx = NULL;
    assert_int_equal(node->lease_count, 1);
    gm_effects_fini(&fx);
    sim_destroy(s.sim);
}

/* A step that fails has no effects: what it lost would be running in the store for ever. */
static void what_is_lost_is_stored_with_the_next_tick(void **arg)
{
    (void)arg;
    struct stage s = restarted("split");
    Gm__HeldLease held = held_by(&s);
    const struct gm_event refused = {.type = GM_EV_SUBMIT}, tick = {.type = GM_EV_TICK};
    size_t rows = 0;
    sim_commit(s.sim);
    s.sim->now = s.sim->core->strangers_until + 1;
    assert_true(sim_event(s.sim, &refused, NULL) < 0);
    assert_int_equal(sim_event(s.sim, &tick, NULL), 0);
    const struct gm_effects *fx = &s.sim->pending[s.sim->pending_count - 1];
    for (size_t i = 0; i < fx->row_count; i++) {
        const struct gm_key *key = &fx->rows[i].key;
        rows += key->kind == GM_ROW_ATTEMPT && key->number == held.attempt ? 1 : 0;
    }
    assert_int_equal(rows, 1);
    assert_int_equal(count_attempts(s.sim, "job", "split", GM_ATTEMPT_LOST, GM_OK), 1);
    sim_destroy(s.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_goes_on_under_its_old_name),
        cmocka_unit_test(what_the_farm_has_is_known_while_all_of_it_goes_on),
        cmocka_unit_test(its_results_are_taken),
        cmocka_unit_test(nothing_is_done_twice),
        cmocka_unit_test(others_are_given_out_meanwhile),
        cmocka_unit_test(it_is_said_whom_a_task_waits_for),
        cmocka_unit_test(a_node_that_has_it_no_more_frees_it_at_once),
        cmocka_unit_test(claims_that_fit_nothing_are_refused),
        cmocka_unit_test(what_was_stored_after_a_run_began_is_not_what_it_was_told),
        cmocka_unit_test(rows_of_no_term_are_old),
        cmocka_unit_test(a_run_is_given_out_before_its_chunk_is_on_disk),
        cmocka_unit_test(inputs_that_nobody_has_are_refused),
        cmocka_unit_test(a_track_is_fed_what_it_lacks),
        cmocka_unit_test(a_cancelled_job_takes_nothing_over),
        cmocka_unit_test(a_cancelled_lease_is_not_taken_over),
        cmocka_unit_test(a_unit_that_two_nodes_claim_goes_to_the_newer),
        cmocka_unit_test(a_node_claims_a_lease_once),
        cmocka_unit_test(an_attempt_that_was_not_stored_goes_on),
        cmocka_unit_test(an_attempt_that_was_not_stored_may_come_too_late),
        cmocka_unit_test(a_stranger_is_asked_who_it_is),
        cmocka_unit_test(two_restarts_are_as_one),
        cmocka_unit_test(a_node_that_goes_on_is_no_stranger),
        cmocka_unit_test(what_goes_on_takes_its_place),
        cmocka_unit_test(what_is_done_is_claimed_by_its_own_attempt_alone),
        cmocka_unit_test(a_node_has_no_more_leases_than_a_hello_names),
        cmocka_unit_test(what_is_lost_is_stored_with_the_next_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
