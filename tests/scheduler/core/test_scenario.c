/* Farms in virtual time, one story each. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <string.h>

#include "scheduler/core/state.h"

static struct sim *farm(uint32_t nodes, uint32_t slots)
{
    struct sim_params params = {.seed = 1, .nodes = nodes, .slots = slots};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2); /* everybody said hello */
    return sim;
}

static bool encode_runs(struct sim *sim)
{
    struct sim_node *node;
    return sim_find_running(sim, "video", &node) != NULL;
}

static bool audio_runs(struct sim *sim)
{
    struct sim_node *node;
    return sim_find_running(sim, "audio", &node) != NULL;
}

static uint32_t count_attempts(struct sim *sim, const char *id, const char *task,
                               enum gm_attempt_outcome outcome, enum gm_code code)
{
    struct gm_attempts_view v;
    struct gm_err err;
    uint32_t n = 0;
    assert_int_equal(gm_view_attempts(sim->core, id, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        n += strcmp(v.rows[i].task, task) == 0 && v.rows[i].outcome == outcome &&
             v.rows[i].error_code == code;
    }
    gm_view_attempts_fini(&v);
    return n;
}

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

static void a_hung_worker_is_cancelled_by_the_watchdog(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
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
    uint64_t leases = sim->leases;
    say_unsent(sim, true);
    assert_int_equal(sim->leases, leases); /* until the node let go */
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

static void cancel_works_in_every_state(void **arg)
{
    (void)arg;
    for (uint32_t step = 0; step < 200; step += 3) {
        struct sim *sim = farm(2, 1);
        struct sim_job *job = sim_submit(sim, "job", 4, 1, 50);
        for (uint32_t i = 0; i < step; i++) {
            sim_step(sim);
        }
        enum gm_job_state before = sim_state(sim, "job");
        bool over = gm_job_state_is_final(before);
        assert_int_equal(sim_cancel(sim, "job"), over ? -GM_E_CONFLICT : 0);
        sim_until(sim, sim_all_final, 60);
        enum gm_job_state after = sim_state(sim, "job");
        bool late = over || before == GM_JOB_PUBLISHING;
        assert_int_equal(after, late ? GM_JOB_DONE : GM_JOB_CANCELLED);
        assert_int_equal(sim_error(sim, "job").code, late ? GM_OK : GM_E_CANCELLED);
        assert_true(job->published == 1 && job->cleaned == 1);
        sim_destroy(sim);
    }
}

static void cancel_while_publishing_counts_when_publishing_fails(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    struct sim_job *job = sim_submit(sim, "job", 4, 1, 50);
    sim->hold_publish = true;
    while (sim_state(sim, "job") != GM_JOB_PUBLISHING) {
        sim_step(sim);
    }
    sim->params.publish_fails = 10000;
    assert_int_equal(sim_cancel(sim, "job"), 0);
    assert_int_equal(sim_cancel(sim, "job"), 0); /* twice is once */
    sim_restart(sim);                            /* and it is remembered */
    sim->hold_publish = false;
    sim_run(sim, 1);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_CANCELLING);
    sim->params.publish_fails = 0;
    sim_until(sim, sim_all_final, 60);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_CANCELLED);
    assert_int_equal(job->published, 1);
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, "job", &v, &err), 0);
    assert_true(v.keep_outputs); /* manifests may stand */
    gm_view_job_fini(&v);
    sim_destroy(sim);
}

static void publishing_is_tried_ten_times(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    struct sim_job *job = sim_submit(sim, "job", 4, 1, 50);
    sim->params.publish_fails = 10000;
    sim_until(sim, sim_all_final, 300);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_FAILED);
    assert_int_equal(sim_error(sim, "job").code, GM_E_STORE);
    assert_int_equal(job->published, 0);
    assert_int_equal(job->cleaned, 1);
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, "job", &v, &err), 0);
    assert_false(v.keep_outputs); /* no manifest was written */
    gm_view_job_fini(&v);
    sim_destroy(sim);
}

/* On to that many failures of publishing, with this code from now on. */
static void fail_publishing(struct sim *sim, uint32_t failures, enum gm_code code)
{
    struct gm_cjob *job = NULL;
    sim->params.publish_code = code;
    HASH_FIND_STR(sim->core->jobs, "job", job);
    assert_non_null(job);
    for (int i = 0; i < 3000 && job->publish_failures < failures; i++) {
        sim_step(sim);
    }
    assert_int_equal(job->publish_failures, failures);
}

static void an_output_that_is_lost_ends_the_job_at_the_third_look(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    struct sim_job *job = sim_submit(sim, "job", 4, 1, 50);
    sim->params.publish_fails = 10000;
    fail_publishing(sim, 2, GM_E_STORE_CORRUPT);
    fail_publishing(sim, 3, GM_E_STORE);
    fail_publishing(sim, 5, GM_E_STORE_CORRUPT); /* two in a row, twice: it goes on */
    assert_int_equal(sim_state(sim, "job"), GM_JOB_PUBLISHING);
    sim_run(sim, 3);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_FAILING);
    assert_int_equal(job->published, 0);
    sim->params.publish_fails = 0; /* the report */
    sim_until(sim, sim_all_final, 60);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_FAILED);
    assert_int_equal(sim_error(sim, "job").code, GM_E_STORE_CORRUPT);
    assert_int_equal(job->published, 1);
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, "job", &v, &err), 0);
    assert_false(v.keep_outputs);
    gm_view_job_fini(&v);
    sim_destroy(sim);
}

