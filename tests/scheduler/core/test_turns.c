/* Turns of jobs in whole farms: classes, tenants, limits and deadlines, over restarts too. The
 * order itself is in test_order.c. */
#include "scheduler/core/run.h"
#include "tests/scheduler/core/story.h"

/* Nodes are away until farm_starts: jobs wait together. */
static struct sim *waiting_farm(uint32_t nodes, uint32_t slots,
                                const struct gm_tenant_params *tenants, size_t tenant_count)
{
    struct sim_params params = {.seed = 1,
                                .nodes = nodes,
                                .slots = slots,
                                .tenants = tenants,
                                .tenant_count = tenant_count};
    struct sim *sim = sim_create(&params);
    for (uint32_t n = 0; n < nodes; n++) {
        sim_node_kill(sim, &sim->nodes[n]);
    }
    sim_run(sim, 5);
    return sim;
}

static void farm_starts(struct sim *sim)
{
    for (uint32_t n = 0; n < sim->params.nodes; n++) {
        sim_node_start(sim, &sim->nodes[n]);
    }
}

static const char *first_of(const struct sim *sim, const char *job)
{
    char word[64];
    (void)snprintf(word, sizeof(word), "%s.", job);
    const char *at = strstr(sim->order, word);
    assert_non_null(at);
    return at;
}

static void classes_go_first_and_then_who_came_first(void **arg)
{
    (void)arg;
    struct sim *sim = waiting_farm(1, 1, NULL, 0);
    (void)sim_submit(sim, "batch", 1, 0, 24);
    (void)sim_submit(sim, "one", 1, 0, 50);
    (void)sim_submit(sim, "two", 1, 0, 50);
    (void)sim_submit(sim, "better", 1, 0, 60);
    (void)sim_submit(sim, "high", 1, 0, 75);
    farm_starts(sim);
    sim_until(sim, sim_all_final, 300);
    assert_true(first_of(sim, "high") < first_of(sim, "better"));
    assert_true(first_of(sim, "better") < first_of(sim, "one"));
    assert_true(first_of(sim, "one") < first_of(sim, "two"));
    assert_true(first_of(sim, "two") < first_of(sim, "batch"));
    sim_destroy(sim);
}

static void set_priority(struct sim *sim, const char *job, int32_t priority, int rc)
{
    struct gm_event event = {.type = GM_EV_PRIORITY, .job_id = job, .priority = priority};
    struct gm_err err;
    assert_int_equal(sim_event(sim, &event, NULL), rc);
    assert_int_equal(gm_core_check(sim->core, &err), 0);
}

static void another_priority_is_another_place(void **arg)
{
    (void)arg;
    static const char *const names[] = {"one", "two", "three", "four", "five"};
    struct sim *sim = waiting_farm(1, 1, NULL, 0);
    for (size_t i = 0; i < 5; i++) {
        (void)sim_submit(sim, names[i], 1, 0, 50);
    }
    set_priority(sim, "one", 49, 0);
    set_priority(sim, "two", 24, 0);
    set_priority(sim, "three", 60, 0);
    set_priority(sim, "five", 90, 0);
    set_priority(sim, "four", 101, -GM_E_INVAL);
    set_priority(sim, "four", -1, -GM_E_INVAL);
    set_priority(sim, "nobody", 1, -GM_E_NOTFOUND);
    farm_starts(sim);
    sim_until(sim, sim_all_final, 300);
    assert_true(first_of(sim, "five") < first_of(sim, "three"));
    assert_true(first_of(sim, "three") < first_of(sim, "four"));
    assert_true(first_of(sim, "four") < first_of(sim, "one"));
    assert_true(first_of(sim, "one") < first_of(sim, "two"));
    set_priority(sim, "one", 50, -GM_E_CONFLICT);
    sim_destroy(sim);
}

static uint32_t count_of(const char *from, const char *to, const char *word)
{
    uint32_t n = 0;
    for (const char *at = from; (at = strstr(at, word)) != NULL && at < to; at++) {
        n++;
    }
    return n;
}

static bool film_is_split(struct sim *sim)
{
    return count_attempts(sim, "film", "split", GM_ATTEMPT_DONE, GM_OK) == 1;
}

