/* What follows when nodes, workers, inputs and stores fail, one story each. */
#include <errno.h>

#include "scheduler/core/lease.h"
#include "scheduler/core/task.h"
#include "tests/scheduler/core/story.h"

static void a_dead_node_s_run_is_done_by_others(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 1);
    struct sim_job *job = sim_submit(sim, "job", 30, 1, 50);
    struct sim_node *node;
    sim_until(sim, encode_runs, 60);
    assert_non_null(sim_find_running(sim, "video", &node));
    sim_node_kill(sim, node);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    assert_int_equal(count_attempts(sim, "job", "video", GM_ATTEMPT_LOST, GM_E_NODE_LOST), 1);
    sim_destroy(sim);
}

static void a_node_that_comes_back_anew_loses_its_leases_at_once(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    struct sim_job *job = sim_submit(sim, "job", 10, 0, 50);
    struct sim_node *node;
    sim_until(sim, encode_runs, 60);
    assert_non_null(sim_find_running(sim, "video", &node));
    gm_time before = sim->now;
    sim_node_kill(sim, node);
    sim_node_start(sim, node);
    while (count_attempts(sim, "job", "video", GM_ATTEMPT_LOST, GM_E_NODE_LOST) == 0) {
        sim_step(sim);
    }
    assert_true(sim->now - before < 5 * GM_SEC); /* not the 15 s of a lease */
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

static void a_chunk_that_fails_on_three_nodes_is_poison(void **arg)
{
    (void)arg;
    struct sim *sim = farm(5, 2);
    struct sim_job *job = sim_submit(sim, "job", 20, 1, 50);
    job->poison = 7;
    sim_until(sim, sim_all_final, 300);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_FAILED);
    assert_int_equal(sim_error(sim, "job").code, GM_E_MEDIA_POISON);
    assert_int_equal(job->published, 1); /* the report */
    sim_destroy(sim);
}

/* Three machines with wrong clocks say nothing of the chunk. */
static void what_nodes_lack_is_not_the_chunk_s_fault(void **arg)
{
    static const enum gm_code codes[] = {GM_E_NODE_GRANT, GM_E_NO_SCRATCH, GM_E_SANDBOX,
                                         GM_E_DEVICE_ABSENT, GM_E_TIMEOUT};
    (void)arg;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct sim *sim = farm(6, 1);
        struct sim_job *job = sim_submit(sim, "job", 20, 1, 50);
        job->poison = 7;
        job->poison_nodes = 5;
        job->poison_code = codes[i];
        job->poison_native = codes[i] == GM_E_TIMEOUT ? ETIME : 0; /* it was granted too late */
        sim_until(sim, sim_all_final, 600);
        sim_check_done(sim, job);
        assert_true(count_attempts(sim, "job", "video", GM_ATTEMPT_FAILED, codes[i]) >= 3);
        sim_destroy(sim);
    }
}

/* A node that does not answer in time may be one that the chunk keeps busy. */
static void what_takes_too_long_on_three_nodes_is_poison(void **arg)
{
    (void)arg;
    struct sim *sim = farm(5, 1);
    struct sim_job *job = sim_submit(sim, "job", 20, 1, 50);
    job->poison = 7;
    job->poison_code = GM_E_TIMEOUT;
    sim_until(sim, sim_all_final, 600);
    assert_int_equal(sim_error(sim, "job").code, GM_E_MEDIA_POISON);
    sim_destroy(sim);
}

/* Two nodes could not read the chunk, one could not make it: that says little of it. */
static void what_a_store_lacks_is_not_the_chunk_s_fault(void **arg)
{
    static const enum gm_code codes[] = {GM_E_STORE_CORRUPT, GM_E_MEDIA_CHUNK};
    (void)arg;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct gm_unit unit = {.state = GM_TASK_READY};
        struct gm_err broken = {.code = codes[i]}, made = {.code = GM_E_MEDIA};
        gm_core_charge(&unit, "a", &broken);
        gm_core_charge(&unit, "b", &broken);
        gm_core_charge(&unit, "c", &made);
        assert_int_equal(unit.failures, 3);
        assert_int_equal(unit.avoid_count, 3); /* others are asked first all the same */
        assert_false(unit.avoid[0].evidence || unit.avoid[1].evidence);
        assert_true(unit.avoid[2].evidence);
        gm_core_unit_clear(&unit);
    }
}

/* Where no node takes it the job ends with what they said. */
static void what_all_nodes_lack_ends_the_job_as_such(void **arg)
{
    (void)arg;
    struct sim *sim = farm(4, 1);
    struct sim_job *job = sim_submit(sim, "job", 20, 1, 50);
    job->poison = 7;
    job->poison_code = GM_E_NODE_GRANT;
    sim_until(sim, sim_all_final, 600);
    assert_int_equal(sim_error(sim, "job").code, GM_E_NODE_GRANT);
    assert_int_equal(count_attempts(sim, "job", "video", GM_ATTEMPT_FAILED, GM_E_NODE_GRANT), 4);
    sim_destroy(sim);
}

