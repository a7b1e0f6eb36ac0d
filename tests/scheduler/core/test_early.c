/* Jobs whose playlists grow: what the core says of them, and what may be written for them. */
#include "tests/scheduler/core/story.h"

#include "scheduler/core/view_early.h"

static struct sim *early_farm(uint32_t nodes)
{
    struct sim_params params = {.seed = 1, .nodes = nodes, .slots = 2, .early = true};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    return sim;
}

static int count_item(const Gm__Item *item, void *arg, struct gm_err *err)
{
    size_t *next = arg;
    (void)err;
    assert_int_equal(item->index, *next);
    (*next)++;
    return 0;
}

static bool is_open(struct sim *sim)
{
    struct gm_early_view view = {0};
    return gm_view_early(sim->core, "job", &view) && view.open;
}

static int ask_for(struct sim *sim, const char *job, const char *key)
{
    struct gm_early_view view = {.publication = ""};
    struct gm_err err;
    (void)gm_view_early(sim->core, job, &view);
    char publication[65];
    (void)snprintf(publication, sizeof publication, "%s", view.publication);
    const char *keys[] = {key};
    struct gm_event event = {.type = GM_EV_EARLY,
                             .job_id = job,
                             .publication = publication,
                             .keys = keys,
                             .key_count = 1};
    int rc = sim_event(sim, &event, &err);
    sim_commit(sim);
    return rc;
}

static int ask(struct sim *sim, const char *key)
{
    return ask_for(sim, "job", key);
}

static void items_come_in_order_until_package_begins(void **arg)
{
    struct gm_early_feed feed = {0};
    struct gm_err err;
    size_t next = 0, seen = 0;
    bool opened = false;
    (void)arg;
    struct sim *sim = early_farm(1);
    (void)sim_submit(sim, "job", 5, 1, 50);
    assert_false(is_open(sim));
    for (int i = 0; i < 600 && !sim_all_final(sim); i++) {
        sim_run(sim, 1);
        if (!is_open(sim)) {
            continue;
        }
        opened = true;
        size_t from = next;
        assert_int_equal(gm_view_early_items(sim->core, "job", "encode", 0, from, 1, count_item,
                                             &next, &feed, &err),
                         0);
        assert_int_equal(next, feed.committed > from ? from + 1 : from);
        assert_int_equal(gm_view_early_items(sim->core, "job", "encode", 0, next, 100, count_item,
                                             &next, &feed, &err),
                         0);
        assert_int_equal(feed.committed, next);
        assert_false(feed.done && next < 5);
        seen = next;
        assert_int_equal(gm_view_early_items(sim->core, "job", "encode", 0, next + 1, 100,
                                             count_item, &next, &feed, &err),
                         -GM_E_CONFLICT);
    }
    assert_true(opened && seen > 0);
    assert_false(is_open(sim));
    assert_int_equal(
        gm_view_early_items(sim->core, "job", "encode", 0, 0, 100, count_item, &next, &feed, &err),
        -GM_E_NOTFOUND);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    assert_null(gm_view_next_early_end(sim->core, NULL));
    sim_destroy(sim);
}

static void run_until_open(struct sim *sim)
{
    for (int i = 0; i < 60 && !is_open(sim); i++) {
        sim_run(sim, 1);
    }
    assert_true(is_open(sim));
}

/* The same asked for twice: who began writes its playlists, until it ends. */
static void one_of_equal_jobs_writes(void **arg)
{
    struct gm_early_view view, other = {0};
    char key[128], init[128];
    (void)arg;
    struct sim *sim = early_farm(1);
    (void)sim_submit(sim, "job", 50, 1, 50);
    (void)sim_submit(sim, "too", 50, 1, 50);
    run_until_open(sim);
    for (int i = 0; i < 60 && !other.open; i++) {
        sim_run(sim, 1);
        assert_true(gm_view_early(sim->core, "too", &other));
    }
    assert_true(gm_view_early(sim->core, "job", &view));
    assert_true(view.open && other.open);
    assert_string_equal(view.publication, other.publication);
    (void)snprintf(key, sizeof key, "v/%s/video/a/media.m3u8", view.publication);
    (void)snprintf(init, sizeof init, "v/%s/video/a/init-1.mp4", view.publication);
    assert_int_equal(ask(sim, init), 0);
    assert_int_equal(ask_for(sim, "too", init), 0); /* it is the same in both */
    assert_int_equal(ask_for(sim, "too", key), 0);
    assert_int_equal(ask(sim, key), -GM_E_CONFLICT);
    assert_int_equal(ask_for(sim, "too", key), 0);
    assert_int_equal(sim_cancel(sim, "too"), 0);
    for (int i = 0; i < 60 && !gm_job_state_is_final(sim_state(sim, "too")); i++) {
        sim_run(sim, 1);
    }
    assert_int_equal(ask(sim, key), 0);
    sim_destroy(sim);
}

