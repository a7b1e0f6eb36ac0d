/* Devices that swallow work or return what does not verify: what becomes of them, of the jobs, and
 * of those that are only suspected. */
#include "scheduler/core/lease.h"
#include "scheduler/core/watch.h"
#include "tests/scheduler/core/story.h"

static struct gm_cwatch *watch(struct sim *sim, const char *node, const char *device)
{
    return gm_core_watch_find(sim->core, node, device);
}

static bool is_closed(struct sim *sim)
{
    for (const struct gm_cwatch *w = sim->core->watches; w; w = w->hh.next) {
        if (w->state == GM_WATCH_CLOSED) {
            return true;
        }
    }
    return false;
}

static bool is_on_trial(struct sim *sim)
{
    const struct gm_cwatch *w = watch(sim, "node-0", sim->params.gpus > 0 ? "gpu" : "cpu");
    return w && w->state == GM_WATCH_TRIAL;
}

static bool is_open_again(struct sim *sim)
{
    const struct gm_cwatch *w = watch(sim, "node-0", sim->params.gpus > 0 ? "gpu" : "cpu");
    return !w || w->state == GM_WATCH_OPEN;
}

static struct sim *bad_farm(uint32_t nodes, uint32_t slots)
{
    struct sim_params params = {.seed = 1, .nodes = nodes, .slots = slots, .bad_node = 1};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    return sim;
}

/* Of 200 chunks it gets what its slots take, and a few more: it is held, closed, tried, closed. */
static void a_black_hole_does_not_swallow_a_film(void **arg)
{
    (void)arg;
    struct sim *sim = bad_farm(3, 3);
    struct sim_job *job = sim_submit(sim, "job", 200, 1, 50);
    sim_until(sim, is_closed, 300);
    const struct gm_cwatch *w = watch(sim, "node-0", "cpu");
    assert_int_equal(w->state, GM_WATCH_CLOSED);
    assert_non_null(
        strstr(w->why, "2 tasks failed there and passed elsewhere: `video` of job job"));
    assert_non_null(strstr(w->why, "node.worker_died"));
    assert_true(sim->nodes[0].bad <= 6);
    sim_until(sim, sim_all_final, 3600);
    sim_check_done(sim, job);
    assert_true(sim->nodes[0].bad <= 20);
    assert_null(watch(sim, "node-1", "cpu"));
    assert_null(watch(sim, "node-2", "cpu"));
    sim_destroy(sim);
}

