/* Builds of software: docs/adr/0055 has the table of what a farm goes through in an update; its
 * rows name these tests. */
#include "scheduler/core/builds.h"

#include <stdio.h>
#include <stdlib.h>

#include "scheduler/core/job.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/watch.h"
#include "tests/scheduler/core/chain.h"

/* All tasks of that type that run; or they go on. */
static void hang(struct sim *sim, const char *type, bool hung)
{
    for (size_t i = 0; i < SIM_NODES * SIM_TASKS; i++) {
        struct sim_task *t = &sim->nodes[i / SIM_TASKS].tasks[i % SIM_TASKS];
        t->hung = t->assign && strcmp(t->assign->spec->type, type) == 0 ? hung : t->hung;
    }
}

static bool chain_is_lost(struct sim *sim)
{
    return view(sim)->lost_count > 0;
}

/* Nodes of `builds` builds of software by turns, which pipelines are for. */
static struct sim *builds(uint32_t nodes, uint32_t builds, const char *fallback)
{
    struct sim_params params = {.seed = 1,
                                .nodes = nodes,
                                .slots = 2,
                                .builds = builds,
                                .fallback = fallback,
                                .device = "cpu"};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    return sim;
}

/* Runs of encode on nodes whose number is `build` modulo `builds`. */
static uint32_t runs_of_build(struct sim *sim, uint32_t build, uint32_t builds)
{
    struct gm_attempts_view v;
    uint32_t count = 0;
    assert_int_equal(gm_view_attempts(sim->core, "job", &v, NULL), 0);
    for (size_t i = 0; i < v.count; i++) {
        for (uint32_t n = 0; n < sim->params.nodes; n++) {
            count += n % builds == build && strcmp(v.rows[i].type, "encode") == 0 &&
                     strcmp(v.rows[i].node_id, sim->nodes[n].id) == 0;
        }
    }
    gm_view_attempts_fini(&v);
    return count;
}

static bool job_is_told(struct sim *sim, const char *words)
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

/* Nodes 0 and 3 are of the first build, which has most slots. */
static void a_job_stays_with_one_build(void **arg)
{
    (void)arg;
    for (uint32_t kind = SIM_PLAIN; kind <= SIM_BARRIERS; kind++) {
        struct sim *sim = builds(4, 3, NULL);
        struct sim_job *job = sim_submit_kind(sim, "job", (enum sim_kind)kind, 60, 2, 1);
        sim_until(sim, sim_all_final, 900);
        sim_check_done(sim, job);
        assert_string_equal(view(sim)->chain_fingerprint, "build 0");
        assert_true(runs_of_build(sim, 0, 3) > 1);
        assert_int_equal(runs_of_build(sim, 1, 3) + runs_of_build(sim, 2, 3), 0);
        assert_int_equal(job->plans, 1);
        sim_destroy(sim);
    }
}

/* A farm in the middle of an update: the old build gets nothing new. */
static void of_equal_builds_the_new_one_plans(void **arg)
{
    (void)arg;
    struct sim *sim = builds(2, 2, NULL);
    struct sim_job *job = sim_submit(sim, "job", 20, 1, 50);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_string_equal(view(sim)->chain_fingerprint, "build 1");
    assert_int_equal(runs_of_build(sim, 0, 2), 0);
    sim_destroy(sim);
}

static bool plan_runs(struct sim *sim)
{
    struct sim_node *node;
    return sim_find_running(sim, "plan", &node) != NULL;
}

static uint32_t plan_attempts(struct sim *sim)
{
    struct gm_attempts_view v;
    uint32_t count = 0;
    assert_int_equal(gm_view_attempts(sim->core, "job", &v, NULL), 0);
    for (size_t i = 0; i < v.count; i++) {
        count += strcmp(v.rows[i].type, "plan") == 0;
    }
    gm_view_attempts_fini(&v);
    return count;
}

static bool waits_for_its_build(struct sim *sim)
{
    return job_is_told(sim,
                       "waits for a node of the build that the renditions began with "
                       "(build 0); others take tasks, and without one the job is planned again");
}

/* Its nodes die in the middle; another build's alone is there. No fallback is asked: software was
 * wanted, and is there. */