/* Runs of the film go between those of the clips, and its queue is not emptied first. */
static void a_film_does_not_hold_up_clips(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 1);
    struct sim_job *film = sim_submit(sim, "film", 400, 0, 50);
    sim_until(sim, film_is_split, 600);
    char id[16];
    for (int i = 0; i < 12; i++) {
        (void)snprintf(id, sizeof(id), "clip%d", i);
        (void)sim_submit(sim, id, 1, 0, 50);
    }
    const char *begin = sim->order + sim->order_size;
    for (int i = 0; i < 600 && !sim_all_final(sim); i++) {
        sim_run(sim, 1);
        bool over = true;
        for (int c = 0; c < 12; c++) {
            (void)snprintf(id, sizeof(id), "clip%d", c);
            over = over && sim_state(sim, id) == GM_JOB_DONE;
        }
        if (over) {
            break;
        }
    }
    const char *end = sim->order + sim->order_size;
    assert_int_equal(sim_state(sim, "film"), GM_JOB_RUNNING);
    for (int c = 0; c < 12; c++) {
        (void)snprintf(id, sizeof(id), "clip%d", c);
        assert_int_equal(sim_state(sim, id), GM_JOB_DONE);
    }
    assert_true(count_of(begin, end, "film.video@") >= 1);
    sim_until(sim, sim_all_final, 600);
    sim_check_done(sim, film);
    sim_destroy(sim);
}

static const struct gm_tenant_params limited[] = {
    {.name = "few", .max_running = 1, .max_queued = 2}, {.name = "*", .max_queued = 3}};

static uint64_t running(struct sim *sim, const char *tenant)
{
    const struct gm_tenant *t = gm_core_tenant_find(sim->core, tenant);
    return t ? t->running : 0;
}

static bool why_has(struct sim *sim, const char *job, const char *words)
{
    struct gm_explain_view v;
    struct gm_err err;
    bool has = false;
    assert_int_equal(gm_view_explain(sim->core, job, sim->now, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        has = has || strstr(v.rows[i].why, words);
    }
    gm_view_explain_fini(&v);
    return has;
}

static void a_tenant_waits_at_its_limit_and_is_told_so(void **arg)
{
    (void)arg;
    struct sim_params params = {
        .seed = 1, .nodes = 2, .slots = 2, .tenants = limited, .tenant_count = 2};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    sim->tenant = "few";
    struct sim_job *a = sim_submit(sim, "a", 20, 2, 90);
    struct sim_job *b = sim_submit(sim, "b", 3, 1, 90);
    sim->tenant = NULL;
    struct sim_job *c = sim_submit(sim, "c", 20, 1, 10);
    bool told = false, both = false;
    for (int i = 0; i < 6000 && !sim_all_final(sim); i++) {
        sim_step(sim);
        assert_true(running(sim, "few") <= 1);
        told = told || why_has(sim, "b", "tenant few has all of the 1 slots");
        both = both || (running(sim, "few") == 1 && running(sim, "default") == 3);
    }
    assert_true(told && both);
    sim_check_done(sim, a);
    sim_check_done(sim, b);
    sim_check_done(sim, c);
    sim_destroy(sim);
}

static int submit_for(struct sim *sim, const char *id, const char *tenant, int64_t deadline,
                      struct gm_err *err)
{
    Gm__PipelineTask tasks[4] = {GM__PIPELINE_TASK__INIT, GM__PIPELINE_TASK__INIT,
                                 GM__PIPELINE_TASK__INIT, GM__PIPELINE_TASK__INIT};
    static const char *const types[] = {"inspect", "plan", "split", "package"};
    Gm__PipelineTask *list[4];
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    for (int i = 0; i < 4; i++) {
        list[i] = &tasks[i];
        tasks[i].name = tasks[i].type = (char *)(uintptr_t)types[i];
    }
    pipeline.tasks = list;
    pipeline.n_tasks = 4;
    struct gm_submit submission = {.job_id = id,
                                   .pipeline = &pipeline,
                                   .source_url = "file:///in.mp4",
                                   .source_name = "in.mp4",
                                   .destination_url = "file:///out/x",
                                   .tenant = tenant,
                                   .deadline_unix_ms = deadline,
                                   .plan_only = true};
    struct gm_event event = {.type = GM_EV_SUBMIT, .submit = &submission};
    struct gm_effects fx = {0};
    int rc = gm_core_step(sim->core, &event, sim->now, &fx, err);
    gm_effects_fini(&fx);
    return rc;
}

static void more_jobs_than_a_tenant_may_have_are_refused(void **arg)
{
    (void)arg;
    struct gm_err err;
    struct sim *sim = waiting_farm(0, 1, limited, 2);
    assert_int_equal(submit_for(sim, "1", "few", 0, &err), 0);
    assert_int_equal(submit_for(sim, "2", "few", 0, &err), 0);
    assert_int_equal(submit_for(sim, "3", "few", 0, &err), -GM_E_BUSY);
    assert_non_null(strstr(err.text, "2 jobs of tenant few"));
    assert_int_equal(submit_for(sim, "4", "", 0, &err), 0);
    assert_int_equal(submit_for(sim, "5", NULL, 0, &err), 0);
    assert_int_equal(submit_for(sim, "6", "default", 0, &err), 0);
    assert_int_equal(submit_for(sim, "7", "default", 0, &err), -GM_E_BUSY);
    assert_int_equal(submit_for(sim, "7", "others", 0, &err), 0);
    sim_destroy(sim);
}

static void names_and_deadlines_are_checked(void **arg)
{
    (void)arg;
    struct gm_err err;
    struct sim *sim = waiting_farm(0, 1, NULL, 0);
    static const char long_name[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"; /* 65 */
    const char *const bad[] = {"*", "-a", ".a", "a b", "a/b", "\xc3\xa4", long_name, "a\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(submit_for(sim, "x", bad[i], 0, &err), -GM_E_INVAL);
    }
    assert_int_equal(submit_for(sim, "x", "a", -1, &err), -GM_E_INVAL);
    assert_null(gm_core_tenant_find(sim->core, "a"));
    assert_int_equal(submit_for(sim, "x", long_name + 1, 0, &err), 0);
    assert_int_equal(submit_for(sim, "y", "A1._-", 1, &err), 0);
    sim_destroy(sim);
}

static struct gm_job_view look(struct sim *sim, const char *id)
{
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, id, &v, &err), 0);
    struct gm_job_view copy = v; /* its arrays go */
    gm_view_job_fini(&v);
    return copy;
}

