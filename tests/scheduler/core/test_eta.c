/* Expected times, along the life of a job. */
#include <stdio.h>
#include <string.h>

#include "scheduler/core/job.h"
#include "scheduler/core/news.h"
#include "scheduler/core/place.h"
#include "scheduler/core/stage.h"
#include "scheduler/core/story.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"

static struct gm_job_view view_of(struct sim *sim, const char *id)
{
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, id, &v, &err), 0);
    return v;
}

static gm_time left_of(struct sim *sim, const char *id)
{
    struct gm_job_view v = view_of(sim, id);
    gm_time left = v.left;
    gm_view_job_fini(&v);
    return left;
}

static struct gm_lease *lease_of(struct sim *sim, const char *task)
{
    for (struct gm_lease *l = sim->core->leases; l; l = l->hh.next) {
        if (strcmp(l->inst->task->name, task) == 0 && !l->cancelling) {
            return l;
        }
    }
    fail_msg("`%s` does not run", task);
    return NULL;
}

/* The core forgets what its tasks taught, and learns that this one takes ns a unit of work. */
static void teach(struct sim *sim, const struct gm_lease *lease, uint64_t ns)
{
    gm_time now = sim->core->now;
    Gm__Usage usage = GM__USAGE__INIT;
    struct gm_lease copy = *lease;
    gm_history_fini(&sim->core->history);
    copy.work = gm_core_work(lease->inst, lease->first_chunk, lease->chunk_count);
    copy.waits = false;
    copy.assigned_at = 0;
    sim->core->now = (gm_time)(copy.work * ns);
    gm_core_learn(sim->core, &copy, &usage);
    sim->core->now = now;
}

static void a_lease_has_left_the_part_that_is_not_done(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    struct gm_lease *l = lease_of(s.sim, "video");
    uint64_t frames = 0, preroll = l->inst->chunks[l->first_chunk].preroll;
    for (uint32_t i = 0; i < l->chunk_count; i++) {
        frames += l->inst->chunks[l->first_chunk + i].frames;
    }
    teach(s.sim, l, 20 * GM_MS);
    gm_time whole = (gm_time)(frames + preroll) * 20 * GM_MS;
    l->frames_done = 0;
    assert_int_equal(gm_core_lease_whole(s.sim->core, l), whole);
    assert_int_equal(gm_core_lease_left(s.sim->core, l), whole);
    l->frames_done = frames / 4;
    assert_int_equal(gm_core_lease_left(s.sim->core, l),
                     whole * (gm_time)(frames - frames / 4) / (gm_time)frames);
    l->frames_done = frames * 9; /* a node says what it likes */
    assert_int_equal(gm_core_lease_left(s.sim->core, l), 1);
    l->frames_done = 0;
    struct gm_core_chunk *first = &l->inst->chunks[l->first_chunk];
    enum gm_task_state was = first->unit.state;
    first->unit.state = GM_TASK_DONE; /* what is committed is known, whatever the node says */
    assert_int_equal(
        gm_core_lease_left(s.sim->core, l),
        l->chunk_count == 1 ? 1 : whole * (gm_time)(frames - first->frames) / (gm_time)frames);
    first->unit.state = was;
    sim_destroy(s.sim);
}

static void without_a_past_what_is_done_tells_the_pace(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    sim_run(s.sim, 1);
    struct gm_lease *l = lease_of(s.sim, "video");
    gm_history_fini(&s.sim->core->history);
    l->frames_done = 0;
    assert_int_equal(gm_core_lease_left(s.sim->core, l), 0);
    assert_int_equal(left_of(s.sim, "job"), 0); /* nor of the job */
    uint64_t all = 0;
    for (uint32_t i = 0; i < l->chunk_count; i++) {
        all += l->inst->chunks[l->first_chunk + i].frames;
    }
    l->frames_done = all / 5;
    gm_time elapsed = s.sim->core->now - l->assigned_at;
    assert_true(elapsed > 0);
    assert_int_equal(gm_core_lease_left(s.sim->core, l),
                     elapsed * (gm_time)(all - all / 5) / (gm_time)(all / 5));
    sim_destroy(s.sim);
}

/* What a node says of a film's length may be anything. */
static void no_pace_takes_longer_than_the_longest(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    struct gm_cjob *job = s.sim->core->jobs;
    uint64_t known = job->frames_known;
    gm_history_fini(&s.sim->core->history);
    job->fps = 0.001;
    job->frames_known = UINT64_MAX / 4;
    assert_int_equal(left_of(s.sim, "job"), GM_CORE_LONGEST);
    job->frames_known = known;
    sim_destroy(s.sim);
}

