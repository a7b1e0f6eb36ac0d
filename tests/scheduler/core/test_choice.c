/* Which of the chains that can be had a job gets. */
#include <stdio.h>

#include "scheduler/core/chains.h"
#include "scheduler/core/history.h"
#include "scheduler/core/state.h"
#include "scheduler/core/task.h"
#include "tests/scheduler/core/chain.h"

static void the_first_is_taken_unless_another_is_clearly_sooner(void **arg)
{
    (void)arg;
    static const struct {
        int64_t ends[3]; /* seconds; 0: not known */
        size_t best;
    } rows[] = {{{100, 50, 0}, 0},   {{105, 50, 0}, 0},   {{106, 50, 0}, 1}, {{31, 1, 0}, 0},
                {{32, 1, 0}, 1},     {{0, 1, 1}, 0},      {{500, 0, 1}, 2},  {{500, 200, 150}, 1},
                {{500, 200, 80}, 2}, {{500, 400, 300}, 2}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_chain_end ends[3];
        for (size_t k = 0; k < 3; k++) {
            ends[k] = (struct gm_chain_end){.end_ms = rows[i].ends[k] * 1000};
        }
        assert_int_equal(gm_core_choice_best(ends, 3), rows[i].best);
    }
    const struct gm_chain_end one = {.end_ms = 5};
    assert_int_equal(gm_core_choice_best(&one, 1), 0);
}

#define PIXELS 28800u /* of a source and its one rendition */
#define FRAMES 150u   /* of a chunk */

/* A chunk of such jobs took so long in a slot. */
static void teach(struct sim *sim, const char *chain, uint64_t seconds)
{
    char key[GM_HISTORY_KEY];
    double units = (double)PIXELS / 65536 * FRAMES;
    const struct gm_history_sample sample = {.cost_ns = (uint64_t)((double)seconds * 1e9 / units)};
    (void)snprintf(key, sizeof key, "%s/*/pixels/h264.8/", chain);
    assert_null(gm_history_learn(&sim->core->history, key, 1, &sample));
}

static struct gm_cjob *find(struct sim *sim, const char *id)
{
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(sim->core->jobs, id, job);
    assert_non_null(job);
    return job;
}

static bool is_planned(struct sim *sim)
{
    return view(sim)->chain[0] != '\0';
}

/* With a slot of the gpu and six of processors. */
static struct sim *scene(const char *device, uint64_t nvenc_s, uint64_t cpu_s)
{
    struct sim_params params = {
        .seed = 1, .nodes = 3, .slots = 2, .gpus = 1, .ladder = 1, .device = device};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    sim_node_offer_gpu(sim, &sim->nodes[0], 1);
    teach(sim, "nvenc", nvenc_s);
    teach(sim, "cpu", cpu_s);
    sim_submit(sim, "job", 1, 0, 50)->sized = true;
    return sim;
}

static bool explains(struct sim *sim, const char *words)
{
    struct gm_explain_view v;
    bool said = false;
    assert_int_equal(gm_view_explain(sim->core, "job", sim->now, &v, NULL), 0);
    for (size_t i = 0; i < v.count; i++) {
        said = said || strstr(v.rows[i].why, words) != NULL;
    }
    gm_view_explain_fini(&v);
    return said;
}

static void what_ends_sooner_is_chosen_told_and_kept(void **arg)
{
    (void)arg;
    static const struct {
        const char *device; /* the only one that the pipeline lists */
        uint64_t nvenc_s, cpu_s;
        const char *chain, *reason, *explains;
    } rows[] = {
        {NULL, 100, 60, "nvenc", "", "by nvenc after 100 s, by cpu after 60 s: `nvenc` was taken."},
        {NULL, 200, 60, "cpu",
         "nvenc: the job was expected to end after 200 s, by `cpu` after 60 s",
         "It is done. It was expected to end by nvenc after 200 s, by cpu after 60 s: `cpu` was "
         "taken."},
        {"nvenc", 2000, 6, "nvenc", "", "It is done."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim *sim = scene(rows[i].device, rows[i].nvenc_s, rows[i].cpu_s);
        sim_until(sim, is_planned, 60);
        assert_int_equal(find(sim, "job")->source_pixels + find(sim, "job")->rung_pixels, PIXELS);
        assert_string_equal(view(sim)->chain, rows[i].chain);
        sim_commit(sim);
        sim_restart(sim);
        assert_string_equal(view(sim)->chain, rows[i].chain);
        assert_string_equal(view(sim)->chain_reason, rows[i].reason);
        assert_int_equal(view(sim)->chain_end_count, rows[i].device ? 0 : 2);
        assert_true(explains(sim, rows[i].explains));
        sim_until(sim, sim_all_final, 300);
        assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
        sim_destroy(sim);
    }
}

/* Each job that is planned for the gpu's one slot is before those that come, until processors have
 * them sooner; those of a lower class are not. */
static void what_waits_there_counts(void **arg)
{
    (void)arg;
    static const struct {
        int32_t priority;
        const char *chain;
    } rows[] = {{50, "cpu"}, {80, "nvenc"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim *sim = scene(NULL, 100, 100);
        sim_until(sim, is_planned, 60);
        assert_string_equal(view(sim)->chain, "nvenc");
        sim_submit(sim, "other", 1, 0, rows[i].priority)->sized = true;
        for (int step = 0; step < 600 && find(sim, "other")->choice.chain[0] == '\0'; step++) {
            assert_true(sim_state(sim, "job") == GM_JOB_RUNNING);
            sim_step(sim);
        }
        assert_string_equal(find(sim, "other")->choice.chain, rows[i].chain);
        sim_until(sim, sim_all_final, 300);
        sim_destroy(sim);
    }
}

/* What is chosen goes, before anything was planned: another one is taken. */
static void a_choice_lasts_as_long_as_its_chain(void **arg)
{
    (void)arg;
    struct sim *sim = scene(NULL, 100, 100);
    struct gm_cjob *job = find(sim, "job");
    while (job->choice.chain[0] == '\0') {
        sim_step(sim);
    }
    assert_string_equal(job->choice.chain, "nvenc");
    assert_string_equal(view(sim)->chain, "");
    sim_node_offer_gpu(sim, &sim->nodes[0], 0);
    sim_until(sim, sim_all_final, 300);
    assert_string_equal(view(sim)->chain, "cpu");
    assert_int_equal(view(sim)->chain_end_count, 0);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_taken_unless_another_is_clearly_sooner),
        cmocka_unit_test(what_ends_sooner_is_chosen_told_and_kept),
        cmocka_unit_test(what_waits_there_counts),
        cmocka_unit_test(a_choice_lasts_as_long_as_its_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