static void a_restart_keeps_tenants_deadlines_and_the_order(void **arg)
{
    (void)arg;
    struct sim *sim = waiting_farm(1, 1, limited, 2);
    (void)sim_submit(sim, "batch", 1, 0, 10);
    sim->tenant = "few";
    sim->deadline = 30 * GM_SEC;
    (void)sim_submit(sim, "normal", 1, 0, 50);
    (void)sim_submit(sim, "normal2", 1, 0, 50);
    sim->tenant = NULL;
    sim->deadline = 0;
    (void)sim_submit(sim, "high", 1, 0, 80);
    sim_restart(sim);
    assert_string_equal(look(sim, "normal").tenant, "few");
    assert_true(look(sim, "normal").deadline_unix_ms > SIM_UNIX_BASE);
    assert_string_equal(look(sim, "high").tenant, "default");
    assert_int_equal(look(sim, "high").deadline_unix_ms, 0);
    assert_int_equal(look(sim, "high").class_, GM_CLASS_HIGH);
    struct gm_err err;
    assert_int_equal(submit_for(sim, "x", "few", 0, &err), -GM_E_BUSY); /* two are there */
    farm_starts(sim);
    sim_until(sim, sim_all_final, 300);
    assert_true(first_of(sim, "high") < first_of(sim, "batch"));
    assert_true(first_of(sim, "normal") < first_of(sim, "normal2"));
    assert_true(first_of(sim, "normal2") < first_of(sim, "batch"));
    sim_destroy(sim);
}

