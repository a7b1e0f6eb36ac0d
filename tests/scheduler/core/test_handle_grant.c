/* Write grants: what may be written where, and what becomes of what was. */
#include <stdio.h>

#include "tests/scheduler/core/stage.h"

static void a_granted_object_with_another_hash_is_refused(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    uint64_t epoch = s.task->assign->epoch;
    const Gm__GrantAnswer *a =
        say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/a.m4s", 10, 1, epoch);
    assert_null(a->error);
    assert_string_equal(a->grants[0]->key, "v/0123456789abcdef/video/a.m4s");
    /* not committed: another attempt may make another body */
    assert_null(say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/a.m4s", 11, 2, epoch)->error);
    uint8_t hash[32];
    Gm__Item item = GM__ITEM__INIT;
    Gm__Object object = GM__OBJECT__INIT;
    Gm__Object *objects[] = {&object};
    memset(hash, 2, sizeof(hash));
    object.store = GM__OBJECT_STORE__STORE_OUT;
    object.key = (char *)"v/0123456789abcdef/video/a.m4s";
    object.size = 11;
    object.sha256.data = hash;
    object.sha256.len = sizeof(hash);
    item.index = s.task->inputs[0]->item->index;
    item.objects = objects;
    item.n_objects = 1;
    assert_true(is_ack(say_produced(&s, &item, epoch), false));
    a = say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/a.m4s", 10, 1, epoch);
    assert_int_equal(a->error->code, GM_E_GRANT_REFUSED);
    assert_null(say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/a.m4s", 11, 2, epoch)->error);
    sim_destroy(s.sim);
}

/* Rows of attempts in the last step that are no lazy ones. */
static size_t count_attempt_rows(const struct sim *sim, uint64_t number)
{
    const struct gm_effects *fx = &sim->pending[sim->pending_count - 1];
    size_t n = 0;
    for (size_t i = 0; i < fx->row_count; i++) {
        const struct gm_row *row = &fx->rows[i];
        n += row->key.kind == GM_ROW_ATTEMPT && row->key.number == number && !row->lazy ? 1 : 0;
    }
    return n;
}

/* Or a scheduler that starts anew would not know that somebody may still write. */
static void the_first_grant_stores_who_has_it(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    uint64_t epoch = s.task->assign->epoch, number = s.task->assign->task_id & UINT32_MAX;
    uint64_t stale = epoch + 1;
    (void)say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/a.m4s", 10, 1, stale);
    assert_int_equal(count_attempt_rows(s.sim, number), 0);
    (void)say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/a.m4s", 10, 1, epoch);
    assert_int_equal(count_attempt_rows(s.sim, number), 1);
    (void)say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/b.m4s", 10, 1, epoch);
    assert_int_equal(count_attempt_rows(s.sim, number), 0);
    sim_destroy(s.sim);
}

/* Whether the view has the job's output of that name, and says that it is loose. */
static bool has_output(struct sim *sim, const char *job, const char *name, bool *loose)
{
    struct gm_objects_view v;
    struct gm_err err;
    bool found = false;
    assert_int_equal(gm_view_objects(sim->core, job, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        const char *at = strstr(v.rows[i].key, name);
        if (v.rows[i].store == GM__OBJECT_STORE__STORE_OUT && at && at[strlen(name)] == '\0') {
            found = true;
            *loose = v.rows[i].loose;
        }
    }
    gm_view_objects_fini(&v);
    return found;
}

static size_t count_outputs(struct sim *sim, const char *job, bool loose)
{
    struct gm_objects_view v;
    struct gm_err err;
    size_t n = 0;
    assert_int_equal(gm_view_objects(sim->core, job, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        n += v.rows[i].store == GM__OBJECT_STORE__STORE_OUT && v.rows[i].loose == loose;
    }
    gm_view_objects_fini(&v);
    return n;
}

static void publish_is_over(struct sim *sim, const char *job)
{
    struct gm_event event = {.type = GM_EV_PUBLISHED, .job_id = job};
    assert_int_equal(sim_event(sim, &event, NULL), 0);
}

static bool is_publishing(struct sim *sim)
{
    return sim_state(sim, "job") == GM_JOB_PUBLISHING;
}

static bool both_are_done(struct sim *sim)
{
    return sim_state(sim, "job") == GM_JOB_DONE && sim_state(sim, "same") == GM_JOB_DONE;
}

/* Granted and perhaps written, and then the attempt fails: the next one makes other names. Nor
 * does anything name what the Done of a run had: its items are its result. */
static void what_no_item_names_is_loose_and_forgotten_with_the_clean_up(void **arg)
{
    (void)arg;
    for (int restarted = 0; restarted < 2; restarted++) {
        struct stage s = stage_open("video");
        bool loose = false;
        assert_null(say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/lost.m4s", 9, 1,
                              s.task->assign->epoch)
                        ->error);
        s.sim->hold_publish = true;
        sim_task_fail(s.sim, s.node, s.task, GM_E_WORKER_DIED, 0, -1);
        sim_until(s.sim, is_publishing, 600);
        if (restarted) {
            sim_commit(s.sim);
            sim_restart(s.sim);
        }
        assert_true(has_output(s.sim, "job", "video/lost.m4s", &loose) && loose);
        assert_true(has_output(s.sim, "job", "video/0/0-0-done", &loose) && loose);
        assert_int_equal(count_outputs(s.sim, "job", true), 2);
        size_t committed = count_outputs(s.sim, "job", false);
        assert_true(committed > 12);
        publish_is_over(s.sim, "job");
        s.sim->hold_publish = false;
        sim_run(s.sim, 5);
        assert_int_equal(sim_state(s.sim, "job"), GM_JOB_DONE);
        assert_int_equal(count_outputs(s.sim, "job", true), 0);
        assert_false(has_output(s.sim, "job", "video/lost.m4s", &loose));
        assert_int_equal(count_outputs(s.sim, "job", false), committed);
        sim_destroy(s.sim);
    }
}

/* Two jobs make the same. What one of them lost is left where the other has it. */
static void an_output_is_shared_with_who_may_need_it(void **arg)
{
    static const char key[] = "v/0123456789abcdef/video/lost.m4s";
    (void)arg;
    struct stage s = stage_open("video");
    struct sim *sim = s.sim;
    assert_null(
        say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/lost.m4s", 9, 1, s.task->assign->epoch)
            ->error);
    assert_false(gm_view_is_output_shared(sim->core, "job", key));
    (void)sim_submit(sim, "same", 12, 1, 50);
    assert_false(gm_view_is_output_shared(sim->core, "job", key)); /* it has not got it yet */
    assert_true(gm_view_is_output_shared(sim->core, "same", key)); /* the other works */
    sim_task_fail(sim, s.node, s.task, GM_E_WORKER_DIED, 0, -1);
    sim->params.clean_fails = 10000; /* and so stays in its list */
    sim_until(sim, both_are_done, 900);
    bool loose = false;
    assert_true(has_output(sim, "job", "video/lost.m4s", &loose) && loose);
    assert_false(gm_view_is_output_shared(sim->core, "same", key)); /* done: nobody needs it */
    struct gm_objects_view v;
    struct gm_err err;
    assert_int_equal(gm_view_objects(sim->core, "job", &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) { /* both committed the rest */
        if (v.rows[i].store == GM__OBJECT_STORE__STORE_OUT && !v.rows[i].loose) {
            assert_true(gm_view_is_output_shared(sim->core, "job", v.rows[i].key));
        }
    }
    gm_view_objects_fini(&v);
    sim_destroy(sim);
}

static void grants_follow_the_rules(void **arg)
{
    static const struct {
        const char *task;
        Gm__ObjectStore store;
        const char *name;
        uint64_t size;
        enum gm_code code;
    } table[] = {
        {"split", GM__OBJECT_STORE__STORE_WORK, "chunks/0", 1, GM_OK},
        {"split", GM__OBJECT_STORE__STORE_OUT, "chunks/0", 1, GM_E_GRANT_REFUSED},
        {"split", GM__OBJECT_STORE__STORE_SOURCE, "chunks/0", 1, GM_E_GRANT_REFUSED},
        {"video", GM__OBJECT_STORE__STORE_OUT, "video/x", UINT64_C(5) << 40, GM_OK},
        {"video", GM__OBJECT_STORE__STORE_OUT, "video/x", (UINT64_C(5) << 40) + 1,
         GM_E_GRANT_REFUSED},
        {"video", GM__OBJECT_STORE__STORE_OUT, "../x", 1, GM_E_GRANT_REFUSED},
        {"video", GM__OBJECT_STORE__STORE_OUT, "/x", 1, GM_E_GRANT_REFUSED},
        {"video", GM__OBJECT_STORE__STORE_OUT, "", 1, GM_E_GRANT_REFUSED},
        {"video", GM__OBJECT_STORE__STORE_WORK, "tiles/x", 0, GM_OK},
        {"video", GM__OBJECT_STORE__STORE_OUT, "audio/x", 0, GM_E_GRANT_REFUSED},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct stage s = stage_open(table[i].task);
        const Gm__GrantAnswer *a =
            say_grant(&s, table[i].store, table[i].name, table[i].size, 1, s.task->assign->epoch);
        if ((a->error ? (enum gm_code)a->error->code : GM_OK) != table[i].code) {
            fail_msg("row %zu: %s", i, a->error ? a->error->text : "granted");
        }
        sim_destroy(s.sim);
    }
}

/* Rows of a node that asks on and commits nothing are bounded, in one request and over many. */
static void no_more_is_granted_than_a_task_has_in_hand(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    char name[32];
    size_t granted = 0;
    for (size_t i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "video/%zu", i);
        const Gm__GrantAnswer *a =
            say_grant(&s, GM__OBJECT_STORE__STORE_OUT, name, 1, 1, s.task->assign->epoch);
        assert_true(!a->error || a->error->code == GM_E_GRANT_REFUSED);
        granted += a->error ? 0 : 1;
    }
    assert_int_equal(granted, 32 * (2 + 2));
    /* what it has it may ask for again */
    assert_null(
        say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/0", 1, 1, s.task->assign->epoch)->error);
    sim_destroy(s.sim);
}

/* A run whose chunks are all committed has nothing more to write, though its Done is to come. */
static void nothing_is_granted_once_the_job_has_all(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    uint64_t epoch = s.task->assign->epoch;
    s.sim->hold_publish = true;
    for (size_t i = 0; i < s.task->input_count; i++) {
        Gm__Item item = GM__ITEM__INIT;
        item.index = s.task->inputs[i]->item->index;
        assert_true(is_ack(say_produced(&s, &item, epoch), false));
    }
    assert_null(say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/x", 1, 1, epoch)->error);
    sim_until(s.sim, is_publishing, 100);
    assert_int_equal(
        say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/y", 1, 1, epoch)->error->code,
        GM_E_STALE);
    sim_destroy(s.sim);
}

static bool both_have_plans(struct sim *sim)
{
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, "same", &v, &err), 0);
    bool planned = v.publication[0] != '\0';
    gm_view_job_fini(&v);
    return planned;
}

static bool first_is_cleaned(struct sim *sim)
{
    return sim->jobs[0].cleaned > 0;
}

/* What stays because another job works below the same publication is left to that one. */
static void a_shared_output_has_an_heir(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    struct sim *sim = s.sim;
    bool loose = false;
    assert_null(
        say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/lost.m4s", 9, 1, s.task->assign->epoch)
            ->error);
    (void)sim_submit(sim, "same", 12, 1, 50);
    sim_until(sim, both_have_plans, 100);
    assert_false(has_output(sim, "same", "video/lost.m4s", &loose));
    assert_int_equal(sim_cancel(sim, "job"), 0);
    sim_until(sim, first_is_cleaned, 100);
    assert_false(has_output(sim, "job", "video/lost.m4s", &loose));
    assert_true(has_output(sim, "same", "video/lost.m4s", &loose) && loose);
    sim_commit(sim);
    sim_restart(sim);
    assert_true(has_output(sim, "same", "video/lost.m4s", &loose) && loose);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_granted_object_with_another_hash_is_refused),
        cmocka_unit_test(the_first_grant_stores_who_has_it),
        cmocka_unit_test(no_more_is_granted_than_a_task_has_in_hand),
        cmocka_unit_test(grants_follow_the_rules),
        cmocka_unit_test(what_no_item_names_is_loose_and_forgotten_with_the_clean_up),
        cmocka_unit_test(an_output_is_shared_with_who_may_need_it),
        cmocka_unit_test(nothing_is_granted_once_the_job_has_all),
        cmocka_unit_test(a_shared_output_has_an_heir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
