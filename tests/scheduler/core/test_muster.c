/* Who comes back after a restart is waited for before anything is given out, but not long. */
#include "scheduler/core/adopt.h"
#include "scheduler/core/job.h"
#include "scheduler/core/stage.h"
#include "scheduler/core/story.h"

static struct gm_cjob *job_of(const struct stage *s)
{
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(s->sim->core->jobs, "job", job);
    assert_non_null(job);
    return job;
}

static struct gm_unit *unit_of(const struct stage *s)
{
    const Gm__TaskSpec *spec = s->task->assign->spec;
    struct gm_inst *inst = gm_core_job_find_inst(job_of(s), spec->task, spec->instance);
    assert_non_null(inst);
    return &inst->unit;
}

/* A job is done, by which both nodes are known, and a track of the next one runs. */
static struct stage open_second(void)
{
    struct sim_params params = {.seed = 3, .nodes = 2, .slots = 2};
    struct stage s = {.sim = sim_create(&params)};
    bool seen[2] = {false, false};
    (void)sim_submit(s.sim, "first", 12, 1, 50);
    sim_until(s.sim, sim_all_final, 120);
    (void)sim_submit(s.sim, "job", 12, 1, 50);
    assert_true(stage_find(&s, "audio"));
    const struct gm_cjob *first = s.sim->core->jobs;
    for (size_t i = 0; i < first->attempt_count; i++) {
        seen[strcmp(first->attempts[i]->node_id, s.node->id) == 0] = true;
    }
    assert_true(seen[0] && seen[1]);
    return s;
}

/* A track runs, and its row is lost with the scheduler; nobody says a word yet. */
static struct stage restarted(void)
{
    struct stage s = open_second();
    struct gm_key key = {
        .kind = GM_ROW_ATTEMPT, .job = job_of(&s)->seq, .number = s.task->assign->spec->attempt};
    struct sim_row *row = sim_row_find(s.sim, &key);
    assert_non_null(row);
    sim_row_drop(s.sim, row);
    for (uint32_t n = 0; n < s.sim->params.nodes; n++) {
        s.sim->nodes[n].parted = true;
    }
    sim_restart(s.sim);
    assert_int_equal(unit_of(&s)->state, GM_TASK_READY);
    return s;
}

static struct sim_node *other_of(const struct stage *s)
{
    return &s->sim->nodes[s->node == &s->sim->nodes[0] ? 1 : 0];
}

static bool explained(const struct stage *s, const char *words)
{
    struct gm_explain_view v;
    struct gm_err err;
    bool said = false;
    assert_int_equal(gm_view_explain(s->sim->core, "job", s->sim->now, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        said = said || strstr(v.rows[i].why, words) != NULL;
    }
    gm_view_explain_fini(&v);
    return said;
}

/* The node that comes first does not get what the other one has. */
static void what_was_not_stored_waits_for_its_node(void **arg)
{
    (void)arg;
    struct stage s = restarted();
    uint32_t before = other_of(&s)->assigned;
    other_of(&s)->parted = false;
    for (int i = 0; i < 5; i++) {
        sim_step(s.sim);
    }
    assert_int_equal(other_of(&s)->assigned, before);
    assert_true(s.sim->core->musters);
    assert_true(explained(&s, "waits a second at most for the nodes that worked before"));
    Gm__HeldLease held, *list = &held;
    sim_task_held(s.task, &held);
    assert_int_equal(said_hello(s.sim, s.node, &list, 1), 1);
    assert_false(s.sim->core->musters);
    assert_string_equal(unit_of(&s)->lease->node->id, s.node->id);
    assert_int_equal(unit_of(&s)->lease->term, 1);
    sim_destroy(s.sim);
}

static void who_does_not_come_is_not_waited_for(void **arg)
{
    (void)arg;
    struct stage s = restarted();
    uint32_t before = other_of(&s)->assigned;
    other_of(&s)->parted = false;
    (void)sim_submit(s.sim, "third", 1, 0, 100);
    for (int i = 0; i < 5; i++) {
        sim_step(s.sim);
    }
    assert_int_equal(other_of(&s)->assigned, before);
    sim_run(s.sim, 1);
    assert_false(s.sim->core->musters);
    assert_true(other_of(&s)->assigned > before);
    sim_destroy(s.sim);
}

static void who_said_goodbye_is_not_waited_for(void **arg)
{
    (void)arg;
    struct stage s = restarted();
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Goodbye goodbye = GM__GOODBYE__INIT;
    envelope.body_case = GM__ENVELOPE__BODY_GOODBYE;
    envelope.goodbye = &goodbye;
    for (uint32_t n = 0; n < 2; n++) {
        struct gm_event event = {
            .type = GM_EV_MESSAGE, .node_id = s.sim->nodes[n].id, .envelope = &envelope};
        assert_true(s.sim->core->musters);
        assert_int_equal(sim_event(s.sim, &event, NULL), 0);
    }
    assert_false(s.sim->core->musters);
    sim_destroy(s.sim);
}

/* Nothing can be under way where no job has begun. */
static void a_first_start_waits_for_nobody(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 3, .nodes = 2, .slots = 2};
    struct sim *sim = sim_create(&params);
    assert_false(sim->core->musters);
    for (uint32_t n = 0; n < 2; n++) {
        sim->nodes[n].parted = true;
    }
    (void)sim_submit(sim, "job", 12, 1, 50);
    sim_commit(sim);
    sim_restart(sim);
    assert_int_equal(sim->core->jobs->state, GM_JOB_QUEUED);
    assert_false(sim->core->musters);
    sim_destroy(sim);
}

/* Who last worked more than an hour before the others did is not known any more. */
static void who_worked_long_ago_is_not_waited_for(void **arg)
{
    (void)arg;
    struct stage s = open_second();
    for (struct gm_cjob *job = s.sim->core->jobs; job; job = job->hh.next) {
        for (size_t i = 0; i < job->attempt_count; i++) {
            struct gm_attempt *a = job->attempts[i];
            bool late = strcmp(a->node_id, s.node->id) == 0;
            a->started_unix_ms = late ? INT64_C(3600) * 1000 + 1 : 0;
        }
    }
    gm_core_muster_begin(s.sim->core);
    gm_core_muster_heard(s.sim->core, other_of(&s)->id);
    assert_true(s.sim->core->musters);
    gm_core_muster_heard(s.sim->core, s.node->id);
    assert_false(s.sim->core->musters);
    sim_destroy(s.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_stored_waits_for_its_node),
        cmocka_unit_test(who_does_not_come_is_not_waited_for),
        cmocka_unit_test(who_said_goodbye_is_not_waited_for),
        cmocka_unit_test(a_first_start_waits_for_nobody),
        cmocka_unit_test(who_worked_long_ago_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
