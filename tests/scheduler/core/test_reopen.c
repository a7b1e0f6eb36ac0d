/* A job that failed and goes on from there. */
#include "scheduler/core/reopen.h"
#include "tests/scheduler/core/story.h"

#define HOUR_MS 3600000u

static struct gm_cjob *job_of(struct sim *sim)
{
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(sim->core->jobs, "job", job);
    assert_non_null(job);
    return job;
}

static void until_failed(struct sim *sim)
{
    for (int i = 0; i < 300000 && sim_state(sim, "job") != GM_JOB_FAILED; i++) {
        sim_step(sim);
    }
    assert_int_equal(sim_state(sim, "job"), GM_JOB_FAILED);
    sim_run(sim, 2); /* and all of that is on disk */
}

/* A farm whose job failed for one chunk, the others of which are made. */
static struct sim *failed_farm(uint32_t keep_ms, uint32_t nodes)
{
    struct sim_params params = {
        .seed = 1, .nodes = nodes, .slots = 2, .keep_failed_ms = keep_ms, .max_attempts = 3};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    sim_submit(sim, "job", 12, 1, 50)->poison = 11;
    until_failed(sim);
    return sim;
}

static struct gm_submit same(const struct gm_cjob *job)
{
    return (struct gm_submit){.job_id = job->id,
                              .pipeline = job->pipeline,
                              .source_url = job->source_url,
                              .source_size = job->source_size,
                              .source_etag = job->source_etag,
                              .source_name = job->source_name,
                              .destination_url = job->destination_url,
                              .destination_mark = job->destination_mark,
                              .work_mark = job->work_mark,
                              .external_id = ""};
}

static int reopen(struct sim *sim, const struct gm_submit *submit, struct gm_err *err)
{
    const struct gm_event event = {.type = GM_EV_REOPEN, .job_id = "job", .submit = submit};
    int rc = sim_event(sim, &event, err);
    if (rc == 0) {
        sim_commit(sim);
    }
    return rc;
}

static uint32_t count_done(struct sim *sim, const char *task)
{
    return count_attempts(sim, "job", task, GM_ATTEMPT_DONE, GM_OK);
}

/* Chunks that attempts of encode began at. */
static uint32_t began_at_first(struct sim *sim)
{
    uint32_t n = 0;
    for (size_t i = 0; i < job_of(sim)->attempt_count; i++) {
        n += job_of(sim)->attempts[i]->first_chunk == 0;
    }
    return n;
}

static void only_what_failed_is_made_again(void **arg)
{
    (void)arg;
    for (int restart = 0; restart < 2; restart++) {
        struct sim *sim = failed_farm(HOUR_MS, 2);
        struct sim_job *mine = sim_find_job(sim, "job");
        struct gm_err err;
        size_t made = job_of(sim)->encode->insts[0].chunk_done;
        assert_true(made > 0 && made < 12);
        assert_int_equal(mine->cleaned, 0);
        uint32_t first = began_at_first(sim);
        if (restart) {
            sim_restart(sim);
            sim_run(sim, 30);
            assert_true(gm_core_job_is_kept(job_of(sim)));
        }
        mine->poison = -1;
        job_of(sim)->turn.due_unix_ms = 1; /* of its deadline, which is dropped */
        struct gm_submit submit = same(job_of(sim));
        assert_int_equal(reopen(sim, &submit, &err), 0);
        assert_int_equal(sim_state(sim, "job"), GM_JOB_RUNNING);
        assert_int_equal(job_of(sim)->turn.due_unix_ms, 0);
        assert_true(job_of(sim)->owed.in); /* what is left to encode counts again */
        assert_int_equal(job_of(sim)->encode->insts[0].chunk_done, made);
        assert_int_equal(job_of(sim)->retries, 1);
        if (restart) { /* what was charged is forgiven on disk, too */
            sim_restart(sim);
        }
        sim_until(sim, sim_all_final, 300);
        assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
        sim_check_done(sim, mine);
        sim_objects_check(sim);
        assert_int_equal(count_done(sim, "inspect"), 1);
        assert_int_equal(count_done(sim, "plan"), 1);
        assert_int_equal(count_done(sim, "split"), 1);
        assert_int_equal(began_at_first(sim), first);
        assert_int_equal(job_of(sim)->retries, 1);
        sim_destroy(sim);
    }
}

