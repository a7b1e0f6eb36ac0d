/* The random walk: farms that lose messages, tasks, nodes and schedulers, until every job ended. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 200
#define SOON_MS 150 /* an object is stored */
#define MOST_ATTEMPTS                                                                              \
    1000 /* of a job: 40 chunks on three tracks of farms that break all the time */

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

/* A job may fail only when one chunk failed on three nodes, or one task often enough, or alike; or
 * when its outputs were gone. */
static bool is_rightly_failed(struct sim *sim, const struct sim_job *job, const struct gm_err *why)
{
    struct gm_attempts_view v;
    struct gm_err err;
    bool unpublished = sim->params.publish_code != GM_OK && why->code == sim->params.publish_code;
    bool right = (why->code == GM_E_PROTO && job->lied) || unpublished;
    assert_int_equal(gm_view_attempts(sim->core, job->id, &v, &err), 0);
    for (uint32_t c = 0; c < job->chunks && why->code == GM_E_MEDIA_POISON; c++) {
        right = right || distinct_nodes(&v, c) >= 3;
    }
    for (size_t i = 0; i < v.count && why->code != GM_E_MEDIA_POISON; i++) {
        uint32_t failures = 0, alike = 0;
        for (size_t k = 0; k < v.count; k++) {
            bool same = strcmp(v.rows[i].task, v.rows[k].task) == 0 &&
                        v.rows[i].instance == v.rows[k].instance;
            failures += same && v.rows[k].error_code != GM_OK ? 1 : 0;
            alike += same && v.rows[k].error_code == why->code ? 1 : 0;
        }
        right = right || failures >= 8 || alike >= 3;
    }
    gm_view_attempts_fini(&v);
    return right;
}

/* A run that hangs behind its last chunk holds up nobody, and is found by the watchdog. */
static bool has_no_lease(struct sim *sim)
{
    struct gm_core_totals totals;
    gm_view_totals(sim->core, &totals);
    return totals.leases == 0;
}

/* Nobody waits for anything, and nothing is kept that grows. */
static void check_rest(struct sim *sim)
{
    struct gm_core_totals totals;
    sim_until(sim, has_no_lease, 600);
    sim_run(sim, 30); /* what is under way arrives */
    size_t rows = HASH_COUNT(sim->rows);
    uint64_t assigns = sim->sent_assigns;
    sim_run(sim, 5);
    gm_view_totals(sim->core, &totals);
    assert_int_equal(totals.leases, 0);
    assert_int_equal(totals.slots_used, 0);
    assert_int_equal(HASH_COUNT(sim->rows), rows);
    assert_int_equal(sim->sent_assigns, assigns);
    for (uint32_t n = 0; n < sim->params.nodes; n++) {
        assert_int_equal(sim->nodes[n].outbox_count, 0);
    }
    for (const struct sim_row *r = sim->rows; r; r = r->hh.next) {
        const struct sim_job *job = sim_find_seq(sim, r->key.job);
        assert_true(r->key.kind == GM_ROW_NODE || (job && !job->pruned));
    }
    sim_commit(sim);
    sim_objects_check(sim);
    sim_reload_check(sim);
}

struct tally {
    uint64_t events, acked, published, reloads, late, copies, adopted, digest;
    uint32_t done, failed, cancelled, pruned;
};

/* The core knows nothing of it any more. */
static void check_pruned(const struct sim_job *job, struct tally *tally)
{
    bool early = job->cancelled_as == GM_JOB_QUEUED || job->cancelled_as == GM_JOB_RUNNING;
    assert_true(job->cleaned > 0);
    assert_true(job->pruned_as != GM_JOB_DONE || job->published > 0);
    assert_true(!job->cancelled || !early || job->pruned_as == GM_JOB_CANCELLED);
    assert_true(job->cancelled || job->pruned_as != GM_JOB_CANCELLED);
    tally->pruned++;
}

