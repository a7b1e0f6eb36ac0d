/* scheduler/core/drain.c: nodes that are started anew, in a simulated farm. */
#include "scheduler/core/place.h"
#include "sim/sim_io.h"

#include <stdlib.h>
#include <string.h>

static struct gm_err err;

static const struct gm_cnode *known(const struct sim *sim, const char *id)
{
    const struct gm_cnode *node = NULL;
    HASH_FIND_STR(sim->core->nodes, id, node);
    return node;
}

static int ask(struct sim *sim, const char *id, bool force)
{
    struct gm_event event = {.type = GM_EV_RESTART, .node_id = id, .force = force};
    int rc = sim_event(sim, &event, &err);
    sim_commit(sim);
    return rc;
}

static void resume(struct sim *sim, const char *id)
{
    struct gm_event event = {.type = GM_EV_DRAIN, .node_id = id, .resume = true};
    assert_int_equal(sim_event(sim, &event, NULL), 0);
    sim_commit(sim);
}

static bool is_restarting(const struct sim *sim, const char *id)
{
    const struct gm_drained *d = NULL;
    HASH_FIND_STR(sim->core->drained, id, d);
    return d && d->restarting;
}

static void until_known(struct sim *sim, const char *id)
{
    while (!known(sim, id)) {
        sim_step(sim);
    }
}

static uint64_t last_epoch(const struct gm_cnode *node)
{
    uint64_t last = 0;
    const struct gm_lease *l;
    DL_FOREACH2(node->leases, l, node_next)
    {
        last = l->epoch > last ? l->epoch : last;
    }
    return last;
}

/* Another process, that takes tasks; the one before was given nothing any more. */
static void until_back(struct sim *sim, const char *id, uint64_t instance)
{
    uint64_t last = last_epoch(known(sim, id));
    for (uint32_t i = 0; i < 100000; i++) {
        const struct gm_cnode *node = known(sim, id);
        if (node->connected && node->instance != instance) {
            return;
        }
        assert_true(last_epoch(node) <= last);
        sim_step(sim);
    }
    fail_msg("%s did not come back", id);
}

static void until_busy(struct sim *sim, const char *id)
{
    for (uint32_t i = 0; i < 100000; i++) {
        if (known(sim, id)->lease_count > 0) {
            return;
        }
        sim_step(sim);
    }
    fail_msg("%s got nothing", id);
}

static struct sim *farm(uint32_t nodes, uint32_t gpus)
{
    struct sim_params params = {.seed = 1, .nodes = nodes, .slots = 2, .gpus = gpus};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    return sim;
}

static void nodes_start_anew_one_after_the_other_and_lose_nothing(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 0);
    struct sim_job *jobs[4];
    const char *names[] = {"a", "b", "c", "d"};
    for (uint32_t i = 0; i < 4; i++) {
        jobs[i] = sim_submit(sim, names[i], 600, 1, 50);
    }
    for (uint32_t i = 0; i < 3; i++) {
        struct sim_node *node = &sim->nodes[i];
        uint64_t before = node->instance;
        until_busy(sim, node->id);
        assert_int_equal(ask(sim, node->id, false), 0);
        assert_true(known(sim, node->id)->draining && is_restarting(sim, node->id));
        if (i == 1) { /* the scheduler, too, while it ends what it has */
            sim_restart(sim);
            assert_true(is_restarting(sim, node->id));
            until_known(sim, node->id);
        }
        until_back(sim, node->id, before);
        assert_false(known(sim, node->id)->draining || is_restarting(sim, node->id));
        until_busy(sim, node->id);
    }
    sim_until(sim, sim_all_final, 3600);
    assert_int_equal(sim->retries, 0);
    for (uint32_t i = 0; i < 4; i++) {
        sim_check_done(sim, jobs[i]);
    }
    for (const struct gm_cjob *job = sim->core->jobs; job; job = job->hh.next) {
        for (size_t i = 0; i < job->attempt_count; i++) {
            assert_int_equal(job->attempts[i]->outcome, GM_ATTEMPT_DONE);
        }
    }
    sim_destroy(sim);
}

