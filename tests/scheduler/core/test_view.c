/* Views and explain, along the life of a job. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <string.h>

#include "scheduler/core/farm_io.h"
#include "scheduler/core/node.h"

static void explain_is(struct sim *sim, const char *task, const char *words)
{
    struct gm_explain_view v;
    struct gm_err err;
    bool found = false;
    assert_int_equal(gm_view_explain(sim->core, "job", sim->now, &v, &err), 0);
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

static void explain_says_why(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 2, .nodes = 0};
    struct sim *sim = sim_create(&params);
    struct sim_job *job = sim_submit(sim, "job", 6, 1, 50);
    explain_is(sim, "inspect", "no node is connected");
    explain_is(sim, "plan", "until `inspect` is done");
    explain_is(sim, "video", "until `plan` is done");
    job->inspect_fails = GM_E_STORE;
    sim->params.nodes = 1;
    (void)snprintf(sim->nodes[0].id, sizeof(sim->nodes[0].id), "node-0");
    sim_node_start(sim, &sim->nodes[0]);
    sim_run(sim, 3);
    explain_is(sim, "inspect", "is tried again in");
    job->inspect_fails = GM_OK;
    struct sim_node *node;
    while (!sim_find_running(sim, "inspect", &node)) {
        sim_step(sim);
    }
    explain_is(sim, "inspect", "its attempt 3");
    while (!sim_find_running(sim, "split", &node)) {
        sim_step(sim);
    }
    explain_is(sim, "split", "runs on node node-0");
    explain_is(sim, "split", "its attempt 1");
    explain_is(sim, "inspect", "It is done.");
    while (sim_find_running(sim, "split", &node)) {
        explain_is(sim, "hls", "until `video` is done");
        sim_step(sim);
    }
    sim_until(sim, sim_all_final, 300);
    explain_is(sim, "hls", "It is done.");
    struct gm_explain_view v;
    struct gm_err err;
    assert_int_equal(gm_view_explain(sim->core, "nobody", 0, &v, &err), -GM_E_NOTFOUND);
    sim_destroy(sim);
}

/* Two slots, two renditions: while the first chunk is encoded nothing else of its job starts beside
 * it but what had started before; another job may. */
static void the_first_chunk_has_the_last_free_slot(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 5, .nodes = 1, .slots = 2};
    struct sim *sim = sim_create(&params);
    struct sim_node *node;
    (void)sim_submit(sim, "job", 1, 1, 50);
    struct sim_task *first = NULL;
    while (first == NULL) {
        sim_step(sim);
        first = sim_find_running(sim, "video", &node);
    }
    assert_int_equal(first->inputs[0]->item->index, 0);
    first->hung = true;
    while (sim_find_running(sim, "split", &node) != NULL) {
        sim_step(sim);
    }
    sim_run(sim, 5);
    assert_null(sim_find_running(sim, "audio", &node));
    explain_is(sim, "audio", "the job's first chunk has the free slot too");
    (void)sim_submit(sim, "other", 1, 0, 50);
    while (!sim_find_running(sim, "inspect", &node)) {
        sim_step(sim);
        assert_null(sim_find_running(sim, "audio", &node));
    }
    first->hung = false;
    sim_until(sim, sim_all_final, 300);
    sim_destroy(sim);
}

static bool explains(struct sim *sim, const char *task, const char *words)
{
    struct gm_explain_view v;
    struct gm_err err;
    bool said = false;
    assert_int_equal(gm_view_explain(sim->core, "job", sim->now, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        said = said || (strcmp(v.rows[i].task, task) == 0 && strstr(v.rows[i].why, words) != NULL);
    }
    gm_view_explain_fini(&v);
    return said;
}

static void chunks_that_get_no_slot_any_more_say_so(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 5, .nodes = 1};
    struct sim *sim = sim_create(&params);
    struct sim_node *node;
    struct gm_err err;
    (void)sim_submit(sim, "job", 20, 0, 50);
    while (!explains(sim, "video", "0 of 20 chunks are done; ")) {
        assert_false(sim_all_final(sim));
        sim_step(sim);
    }
    assert_false(explains(sim, "video", "No connected node"));
    struct sim_task *run = sim_find_running(sim, "video", &node);
    assert_non_null(run);
    run->hung = true;
    const struct gm_event drain = {.type = GM_EV_DRAIN, .node_id = node->id};
    assert_int_equal(sim_event(sim, &drain, &err), 0);
    assert_true(explains(sim, "video", "No connected node takes new tasks of it."));
    sim_destroy(sim);
}

