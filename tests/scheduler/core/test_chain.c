/* Which devices encode a job, and how many of their sessions. What follows when they go is in
 * test_replan.c. */
#include "scheduler/core/state.h"
#include "tests/scheduler/core/chain.h"

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

struct used {
    uint64_t memory, slots;
};

static struct used used_of_gpu(struct sim *sim)
{
    struct gm_nodes_view nodes;
    struct used used = {0};
    uint64_t held = 0;
    assert_int_equal(gm_view_nodes(sim->core, &nodes, NULL), 0);
    for (size_t k = 0; k < nodes.rows[0].device_count; k++) {
        const struct gm_device_view *d = &nodes.rows[0].devices[k];
        if (strcmp(d->id, "gpu") == 0) {
            used = (struct used){d->used.device_memory_bytes, d->used.slots};
        }
    }
    for (size_t l = 0; l < nodes.rows[0].lease_count; l++) {
        const struct gm_lease_view *lease = &nodes.rows[0].leases[l];
        held += strcmp(lease->device, "gpu") == 0 ? lease->demand.device_memory_bytes : 0;
    }
    assert_int_equal(held, used.memory);
    used.memory >>= 20;
    gm_view_nodes_fini(&nodes);
    return used;
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

/* A run of these jobs takes a bit over 129 MiB; a device that never has so much is given one alone.
 * A node of the release before tells nothing of it: slots alone bound its runs. */
static void jobs_share_a_device_s_memory(void **arg)
{
    (void)arg;
    static const struct {
        uint32_t mib;
        uint64_t slots, memory; /* at once, at most */
        const char *why;
    } rows[] = {
        {0, 2, 258, NULL},
        {300, 2, 258, NULL},
        {200, 1, 129,
         "It takes 130 MiB of device memory, of which gpu of node node-0 has 70 of 200 left."},
        {100, 1, 100,
         "It takes 130 MiB of device memory, of which gpu of node node-0 has 0 of 100 left; "
         "none has so much, it waits for an idle one."}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim *sim = farm(2, 1, "fail", "nvenc");
        sim->params.device_memory = rows[i].mib;
        sim_node_offer_gpu(sim, &sim->nodes[0], 2);
        (void)sim_submit(sim, "job", 40, 1, 50);
        (void)sim_submit(sim, "other", 40, 1, 50);
        struct used most = {0};
        bool told = false;
        for (int step = 0; step < 9000 && !sim_all_final(sim); step++) {
            struct used used = used_of_gpu(sim);
            most.memory = used.memory > most.memory ? used.memory : most.memory;
            most.slots = used.memory > 0 && used.slots > most.slots ? used.slots : most.slots;
            told = told || (rows[i].why && (explains(sim, "job", rows[i].why) ||
                                            explains(sim, "other", rows[i].why)));
            sim_step(sim);
        }
        assert_int_equal(most.memory, rows[i].memory);
        assert_int_equal(most.slots, rows[i].slots);
        assert_int_equal(told, rows[i].why != NULL);
        assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
        assert_int_equal(sim_state(sim, "other"), GM_JOB_DONE);
        assert_int_equal(failures(sim), 0);
        sim_destroy(sim);
    }
}

/* A run bigger than the gpu's memory needs the gpu for itself, not the node: what the node shares
 * is enough for it beside a task that never ends. */
static void a_big_run_starts_beside_tasks_of_the_processor(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1,
                                .nodes = 1,
                                .slots = 4,
                                .gpus = 1,
                                .shares = true,
                                .fallback = "fail",
                                .device = "nvenc",
                                .stall_ms = 24 * 3600 * 1000,
                                .device_memory = 100};
    struct sim *sim = sim_create(&params);
    struct sim_node *node;
    struct sim_task *split;
    sim_run(sim, 2);
    sim_node_offer_gpu(sim, &sim->nodes[0], 2);
    (void)sim_submit(sim, "other", 4, 0, 50);
    while ((split = sim_find_running(sim, "split", &node)) == NULL) {
        sim_step(sim);
    }
    split->hung = true;
    struct sim_job *job = sim_submit(sim, "job", 8, 0, 50);
    for (int step = 0; step < 3000 && sim_state(sim, "job") != GM_JOB_DONE; step++) {
        struct used used = used_of_gpu(sim);
        assert_true(used.memory <= 100 && used.slots <= 1);
        sim_step(sim);
    }
    sim_check_done(sim, job);
    assert_true(split->hung && !split->finished);
    sim_destroy(sim);
}