static void a_build_that_goes_leads_to_another(void **arg)
{
    (void)arg;
    static const char *const fallbacks[] = {NULL, "software", "wait", "fail"};
    for (size_t i = 0; i < 4; i++) {
        struct sim *sim = builds(3, 2, fallbacks[i]);
        struct sim_job *job = sim_submit(sim, "job", 60, 2, 50);
        sim_until(sim, encode_runs, 60);
        sim_run(sim, 5);
        assert_string_equal(view(sim)->chain_fingerprint, "build 0");
        assert_int_equal(runs_of_build(sim, 1, 2), 0);
        sim_node_kill(sim, &sim->nodes[0]);
        sim_node_kill(sim, &sim->nodes[2]);
        sim_until(sim, waits_for_its_build, 60);
        sim_until(sim, chain_is_lost, 60);
        assert_string_equal(view(sim)->lost[0].name, "cpu");
        assert_int_equal(view(sim)->lost[0].code, GM_E_NO_DEVICE);
        assert_non_null(strstr(view(sim)->lost[0].text, "began with: build 0"));
        sim_until(sim, plan_runs, 60); /* and is taken over */
        sim_commit(sim);
        sim_restart(sim);
        sim_until(sim, sim_all_final, 900);
        sim_check_done(sim, job);
        assert_string_equal(view(sim)->chain_fingerprint, "build 1");
        assert_int_equal(view(sim)->lost_count, 1);
        assert_int_equal(job->plans, 2);
        assert_int_equal(plan_attempts(sim), 2);
        assert_int_equal(job->published, 1);
        sim_destroy(sim);
    }
}

/* As before: a farm that is away as a whole, or a build that is back soon, costs no plan. */
static void a_build_that_is_back_is_waited_for(void **arg)
{
    (void)arg;
    for (int all = 0; all < 2; all++) {
        struct sim *sim = builds(3, 2, NULL);
        struct sim_job *job = sim_submit(sim, "job", 60, 2, 50);
        sim_until(sim, encode_runs, 60);
        sim_run(sim, 5);
        for (int n = 0; n < 3; n += all ? 1 : 2) {
            sim_node_kill(sim, &sim->nodes[n]);
        }
        sim_run(sim, all ? 300 : 5);
        for (int n = 0; n < 3; n++) {
            if (!sim->nodes[n].alive) {
                sim_node_start(sim, &sim->nodes[n]);
            }
        }
        sim_until(sim, sim_all_final, 900);
        sim_check_done(sim, job);
        assert_string_equal(view(sim)->chain_fingerprint, "build 0");
        assert_int_equal(runs_of_build(sim, 1, 2), 0);
        assert_int_equal(view(sim)->lost_count, 0);
        assert_int_equal(job->plans, 1);
        sim_destroy(sim);
    }
}

/* Most nodes are of a broken build: the job is done by the others', whatever of it fails. */
static void a_broken_build_fails_no_job(void **arg)
{
    (void)arg;
    static const char *const tasks[] = {NULL, "plan", "encode", "audio", "inspect", "split"};
    for (size_t i = 0; i < 6; i++) {
        struct sim_params params = {.seed = 1,
                                    .nodes = 7,
                                    .slots = 2,
                                    .builds = 2,
                                    .bad_build = 1,
                                    .bad_task = tasks[i],
                                    .max_attempts = i < 3 ? 3 : 2};
        struct sim *sim = sim_create(&params);
        sim_run(sim, 2);
        struct sim_job *job = sim_submit(sim, "job", 30, 6, 50);
        sim_until(sim, sim_all_final, 900);
        assert_int_equal(view(sim)->state, GM_JOB_DONE);
        sim_check_done(sim, job);
        bool encodes = tasks[i] && strcmp(tasks[i], "encode") == 0;
        assert_int_equal(view(sim)->lost_count, encodes ? 1 : 0);
        if (encodes) { /* it had planned */
            assert_string_equal(view(sim)->lost[0].name, "cpu");
            assert_int_equal(view(sim)->lost[0].code, GM_E_MEDIA_POISON);
            assert_string_equal(view(sim)->chain_fingerprint, "build 1");
            assert_int_equal(job->plans, 2);
        }
        sim_destroy(sim);
    }
}

