/* Work goes where its inputs are, where they come by network. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <string.h>

#include "scheduler/core/local.h"

static const char *const urls[] = {"file:///a", "s3://a/b", "http://a/b", "https://a/b",
                                   "upload:a"};

static void what_lies_in_folders_is_at_hand_nowhere(void **arg)
{
    (void)arg;
    for (size_t i = 0; i < 5 * 5 * 2; i++) {
        struct gm_core core = {.params = {.work_is_remote = i >= 25}};
        struct gm_cjob job = {.source_url = (char *)(uintptr_t)urls[i % 5],
                              .destination_url = (char *)(uintptr_t)urls[i / 5 % 5]};
        gm_core_local_begin(&core, &job);
        assert_int_equal(job.local.reads_far, i >= 25 || i % 5 > 0);
        assert_int_equal(job.local.makes_far, i >= 25 || i / 5 % 5 > 0);
    }
}

/* A job whose tasks are of these types, and a farm of node-0..node-5. */
struct made {
    struct gm_core core;
    struct gm_cjob job;
    struct gm_ctask tasks[4]; /* inspect, split, encode, package */
    struct gm_inst insts[4];
    struct gm_attempt attempts[6]; /* of encode, one a node */
    struct gm_cnode nodes[6];
    char ids[6][8];
};

static void make(struct made *m)
{
    static const char *const types[] = {"inspect", "split", "encode", "package"};
    memset(m, 0, sizeof(*m));
    m->job.local.reads_far = m->job.local.makes_far = true;
    for (size_t i = 0; i < 4; i++) {
        m->tasks[i] = (struct gm_ctask){.job = &m->job, .type = gm_core_task_type_find(types[i])};
        m->insts[i] = (struct gm_inst){.task = &m->tasks[i]};
    }
    m->job.inspect = &m->tasks[0];
    m->job.split = &m->tasks[1];
    m->job.encode = &m->tasks[2];
    for (size_t i = 0; i < 6; i++) {
        (void)snprintf(m->ids[i], sizeof(m->ids[i]), "node-%zu", i);
        m->nodes[i].id = m->ids[i];
        m->attempts[i] = (struct gm_attempt){.inst = &m->insts[2], .node_id = m->ids[i]};
        HASH_ADD_KEYPTR(hh, m->core.nodes, m->nodes[i].id, strlen(m->nodes[i].id), &m->nodes[i]);
    }
}

static void unmake(struct made *m)
{
    HASH_CLEAR(hh, m->core.nodes);
}

static const char *home_of(const struct made *m, size_t task, const struct gm_unit *unit)
{
    const struct gm_cnode *node = gm_core_local_node(&m->core, &m->insts[task], unit);
    return node ? node->id : "-";
}

static void who_splits_reads_the_source_and_until_then_who_inspected_it(void **arg)
{
    (void)arg;
    struct made m;
    struct gm_unit unit = {.avoid_count = 0};
    make(&m);
    struct gm_attempt inspect = {.inst = &m.insts[0], .node_id = m.ids[1]};
    struct gm_attempt split = {.inst = &m.insts[1], .node_id = m.ids[2]};
    struct gm_attempt again = {.inst = &m.insts[1], .node_id = m.ids[3]};
    assert_string_equal(home_of(&m, 1, &unit), "-");
    gm_core_local_reads(&m.job, &inspect);
    assert_string_equal(home_of(&m, 1, &unit), "node-1");
    gm_core_local_reads(&m.job, &split);
    gm_core_local_reads(&m.job, &inspect);
    gm_core_local_reads(&m.job, &m.attempts[4]);
    assert_string_equal(home_of(&m, 2, &unit), "node-2");
    gm_core_local_reads(&m.job, &again);
    assert_string_equal(home_of(&m, 2, &unit), "node-3");
    assert_string_equal(home_of(&m, 3, &unit), "-"); /* nothing was made yet */
    struct gm_avoid failed = {.node_id = m.ids[3]};
    struct gm_unit elsewhere = {.avoid = &failed, .avoid_count = 1};
    assert_string_equal(home_of(&m, 2, &elsewhere), "-");
    m.job.local.reads_far = false;
    assert_string_equal(home_of(&m, 2, &unit), "-");
    unmake(&m);
}

