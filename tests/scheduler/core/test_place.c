/* Which chunks of a job go, and which wait. */
#include "sim/sim_io.h"

#include <string.h>

#include "scheduler/core/task.h"

/* Two chunks of 6 s at 25 frames a second, one of them announced. */
static uint64_t lead(int64_t duration_us, int64_t keyframe_us, int64_t last, uint64_t known)
{
    struct gm_stream stream = {.last = last};
    struct gm_cjob job = {.rate_num = 25,
                          .rate_den = 1,
                          .duration_us = duration_us,
                          .keyframe_us = keyframe_us,
                          .frames_known = known};
    struct gm_inst split_inst = {.streams = &stream, .stream_count = 1};
    struct gm_ctask split = {.job = &job, .insts = &split_inst, .inst_count = 1};
    struct gm_ctask encode = {.job = &job, .type = gm_core_task_type_find("encode")};
    struct gm_inst inst = {.task = &encode, .chunk_count = 1};
    job.split = &split;
    return gm_core_inst_lead(&inst);
}

static void the_next_chunk_costs_two_keyframe_distances_at_most(void **arg)
{
    (void)arg;
    assert_int_equal(lead(12000000, 40000, -1, 150), 3); /* all are keyframes */
    assert_int_equal(lead(12000000, 2000000, -1, 150), 101);
    assert_int_equal(lead(12000000, 2000001, -1, 150), 103);
    assert_int_equal(lead(12000000, 2000000, 1, 150), 101);
    assert_true(lead(12000000, 0, -1, 150) == UINT64_MAX);
    assert_int_equal(lead(12000000, 2000000, 0, 150), 0); /* it was the last */
    assert_int_equal(lead(0, 2000000, -1, 150), 0);       /* nobody knows how long it is */
    assert_int_equal(lead(6000000, 2000000, -1, 150), 0); /* or what was said is wrong */
    assert_true(lead(INT64_MAX, INT64_MAX, -1, 150) <= UINT64_C(1) << 38);
}

static bool why_has(struct sim *sim, const char *task, const char *words)
{
    struct gm_explain_view v;
    struct gm_err err;
    bool has = false;
    assert_int_equal(gm_view_explain(sim->core, "job", sim->now, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        has = has || (strcmp(v.rows[i].task, task) == 0 && strstr(v.rows[i].why, words));
    }
    gm_view_explain_fini(&v);
    return has;
}

/* A job of two chunks whose split stops after the first. */
static struct sim *split_in_two(int64_t keyframe_us, struct sim_task **out_split)
{
    struct sim_params params = {.seed = 5, .nodes = 1, .slots = 4};
    struct sim *sim = sim_create(&params);
    struct sim_node *node;
    struct sim_job *job = sim_submit(sim, "job", 2, 0, 50);
    job->keyframe_us = keyframe_us;
    struct sim_task *split = NULL;
    while (!split || split->position == 0) {
        sim_step(sim);
        split = sim_find_running(sim, "split", &node);
    }
    split->hung = true;
    sim_run(sim, 2);
    *out_split = split;
    return sim;
}

static void a_chunk_waits_for_the_next_only_where_that_may_save_something(void **arg)
{
    (void)arg;
    struct sim_task *split;
    struct sim_node *node;
    struct sim *sim = split_in_two(8000000, &split);
    assert_null(sim_find_running(sim, "video", &node));
    assert_true(why_has(sim, "video", "which `split` has yet to announce"));
    split->hung = false;
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, &sim->jobs[0]);
    sim_destroy(sim);

    sim = split_in_two(500000, &split);
    assert_non_null(strstr(sim->order, "video@"));
    split->hung = false;
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, &sim->jobs[0]);
    sim_destroy(sim);
}

static uint32_t count_of(const char *text, const char *word)
{
    uint32_t n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
        n++;
    }
    return n;
}

/* One node has split, which hangs, the other one fails chunk 0: the rest is for that one. */
static void chunks_do_not_wait_for_one_that_waits_for_another_node(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 5, .nodes = 2, .slots = 1};
    struct sim *sim = sim_create(&params);
    struct sim_node *node;
    struct sim_task *split = NULL;
    sim_submit(sim, "job", 8, 0, 50)->poison = 0;
    while (!split || split->position < 4) {
        sim_step(sim);
        split = sim_find_running(sim, "split", &node);
    }
    split->hung = true;
    sim_run(sim, 20);
    assert_int_equal(sim->retries, 1);
    assert_true(count_of(sim->order, ".video@") >= 3);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_chunk_costs_two_keyframe_distances_at_most),
        cmocka_unit_test(a_chunk_waits_for_the_next_only_where_that_may_save_something),
        cmocka_unit_test(chunks_do_not_wait_for_one_that_waits_for_another_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