static void a_device_that_is_well_again_gets_one_task_then_all(void **arg)
{
    (void)arg;
    struct sim *sim = bad_farm(3, 3);
    struct sim_job *job = sim_submit(sim, "job", 400, 0, 50);
    sim_until(sim, is_closed, 300);
    gm_time closed = sim->now;
    sim->params.bad_node = 0;
    sim_until(sim, is_on_trial, 60);
    assert_true(sim->now - closed >= 29 * GM_SEC);
    assert_int_equal(sim->core->nodes->devices[0].usable.slots,
                     sim->core->nodes->devices[0].used.slots + 1);
    sim_until(sim, is_open_again, 60);
    assert_int_equal(sim->core->nodes->devices[0].usable.slots, 3);
    sim_until(sim, sim_all_final, 3600);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

static void the_pause_doubles_where_a_device_stays_bad(void **arg)
{
    (void)arg;
    struct sim *sim = bad_farm(3, 3);
    (void)sim_submit(sim, "job", 2000, 0, 50);
    sim_until(sim, is_closed, 300);
    const struct gm_cwatch *w = watch(sim, "node-0", "cpu");
    assert_true(w->until - sim->now > 29 * GM_SEC && w->until - sim->now <= 30 * GM_SEC);
    uint32_t bad = sim->nodes[0].bad;
    sim_until(sim, is_on_trial, 60);
    sim_until(sim, is_closed, 300);
    assert_int_equal(sim->nodes[0].bad, bad + 1); /* on trial one is enough */
    assert_int_equal(w->times, 2);
    assert_true(w->until - sim->now > 59 * GM_SEC && w->until - sim->now <= 60 * GM_SEC);
    sim_destroy(sim);
}

static void a_node_that_starts_anew_is_tried_at_once(void **arg)
{
    (void)arg;
    struct sim *sim = bad_farm(3, 3);
    (void)sim_submit(sim, "job", 400, 0, 50);
    sim_until(sim, is_closed, 300);
    sim_node_kill(sim, &sim->nodes[0]);
    sim_node_start(sim, &sim->nodes[0]);
    sim_until(sim, is_on_trial, 5);
    sim_destroy(sim);
}

/* Two devices made chunk 7 and chunk 12 impossible: the film is bad, not they. */
static void a_bad_film_is_not_the_devices_fault(void **arg)
{
    (void)arg;
    for (uint32_t nodes = 1; nodes <= 5; nodes++) {
        struct sim *sim = farm(nodes, 2);
        struct sim_job *job = sim_submit(sim, "job", 30, 1, 50);
        job->poison = 7;
        while (!sim_all_final(sim)) {
            sim_step(sim);
            assert_false(is_closed(sim));
        }
        assert_int_equal(sim_state(sim, "job"), GM_JOB_FAILED);
        sim_step(sim);
        for (const struct gm_cwatch *w = sim->core->watches; w; w = w->hh.next) {
            assert_int_equal(w->health.count, 0); /* nothing is left of it */
        }
        sim_destroy(sim);
    }
}

/* A chunk of each of three films fails on two devices and passes on the third: hard, not
 * impossible. */
static void a_hard_film_is_not_the_devices_fault(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 2);
    for (uint32_t i = 0; i < 3; i++) {
        struct gm_event third = {.type = GM_EV_DRAIN, .node_id = "node-2"};
        assert_int_equal(sim_event(sim, &third, NULL), 0);
        struct sim_job *job = sim_submit(sim, (const char *[]){"a", "b", "c"}[i], 4, 0, 50);
        job->poison = 3;
        job->poison_nodes = 2;
        while (!sim_all_final(sim)) {
            sim_step(sim);
            assert_false(is_closed(sim));
            if (sim->retries == 2 * (i + 1) && !third.resume) {
                third.resume = true;
                assert_int_equal(sim_event(sim, &third, NULL), 0);
            }
        }
        sim_check_done(sim, job);
        assert_int_equal(sim->retries, 2 * (i + 1));
    }
    sim_destroy(sim);
}

/* What fails there fits a bad film as well, and nobody else could do its work. */
static void the_last_device_is_never_closed(void **arg)
{
    (void)arg;
    struct sim_params params = {
        .seed = 1, .nodes = 1, .slots = 4, .bad_node = 1, .bad_chance = 500};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    struct sim_job *job = sim_submit(sim, "job", 100, 0, 50);
    while (!sim_all_final(sim)) {
        sim_step(sim);
        const struct gm_cwatch *w = watch(sim, "node-0", "cpu");
        assert_true(!w || (w->state == GM_WATCH_OPEN && w->held_until == 0));
    }
    sim_check_done(sim, job);
    assert_true(sim->nodes[0].bad > 2);
    sim_destroy(sim);
}

/* A device that the others can stand in for, until they go: then it is not held any longer. */
static void a_held_device_is_let_go_when_it_is_alone(void **arg)
{
    (void)arg;
    struct sim *sim = bad_farm(2, 2);
    (void)sim_submit(sim, "job", 200, 0, 50);
    const struct gm_cwatch *w = NULL;
    for (uint32_t i = 0; i < 3000 && !(w && w->held_until > 0); i++) {
        sim_step(sim);
        w = watch(sim, "node-0", "cpu");
    }
    assert_true(w && w->held_until > 0);
    assert_int_equal(sim->core->nodes->devices[0].usable.slots, 0);
    struct gm_event drain = {.type = GM_EV_DRAIN, .node_id = "node-1"};
    assert_int_equal(sim_event(sim, &drain, NULL), 0);
    sim_run(sim, 1);
    assert_int_equal(sim->core->nodes->devices[0].usable.slots, 2);
    uint32_t strikes = 0;
    for (uint32_t i = 0; i < 100; i++) { /* what passes there yet closes nothing */
        sim_step(sim);
        assert_false(is_closed(sim));
        strikes = w->health.count > 0 ? gm_health_strikes(&w->health) : strikes;
    }
    assert_true(strikes >= 2);
    sim_destroy(sim);
}