/* The last chunk that split announced may have to share its run with the next. */
static void a_chunk_that_is_held_waits_for_no_slot(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 5, .nodes = 2, .slots = 8};
    struct sim *sim = sim_create(&params);
    struct sim_job *job = sim_submit(sim, "job", 12, 0, 50);
    job->preroll = 100;
    struct sim_node *node;
    struct sim_task *first = NULL;
    while (first == NULL) {
        sim_step(sim);
        first = sim_find_running(sim, "video", &node);
    }
    first->hung = true; /* the second one comes meanwhile */
    while (!explains(sim, "video", "of 2 chunks")) {
        assert_false(sim_all_final(sim));
        sim_step(sim);
    }
    explain_is(sim, "video",
               "1 run, 0 wait for a slot, 1 for `split` to announce the next, 0 pause");
    first->hung = false;
    sim_until(sim, sim_all_final, 600);
    sim_destroy(sim);
}

static void explain_names_the_barrier(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 2, .nodes = 2};
    struct sim *sim = sim_create(&params);
    (void)sim_submit_kind(sim, "job", SIM_BARRIERS, 8, 1, 1);
    struct sim_node *node;
    bool waited = false, analyzing = false;
    while (!sim_find_running(sim, "video", &node)) {
        struct gm_job_view v;
        struct gm_err err;
        sim_step(sim);
        assert_int_equal(gm_view_job(sim->core, "job", &v, &err), 0);
        if (strcmp(v.phase, "analyze") == 0) {
            analyzing = true;
            assert_true(v.chunks_done + v.chunks_running + v.chunks_waiting > 0);
            assert_int_equal(v.frames_done, 0);
            assert_int_equal(v.tasks[3].state, GM_TASK_BLOCKED);
            explain_is(sim, "video", "until `analyze` is done");
            waited = true;
        }
        gm_view_job_fini(&v);
    }
    assert_true(waited && analyzing);
    explain_is(sim, "analyze", "It is done.");
    sim_until(sim, sim_all_final, 300);
    sim_destroy(sim);
}

static void progress_only_grows_and_ends_exact(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 2, .nodes = 3};
    struct sim *sim = sim_create(&params);
    (void)sim_submit(sim, "job", 12, 1, 50);
    uint64_t frames = 0;
    bool encoding = false, moving = false;
    while (!sim_all_final(sim)) {
        struct gm_job_view v;
        struct gm_err err;
        sim_step(sim);
        assert_int_equal(gm_view_job(sim->core, "job", &v, &err), 0);
        assert_true(v.frames_done >= frames);
        assert_true(v.frames_total == 0 || v.frames_done <= v.frames_total);
        frames = v.frames_done;
        encoding = encoding || strcmp(v.phase, "encode") == 0;
        moving = moving || v.fps > 0;
        assert_true(v.chunks_done + v.chunks_running + v.chunks_waiting <= 12);
        assert_int_equal(v.task_count, 8);
        gm_view_job_fini(&v);
    }
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, "job", &v, &err), 0);
    assert_true(encoding && moving && v.frames_exact);
    assert_int_equal(v.frames_done, 12 * 150);
    assert_int_equal(v.frames_total, 12 * 150);
    assert_int_equal(v.chunks_done, 12);
    assert_string_equal(v.phase, "done");
    assert_string_equal(v.publication, "0123456789abcdef");
    assert_int_equal(v.state, GM_JOB_DONE);
    assert_true(v.finished_unix_ms > v.started_unix_ms && v.started_unix_ms > 0);
    for (size_t t = 0; t < v.task_count; t++) {
        assert_int_equal(v.tasks[t].state, GM_TASK_DONE);
        assert_true(v.tasks[t].total_known && v.tasks[t].done == v.tasks[t].total);
    }
    gm_view_job_fini(&v);
    sim_destroy(sim);
}