static void a_chunk_that_fails_on_two_nodes_is_not(void **arg)
{
    (void)arg;
    struct sim *sim = farm(5, 2);
    struct sim_job *job = sim_submit(sim, "job", 20, 1, 50);
    job->poison = 7;
    job->poison_nodes = 2;
    sim_until(sim, sim_all_final, 600);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

static void what_fails_alike_on_the_only_node_fails_the_job_soon(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 2);
    struct sim_job *job = sim_submit(sim, "job", 5, 0, 50);
    job->poison = 2;
    sim_until(sim, sim_all_final, 600);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_FAILED);
    assert_int_equal(sim_error(sim, "job").code, GM_E_WORKER_DIED);
    assert_int_equal(count_attempts(sim, "job", "video", GM_ATTEMPT_FAILED, GM_E_WORKER_DIED), 3);
    sim_destroy(sim);
}

/* On a farm of five, with a code that five tries of a full disk or three of a broken object get. */
static void repeated_failures_end_with_their_own_code(void **arg)
{
    (void)arg;
    static const struct {
        enum gm_code code;
        uint32_t attempts;
        uint32_t seconds;
    } cases[] = {{GM_E_STORE_FULL, 5, 20},
                 {GM_E_STORE_CORRUPT, 3, 5},
                 {GM_E_MEDIA_CHUNK, 3, 5},
                 {GM_E_MEDIA, 5, 20}}; /* once on each node */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim *sim = farm(5, 1);
        struct sim_job *job = sim_submit(sim, "job", 5, 0, 50);
        job->inspect_fails = cases[i].code;
        gm_time before = sim->now;
        sim_until(sim, sim_all_final, 600);
        assert_int_equal(sim_error(sim, "job").code, cases[i].code);
        assert_int_equal(count_attempts(sim, "job", "inspect", GM_ATTEMPT_FAILED, cases[i].code),
                         cases[i].attempts);
        assert_int_equal(sim->retries, cases[i].attempts - 1); /* watchers are told of each */
        assert_true(sim->now - before < cases[i].seconds * GM_SEC);
        sim_destroy(sim);
    }
}

static void an_unusable_input_ends_the_job_at_once(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 1);
    struct sim_job *job = sim_submit(sim, "job", 5, 0, 50);
    job->inspect_fails = GM_E_INPUT_NO_VIDEO;
    sim_until(sim, sim_all_final, 20);
    assert_int_equal(sim_error(sim, "job").code, GM_E_INPUT_NO_VIDEO);
    assert_int_equal(count_attempts(sim, "job", "inspect", GM_ATTEMPT_FAILED, GM_E_INPUT_NO_VIDEO),
                     1);
    assert_int_equal(sim->retries, 0);
    sim_destroy(sim);
}

static void a_store_that_fails_is_tried_with_growing_pauses(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 1);
    struct sim_job *job = sim_submit(sim, "job", 5, 0, 50);
    job->inspect_fails = GM_E_STORE;
    gm_time before = sim->now;
    sim_until(sim, sim_all_final, 600);
    assert_int_equal(sim_error(sim, "job").code, GM_E_STORE);
    /* 1 + 2 + 4 + 8 + 16 + 30 + 30 s between 8 attempts */
    assert_true(sim->now - before >= 91 * GM_SEC && sim->now - before < 110 * GM_SEC);
    sim_destroy(sim);
}

static void an_operator_says_how_often_and_how_soon(void **arg)
{
    (void)arg;
    struct sim_params params = {
        .seed = 1, .nodes = 1, .slots = 1, .max_attempts = 12, .retry_ms = 100};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    struct sim_job *job = sim_submit(sim, "job", 5, 0, 50);
    job->inspect_fails = GM_E_STORE;
    gm_time before = sim->now;
    sim_until(sim, sim_all_final, 600);
    assert_int_equal(count_attempts(sim, "job", "inspect", GM_ATTEMPT_FAILED, GM_E_STORE), 12);
    /* 0.1 + 0.2 + 0.4 + 0.8 + 1.6 s, and six times 3 s */
    assert_true(sim->now - before >= 21 * GM_SEC && sim->now - before < 40 * GM_SEC);
    sim_destroy(sim);
}

static void a_hung_worker_is_cancelled_by_the_watchdog(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 1); /* with another one its run would be copied */
    struct sim_job *job = sim_submit(sim, "job", 6, 0, 50);
    struct sim_node *node;
    sim_until(sim, encode_runs, 60);
    sim_find_running(sim, "video", &node)->hung = true;
    gm_time before = sim->now;
    sim_until(sim, sim_all_final, 600);
    assert_true(sim->now - before >= 120 * GM_SEC);
    assert_int_equal(count_attempts(sim, "job", "video", GM_ATTEMPT_FAILED, GM_E_WORKER_HUNG), 1);
    assert_int_equal(sim->sent_cancels, 1);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

