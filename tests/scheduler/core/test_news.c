/* Events that a job has once, in their order, over restarts too. */
#include "tests/scheduler/core/story.h"

static const struct sim_job *the_job;

static bool is_playable(struct sim *sim)
{
    (void)sim;
    return strchr(the_job->news, 'p') != NULL;
}

static size_t chunks_done(struct sim *sim)
{
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, "job", &v, &err), 0);
    size_t done = v.chunks_done;
    gm_view_job_fini(&v);
    return done;
}

static void each_comes_once(void **arg)
{
    (void)arg;
    struct sim *sim = farm(3, 2);
    the_job = sim_submit(sim, "job", 20, 2, 50);
    sim_until(sim, is_playable, 300);
    assert_string_equal(the_job->news, "aip");
    assert_int_equal(sim_state(sim, "job"), GM_JOB_RUNNING);
    assert_true(chunks_done(sim) >= 1 && chunks_done(sim) < 20);
    assert_true(audio_runs(sim));
    sim_commit(sim);
    sim_restart(sim);
    sim_until(sim, sim_all_final, 600);
    assert_string_equal(the_job->news, "aip");
    sim_destroy(sim);
}

static bool sound_is_done(struct sim *sim)
{
    return count_attempts(sim, "job", "audio", GM_ATTEMPT_DONE, GM_OK) == 1;
}

static void pictures_are_waited_for_as_sound_is(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 1); /* one slot: sound comes before pictures */
    the_job = sim_submit(sim, "job", 5, 1, 50);
    sim_until(sim, sound_is_done, 600);
    assert_string_equal(the_job->news, "ai");
    sim_until(sim, is_playable, 600);
    assert_int_equal(chunks_done(sim), 1);
    sim_until(sim, sim_all_final, 600);
    assert_string_equal(the_job->news, "aip");
    sim_destroy(sim);
}

static void what_fails_was_not_inspected(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 1);
    struct sim_job *job = sim_submit(sim, "job", 5, 1, 50);
    job->inspect_fails = GM_E_INPUT_UNREADABLE;
    sim_until(sim, sim_all_final, 600);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_FAILED);
    assert_string_equal(job->news, "a");
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_comes_once),
        cmocka_unit_test(pictures_are_waited_for_as_sound_is),
        cmocka_unit_test(what_fails_was_not_inspected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