/* What it failed a second time had failed on another node meanwhile: its mark goes. */
static void a_held_device_is_let_go_by_a_failure_that_is_contested(void **arg)
{
    (void)arg;
    struct sim *sim = bad_farm(2, 2);
    (void)sim_submit(sim, "job", 200, 0, 50);
    struct gm_cwatch *w = NULL;
    for (uint32_t i = 0; i < 3000 && !(w && w->held_until > 0); i++) {
        sim_step(sim);
        w = watch(sim, "node-0", "cpu");
    }
    assert_true(w && w->held_until > 0);
    assert_int_equal(gm_health_pending(&w->health), 2);
    struct gm_cjob *job = sim->core->jobs;
    const struct gm_health_work work = w->health.marks[w->health.count - 1].work;
    struct gm_cnode *node = NULL;
    HASH_FIND_STR(sim->core->nodes, "node-0", node);
    assert_non_null(node);
    struct gm_avoid avoid = {.node_id = (char *)"node-1", .evidence = true};
    const struct gm_unit guilty = {.avoid = &avoid, .avoid_count = 1};
    const struct gm_lease lease = {.job = job,
                                   .inst = &job->tasks[work.task].insts[work.instance],
                                   .node = node,
                                   .device = &node->devices[0]};
    const struct gm_lease_failure failure = {.error.code = GM_E_WORKER_DIED, .chunk = work.first};
    struct gm_effects fx = {0};
    sim->core->fx = &fx;
    gm_core_watch_failed(sim->core, &lease, &guilty, work.first, &failure);
    sim->core->fx = NULL;
    assert_int_equal(w->held_until, 0);
    assert_int_equal(node->devices[0].usable.slots, 2);
    gm_effects_fini(&fx);
    sim_destroy(sim);
}

/* A GPU is proved before it is tried. */
static void a_gpu_is_proved_first(void **arg)
{
    (void)arg;
    struct sim_params params = {
        .seed = 1, .nodes = 3, .slots = 2, .gpus = 3, .bad_node = 1, .bad_code = GM_E_MEDIA_VERIFY};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    struct sim_job *job = sim_submit(sim, "job", 900, 0, 50);
    sim_until(sim, is_closed, 300);
    const struct gm_cwatch *w = watch(sim, "node-0", "gpu");
    assert_int_equal(w->state, GM_WATCH_CLOSED);
    sim_run(sim, 100); /* its proof fails */
    assert_int_equal(w->state, GM_WATCH_CLOSED);
    assert_true(w->prove != 0 && w->prove == sim->nodes[0].prove_asked);
    sim->params.bad_node = 0;
    sim_until(sim, is_on_trial, 60);
    assert_int_equal(sim->nodes[0].proof, w->prove);
    sim_until(sim, is_open_again, 60);
    sim_until(sim, sim_all_final, 3600);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

/* Its node found out by itself: what failed before the proof is settled. */
static void a_gpu_that_its_node_proved_again_begins_anew(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 2, .slots = 2, .gpus = 2};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    struct gm_cwatch *w = gm_core_watch_make(sim->core, "node-0", "gpu");
    const struct gm_health_work work = {.job = 1, .task = 3, .first = 4, .count = 1};
    gm_health_fail(&w->health, &work, 1, GM_E_MEDIA_VERIFY, sim->now);
    sim_node_tell_gpu(sim, &sim->nodes[0], 2, "fake 1"); /* only new facts */
    sim_run(sim, 1);
    assert_int_equal(w->health.count, 1);
    sim_node_tell_gpu(sim, &sim->nodes[0], 0, "");
    sim_run(sim, 1);
    assert_int_equal(w->health.count, 1);
    sim_node_tell_gpu(sim, &sim->nodes[0], 2, "fake 1");
    sim_step(sim);
    w = watch(sim, "node-0", "gpu");
    assert_true(w == NULL || w->health.count == 0);
    sim_destroy(sim);
}