/* As a scheduler of before wrote it. */
static void rows_without_a_tenant_are_of_the_default_one(void **arg)
{
    (void)arg;
    struct sim *sim = waiting_farm(1, 1, NULL, 0);
    struct gm_err err;
    const struct gm_key key = {.kind = GM_ROW_JOB, .job = 1};
    sim->tenant = "gone";
    (void)sim_submit(sim, "job", 2, 0, 50);
    struct sim_row *r = sim_row_find(sim, &key);
    Gm__JobRow *row = gm__job_row__unpack(NULL, r->size, r->data);
    assert_non_null(row);
    assert_string_equal(row->tenant, "gone");
    free(row->tenant);
    row->tenant = (char *)protobuf_c_empty_string;
    free(r->data);
    r->data = gm_mem_encode(&row->base, &r->size);
    gm__job_row__free_unpacked(row, NULL);
    sim_restart(sim);
    assert_string_equal(look(sim, "job").tenant, "default");
    farm_starts(sim);
    sim_until(sim, sim_all_final, 300);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    assert_null(gm_core_tenant_find(sim->core, "gone"));

    r = sim_row_find(sim, &key); /* and one that nobody wrote is refused */
    row = gm__job_row__unpack(NULL, r->size, r->data);
    free(row->tenant);
    row->tenant = gm_mem_strdup("a b");
    size_t size;
    uint8_t *data = gm_mem_encode(&row->base, &size);
    struct gm_core *core = NULL;
    struct gm_effects fx = {0};
    const struct gm_core_params params = {.term = 2};
    assert_int_equal(gm_core_create(&params, &core, &err), 0);
    assert_int_equal(gm_core_load(core, &key, data, size, &err), 0);
    assert_int_equal(gm_core_loaded(core, 0, &fx, &err), -GM_E_PROTO);
    gm_effects_fini(&fx);
    gm_core_destroy(&core);
    free(data);
    gm__job_row__free_unpacked(row, NULL);
    sim_destroy(sim);
}

static void a_deadline_that_comes_near_is_worth_the_highest_class(void **arg)
{
    (void)arg;
    struct sim *sim = waiting_farm(1, 1, NULL, 0);
    sim->deadline = 100 * GM_SEC;
    (void)sim_submit(sim, "due", 2, 0, 10);
    sim->deadline = 600 * GM_SEC;
    (void)sim_submit(sim, "later", 2, 0, 10);
    sim->deadline = 0;
    (void)sim_submit(sim, "normal", 2, 0, 60);
    sim_run(sim, 25); /* an unknown rest is a minute, and a fifth is added */
    assert_int_equal(look(sim, "due").class_, GM_CLASS_BATCH);
    sim_run(sim, 5);
    assert_int_equal(look(sim, "due").class_, GM_CLASS_HIGH);
    assert_int_equal(look(sim, "later").class_, GM_CLASS_BATCH);
    farm_starts(sim);
    sim_until(sim, sim_all_final, 600);
    assert_true(first_of(sim, "due") < first_of(sim, "normal"));
    assert_true(first_of(sim, "normal") < first_of(sim, "later"));
    assert_int_equal(look(sim, "later").class_, GM_CLASS_BATCH); /* it was in time */
    sim_destroy(sim);
}

static void a_deadline_that_is_missed_is_told_once(void **arg)
{
    (void)arg;
    struct sim *sim = waiting_farm(1, 1, NULL, 0);
    sim->deadline = 5 * GM_SEC;
    (void)sim_submit(sim, "missed", 2, 0, 10);
    sim->deadline = 3600 * GM_SEC;
    (void)sim_submit(sim, "met", 2, 0, 10);
    sim->deadline = 0;
    (void)sim_submit(sim, "none", 2, 0, 10);
    assert_string_equal(look(sim, "missed").deadline_state, "ahead");
    sim_run(sim, 8);
    assert_string_equal(look(sim, "missed").deadline_state, "missed");
    assert_int_equal(gm_view_counts(sim->core)->missed, 1);
    sim_commit(sim);
    sim_restart(sim);
    farm_starts(sim);
    sim_until(sim, sim_all_final, 600);
    assert_string_equal(look(sim, "missed").deadline_state, "missed");
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(sim->core->jobs, "missed", job);
    assert_non_null(job);
    job->told = 0; /* of a scheduler that did not tell */
    assert_string_equal(look(sim, "missed").deadline_state, "missed");
    assert_string_equal(look(sim, "met").deadline_state, "met");
    assert_string_equal(look(sim, "none").deadline_state, "");
    assert_int_equal(gm_view_counts(sim->core)->missed, 0); /* the one before counted it */
    sim_destroy(sim);
}

