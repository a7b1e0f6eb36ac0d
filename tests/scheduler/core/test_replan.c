/* What becomes of a job when the device that encodes it goes, or fails. */
#include "scheduler/core/state.h"
#include "tests/scheduler/core/chain.h"

static bool chain_is_lost(struct sim *sim)
{
    return view(sim)->lost_count > 0;
}

static bool is_planned_again(struct sim *sim)
{
    return view(sim)->lost_count > 0 && view(sim)->publication[0] != '\0';
}

static void a_lost_device_leads_to_software(void **arg)
{
    (void)arg;
    for (int restart = 0; restart < 2; restart++) {
        struct sim *sim = farm(3, 1, NULL, NULL);
        struct sim_job *job = sim_submit(sim, "job", 40, 2, 50);
        sim_until(sim, encode_runs, 60);
        sim_run(sim, 2);
        sim_node_offer_gpu(sim, &sim->nodes[0], 0);
        sim_until(sim, chain_is_lost, 60);
        assert_string_equal(view(sim)->lost[0].name, "nvenc");
        assert_int_equal(view(sim)->lost[0].code, GM_E_NO_DEVICE);
        assert_string_equal(view(sim)->publication, "");
        if (restart) {
            sim_commit(sim);
            sim_restart(sim);
            assert_int_equal(view(sim)->lost_count, 1);
        }
        sim_node_offer_gpu(sim, &sim->nodes[0], 2); /* too late */
        sim_until(sim, sim_all_final, 600);
        sim_check_done(sim, job);
        assert_int_equal(job->plans, 2);
        assert_string_equal(job->chain, "cpu");
        assert_string_equal(view(sim)->publication, "0123456789abcdef");
        assert_int_equal(job->published, 1);
        sim_destroy(sim);
    }
}

static void a_device_that_is_back_soon_is_waited_for(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1, NULL, NULL);
    struct sim_job *job = sim_submit(sim, "job", 20, 1, 50);
    sim_until(sim, encode_runs, 60);
    sim_node_offer_gpu(sim, &sim->nodes[0], 0);
    sim_run(sim, 5);
    sim_node_offer_gpu(sim, &sim->nodes[0], 2);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_string_equal(job->chain, "nvenc");
    assert_int_equal(job->plans, 1);
    sim_destroy(sim);
}

static void how_long_a_device_is_waited_for_is_said(void **arg)
{
    static const uint32_t waits_s[] = {3, 10, 60};
    (void)arg;
    for (size_t i = 0; i < 3; i++) {
        struct sim_params params = {.seed = 1,
                                    .nodes = 2,
                                    .slots = 2,
                                    .gpus = 1,
                                    .device_wait_ms = i == 1 ? 0 : waits_s[i] * 1000};
        struct sim *sim = sim_create(&params);
        sim_run(sim, 2);
        (void)sim_submit(sim, "job", 20, 1, 50);
        sim_until(sim, encode_runs, 60);
        sim_node_offer_gpu(sim, &sim->nodes[0], 0);
        sim_run(sim, waits_s[i] - 1);
        assert_false(chain_is_lost(sim));
        sim_run(sim, 3);
        assert_true(chain_is_lost(sim));
        sim_until(sim, sim_all_final, 300);
        sim_destroy(sim);
    }
}

static void fallback_wait_waits(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1, "wait", "nvenc");
    struct sim_job *job = sim_submit(sim, "job", 20, 1, 50);
    sim_until(sim, encode_runs, 60);
    sim_node_offer_gpu(sim, &sim->nodes[0], 0);
    sim_run(sim, 120);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_RUNNING);
    struct gm_explain_view v;
    bool said = false;
    assert_int_equal(gm_view_explain(sim->core, "job", sim->now, &v, NULL), 0);
    for (size_t i = 0; i < v.count; i++) {
        said = said || strstr(v.rows[i].why, "no node offers `nvenc`") != NULL;
    }
    assert_true(said);
    gm_view_explain_fini(&v);
    sim_node_offer_gpu(sim, &sim->nodes[0], 2);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_int_equal(job->plans, 1);
    sim_destroy(sim);
}