/* By what says nothing of it, and by the code of what it can't read. */
static void what_fails_on_one_build_is_tried_on_another(void **arg)
{
    (void)arg;
    static const char *const tasks[] = {"inspect", "plan", "split", "audio", "encode"};
    static const enum gm_code codes[] = {GM_E_NO_SCRATCH, GM_E_NODE_GRANT, GM_E_SANDBOX,
                                         GM_E_MEDIA_CHUNK};
    for (size_t i = 0; i < 5 * 4 * 2; i++) {
        struct sim_params params = {.seed = 1,
                                    .nodes = i < 20 ? 2 : 7,
                                    .slots = 2,
                                    .builds = 2,
                                    .bad_build = i < 20 ? 2 : 1,
                                    .bad_task = tasks[i % 5],
                                    .bad_build_code = codes[i / 5 % 4],
                                    .max_attempts = i < 20 ? 8 : 2};
        struct sim *sim = sim_create(&params);
        sim_run(sim, 2);
        struct sim_job *job = sim_submit(sim, "job", 30, 6, 50);
        sim_until(sim, sim_all_final, 1800);
        assert_int_equal(view(sim)->state, GM_JOB_DONE);
        sim_check_done(sim, job);
        sim_destroy(sim);
    }
}

/* Nothing but sound: no build is the job's, and `plan` goes to another one too. */
static void plan_of_sound_is_tried_on_another_build(void **arg)
{
    (void)arg;
    static const enum gm_code codes[] = {GM_E_NO_SCRATCH, GM_E_NODE_GRANT, GM_E_SANDBOX};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct sim_params params = {.seed = 1,
                                    .nodes = 2,
                                    .slots = 2,
                                    .builds = 2,
                                    .bad_build = 2,
                                    .bad_task = "plan",
                                    .bad_build_code = codes[i]};
        struct sim *sim = sim_create(&params);
        sim_run(sim, 2);
        (void)sim_submit_kind(sim, "job", SIM_SOUND, 6, 2, 0);
        sim_until(sim, sim_all_final, 1800);
        assert_int_equal(view(sim)->state, GM_JOB_DONE);
        sim_destroy(sim);
    }
}

/* Failed on the first build: another one is to do it, that has room, and a node that it did not
 * fail on. The one of the node that was there first is full. */
static void what_failed_is_bound_to_no_build_that_can_not_do_it(void **arg)
{
    (void)arg;
    char cpu[] = "cpu", first[] = "build 0";
    struct sim *sim = builds(3, 3, NULL);
    struct gm_cjob *job = NULL;
    Gm__Chain chain = GM__CHAIN__INIT;
    struct gm_err err = {0};
    sim_node_kill(sim, &sim->nodes[0]);
    sim_node_kill(sim, &sim->nodes[1]);
    sim_run(sim, 30);
    (void)sim_submit(sim, "other", 4000, 0, 50);
    sim_until(sim, encode_runs, 60);
    for (int i = 0; i < 100; i++) {
        hang(sim, "encode", true);
        sim_step(sim);
    }
    sim_node_start(sim, &sim->nodes[0]);
    sim_node_start(sim, &sim->nodes[1]);
    sim_run(sim, 2);
    (void)sim_submit(sim, "job", 10, 0, 50);
    HASH_FIND_STR(sim->core->jobs, "job", job);
    assert_non_null(job);
    struct gm_inst *inspect = gm_core_job_find_inst(job, "inspect", 0);
    const struct gm_lease lease = {.inst = inspect, .chain = &chain};
    chain.name = cpu;
    chain.fingerprint = first;
    assert_null(gm_core_build_instead(sim->core, inspect));
    gm_core_build_charge(&lease);
    assert_string_equal(gm_core_build_instead(sim->core, inspect), "build 1");
    (void)gm_err_set(&err, GM_E_NO_SCRATCH, 0, "full");
    gm_core_charge(&inspect->unit, "node-1", &err);
    assert_null(gm_core_build_instead(sim->core, inspect));
    sim_node_kill(sim, &sim->nodes[1]);
    sim_run(sim, 30);
    assert_null(gm_core_build_instead(sim->core, inspect)); /* build 2 is full */
    sim_destroy(sim);
}