/* A run of eight chunks of a batch job has the only slot; of its objects each takes a second. */
static struct sim *long_run(uint32_t preempt_ms, int32_t priority)
{
    struct sim_params params = {
        .seed = 4, .nodes = 1, .slots = 1, .put_ms = 2000, .preempt_ms = preempt_ms};
    struct sim *sim = sim_create(&params);
    struct sim_node *node;
    struct sim_task *video;
    sim_run(sim, 2);
    (void)sim_submit(sim, "batch", 24, 0, priority);
    sim_until(sim, encode_runs, 300);
    video = sim_find_running(sim, "video", &node);
    assert_true(video->assign->spec->n_inputs >= 8);
    return sim;
}

static uint64_t chunks_done(struct sim *sim, const char *id)
{
    return look(sim, id).chunks_done;
}

static void a_run_yields_at_its_next_chunk(void **arg)
{
    (void)arg;
    struct sim *sim = long_run(3000, 10);
    uint64_t before = chunks_done(sim, "batch");
    gm_time came = sim->now;
    (void)sim_submit(sim, "same", 1, 0, 24); /* of the same class: for it nothing ends */
    (void)sim_submit(sim, "high", 1, 0, 90);
    while (look(sim, "high").started_unix_ms == 0 && sim->now < came + 60 * GM_SEC) {
        sim_step(sim);
    }
    assert_true(look(sim, "high").started_unix_ms > 0);
    assert_true(sim->now > came + 3 * GM_SEC); /* it waited */
    assert_int_equal(count_attempts(sim, "batch", "video", GM_ATTEMPT_CANCELLED, GM_OK), 1);
    assert_int_equal(count_attempts(sim, "batch", "video", GM_ATTEMPT_DONE, GM_OK), 0);
    assert_true(chunks_done(sim, "batch") > before); /* at a border, and nothing is lost */
    assert_int_equal(sim->sent_cancels, 1);
    sim_until(sim, sim_all_final, 1200);
    sim_check_done(sim, &sim->jobs[0]);
    assert_int_equal(count_attempts(sim, "batch", "video", GM_ATTEMPT_FAILED, GM_OK), 0);
    assert_int_equal(sim->retries, 0); /* nobody was charged */
    assert_true(look(sim, "high").finished_unix_ms < look(sim, "batch").finished_unix_ms);
    sim_destroy(sim);
}

static struct gm_cjob *job_named(struct sim *sim, const char *id)
{
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(sim->core->jobs, id, job);
    assert_non_null(job);
    return job;
}

/* Who asked for its slot is gone when it comes to its border; the other one of that class waits for
 * a device that is nowhere. */
static void a_run_goes_on_where_nobody_can_use_its_slot(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 4,
                                .nodes = 1,
                                .slots = 1,
                                .put_ms = 2000,
                                .preempt_ms = 3000,
                                .device_wait_ms = 3600 * 1000};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    (void)sim_submit(sim, "stuck", 2, 0, 90);
    struct gm_cjob *stuck = job_named(sim, "stuck");
    for (int i = 0; i < 600 && !stuck->chain; i++) {
        sim_step(sim);
    }
    assert_non_null(stuck->chain);
    assert_string_equal(stuck->chain->fingerprint, ""); /* a processor's, which nobody owns */
    stuck->chain->fingerprint = gm_mem_strdup("nowhere");
    (void)sim_submit(sim, "batch", 24, 0, 10);
    struct gm_cjob *batch = job_named(sim, "batch");
    struct gm_lease *run = NULL;
    for (int i = 0; i < 3000 && !run; i++) {
        sim_step(sim);
        run = batch->leases && batch->leases->chunk_count > 4 ? batch->leases : NULL;
    }
    assert_non_null(run);
    assert_true(stuck->turn.line.at != 0); /* it has something ready */
    uint64_t epoch = run->epoch;
    run->yields = true;
    uint64_t before = chunks_done(sim, "batch");
    for (int i = 0; i < 600 && chunks_done(sim, "batch") == before; i++) {
        sim_step(sim);
    }
    assert_true(chunks_done(sim, "batch") > before);
    HASH_FIND(hh, sim->core->leases, &epoch, sizeof(epoch), run);
    assert_non_null(run);
    assert_false(run->yields || run->cancelling);
    (void)sim_submit(sim, "high", 1, 0, 90); /* one that can */
    run->yields = true;
    before = chunks_done(sim, "batch");
    for (int i = 0; i < 600 && chunks_done(sim, "batch") == before; i++) {
        sim_step(sim);
    }
    assert_int_equal(count_attempts(sim, "batch", "video", GM_ATTEMPT_CANCELLED, GM_OK), 1);
    sim_destroy(sim);
}