/* The scheduler can't make a Feed or an Assign for the job's audio. */
static void say_unsent(struct sim *sim, bool told)
{
    struct sim_node *node;
    const struct sim_task *task = sim_find_running(sim, "audio", &node);
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Failed failed = GM__FAILED__INIT;
    Gm__Error error = GM__ERROR__INIT;
    assert_non_null(task);
    error.code = GM_E_STORE;
    failed.task_id = task->assign->task_id;
    failed.term = task->assign->term;
    failed.epoch = task->assign->epoch;
    failed.error = &error;
    envelope.body_case = GM__ENVELOPE__BODY_FAILED;
    envelope.failed = &failed;
    struct gm_event event = {
        .type = GM_EV_UNSENT, .node_id = node->id, .envelope = &envelope, .told = told};
    assert_int_equal(sim_event(sim, &event, NULL), 0);
    assert_int_equal(sim_event(sim, &event, NULL), 0); /* the lease is not there any more */
}

static void what_can_not_be_fed_is_cancelled(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 2);
    struct sim_job *job = sim_submit(sim, "job", 50, 1, 50);
    sim_until(sim, audio_runs, 60);
    uint64_t leases = sim->lease_count;
    say_unsent(sim, true);
    assert_int_equal(sim->lease_count, leases); /* until the node let go */
    sim_commit(sim);
    assert_int_equal(sim->sent_cancels, 1);
    assert_int_equal(count_attempts(sim, "job", "audio", GM_ATTEMPT_RUNNING, GM_OK), 0);
    assert_int_equal(count_attempts(sim, "job", "audio", GM_ATTEMPT_FAILED, GM_E_STORE), 1);
    sim_run(sim, 3); /* the node let go, and one has it again */
    assert_int_equal(count_attempts(sim, "job", "audio", GM_ATTEMPT_RUNNING, GM_OK), 1);
    say_unsent(sim, false); /* an Assign: no node has it */
    sim_commit(sim);
    assert_int_equal(sim->sent_cancels, 1);
    assert_int_equal(count_attempts(sim, "job", "audio", GM_ATTEMPT_RUNNING, GM_OK), 0);
    assert_int_equal(count_attempts(sim, "job", "audio", GM_ATTEMPT_FAILED, GM_E_STORE), 2);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

static bool split_is_done(struct sim *sim)
{
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, sim->jobs[0].id, &v, &err), 0);
    bool done = v.tasks[2].state == GM_TASK_DONE;
    gm_view_job_fini(&v);
    return done;
}

static void audio_that_waits_for_input_is_not_hung(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 1);
    struct sim_job *job = sim_submit(sim, "job", 50, 1, 50);
    struct sim_node *node;
    sim_until(sim, audio_runs, 60);
    struct sim_task *split = sim_find_running(sim, "split", &node);
    assert_non_null(split);
    for (uint32_t s = 0; s < 300; s++) { /* split makes slow progress and no item */
        split->hung = true;
        split->progress++;
        sim_run(sim, 1);
    }
    split->hung = false;
    sim_until(sim, split_is_done, 300);
    assert_int_equal(sim->sent_cancels, 0);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

/* The watchdog is sooner than the lease, and begins with the last input. */
static void audio_that_hangs_with_all_of_its_input_is_cancelled_in_time(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 7, .nodes = 3, .slots = 1, .stall_ms = 3000};
    struct sim *sim = sim_create(&params);
    struct sim_job *job = sim_submit(sim, "job", 20, 1, 50);
    struct sim_node *node;
    sim_until(sim, audio_runs, 60);
    sim_find_running(sim, "audio", &node)->hung = true;
    sim_until(sim, split_is_done, 60);
    sim_run(sim, 60);
    assert_int_equal(count_attempts(sim, "job", "audio", GM_ATTEMPT_FAILED, GM_E_WORKER_HUNG), 1);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_node_s_run_is_done_by_others),
        cmocka_unit_test(a_node_that_comes_back_anew_loses_its_leases_at_once),
        cmocka_unit_test(a_chunk_that_fails_on_three_nodes_is_poison),
        cmocka_unit_test(what_takes_too_long_on_three_nodes_is_poison),
        cmocka_unit_test(what_a_store_lacks_is_not_the_chunk_s_fault),
        cmocka_unit_test(what_nodes_lack_is_not_the_chunk_s_fault),
        cmocka_unit_test(what_all_nodes_lack_ends_the_job_as_such),
        cmocka_unit_test(a_chunk_that_fails_on_two_nodes_is_not),
        cmocka_unit_test(repeated_failures_end_with_their_own_code),
        cmocka_unit_test(what_fails_alike_on_the_only_node_fails_the_job_soon),
        cmocka_unit_test(an_unusable_input_ends_the_job_at_once),
        cmocka_unit_test(a_store_that_fails_is_tried_with_growing_pauses),
        cmocka_unit_test(an_operator_says_how_often_and_how_soon),
        cmocka_unit_test(a_hung_worker_is_cancelled_by_the_watchdog),
        cmocka_unit_test(what_can_not_be_fed_is_cancelled),
        cmocka_unit_test(audio_that_waits_for_input_is_not_hung),
        cmocka_unit_test(audio_that_hangs_with_all_of_its_input_is_cancelled_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
