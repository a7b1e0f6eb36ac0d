/* How jobs end: cancelled, published, cleaned and forgotten; one story each. */
#include "tests/scheduler/core/story.h"

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

static void publishing_is_tried_for_half_an_hour(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    struct sim_job *job = sim_submit(sim, "job", 4, 1, 50);
    sim->params.publish_fails = 10000;
    sim_run(sim, 1800);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_PUBLISHING);
    sim_until(sim, sim_all_final, 3600);
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
    for (int i = 0; i < 300000 && job->publish_failures < failures; i++) {
        sim_step(sim);
    }
    assert_int_equal(job->publish_failures, failures);
}

static struct gm_job_view look(struct sim *sim)
{
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, "job", &v, &err), 0);
    return v;
}

/* The last row. */
static void expect_why(struct sim *sim, const char *words)
{
    struct gm_explain_view v;
    struct gm_err err;
    assert_int_equal(gm_view_explain(sim->core, "job", sim->now, &v, &err), 0);
    assert_string_equal(v.rows[v.count - 1].task, "publish");
    if (!strstr(v.rows[v.count - 1].why, words)) {
        fail_msg("%s", v.rows[v.count - 1].why);
    }
    gm_view_explain_fini(&v);
}

static void a_job_that_hangs_in_publishing_says_so(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    (void)sim_submit(sim, "job", 4, 1, 50);
    sim->hold_publish = true;
    while (sim_state(sim, "job") != GM_JOB_PUBLISHING) {
        sim_step(sim);
    }
    expect_why(sim, "It writes report and manifests.");
    struct gm_err err;
    struct gm_effects fx = {0};
    const struct gm_event held = {.type = GM_EV_HELD, .job_id = "job", .reason = "of another"};
    assert_int_equal(gm_core_step(sim->core, &held, sim->now, &fx, &err), 0);
    assert_int_equal(gm_core_step(sim->core, &held, sim->now, &fx, &err), 0);
    assert_int_equal(fx.event_count, 1); /* told once */
    assert_string_equal(fx.events[0].type, "publish.held");
    assert_true(fx.events[0].durable);
    gm_effects_fini(&fx);
    expect_why(sim, "To write report and manifests it waits: of another.");
    sim->params.publish_fails = 10000;
    sim->hold_publish = false;
    fail_publishing(sim, 2, GM_E_STORE);
    struct gm_job_view v = look(sim);
    assert_int_equal(v.publishing.tries, 2);
    assert_int_equal(v.publishing.most, GM_CORE_PUBLISH_TRIES);
    assert_int_equal(v.publishing.error.code, GM_E_STORE);
    assert_true(v.publishing.next_unix_ms > 0);
    assert_string_equal(v.publishing.held, "");
    gm_view_job_fini(&v);
    expect_why(sim, "failed 2 times of at most 12 and is tried again in");
    sim->params.publish_fails = 0;
    sim_until(sim, sim_all_final, 60);
    v = look(sim);
    assert_int_equal(v.state, GM_JOB_DONE);
    assert_int_equal(v.publishing.tries, 0);
    assert_int_equal(v.publishing.error.code, 0);
    gm_view_job_fini(&v);
    sim_destroy(sim);
}

/* Pauses have grown long by then. */
static void cancel_while_publishing_waits_is_heard_at_once(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    (void)sim_submit(sim, "job", 4, 1, 50);
    sim->params.publish_fails = 10000;
    sim_run(sim, 1200);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_PUBLISHING);
    assert_int_equal(sim_cancel(sim, "job"), 0);
    sim_run(sim, 5);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_CANCELLING);
    sim_destroy(sim);
}