/* One that fails it is never tried again, and no build is left: then a failure is final. */
static void a_job_that_all_builds_fail_ends(void **arg)
{
    (void)arg;
    for (int restart = 0; restart < 2; restart++) {
        struct sim *sim = builds(6, 2, NULL);
        struct sim_job *job = sim_submit(sim, "job", 30, 1, 50);
        job->poison = 3;
        sim_until(sim, chain_is_lost, 300);
        if (restart) {
            sim_commit(sim);
            sim_restart(sim);
        }
        sim_until(sim, sim_all_final, 900);
        assert_int_equal(view(sim)->state, GM_JOB_FAILED);
        assert_int_equal(sim_error(sim, "job").code, GM_E_MEDIA_POISON);
        assert_int_equal(job->plans, 2);
        sim_destroy(sim);
    }
}

/* The build with most slots is full, or its memory is: who has room plans. */
static void a_smaller_build_works_too(void **arg)
{
    struct gm_job_view v;
    const struct sim_params params = {
        .seed = 1, .nodes = 3, .slots = 2, .builds = 2, .small_build = *arg ? 1 : 0};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    (void)sim_submit(sim, "job", 400, 0, 50);
    sim_until(sim, encode_runs, 60);
    assert_string_equal(view(sim)->chain_fingerprint, "build 0");
    for (int i = 0; i < 100; i++) {
        hang(sim, "encode", true); /* it stays full */
        sim_step(sim);
    }
    (void)sim_submit(sim, "second", 10, 0, 50);
    sim_run(sim, 20);
    assert_int_equal(gm_view_job(sim->core, "second", &v, NULL), 0);
    assert_string_equal(v.chain_fingerprint, "build 1");
    gm_view_job_fini(&v);
    sim_destroy(sim);
}

static struct gm_lease *find_encode(struct sim *sim)
{
    for (struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
        if (l->chunk_count > 0 && !l->cancelling) {
            return l;
        }
    }
    return NULL;
}

static void drain(struct sim *sim, const char *node)
{
    struct gm_event event = {.type = GM_EV_DRAIN, .node_id = node};
    assert_int_equal(sim_event(sim, &event, NULL), 0);
    sim_commit(sim);
}

/* Its nodes take nothing new, and end what they have: that is not thrown away under them. */
static void a_build_that_still_works_is_not_given_up(void **arg)
{
    (void)arg;
    struct sim *sim = builds(3, 2, NULL);
    struct sim_job *job = sim_submit(sim, "job", 60, 0, 50);
    sim_until(sim, encode_runs, 60);
    sim_run(sim, 5);
    struct gm_lease *lease = find_encode(sim);
    assert_non_null(lease);
    hang(sim, "encode", true); /* a long one */
    drain(sim, "node-0");
    drain(sim, "node-2");
    for (int i = 0; i < 200; i++) {
        lease->progress_at = sim->now;
        sim_step(sim);
    }
    assert_false(chain_is_lost(sim));
    hang(sim, "encode", false);
    sim_until(sim, chain_is_lost, 120);
    sim_until(sim, sim_all_final, 900);
    sim_check_done(sim, job);
    assert_string_equal(view(sim)->chain_fingerprint, "build 1");
    assert_int_equal(job->plans, 2);
    sim_destroy(sim);
}

static void set_build(struct sim *sim, uint32_t build)
{
    for (size_t n = 0; n < sim->params.nodes; n++) {
        sim_node_kill(sim, &sim->nodes[n]);
        sim->nodes[n].build = build;
        sim_node_start(sim, &sim->nodes[n]);
    }
}

