/* Devices that are kept free for a run that would wait for ever. */
#include "scheduler/core/keep.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/state.h"
#include "tests/scheduler/core/chain.h"

#define MIB (UINT64_C(1) << 20)

/* A gpu of two slots that runs of two jobs hold all the time, with memory for both of these, and a
 * job whose runs take `mib` of it. */
struct crowd {
    struct sim *sim;
    struct gm_cjob *big;
};

static struct gm_cjob *job_of(struct sim *sim, const char *id)
{
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(sim->core->jobs, id, job);
    assert_non_null(job);
    return job;
}

static struct crowd crowd_beside(uint32_t gpus, uint32_t mib, uint32_t device_memory, bool shares)
{
    struct sim_params params = {.seed = 2,
                                .nodes = 2,
                                .slots = 4,
                                .gpus = gpus,
                                .shares = shares,
                                .fallback = "fail",
                                .device = "nvenc",
                                .device_memory = device_memory};
    struct crowd c = {.sim = sim_create(&params)};
    sim_run(c.sim, 2);
    sim_node_offer_gpu(c.sim, &c.sim->nodes[0], 2);
    if (gpus > 1) { /* which holds nobody's runs */
        c.sim->params.device_memory = 100;
        sim_node_offer_gpu(c.sim, &c.sim->nodes[1], 1);
        c.sim->params.device_memory = device_memory;
    }
    (void)sim_submit(c.sim, "small", 1000, 0, 50);
    (void)sim_submit(c.sim, "other", 1000, 0, 50);
    sim_until(c.sim, encode_runs, 60);
    (void)sim_submit(c.sim, "big", 6, 0, 50);
    c.big = job_of(c.sim, "big");
    for (int i = 0; i < 1200 && !(c.big->encode && c.big->encode->insts &&
                                  c.big->encode->insts[0].chunk_count == 6);
         i++) {
        sim_step(c.sim);
        c.big->device_memory_bytes = c.big->device_memory_bytes > 0 ? mib * MIB : 0;
    }
    assert_true(c.big->device_memory_bytes == mib * MIB);
    assert_int_equal(c.big->frames_committed, 0);
    return c;
}

/* Until a run of the big job begins; 0: none did. out: steps in which a device was kept for it. */
static gm_time wait_of(struct crowd *c, uint32_t seconds, uint32_t *kept)
{
    gm_time began = c->sim->now;
    *kept = 0;
    for (uint32_t i = 0; i < 10 * seconds; i++) {
        const struct gm_core *core = c->sim->core;
        assert_true(core->kept_count <= 1);
        assert_true(core->kept_count == 0 || core->kept[0].job == c->big);
        *kept += (uint32_t)core->kept_count;
        for (const struct gm_lease *l = c->big->leases; l; l = l->job_next) {
            if (l->chunk_count > 0) {
                return c->sim->now - began;
            }
        }
        sim_step(c->sim);
    }
    return 0;
}

static struct crowd crowd_open(uint32_t mib, uint32_t device_memory, bool shares)
{
    return crowd_beside(1, mib, device_memory, shares);
}

static void a_run_that_needs_the_whole_device_is_not_passed_over_for_ever(void **arg)
{
    (void)arg;
    static const struct {
        uint32_t mib;
        bool shares;
    } rows[] = {{200, false}, {200, true}, {1000, false}, {1000, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t kept;
        struct crowd c = crowd_open(rows[i].mib, 270, rows[i].shares);
        gm_time waited = wait_of(&c, 900, &kept);
        assert_true(waited > 0);
        assert_true(kept > 0);
        assert_int_equal(sim_state(c.sim, "small"), GM_JOB_RUNNING);
        sim_until(c.sim, sim_all_final, 20000);
        assert_int_equal(c.sim->core->kept_count, 0);
        assert_int_equal(sim_state(c.sim, "big"), GM_JOB_DONE);
        assert_int_equal(sim_state(c.sim, "small"), GM_JOB_DONE);
        assert_int_equal(sim_state(c.sim, "other"), GM_JOB_DONE);
        sim_destroy(c.sim);
    }
}

static bool big_is_split(struct sim *sim)
{
    const struct gm_cjob *big = job_of(sim, "big");
    return big->encode && big->encode->insts && big->encode->insts[0].chunk_count == 6;
}

/* Three jobs of one rendition hold the sessions of a device one by one; who needs all three. */
static void who_needs_more_sessions_is_not_passed_over_for_ever(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 2,
                                .nodes = 2,
                                .slots = 6,
                                .gpus = 1,
                                .fallback = "fail",
                                .device = "nvenc",
                                .sessions = 3};
    struct crowd c = {.sim = sim_create(&params)};
    uint32_t kept;
    sim_run(c.sim, 2);
    c.sim->nodes[0].limit = 3;
    sim_node_offer_gpu(c.sim, &c.sim->nodes[0], 4);
    sim_submit(c.sim, "small", 1000, 0, 50)->renditions = 1;
    sim_submit(c.sim, "other", 1000, 0, 50)->renditions = 1;
    sim_submit(c.sim, "third", 1000, 0, 50)->renditions = 1;
    sim_until(c.sim, encode_runs, 60);
    sim_submit(c.sim, "big", 6, 0, 50)->renditions = 3;
    c.big = job_of(c.sim, "big");
    sim_until(c.sim, big_is_split, 600);
    assert_true(wait_of(&c, 900, &kept) > 0);
    assert_true(kept > 0);
    sim_destroy(c.sim);
}