static void outputs_stay_where_a_manifest_may_stand(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    (void)sim_submit(sim, "job", 4, 1, 50);
    sim->params.publish_fails = 10000;
    sim->params.manifests = true;
    sim_until(sim, sim_all_final, 300);
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, "job", &v, &err), 0);
    assert_true(v.keep_outputs);
    gm_view_job_fini(&v);
    sim_destroy(sim);
}

static void deleting_is_tried_again(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    struct sim_job *job = sim_submit(sim, "job", 4, 1, 50);
    sim->params.clean_fails = 10000;
    while (sim_state(sim, "job") != GM_JOB_DONE) {
        sim_step(sim);
    }
    sim_run(sim, 130);
    assert_int_equal(job->cleaned, 0);
    sim->params.clean_fails = 0;
    sim_run(sim, 61);
    assert_int_equal(job->cleaned, 1);
    sim_run(sim, 130);
    assert_int_equal(job->cleaned, 1); /* and no more */
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

static void higher_priority_goes_first_and_age_catches_up(void **arg)
{
    (void)arg;
    struct sim *sim = farm(0, 1);
    (void)sim_submit(sim, "low", 1, 0, 10);
    (void)sim_submit(sim, "same", 1, 0, 20);
    (void)sim_submit(sim, "high", 1, 0, 20);
    sim->params.nodes = 1;
    sim->nodes[0].number = 0;
    (void)snprintf(sim->nodes[0].id, sizeof(sim->nodes[0].id), "node-0");
    sim_node_start(sim, &sim->nodes[0]);
    sim_run(sim, 3);
    assert_int_equal(strncmp(sim->order, "same.inspect@0 ", 15), 0);
    sim_until(sim, sim_all_final, 300);
    const char *low = strstr(sim->order, "low.inspect");
    const char *high = strstr(sim->order, "high.inspect");
    assert_true(low > high);
    /* 100 s of waiting are 10 points */
    sim->order_size = 0;
    sim_node_kill(sim, &sim->nodes[0]);
    (void)sim_submit(sim, "old", 1, 0, 10);
    sim_run(sim, 101);
    (void)sim_submit(sim, "new", 1, 0, 20);
    sim_node_start(sim, &sim->nodes[0]);
    sim_run(sim, 3);
    assert_int_equal(strncmp(sim->order, "old.inspect@0 ", 14), 0);
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

static void finished_jobs_beyond_the_limit_are_forgotten(void **arg)
{
    (void)arg;
    struct sim *sim = farm(4, 8);
    for (uint32_t round = 0; round < 17; round++) {
        sim->job_count = 0;
        for (uint32_t i = 0; i < 60; i++) {
            char id[32];
            (void)snprintf(id, sizeof(id), "job-%u-%u", round, i);
            struct sim_job *job = sim_submit_plan_only(sim, id);
            job->chunks = 1;
        }
        sim_until(sim, sim_all_final, 300);
    }
    sim_commit(sim);
    struct gm_job_view v;
    struct gm_err err;
    struct gm_core_totals totals;
    gm_view_totals(sim->core, &totals);
    assert_int_equal(totals.jobs[GM_JOB_DONE], 1000);
    assert_int_equal(gm_view_job(sim->core, "job-0-19", &v, &err), -GM_E_NOTFOUND);
    assert_int_equal(gm_view_job(sim->core, "job-0-20", &v, &err), 0);
    gm_view_job_fini(&v);
    for (size_t i = 0; i < sim->row_count; i++) {
        assert_null(strstr(sim->rows[i].key, "job-0-19"));
    }
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_runs_to_its_end),
        cmocka_unit_test(a_farm_of_one_slot_finishes),
        cmocka_unit_test(a_dead_node_s_run_is_done_by_others),
        cmocka_unit_test(a_node_that_comes_back_anew_loses_its_leases_at_once),
        cmocka_unit_test(a_chunk_that_fails_on_three_nodes_is_poison),
        cmocka_unit_test(a_chunk_that_fails_on_two_nodes_is_not),
        cmocka_unit_test(repeated_failures_end_with_their_own_code),
        cmocka_unit_test(what_fails_alike_on_the_only_node_fails_the_job_soon),
        cmocka_unit_test(an_unusable_input_ends_the_job_at_once),
        cmocka_unit_test(a_store_that_fails_is_tried_with_growing_pauses),
        cmocka_unit_test(a_hung_worker_is_cancelled_by_the_watchdog),
        cmocka_unit_test(what_can_not_be_fed_is_cancelled),
        cmocka_unit_test(audio_that_waits_for_input_is_not_hung),
        cmocka_unit_test(barriers_hold_back_what_needs_the_whole),
        cmocka_unit_test(barriers_survive_restarts),
        cmocka_unit_test(programmes_of_sound_alone_work),
        cmocka_unit_test(split_gets_a_slot_back_from_its_audio),
        cmocka_unit_test(cancel_works_in_every_state),
        cmocka_unit_test(cancel_while_publishing_counts_when_publishing_fails),
        cmocka_unit_test(publishing_is_tried_ten_times),
        cmocka_unit_test(an_output_that_is_lost_ends_the_job_at_the_third_look),
        cmocka_unit_test(outputs_stay_where_a_manifest_may_stand),
        cmocka_unit_test(deleting_is_tried_again),
        cmocka_unit_test(a_plan_alone_runs_inspect_and_plan),
        cmocka_unit_test(higher_priority_goes_first_and_age_catches_up),
        cmocka_unit_test(a_drained_node_gets_nothing_new_even_after_a_restart),
        cmocka_unit_test(a_restarted_scheduler_goes_on_where_it_was),
        cmocka_unit_test(what_is_not_on_disk_is_not_acknowledged),
        cmocka_unit_test(finished_jobs_beyond_the_limit_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