/* A farm that goes to and fro, and the scheduler starts anew: each time is waited for longer. */
static void what_flaps_is_planned_less_and_less(void **arg)
{
    (void)arg;
    struct sim *sim = builds(2, 2, NULL);
    struct sim_job *job = sim_submit(sim, "job", 400, 0, 50);
    gm_time last = 0;
    set_build(sim, 0);
    sim_until(sim, encode_runs, 120);
    for (uint32_t i = 1; i <= 4; i++) {
        uint32_t plans = job->plans;
        gm_time began = sim->now;
        set_build(sim, i % 2);
        while (job->plans == plans && sim->now - began < 600 * GM_SEC) {
            sim_step(sim);
        }
        gm_time took = sim->now - began;
        assert_true(job->plans == plans + 1 && took > last + last / 2);
        last = took;
        sim_commit(sim);
        sim_restart(sim);
        sim_until(sim, encode_runs, 120);
    }
    sim_until(sim, sim_all_final, 3600);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

static void patience_grows_with_what_would_be_lost(void **arg)
{
    (void)arg;
    struct gm_core core = {.device_wait = 10 * GM_SEC};
    struct gm_cjob job = {.frames_known = 0};
    assert_int_equal(gm_core_build_patience(&core, &job), 10 * GM_SEC);
    job.frames_known = 1000;
    assert_int_equal(gm_core_build_patience(&core, &job), 10 * GM_SEC);
    job.frames_committed = 700;
    assert_int_equal(gm_core_build_patience(&core, &job), 30 * GM_SEC);
    job.frames_committed = 1000;
    assert_int_equal(gm_core_build_patience(&core, &job), 40 * GM_SEC);
    for (int i = 0; i < 3; i++) {
        gm_core_build_count(&job);
    }
    assert_int_equal(gm_core_build_patience(&core, &job), 320 * GM_SEC);
    for (int i = 0; i < 100; i++) {
        gm_core_build_count(&job);
    }
    assert_int_equal(gm_core_build_patience(&core, &job), 3600 * GM_SEC);
    core.device_wait = 7200 * GM_SEC; /* as it was set */
    assert_int_equal(gm_core_build_patience(&core, &job), 7200 * GM_SEC);
    gm_core_builds_fini(&job.builds);
}

static bool second_node_has_turned(struct sim *sim)
{
    const struct gm_cnode *node = NULL;
    HASH_FIND_STR(sim->core->nodes, "node-1", node);
    return node && strcmp(node->devices[0].chains[0]->fingerprint, "build 1") == 0;
}

/* Its libraries were replaced beneath it, and what it was given meanwhile was for the old ones. */
static void what_comes_too_late_for_a_build_is_charged_to_nobody(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 2, .slots = 2, .builds = 1, .turns = 1};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    struct sim_job *job = sim_submit(sim, "job", 40, 0, 50);
    sim->nodes[1].build = 1; /* it did not say so yet */
    sim_until(sim, second_node_has_turned, 60);
    sim_until(sim, sim_all_final, 900);
    sim_check_done(sim, job);
    assert_string_equal(view(sim)->chain_fingerprint, "build 0");
    assert_int_equal(failures(sim), 0);
    assert_int_equal(runs_of_build(sim, 1, 2), 1); /* that one */
    sim_destroy(sim);
}

static int ask(struct sim *sim, const char *id)
{
    struct gm_event event = {.type = GM_EV_RESTART, .node_id = id};
    struct gm_err err;
    int rc = sim_event(sim, &event, &err);
    sim_commit(sim);
    return rc;
}

static bool encode_is_done(struct sim *sim)
{
    return sim->core->jobs->encode && sim->core->jobs->encode->insts[0].unit.state == GM_TASK_DONE;
}

/* The last node of a build is kept while a job encodes with it, no longer. */
static void who_encodes_no_more_keeps_no_node(void **arg)
{
    (void)arg;
    struct sim *sim = builds(2, 2, NULL);
    (void)sim_submit(sim, "job", 30, 1, 50);
    sim_until(sim, encode_runs, 60);
    assert_int_equal(ask(sim, "node-1"), -GM_E_CONFLICT);
    while (!encode_is_done(sim)) {
        hang(sim, "audio", true); /* it takes longer */
        sim_step(sim);
    }
    assert_int_equal(view(sim)->state, GM_JOB_RUNNING);
    assert_int_equal(ask(sim, "node-1"), 0);
    sim_destroy(sim);
}

/* One whose slots are all gone is to be mended by that. */
static void a_node_that_takes_nothing_may_restart(void **arg)
{
    (void)arg;
    struct sim *sim = builds(1, 1, NULL);
    (void)sim_submit(sim, "job", 30, 1, 50);
    sim_until(sim, encode_runs, 60);
    assert_int_equal(ask(sim, "node-0"), -GM_E_CONFLICT);
    sim->core->nodes->devices[0].usable.slots = 0;
    assert_int_equal(ask(sim, "node-0"), 0);
    sim_destroy(sim);
}

static bool is_closed(struct sim *sim)
{
    const struct gm_cwatch *w = gm_core_watch_find(sim->core, "node-0", "cpu");
    return w && w->state == GM_WATCH_CLOSED;
}