static void objects_are_listed_until_they_are_cleaned(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 2, .nodes = 2};
    struct sim *sim = sim_create(&params);
    (void)sim_submit(sim, "job", 3, 1, 50);
    sim->hold_publish = true;
    while (sim_state(sim, "job") != GM_JOB_PUBLISHING) {
        sim_step(sim);
    }
    struct gm_objects_view v;
    struct gm_err err;
    /* work: 6 items, 3 results; out: 3 + 3 items, runs, audio images mp4 hls */
    assert_int_equal(gm_view_objects(sim->core, "job", &v, &err), 0);
    assert_int_equal(v.count, 9 + 11);
    assert_int_equal(v.rows[0].store, GM__OBJECT_STORE__STORE_WORK);
    assert_int_equal(v.rows[9].store, GM__OBJECT_STORE__STORE_OUT);
    gm_view_objects_fini(&v);
    sim->hold_publish = false;
    sim_until(sim, sim_all_final, 60);
    assert_int_equal(gm_view_objects(sim->core, "job", &v, &err), 0);
    assert_int_equal(v.count, 10); /* not that of runs: no item or result names it */
    assert_int_equal(v.rows[0].store, GM__OBJECT_STORE__STORE_OUT);
    gm_view_objects_fini(&v);
    struct gm_job_view job;
    char publication[65];
    assert_int_equal(gm_view_job(sim->core, "job", &job, &err), 0);
    (void)snprintf(publication, sizeof publication, "%s", job.publication);
    gm_view_job_fini(&job);
    assert_false(gm_view_is_publication_shared(sim->core, "job", publication));
    (void)sim_submit(sim, "again", 3, 1, 50);
    sim_until(sim, sim_all_final, 300);
    assert_true(gm_view_is_publication_shared(sim->core, "job", publication));
    assert_false(gm_view_is_publication_shared(sim->core, "job", "other"));
    assert_false(gm_view_is_publication_shared(sim->core, "nobody", publication));
    sim_destroy(sim);
}

/* How many rows; *out_doubled of them are further sizes of the key before them. */
static size_t count_committed(struct sim *sim, const char *job, size_t *out_doubled)
{
    struct gm_objects_view v;
    struct gm_err err;
    assert_int_equal(gm_view_committed(sim->core, job, &v, &err), 0);
    *out_doubled = 0;
    for (size_t i = 0; i < v.count; i++) {
        assert_int_equal(v.rows[i].store, GM__OBJECT_STORE__STORE_OUT);
        int order = i == 0 ? -1 : strcmp(v.rows[i - 1].key, v.rows[i].key);
        assert_true(order <= 0);
        assert_true(order < 0 || v.rows[i - 1].size != v.rows[i].size);
        *out_doubled += order == 0;
    }
    size_t count = v.count;
    gm_view_objects_fini(&v);
    return count;
}

/* `as` has the last output of `job` too, and now with more bytes. */
static void make_longer(struct sim *sim, const char *job, const char *as)
{
    struct gm_objects_view v;
    struct gm_err err;
    struct gm_cjob *other = NULL;
    assert_int_equal(gm_view_committed(sim->core, job, &v, &err), 0);
    HASH_FIND_STR(sim->core->jobs, as, other);
    assert_non_null(other);
    struct gm_granted *g =
        gm_core_granted_find(other, GM__OBJECT_STORE__STORE_OUT, v.rows[v.count - 1].key);
    assert_non_null(g);
    g->object->size += 5;
    gm_view_objects_fini(&v);
}

static void what_is_published_is_what_was_committed(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 2, .nodes = 2};
    struct sim *sim = sim_create(&params);
    struct gm_objects_view v;
    struct gm_err err;
    size_t doubled;
    (void)sim_submit(sim, "job", 3, 1, 50);
    assert_int_equal(gm_view_committed(sim->core, "nobody", &v, &err), -GM_E_NOTFOUND);
    assert_int_equal(count_committed(sim, "job", &doubled), 0);
    sim->hold_publish = true;
    while (sim_state(sim, "job") != GM_JOB_PUBLISHING) {
        sim_step(sim);
    }
    /* out: 3 + 3 items, audio images mp4 hls; not that of runs */
    assert_int_equal(count_committed(sim, "job", &doubled), 10);
    sim_commit(sim);
    sim_restart(sim);
    assert_int_equal(count_committed(sim, "job", &doubled), 10);
    (void)sim_submit(sim, "same", 3, 1, 50);
    while (sim_state(sim, "same") != GM_JOB_PUBLISHING) {
        sim_step(sim);
    }
    assert_int_equal(count_committed(sim, "job", &doubled), 10); /* the same bytes */
    make_longer(sim, "job", "same");
    assert_int_equal(count_committed(sim, "job", &doubled), 11);
    assert_int_equal(doubled, 1);
    assert_int_equal(count_committed(sim, "same", &doubled), 11);
    sim->hold_publish = false;
    sim_run(sim, 10);
    (void)sim_submit(sim, "later", 3, 1, 50);
    sim_until(sim, sim_all_final, 300);
    assert_int_equal(count_committed(sim, "later", &doubled), 10); /* it wrote all of it last */
    sim_destroy(sim);
}