static void measured_figures_are_taken_where_there_is_no_past(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 3, .nodes = 1, .slots = 1, .rates = {1000000}};
    struct stage s = {.sim = sim_create(&params)};
    (void)sim_submit(s.sim, "job", 12, 0, 50);
    assert_true(stage_find(&s, "video"));
    struct gm_lease *l = lease_of(s.sim, "video");
    gm_history_fini(&s.sim->core->history);
    double picture_s = gm_core_picture_s(l->device, l->chain, l->inst);
    assert_true(picture_s > 0);
    gm_time want = (gm_time)(picture_s * 1e9) * (gm_time)l->work;
    assert_int_equal(gm_core_lease_whole(s.sim->core, l), want);
    sim_destroy(s.sim);
}

static void a_task_that_is_late_has_a_quarter_left(void **arg)
{
    (void)arg;
    struct stage s = stage_open("split");
    struct gm_lease *l = lease_of(s.sim, "split");
    gm_time whole = (gm_time)l->work * 1000000;
    teach(s.sim, l, 1000000);
    l->frames_total = 0;
    s.sim->core->now = l->assigned_at + whole / 3;
    assert_int_equal(gm_core_lease_left(s.sim->core, l), whole - whole / 3);
    s.sim->core->now = l->assigned_at + whole * 5;
    assert_int_equal(gm_core_lease_left(s.sim->core, l), whole / 4);
    sim_destroy(s.sim);
}

/* Two slots encode: half of what is left by one, and no less than the longest lease. */
static void a_job_has_left_its_work_among_its_slots(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    struct gm_cjob *job = s.sim->core->jobs;
    while (!gm_core_split_is_done(job)) {
        sim_step(s.sim);
    }
    struct gm_lease *l = lease_of(s.sim, "video");
    uint64_t leases = 0;
    gm_time longest = 0;
    teach(s.sim, l, 500 * GM_MS);
    for (struct gm_lease *i = s.sim->core->leases; i; i = i->hh.next) {
        bool encodes = i->inst->task == job->encode;
        gm_time left = encodes ? gm_core_lease_left(s.sim->core, i) : 0;
        leases += encodes ? 1 : 0;
        longest = left > longest ? left : longest;
    }
    uint64_t left = job->frames_known - gm_core_job_frames_done(job);
    gm_time want = (gm_time)(left * 500) * GM_MS / (gm_time)leases;
    assert_true(leases > 0 && left > 0);
    assert_int_equal(left_of(s.sim, "job"), want > longest ? want : longest);
    struct gm_job_view v = view_of(s.sim, "job");
    assert_int_equal(v.end_unix_ms, s.sim->core->unix_ms + v.left / GM_MS);
    gm_view_job_fini(&v);
    sim_destroy(s.sim);
}

/* On a farm that has a past: told once the plan is made, and near what it takes. */
static void the_second_job_is_told_when_it_ends(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 2);
    (void)sim_submit(sim, "first", 40, 1, 50);
    sim_until(sim, sim_all_final, 900);
    assert_int_equal(left_of(sim, "first"), 0);
    (void)sim_submit(sim, "second", 40, 1, 50);
    assert_int_equal(left_of(sim, "second"), 0);
    gm_time said = 0, at = 0;
    while (!sim_all_final(sim)) {
        gm_time left = left_of(sim, "second");
        if (said == 0 && left > 0 && encode_runs(sim)) {
            said = left;
            at = sim->now;
        }
        sim_step(sim);
    }
    gm_time took = sim->now - at;
    assert_true(said > 0);
    if (said < took / 3 || said > took * 3) {
        fail_msg("%lld ms were told, it took %lld", (long long)(said / GM_MS),
                 (long long)(took / GM_MS));
    }
    sim_destroy(sim);
}