static void what_does_not_pass_is_not_tried_for_long(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    (void)sim_submit(sim, "job", 4, 1, 50);
    sim->params.publish_fails = 10000;
    sim->params.publish_code = GM_E_STORE_DENIED;
    sim_until(sim, sim_all_final, 200);
    assert_int_equal(sim_error(sim, "job").code, GM_E_STORE_DENIED);
    sim_destroy(sim);
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
    for (int i = 0; i < 300000 && sim_state(sim, "job") == GM_JOB_PUBLISHING; i++) {
        sim_step(sim);
    }
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

/* A title that stands is another's: nothing of the job does, whatever a restart knows of it. */
static void outputs_stay_where_a_manifest_may_stand(void **arg)
{
    static const enum gm_code codes[] = {GM_E_STORE, GM_E_TITLE_EXISTS};
    (void)arg;
    for (int i = 0; i < 2; i++) {
        struct sim *sim = farm(2, 1);
        (void)sim_submit(sim, "job", 4, 1, 50);
        sim->params.publish_fails = 10000;
        sim->params.publish_code = codes[i];
        sim->params.manifests = true;
        sim_until(sim, sim_all_final, 7200);
        struct gm_job_view v;
        struct gm_err err;
        assert_int_equal(gm_view_job(sim->core, "job", &v, &err), 0);
        assert_int_equal(v.keep_outputs, i == 0);
        gm_view_job_fini(&v);
        sim_destroy(sim);
    }
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

static struct gm_cjob *job_of(struct sim *sim, const char *id)
{
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(sim->core->jobs, id, job);
    assert_non_null(job);
    return job;
}

static uint32_t count_outputs(struct sim *sim, const char *id)
{
    uint32_t n = 0;
    for (const struct gm_granted *g = job_of(sim, id)->objects; g; g = g->hh.next) {
        n += g->object->store == GM__OBJECT_STORE__STORE_OUT;
    }
    return n;
}

static void tell(struct sim *sim, enum gm_event_type type, const char *id, bool passed_over)
{
    struct gm_event event = {.type = type, .job_id = id, .passed_over = passed_over};
    assert_int_equal(sim_event(sim, &event, NULL), 0);
}

/* Cancels it; its report is written, and it waits to be cleaned. */
static void end_uncleaned(struct sim *sim, const char *id)
{
    assert_int_equal(sim_cancel(sim, id), 0);
    for (int i = 0; i < 600 && !job_of(sim, id)->publish_pending; i++) {
        sim_step(sim);
    }
    tell(sim, GM_EV_PUBLISHED, id, false);
    sim_commit(sim);
    assert_true(job_of(sim, id)->cleanup_pending);
}

/* Two jobs of one publication, the first with outputs that the second does not have yet; the first
 * is cancelled, and cleaned as far as the second lets it. */
static struct sim *two_of_one_publication(struct sim_job **first, struct sim_job **second)
{
    struct sim *sim = farm(1, 1);
    *first = sim_submit(sim, "first", 4, 1, 100);
    for (int i = 0; i < 6000 && count_outputs(sim, "first") == 0; i++) {
        sim_step(sim);
    }
    assert_true(count_outputs(sim, "first") > 0);
    *second = sim_submit(sim, "second", 4, 1, 50);
    sim->hold_publish = true;
    end_uncleaned(sim, "first");
    for (int i = 0; i < 6000 && job_of(sim, "second")->publication[0] == '\0'; i++) {
        sim_step(sim);
    }
    assert_string_equal(job_of(sim, "second")->publication, job_of(sim, "first")->publication);
    assert_int_equal(count_outputs(sim, "second"), 0);
    assert_true(sim_daemon_clean_now(sim, *first));
    return sim;
}

static void what_a_clean_up_passes_over_is_the_other_jobs(void **arg)
{
    (void)arg;
    struct sim_job *first, *second;
    struct sim *sim = two_of_one_publication(&first, &second);
    uint32_t outputs = count_outputs(sim, "first");
    tell(sim, GM_EV_CLEANED, "first", true);
    assert_false(job_of(sim, "first")->cleanup_pending);
    assert_int_equal(count_outputs(sim, "first"), 0);
    assert_int_equal(count_outputs(sim, "second"), outputs);
    end_uncleaned(sim, "second");
    assert_false(sim_daemon_clean_now(sim, second));
    sim_objects_check(sim); /* nothing is left */
    sim_destroy(sim);
}

/* The other one ends, and is cleaned, while the first's clean-up still runs. */
static void what_a_clean_up_passed_over_for_a_job_that_ended_is_deleted(void **arg)
{
    (void)arg;
    struct sim_job *first, *second;
    struct sim *sim = two_of_one_publication(&first, &second);
    end_uncleaned(sim, "second");
    tell(sim, GM_EV_CLEANED, "second", sim_daemon_clean_now(sim, second));
    assert_false(job_of(sim, "second")->cleanup_pending);
    tell(sim, GM_EV_CLEANED, "first", true);
    assert_true(job_of(sim, "first")->cleanup_pending);
    sim_commit(sim);
    sim->hold_publish = false;
    sim_until(sim, sim_all_final, 60); /* it was asked for again */
    sim_objects_check(sim);
    assert_int_equal(count_outputs(sim, "first"), 0);
    sim_destroy(sim);
}

static uint32_t count_others(struct sim *sim)
{
    uint32_t n = 0;
    for (const struct sim_object *o = sim->objects; o; o = o->hh.next) {
        n += strncmp(o->id, "out ", 4) == 0 && strstr(o->id, "-other") != NULL;
    }
    return n;
}

/* The same asked for again, whose attempts name some objects otherwise, and given up: what the
 * first one names stays, the rest goes. */
static void what_is_made_beside_a_result_under_other_names_is_deleted(void **arg)
{
    (void)arg;
    for (int restart = 0; restart < 2; restart++) {
        struct sim *sim = farm(1, 1);
        (void)sim_submit(sim, "first", 4, 1, 50);
        sim_until(sim, sim_all_final, 600);
        uint32_t outputs = count_outputs(sim, "first");
        struct sim_job *second = sim_submit(sim, "second", 4, 1, 50);
        second->strays = true;
        for (int i = 0; i < 6000 && count_others(sim) == 0; i++) {
            sim_step(sim);
        }
        assert_true(count_others(sim) > 0);
        assert_string_equal(job_of(sim, "second")->publication, job_of(sim, "first")->publication);
        if (restart) {
            sim_commit(sim);
            sim_restart(sim);
        }
        assert_int_equal(sim_cancel(sim, "second"), 0);
        sim_until(sim, sim_all_final, 600);
        sim_run(sim, 60);
        sim_commit(sim);
        assert_false(job_of(sim, "second")->cleanup_pending);
        assert_int_equal(count_others(sim), 0);
        assert_int_equal(count_outputs(sim, "first"), outputs);
        sim_objects_check(sim);
        sim_destroy(sim);
    }
}

/* Cancelled right after a restart, while its node may work for the scheduler before. */
static struct sim *cancelled_after_a_restart(bool dead, uint32_t last_lease_ms,
                                             struct sim_job **job)
{
    struct sim *sim = farm(1, 1);
    sim->params.last_lease_ms = last_lease_ms;
    *job = sim_submit(sim, "job", 12, 1, 50);
    sim_until(sim, encode_runs, 60);
    sim_commit(sim); /* that it runs, too */
    if (dead) {
        sim_node_kill(sim, &sim->nodes[0]);
    }
    sim_restart(sim);
    assert_int_equal(sim_cancel(sim, "job"), 0);
    for (int i = 0; i < 10 && sim_state(sim, "job") != GM_JOB_CANCELLED; i++) {
        sim_step(sim);
    }
    assert_int_equal(sim_state(sim, "job"), GM_JOB_CANCELLED);
    assert_true(job_of(sim, "job")->cleanup_pending);
    assert_int_equal((*job)->cleaned, 0);
    return sim;
}

static void deleting_waits_for_nodes_of_the_scheduler_before(void **arg)
{
    (void)arg;
    static const uint32_t last[] = {0, 5000, 25000}; /* now leases are good for 15 s */
    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
        struct sim_job *job;
        struct sim *sim = cancelled_after_a_restart(true, last[i], &job);
        sim_run(sim, last[i] > 15000 ? 22 : 12);
        assert_int_equal(job->cleaned, 0);
        sim_run(sim, 3);
        assert_int_equal(job->cleaned, 1);
        sim_destroy(sim);
    }
}

static void deleting_waits_no_longer_than_nodes_hold_leases(void **arg)
{
    (void)arg;
    struct sim_job *job;
    struct sim *sim = cancelled_after_a_restart(false, 0, &job);
    sim_run(sim, 5); /* it said hello, heard that its lease is lost, and said that it has none */
    assert_int_equal(job->cleaned, 1);
    sim_destroy(sim);
}

static void deleting_waits_for_nobody_where_all_is_done(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 1);
    struct sim_job *job = sim_submit(sim, "job", 4, 1, 50);
    sim->params.clean_fails = 10000;
    while (sim_state(sim, "job") != GM_JOB_DONE) {
        sim_step(sim);
    }
    sim->params.clean_fails = 0;
    sim_node_kill(sim, &sim->nodes[0]);
    sim_restart(sim);
    sim_run(sim, 1);
    assert_int_equal(job->cleaned, 1);
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
    for (const struct sim_row *r = sim->rows; r; r = r->hh.next) {
        assert_true(r->key.job == 0 || r->key.job > 20); /* job-0-19 was the 20th */
    }
    sim_destroy(sim);
}