static struct gm_kept *wait_for_kept(struct crowd *c)
{
    for (int i = 0; i < 9000 && c->sim->core->kept_count == 0; i++) {
        sim_step(c->sim);
    }
    assert_int_equal(c->sim->core->kept_count, 1);
    return c->sim->core->kept;
}

static bool explains(struct sim *sim, const char *job, const char *words)
{
    struct gm_explain_view v;
    bool said = false;
    assert_int_equal(gm_view_explain(sim->core, job, sim->now, &v, NULL), 0);
    for (size_t i = 0; i < v.count; i++) {
        said = said || strstr(v.rows[i].why, words) != NULL;
    }
    gm_view_explain_fini(&v);
    return said;
}

/* Nobody waits behind a device that is kept for nothing. */
static void a_device_is_kept_no_longer_than_for_somebody(void **arg)
{
    (void)arg;
    for (int way = 0; way < 4; way++) {
        struct crowd c = crowd_open(200, 270, false);
        struct gm_cdevice *d = wait_for_kept(&c)->device;
        assert_true(d->kept);
        assert_true(explains(c.sim, "big", "gpu of node node-0 takes nothing else until it fits"));
        if (way == 0) {
            assert_int_equal(sim_cancel(c.sim, "big"), 0);
        } else if (way == 1) { /* it fits by now */
            c.big->device_memory_bytes = MIB;
        } else if (way == 2) { /* it never will, but for alone */
            c.big->device_memory_bytes = 2000 * MIB;
        } else {
            struct gm_event event = {.type = GM_EV_DRAIN, .node_id = d->node->id};
            assert_int_equal(sim_event(c.sim, &event, NULL), 0);
        }
        for (int i = 0; i < 600 && c.sim->core->kept_count > 0; i++) {
            sim_step(c.sim);
        }
        for (int i = 0; i < 100; i++) { /* and not again */
            assert_int_equal(c.sim->core->kept_count, 0);
            sim_step(c.sim);
        }
        assert_false(d->kept);
        sim_destroy(c.sim);
    }
}

/* Who merely waits for a slot gets one by its age: nothing is kept. */
static void nothing_is_kept_where_slots_alone_lack(void **arg)
{
    uint32_t kept;
    (void)arg;
    struct crowd c = crowd_open(129, 270, false);
    (void)wait_of(&c, 900, &kept);
    assert_int_equal(kept, 0);
    sim_destroy(c.sim);
}

static bool is_known_full(const struct gm_core *core)
{
    bool full = false;
    for (const struct gm_class *c = core->devices->classes; c; c = c->hh.next) {
        for (uint32_t i = 0; i < GM_PARKED; i++) {
            full = full || (c->parked[i].full && c->parked[i].grown == c->grown);
        }
    }
    return full;
}

static void hang(struct sim_node *node, bool hung)
{
    for (size_t t = 0; t < SIM_TASKS; t++) {
        node->tasks[t].hung = node->tasks[t].assign && hung;
    }
}

/* A slot is free all the time, on a device that holds nobody's runs: devices are not looked at
 * again and again for one to keep, and yet when something may have changed. */
static void that_no_device_is_to_be_kept_is_remembered_until_one_gets_free(void **arg)
{
    (void)arg;
    struct crowd c = crowd_beside(2, 200, 270, false);
    while (c.sim->now - c.big->turn.since < GM_ORDER_AGE - 5 * GM_SEC) {
        sim_step(c.sim);
    }
    for (int i = 0; i < 100; i++) { /* it is aged meanwhile; where it could go stays taken */
        hang(&c.sim->nodes[0], true);
        sim_step(c.sim);
    }
    assert_true(is_known_full(c.sim->core));
    assert_int_equal(c.sim->core->kept_count, 0);
    hang(&c.sim->nodes[0], false);
    (void)wait_for_kept(&c);
    assert_string_equal(c.sim->core->kept[0].device->node->id, "node-0");
    sim_destroy(c.sim);
}

