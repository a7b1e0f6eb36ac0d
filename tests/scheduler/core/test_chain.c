/* Which devices encode a job, and what becomes of it when they go. */
#include "sim/sim_io.h"

#include <string.h>

static struct sim *farm(uint32_t nodes, uint32_t gpus, const char *fallback, const char *device)
{
    struct sim_params params = {.seed = 1,
                                .nodes = nodes,
                                .slots = 2,
                                .gpus = gpus,
                                .fallback = fallback,
                                .device = device};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2); /* everybody said hello */
    return sim;
}

static bool encode_runs(struct sim *sim)
{
    struct sim_node *node;
    return sim_find_running(sim, "video", &node) != NULL;
}

/* Its arrays stay until the next call. */
static const struct gm_job_view *view(struct sim *sim)
{
    static struct gm_job_view v;
    gm_view_job_fini(&v);
    assert_int_equal(gm_view_job(sim->core, "job", &v, NULL), 0);
    return &v;
}

static bool chain_is_lost(struct sim *sim)
{
    return view(sim)->lost_count > 0;
}

static bool is_planned_again(struct sim *sim)
{
    return view(sim)->lost_count > 0 && view(sim)->publication[0] != '\0';
}

static void devices_are_taken_in_order(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 1, NULL, NULL);
    struct sim_job *job = sim_submit(sim, "job", 20, 2, 50);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_string_equal(job->chain, "nvenc");
    assert_string_equal(view(sim)->chain, "nvenc");
    assert_string_equal(view(sim)->chain_fingerprint, "fake 1");
    assert_int_equal(view(sim)->lost_count, 0);
    sim_destroy(sim);
    sim = farm(3, 1, NULL, "cpu");
    job = sim_submit(sim, "job", 5, 0, 50);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_string_equal(job->chain, "cpu");
    sim_destroy(sim);
    sim = farm(2, 0, "software", "nvenc");
    job = sim_submit(sim, "job", 5, 0, 50);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_string_equal(job->chain, "cpu");
    sim_destroy(sim);
}

static void analyze_needs_the_processor(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 1, NULL, NULL);
    struct sim_job *job = sim_submit_kind(sim, "job", SIM_BARRIERS, 6, 1, 1);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_string_equal(job->chain, "cpu");
    sim_destroy(sim);
    sim = farm(3, 1, "fail", "nvenc");
    (void)sim_submit_kind(sim, "job", SIM_BARRIERS, 6, 1, 1);
    sim_until(sim, sim_all_final, 300);
    assert_int_equal(sim_error(sim, "job").code, GM_E_NO_DEVICE);
    assert_non_null(strstr(sim_error(sim, "job").text, "analyze"));
    sim_destroy(sim);
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

static uint32_t failures(struct sim *sim)
{
    uint32_t n = 0;
    const struct gm_job_view *v = view(sim);
    for (size_t i = 0; i < v->task_count; i++) {
        n += v->tasks[i].failures;
    }
    return n;
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

/* Sessions that others hold are nobody's failure, however long they hold them. */
static void a_busy_device_charges_no_attempt(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1, NULL, NULL);
    struct sim_job *job = sim_submit(sim, "job", 12, 1, 50);
    job->gpu_encode_fails = GM_E_DEVICE_BUSY;
    sim_until(sim, encode_runs, 60);
    sim_run(sim, 120);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_RUNNING);
    assert_int_equal(failures(sim), 0);
    assert_int_equal(view(sim)->lost_count, 0);
    job->gpu_encode_fails = GM_OK;
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_string_equal(job->chain, "nvenc");
    assert_int_equal(job->plans, 1);
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

static uint64_t used_sessions(struct sim *sim)
{
    struct gm_nodes_view nodes;
    uint64_t used = 0;
    assert_int_equal(gm_view_nodes(sim->core, &nodes, NULL), 0);
    for (size_t i = 0; i < nodes.count; i++) {
        for (size_t k = 0; k < nodes.rows[i].device_count; k++) {
            used += nodes.rows[i].devices[k].used.sessions;
        }
    }
    gm_view_nodes_fini(&nodes);
    return used;
}