/* Four runs, nothing else. */
static bool is_full(struct sim *sim)
{
    uint32_t runs = 0;
    for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
        runs += l->chunk_count > 2 ? 1 : 0;
    }
    return runs == 4;
}

static void no_more_runs_yield_than_jobs_wait(void **arg)
{
    (void)arg;
    struct sim_params params = {
        .seed = 4, .nodes = 4, .slots = 1, .put_ms = 2000, .preempt_ms = 500};
    struct sim *sim = sim_create(&params);
    for (uint32_t n = 1; n < 4; n++) {
        sim_node_kill(sim, &sim->nodes[n]);
    }
    (void)sim_submit(sim, "film", 100, 0, 10);
    sim_until(sim, film_is_split, 600); /* all of its chunks wait */
    for (uint32_t n = 1; n < 4; n++) {
        sim_node_start(sim, &sim->nodes[n]);
    }
    sim_until(sim, is_full, 60);
    (void)sim_submit(sim, "high", 1, 0, 90);
    bool one = false;
    while (look(sim, "high").started_unix_ms == 0) {
        uint32_t yielding = 0;
        sim_step(sim);
        for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
            yielding += l->yields ? 1 : 0;
        }
        assert_in_range(yielding, 0, 1);
        one = one || yielding == 1;
    }
    assert_true(one);
    assert_int_equal(sim->sent_cancels, 1);
    sim_until(sim, sim_all_final, 1200);
    sim_check_done(sim, &sim->jobs[0]);
    sim_destroy(sim);
}

static uint32_t long_runs(const struct sim *sim)
{
    uint32_t runs = 0;
    for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
        runs += l->chunk_count > 2 ? 1 : 0;
    }
    return runs;
}

static bool two_long_runs(struct sim *sim)
{
    return long_runs(sim) == 2;
}

static void stands_still(struct sim *sim, const struct gm_lease *lease)
{
    for (uint32_t n = 0; n < sim->params.nodes; n++) {
        for (size_t i = 0; i < SIM_TASKS; i++) {
            struct sim_task *task = &sim->nodes[n].tasks[i];
            task->hung = task->hung || (task->assign && task->assign->epoch == lease->epoch);
        }
    }
}

/* It comes to no border, so another one yields. */
static void a_run_that_stands_still_keeps_no_other_from_yielding(void **arg)
{
    (void)arg;
    struct sim_params params = {
        .seed = 4, .nodes = 2, .slots = 1, .put_ms = 2000, .preempt_ms = 500};
    struct sim *sim = sim_create(&params);
    sim_node_kill(sim, &sim->nodes[1]);
    (void)sim_submit(sim, "film", 100, 0, 10);
    sim_until(sim, film_is_split, 600);
    sim_node_start(sim, &sim->nodes[1]);
    sim_until(sim, two_long_runs, 60);
    (void)sim_submit(sim, "high", 1, 0, 90);
    const struct gm_lease *first = NULL;
    while (!first) {
        sim_step(sim);
        for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
            first = l->yields ? l : first;
        }
        assert_int_equal(look(sim, "high").started_unix_ms, 0);
    }
    stands_still(sim, first);
    uint64_t epoch = first->epoch;
    gm_time since = sim->now;
    while (look(sim, "high").started_unix_ms == 0 && sim->now < since + 60 * GM_SEC) {
        sim_step(sim);
    }
    assert_true(look(sim, "high").started_unix_ms > 0);
    assert_int_equal(sim->sent_cancels, 1);
    HASH_FIND(hh, sim->core->leases, &epoch, sizeof(epoch), first);
    assert_non_null(first); /* it stands yet, and yields if it moves again */
    assert_true(first->yields && !first->cancelling);
    sim_destroy(sim);
}

