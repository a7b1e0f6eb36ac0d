/* Submission: what is refused, and that a refusal changes nothing. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
    const char *name;
    const char *tasks; /* "name:type:need+need ..." */
    int rc;
};

#define BASE "i:inspect: p:plan:i s:split:p "

/* Builds the pipeline of the text, submits it, frees it. */
static int submit_of(struct sim *sim, const char *tenant, const char *id, const char *text,
                     int32_t priority, struct gm_err *err)
{
    char copy[4096];
    Gm__PipelineTask tasks[80];
    Gm__PipelineTask *list[80];
    char *needs[80][8];
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    char *save = NULL;
    (void)snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        Gm__PipelineTask *t = &tasks[pipeline.n_tasks];
        gm__pipeline_task__init(t);
        t->name = word;
        t->type = strchr(word, ':') + 1;
        char *need = strchr(t->type, ':') + 1;
        t->type[-1] = need[-1] = '\0';
        t->needs = needs[pipeline.n_tasks];
        for (char *plus; *need; need = plus ? plus + 1 : need + strlen(need)) {
            plus = strchr(need, '+');
            if (plus) {
                *plus = '\0';
            }
            t->needs[t->n_needs++] = need;
        }
        list[pipeline.n_tasks++] = t;
    }
    pipeline.tasks = list;
    char destination[128];
    (void)snprintf(destination, sizeof(destination), "file:///out/%s", id);
    struct gm_submit s = {.job_id = id,
                          .pipeline = &pipeline,
                          .source_url = "file:///in.mp4",
                          .source_name = "in.mp4",
                          .destination_url = destination,
                          .priority = priority,
                          .tenant = tenant};
    struct gm_event event = {.type = GM_EV_SUBMIT, .submit = &s};
    return sim_event(sim, &event, err);
}

static int submit(struct sim *sim, const char *id, const char *text, int32_t priority)
{
    return submit_of(sim, NULL, id, text, priority, NULL);
}

static void pipelines_are_checked(void **arg)
{
    static const struct row table[] = {
        {"least", BASE, 0},
        {"full", BASE "v:encode:s a:audio:s t:thumbnails:v m:mp4:v+a h:package:v+a", 0},
        {"barriers", BASE "a:analyze:s l:loudness:s t:subtitles:s v:encode:s+a u:audio:s+l", 0},
        {"sound alone", BASE "a:audio:s h:package:a", 0},
        {"two analyses", BASE "a:analyze:s b:analyze:s", -GM_E_INVAL},
        {"order does not matter", "s:split:p p:plan:i i:inspect:", 0},
        {"none", "", -GM_E_INVAL},
        {"no inspect", "p:plan: s:split:p", -GM_E_INVAL},
        {"two plans", BASE "q:plan:i", -GM_E_INVAL},
        {"two encodes", BASE "v:encode:s w:encode:s", -GM_E_INVAL},
        {"unknown type", BASE "x:verify:s", -GM_E_INVAL},
        {"same name", BASE "s:encode:s", -GM_E_INVAL},
        {"unknown need", BASE "v:encode:nobody", -GM_E_INVAL},
        {"needs itself", BASE "v:encode:v", -GM_E_INVAL},
        {"a ring", "i:inspect:s p:plan:i s:split:p", -GM_E_INVAL},
    };
    (void)arg;
    struct sim_params params = {.seed = 1};
    struct sim *sim = sim_create(&params);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "job-%zu", i);
        if (submit(sim, id, table[i].tasks, 50) != table[i].rc) {
            fail_msg("row `%s`", table[i].name);
        }
    }
    sim_commit(sim);
    assert_int_equal(HASH_COUNT(sim->rows), 5); /* refusals leave nothing */
    sim_destroy(sim);
}

static void ids_and_priorities_are_checked(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1};
    struct sim *sim = sim_create(&params);
    char longest[66];
    memset(longest, 'x', 65);
    longest[65] = '\0';
    assert_int_equal(submit(sim, longest, BASE, 50), -GM_E_INVAL);
    longest[64] = '\0';
    assert_int_equal(submit(sim, longest, BASE, 0), 0);
    assert_int_equal(submit(sim, longest, BASE, 0), -GM_E_CONFLICT);
    assert_int_equal(submit(sim, "", BASE, 50), -GM_E_INVAL);
    assert_int_equal(submit(sim, "a/b", BASE, 50), -GM_E_INVAL);
    assert_int_equal(submit(sim, "a", BASE, 101), -GM_E_INVAL);
    assert_int_equal(submit(sim, "a", BASE, -1), -GM_E_INVAL);
    assert_int_equal(submit(sim, "a", BASE, 100), 0);
    sim_destroy(sim);
}