static void it_may_fail_and_go_on_again(void **arg)
{
    (void)arg;
    struct sim *sim = failed_farm(HOUR_MS, 2);
    struct gm_err err;
    struct gm_submit submit = same(job_of(sim));
    assert_int_equal(reopen(sim, &submit, &err), 0);
    assert_int_equal(reopen(sim, &submit, &err), -GM_E_CONFLICT); /* it works */
    struct gm_submit second = same(job_of(sim)); /* nor is it made a second time beside itself */
    second.job_id = "second";
    second.retry_of = "job";
    const struct gm_event again = {.type = GM_EV_SUBMIT, .submit = &second};
    assert_int_equal(sim_event(sim, &again, &err), -GM_E_CONFLICT);
    until_failed(sim);
    sim_find_job(sim, "job")->poison = -1;
    submit = same(job_of(sim));
    assert_int_equal(reopen(sim, &submit, &err), 0);
    sim_until(sim, sim_all_final, 300);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    assert_int_equal(job_of(sim)->retries, 2);
    sim_check_done(sim, sim_find_job(sim, "job"));
    sim_objects_check(sim);
    sim_destroy(sim);
}

static void what_is_not_what_it_was_is_made_anew(void **arg)
{
    (void)arg;
    struct sim *sim = failed_farm(HOUR_MS, 2);
    const struct gm_submit submit = same(job_of(sim));
    struct gm_submit other[6];
    for (size_t i = 0; i < 6; i++) {
        other[i] = submit;
    }
    other[0].source_size++;
    other[1].source_version++;
    other[2].source_etag = "another";
    other[3].destination_mark = "another";
    other[4].work_mark = "another";
    other[5].destination_url = "file:///elsewhere";
    for (size_t i = 0; i < 6; i++) {
        struct gm_err err = {0};
        assert_int_equal(gm_view_may_reopen(sim->core, "job", &other[i], &err), -GM_E_CONFLICT);
        assert_int_equal(reopen(sim, &other[i], &err), -GM_E_CONFLICT);
    }
    assert_true(gm_core_job_is_kept(job_of(sim)));
    sim_destroy(sim);
}

static void nothing_is_left_when_its_time_is_over(void **arg)
{
    (void)arg;
    struct sim *sim = failed_farm(60000, 2);
    struct gm_err err;
    struct gm_submit submit = same(job_of(sim));
    sim_run(sim, 30);
    sim_restart(sim); /* its time goes on */
    sim_run(sim, 5);
    assert_int_equal(sim_find_job(sim, "job")->cleaned, 0);
    const struct gm_cjob *job =
        job_of(sim); /* nobody may delete the publication that it goes on to */
    assert_true(gm_view_is_made_at(sim->core, job->destination_url, job->publication));
    assert_false(gm_view_is_made_at(sim->core, "file:///elsewhere", job->publication));
    sim_run(sim, 40);
    assert_int_equal(sim_find_job(sim, "job")->cleaned, 1);
    job = job_of(sim);
    assert_false(gm_view_is_made_at(sim->core, job->destination_url, job->publication));
    submit = same(job_of(sim));
    assert_int_equal(reopen(sim, &submit, &err), -GM_E_CONFLICT);
    sim_objects_check(sim);
    sim_destroy(sim);
    sim = failed_farm(0, 2); /* none is kept */
    assert_int_equal(sim_find_job(sim, "job")->cleaned, 1);
    sim_destroy(sim);
}

/* One that makes the same comes to nothing beside it, and is cleaned up: that leaves what is kept.
 */