/* However it is mixed with what five others made: of 3,000 frames node-4 has 600, node-5 1,200. */
static void who_made_more_than_a_fifth_is_found(void **arg)
{
    (void)arg;
    struct made m;
    struct gm_unit unit = {.avoid_count = 0};
    for (uint32_t order = 0; order < 3; order++) {
        make(&m);
        for (uint32_t i = 0; i < 600; i++) {
            uint32_t at = order == 0 ? i : order == 1 ? 599 - i : i * 7 % 600;
            gm_core_local_made(&m.job, &m.attempts[at % 5], 1 + at % 5);
            gm_core_local_made(&m.job, &m.attempts[5], 2);
        }
        assert_string_equal(home_of(&m, 3, &unit), "node-5");
        gm_core_local_forget(&m.job);
        assert_string_equal(home_of(&m, 3, &unit), "-");
        m.job.local.makes_far = false;
        gm_core_local_made(&m.job, &m.attempts[0], 1);
        m.job.local.makes_far = true;
        assert_string_equal(home_of(&m, 3, &unit), "-");
        unmake(&m);
    }
}

static void open_node(struct sim *sim, const char *id, bool resume)
{
    struct gm_event event = {.type = GM_EV_DRAIN, .node_id = id, .resume = resume};
    assert_int_equal(sim_event(sim, &event, NULL), 0);
    sim_commit(sim);
}

static struct sim_task *until_runs(struct sim *sim, const char *task)
{
    struct sim_node *node;
    struct sim_task *running;
    while ((running = sim_find_running(sim, task, &node)) == NULL) {
        sim_step(sim);
    }
    return running;
}

/* Two nodes, of which node-0 is the first that is asked otherwise, and does nothing yet; `busy`:
 * but for a task of another job, which ends late. */
static struct sim *begin(bool remote, uint32_t slots, bool busy)
{
    struct sim_params params = {.seed = 1, .nodes = 2, .slots = slots, .remote = remote};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    if (busy) {
        (void)sim_submit(sim, "other", 1, 0, 50);
        until_runs(sim, "inspect")->hung = true;
    }
    open_node(sim, "node-0", false);
    (void)sim_submit(sim, "job", 12, 1, 50);
    return sim;
}

static bool is_done(struct sim *sim)
{
    return sim_state(sim, "job") == GM_JOB_DONE;
}

static void what_reads_the_source_goes_to_who_has_it(void **arg)
{
    (void)arg;
    for (int remote = 0; remote < 2; remote++) {
        struct sim *sim = begin(remote, 1, false);
        (void)until_runs(sim, "inspect");
        open_node(sim, "node-0", true);
        sim_until(sim, is_done, 600);
        assert_int_equal(strstr(sim->order, "job.split@1") != NULL, remote);
        assert_non_null(strstr(sim->order, remote ? "job.video@0" : "job.video@1")); /* at once */
        sim_destroy(sim);
    }
}

/* But for its sound all of the job is made, by node-1. */
static struct sim_task *until_sound_alone(struct sim *sim)
{
    struct sim_task *audio = until_runs(sim, "audio");
    const struct gm_cjob *job = NULL;
    HASH_FIND_STR(sim->core->jobs, "job", job);
    audio->hung = true;
    while (job && (job->lease_count > 1 || job->ready_units > 0)) {
        sim_step(sim);
    }
    return audio;
}

/* After a restart of the scheduler, too. */
static void what_is_made_of_all_goes_to_who_made_most(void **arg)
{
    (void)arg;
    for (int way = 0; way < 3; way++) {
        struct sim *sim = begin(way > 0, 3, true);
        struct sim_task *audio = until_sound_alone(sim);
        if (way == 2) {
            sim_restart(sim);
        }
        open_node(sim, "node-0", true);
        audio->hung = false;
        sim_until(sim, is_done, 600);
        assert_int_equal(strstr(sim->order, "job.mp4@1") != NULL, way > 0);
        sim_destroy(sim);
    }
}

static void explain_tells_it(void **arg)
{
    (void)arg;
    struct gm_explain_view v;
    struct sim *sim = begin(true, 2, false);
    (void)until_runs(sim, "video");
    bool told[2] = {false, false};
    assert_int_equal(gm_view_explain(sim->core, "job", sim->now, &v, NULL), 0);
    for (size_t i = 0; i < v.count; i++) {
        told[0] = told[0] || strstr(v.rows[i].why, "Where the source is at hand: 1 runs.");
        told[1] = told[1] || strstr(v.rows[i].why, ", where its inputs are at hand");
    }
    assert_true(told[0] && told[1]); /* of video and of what runs beside it */
    gm_view_explain_fini(&v);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_in_folders_is_at_hand_nowhere),
        cmocka_unit_test(who_splits_reads_the_source_and_until_then_who_inspected_it),
        cmocka_unit_test(who_made_more_than_a_fifth_is_found),
        cmocka_unit_test(what_reads_the_source_goes_to_who_has_it),
        cmocka_unit_test(what_is_made_of_all_goes_to_who_made_most),
        cmocka_unit_test(explain_tells_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