static void too_many_jobs_are_refused_at_the_door(void **arg)
{
    (void)arg;
    struct gm_core *core = NULL;
    struct gm_err err;
    struct gm_core_params params = {.term = 1, .max_jobs = 2};
    assert_int_equal(gm_core_create(&params, &core, &err), 0);
    struct sim sim = {.core = core};
    assert_int_equal(submit(&sim, "a", BASE, 50), 0);
    assert_int_equal(submit(&sim, "b", BASE, 50), 0);
    assert_int_equal(submit(&sim, "c", BASE, 50), -GM_E_BUSY);
    struct gm_event cancel = {.type = GM_EV_CANCEL, .job_id = "a"};
    assert_int_equal(sim_event(&sim, &cancel, &err), 0);
    struct gm_event published = {.type = GM_EV_PUBLISHED, .job_id = "a"};
    assert_int_equal(sim_event(&sim, &published, &err), 0);
    assert_int_equal(submit(&sim, "c", BASE, 50), 0);
    for (size_t i = 0; i < sim.pending_count; i++) {
        gm_effects_fini(&sim.pending[i]);
    }
    free(sim.pending);
    gm_core_destroy(&sim.core);
}

/* Of 20: two for the class high, and four that one tenant does not get. */
static void nobody_fills_the_farm_for_all(void **arg)
{
    (void)arg;
    const struct gm_tenant_params own = {.name = "own", .max_queued = 17};
    const struct gm_core_params params = {
        .term = 1, .max_jobs = 20, .tenants = &own, .tenant_count = 1};
    static const struct {
        const char *tenant;
        int32_t priority;
        uint32_t taken;
        const char *then;
    } rows[] = {{"one", 0, 16, "16 jobs of tenant one are waiting or running already: without"},
                {"two", 74, 2, "18 jobs are waiting or running already: the last 2 of max_jobs"},
                {"own", 75, 2, "20 jobs are waiting or running already: max_jobs is 20"}};
    struct gm_core *core = NULL;
    struct gm_err err;
    assert_int_equal(gm_core_create(&params, &core, &err), 0);
    struct sim sim = {.core = core};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint32_t n = 0; n <= rows[i].taken; n++) {
            char id[16];
            (void)snprintf(id, sizeof id, "%s-%u", rows[i].tenant, n);
            int rc = submit_of(&sim, rows[i].tenant, id, BASE, rows[i].priority, &err);
            assert_int_equal(rc, n < rows[i].taken ? 0 : -GM_E_BUSY);
        }
        assert_non_null(strstr(err.text, rows[i].then));
    }
    for (size_t i = 0; i < sim.pending_count; i++) {
        gm_effects_fini(&sim.pending[i]);
    }
    free(sim.pending);
    gm_core_destroy(&sim.core);
}

static size_t cleanups(const struct sim *sim)
{
    return sim->pending[sim->pending_count - 1].cleanup_count;
}

static void deleting_is_given_up_after_a_day(void **arg)
{
    (void)arg;
    struct gm_core *core = NULL;
    struct gm_err err;
    struct gm_core_params params = {.term = 1};
    assert_int_equal(gm_core_create(&params, &core, &err), 0);
    struct sim sim = {.core = core, .now = GM_SEC};
    const struct gm_event tick = {.type = GM_EV_TICK};
    struct gm_event event = {.type = GM_EV_CANCEL, .job_id = "a"};
    assert_int_equal(submit(&sim, "a", BASE, 50), 0);
    assert_int_equal(sim_event(&sim, &event, &err), 0);
    event.type = GM_EV_PUBLISHED;
    assert_int_equal(sim_event(&sim, &event, &err), 0);
    event.type = GM_EV_CLEANED;
    event.failure.code = GM_E_STORE;
    uint32_t tries = 1;
    gm_time pause = 60 * GM_SEC;
    for (; tries <= 30; tries++) {
        assert_int_equal(cleanups(&sim), 1);
        bool last = sim.pending[sim.pending_count - 1].cleanups[0].last;
        assert_int_equal(sim_event(&sim, &event, &err), 0);
        if (last) {
            break;
        }
        sim.now += pause - 1;
        assert_int_equal(sim_event(&sim, &tick, &err), 0);
        assert_int_equal(cleanups(&sim), 0);
        sim.now++;
        assert_int_equal(sim_event(&sim, &tick, &err), 0);
        pause = pause < 1800 * GM_SEC ? pause * 2 : 3600 * GM_SEC;
    }
    assert_int_equal(tries, 30);
    assert_true(sim.now > 24 * 3600 * GM_SEC && sim.now < 25 * 3600 * GM_SEC);
    struct gm_job_view view;
    assert_int_equal(gm_view_job(core, "a", &view, &err), 0);
    assert_false(view.cleanup_pending);
    gm_view_job_fini(&view);
    sim.now += 24 * 3600 * GM_SEC;
    assert_int_equal(sim_event(&sim, &tick, &err), 0);
    assert_int_equal(cleanups(&sim), 0);
    for (size_t i = 0; i < sim.pending_count; i++) {
        gm_effects_fini(&sim.pending[i]);
    }
    free(sim.pending);
    gm_core_destroy(&sim.core);
}