static void another_of_its_publication_leaves_what_it_made(void **arg)
{
    (void)arg;
    struct sim *sim = failed_farm(HOUR_MS, 2);
    struct gm_err err;
    size_t objects = HASH_COUNT(job_of(sim)->objects);
    sim_submit(sim, "other", 12, 1, 50)->poison = 11;
    sim->core->params.keep_failed_ms = 0;
    for (int i = 0; i < 300000 && sim_find_job(sim, "other")->cleaned == 0; i++) {
        sim_step(sim);
    }
    assert_int_equal(sim_find_job(sim, "other")->cleaned, 1);
    assert_true(HASH_COUNT(job_of(sim)->objects) >= objects);
    sim_find_job(sim, "job")->poison = -1;
    struct gm_submit submit = same(job_of(sim));
    assert_int_equal(reopen(sim, &submit, &err), 0);
    sim_until(sim, sim_all_final, 300);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    sim_check_done(sim, sim_find_job(sim, "job"));
    sim_objects_check(sim);
    sim_destroy(sim);
}

/* It shares outputs with a title that goes. */
static void where_a_title_goes_nothing_is_kept(void **arg)
{
    (void)arg;
    struct sim *sim = failed_farm(HOUR_MS, 2);
    struct gm_err err;
    struct gm_event event = {.type = GM_EV_PLACE_GOES, .url = "file:///elsewhere"};
    assert_int_equal(sim_event(sim, &event, &err), 0);
    assert_true(gm_core_job_is_kept(job_of(sim)));
    event.url = job_of(sim)->destination_url;
    assert_int_equal(sim_event(sim, &event, &err), 0);
    sim_commit(sim);
    assert_false(gm_core_job_is_kept(job_of(sim)));
    sim_run(sim, 5);
    assert_int_equal(sim_find_job(sim, "job")->cleaned, 1);
    struct gm_submit submit = same(job_of(sim));
    assert_int_equal(reopen(sim, &submit, &err), -GM_E_CONFLICT);
    sim_destroy(sim);
}

static void only_the_oldest_beyond_the_limit_is_let_go(void **arg)
{
    (void)arg;
    static const char *const ids[] = {"job", "second", "third"};
    struct sim_params params = {.seed = 1,
                                .nodes = 2,
                                .slots = 2,
                                .keep_failed_ms = HOUR_MS,
                                .keep_finished = 2,
                                .max_attempts = 1};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    for (int i = 0; i < 3; i++) {
        sim_submit(sim, ids[i], 2, 0, 50)->poison = 1;
    }
    for (int i = 0; i < 30000 && sim_knows(sim, "job"); i++) {
        sim_step(sim);
    }
    sim_run(sim, 10);
    assert_false(sim_knows(sim, "job"));
    for (int i = 1; i < 3; i++) {
        struct gm_cjob *job = NULL;
        HASH_FIND_STR(sim->core->jobs, ids[i], job);
        assert_true(job && gm_core_job_is_kept(job));
    }
    sim_destroy(sim);
}

/* Of the request that made it go on; the one before that is free. */
static void its_key_is_known_after_a_restart(void **arg)
{
    (void)arg;
    static const uint8_t key[2][GM_CORE_HASH] = {{1}, {2}}, request[GM_CORE_HASH] = {3};
    struct sim *sim = failed_farm(HOUR_MS, 2);
    struct gm_err err;
    uint8_t found[GM_CORE_HASH];
    for (int i = 0; i < 2; i++) {
        struct gm_submit submit = same(job_of(sim));
        submit.key = key[i];
        submit.request = request;
        assert_int_equal(reopen(sim, &submit, &err), 0);
        until_failed(sim);
        submit = same(job_of(sim));
        submit.key = key[i];
        submit.request = request;
        assert_int_equal(reopen(sim, &submit, &err), -GM_E_CONFLICT);
        sim_restart(sim);
        assert_string_equal(gm_view_keyed(sim->core, key[i], found), "job");
        assert_memory_equal(found, request, sizeof found);
    }
    assert_null(gm_view_keyed(sim->core, key[0], found));
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_failed_is_made_again),
        cmocka_unit_test(it_may_fail_and_go_on_again),
        cmocka_unit_test(what_is_not_what_it_was_is_made_anew),
        cmocka_unit_test(nothing_is_left_when_its_time_is_over),
        cmocka_unit_test(another_of_its_publication_leaves_what_it_made),
        cmocka_unit_test(where_a_title_goes_nothing_is_kept),
        cmocka_unit_test(only_the_oldest_beyond_the_limit_is_let_go),
        cmocka_unit_test(its_key_is_known_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