/* Who waits has its slot with the next step. */
static void a_device_is_free_again_at_once_when_another_took_the_run(void **arg)
{
    (void)arg;
    struct crowd c = crowd_beside(2, 200, 270, false);
    const struct gm_cdevice *d = wait_for_kept(&c)->device;
    assert_int_equal(d->used.slots, 1);
    hang(&c.sim->nodes[0], true);
    sim_node_offer_gpu(c.sim, &c.sim->nodes[1], 1);
    for (int i = 0; i < 100 && !c.big->encode->insts[0].chunks[0].unit.lease; i++) {
        sim_step(c.sim);
    }
    assert_non_null(c.big->encode->insts[0].chunks[0].unit.lease);
    sim_step(c.sim);
    assert_false(d->kept);
    assert_int_equal(d->used.slots, 2);
    sim_destroy(c.sim);
}

static bool somebody_yields(const struct gm_core *core, const struct gm_cdevice *d)
{
    bool yields = false;
    for (const struct gm_lease *l = core->leases; l; l = l->hh.next) {
        yields = yields || (l->yields && l->device == d);
    }
    return yields;
}

/* Runs of lower classes yield to the job that their device is kept for. */
static void who_runs_on_a_kept_device_yields_to_whom_it_is_kept_for(void **arg)
{
    (void)arg;
    struct crowd c = crowd_open(200, 270, false);
    bool yields = false;
    c.big->priority = 100;
    gm_core_order_class(c.sim->core, c.big);
    assert_int_equal(c.big->turn.class_, GM_CLASS_HIGH);
    struct sim_node *node;
    struct sim_task *late = sim_find_running(c.sim, "video", &node);
    assert_non_null(late);
    late->hung = true; /* so that the two runs do not end together */
    sim_run(c.sim, 4);
    late->hung = false;
    const struct gm_cdevice *d = wait_for_kept(&c)->device;
    assert_int_equal(d->used.slots, 1);
    c.sim->core->preempt_time = GM_SEC;
    for (int i = 0; i < 100 && c.sim->core->kept_count > 0; i++) {
        sim_step(c.sim);
        yields = yields || somebody_yields(c.sim->core, d);
    }
    assert_true(yields);
    sim_destroy(c.sim);
}

/* A track that its split still feeds is not given the last slot: others are. */
static void nothing_is_kept_where_a_rule_is_in_the_way(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 2, .nodes = 1, .slots = 2, .stall_ms = 100000000};
    struct sim *sim = sim_create(&params);
    struct sim_task *split = NULL;
    struct sim_node *node;
    (void)sim_submit_kind(sim, "sound", SIM_SOUND, 12, 1, 0);
    for (int i = 0; i < 600 && (!split || split->position == 0); i++) {
        sim_step(sim);
        split = sim_find_running(sim, "split", &node);
    }
    assert_non_null(split);
    split->hung = true;
    (void)sim_submit(sim, "other", 1500, 0, 50);
    sim_until(sim, encode_runs, 2000);
    sim_run(sim, 310);
    const struct gm_cjob *sound = job_of(sim, "sound");
    assert_int_equal(sound->lease_count, 1);
    assert_true(sound->ready_units > 0);
    assert_true(sim->now - sound->turn.since > GM_ORDER_AGE);
    uint32_t before = node->assigned;
    for (int i = 0; i < 600; i++) {
        sim_step(sim);
        assert_int_equal(sim->core->kept_count, 0);
    }
    assert_true(node->assigned > before + 5);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_needs_the_whole_device_is_not_passed_over_for_ever),
        cmocka_unit_test(who_needs_more_sessions_is_not_passed_over_for_ever),
        cmocka_unit_test(a_device_is_kept_no_longer_than_for_somebody),
        cmocka_unit_test(nothing_is_kept_where_slots_alone_lack),
        cmocka_unit_test(that_no_device_is_to_be_kept_is_remembered_until_one_gets_free),
        cmocka_unit_test(a_device_is_free_again_at_once_when_another_took_the_run),
        cmocka_unit_test(who_runs_on_a_kept_device_yields_to_whom_it_is_kept_for),
        cmocka_unit_test(nothing_is_kept_where_a_rule_is_in_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
