/* Recovery from rows that are not as they were written. */
#include "sim/sim_io.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/state.h"
#include "scheduler/core/task.h"
#include "state.pb-c.h"

static struct gm_core *core_create(void)
{
    struct gm_core *core = NULL;
    struct gm_err err;
    struct gm_core_params params = {.term = 2};
    assert_int_equal(gm_core_create(&params, &core, &err), 0);
    return core;
}

static void garbage_is_refused(void **arg)
{
    (void)arg;
    struct gm_core *core = core_create();
    struct gm_err err;
    uint8_t bytes[] = {0xff, 0xff, 0xff, 0xff};
    for (int kind = GM_ROW_JOB; kind <= GM_ROW_NODE; kind++) {
        struct gm_key key = {.kind = (enum gm_row_kind)kind, .job = 1, .name = (char *)"name"};
        assert_int_equal(gm_core_load(core, &key, bytes, sizeof(bytes), &err), -GM_E_PROTO);
    }
    struct gm_key none = {.kind = (enum gm_row_kind)99};
    assert_int_equal(gm_core_load(core, &none, bytes, 0, &err), -GM_E_PROTO);
    gm_core_destroy(&core);
}

/* A store of a job in the middle of its life. */
static struct sim *half_done(void)
{
    struct sim_params params = {.seed = 5, .nodes = 2};
    struct sim *sim = sim_create(&params);
    (void)sim_submit(sim, "job", 10, 1, 50);
    sim_run(sim, 8);
    sim_commit(sim);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_RUNNING);
    return sim;
}

static int load_all(const struct sim *sim, enum gm_row_kind without, size_t cut, size_t at)
{
    struct gm_core *core = core_create();
    struct gm_effects fx = {0};
    struct gm_err err;
    int rc = 0;
    size_t i = 0;
    for (const struct sim_row *r = sim->rows; rc == 0 && r; r = r->hh.next, i++) {
        size_t size = i == at && r->size > cut ? r->size - cut : r->size;
        if (r->key.kind != without) {
            rc = gm_core_load(core, &r->key, r->data, size, &err);
        }
    }
    if (rc == 0) {
        rc = gm_core_loaded(core, 0, &fx, &err);
    }
    if (rc == 0) {
        assert_int_equal(gm_core_check(core, &err), 0);
        assert_int_equal(gm_core_load(core, &(struct gm_key){.kind = GM_ROW_JOB}, "", 0, &err),
                         -GM_E_INVAL);
    }
    gm_effects_fini(&fx);
    gm_core_destroy(&core);
    return rc;
}

static void rows_without_their_job_are_refused(void **arg)
{
    (void)arg;
    struct sim *sim = half_done();
    assert_int_equal(load_all(sim, (enum gm_row_kind)0, 0, 0), 0);
    assert_int_equal(load_all(sim, GM_ROW_JOB, 0, 0), -GM_E_PROTO);
    /* without plan's result nobody knows of the instances that the items belong to */
    assert_int_equal(load_all(sim, GM_ROW_TASK, 0, 0), -GM_E_PROTO);
    sim_destroy(sim);
}

static void cut_rows_never_crash(void **arg)
{
    (void)arg;
    struct sim *sim = half_done();
    size_t i = 0;
    for (const struct sim_row *r = sim->rows; r; r = r->hh.next, i++) {
        for (size_t cut = 1; cut < r->size; cut += 7) {
            int rc = load_all(sim, (enum gm_row_kind)0, cut, i);
            assert_true(rc <= 0);
        }
    }
    sim_destroy(sim);
}

