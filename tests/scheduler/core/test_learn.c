/* What leases teach, and what is expected of units after that. */
#include <stdio.h>
#include <string.h>

#include "scheduler/core/stage.h"
#include "scheduler/core/story.h"
#include "scheduler/core/times.h"

static const struct gm_history_entry *entry(struct sim *sim, const char *kind)
{
    return gm_history_find(&sim->core->history, kind);
}

static size_t count_rows(const struct sim *sim)
{
    size_t n = 0;
    for (const struct sim_row *r = sim->rows; r; r = r->hh.next) {
        n += r->key.kind == GM_ROW_NODE && strncmp(r->key.name, "history/", 8) == 0;
    }
    return n;
}

static void a_job_teaches_what_its_tasks_take(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 2);
    sim_submit(sim, "job", 12, 1, 50)->sized = true;
    sim_until(sim, sim_all_final, 600);
    static const char *const kinds[] = {"cpu/cpu/inspect/0",         "cpu/cpu/plan/13",
                                        "cpu/cpu/split/13",          "cpu/cpu/thumbnails/13",
                                        "cpu/cpu/encode/14/h264.8/", "cpu/cpu/audio/13",
                                        "cpu/cpu/package/13"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct gm_history_entry *e = entry(sim, kinds[i]);
        if (!e || e->voice_count == 0 || e->voices[0].timed == 0) {
            fail_msg("nothing was learned of %s", kinds[i]);
        }
    }
    assert_non_null(entry(sim, "cpu/*/encode/14/h264.8/"));
    assert_null(entry(sim, "nvenc/*/encode/14/h264.8/"));
    sim_destroy(sim);
}

/* By its own figures on a node that has some, by the chip's on another, by the chain's where there
 * is no device. */
static void what_is_expected_is_what_was_seen(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    struct gm_core *core = s.sim->core;
    struct gm_lease *lease = NULL;
    for (struct gm_lease *l = core->leases; l; l = l->hh.next) {
        lease = l->chunk_count > 0 ? l : lease;
    }
    assert_non_null(lease);
    struct gm_history old = core->history;
    core->history = (struct gm_history){0};
    const struct gm_cnode *node = lease->node, *other = core->nodes;
    other = other == node ? other->hh.next : other;
    uint64_t work = gm_core_work(lease->inst, lease->first_chunk, lease->chunk_count);
    assert_int_equal(lease->work, work);
    assert_int_equal(gm_core_expect(core, node, lease->device, lease->chain, lease->inst, 10), 0);
    Gm__Usage usage = GM__USAGE__INIT;
    core->now = lease->assigned_at + (gm_time)work * 40 * GM_MS;
    gm_core_learn(core, lease, &usage);
    gm_time want = 10 * 40 * GM_MS;
    assert_int_equal(gm_core_expect(core, node, lease->device, lease->chain, lease->inst, 10),
                     want);
    assert_int_equal(gm_core_expect(core, other, &other->devices[0], lease->chain, lease->inst, 10),
                     want);
    assert_int_equal(gm_core_expect(core, NULL, NULL, lease->chain, lease->inst, 10), want);
    assert_int_equal(gm_core_expect(core, NULL, NULL, lease->chain, lease->inst, 0), 0);
    assert_int_equal(gm_core_expect(core, NULL, NULL, lease->chain, lease->inst, UINT64_MAX),
                     GM_CORE_LONGEST);
    gm_history_fini(&core->history);
    core->history = old;
    sim_destroy(s.sim);
}

/* The node can't say more than there was time, threads and memory for. */
static void a_node_that_lies_says_no_more_than_could_be(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    struct gm_core *core = s.sim->core;
    struct gm_lease *lease = core->leases;
    while (lease->chunk_count == 0) {
        lease = lease->hh.next;
    }
    struct gm_history old = core->history;
    core->history = (struct gm_history){0};
    Gm__Usage usage = GM__USAGE__INIT;
    usage.cpu_us = usage.max_rss_bytes = usage.bytes_out = UINT64_MAX;
    usage.rss_own = true;
    core->now = lease->assigned_at + (gm_time)lease->work * 1000;
    gm_core_learn(core, lease, &usage);
    const struct gm_history_entry *e = entry(s.sim, "cpu/*/encode/14/h264.8/");
    assert_non_null(e);
    assert_int_equal(e->voices[0].cost_ns, 1000);
    uint64_t threads = lease->device->usable.cpu_milli / 1000;
    assert_in_range(e->voices[0].cpu_ns, 900 * threads, 1000 * threads);
    assert_int_equal(gm_history_memory(e), lease->device->usable.memory_bytes);
    usage.rss_own = false; /* another task's memory: nothing is known */
    gm_history_fini(&core->history);
    gm_core_learn(core, lease, &usage);
    assert_int_equal(gm_history_memory(entry(s.sim, "cpu/*/encode/14/h264.8/")), 0);
    gm_history_fini(&core->history);
    gm_core_learn(core, lease, NULL);
    lease->work = 0; /* not the whole of it was done */
    gm_core_learn(core, lease, &usage);
    assert_null(core->history.entries);
    core->history = old;
    sim_destroy(s.sim);
}