/* What fails there and passes on the other build speaks against it, though no other node has it. */
static void the_last_node_of_a_broken_build_is_closed(void **arg)
{
    (void)arg;
    struct sim_params params = {
        .seed = 1, .nodes = 2, .slots = 2, .builds = 2, .bad_build = 1, .bad_task = "audio"};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    struct sim_job *job = sim_submit(sim, "job", 30, 6, 50);
    sim_until(sim, is_closed, 300);
    sim_until(sim, sim_all_final, 900);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

static bool is_held(struct sim *sim)
{
    const struct gm_cwatch *w = gm_core_watch_find(sim->core, "node-1", "cpu");
    return w && w->held_until != 0;
}

/* It is seen within a minute whether its last node works: nothing is planned again for that. */
static void a_build_that_is_held_is_waited_for(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1,
                                .nodes = 2,
                                .slots = 2,
                                .builds = 2,
                                .bad_node = 2,
                                .bad_code = GM_E_MEDIA_VERIFY};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    struct sim_job *job = sim_submit(sim, "job", 30, 0, 50);
    sim_until(sim, is_held, 60);
    assert_string_equal(view(sim)->chain_fingerprint, "build 1");
    sim->params.bad_node = 0;
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_int_equal(job->plans, 1);
    assert_string_equal(view(sim)->chain_fingerprint, "build 1");
    sim_destroy(sim);
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

static struct sim_task *find_new_run(struct sim_node *node)
{
    for (size_t i = 0; i < SIM_TASKS; i++) {
        struct sim_task *t = &node->tasks[i];
        if (t->assign && strcmp(t->assign->spec->type, "encode") == 0 && t->position == 0) {
            return t;
        }
    }
    return NULL;
}

/* A straggler is copied though units wait that only the other build may make. */
static void what_waits_for_another_build_wants_no_slot(void **arg)
{
    (void)arg;
    struct sim_task *slow = NULL;
    struct sim *sim = builds(3, 2, NULL);
    sim_node_kill(sim, &sim->nodes[0]);
    sim_node_kill(sim, &sim->nodes[2]);
    sim_run(sim, 30);
    (void)sim_submit(sim, "other", 4000, 0, 50);
    sim_until(sim, encode_runs, 60);
    sim_node_start(sim, &sim->nodes[0]);
    sim_node_start(sim, &sim->nodes[2]);
    sim_run(sim, 2);
    (void)sim_submit(sim, "job", 24, 0, 50);
    while (!slow) {
        sim_step(sim);
        slow = find_new_run(&sim->nodes[0]);
    }
    slow->hung = true;
    slow->progress = 1;
    struct gm_lease *lease = find_encode(sim);
    while (lease->epoch != slow->assign->epoch) {
        lease = lease->hh.next;
    }
    lease->progress = 1;
    assert_string_equal(lease->chain->fingerprint, "build 0");
    sim_until(sim, is_copied, 300);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_stays_with_one_build),
        cmocka_unit_test(of_equal_builds_the_new_one_plans),
        cmocka_unit_test(a_smaller_build_works_too),
        cmocka_unit_test_prestate(a_smaller_build_works_too, (void *)(uintptr_t) "memory"),
        cmocka_unit_test(a_build_that_goes_leads_to_another),
        cmocka_unit_test(a_build_that_is_back_is_waited_for),
        cmocka_unit_test(a_build_that_still_works_is_not_given_up),
        cmocka_unit_test(what_flaps_is_planned_less_and_less),
        cmocka_unit_test(patience_grows_with_what_would_be_lost),
        cmocka_unit_test(a_broken_build_fails_no_job),
        cmocka_unit_test(what_fails_on_one_build_is_tried_on_another),
        cmocka_unit_test(plan_of_sound_is_tried_on_another_build),
        cmocka_unit_test(what_failed_is_bound_to_no_build_that_can_not_do_it),
        cmocka_unit_test(a_job_that_all_builds_fail_ends),
        cmocka_unit_test(what_comes_too_late_for_a_build_is_charged_to_nobody),
        cmocka_unit_test(who_encodes_no_more_keeps_no_node),
        cmocka_unit_test(a_node_that_takes_nothing_may_restart),
        cmocka_unit_test(the_last_node_of_a_broken_build_is_closed),
        cmocka_unit_test(a_build_that_is_held_is_waited_for),
        cmocka_unit_test(what_waits_for_another_build_wants_no_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