/* sim_sessions_check looks at every assignment. */
static void jobs_share_a_device_s_sessions(void **arg)
{
    (void)arg;
    static const struct {
        uint32_t limit, a, b;
        uint64_t most; /* at once */
    } rows[] = {{3, 2, 1, 3}, {3, 2, 2, 2}, {4, 2, 2, 4}, {0, 4, 4, 8}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim *sim = farm(2, 1, "fail", "nvenc");
        sim->nodes[0].limit = rows[i].limit;
        sim_node_offer_gpu(sim, &sim->nodes[0], 2);
        struct sim_job *a = sim_submit(sim, "job", 20, 1, 50);
        struct sim_job *b = sim_submit(sim, "other", 20, 1, 50);
        a->renditions = rows[i].a;
        b->renditions = rows[i].b;
        uint64_t most = 0;
        for (int step = 0; step < 6000 && !sim_all_final(sim); step++) {
            uint64_t used = used_sessions(sim);
            most = used > most ? used : most;
            sim_step(sim);
        }
        assert_int_equal(most, rows[i].most);
        sim_check_done(sim, a);
        sim_check_done(sim, b);
        assert_string_equal(a->chain, "nvenc");
        assert_string_equal(b->chain, "nvenc");
        assert_int_equal(failures(sim), 0);
        sim_destroy(sim);
    }
}

#define FEW "4 renditions need 4 encoder sessions; GPU gpu gives 3"

static bool is_told(struct sim *sim, const char *words)
{
    struct gm_explain_view v;
    bool said = false;
    assert_int_equal(gm_view_explain(sim->core, "job", sim->now, &v, NULL), 0);
    for (size_t i = 0; i < v.count; i++) {
        said = said || strstr(v.rows[i].why, words) != NULL;
    }
    gm_view_explain_fini(&v);
    return said;
}

static bool is_planned(struct sim *sim)
{
    return view(sim)->chain != NULL && view(sim)->chain[0] != '\0';
}

static void too_few_sessions_lead_to_the_fallback(void **arg)
{
    (void)arg;
    static const char *const fallbacks[] = {"software", "fail", "wait"};
    for (size_t i = 0; i < 3; i++) {
        struct sim *sim = farm(2, 1, fallbacks[i], "nvenc");
        sim->nodes[0].limit = 3;
        sim_node_offer_gpu(sim, &sim->nodes[0], 2);
        struct sim_job *job = sim_submit(sim, "job", 8, 1, 50);
        job->renditions = 4;
        sim_until(sim, is_planned, 60);
        sim_run(sim, 5);
        assert_true(is_told(sim, FEW));
        assert_int_equal(sim_state(sim, "job"), GM_JOB_RUNNING);
        assert_int_equal(view(sim)->lost_count, 0);
        sim_run(sim, 60);
        if (i == 2) {
            assert_true(is_told(sim, FEW));
            sim->nodes[0].limit = 4;
            sim_node_offer_gpu(sim, &sim->nodes[0], 2);
        }
        sim_until(sim, sim_all_final, 600);
        assert_int_equal(failures(sim), 0);
        if (i == 1) {
            assert_int_equal(sim_error(sim, "job").code, GM_E_NO_DEVICE);
            assert_string_equal(sim_error(sim, "job").text, FEW);
        } else {
            sim_check_done(sim, job);
            assert_string_equal(job->chain, i == 0 ? "cpu" : "nvenc");
            assert_int_equal(view(sim)->lost_count, i == 0 ? 1 : 0);
        }
        if (i == 0) {
            assert_int_equal(view(sim)->lost[0].code, GM_E_NO_DEVICE);
            assert_string_equal(view(sim)->lost[0].text, FEW);
        }
        sim_destroy(sim);
    }
}