/* A run that goes on behind its last chunk may still store what it was granted. */
static void deleting_waits_for_leases_that_outlive_their_job(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 1);
    struct sim_job *job = sim_submit(sim, "job", 1, 0, 50);
    struct sim_node *node;
    sim_until(sim, encode_runs, 60);
    struct sim_task *run = sim_find_running(sim, "video", &node);
    for (int i = 0; i < 600 && run->position == 0; i++) {
        sim_step(sim);
    }
    assert_int_equal(run->position, 1);
    run->hung = true;
    for (int i = 0; i < 600 && sim_state(sim, "job") != GM_JOB_DONE; i++) {
        sim_step(sim);
    }
    sim_run(sim, 20);
    assert_true(job_of(sim, "job")->cleanup_pending && job_of(sim, "job")->leases);
    assert_int_equal(job->cleaned, 0);
    run->hung = false; /* it is granted nothing more, and its lease expires */
    sim_run(sim, 20);
    assert_int_equal(job->cleaned, 1);
    sim_destroy(sim);
}

static bool newest_is_cleaned(struct sim *sim)
{
    return sim->jobs[1].cleaned > 0;
}

/* Else a job after a restart had its number. */
static void the_newest_job_is_not_forgotten(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 1, .keep_finished = 1, .clean_fails = 10000};
    struct sim *sim = sim_create(&params);
    (void)sim_submit(sim, "uncleaned", 1, 0, 50);
    assert_int_equal(sim_cancel(sim, "uncleaned"), 0);
    sim_run(sim, 5);
    sim->params.clean_fails = 0;
    (void)sim_submit_plan_only(sim, "newest");
    sim_until(sim, newest_is_cleaned, 30);
    uint64_t next = sim->core->next_seq;
    sim_commit(sim);
    sim_restart(sim);
    assert_int_equal(sim->core->next_seq, next);
    sim_until(sim, sim_all_final, 120); /* now the first is cleaned too, and goes */
    assert_false(sim_knows(sim, "uncleaned"));
    assert_true(sim_knows(sim, "newest"));
    sim_destroy(sim);
}