static void fallback_fail_fails(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1, "fail", "nvenc");
    (void)sim_submit(sim, "job", 20, 1, 50);
    sim_until(sim, encode_runs, 60);
    sim_node_offer_gpu(sim, &sim->nodes[0], 0);
    sim_until(sim, sim_all_final, 60);
    assert_int_equal(sim_error(sim, "job").code, GM_E_NO_DEVICE);
    sim_destroy(sim);
    sim = farm(2, 0, "fail", "nvenc"); /* never there */
    (void)sim_submit(sim, "job", 20, 1, 50);
    sim_until(sim, sim_all_final, 60);
    assert_int_equal(sim_error(sim, "job").code, GM_E_NO_DEVICE);
    sim_destroy(sim);
}

/* Nodes that are told to stop beside it say goodbye: their devices will be back. */
static void a_stopping_scheduler_gives_no_device_up(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 1, "fail", "nvenc");
    struct gm_event stop = {.type = GM_EV_STOP};
    struct gm_event gone = {.type = GM_EV_NODE_GONE, .node_id = "node-0"};
    (void)sim_submit(sim, "job", 20, 0, 50);
    sim_until(sim, encode_runs, 60);
    assert_int_equal(sim_event(sim, &stop, NULL), 0);
    sim_node_kill(sim, &sim->nodes[0]);
    assert_int_equal(sim_event(sim, &gone, NULL), 0);
    sim_run(sim, 60);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_RUNNING);
    sim_destroy(sim);
}

static void what_fails_on_a_device_is_tried_in_software(void **arg)
{
    (void)arg;
    static const struct {
        enum gm_code plan, encode;
        const char *fallback;
        enum gm_code final;
    } rows[] = {
        {GM_E_PIPELINE_UNFIT, GM_OK, NULL, GM_OK},
        {GM_E_MEDIA, GM_OK, NULL, GM_OK},
        {GM_OK, GM_E_MEDIA_VERIFY, NULL, GM_OK},
        {GM_OK, GM_E_MEDIA, NULL, GM_OK},
        {GM_OK, GM_E_MEDIA, "fail", GM_E_MEDIA},
        {GM_OK, GM_E_INPUT_CHANGED, NULL, GM_E_INPUT_CHANGED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim *sim = farm(2, 1, rows[i].fallback, NULL);
        struct sim_job *job = sim_submit(sim, "job", 12, 1, 50);
        job->gpu_plan_fails = rows[i].plan;
        job->gpu_encode_fails = rows[i].encode;
        sim_until(sim, sim_all_final, 900);
        assert_int_equal(sim_error(sim, "job").code, rows[i].final);
        if (rows[i].final == GM_OK) {
            sim_check_done(sim, job);
            assert_string_equal(job->chain, "cpu");
            assert_int_equal(view(sim)->lost_count, 1);
        }
        sim_destroy(sim);
    }
}

static bool is_replanned(struct sim *sim)
{
    return sim->jobs[0].replanned;
}

static void a_new_plan_knows_nothing_of_the_old_one(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1, NULL, NULL);
    struct sim_job *job = sim_submit(sim, "job", 12, 1, 50);
    job->gpu_encode_fails = GM_E_MEDIA;
    sim_until(sim, is_replanned, 100);
    assert_int_equal(sim->core->jobs->renditions, 0);
    assert_int_equal(sim->core->jobs->encode_memory_bytes, 0);
    sim_reload_check(sim); /* as after a restart */
    sim_destroy(sim);
}