/* Of gpus that are all too small it goes to the one with most memory of its own, though the other's
 * node has four times as much. */
static void a_big_run_goes_where_most_device_memory_is(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 2, "fail", "nvenc");
    static const struct {
        uint32_t mib, slots;
    } rows[2] = {{50, 4}, {100, 1}};
    for (uint32_t n = 0; n < 2; n++) {
        sim->params.device_memory = rows[n].mib;
        sim_node_offer_gpu(sim, &sim->nodes[n], rows[n].slots);
    }
    struct sim_job *job = sim_submit(sim, "job", 1, 0, 50);
    uint64_t runs = 0;
    for (int step = 0; step < 3000 && !sim_all_final(sim); step++) {
        for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
            bool runs_there = l->chunk_count > 0;
            runs += runs_there ? 1 : 0;
            assert_true(!runs_there || l->demand.device_memory_bytes == UINT64_C(100) << 20);
        }
        sim_step(sim);
    }
    assert_true(runs > 0);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

/* The sum of the farm has only what was told: what is taken of other devices is no share of it. */
static void memory_that_nobody_told_is_not_charged(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 2, "fail", "nvenc");
    uint64_t untold = 0, told = 0;
    for (uint32_t n = 0; n < 2; n++) {
        sim->params.device_memory = n == 0 ? 0 : 270; /* two runs */
        sim_node_offer_gpu(sim, &sim->nodes[n], 2);
    }
    sim_run(sim, 2); /* the sum is made anew */
    (void)sim_submit(sim, "job", 40, 0, 50);
    (void)sim_submit(sim, "other", 40, 0, 50);
    for (int step = 0; step < 9000 && !sim_all_final(sim); step++) {
        for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
            bool knows = l->device->usable.device_memory_bytes > 0;
            bool much = l->share > GM_FAIR_WHOLE / 5 * 2;
            untold += l->chunk_count > 0 && !knows ? 1 : 0;
            told += l->chunk_count > 0 && knows ? 1 : 0;
            assert_int_equal(much, l->chunk_count > 0 && knows);
        }
        sim_step(sim);
    }
    assert_true(untold > 0 && told > 0);
    assert_true(sim_all_final(sim));
    sim_destroy(sim);
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

/* The other node's device has too few sessions for the plan's ladder: nobody else might do better.
 */
static void a_plan_that_fails_where_alone_it_fits_is_not_tried_to_the_end(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1,
                                .nodes = 2,
                                .slots = 2,
                                .gpus = 2,
                                .ladder = 4,
                                .fallback = "fail",
                                .device = "nvenc"};
    for (uint32_t limit = 3; limit <= 4; limit++) {
        struct sim *sim = sim_create(&params);
        sim_run(sim, 2);
        sim->nodes[0].limit = 4;
        sim->nodes[1].limit = limit;
        sim_node_offer_gpu(sim, &sim->nodes[0], 2);
        sim_node_offer_gpu(sim, &sim->nodes[1], 2);
        struct sim_job *job = sim_submit(sim, "job", 8, 1, 50);
        job->gpu_plan_fails = GM_E_DEVICE_DRIVER;
        sim_until(sim, sim_all_final, 900);
        assert_int_equal(sim_error(sim, "job").code, GM_E_DEVICE_DRIVER);
        if (limit == 3) {
            assert_int_equal(failures(sim), 3);
        } else {
            assert_true(failures(sim) >= 3);
        }
        sim_destroy(sim);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_taken_in_order),
        cmocka_unit_test(analyze_needs_the_processor),
        cmocka_unit_test(a_busy_device_charges_no_attempt),
        cmocka_unit_test(jobs_share_a_device_s_sessions),
        cmocka_unit_test(jobs_share_a_device_s_memory),
        cmocka_unit_test(a_big_run_starts_beside_tasks_of_the_processor),
        cmocka_unit_test(a_big_run_goes_where_most_device_memory_is),
        cmocka_unit_test(memory_that_nobody_told_is_not_charged),
        cmocka_unit_test(too_few_sessions_lead_to_the_fallback),
        cmocka_unit_test(a_plan_that_fails_where_alone_it_fits_is_not_tried_to_the_end),
        cmocka_unit_test(a_limit_is_found_out),
        cmocka_unit_test(a_ladder_that_is_too_long_is_planned_once),
        cmocka_unit_test(a_ladder_that_is_too_long_waits_unplanned),
        cmocka_unit_test(why_a_chain_was_passed_over_is_kept),
        cmocka_unit_test(what_is_given_up_is_no_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