static uint32_t count_died(struct sim *sim)
{
    struct gm_attempts_view v;
    struct gm_err err;
    uint32_t n = 0;
    assert_int_equal(gm_view_attempts(sim->core, "job", &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        n += v.rows[i].error_code == GM_E_WORKER_DIED ? 1 : 0;
    }
    gm_view_attempts_fini(&v);
    return n;
}

static void failures_are_remembered(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 5, .nodes = 5};
    struct sim *sim = sim_create(&params);
    struct sim_job *job = sim_submit(sim, "job", 6, 0, 50);
    job->poison = 2;
    /* a restart after each failure forgets no node that failed the chunk */
    uint32_t before = 0;
    for (uint32_t i = 0; i < 1200 && !sim_all_final(sim); i++) {
        sim_step(sim);
        sim_commit(sim);
        if (count_died(sim) > before) {
            before = count_died(sim);
            sim_restart(sim);
        }
    }
    assert_int_equal(sim_state(sim, "job"), GM_JOB_FAILED);
    assert_int_equal(sim_error(sim, "job").code, GM_E_MEDIA_POISON);
    struct gm_attempts_view v;
    struct gm_err err;
    assert_int_equal(count_died(sim), 3);
    assert_int_equal(gm_view_attempts(sim->core, "job", &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        assert_true(v.rows[i].ended_unix_ms > 0 && v.rows[i].outcome != GM_ATTEMPT_RUNNING);
    }
    gm_view_attempts_fini(&v);
    sim_destroy(sim);
}

/* Of chunks that are done, one bit each. */
static uint64_t leading(const struct sim *sim, uint64_t *out_done)
{
    struct gm_cjob *job = NULL;
    uint64_t leads = 0;
    HASH_FIND_STR(sim->core->jobs, "job", job);
    assert_non_null(job);
    const struct gm_inst *inst = job->encode->insts; /* NULL until it is known */
    *out_done = 0;
    for (size_t i = 0; job->encode->inst_count > 0 && i < inst->chunk_count; i++) {
        uint64_t done = inst->chunks[i].unit.state == GM_TASK_DONE ? 1 : 0;
        *out_done |= done << i;
        leads |= (inst->chunks[i].leads ? done : 0) << i;
    }
    return leads;
}

static void first_chunks_of_runs_are_remembered(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 5, .nodes = 1};
    struct sim *sim = sim_create(&params);
    (void)sim_submit(sim, "job", 20, 0, 50);
    uint64_t again, done = 0, leads = 0;
    for (int i = 0; i < 1200 && (leads < 2 || leads == done); i++) {
        sim_step(sim);
        sim_commit(sim);
        leads = leading(sim, &done);
    }
    assert_true(leads > 1 && leads != done);
    sim_restart(sim);
    assert_int_equal(leading(sim, &again), leads);
    assert_int_equal(again, done);
    sim_destroy(sim);
}

static const struct gm_cjob *only_job(const struct gm_core *core)
{
    assert_non_null(core->jobs);
    return core->jobs;
}

static bool split_has_items(struct sim *sim)
{
    const struct gm_inst *inst = only_job(sim->core)->split->insts;
    return inst && inst->stream_count > 0 && inst->unit.lease != NULL;
}

static bool split_runs(struct sim *sim)
{
    struct sim_node *node;
    return sim_find_running(sim, "split", &node) != NULL;
}

static void progress_clears_failures_also_when_it_ends_uncharged(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 5, .nodes = 2};
    struct sim *sim = sim_create(&params);
    struct sim_node *node;
    (void)sim_submit(sim, "job", 20, 0, 50);
    sim_until(sim, split_runs, 60);
    struct sim_task *task = sim_find_running(sim, "split", &node);
    sim_task_fail(sim, node, task, GM_E_WORKER_DIED, 0, -1);
    assert_int_equal(only_job(sim->core)->split->insts[0].unit.failures, 1);
    sim_until(sim, split_has_items, 60);
    task = sim_find_running(sim, "split", &node);
    assert_non_null(task);
    sim_task_fail(sim, node, task, GM_E_DEVICE_BUSY, 0, -1); /* nobody's failure */
    assert_int_equal(only_job(sim->core)->split->insts[0].unit.failures, 0);
    sim_commit(sim);
    sim_restart(sim);
    assert_int_equal(only_job(sim->core)->split->insts[0].unit.failures, 0);
    sim_destroy(sim);
}

static void progress_of_what_a_restart_ends_clears_failures_too(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 5, .nodes = 2};
    struct sim *sim = sim_create(&params);
    struct sim_node *node;
    (void)sim_submit(sim, "job", 20, 0, 50);
    sim_until(sim, split_runs, 60);
    struct sim_task *task = sim_find_running(sim, "split", &node);
    sim_task_fail(sim, node, task, GM_E_WORKER_DIED, 0, -1);
    sim_until(sim, split_has_items, 60);
    sim_commit(sim);
    assert_int_equal(only_job(sim->core)->split->insts[0].unit.failures, 1);
    sim_node_kill(sim, node);
    sim_restart(sim);
    sim_run(sim, 16); /* nobody hears of it any more */
    sim_commit(sim);
    for (int restarts = 0; restarts < 2; restarts++) {
        sim_restart(sim);
        assert_int_equal(only_job(sim->core)->split->insts[0].unit.failures, 0);
    }
    sim_destroy(sim);
}