/* Being urgent changes what goes before a job, and not whether it is. */
static void a_job_stays_urgent_while_others_are_before_it(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 2);
    struct gm_cjob *job = NULL;
    (void)sim_submit(sim, "first", 40, 1, 50);
    sim_until(sim, sim_all_final, 900);
    (void)sim_submit(sim, "second", 40, 1, 50);
    for (int i = 0; i < 600 && left_of(sim, "second") == 0; i++) {
        sim_step(sim);
    }
    struct gm_core *core = sim->core;
    HASH_FIND_STR(core->jobs, "second", job);
    assert_non_null(job);
    struct gm_backlog *others = &core->backlog[GM_CLASS_NORMAL][GM_COUNT_CPU];
    gm_time alone = gm_core_job_left(core, job);
    assert_true(alone > 0);
    others->ms += 360000000;
    others->jobs += 1000;
    assert_true(gm_core_job_left(core, job) > 4 * alone);
    job->deadline_unix_ms = core->unix_ms + 4 * alone / GM_MS;
    for (int i = 0; i < 3; i++) {
        gm_core_job_hurry(core, job);
        assert_true(job->urgent);
        assert_int_equal(job->turn.class_, GM_CLASS_HIGH);
        assert_true((job->told & GM_NEWS_LATE) == 0); /* for so it is in time */
    }
    sim_destroy(sim);
}

static void explain_is(struct sim *sim, const char *id, const char *task, const char *words)
{
    struct gm_explain_view v;
    struct gm_err err;
    bool found = false;
    assert_int_equal(gm_view_explain(sim->core, id, sim->now, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        if (strcmp(v.rows[i].task, task) == 0) {
            found = true;
            if (!strstr(v.rows[i].why, words)) {
                fail_msg("%s: \"%s\" lacks \"%s\"", task, v.rows[i].why, words);
            }
        }
    }
    assert_true(found);
    gm_view_explain_fini(&v);
}

static void explain_says_when(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 8, .nodes = 1, .slots = 1};
    struct stage s = {.sim = sim_create(&params)};
    (void)sim_submit(s.sim, "job", 12, 0, 50);
    assert_true(stage_find(&s, "split"));
    struct gm_lease *l = lease_of(s.sim, "split");
    gm_history_fini(&s.sim->core->history);
    explain_is(s.sim, "job", "split", "its attempt 1.");
    teach(s.sim, l, GM_SEC / l->work * 9);
    l->assigned_at = s.sim->core->now;
    l->frames_done = 0;
    explain_is(s.sim, "job", "split", "its attempt 1, expected to end in 9 s.");
    s.task->hung = false;
    assert_true(stage_find(&s, "video"));
    (void)sim_submit(s.sim, "other", 12, 1, 50);
    l = lease_of(s.sim, "video");
    gm_history_fini(&s.sim->core->history);
    explain_is(s.sim, "other", "inspect", "all 1 are in use.");
    teach(s.sim, l, GM_SEC / l->work * 7);
    l->frames_done = 0;
    explain_is(s.sim, "other", "inspect",
               "all 1 are in use, the first is expected to be free in 7 s.");
    explain_is(s.sim, "job", "video", "The next run is expected to end in 7 s.");
    l->cancelling = true;
    explain_is(s.sim, "other", "inspect", "all 1 are in use.");
    l->cancelling = false;
    sim_destroy(s.sim);
}

static void memory_that_was_seen_is_asked_for(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    struct gm_core *core = s.sim->core;
    struct gm_lease *l = lease_of(s.sim, "video");
    struct gm_capacity planned = gm_core_demand(l->inst), d = planned;
    Gm__Usage usage = GM__USAGE__INIT;
    gm_history_fini(&core->history);
    (void)gm_core_demand_learned(core, l->inst, "cpu", &d);
    assert_int_equal(d.memory_bytes, planned.memory_bytes);
    usage.rss_own = true;
    core->now = l->assigned_at + GM_SEC;
    l->device->usable.memory_bytes = planned.memory_bytes * 100;
    l->work = 1;
    const uint64_t seen[] = {planned.memory_bytes / 2, planned.memory_bytes + 5,
                             planned.memory_bytes * 50};
    const uint64_t want[] = {planned.memory_bytes, planned.memory_bytes + 5,
                             planned.memory_bytes * 4};
    for (size_t i = 0; i < 3; i++) {
        usage.max_rss_bytes = seen[i];
        gm_core_learn(core, l, &usage);
        d = planned;
        (void)gm_core_demand_learned(core, l->inst, "cpu", &d);
        assert_int_equal(d.memory_bytes, want[i]);
        d = planned;
        (void)gm_core_demand_learned(core, l->inst, "nvenc", &d);
        assert_int_equal(d.memory_bytes, planned.memory_bytes);
    }
    sim_destroy(s.sim);
}