struct items {
    char text[256]; /* "task/index " of each */
    size_t left;    /* then it fails */
};

static int note_item(const struct gm_item_view *view, void *arg, struct gm_err *err)
{
    struct items *items = arg;
    size_t used = strlen(items->text);
    if (items->left == 0) {
        return gm_err_set(err, GM_E_STORE, 0, "enough");
    }
    items->left--;
    (void)snprintf(items->text + used, sizeof(items->text) - used, "%s/%u ", view->task,
                   view->item->index);
    return 0;
}

static void items_are(struct sim *sim, struct gm_items_wish wish, const char *text)
{
    struct items items = {.left = 100};
    struct gm_err err;
    assert_int_equal(gm_view_items(sim->core, "job", wish, note_item, &items, &err), 0);
    assert_string_equal(items.text, text);
}

static void items_come_in_order_until_it_is_enough(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 2, .nodes = 2};
    struct sim *sim = sim_create(&params);
    struct items items = {.left = 2};
    struct gm_err err;
    (void)sim_submit(sim, "job", 3, 1, 50);
    sim_until(sim, sim_all_final, 300);
    items_are(sim, (struct gm_items_wish){.task = "video"}, "video/0 video/1 video/2 ");
    items_are(sim, (struct gm_items_wish){.type = "encode"}, "video/0 video/1 video/2 ");
    items_are(sim, (struct gm_items_wish){.type = "audio"}, "audio/0 audio/1 audio/2 ");
    items_are(sim, (struct gm_items_wish){.task = "video", .type = "audio"}, "");
    items_are(sim, (struct gm_items_wish){0},
              "split/0 split/1 split/2 split/0 split/1 split/2 video/0 video/1 video/2 "
              "audio/0 audio/1 audio/2 ");
    assert_int_equal(gm_view_items(sim->core, "job", (struct gm_items_wish){.type = "encode"},
                                   note_item, &items, &err),
                     -GM_E_STORE);
    assert_string_equal(items.text, "video/0 video/1 ");
    assert_int_equal(
        gm_view_items(sim->core, "nobody", (struct gm_items_wish){0}, note_item, &items, &err),
        -GM_E_NOTFOUND);
    sim_destroy(sim);
}

static void jobs_are_walked_in_both_directions(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 2};
    struct sim *sim = sim_create(&params);
    assert_null(gm_view_next_job(sim->core, NULL, false));
    assert_null(gm_view_next_job(sim->core, NULL, true));
    (void)sim_submit(sim, "c", 1, 0, 50);
    (void)sim_submit(sim, "a", 1, 0, 50);
    (void)sim_submit(sim, "b", 1, 0, 50);
    for (int restarted = 0; restarted < 2; restarted++) {
        assert_string_equal(gm_view_next_job(sim->core, NULL, false), "c");
        assert_string_equal(gm_view_next_job(sim->core, "c", false), "a");
        assert_string_equal(gm_view_next_job(sim->core, "a", false), "b");
        assert_null(gm_view_next_job(sim->core, "b", false));
        assert_string_equal(gm_view_next_job(sim->core, NULL, true), "b");
        assert_string_equal(gm_view_next_job(sim->core, "a", true), "c");
        assert_null(gm_view_next_job(sim->core, "c", true));
        assert_null(gm_view_next_job(sim->core, "x", true));
        sim_restart(sim);
    }
    struct gm_core_totals totals;
    gm_view_totals(sim->core, &totals);
    assert_int_equal(totals.jobs[GM_JOB_QUEUED], 3);
    sim_destroy(sim);
}

static void a_job_says_where_it_reads_and_writes(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 1, .nodes = 0};
    struct sim *sim = sim_create(&params);
    struct gm_job_view v;
    struct gm_err err;
    const char *source = NULL, *destination = NULL;
    (void)sim_submit(sim, "job", 6, 1, 50);
    assert_int_equal(gm_view_job(sim->core, "job", &v, &err), 0);
    assert_int_equal(gm_view_job_urls(sim->core, "job", &source, &destination, &err), 0);
    assert_string_equal(source, v.source_url);
    assert_string_equal(destination, v.destination_url);
    assert_string_not_equal(source, destination);
    gm_view_job_fini(&v);
    assert_int_equal(gm_view_job_urls(sim->core, "none", &source, &destination, &err),
                     -GM_E_NOTFOUND);
    sim_destroy(sim);
}