/* Nodes of earlier versions do not know the question: time and trial are all. */
static void an_old_node_s_gpu_is_tried_after_the_pause(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1,
                                .nodes = 3,
                                .slots = 2,
                                .gpus = 3,
                                .bad_node = 1,
                                .bad_code = GM_E_MEDIA_VERIFY,
                                .old_nodes = true};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    (void)sim_submit(sim, "job", 900, 0, 50);
    sim_until(sim, is_closed, 300);
    sim_until(sim, is_on_trial, 40);
    sim_destroy(sim);
}

/* A restart forgets what was suspected, and keeps what was decided. */
static void quarantine_outlives_the_scheduler(void **arg)
{
    (void)arg;
    struct sim *sim = bad_farm(3, 3);
    (void)sim_submit(sim, "job", 900, 0, 50);
    sim_until(sim, is_closed, 300);
    sim_run(sim, 1);
    char why[240];
    (void)snprintf(why, sizeof why, "%s", watch(sim, "node-0", "cpu")->why);
    sim_restart(sim);
    sim_run(sim, 5);
    const struct gm_cwatch *w = watch(sim, "node-0", "cpu");
    assert_non_null(w);
    assert_int_equal(w->state, GM_WATCH_CLOSED);
    assert_string_equal(w->why, why);
    assert_int_equal(sim->core->nodes->devices[0].usable.slots, 0);
    sim_until(sim, is_on_trial, 60);
    sim_destroy(sim);
}

static const struct gm_lease *lease_on(const struct sim *sim, const char *node)
{
    for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
        if (strcmp(l->node->id, node) == 0 && l->chunk_count > 0) {
            return l;
        }
    }
    return NULL;
}

static bool node_0_works(struct sim *sim)
{
    return lease_on(sim, "node-0") != NULL;
}

/* It may be one of those that ran before the trial began: that is not stored. */
static void what_was_taken_over_ends_no_trial(void **arg)
{
    (void)arg;
    struct sim *sim = bad_farm(3, 3);
    (void)sim_submit(sim, "job", 900, 0, 50);
    sim_until(sim, is_closed, 300);
    sim->params.bad_node = 0;
    sim_until(sim, is_on_trial, 60);
    sim_until(sim, node_0_works, 10);
    sim_commit(sim);
    sim_restart(sim);
    sim_until(sim, node_0_works, 3);
    const struct gm_lease *lease = lease_on(sim, "node-0");
    assert_int_equal(lease->term, 1);
    assert_true(is_on_trial(sim));
    assert_true(lease->device->usable.slots > 1); /* those, and the one that is tried */
    struct gm_effects fx = {0};
    struct gm_lease fresh = *lease;
    fresh.term = sim->core->params.term;
    sim->core->fx = &fx;
    gm_core_watch_passed(sim->core, lease, lease->first_chunk);
    assert_true(is_on_trial(sim));
    gm_core_watch_passed(sim->core, &fresh, lease->first_chunk);
    assert_false(is_on_trial(sim));
    sim->core->fx = NULL;
    gm_effects_fini(&fx);
    sim_destroy(sim);
}

static const struct sim_row *find_row(struct sim *sim, const char *node)
{
    const struct gm_key key = {.kind = GM_ROW_NODE, .name = (char *)(uintptr_t)node};
    return sim_row_find(sim, &key);
}