static void pauses_go_on_after_a_restart(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 5, .nodes = 2};
    struct sim *sim = sim_create(&params);
    struct sim_node *node;
    (void)sim_submit(sim, "job", 20, 0, 50);
    for (int i = 0; i < 4; i++) { /* 0, 1, 2 and 4 s */
        sim_until(sim, split_runs, 60);
        struct sim_task *task = sim_find_running(sim, "split", &node);
        sim_task_fail(sim, node, task, GM_E_WORKER_DIED, SIGKILL, -1);
        sim_commit(sim);
    }
    gm_time due = only_job(sim->core)->split->insts[0].unit.retry_at;
    assert_true(due > sim->now + 3 * GM_SEC);
    for (int restarts = 0; restarts < 3; restarts++) {
        sim_restart(sim);
        const struct gm_unit *unit = &only_job(sim->core)->split->insts[0].unit;
        assert_int_equal(unit->state, GM_TASK_BACKOFF);
        assert_int_equal(unit->retry_at, due);
        sim_run(sim, 1);
        sim_commit(sim);
    }
    sim_until(sim, split_runs, 60);
    assert_true(sim->now >= due);
    sim_restart(sim); /* what ended long ago has no pause left */
    assert_true(only_job(sim->core)->split->insts[0].unit.retry_at != due);
    sim_destroy(sim);
}

static uint64_t memory_of_loaded(const struct sim *sim, bool backwards)
{
    struct gm_core *core = core_create();
    struct gm_effects fx = {0};
    struct gm_err err;
    const struct sim_row *r = sim->rows, *last = r;
    for (; r; r = r->hh.next) {
        last = r;
    }
    for (r = backwards ? last : sim->rows; r; r = backwards ? r->hh.prev : r->hh.next) {
        assert_int_equal(gm_core_load(core, &r->key, r->data, r->size, &err), 0);
    }
    assert_int_equal(gm_core_loaded(core, 0, &fx, &err), 0);
    uint64_t bytes = only_job(core)->encode_memory_bytes;
    gm_effects_fini(&fx);
    gm_core_destroy(&core);
    return bytes;
}

static void the_order_of_rows_is_no_matter(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 5, .nodes = 1, .ladder = 2};
    struct sim *sim = sim_create(&params);
    (void)sim_submit(sim, "job", 20, 0, 50);
    sim_until(sim, split_runs, 60);
    sim_commit(sim);
    uint64_t bytes = only_job(sim->core)->encode_memory_bytes;
    assert_true(bytes > 0);
    assert_int_equal(memory_of_loaded(sim, false), bytes);
    assert_int_equal(memory_of_loaded(sim, true), bytes);
    sim_destroy(sim);
}

/* What a scheduler with other limits took does not keep this one from starting. */
static void a_plan_that_was_taken_is_taken_again(void **arg)
{
    (void)arg;
    static Gm__Mp4Output file = GM__MP4_OUTPUT__INIT;
    static Gm__Mp4Output *files[GM_CORE_MAX_OUTPUTS + 1];
    Gm__Policy policy = GM__POLICY__INIT;
    struct sim_params params = {.seed = 1, .nodes = 1};
    struct sim *sim = sim_create(&params);
    struct gm_err err;
    (void)sim_submit(sim, "job", 1, 0, 50);
    for (size_t i = 0; i < GM_CORE_MAX_OUTPUTS + 1; i++) {
        files[i] = &file;
    }
    policy.mp4 = files;
    policy.n_mp4 = GM_CORE_MAX_OUTPUTS + 1;
    ProtobufCBinaryData meta = {0};
    meta.data = gm_mem_encode(&policy.base, &meta.len);
    struct gm_inst *plan = &only_job(sim->core)->plan->insts[0];
    assert_int_equal(gm_core_inst_set_result(plan, &meta, NULL, 0, false, &err), -GM_E_LIMIT);
    assert_int_equal(gm_core_inst_set_result(plan, &meta, NULL, 0, true, &err), 0);
    free(meta.data);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_that_was_taken_is_taken_again),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(rows_without_their_job_are_refused),
        cmocka_unit_test(cut_rows_never_crash),
        cmocka_unit_test(failures_are_remembered),
        cmocka_unit_test(first_chunks_of_runs_are_remembered),
        cmocka_unit_test(progress_clears_failures_also_when_it_ends_uncharged),
        cmocka_unit_test(progress_of_what_a_restart_ends_clears_failures_too),
        cmocka_unit_test(pauses_go_on_after_a_restart),
        cmocka_unit_test(the_order_of_rows_is_no_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