/* Outputs below the first plan's publication are deleted with the job's end, the second's stay. */
static void the_first_publication_is_stale(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1, NULL, NULL);
    (void)sim_submit(sim, "job", 30, 1, 50);
    sim_until(sim, encode_runs, 60);
    sim_run(sim, 3);
    sim_node_offer_gpu(sim, &sim->nodes[0], 0);
    sim_until(sim, is_planned_again, 60);
    struct gm_objects_view v;
    uint32_t stale = 0;
    assert_int_equal(gm_view_objects(sim->core, "job", &v, NULL), 0);
    for (size_t i = 0; i < v.count; i++) {
        bool old = strncmp(v.rows[i].key, "v/ffff456789abcdef/", 19) == 0;
        assert_int_equal(v.rows[i].stale, old);
        stale += old;
    }
    gm_view_objects_fini(&v);
    assert_true(stale > 0);
    sim_until(sim, sim_all_final, 600);
    sim_run(sim, 5);
    assert_int_equal(gm_view_objects(sim->core, "job", &v, NULL), 0);
    assert_true(v.count > 0);
    for (size_t i = 0; i < v.count; i++) {
        assert_false(v.rows[i].stale);
    }
    gm_view_objects_fini(&v);
    sim_destroy(sim);
}

/* An Offer's facts take the place of Hello's while leases of the old chain run. */
static void a_device_may_change_what_it_offers(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1, NULL, NULL);
    struct sim_job *job = sim_submit(sim, "job", 40, 1, 50);
    sim_until(sim, encode_runs, 60);
    sim_node_tell_gpu(sim, &sim->nodes[0], 2, "fake 1");
    sim_run(sim, 3);
    assert_int_equal(view(sim)->lost_count, 0);
    sim_node_tell_gpu(sim, &sim->nodes[0], 2, "fake 2");
    sim_until(sim, chain_is_lost, 60);
    assert_int_equal(view(sim)->lost[0].code, GM_E_NO_DEVICE);
    sim_until(sim, sim_all_final, 600);
    sim_check_done(sim, job);
    assert_string_equal(job->chain, "cpu");
    job = sim_submit(sim, "next", 5, 1, 50);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_string_equal(job->chain, "nvenc");
    sim_node_tell_gpu(sim, &sim->nodes[0], 2, "");
    sim_run(sim, 1);
    job = sim_submit(sim, "last", 5, 1, 50);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_string_equal(job->chain, "cpu");
    struct gm_nodes_view nodes;
    assert_int_equal(gm_view_nodes(sim->core, &nodes, NULL), 0);
    bool told = false;
    for (size_t i = 0; i < nodes.count; i++) {
        for (size_t k = 0; k < nodes.rows[i].device_count; k++) {
            told = told || strcmp(nodes.rows[i].devices[k].description, "told anew") == 0;
        }
    }
    assert_true(told);
    gm_view_nodes_fini(&nodes);
    sim_destroy(sim);
}

static bool failed_once(struct sim *sim)
{
    return failures(sim) > 0;
}

/* The device's own failure is told, not only that it is gone. */
static void why_a_device_went_is_kept(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1, NULL, NULL);
    struct sim_job *job = sim_submit(sim, "job", 12, 1, 50);
    job->gpu_encode_fails = GM_E_DEVICE_LOST;
    sim_until(sim, failed_once, 60);
    sim_node_offer_gpu(sim, &sim->nodes[0], 0);
    sim_until(sim, chain_is_lost, 60);
    assert_int_equal(view(sim)->lost[0].code, GM_E_DEVICE_LOST);
    assert_non_null(strstr(view(sim)->lost[0].text, "no node offers `nvenc` any more"));
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

/* The processor takes the plan over: nothing is planned again, but the device is not forgotten. */
static void a_device_that_fails_the_plan_is_told(void **arg)
{
    (void)arg;
    for (int restart = 0; restart < 2; restart++) {
        struct sim *sim = farm(2, 1, NULL, NULL);
        struct sim_job *job = sim_submit(sim, "job", 12, 1, 50);
        job->gpu_plan_fails = GM_E_DEVICE_LOST;
        sim_until(sim, failed_once, 60);
        sim_node_offer_gpu(sim, &sim->nodes[0], 0);
        if (restart) {
            sim_commit(sim);
            sim_restart(sim);
        }
        sim_until(sim, sim_all_final, 300);
        sim_check_done(sim, job);
        assert_string_equal(job->chain, "cpu");
        assert_int_equal(job->plans, 1);
        assert_int_equal(view(sim)->lost_count, 1);
        assert_string_equal(view(sim)->lost[0].name, "nvenc");
        assert_int_equal(view(sim)->lost[0].code, GM_E_DEVICE_LOST);
        struct gm_attempts_view attempts;
        assert_int_equal(gm_view_attempts(sim->core, "job", &attempts, NULL), 0);
        for (size_t i = 0; i < attempts.count; i++) {
            bool gpu = strcmp(attempts.rows[i].device, "gpu") == 0;
            assert_string_equal(attempts.rows[i].chain, gpu ? "nvenc" : "cpu");
        }
        gm_view_attempts_fini(&attempts);
        sim_destroy(sim);
    }
}