static bool cleanup_is_pending(const struct sim *sim)
{
    struct gm_job_view view;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, "job", &view, &err), 0);
    bool pending = view.cleanup_pending;
    gm_view_job_fini(&view);
    return pending;
}

static void restarts_neither_forget_nor_use_up_tries_of_deleting(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .clean_fails = 10000};
    struct sim *sim = sim_create(&params);
    (void)sim_submit(sim, "job", 1, 0, 50);
    assert_int_equal(sim_cancel(sim, "job"), 0);
    sim_run(sim, 2);
    for (int tries = 1; tries <= 7; tries++) { /* the next one comes after an hour */
        sim->now += 60 * GM_SEC << (tries - 1);
        sim_run(sim, 1);
    }
    for (int i = 0; i < 100; i++) {
        sim_restart(sim); /* tried at once, but as none of the thirty */
        sim_run(sim, 1);
    }
    for (int tries = 9; tries <= 30; tries++) {
        assert_true(cleanup_is_pending(sim));
        sim->now += 3600 * GM_SEC;
        sim_run(sim, 1);
    }
    assert_false(cleanup_is_pending(sim));
    assert_int_equal(sim->jobs[0].cleaned, 0);
    sim_restart(sim);
    assert_false(cleanup_is_pending(sim));
    sim_destroy(sim);
}

static void a_restart_may_clean_at_once(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .clean_fails = 10000};
    struct sim *sim = sim_create(&params);
    (void)sim_submit(sim, "job", 1, 0, 50);
    assert_int_equal(sim_cancel(sim, "job"), 0);
    sim_run(sim, 2); /* a try, which fails */
    assert_true(cleanup_is_pending(sim));
    sim->params.clean_fails = 0;
    sim_restart(sim);
    sim_run(sim, 1);
    assert_false(cleanup_is_pending(sim));
    assert_int_equal(sim->jobs[0].cleaned, 1);
    sim_destroy(sim);
}

static void bad_events_are_answered(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1};
    struct sim *sim = sim_create(&params);
    static const struct {
        struct gm_event event;
        int rc;
    } table[] = {
        {{.type = GM_EV_CANCEL, .job_id = "nobody"}, -GM_E_NOTFOUND},
        {{.type = GM_EV_CANCEL}, -GM_E_NOTFOUND},
        {{.type = GM_EV_PUBLISHED, .job_id = "nobody"}, -GM_E_NOTFOUND},
        {{.type = GM_EV_DRAIN, .node_id = "nobody"}, -GM_E_NOTFOUND},
        {{.type = GM_EV_DRAIN}, -GM_E_INVAL},
        {{.type = GM_EV_SUBMIT}, -GM_E_INVAL},
        {{.type = GM_EV_MESSAGE}, -GM_E_INVAL},
        {{.type = GM_EV_UNSENT, .node_id = "nobody"}, -GM_E_INVAL},
        {{.type = (enum gm_event_type)99}, -GM_E_INVAL},
        {{.type = GM_EV_NODE_GONE, .node_id = "nobody"}, 0},
        {{.type = GM_EV_TICK}, 0},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(sim_event(sim, &table[i].event, NULL), table[i].rc);
    }
    struct gm_core *core = NULL;
    struct gm_err err;
    struct gm_core_params none = {.term = 0};
    assert_int_equal(gm_core_create(&none, &core, &err), -GM_E_INVAL);
    assert_null(core);
    gm_core_destroy(&core);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelines_are_checked),
        cmocka_unit_test(ids_and_priorities_are_checked),
        cmocka_unit_test(too_many_jobs_are_refused_at_the_door),
        cmocka_unit_test(nobody_fills_the_farm_for_all),
        cmocka_unit_test(deleting_is_given_up_after_a_day),
        cmocka_unit_test(restarts_neither_forget_nor_use_up_tries_of_deleting),
        cmocka_unit_test(a_restart_may_clean_at_once),
        cmocka_unit_test(bad_events_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