static void check_job(struct sim *sim, const struct sim_job *job, struct tally *tally)
{
    if (job->pruned) {
        check_pruned(job, tally);
        return;
    }
    struct gm_err why = sim_error(sim, job->id);
    enum gm_job_state state = sim_state(sim, job->id);
    struct gm_attempts_view v;
    struct gm_err err;
    assert_true(job->cleaned > 0);
    if (state == GM_JOB_DONE) {
        sim_check_done(sim, job);
        tally->done++;
    } else if (state == GM_JOB_CANCELLED) {
        assert_true(job->cancelled);
        tally->cancelled++;
    } else if (is_rightly_failed(sim, job, &why)) {
        tally->failed++;
    } else {
        fail_msg("seed %u: job %s failed without cause: %s", sim->params.seed, job->id, why.text);
    }
    bool early = job->cancelled_as == GM_JOB_QUEUED || job->cancelled_as == GM_JOB_RUNNING;
    if (job->cancelled && early) {
        assert_int_equal(state, GM_JOB_CANCELLED);
    }
    assert_int_equal(gm_view_attempts(sim->core, job->id, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        assert_int_not_equal(v.rows[i].outcome, GM_ATTEMPT_RUNNING);
    }
    if (v.count > MOST_ATTEMPTS) {
        fail_msg("seed %u: job %s took %zu attempts", sim->params.seed, job->id, v.count);
    }
    gm_view_attempts_fini(&v);
}

/* What may break, by the seed: half of the farms have a network and a disk that take time. */
static struct sim_params params_of(uint32_t seed)
{
    struct sim_params p = {.seed = seed,
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
                           .late_starts = seed % 3 > 0,
                           .keep_finished = seed % 4 == 1 || seed % 8 == 2,
                           .put_ms = seed % 4 == 3 ? 2000 : SOON_MS,
                           .put_fails = 30,
                           .publish_fails = seed % 6 == 1 ? 6000 : 2000,
                           .publish_code = seed % 6 == 1 ? GM_E_STORE_CORRUPT : GM_OK,
                           .restart_busy = seed % 2 ? 200 : 0,
                           .manifests = seed % 3 > 0,
                           .store_ms = seed % 5 ? 300 : 3000,
                           .reload = 20};
    /* Some are never done with publishing: the scheduler dies, an output seems to be gone. */
    if (seed % 16 == 5) {
        p.restart_busy = 600;
        p.store_ms = 1000;
        p.manifests = true;
        p.publish_fails = 6000;
        p.publish_code = GM_E_STORE_CORRUPT;
    }
    /* Tenants share, and one of them may have little. */
    static const struct gm_tenant_params tenants[] = {
        {.name = "few", .weight = 1, .max_running = 1}, {.name = "*", .weight = 3}};
    p.tenants = tenants;
    p.tenant_count = seed % 4 == 1 ? 2 : 0;
    p.preempt_ms = seed % 2 ? 1000 : 0;
    /* Some farms have devices that come and go with their nodes, and fail as all does. */
    p.gpus = seed % 4 == 3 ? p.nodes / 2 + 1 : 0;
    /* Of some all nodes are measured, of some a few, of most none. */
    for (uint32_t n = 0; seed % 5 >= 3 && n < p.nodes; n++) {
        p.rates[n] = seed % 5 == 3 || n % 2 ? 1000000 + n * 90000 : 0;
    }
    p.sessions = seed % 8 == 7 ? 3 : 0;
    /* Some farms are of two or three builds, some of these are updated, of some one is broken. */
    p.builds = seed % 6 == 4 ? 2 + seed / 6 % 2 : 0;
    p.turns = p.builds > 0 && seed / 12 % 2 ? 30 : 0;
    p.bad_build = seed % 30 == 10 ? 1 : 0;
    /* Of some the gpus have memory for two runs at once, for one, or for less than one. */
    p.device_memory = seed % 12 == 3 ? 300 : seed % 12 == 7 ? 200 : seed % 24 == 11 ? 100 : 0;
    /* Of some farms a node swallows what it encodes, or fails at some of it, of some before Prove.
     */
    p.bad_node = seed % 4 != 1 ? 0 : 1 + seed / 4 % p.nodes;
    p.bad_chance = seed % 8 == 1 ? 2000 : 0;
    p.bad_code = seed % 3 ? GM_E_MEDIA_VERIFY : GM_OK;
    p.old_nodes = seed % 5 == 0;
    p.seldom = seed % 7 < 3;
    p.shares = seed % 3 != 1;
    p.remote = seed % 5 < 2;
    p.ladder = seed % 16 == 15 ? 4 : 0;
    if (seed % 4 >= 2) {
        p.delay_ms = seed % 3 ? 80 : 1500;
        p.late = seed % 5 ? 300 : 0;
        p.twice_down = 200;
        p.commit_ms = seed % 7 ? 150 : 6000;
        p.commit_fails = 20;
        p.down_s = seed % 9 ? 3 : 40;
        p.node_paused = p.scheduler_paused = 10;
        p.drift_ppm = seed % 6 ? 200 : 20000;
        p.wall_jumps = 10;
        p.node_gone = 10;
        p.drains = 10;
        p.clean_fails = seed % 8 == 2 ? 2000 : 0;
        p.task_lies = seed % 5 == 2 ? 40 : 0;
    }
    return p;
}

static void submit_one(struct sim *sim, uint32_t number)
{
    char id[32];
    (void)snprintf(id, sizeof(id), "job-%u", number);
    uint32_t chunks = 1 + sim_random(sim, number == 0 ? 32 : 12), tracks = sim_random(sim, 4);
    enum sim_kind kind = (enum sim_kind)(sim->params.seed % 2 == 0 ? 0 : sim_random(sim, 3));
    static const char *const tenants[] = {NULL, "few", "other"};
    sim->tenant = tenants[(sim->params.seed + number) % 3];
    sim->deadline = (sim->params.seed + number) % 5 == 2 ? 60 * GM_SEC : 0;
    sim_until(sim, sim_is_up, 600);
    struct sim_job *job = kind == SIM_PLAIN
                              ? sim_submit(sim, id, chunks, tracks, (int32_t)sim_random(sim, 101))
                              : sim_submit_kind(sim, id, kind, chunks, tracks, sim_random(sim, 3));
    job->lifelike = true;
    job->strays = sim->params.seed % 3 == 0;
    job->apart = job->strays && sim->params.seed % 9 != 6; /* others may have one with another */
    job->run_ends = sim->params.seed % 5 == 1;
    job->preroll = sim_random(sim, 100);
    uint32_t renditions = 1 + sim_random(sim, 4);
    job->renditions = sim->params.ladder > 0     ? sim->params.ladder
                      : sim->params.sessions > 0 ? renditions
                                                 : 0;
    job->keyframe_us = sim_random(sim, 3) * 4000000;
    job->mp4s = kind != SIM_SOUND ? sim_random(sim, 3) : 0;
    const struct sim_job *twin = number > 0 ? &sim->jobs[number - 1] : NULL;
    if (twin && twin->kind == kind && !job->apart && !job->run_ends &&
        sim_random(sim, 2) == 0) { /* the same asked for twice */
        job->chunks = twin->chunks;
        job->tracks = twin->tracks;
        job->texts = twin->texts;
        job->mp4s = twin->mp4s;
        job->renditions = twin->renditions;
        job->twin = true;
    }
    sim_run(sim, sim_random(sim, 30));
    if (sim_random(sim, 10) == 0) {
        sim_until(sim, sim_is_up, 600);
        if (sim_knows(sim, id)) {
            (void)sim_cancel(sim, id);
        }
    }
}

static bool is_publishing(struct sim *sim, uint32_t job)
{
    return sim_is_up(sim) && sim_knows(sim, sim->jobs[job].id) &&
           sim_state(sim, sim->jobs[job].id) == GM_JOB_PUBLISHING;
}

/* Both of two that make the same write to one place. */
static bool write_beside(struct sim *sim, uint32_t job)
{
    struct gm_job_view v;
    struct gm_err err;
    bool beside = true;
    for (uint32_t j = job; j < job + 2; j++) {
        if (!sim_is_up(sim) || gm_view_job(sim->core, sim->jobs[j].id, &v, &err) < 0) {
            return false;
        }
        beside = beside && v.publication[0] != '\0' && v.state == GM_JOB_RUNNING;
        gm_view_job_fini(&v);
    }
    return beside;
}

enum giving_up { ANY_TIME, PUBLISHING, RESTARTED, WAYS, BESIDE };

static bool is_time(struct sim *sim, enum giving_up way, uint32_t job, uint64_t term)
{
    switch (way) {
    case PUBLISHING:
        return is_publishing(sim, job);
    case RESTARTED:
        return sim->term > term;
    case BESIDE:
        return write_beside(sim, job);
    default:
        return true;
    }
}

/* What breaks goes on, in two of three farms until jobs have ended. Somebody may give up one of
 * them, any time, just while it is published or after a restart, and the next one after it. */
static void storm(struct sim *sim)
{
    uint32_t steps = sim->params.seed % 3 == 0 ? 200 : 900;
    uint32_t job = sim_random(sim, 2 * sim->job_count), at = sim_random(sim, steps);
    bool slow = sim->params.put_ms > SOON_MS; /* much is under way when the scheduler dies */
    enum giving_up way = slow ? RESTARTED : (enum giving_up)sim_random(sim, WAYS);
    job = slow ? 0 : job;
    for (uint32_t j = 1; j < sim->job_count; j++) {
        if (sim->jobs[j].twin) {
            job = j - 1;
            way = BESIDE;
        }
    }
    at = way == ANY_TIME ? at : 0;
    uint64_t term = sim->term;
    for (uint32_t i = 0; i < steps && !sim_all_final(sim); i++) {
        sim_step(sim);
        if (job < sim->job_count && i >= at && is_time(sim, way, job, term)) {
            sim_until(sim, sim_is_up, 600);
            if (sim_knows(sim, sim->jobs[job].id)) {
                (void)sim_cancel(sim, sim->jobs[job].id);
            }
            at = i + sim_random(sim, 100);
            way = way == BESIDE ? ANY_TIME : way;
            term = sim->term;
            job++;
        }
    }
}

static bool goes_on(struct sim *sim)
{
    return sim_is_up(sim) && sim->killed_at == 0;
}

static uint32_t walked;
static bool walking;

static void walk(uint32_t seed, bool trace, struct tally *tally)
{
    struct sim_params params = params_of(seed);
    walked = seed;
    walking = true;
    struct sim *sim = sim_create(&params);
    sim->trace = trace;
    uint32_t jobs = seed % 8 == 0 ? 5 : 2;
    for (uint32_t j = 0; j < jobs; j++) {
        submit_one(sim, j);
    }
    storm(sim);
    sim_until(sim, goes_on, 600);
    sim_calm(sim); /* and everything must end */
    sim_until(sim, sim_all_final, 3 * 3600);
    check_rest(sim);
    for (uint32_t j = 0; j < sim->job_count; j++) {
        check_job(sim, &sim->jobs[j], tally);
    }
    tally->events += sim->events;
    tally->acked += sim->acked;
    tally->published += sim->published;
    tally->reloads += sim->reloads;
    tally->late += sim->late;
    tally->copies += sim->copies;
    tally->adopted += sim->adopted;
    tally->digest = sim->digest;
    sim_destroy(sim);
    walking = false;
}

static int name_seed(void **state)
{
    (void)state;
    if (walking) {
        print_message("seed %u broke: tests/sim/run %u\n", walked, walked);
    }
    walking = false;
    return 0;
}

static uint32_t first_seed, seed_count = SEEDS;
static bool traced;

static void every_job_ends_whatever_breaks(void **state)
{
    (void)state;
    struct tally t = {0};
    for (uint32_t i = 0; i < seed_count; i++) {
        walk(first_seed + i, traced, &t);
    }
    print_message(
        "%u seeds, %llu events: %u jobs done, %u failed, %u cancelled, %u forgotten; %llu "
        "acknowledgements, %llu publications, %llu reloads held; %llu leases taken over; %llu "
        "objects came too late; %llu runs copied; digest %016llx\n",
        seed_count, (unsigned long long)t.events, t.done, t.failed, t.cancelled, t.pruned,
        (unsigned long long)t.acked, (unsigned long long)t.published, (unsigned long long)t.reloads,
        (unsigned long long)t.adopted, (unsigned long long)t.late, (unsigned long long)t.copies,
        (unsigned long long)t.digest);
    assert_true(seed_count < SEEDS ||
                (t.done > 2 * t.failed && t.failed > 0 && t.cancelled > 0 && t.acked > 10000 &&
                 t.published >= t.done && t.reloads > 100 && t.pruned > 20 && t.copies > 20 &&
                 t.adopted > 100));
}

static void a_seed_is_one_story(void **state)
{
    (void)state;
    for (uint32_t seed = first_seed + 22; seed < first_seed + 30; seed++) {
        struct tally a = {0}, b = {0};
        walk(seed, false, &a);
        walk(seed, false, &b);
        assert_true(a.digest == b.digest && a.events == b.events && a.events > 0);
    }
}

/* test_walk [--trace] [FIRST [COUNT]] */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_job_ends_whatever_breaks, name_seed),
        cmocka_unit_test_teardown(a_seed_is_one_story, name_seed)};
    traced = argc > 1 && strcmp(argv[1], "--trace") == 0;
    int at = traced ? 2 : 1;
    if (argc > at) {
        first_seed = (uint32_t)strtoul(argv[at], NULL, 10);
        seed_count = argc > at + 1 ? (uint32_t)strtoul(argv[at + 1], NULL, 10) : 1;
        return cmocka_run_group_tests_name("seeds", tests, NULL, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