/* It failed once and did it then: nothing was given up. */
static void a_device_that_plans_at_last_is_kept(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1, NULL, NULL);
    struct sim_job *job = sim_submit(sim, "job", 12, 1, 50);
    job->gpu_plan_fails = GM_E_DEVICE_LOST;
    sim_until(sim, failed_once, 60);
    job->gpu_plan_fails = GM_OK;
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_string_equal(job->chain, "nvenc");
    assert_int_equal(view(sim)->lost_count, 0);
    sim_destroy(sim);
}

/* And is at it again. */
static bool second_has_worked(struct sim *sim)
{
    struct gm_attempts_view attempts;
    bool done = false, runs = false;
    assert_int_equal(gm_view_attempts(sim->core, "job", &attempts, NULL), 0);
    for (size_t i = 0; i < attempts.count; i++) {
        const struct gm_attempt_view *a = &attempts.rows[i];
        bool its = strcmp(a->type, "encode") == 0 && strcmp(a->node_id, sim->nodes[1].id) == 0;
        done = done || (its && a->outcome == GM_ATTEMPT_DONE);
        runs = runs || (its && a->outcome == GM_ATTEMPT_RUNNING);
    }
    gm_view_attempts_fini(&attempts);
    return done && runs;
}

/* Two of one fingerprint: what one has begun the other one goes on with. */
static void a_like_device_goes_on(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 2, "fail", "nvenc");
    struct sim_job *job = sim_submit(sim, "job", 180, 1, 50);
    sim_until(sim, second_has_worked, 300);
    sim_node_kill(sim, &sim->nodes[1]);
    sim_until(sim, sim_all_final, 900);
    sim_check_done(sim, job);
    assert_string_equal(job->chain, "nvenc");
    assert_int_equal(job->plans, 1);
    assert_int_equal(view(sim)->lost_count, 0);
    struct gm_attempts_view attempts;
    uint32_t done[2] = {0, 0}, lost = 0;
    assert_int_equal(gm_view_attempts(sim->core, "job", &attempts, NULL), 0);
    for (size_t i = 0; i < attempts.count; i++) {
        const struct gm_attempt_view *a = &attempts.rows[i];
        uint32_t node = strcmp(a->node_id, sim->nodes[1].id) == 0;
        if (strcmp(a->type, "encode") == 0) {
            assert_string_equal(a->chain, "nvenc");
            done[node] += a->outcome == GM_ATTEMPT_DONE;
            lost += node == 1 && a->outcome == GM_ATTEMPT_LOST;
        }
    }
    gm_view_attempts_fini(&attempts);
    assert_true(done[0] > 0 && done[1] > 0 && lost > 0);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_device_leads_to_software),
        cmocka_unit_test(why_a_device_went_is_kept),
        cmocka_unit_test(a_device_that_is_back_soon_is_waited_for),
        cmocka_unit_test(how_long_a_device_is_waited_for_is_said),
        cmocka_unit_test(fallback_wait_waits),
        cmocka_unit_test(fallback_fail_fails),
        cmocka_unit_test(a_stopping_scheduler_gives_no_device_up),
        cmocka_unit_test(what_fails_on_a_device_is_tried_in_software),
        cmocka_unit_test(a_new_plan_knows_nothing_of_the_old_one),
        cmocka_unit_test(the_first_publication_is_stale),
        cmocka_unit_test(a_device_that_fails_the_plan_is_told),
        cmocka_unit_test(a_device_that_plans_at_last_is_kept),
        cmocka_unit_test(a_device_may_change_what_it_offers),
        cmocka_unit_test(a_like_device_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
