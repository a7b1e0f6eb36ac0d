/* Jobs whose source still arrives, one story each. */
#include "tests/scheduler/core/story.h"

#include "scheduler/core/arrival.h"

static struct sim *arriving(uint32_t slots)
{
    struct sim_params params = {.seed = 1, .nodes = 1, .slots = slots, .part_wait_ms = 5000};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    return sim;
}

struct seen {
    unsigned count;
    struct gm_arrival_view last;
};

static void note(const struct gm_arrival_view *view, void *arg)
{
    struct seen *seen = arg;
    seen->count++;
    seen->last = *view;
}

static struct seen look(struct sim *sim)
{
    struct seen seen = {.count = 0};
    gm_view_arrivals(sim->core, note, &seen);
    return seen;
}

static void arrived(struct sim *sim, const char *id)
{
    struct gm_event event = {.type = GM_EV_ARRIVED, .job_id = id};
    assert_int_equal(sim_event(sim, &event, NULL), 0);
    sim_commit(sim);
}

/* The task's worker waits for that part from now on. */
static void hang(struct sim *sim, const char *task, uint32_t part)
{
    struct sim_node *node = NULL;
    struct sim_task *t = NULL;
    for (int i = 0; i < 1200 && !(t = sim_find_running(sim, task, &node)); i++) {
        sim_step(sim);
    }
    assert_non_null(t);
    t->hung = true;
    t->waits_part = part + 1;
}

static bool runs(struct sim *sim, const char *task)
{
    struct sim_node *node;
    return sim_find_running(sim, task, &node) != NULL;
}

static void check_why(struct sim *sim, const char *task, const char *text)
{
    struct gm_explain_view v;
    struct gm_err err;
    bool found = false;
    assert_int_equal(gm_view_explain(sim->core, "job", sim->now, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        found = found || (strcmp(v.rows[i].task, task) == 0 && strstr(v.rows[i].why, text) != NULL);
    }
    gm_view_explain_fini(&v);
    assert_true(found);
}

static void inspect_takes_no_slot_before_its_source_is_there(void **arg)
{
    (void)arg;
    struct sim *sim = arriving(1);
    (void)sim_submit(sim, "job", 2, 1, 50);
    sim_run(sim, 600);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_QUEUED);
    check_why(sim, "inspect", "begin and end of its source");
    struct seen seen = look(sim);
    assert_int_equal(seen.count, 1);
    assert_true(seen.last.begin);
    assert_string_equal(seen.last.job_id, "job");
    arrived(sim, "job");
    assert_int_equal(look(sim).count, 0);
    sim_until(sim, sim_all_final, 60);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    sim_destroy(sim);
}

static void what_waits_for_a_part_gives_its_slot_back_and_pays_nothing(void **arg)
{
    (void)arg;
    struct sim *sim = arriving(2);
    (void)sim_submit(sim, "job", 12, 1, 50);
    arrived(sim, "job");
    hang(sim, "split", 2);
    sim_run(sim, 3);
    assert_true(runs(sim, "split"));
    for (int i = 0; i < 3; i++) { /* and as often as it must */
        sim_run(sim, 10);
        assert_false(runs(sim, "split"));
        assert_false(runs(sim, "audio")); /* it is fed by it */
        check_why(sim, "split", "part 2 of its source");
        struct seen seen = look(sim);
        assert_true(seen.count == 1 && !seen.last.begin && seen.last.part == 2);
        arrived(sim, "job");
        hang(sim, "split", 2);
    }
    assert_int_equal(count_attempts(sim, "job", "split", GM_ATTEMPT_CANCELLED, GM_OK), 3);
    sim_run(sim, 10);
    arrived(sim, "job");
    sim_until(sim, sim_all_final, 300);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    sim_destroy(sim);
}

static void a_part_that_comes_in_time_costs_nothing(void **arg)
{
    (void)arg;
    struct sim *sim = arriving(2);
    (void)sim_submit(sim, "job", 12, 1, 50);
    arrived(sim, "job");
    hang(sim, "split", 0);
    for (uint32_t part = 1; part < 8; part++) {
        sim_run(sim, 3);
        hang(sim, "split", part);
    }
    assert_true(runs(sim, "split"));
    sim_destroy(sim);
}

static void one_that_waits_can_be_cancelled(void **arg)
{
    (void)arg;
    struct sim *sim = arriving(1);
    (void)sim_submit(sim, "job", 2, 1, 50);
    struct gm_event event = {.type = GM_EV_CANCEL, .job_id = "job"};
    assert_int_equal(sim_event(sim, &event, NULL), 0);
    sim_until(sim, sim_all_final, 60);
    assert_int_equal(look(sim).count, 0);
    arrived(sim, "job");
    assert_int_equal(sim_state(sim, "job"), GM_JOB_CANCELLED);
    sim_destroy(sim);
}

static void after_a_restart_it_waits_again(void **arg)
{
    (void)arg;
    struct sim *sim = arriving(1);
    (void)sim_submit(sim, "job", 2, 1, 50);
    sim_run(sim, 2);
    sim_restart(sim);
    sim_run(sim, 60);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_QUEUED);
    assert_true(look(sim).last.begin);
    arrived(sim, "job");
    sim_until(sim, sim_all_final, 60);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    sim_destroy(sim);
}

static const char *etag_of(const struct sim *sim)
{
    const struct gm_cjob *job = NULL;
    HASH_FIND_STR(sim->core->jobs, "job", job);
    assert_non_null(job);
    return job->source_etag;
}

static void what_came_as_a_whole_must_stay_what_it_was(void **arg)
{
    (void)arg;
    struct sim_params params = {
        .seed = 1, .nodes = 1, .slots = 1, .part_wait_ms = 5000, .without_etag = true};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    (void)sim_submit(sim, "job", 2, 1, 50);
    struct gm_event event = {.type = GM_EV_ARRIVED, .job_id = "job", .etag = SIM_ETAG};
    assert_int_equal(sim_event(sim, &event, NULL), 0);
    sim_commit(sim);
    assert_string_equal(etag_of(sim), SIM_ETAG);
    event.etag = "\"b\""; /* once */
    assert_int_equal(sim_event(sim, &event, NULL), 0);
    sim_commit(sim);
    sim_restart(sim);
    sim_run(sim, 2);
    assert_string_equal(etag_of(sim), SIM_ETAG);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspect_takes_no_slot_before_its_source_is_there),
        cmocka_unit_test(what_waits_for_a_part_gives_its_slot_back_and_pays_nothing),
        cmocka_unit_test(a_part_that_comes_in_time_costs_nothing),
        cmocka_unit_test(one_that_waits_can_be_cancelled),
        cmocka_unit_test(after_a_restart_it_waits_again),
        cmocka_unit_test(what_came_as_a_whole_must_stay_what_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
