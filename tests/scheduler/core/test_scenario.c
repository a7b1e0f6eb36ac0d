/* Farms in virtual time, one story each; those of failures are in test_retry.c, those of ends in
 * test_job_end.c. */
#include "tests/scheduler/core/story.h"

static void a_job_runs_to_its_end(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 2);
    struct sim_job *job = sim_submit(sim, "job", 20, 2, 50);
    sim_until(sim, sim_all_final, 300);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    sim_check_done(sim, job);
    assert_int_equal(job->published, 1);
    assert_int_equal(job->cleaned, 1);
    assert_true(sim->sent_feeds > 0); /* sound was encoded while split still ran */
    assert_int_equal(count_attempts(sim, "job", "split", GM_ATTEMPT_DONE, GM_OK), 1);
    sim_destroy(sim);
}

static void a_farm_of_one_slot_finishes(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 1);
    struct sim_job *a = sim_submit(sim, "a", 12, 2, 50);
    struct sim_job *b = sim_submit(sim, "b", 3, 0, 50);
    sim_until(sim, sim_all_final, 600);
    sim_check_done(sim, a);
    sim_check_done(sim, b);
    assert_int_equal(sim->sent_feeds, 0); /* audio waited until its input was complete */
    sim_destroy(sim);
}

static void split_gets_a_slot_back_from_its_audio(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 1);
    struct sim_job *job = sim_submit(sim, "job", 60, 1, 50);
    struct sim_node *node;
    sim_until(sim, audio_runs, 60);
    assert_non_null(sim_find_running(sim, "split", &node));
    sim_until(sim, encode_runs, 60);
    assert_non_null(sim_find_running(sim, "audio", &node));
    for (uint32_t i = 0; i < 3; i++) { /* for good: only the audio's node is left */
        if (&sim->nodes[i] != node) {
            sim_node_kill(sim, &sim->nodes[i]);
        }
    }
    sim_until(sim, sim_all_final, 1200);
    sim_check_done(sim, job);
    assert_int_equal(count_attempts(sim, "job", "audio", GM_ATTEMPT_CANCELLED, GM_OK), 1);
    sim_destroy(sim);
}

/* The order in which tasks were first assigned. */
static size_t first_of(const struct sim *sim, const char *task)
{
    char word[64];
    (void)snprintf(word, sizeof(word), "job.%s@", task);
    const char *at = strstr(sim->order, word);
    assert_non_null(at);
    return (size_t)(at - sim->order);
}

static size_t last_of(const struct sim *sim, const char *task)
{
    char word[64];
    (void)snprintf(word, sizeof(word), "job.%s@", task);
    size_t last = first_of(sim, task);
    for (const char *at = sim->order; (at = strstr(at, word)) != NULL; at++) {
        last = (size_t)(at - sim->order);
    }
    return last;
}

static void barriers_hold_back_what_needs_the_whole(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 2);
    struct sim_job *job = sim_submit_kind(sim, "job", SIM_BARRIERS, 20, 2, 2);
    sim_until(sim, sim_all_final, 600);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    sim_check_done(sim, job);
    assert_true(sim->sent_feeds > 0); /* loudness was measured while split still ran */
    assert_true(last_of(sim, "analyze") < first_of(sim, "video"));
    assert_true(last_of(sim, "loud") < first_of(sim, "audio"));
    assert_true(last_of(sim, "video") < first_of(sim, "hls"));
    assert_true(last_of(sim, "subs") < first_of(sim, "hls"));
    sim_destroy(sim);
}

static void barriers_survive_restarts(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 2);
    struct sim_job *job = sim_submit_kind(sim, "job", SIM_BARRIERS, 12, 1, 1);
    for (int i = 0; i < 40 && !sim_all_final(sim); i++) {
        sim_run(sim, 2);
        sim_restart(sim);
    }
    sim_until(sim, sim_all_final, 600);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

static void programmes_of_sound_alone_work(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 1);
    struct sim_job *job = sim_submit_kind(sim, "job", SIM_SOUND, 9, 3, 1);
    sim_until(sim, sim_all_final, 600);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

static void a_plan_alone_runs_inspect_and_plan(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 1);
    struct sim_job *job = sim_submit_plan_only(sim, "job");
    job->chunks = 5;
    sim_until(sim, sim_all_final, 60);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    assert_int_equal(job->published, 0);
    assert_int_equal(sim->sent_assigns, 2);
    sim_destroy(sim);
}