/* What is left is what leases do not hold, and never of another node. */
static void a_node_is_shown_alone_with_what_is_left(void **arg)
{
    (void)arg;
    struct sim_params params = {.seed = 2, .nodes = 3};
    struct sim *sim = sim_create(&params);
    struct sim_node *node;
    struct gm_nodes_view v;
    struct gm_err err;
    sim_submit(sim, "job", 6, 1, 50);
    while (!sim_find_running(sim, "split", &node)) {
        sim_step(sim);
    }
    assert_int_equal(gm_view_node(sim->core, node->id, &v, &err), 0);
    assert_int_equal(v.count, 1);
    assert_string_equal(v.rows[0].id, node->id);
    assert_int_equal(v.rows[0].protocol, GM_PROTOCOL_SPOKEN);
    assert_true(v.rows[0].lease_count > 0);
    struct gm_capacity held = {.slots = 0};
    for (size_t i = 0; i < v.rows[0].lease_count; i++) {
        for (int k = 0; k < GM_DIMS; k++) {
            held.v[k] += v.rows[0].leases[i].demand.v[k];
        }
    }
    const struct gm_device_view *d = &v.rows[0].devices[0];
    assert_true(held.slots > 0 && held.memory_bytes > 0);
    for (int k = 0; k < GM_DIM_SESSIONS; k++) {
        assert_int_equal(d->left.v[k], d->capacity.v[k] - held.v[k]);
    }
    gm_view_nodes_fini(&v);
    sim_destroy(sim);
}

static void in_a_large_farm_no_name_is_compared(void **arg)
{
    (void)arg;
    struct farm *farm = farm_create(1, 1000, true, false);
    struct gm_nodes_view v;
    struct gm_err err;
    assert_int_equal(gm_view_node(farm->core, "node-33x", &v, &err), -GM_E_NOTFOUND);
    assert_non_null(strstr(err.text, "did you mean `node-33`"));
    farm_hello(farm, 1000, 1);
    assert_int_equal(gm_view_node(farm->core, "node-33x", &v, &err), -GM_E_NOTFOUND);
    assert_string_equal(err.text, "no node is called node-33x");
    farm_destroy(farm);
}

static void who_is_unknown_is_told_who_is_called_alike(void **arg)
{
    (void)arg;
    static const struct {
        unsigned nodes;
        const char *asked, *says;
    } rows[] = {
        {0, "node-1", "no node is called node-1"},
        {1, "node-1", "no node is called node-1, did you mean `node-0`?"},
        {2, "ndoe-1", "no node is called ndoe-1, did you mean `node-1` or `node-0`?"},
        {4, "node-33", "no node is called node-33, did you mean `node-3`, `node-0` or `node-1`?"},
        {4, "zzzzzzzz", "no node is called zzzzzzzz"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim_params params = {.seed = 2, .nodes = rows[i].nodes};
        struct sim *sim = sim_create(&params);
        struct gm_nodes_view v;
        struct gm_err err;
        sim_run(sim, 1);
        assert_int_equal(gm_view_node(sim->core, rows[i].asked, &v, &err), -GM_E_NOTFOUND);
        assert_string_equal(err.text, rows[i].says);
        sim_destroy(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explain_says_why),
        cmocka_unit_test(the_first_chunk_has_the_last_free_slot),
        cmocka_unit_test(chunks_that_get_no_slot_any_more_say_so),
        cmocka_unit_test(a_chunk_that_is_held_waits_for_no_slot),
        cmocka_unit_test(explain_names_the_barrier),
        cmocka_unit_test(progress_only_grows_and_ends_exact),
        cmocka_unit_test(objects_are_listed_until_they_are_cleaned),
        cmocka_unit_test(what_is_published_is_what_was_committed),
        cmocka_unit_test(a_job_says_where_it_reads_and_writes),
        cmocka_unit_test(a_node_is_shown_alone_with_what_is_left),
        cmocka_unit_test(who_is_unknown_is_told_who_is_called_alike),
        cmocka_unit_test(in_a_large_farm_no_name_is_compared),
        cmocka_unit_test(items_come_in_order_until_it_is_enough),
        cmocka_unit_test(jobs_are_walked_in_both_directions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