/* A unit of work of the kind took a microsecond. */
static void tell(struct gm_core *core, const char *kind, uint64_t cpu_ns, uint64_t bytes)
{
    struct gm_history_sample sample = {.cost_ns = 1000, .cpu_ns = cpu_ns, .bytes = bytes};
    gm_history_entry_free(gm_history_learn(&core->history, kind, 1, &sample));
}

/* Of what is one file until its end; of a run, whose files are stored one by one, nothing. */
static void scratch_that_was_seen_is_asked_for(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    struct gm_core *core = s.sim->core;
    const uint64_t mib = UINT64_C(1) << 20, work = 12 * 6000;
    for (uint32_t t = 0; t < core->jobs->task_count; t++) {
        struct gm_ctask *task = &core->jobs->tasks[t];
        struct gm_inst inst = {.task = task};
        bool runs = strcmp(task->type->name, "encode") == 0;
        if (!runs && strcmp(task->type->name, "package") != 0) {
            continue;
        }
        const struct gm_capacity planned = gm_core_demand(&inst);
        const uint64_t seen[] = {0, 1, mib * 32 / work, UINT64_MAX};
        const uint64_t least[] = {0, work, mib * 31, planned.scratch_bytes * 3};
        for (size_t i = 0; i < 4; i++) {
            struct gm_capacity d = planned;
            gm_history_fini(&core->history);
            tell(core, runs ? "cpu/*/encode/14/h264.8/" : "cpu/*/package/0", 1, seen[i]);
            (void)gm_core_demand_learned(core, &inst, "cpu", &d);
            assert_in_range(d.scratch_bytes - planned.scratch_bytes, runs ? 0 : least[i],
                            runs ? 0 : least[i] + mib);
        }
    }
    sim_destroy(s.sim);
}

static void threads_are_no_fewer_than_one(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    struct gm_core *core = s.sim->core;
    const struct gm_lease *l = lease_of(s.sim, "video");
    struct gm_capacity d = gm_core_demand(l->inst);
    gm_history_fini(&core->history);
    assert_int_equal(gm_core_demand_learned(core, l->inst, "cpu", &d), 1000);
    tell(core, "cpu/*/encode/14/h264.8/", 10, 0);
    assert_int_equal(gm_core_demand_learned(core, l->inst, "cpu", &d), 1000);
    gm_history_fini(&core->history);
    tell(core, "cpu/*/encode/14/h264.8/", 3500, 0);
    assert_int_equal(gm_core_demand_learned(core, l->inst, "cpu", &d), 3500);
    assert_int_equal(d.cpu_milli, 1000); /* it is given no more */
    sim_destroy(s.sim);
}

/* Of each node the split and the runs on it, as they were given out. */
static void runs_go_where_threads_are_idle_and_wait_for_none(void **arg)
{
    (void)arg;
    for (int known = 0; known < 2; known++) {
        struct sim_params params = {.seed = 1, .nodes = 2, .slots = 4};
        struct sim *sim = sim_create(&params);
        (void)sim_submit(sim, "job", 24, 0, 50);
        for (int i = 0; i < 400; i++) {
            if (known) {
                gm_history_fini(&sim->core->history);
                tell(sim->core, "cpu/*/encode/14/h264.8/", 3000, 0);
            }
            sim_step(sim);
        }
        const char *runs = strstr(sim->order, "job.video@");
        const char *want =
            known ? "job.video@0 job.video@1 job.video@0 " : "job.video@0 job.video@0 job.video@0 ";
        assert_non_null(runs);
        assert_memory_equal(runs, want, strlen(want));
        sim_destroy(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_has_left_the_part_that_is_not_done),
        cmocka_unit_test(without_a_past_what_is_done_tells_the_pace),
        cmocka_unit_test(no_pace_takes_longer_than_the_longest),
        cmocka_unit_test(measured_figures_are_taken_where_there_is_no_past),
        cmocka_unit_test(a_task_that_is_late_has_a_quarter_left),
        cmocka_unit_test(a_job_has_left_its_work_among_its_slots),
        cmocka_unit_test(the_second_job_is_told_when_it_ends),
        cmocka_unit_test(a_job_stays_urgent_while_others_are_before_it),
        cmocka_unit_test(explain_says_when),
        cmocka_unit_test(memory_that_was_seen_is_asked_for),
        cmocka_unit_test(scratch_that_was_seen_is_asked_for),
        cmocka_unit_test(threads_are_no_fewer_than_one),
        cmocka_unit_test(runs_go_where_threads_are_idle_and_wait_for_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