/* Nobody knows the limit: the device refuses, and its node offers less. */
static void a_limit_is_found_out(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1, NULL, NULL);
    sim->params.sessions = 3;
    struct sim_job *job = sim_submit(sim, "job", 8, 1, 50);
    struct sim_job *small = sim_submit(sim, "small", 8, 1, 50);
    job->renditions = 4;
    sim_until(sim, sim_all_final, 900);
    sim_check_done(sim, job);
    sim_check_done(sim, small);
    assert_string_equal(job->chain, "cpu");
    assert_string_equal(small->chain, "nvenc");
    assert_int_equal(failures(sim), 0);
    assert_string_equal(view(sim)->lost[0].text, FEW);
    sim_destroy(sim);
}

static struct sim *ladders(const char *fallback, uint32_t limit, uint32_t rungs)
{
    struct sim_params params = {.seed = 1,
                                .nodes = 2,
                                .slots = 2,
                                .gpus = 1,
                                .ladder = rungs,
                                .fallback = fallback,
                                .device = "nvenc"};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    sim->nodes[0].limit = limit;
    sim_node_offer_gpu(sim, &sim->nodes[0], 2);
    return sim;
}

/* Inspect has told how many there will be: nothing is planned for a device that can't make them. */
static void a_ladder_that_is_too_long_is_planned_once(void **arg)
{
    (void)arg;
    static const struct {
        const char *fallback;
        uint32_t limit;
        uint32_t rungs;
        const char *chain, *reason;
    } rows[] = {
        {NULL, 3, 4, "cpu", "nvenc: " FEW}, {"software", 3, 4, "cpu", "nvenc: " FEW},
        {"software", 3, 3, "nvenc", ""},    {"fail", 4, 4, "nvenc", ""},
        {"fail", 0, 4, "nvenc", ""},        {"software", 0, 0, "nvenc", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim *sim = ladders(rows[i].fallback, rows[i].limit, rows[i].rungs);
        struct sim_job *job = sim_submit(sim, "job", 8, 1, 50);
        sim_until(sim, is_planned, 60);
        assert_string_equal(view(sim)->chain, rows[i].chain);
        assert_string_equal(view(sim)->chain_reason, rows[i].reason);
        sim_commit(sim);
        sim_restart(sim);
        sim_until(sim, sim_all_final, 600);
        sim_check_done(sim, job);
        assert_string_equal(job->chain, rows[i].chain);
        assert_int_equal(job->plans, 1);
        assert_int_equal(view(sim)->lost_count, 0);
        sim_destroy(sim);
    }
}

/* Where the job may not leave the device: it waits unplanned, and is told for what. */
static void a_ladder_that_is_too_long_waits_unplanned(void **arg)
{
    (void)arg;
    for (int waits = 0; waits < 2; waits++) {
        struct sim *sim = ladders(waits ? "wait" : "fail", 3, 4);
        struct sim_job *job = sim_submit(sim, "job", 8, 1, 50);
        sim_run(sim, 8);
        assert_true(is_told(sim, "waits for one of the pipeline's devices: nvenc: " FEW));
        assert_int_equal(job->plans, 0);
        sim_run(sim, 60);
        if (waits) {
            assert_int_equal(job->plans, 0);
            sim->nodes[0].limit = 4;
            sim_node_offer_gpu(sim, &sim->nodes[0], 2);
            sim_until(sim, sim_all_final, 600);
            sim_check_done(sim, job);
            assert_string_equal(job->chain, "nvenc");
            assert_int_equal(job->plans, 1);
        } else {
            assert_int_equal(sim_error(sim, "job").code, GM_E_NO_DEVICE);
            assert_string_equal(sim_error(sim, "job").text,
                                "none of the pipeline's `devices` can be had: nvenc: " FEW);
        }
        sim_destroy(sim);
    }
}

/* A chain that comes first and was not even asked leaves no attempt behind. */
static void why_a_chain_was_passed_over_is_kept(void **arg)
{
    (void)arg;
    static const struct {
        uint32_t gpus, slots;
        enum sim_kind kind;
        const char *device; /* listed */
        const char *offers; /* by the gpu, in place of its chain; NULL: that */
        const char *reason;
    } rows[] = {
        {1, 2, SIM_PLAIN, NULL, NULL, ""},
        {1, 2, SIM_PLAIN, "nvenc", NULL, ""},
        {1, 2, SIM_PLAIN, "cpu", NULL, ""},
        {0, 0, SIM_PLAIN, NULL, NULL, ""}, /* nobody asked for one */
        {0, 0, SIM_PLAIN, "nvenc", NULL, "nvenc: no node offers it"},
        {1, 2, SIM_PLAIN, "nvenc", "", "nvenc: no node offers it"},
        {1, 0, SIM_PLAIN, NULL, NULL, "nvenc: its devices take no tasks now"},
        {1, 2, SIM_PLAIN, "vaapi", NULL, "vaapi: no node offers it"},
        {1, 2, SIM_BARRIERS, NULL, NULL,
         "nvenc: the job has `analyze`, which software alone can do"},
        {0, 0, SIM_BARRIERS, NULL, NULL, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim *sim = farm(2, rows[i].gpus, "software", rows[i].device);
        if (rows[i].gpus > 0) {
            sim_node_tell_gpu(sim, &sim->nodes[0], rows[i].slots, rows[i].offers);
        }
        struct sim_job *job = sim_submit_kind(sim, "job", rows[i].kind, 4, 1, 0);
        sim_until(sim, is_planned, 60);
        assert_string_equal(view(sim)->chain_reason, rows[i].reason);
        sim_commit(sim);
        sim_restart(sim);
        assert_string_equal(view(sim)->chain_reason, rows[i].reason);
        sim_until(sim, sim_all_final, 300);
        sim_check_done(sim, job);
        sim_destroy(sim);
    }
}

/* What was given up is said there, not twice. */
static void what_is_given_up_is_no_reason(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1, "software", "nvenc");
    (void)sim_submit(sim, "job", 20, 1, 50);
    sim_until(sim, encode_runs, 60);
    sim_node_offer_gpu(sim, &sim->nodes[0], 0);
    sim_until(sim, sim_all_final, 600);
    assert_int_equal(view(sim)->lost_count, 1);
    assert_string_equal(view(sim)->chain_reason, "");
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
    struct sim_job *job = sim_submit(sim, "job", 60, 1, 50);
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
        cmocka_unit_test(devices_are_taken_in_order),
        cmocka_unit_test(analyze_needs_the_processor),
        cmocka_unit_test(a_lost_device_leads_to_software),
        cmocka_unit_test(why_a_device_went_is_kept),
        cmocka_unit_test(a_device_that_is_back_soon_is_waited_for),
        cmocka_unit_test(how_long_a_device_is_waited_for_is_said),
        cmocka_unit_test(fallback_wait_waits),
        cmocka_unit_test(fallback_fail_fails),
        cmocka_unit_test(what_fails_on_a_device_is_tried_in_software),
        cmocka_unit_test(the_first_publication_is_stale),
        cmocka_unit_test(a_device_that_fails_the_plan_is_told),
        cmocka_unit_test(a_device_that_plans_at_last_is_kept),
        cmocka_unit_test(a_device_may_change_what_it_offers),
        cmocka_unit_test(a_busy_device_charges_no_attempt),
        cmocka_unit_test(jobs_share_a_device_s_sessions),
        cmocka_unit_test(too_few_sessions_lead_to_the_fallback),
        cmocka_unit_test(a_limit_is_found_out),
        cmocka_unit_test(a_ladder_that_is_too_long_is_planned_once),
        cmocka_unit_test(a_ladder_that_is_too_long_waits_unplanned),
        cmocka_unit_test(why_a_chain_was_passed_over_is_kept),
        cmocka_unit_test(what_is_given_up_is_no_reason),
        cmocka_unit_test(a_like_device_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