static void a_drained_node_gets_nothing_new_even_after_a_restart(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    struct gm_event drain = {.type = GM_EV_DRAIN, .node_id = "node-0"};
    assert_int_equal(sim_event(sim, &drain, NULL), 0);
    sim_commit(sim);
    assert_true(sim->nodes[0].drained);
    sim_restart(sim);
    struct sim_job *job = sim_submit(sim, "job", 8, 1, 50);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_int_equal(sim->nodes[0].assigned, 0);
    drain.resume = true;
    assert_int_equal(sim_event(sim, &drain, NULL), 0);
    sim_commit(sim);
    assert_false(sim->nodes[0].drained);
    (void)sim_submit(sim, "job2", 8, 1, 50);
    sim_until(sim, sim_all_final, 300);
    assert_true(sim->nodes[0].assigned > 0);
    drain.node_id = "nobody";
    assert_int_equal(sim_event(sim, &drain, NULL), -GM_E_NOTFOUND);
    sim_destroy(sim);
}

static uint32_t all_assigned(const struct sim *sim)
{
    return sim->nodes[0].assigned + sim->nodes[1].assigned;
}

static uint32_t failures_of(struct sim *sim, const char *id)
{
    struct gm_job_view v;
    struct gm_err err;
    uint32_t n = 0;
    assert_int_equal(gm_view_job(sim->core, id, &v, &err), 0);
    for (size_t i = 0; i < v.task_count; i++) {
        n += v.tasks[i].failures;
    }
    gm_view_job_fini(&v);
    return n;
}

static void a_stopping_scheduler_assigns_nothing_and_takes_what_ends(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    struct gm_event stop = {.type = GM_EV_STOP};
    struct sim_job *job = sim_submit(sim, "job", 8, 1, 50);
    sim_until(sim, encode_runs, 60);
    assert_int_equal(sim_event(sim, &stop, NULL), 0);
    uint32_t assigned = all_assigned(sim);
    sim_run(sim, 60);
    assert_int_equal(all_assigned(sim), assigned);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_RUNNING);
    assert_false(encode_runs(sim));
    assert_true(count_attempts(sim, "job", "video", GM_ATTEMPT_DONE, GM_OK) > 0);
    sim_restart(sim);
    sim_until(sim, encode_runs, 60);
    assert_int_equal(sim_event(sim, &stop, NULL), 0);
    for (uint32_t i = 0; i < 2; i++) { /* as nodes do that are stopped beside it */
        struct gm_event gone = {.type = GM_EV_NODE_GONE, .node_id = sim->nodes[i].id};
        sim_node_kill(sim, &sim->nodes[i]);
        assert_int_equal(sim_event(sim, &gone, NULL), 0);
    }
    sim_run(sim, 60);
    assert_true(count_attempts(sim, "job", "video", GM_ATTEMPT_LOST, GM_E_NODE_LOST) > 0);
    assert_int_equal(failures_of(sim, "job"), 0);
    for (uint32_t i = 0; i < 2; i++) {
        sim_node_start(sim, &sim->nodes[i]);
    }
    sim_restart(sim);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

static void a_restarted_scheduler_goes_on_where_it_was(void **arg)
{
    (void)arg;
    for (uint32_t step = 5; step < 160; step += 5) {
        struct sim *sim = farm(2, 1);
        struct sim_job *job = sim_submit(sim, "job", 8, 2, 50);
        for (uint32_t i = 0; i < step; i++) {
            sim_step(sim);
        }
        sim_restart(sim);
        sim_until(sim, sim_all_final, 300);
        sim_check_done(sim, job);
        struct gm_err none = sim_error(sim, "job");
        assert_int_equal(none.code, GM_OK);
        sim_destroy(sim);
    }
}

static void what_is_not_on_disk_is_not_acknowledged(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 1);
    (void)sim_submit(sim, "job", 4, 0, 50);
    struct sim_node *node = &sim->nodes[0];
    struct sim_task *task;
    do {
        sim_step(sim);
        task = sim_find_running(sim, "inspect", &node);
        sim->hold_commits = task && (task->granted || task->finished);
    } while (!sim->hold_commits || node->outbox_count == 0);
    sim_run(sim, 1);
    assert_true(node->outbox_count > 0); /* Done waits for its Ack */
    sim_commit(sim);
    assert_int_equal(node->outbox_count, 0);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_runs_to_its_end),
        cmocka_unit_test(a_farm_of_one_slot_finishes),
        cmocka_unit_test(barriers_hold_back_what_needs_the_whole),
        cmocka_unit_test(barriers_survive_restarts),
        cmocka_unit_test(programmes_of_sound_alone_work),
        cmocka_unit_test(split_gets_a_slot_back_from_its_audio),
        cmocka_unit_test(a_plan_alone_runs_inspect_and_plan),
        cmocka_unit_test(a_drained_node_gets_nothing_new_even_after_a_restart),
        cmocka_unit_test(a_stopping_scheduler_assigns_nothing_and_takes_what_ends),
        cmocka_unit_test(a_restarted_scheduler_goes_on_where_it_was),
        cmocka_unit_test(what_is_not_on_disk_is_not_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