static void the_last_node_that_a_job_needs_stays(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    uint64_t before = sim->nodes[0].instance;
    (void)sim_submit(sim, "job", 60, 1, 50);
    sim_run(sim, 8);
    assert_non_null(sim->core->jobs->chain);
    assert_string_equal(sim->core->jobs->chain->name, "nvenc");
    assert_int_equal(ask(sim, "node-0", false), -GM_E_CONFLICT);
    assert_non_null(
        strstr(err.text, "job job is encoded by `nvenc` (fake 1), which no other node"));
    assert_false(known(sim, "node-0")->draining || is_restarting(sim, "node-0"));
    assert_int_equal(ask(sim, "node-1", false), 0);
    assert_int_equal(ask(sim, "node-1", false), 0); /* asked already */
    assert_int_equal(ask(sim, "node-0", false), -GM_E_CONFLICT);
    assert_non_null(strstr(err.text, "no other node takes tasks now"));
    assert_int_equal(ask(sim, "node-0", true), 0);
    until_back(sim, "node-0", before);
    sim_until(sim, sim_all_final, 3600);
    before = sim->nodes[0].instance;
    assert_int_equal(ask(sim, "node-0", false), 0); /* nothing is under way */
    until_back(sim, "node-0", before);
    sim_destroy(sim);
}

static void who_was_drained_stays_so_and_who_is_resumed_goes_on(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 0);
    struct gm_event drain = {.type = GM_EV_DRAIN, .node_id = "node-0"};
    uint64_t before = sim->nodes[0].instance;
    assert_int_equal(sim_event(sim, &drain, NULL), 0);
    sim_commit(sim);
    assert_int_equal(ask(sim, "node-0", false), 0);
    until_back(sim, "node-0", before);
    assert_true(known(sim, "node-0")->draining);
    assert_false(is_restarting(sim, "node-0"));
    resume(sim, "node-0");
    (void)sim_submit(sim, "job", 60, 1, 50);
    until_busy(sim, "node-1");
    before = sim->nodes[1].instance;
    assert_int_equal(ask(sim, "node-1", false), 0);
    resume(sim, "node-1");
    sim_until(sim, sim_all_final, 3600);
    assert_int_equal(sim->nodes[1].instance, before);
    assert_true(gm_core_node_is_open(known(sim, "node-1")));
    sim_destroy(sim);
}

static bool audio_waits(struct sim *sim)
{
    struct sim_node *node = NULL, *other = NULL;
    return sim_find_running(sim, "audio", &node) && sim_find_running(sim, "split", &other) &&
           node != other;
}

/* Its split died with its node, and no other one takes tasks. */
static void what_waits_for_nobody_keeps_no_node(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 3, .slots = 1};
    struct sim *sim = sim_create(&params);
    struct sim_node *node = NULL;
    struct sim_job *job = sim_submit(sim, "job", 60, 1, 50);
    sim_until(sim, audio_waits, 60);
    (void)sim_find_running(sim, "audio", &node);
    uint64_t before = node->instance;
    assert_int_equal(ask(sim, node->id, true), 0);
    for (uint32_t i = 0; i < 3; i++) {
        if (&sim->nodes[i] != node) {
            sim_node_kill(sim, &sim->nodes[i]);
        }
    }
    until_back(sim, node->id, before);
    sim_until(sim, sim_all_final, 3600);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

static void who_cannot_be_told_is_refused(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 2, .slots = 2, .old_nodes = true};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    assert_int_equal(ask(sim, "node-0", true), -GM_E_CONFLICT);
    assert_non_null(strstr(err.text, "can't be told to start anew"));
    struct gm_event gone = {.type = GM_EV_NODE_GONE, .node_id = "node-1"};
    assert_int_equal(sim_event(sim, &gone, NULL), 0);
    assert_int_equal(ask(sim, "node-1", true), -GM_E_CONFLICT);
    assert_non_null(strstr(err.text, "node node-1 is gone"));
    assert_int_equal(ask(sim, "nobody", true), -GM_E_NOTFOUND);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_start_anew_one_after_the_other_and_lose_nothing),
        cmocka_unit_test(the_last_node_that_a_job_needs_stays),
        cmocka_unit_test(who_was_drained_stays_so_and_who_is_resumed_goes_on),
        cmocka_unit_test(what_waits_for_nobody_keeps_no_node),
        cmocka_unit_test(who_cannot_be_told_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