static void a_run_goes_on_where_nobody_waits_any_more(void **arg)
{
    (void)arg;
    struct sim *sim = long_run(1000, 10);
    (void)sim_submit(sim, "high", 1, 0, 90);
    bool yields = false;
    while (!yields) {
        sim_step(sim);
        yields = sim->core->leases && sim->core->leases->yields;
        assert_int_equal(sim->sent_cancels, 0);
    }
    assert_int_equal(sim_cancel(sim, "high"), 0);
    sim_until(sim, sim_all_final, 1200);
    assert_int_equal(sim->sent_cancels, 0);
    sim_destroy(sim);
}

static void nothing_yields_to_the_same_class_or_unasked(void **arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) { /* it is not asked for; batch and batch; normal and normal */
        struct sim *sim = long_run(i == 0 ? 0 : 1000, i < 2 ? 10 : 50);
        (void)sim_submit(sim, "other", 1, 0, i == 0 ? 90 : i == 1 ? 20 : 60);
        while (!sim_all_final(sim) && sim->now < 1200 * GM_SEC) {
            sim_step(sim);
            for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
                assert_false(l->yields);
            }
        }
        assert_int_equal(sim->sent_cancels, 0);
        assert_int_equal(sim_state(sim, "other"), GM_JOB_DONE);
        sim_destroy(sim);
    }
}

static bool a_long_run(struct sim *sim)
{
    return long_runs(sim) == 1;
}

/* The GPU of the node got a slot, and keeps one of the two processors for it: the end of one run
 * does not make room on the other. */
static void nothing_yields_for_what_its_node_keeps_for_another_device(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 5,
                                .nodes = 1,
                                .slots = 2,
                                .gpus = 1,
                                .shares = true,
                                .device = "cpu",
                                .put_ms = 2000,
                                .preempt_ms = 500};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    sim_node_offer_gpu(sim, &sim->nodes[0], 0);
    (void)sim_submit(sim, "film", 100, 0, 10);
    sim_until(sim, film_is_split, 600);
    sim_until(sim, two_long_runs, 120);
    sim_node_offer_gpu(sim, &sim->nodes[0], 1);
    (void)sim_submit(sim, "high", 1, 0, 90);
    uint32_t steps = 0;
    for (; two_long_runs(sim); steps++) {
        for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
            assert_false(l->yields);
        }
        sim_step(sim);
    }
    assert_true(steps > 20);
    sim_until(sim, sim_all_final, 1200);
    assert_int_equal(sim_state(sim, "high"), GM_JOB_DONE);
    sim_destroy(sim);
}

static bool two_runs_of_film(struct sim *sim)
{
    uint32_t runs = 0;
    for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
        runs += l->chunk_count > 4 && strcmp(l->job->id, "film") == 0 ? 1 : 0;
    }
    return runs == 2;
}

static void hang_runs_on_gpu(struct sim *sim)
{
    for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
        if (l->chunk_count > 0 && strcmp(l->device->id, "gpu") == 0) {
            stands_still(sim, l);
        }
    }
}

/* A high job has the only GPU, and waits for it: no run of a lower class is there. The other one,
 * whose turn comes after it, needs a processor. */
static void a_job_for_which_nothing_can_yield_keeps_no_other_from_it(void **arg)
{
    (void)arg;
    static const struct gm_tenant_params tenants[] = {{.name = "first", .weight = 1000},
                                                      {.name = "second", .weight = 1}};
    struct sim_params params = {.seed = 4,
                                .nodes = 2,
                                .slots = 1,
                                .gpus = 1,
                                .device = "nvenc",
                                .stall_ms = 24 * 3600 * 1000,
                                .preempt_ms = 500,
                                .tenants = tenants,
                                .tenant_count = 2};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    sim_node_offer_gpu(sim, &sim->nodes[0], 1);
    sim->tenant = "first";
    (void)sim_submit(sim, "stuck", 100, 0, 99);
    for (int i = 0; i < 600 && count_attempts(sim, "stuck", "split", GM_ATTEMPT_DONE, GM_OK) == 0;
         i++) {
        hang_runs_on_gpu(sim);
        sim_step(sim);
    }
    sim->tenant = "second";
    (void)sim_submit(sim, "early", 1, 0, 75);
    sim_run(sim, 5);
    assert_int_equal(sim_cancel(sim, "early"), 0); /* its tenant had something */
    (void)sim_submit_kind(sim, "film", SIM_BARRIERS, 100, 0, 0);
    sim_until(sim, film_is_split, 600);
    sim->params.put_ms = 2000;
    sim_until(sim, two_runs_of_film, 120);
    uint64_t cancels = sim->sent_cancels;
    (void)sim_submit(sim, "high", 1, 0, 75);
    assert_ptr_equal(gm_core_order_first(sim->core, GM_CLASS_HIGH), sim->core->jobs);
    gm_time since = sim->now;
    while (look(sim, "high").started_unix_ms == 0 && sim->now < since + 20 * GM_SEC) {
        sim_step(sim);
    }
    assert_true(look(sim, "high").started_unix_ms > 0);
    assert_int_equal(sim->sent_cancels, cancels + 1);
    sim_destroy(sim);
}

