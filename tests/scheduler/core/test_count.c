/* What is counted along the life of jobs. That what is counted of now is what there is, each step
 * of each test of the core checks (gm_core_count_check). */
#include "scheduler/core/count.h"

#include "scheduler/core/counts.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/stage.h"
#include "scheduler/core/story.h"

enum { INSPECT = 0, ENCODE = 6 }; /* places in gm_core_task_type_list */

static uint64_t all_of(const struct gm_histogram *h)
{
    uint64_t n = 0;
    for (size_t i = 0; i <= GM_HISTOGRAM_MOST; i++) {
        n += h->counts[i];
    }
    return n;
}

static uint64_t of_nvidia(const struct gm_core_counts *c)
{
    return c->frames[GM_COUNT_NVIDIA] + c->pixels[GM_COUNT_DRM];
}

static void jobs_and_attempts_are_counted_as_they_end(void **arg)
{
    struct sim *sim = farm(2, 2);
    const struct gm_core_counts *c = gm_view_counts(sim->core);
    struct gm_core_totals totals;
    (void)arg;
    (void)sim_submit(sim, "a", 12, 1, 50);
    sim_until(sim, encode_runs, 60);
    assert_true(c->leases[ENCODE] > 0);
    sim_run(sim, 600);
    gm_view_totals(sim->core, &totals);
    assert_int_equal(c->accepted, 1);
    assert_int_equal(totals.jobs[GM_JOB_DONE], 1);
    assert_int_equal(c->ended[GM_OK], 1);
    assert_int_equal(all_of(&c->waited), 1);
    assert_int_equal(all_of(&c->lasted), 1);
    assert_int_equal(c->attempts[INSPECT][GM_OK], 1);
    assert_int_equal(c->attempts[ENCODE][GM_OK],
                     count_attempts(sim, "a", "video", GM_ATTEMPT_DONE, GM_OK));
    assert_int_equal(all_of(&c->took[ENCODE]), c->attempts[ENCODE][GM_OK]);
    struct gm_cjob *job = sim->core->jobs;
    assert_int_equal(c->frames[GM_COUNT_CPU], job->frames_committed);
    assert_int_equal(c->pixels[GM_COUNT_CPU], job->frames_committed * job->picture_pixels);
    assert_int_equal(of_nvidia(c), 0);
    assert_int_equal(c->leases[ENCODE] + c->ready[ENCODE], 0);
    assert_int_equal(gm_view_oldest(sim->core), 0);
    sim_destroy(sim);
}

static void a_failure_is_counted_by_its_code(void **arg)
{
    struct stage s = stage_open("video");
    const struct gm_core_counts *c = gm_view_counts(s.sim->core);
    struct gm_lease *lease = s.sim->core->leases;
    struct gm_lease_failure f = {.chunk = -1, .outcome = GM_ATTEMPT_FAILED};
    (void)arg;
    while (lease->inst->task->job->encode != lease->inst->task) {
        lease = lease->hh.next;
    }
    const uint64_t running = c->leases[ENCODE], ready = c->ready[ENCODE];
    struct gm_effects fx = {0};
    s.sim->core->fx = &fx;
    (void)gm_err_set(&f.error, GM_E_WORKER_DIED, 9, "killed");
    f.keep = true; /* it holds its slot until the node lets go, and is counted now, once */
    gm_core_lease_fail(s.sim->core, lease, &f);
    assert_int_equal(c->attempts[ENCODE][GM_E_WORKER_DIED], 1);
    assert_int_equal(c->leases[ENCODE], running);
    assert_true(c->ready[ENCODE] > ready);
    gm_core_lease_end(s.sim->core, lease, GM_ATTEMPT_CANCELLED, NULL);
    assert_int_equal(c->leases[ENCODE], running - 1);
    assert_int_equal(c->attempts[ENCODE][GM_E_WORKER_DIED], 1);
    assert_int_equal(c->attempts[ENCODE][GM_E_CANCELLED], 0);
    gm_effects_fini(&fx);
    s.sim->core->fx = NULL;
    sim_destroy(s.sim);
}

/* What is not known of the first job is known of the second. */
static void demand_is_what_is_left_of_what_was_learned(void **arg)
{
    struct sim *sim = farm(1, 1);
    const struct gm_demand_sums *sums = &gm_view_counts(sim->core)->demand.sums;
    (void)arg;
    (void)sim_submit(sim, "a", 12, 1, 50);
    sim_run(sim, 1);
    assert_int_equal(sums->unknown, 1);
    sim_run(sim, 600);
    assert_int_equal(sums->unknown, 0);
    assert_true(sums->seconds[GM_COUNT_CPU] == 0);
    for (int i = 0; i < 40; i++) { /* more than a tick looks at */
        char id[8];
        (void)snprintf(id, sizeof id, "b%d", i);
        (void)sim_submit(sim, id, 12, 1, 50);
    }
    sim_run(sim, 5);
    assert_in_range(sums->unknown, 30, 40);
    sim_until(sim, encode_runs, 600);
    sim_run(sim, 3);
    assert_true(sums->seconds[GM_COUNT_CPU] > 0);
    sim_destroy(sim);
}

static void what_nodes_count_is_added_up(void **arg)
{
    struct sim *sim = farm(1, 1);
    const struct gm_core_counts *c = gm_view_counts(sim->core);
    struct gm_cnode *node = sim->core->nodes;
    struct gm_count_nodes nodes;
    Gm__NodeCounters m = GM__NODE_COUNTERS__INIT;
    (void)arg;
    node->told.heard = false;
    m.cache_hits = 5;
    m.written_bytes = 100;
    m.cache_bytes = 77;
    gm_core_count_node(sim->core, node, &m); /* of before this scheduler heard of it */
    assert_int_equal(c->cache_hits, 0);
    m.cache_hits = 8;
    m.written_bytes = 300;
    gm_core_count_node(sim->core, node, &m);
    assert_int_equal(c->cache_hits, 3);
    assert_int_equal(c->written_bytes, 200);
    gm_view_node_counts(sim->core, &nodes);
    assert_int_equal(nodes.cache_bytes, 77);
    assert_int_equal(nodes.states[GM_COUNT_CONNECTED], 1);
    m.cache_hits = 2; /* it lies, or counts anew */
    m.written_bytes = UINT64_MAX;
    gm_core_count_node(sim->core, node, &m);
    assert_int_equal(c->cache_hits, 3);
    assert_int_equal(c->written_bytes, 200 + (UINT64_C(1) << 50));
    sim_destroy(sim);
}

static void on_device(const struct gm_count_device *d, void *arg)
{
    uint64_t *slots = arg;
    assert_int_equal(d->kind, GM_COUNT_CPU);
    assert_string_equal(d->state, "usable");
    *slots += d->capacity.slots - d->used.slots;
}

static void devices_are_told_one_by_one(void **arg)
{
    struct sim *sim = farm(3, 2);
    uint64_t slots = 0;
    (void)arg;
    gm_view_each_device(sim->core, on_device, &slots);
    assert_int_equal(slots, 6);
    assert_int_equal(gm_count_kind_of("nvidia"), GM_COUNT_NVIDIA);
    assert_int_equal(gm_count_kind_of("tpu"), GM_COUNT_OTHER);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_and_attempts_are_counted_as_they_end),
        cmocka_unit_test(a_failure_is_counted_by_its_code),
        cmocka_unit_test(demand_is_what_is_left_of_what_was_learned),
        cmocka_unit_test(what_nodes_count_is_added_up),
        cmocka_unit_test(devices_are_told_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