/* Its report has no place: it is not tried until that is given up. */
static void a_dry_run_that_is_cancelled_writes_nothing(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 1);
    const struct sim_job *job = sim_submit_plan_only(sim, "dry");
    enum gm_job_state state = GM_JOB_QUEUED;
    assert_int_equal(sim_cancel(sim, "dry"), 0);
    sim_run(sim, 5);
    assert_true(gm_view_job_state(sim->core, "dry", &state));
    assert_int_equal(state, GM_JOB_CANCELLED);
    assert_int_equal(job->published, 0);
    assert_true(job->cleaned > 0);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancel_works_in_every_state),
        cmocka_unit_test(cancel_while_publishing_counts_when_publishing_fails),
        cmocka_unit_test(publishing_is_tried_for_half_an_hour),
        cmocka_unit_test(a_job_that_hangs_in_publishing_says_so),
        cmocka_unit_test(cancel_while_publishing_waits_is_heard_at_once),
        cmocka_unit_test(what_does_not_pass_is_not_tried_for_long),
        cmocka_unit_test(an_output_that_is_lost_ends_the_job_at_the_third_look),
        cmocka_unit_test(outputs_stay_where_a_manifest_may_stand),
        cmocka_unit_test(deleting_is_tried_again),
        cmocka_unit_test(what_a_clean_up_passes_over_is_the_other_jobs),
        cmocka_unit_test(what_a_clean_up_passed_over_for_a_job_that_ended_is_deleted),
        cmocka_unit_test(what_is_made_beside_a_result_under_other_names_is_deleted),
        cmocka_unit_test(deleting_waits_for_nodes_of_the_scheduler_before),
        cmocka_unit_test(deleting_waits_no_longer_than_nodes_hold_leases),
        cmocka_unit_test(deleting_waits_for_nobody_where_all_is_done),
        cmocka_unit_test(deleting_waits_for_leases_that_outlive_their_job),
        cmocka_unit_test(finished_jobs_beyond_the_limit_are_forgotten),
        cmocka_unit_test(the_newest_job_is_not_forgotten),
        cmocka_unit_test(a_dry_run_that_is_cancelled_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