/* The job's split, with one chunk announced; NULL: it is not so far. */
static struct sim_task *find_first_chunk(struct sim *sim, const char *id)
{
    struct sim_node *node = &sim->nodes[0];
    for (size_t i = 0; i < SIM_TASKS; i++) {
        struct sim_task *t = &node->tasks[i];
        if (t->assign && !t->finished && strcmp(t->job->id, id) == 0 &&
            strcmp(t->assign->spec->task, "split") == 0 && t->position == 1) {
            return t;
        }
    }
    return NULL;
}

/* It would spend all that may be thrown away, so the first chunk waits for the second one. */
static void nothing_yields_for_a_chunk_that_is_held_back(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 4, .nodes = 1, .slots = 2};
    struct sim *sim = sim_create(&params);
    struct sim_task *split = NULL;
    sim_run(sim, 2);
    (void)sim_submit(sim, "film", 200, 0, 10);
    sim_until(sim, film_is_split, 600);
    sim->params.put_ms = 2000; /* it splits faster than it encodes: much waits */
    (void)sim_submit(sim, "high", 4, 0, 90);
    for (uint32_t i = 0; i < 3000 && !split; i++) {
        sim_step(sim);
        split = find_first_chunk(sim, "high");
    }
    assert_non_null(split);
    split->hung = true;
    struct gm_cjob *high = sim->core->jobs->hh.next;
    sim_until(sim, a_long_run, 120);
    sim->core->preempt_time = 500 * GM_MS;
    uint32_t steps = 0;
    for (; steps < 100 && long_runs(sim) > 0; steps++) {
        for (const struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
            assert_false(l->yields);
        }
        sim_step(sim);
        assert_ptr_equal(gm_core_order_first(sim->core, GM_CLASS_HIGH), high);
        assert_int_equal(gm_core_inst_held(&high->encode->insts[0], 2), 1);
    }
    assert_true(steps > 20);
    split->hung = false;
    sim_until(sim, sim_all_final, 1200);
    assert_int_equal(sim_state(sim, "high"), GM_JOB_DONE);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_go_first_and_then_who_came_first),
        cmocka_unit_test(another_priority_is_another_place),
        cmocka_unit_test(a_film_does_not_hold_up_clips),
        cmocka_unit_test(a_tenant_waits_at_its_limit_and_is_told_so),
        cmocka_unit_test(more_jobs_than_a_tenant_may_have_are_refused),
        cmocka_unit_test(names_and_deadlines_are_checked),
        cmocka_unit_test(a_restart_keeps_tenants_deadlines_and_the_order),
        cmocka_unit_test(rows_without_a_tenant_are_of_the_default_one),
        cmocka_unit_test(a_deadline_that_comes_near_is_worth_the_highest_class),
        cmocka_unit_test(a_deadline_that_is_missed_is_told_once),
        cmocka_unit_test(a_run_yields_at_its_next_chunk),
        cmocka_unit_test(a_run_goes_on_where_nobody_can_use_its_slot),
        cmocka_unit_test(no_more_runs_yield_than_jobs_wait),
        cmocka_unit_test(a_run_that_stands_still_keeps_no_other_from_yielding),
        cmocka_unit_test(a_run_goes_on_where_nobody_waits_any_more),
        cmocka_unit_test(nothing_yields_to_the_same_class_or_unasked),
        cmocka_unit_test(nothing_yields_for_what_its_node_keeps_for_another_device),
        cmocka_unit_test(nothing_yields_for_a_chunk_that_is_held_back),
        cmocka_unit_test(a_job_for_which_nothing_can_yield_keeps_no_other_from_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
