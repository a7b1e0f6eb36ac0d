/* Assign and Feed: what fits into one message, and what comes in several. */
#include "scheduler/core/task.h"
#include "tests/scheduler/core/stage.h"

/* Another attempt is given one input, and the others by Feed. */
static void check_assigned_in_parts(struct stage *s)
{
    size_t known = s->task->input_count;
    uint64_t epoch = s->task->assign->epoch;
    sim_task_fail(s->sim, s->node, s->task, GM_E_WORKER_DIED, 0, -1);
    sim_run(s->sim, 1);
    assert_true(stage_find(s, "audio"));
    assert_true(s->task->assign->epoch > epoch);
    assert_int_equal(s->task->assign->spec->n_inputs, 1);
    assert_false(s->task->assign->spec->inputs_complete);
    sim_run(s->sim, 10);
    assert_true(s->task->input_count >= known);
    for (size_t i = 0; i < known; i++) {
        assert_int_equal(s->task->inputs[i]->item->index, i);
    }
}

static void make_item_large(const struct gm_stream *stream, size_t index, size_t size)
{
    Gm__Item *item = gm_core_stream_item(stream, index);
    free(item->meta.data);
    item->meta.data = calloc(1, size);
    item->meta.len = size;
    assert_non_null(item->meta.data);
    size_t packed = 0;
    uint8_t *data = gm_mem_encode(&item->base, &packed);
    gm_bodies_drop(stream->bodies, &stream->items[index]);
    stream->items[index] = gm_bodies_put(stream->bodies, data, packed);
    free(data);
    gm__item__free_unpacked(item, NULL);
}

/* Inputs that fill more than a message come in several. */
static void what_a_track_lacks_may_fill_many_messages(void **arg)
{
    enum { EACH = 9 << 20 };
    (void)arg;
    struct stage s = stage_open("audio");
    const struct gm_lease *lease = s.sim->core->leases;
    while (lease != NULL && lease->task_id != s.task->assign->task_id) {
        lease = lease->hh.next;
    }
    assert_non_null(lease);
    while (lease->fed < 6) {
        sim_step(s.sim);
    }
    const struct gm_stream *in = gm_core_inst_inputs(lease->inst);
    for (size_t i = 0; i < in->committed; i++) {
        make_item_large(in, i, EACH);
    }
    size_t known = s.task->input_count;
    for (size_t i = 0; i < known; i++) {
        gm__task_input__free_unpacked(s.task->inputs[i], NULL);
    }
    s.task->input_count = 0; /* it lost them, and its Renew says so */
    uint64_t feeds = s.sim->sent_feeds;
    sim_run(s.sim, 10);
    assert_true(s.task->input_count >= known);
    for (size_t i = 0; i < known; i++) {
        assert_int_equal(s.task->inputs[i]->item->index, i);
        assert_int_equal(s.task->inputs[i]->item->meta.len, EACH);
    }
    assert_true(s.sim->sent_feeds >= feeds + known);
    check_assigned_in_parts(&s);
    sim_destroy(s.sim);
}

static void make_large(struct gm_inst *inst, size_t size)
{
    const struct gm_stream *items = gm_core_inst_stream(inst, 0);
    for (size_t i = 0; i < items->committed; i++) {
        make_item_large(items, i, size);
    }
}

/* A long programme's items: the worker has them in their order, though they came in parts, and
 * again those that it says it lacks. The simulated node holds them against the job. */
static void what_a_finishing_task_needs_may_fill_many_messages(void **arg)
{
    enum { EACH = 3 << 20, ALL = 2 * 12 };
    (void)arg;
    struct stage s = stage_open("hls");
    struct gm_cjob *job = s.sim->core->jobs;
    uint64_t epoch = s.task->assign->epoch;
    assert_int_equal(s.task->assign->spec->n_inputs, ALL);
    assert_true(s.task->assign->spec->inputs_complete);
    for (uint32_t t = 0; t < job->task_count; t++) {
        const char *name = job->tasks[t].name;
        if (strcmp(name, "video") == 0 || strcmp(name, "audio") == 0) {
            make_large(&job->tasks[t].insts[0], EACH);
        }
    }
    uint64_t feeds = s.sim->sent_feeds;
    sim_task_fail(s.sim, s.node, s.task, GM_E_WORKER_DIED, 0, -1);
    do {
        sim_step(s.sim);
        assert_true(stage_find(&s, "hls"));
    } while (s.task->assign->epoch == epoch);
    assert_true(s.task->assign->spec->n_inputs >= 1 && s.task->assign->spec->n_inputs <= 5);
    assert_false(s.task->assign->spec->inputs_complete);
    assert_true(s.sim->sent_feeds >= feeds + 4);
    assert_true(s.task->complete);
    assert_int_equal(s.task->input_count, ALL);
    while (s.task->input_count > 7) { /* it lost them, and its Renew says so */
        gm__task_input__free_unpacked(s.task->inputs[--s.task->input_count], NULL);
    }
    s.task->complete = false;
    sim_run(s.sim, 10);
    assert_int_equal(s.task->input_count, ALL);
    assert_true(s.task->complete);
    feeds = s.sim->sent_feeds;
    sim_run(s.sim, 10); /* nothing is missing: nothing is said */
    assert_int_equal(s.sim->sent_feeds, feeds);
    s.task->hung = false;
    sim_until(s.sim, sim_all_final, 60);
    assert_int_equal(sim_state(s.sim, "job"), GM_JOB_DONE);
    sim_destroy(s.sim);
}

static void who_needs_nothing_waits_for_nothing(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 1, .slots = 2};
    struct sim *sim = sim_create(&params);
    /* no track: the package starts beside split, which is its need of a need */
    (void)sim_submit_kind(sim, "job", SIM_SOUND, 12, 0, 0);
    sim_until(sim, sim_all_final, 60);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_track_lacks_may_fill_many_messages),
        cmocka_unit_test(what_a_finishing_task_needs_may_fill_many_messages),
        cmocka_unit_test(who_needs_nothing_waits_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