/* Of a track that waited for its inputs the processor's time counts. */
static void waiting_is_not_learned(void **arg)
{
    (void)arg;
    struct stage s = stage_open("audio");
    struct gm_core *core = s.sim->core;
    struct gm_lease *lease = core->leases;
    while (strcmp(lease->inst->task->name, "audio") != 0) {
        lease = lease->hh.next;
    }
    struct gm_history old = core->history;
    core->history = (struct gm_history){0};
    Gm__Usage usage = GM__USAGE__INIT;
    lease->work = gm_core_work(lease->inst, 0, 0);
    assert_int_equal(lease->work, 12 * 6000); /* ms */
    usage.cpu_us = lease->work * 5;
    core->now = lease->assigned_at + (gm_time)lease->work * 90000;
    lease->waits = true;
    gm_core_learn(core, lease, &usage);
    assert_int_equal(entry(s.sim, "cpu/*/audio/0")->voices[0].cost_ns, 5000);
    gm_history_fini(&core->history);
    lease->waits = false;
    gm_core_learn(core, lease, &usage);
    assert_int_equal(entry(s.sim, "cpu/*/audio/0")->voices[0].cost_ns, 90000);
    gm_history_fini(&core->history);
    core->history = old;
    sim_destroy(s.sim);
}

/* Every half minute, and when the scheduler is told to stop; not each time. */
static void it_is_written_now_and_then_and_read_again(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 2);
    (void)sim_submit(sim, "job", 8, 1, 50);
    sim_until(sim, sim_all_final, 25);
    sim_commit(sim);
    size_t early = count_rows(sim);
    assert_true(early < HASH_COUNT(sim->core->history.entries));
    sim_run(sim, 31);
    sim_commit(sim);
    size_t rows = count_rows(sim);
    assert_int_equal(rows, HASH_COUNT(sim->core->history.entries));
    sim_reload_check(sim);
    sim_restart(sim);
    assert_int_equal(HASH_COUNT(sim->core->history.entries), rows);
    assert_false(sim->core->history.entries->dirty);
    (void)sim_submit(sim, "again", 8, 1, 50);
    sim_run(sim, 3);
    struct gm_event stop = {.type = GM_EV_STOP};
    for (struct gm_history_entry *e = sim->core->history.entries; e; e = e->hh.next) {
        e->dirty = true;
    }
    assert_int_equal(sim_event(sim, &stop, NULL), 0);
    for (struct gm_history_entry *e = sim->core->history.entries; e; e = e->hh.next) {
        assert_false(e->dirty);
    }
    sim_destroy(sim);
}

/* What the table has no room for goes from the disk too. */
static void an_entry_that_goes_takes_its_row_along(void **arg)
{
    (void)arg;
    struct sim *sim = farm(2, 2);
    (void)sim_submit(sim, "job", 8, 1, 50);
    sim_until(sim, sim_all_final, 25);
    sim_run(sim, 31);
    sim_commit(sim);
    struct gm_history *h = &sim->core->history;
    const char *oldest = "history/cpu/cpu/plan/0"; /* but for inspect, which is learned again */
    char key[32];
    for (uint32_t i = 0; HASH_COUNT(h->entries) < GM_HISTORY_ENTRIES; i++) {
        struct gm_history_sample sample = {.cost_ns = 1};
        (void)snprintf(key, sizeof(key), "filler%u", i);
        assert_null(gm_history_learn(h, key, 1, &sample));
    }
    struct gm_key row = {.kind = GM_ROW_NODE, .name = (char *)(uintptr_t)oldest};
    assert_non_null(sim_row_find(sim, &row));
    struct sim_job *job = sim_submit(sim, "other", 8, 1, 50);
    job->renditions = 1; /* other pictures: an entry more */
    job->keyframe_us = 0;
    job->sized = true;
    sim_until(sim, sim_all_final, 25);
    sim_commit(sim);
    assert_null(sim_row_find(sim, &row));
    assert_int_equal(HASH_COUNT(h->entries), GM_HISTORY_ENTRIES);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_teaches_what_its_tasks_take),
        cmocka_unit_test(what_is_expected_is_what_was_seen),
        cmocka_unit_test(a_node_that_lies_says_no_more_than_could_be),
        cmocka_unit_test(waiting_is_not_learned),
        cmocka_unit_test(it_is_written_now_and_then_and_read_again),
        cmocka_unit_test(an_entry_that_goes_takes_its_row_along)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
