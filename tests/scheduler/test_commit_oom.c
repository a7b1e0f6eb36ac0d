/* A step that memory does not suffice for: nothing of it is stored, and nothing after it. */
#include "tests/scheduler/helper.h"

#include "scheduler/commit.h"
#include "scheduler/store/state.h"
#include "tests/common/fail_alloc.h"

static void ignore(struct gm_commit_entry *entry, int rc, const struct gm_err *err, void *arg)
{
    (void)entry;
    (void)err;
    *(int *)arg += rc < 0 ? 1 : 0;
}

static struct gm_row make_row(enum gm_row_kind kind, uint64_t job, bool lazy)
{
    struct gm_row row = {
        .key = {.kind = kind, .job = job}, .data = (uint8_t *)strdup("x"), .size = 1, .lazy = lazy};
    assert_non_null(row.data);
    return row;
}

static struct gm_commit_entry make_step(uint64_t job)
{
    struct gm_commit_entry e = {.effects = {.row_count = 3}};
    e.effects.rows = calloc(3, sizeof *e.effects.rows);
    assert_non_null(e.effects.rows);
    e.effects.rows[0] = make_row(GM_ROW_JOB, job, false);
    e.effects.rows[1] = make_row(GM_ROW_ATTEMPT, job, true);
    e.effects.rows[2] = make_row(GM_ROW_TASK, job, false);
    return e;
}

static int count_row(const struct gm_key *key, const void *data, size_t size, void *arg,
                     struct gm_err *err)
{
    size_t *rows = arg;
    (void)data;
    (void)size;
    (void)err;
    rows[key->job]++;
    return 0;
}

/* One step, then one that an allocation fails of, then one more. */
static bool lose_step(const char *folder, long at)
{
    uv_loop_t loop;
    struct gm_state *s = NULL;
    struct gm_commit *c = NULL;
    struct gm_err err = {0};
    int failures = 0;
    size_t rows[4] = {0};
    assert_int_equal(uv_loop_init(&loop), 0);
    ASSERT_OK(gm_state_open(folder, &s, &err));
    ASSERT_OK(gm_commit_start(&loop, s, ignore, &failures, &c, &err));
    struct gm_commit_entry steps[] = {make_step(1), make_step(2), make_step(3)};
    ASSERT_OK(gm_commit_add(c, &steps[0], 1, &err));
    fail_alloc_arm(at);
    int rc = gm_commit_add(c, &steps[1], 1, &err);
    bool fired = fail_alloc_fired();
    assert_int_equal(gm_commit_add(c, &steps[2], 1, &err) < 0, rc < 0);
    while (!gm_commit_is_idle(c)) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    ASSERT_OK(gm_state_load(s, count_row, rows, &err));
    assert_int_equal(failures, 0); /* the first was under way, the calls told of the others */
    assert_int_equal(rows[1], 2);
    assert_int_equal(rows[2], rc < 0 ? 0 : 2);
    assert_int_equal(rows[3], rc < 0 ? 0 : 2);
    gm_commit_stop(&c);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    gm_state_close(&s);
    return fired;
}

static void half_a_step_is_not_stored(void **state)
{
    long at = 1;
    char folder[600];
    bool fired;
    do {
        (void)snprintf(folder, sizeof folder, "%s/%ld", (const char *)*state, at);
        fired = lose_step(folder, at);
    } while (fired && at++ < 50);
    assert_true(at > 3 && at < 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(half_a_step_is_not_stored, make_folder, remove_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