static int quarantine(struct sim *sim, const char *node, const char *device, const char *reason)
{
    struct gm_event event = {
        .type = GM_EV_QUARANTINE, .node_id = node, .device = device, .reason = reason};
    return sim_event(sim, &event, NULL);
}

static void an_operator_closes_and_opens(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 2);
    char long_reason[300];
    memset(long_reason, 'x', sizeof long_reason);
    long_reason[240] = '\0';
    assert_int_equal(quarantine(sim, "nobody", NULL, "fans"), -GM_E_NOTFOUND);
    assert_int_equal(quarantine(sim, "node-0", "gpu", "fans"), -GM_E_NOTFOUND);
    assert_int_equal(quarantine(sim, "node-0", NULL, NULL), -GM_E_INVAL);
    assert_int_equal(quarantine(sim, "node-0", NULL, ""), -GM_E_INVAL);
    assert_int_equal(quarantine(sim, "node-0", NULL, "two\nlines"), -GM_E_INVAL);
    assert_int_equal(quarantine(sim, "node-0", NULL, long_reason), -GM_E_INVAL);
    assert_int_equal(quarantine(sim, "node-0", NULL, "fans"), 0);
    assert_int_equal(quarantine(sim, "node-1", "cpu", "disk"), 0);
    sim_commit(sim);
    struct sim_job *job = sim_submit(sim, "job", 3, 0, 50);
    sim_run(sim, 120);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_QUEUED);
    sim_restart(sim);
    sim_run(sim, 5);
    struct gm_nodes_view v;
    assert_int_equal(gm_view_nodes(sim->core, &v, NULL), 0);
    assert_int_equal(v.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct gm_quarantine_view *q = &v.rows[i].devices[0].quarantine;
        assert_string_equal(q->state, "quarantined");
        assert_true(q->by_operator && q->since_unix_ms > 0);
        assert_string_equal(q->why, strcmp(v.rows[i].id, "node-0") == 0 ? "fans" : "disk");
    }
    gm_view_nodes_fini(&v);
    struct gm_event resume = {
        .type = GM_EV_DRAIN, .node_id = "node-1", .device = "cpu", .resume = true};
    assert_int_equal(sim_event(sim, &resume, NULL), 0);
    assert_int_equal(sim_event(sim, &resume, NULL), -GM_E_NOTFOUND);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_int_equal(sim->nodes[0].assigned, 0);
    resume = (struct gm_event){.type = GM_EV_DRAIN, .node_id = "node-0", .resume = true};
    assert_int_equal(sim_event(sim, &resume, NULL), 0);
    assert_true(find_row(sim, "node-0") != NULL);
    sim_commit(sim);
    assert_null(find_row(sim, "node-0"));
    (void)sim_submit(sim, "next", 6, 0, 50);
    sim_until(sim, sim_all_final, 60);
    assert_true(sim->nodes[0].assigned > 0);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_black_hole_does_not_swallow_a_film),
        cmocka_unit_test(a_device_that_is_well_again_gets_one_task_then_all),
        cmocka_unit_test(the_pause_doubles_where_a_device_stays_bad),
        cmocka_unit_test(a_node_that_starts_anew_is_tried_at_once),
        cmocka_unit_test(a_bad_film_is_not_the_devices_fault),
        cmocka_unit_test(a_hard_film_is_not_the_devices_fault),
        cmocka_unit_test(the_last_device_is_never_closed),
        cmocka_unit_test(a_held_device_is_let_go_when_it_is_alone),
        cmocka_unit_test(a_held_device_is_let_go_by_a_failure_that_is_contested),
        cmocka_unit_test(a_gpu_is_proved_first),
        cmocka_unit_test(a_gpu_that_its_node_proved_again_begins_anew),
        cmocka_unit_test(an_old_node_s_gpu_is_tried_after_the_pause),
        cmocka_unit_test(quarantine_outlives_the_scheduler),
        cmocka_unit_test(what_was_taken_over_ends_no_trial),
        cmocka_unit_test(an_operator_closes_and_opens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
