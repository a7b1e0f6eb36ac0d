/* The random walk: farms that lose messages, tasks, nodes and schedulers, until every job ended. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <string.h>

#define EVENTS_WANTED 300000

static uint32_t distinct_nodes(const struct gm_attempts_view *v, int64_t chunk)
{
    const char *seen[SIM_NODES];
    uint32_t n = 0;
    for (size_t i = 0; i < v->count; i++) {
        const struct gm_attempt_view *a = &v->rows[i];
        bool of_chunk =
            a->chunks > 0 && chunk >= a->first_chunk && chunk < a->first_chunk + a->chunks;
        bool known = a->outcome != GM_ATTEMPT_FAILED || !of_chunk;
        for (uint32_t k = 0; k < n && !known; k++) {
            known = strcmp(seen[k], a->node_id) == 0;
        }
        if (!known) {
            seen[n++] = a->node_id;
        }
    }
    return n;
}

/* A job may fail only when one chunk failed on three nodes, or one task often enough. */
static void check_rightly_failed(struct sim *sim, const struct sim_job *job)
{
    struct gm_attempts_view v;
    struct gm_err err;
    struct gm_err why = sim_error(sim, job->id);
    bool right = false;
    assert_int_equal(gm_view_attempts(sim->core, job->id, &v, &err), 0);
    for (uint32_t c = 0; c < job->chunks && why.code == GM_E_MEDIA_POISON; c++) {
        right = right || distinct_nodes(&v, c) >= 3;
    }
    for (size_t i = 0; i < v.count && why.code != GM_E_MEDIA_POISON; i++) {
        uint32_t failures = 0;
        for (size_t k = 0; k < v.count; k++) {
            bool same = strcmp(v.rows[i].task, v.rows[k].task) == 0 &&
                        v.rows[i].instance == v.rows[k].instance;
            failures += same && v.rows[k].error_code != GM_OK ? 1 : 0;
        }
        right = right || failures >= 8;
    }
    gm_view_attempts_fini(&v);
    if (!right) {
        fail_msg("seed %u: job %s failed without cause: %s", sim->params.seed, job->id, why.text);
    }
}

static uint64_t walk(uint32_t seed, uint32_t *out_done, uint32_t *out_failed)
{
    struct sim_params params = {.seed = seed,
                                .nodes = 1 + seed % 6,
                                .slots = 1 + seed % 3,
                                .loss = seed % 2 ? 300 : 20,
                                .twice = 200,
                                .task_fails = seed % 7 == 6 ? 3000
                                              : seed % 3    ? 40
                                                            : 5,
                                .task_hangs = 3,
                                .node_dies = 15,
                                .node_parted = 10,
                                .restart = 15,
                                .publish_fails = 2000};
    /* Some farms have devices that come and go with their nodes, and fail as all does. */
    params.gpus = seed % 4 == 3 ? params.nodes / 2 + 1 : 0;
    /* Of some all nodes are measured, of some a few, of most none. */
    for (uint32_t n = 0; seed % 5 >= 3 && n < params.nodes; n++) {
        params.rates[n] = seed % 5 == 3 || n % 2 ? 1000000 + n * 90000 : 0;
    }
    params.sessions = seed % 8 == 7 ? 3 : 0;
    params.ladder = seed % 16 == 15 ? 4 : 0;
    struct sim *sim = sim_create(&params);
    for (uint32_t j = 0; j < 6; j++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "job-%u", j);
        uint32_t chunks = 1 + sim_random(sim, 40), tracks = sim_random(sim, 4);
        enum sim_kind kind = (enum sim_kind)(seed % 2 == 0 ? 0 : sim_random(sim, 3));
        struct sim_job *job =
            kind == SIM_PLAIN ? sim_submit(sim, id, chunks, tracks, (int32_t)sim_random(sim, 101))
                              : sim_submit_kind(sim, id, kind, chunks, tracks, sim_random(sim, 3));
        job->preroll = sim_random(sim, 100);
        uint32_t renditions = 1 + sim_random(sim, 4);
        job->renditions = params.ladder > 0 ? params.ladder : params.sessions > 0 ? renditions : 0;
        job->keyframe_us = sim_random(sim, 3) * 4000000;
        job->mp4s = kind != SIM_SOUND ? sim_random(sim, 3) : 0;
        sim_run(sim, sim_random(sim, 30));
        if (sim_random(sim, 10) == 0) {
            (void)sim_cancel(sim, id);
        }
    }
    sim_run(sim, 60);
    /* calm down: what was broken is repaired, and everything must end */
    sim->params.loss = sim->params.task_fails = sim->params.task_hangs = 0;
    sim->params.node_dies = sim->params.node_parted = sim->params.restart = 0;
    sim->params.publish_fails = 0;
    sim_until(sim, sim_all_final, 3600);
    for (uint32_t j = 0; j < sim->job_count; j++) {
        const struct sim_job *job = &sim->jobs[j];
        enum gm_job_state state = sim_state(sim, job->id);
        assert_true(job->cleaned > 0);
        if (state == GM_JOB_DONE) {
            sim_check_done(sim, job);
            ++*out_done;
        } else if (state == GM_JOB_CANCELLED) {
            assert_true(job->cancelled);
        } else {
            check_rightly_failed(sim, job);
            ++*out_failed;
        }
    }
    uint64_t events = sim->events;
    sim_destroy(sim);
    return events;
}

static void every_job_ends_whatever_breaks(void **state)
{
    (void)state;
    uint64_t events = 0;
    uint32_t done = 0, failed = 0, seeds = 0;
    for (; events < EVENTS_WANTED || seeds < 24; seeds++) {
        events += walk(seeds, &done, &failed);
    }
    print_message("%u seeds, %llu events: %u jobs done, %u failed\n", seeds,
                  (unsigned long long)events, done, failed);
    assert_true(done > 2 * failed && failed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_job_ends_whatever_breaks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