/* Whether the job owns it, so that clean-up finds it. */
static bool owns(struct sim *sim, const char *key)
{
    struct gm_objects_view objects;
    struct gm_err err;
    bool found = false;
    assert_int_equal(gm_view_objects(sim->core, "job", &objects, &err), 0);
    for (size_t i = 0; i < objects.count; i++) {
        found = found || strcmp(objects.rows[i].key, key) == 0;
    }
    gm_view_objects_fini(&objects);
    return found;
}

static void what_is_written_is_the_jobs_to_delete(void **arg)
{
    struct gm_early_view view;
    char key[128];
    (void)arg;
    struct sim *sim = early_farm(1);
    (void)sim_submit(sim, "job", 5, 1, 50);
    assert_int_equal(ask(sim, "v/x/video/a/media.m3u8"), -GM_E_CONFLICT);
    run_until_open(sim);
    assert_true(gm_view_early(sim->core, "job", &view));
    (void)snprintf(key, sizeof key, "v/%s/video/a/media.m3u8", view.publication);
    assert_int_equal(ask(sim, "v/x/video/a/media.m3u8"), -GM_E_INVAL);
    assert_false(owns(sim, key));
    assert_int_equal(ask(sim, key), 0);
    assert_int_equal(ask(sim, key), 0);
    assert_true(owns(sim, key));
    assert_int_equal(sim_cancel(sim, "job"), 0);
    assert_int_equal(ask(sim, key), -GM_E_CONFLICT);
    sim_until(sim, sim_all_final, 60);
    sim_run(sim, 5);
    assert_false(owns(sim, key));
    assert_string_equal(gm_view_next_early_end(sim->core, NULL), "job");
    assert_null(gm_view_next_early_end(sim->core, "job"));
    sim_destroy(sim);
}

static void others_have_nothing_to_play_before_the_end(void **arg)
{
    (void)arg;
    struct sim *sim = farm(1, 2);
    (void)sim_submit(sim, "job", 3, 1, 50);
    while (!sim_all_final(sim)) {
        sim_run(sim, 1);
        assert_false(is_open(sim));
    }
    sim_destroy(sim);
}

static struct sim_task *wait_for_task(struct sim *sim, const char *name)
{
    struct sim_node *node;
    struct sim_task *task = NULL;
    for (int i = 0; i < 600 && (task = sim_find_running(sim, name, &node)) == NULL; i++) {
        sim_step(sim);
    }
    assert_non_null(task);
    return task;
}

/* Three slots: one gets free while split and what is encoded have the others. Without playlists
 * that grow the track waits for two that are free at once. */
static void sound_begins_though_one_slot_gets_free_at_a_time(void **arg)
{
    (void)arg;
    for (int early = 0; early < 2; early++) {
        struct sim_params params = {
            .seed = 1, .nodes = 1, .slots = 3, .early = early == 1, .stall_ms = 100000000};
        struct sim *sim = sim_create(&params);
        const struct gm_cjob *job = NULL;
        (void)sim_submit(sim, "hog", 5, 1, 50);
        wait_for_task(sim, "inspect")->hung = true;
        (void)sim_submit(sim, "job", 40, 1, 50);
        (void)wait_for_task(sim, "video");
        HASH_FIND_STR(sim->core->jobs, "job", job);
        /* Beside the first chunk's run the last slot is kept for that. */
        while ((job && job->leading > 0) || !encode_runs(sim)) {
            assert_false(audio_runs(sim));
            sim_step(sim);
        }
        wait_for_task(sim, "split")->hung = wait_for_task(sim, "video")->hung = true;
        assert_int_equal(sim_cancel(sim, "hog"), 0);
        sim_run(sim, 3);
        assert_int_equal(audio_runs(sim), early == 1);
        sim_destroy(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_order_until_package_begins),
        cmocka_unit_test(sound_begins_though_one_slot_gets_free_at_a_time),
        cmocka_unit_test(one_of_equal_jobs_writes),
        cmocka_unit_test(what_is_written_is_the_jobs_to_delete),
        cmocka_unit_test(others_have_nothing_to_play_before_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
