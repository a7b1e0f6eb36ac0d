#include "tests/scheduler/helper.h"

#include <limits.h>
#include <sqlite3.h>

#include "scheduler/commit.h"
#include "scheduler/overload.h"

#define STEPS 200

static int without_room; /* so many commits find none */

int __real_gm_state_commit(struct gm_state *state, const struct gm_state_batch *batch,
                           struct gm_err *err);
int __wrap_gm_state_commit(struct gm_state *state, const struct gm_state_batch *batch,
                           struct gm_err *err);

int __wrap_gm_state_commit(struct gm_state *state, const struct gm_state_batch *batch,
                           struct gm_err *err)
{
    if (without_room > 0) {
        without_room--;
        return gm_err_set(err, GM_E_STATE_FULL, 0, "full");
    }
    return __real_gm_state_commit(state, batch, err);
}

struct heard {
    uv_loop_t loop;
    struct gm_commit *commit;
    int released;
    int answered;
    int failures;
    int64_t last_seq;
    int last_step;
};

static void on_answer(int rc, const struct gm_err *err, void *arg)
{
    struct heard *h = arg;
    h->answered++;
    if (rc < 0) {
        h->failures++;
        assert_non_null(err);
    }
}

static void on_entry(struct gm_commit_entry *entry, int rc, const struct gm_err *err, void *arg)
{
    struct heard *h = arg;
    h->released++;
    if (rc == 0 && entry->effects.event_count > 0) {
        int step = atoi(entry->effects.events[0].json);
        assert_int_equal(step, h->last_step + 1); /* in order */
        h->last_step = step;
        assert_true(entry->first_seq == h->last_seq + 1);
        h->last_seq = entry->first_seq;
    }
    if (entry->answer != NULL) {
        entry->answer(rc, err, entry->answer_arg);
    }
}

static struct gm_commit_entry make_entry(struct heard *h, int step)
{
    char text[32];
    struct gm_commit_entry e = {.answer = on_answer, .answer_arg = h};
    (void)snprintf(text, sizeof text, "%d", step);
    e.effects.rows = calloc(1, sizeof *e.effects.rows);
    e.effects.events = gm_pool_take(&e.effects.pool, sizeof *e.effects.events);
    assert_true(e.effects.rows != NULL && e.effects.events != NULL);
    e.effects.rows[0] = (struct gm_row){.key = {.kind = GM_ROW_JOB, .job = 1},
                                        .data = (uint8_t *)strdup(text),
                                        .size = strlen(text)};
    e.effects.row_count = 1;
    e.effects.events[0] = (struct gm_job_event){.job_id = gm_pool_text(&e.effects.pool, "j"),
                                                .type = "task",
                                                .json = gm_pool_text(&e.effects.pool, text),
                                                .durable = true};
    e.effects.event_count = 1;
    return e;
}

static int check_last(const struct gm_key *key, const void *data, size_t size, void *arg,
                      struct gm_err *err)
{
    (void)key;
    (void)arg;
    (void)err;
    assert_int_equal(size, 3);
    assert_memory_equal(data, "200", 3);
    return 0;
}

static void finish(struct heard *h, struct gm_state **state)
{
    gm_commit_stop(&h->commit);
    (void)uv_run(&h->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&h->loop), 0);
    gm_state_close(state);
}

static void steps_come_back_in_order_once_they_are_stored(void **state)
{
    struct heard h = {0};
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    assert_int_equal(uv_loop_init(&h.loop), 0);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    ASSERT_OK(gm_commit_start(&h.loop, s, on_entry, &h, &h.commit, &err));
    assert_true(gm_commit_is_idle(h.commit));
    for (int i = 1; i <= STEPS; i++) {
        struct gm_commit_entry e = make_entry(&h, i);
        ASSERT_OK(gm_commit_add(h.commit, &e, 7, &err));
    }
    assert_int_equal(h.released, 0); /* nothing before the loop turned */
    assert_int_equal(gm_commit_wait_s(h.commit), GM_RETRY_UNKNOWN_S);
    while (!gm_commit_is_idle(h.commit)) {
        (void)uv_run(&h.loop, UV_RUN_ONCE);
    }
    assert_int_equal(h.released, STEPS);
    assert_int_equal(h.answered, STEPS);
    assert_int_equal(h.failures, 0);
    assert_int_equal(gm_commit_backlog(h.commit), 0);
    assert_int_equal(gm_commit_wait_s(h.commit), 1);
    ASSERT_OK(gm_state_load(s, check_last, NULL, &err));
    finish(&h, &s);
}

static void ends_are_known_until_they_are_stored(void **state)
{
    struct heard h = {0};
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    assert_int_equal(uv_loop_init(&h.loop), 0);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    ASSERT_OK(gm_commit_start(&h.loop, s, on_entry, &h, &h.commit, &err));
    for (int i = 1; i <= 3; i++) { /* the first is written, the others wait */
        struct gm_commit_entry e = make_entry(&h, i);
        e.effects.events[0].type = i == 1 ? "job.done" : i == 2 ? "job.state" : "job.failed";
        e.effects.events[0].job_id = gm_pool_text(&e.effects.pool, i == 1   ? "one"
                                                                   : i == 2 ? "two"
                                                                            : "three");
        ASSERT_OK(gm_commit_add(h.commit, &e, 7, &err));
    }
    assert_true(gm_commit_has_end(h.commit, "one"));
    assert_false(gm_commit_has_end(h.commit, "two"));
    assert_true(gm_commit_has_end(h.commit, "three"));
    while (!gm_commit_is_idle(h.commit)) {
        (void)uv_run(&h.loop, UV_RUN_ONCE);
    }
    assert_false(gm_commit_has_end(h.commit, "one") || gm_commit_has_end(h.commit, "three"));
    finish(&h, &s);
}

static void a_failed_commit_answers_everybody_and_takes_no_more(void **state)
{
    char path[512];
    sqlite3 *db = NULL;
    struct heard h = {0};
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    assert_int_equal(uv_loop_init(&h.loop), 0);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    ASSERT_OK(gm_commit_start(&h.loop, s, on_entry, &h, &h.commit, &err));
    path_in(path, *state, "state.db"); /* somebody took number 1 */
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "INSERT INTO event VALUES(1, 1, 'x', 'x', 0)", NULL, NULL, NULL),
        SQLITE_OK);
    (void)sqlite3_close(db);
    for (int i = 1; i <= 3; i++) {
        struct gm_commit_entry e = make_entry(&h, i);
        ASSERT_OK(gm_commit_add(h.commit, &e, 7, &err));
    }
    while (h.answered < 3) {
        (void)uv_run(&h.loop, UV_RUN_ONCE);
    }
    assert_int_equal(h.failures, 3);
    struct gm_commit_entry e = make_entry(&h, 4);
    assert_int_equal(gm_commit_add(h.commit, &e, 7, &err), -GM_E_SYS);
    assert_int_equal(h.answered, 3);
    finish(&h, &s);
}

static void turn_until_full(struct heard *h)
{
    while (!gm_commit_is_full(h->commit)) {
        (void)uv_run(&h->loop, UV_RUN_ONCE);
    }
}

static void what_finds_no_room_is_written_when_there_is(void **state)
{
    struct heard h = {0};
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    assert_int_equal(uv_loop_init(&h.loop), 0);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    ASSERT_OK(gm_commit_start(&h.loop, s, on_entry, &h, &h.commit, &err));
    without_room = 1;
    for (int i = 1; i <= 3; i++) {
        struct gm_commit_entry e = make_entry(&h, i);
        ASSERT_OK(gm_commit_add(h.commit, &e, 7, &err));
    }
    turn_until_full(&h);
    assert_int_equal(h.answered, 0);
    while (!gm_commit_is_idle(h.commit)) {
        (void)uv_run(&h.loop, UV_RUN_ONCE);
    }
    assert_false(gm_commit_is_full(h.commit));
    assert_int_equal(h.answered, 3);
    assert_int_equal(h.failures, 0);
    finish(&h, &s);
}

static void at_the_end_nobody_waits_for_room(void **state)
{
    struct heard h = {0};
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    assert_int_equal(uv_loop_init(&h.loop), 0);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    ASSERT_OK(gm_commit_start(&h.loop, s, on_entry, &h, &h.commit, &err));
    without_room = INT_MAX;
    struct gm_commit_entry e = make_entry(&h, 1);
    ASSERT_OK(gm_commit_add(h.commit, &e, 7, &err));
    turn_until_full(&h);
    gm_commit_flush(h.commit);
    while (!gm_commit_is_idle(h.commit)) {
        (void)uv_run(&h.loop, UV_RUN_ONCE);
    }
    assert_int_equal(h.failures, 1);
    finish(&h, &s);
    without_room = 0;
}

static void at_the_end_it_is_tried_once_more(void **state)
{
    struct heard h = {0};
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    assert_int_equal(uv_loop_init(&h.loop), 0);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    ASSERT_OK(gm_commit_start(&h.loop, s, on_entry, &h, &h.commit, &err));
    gm_commit_flush(h.commit);
    without_room = 1;
    struct gm_commit_entry e = make_entry(&h, 1);
    ASSERT_OK(gm_commit_add(h.commit, &e, 7, &err));
    while (!gm_commit_is_idle(h.commit)) {
        (void)uv_run(&h.loop, UV_RUN_ONCE);
    }
    assert_int_equal(h.answered, 1);
    assert_int_equal(h.failures, 0);
    finish(&h, &s);
}

static void stopping_answers_what_waits(void **state)
{
    struct heard h = {0};
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    assert_int_equal(uv_loop_init(&h.loop), 0);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    ASSERT_OK(gm_commit_start(&h.loop, s, on_entry, &h, &h.commit, &err));
    for (int i = 1; i <= 5; i++) {
        struct gm_commit_entry e = make_entry(&h, i);
        ASSERT_OK(gm_commit_add(h.commit, &e, 7, &err));
    }
    gm_commit_stop(&h.commit); /* the loop never turned */
    assert_null(h.commit);
    assert_int_equal(h.answered, 5);
    assert_int_equal(h.failures, 4); /* the first was with the thread: stored, and said so */
    finish(&h, &s);
}

/* A step with a lazy row alone. */
static struct gm_commit_entry make_lazy(uint64_t number)
{
    struct gm_commit_entry e = {0};
    e.effects.rows = calloc(1, sizeof *e.effects.rows);
    assert_non_null(e.effects.rows);
    e.effects.rows[0] = (struct gm_row){.key = {.kind = GM_ROW_ATTEMPT, .job = 1, .number = number},
                                        .data = (uint8_t *)strdup("lazy"),
                                        .size = 4,
                                        .lazy = true};
    e.effects.row_count = 1;
    return e;
}

static int count_lazy(const struct gm_key *key, const void *data, size_t size, void *arg,
                      struct gm_err *err)
{
    int *count = arg;
    (void)data;
    (void)size;
    (void)err;
    *count += key->kind == GM_ROW_ATTEMPT;
    return 0;
}

static int stored(struct gm_state *s)
{
    struct gm_err err = {0};
    int count = 0;
    ASSERT_OK(gm_state_load(s, count_lazy, &count, &err));
    return count;
}

static void lazy_rows_start_no_batch_and_are_flushed(void **state)
{
    struct heard h = {0};
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    assert_int_equal(uv_loop_init(&h.loop), 0);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    ASSERT_OK(gm_commit_start(&h.loop, s, on_entry, &h, &h.commit, &err));
    struct gm_commit_entry e = make_lazy(1);
    ASSERT_OK(gm_commit_add(h.commit, &e, 7, &err));
    assert_int_equal(h.released, 1); /* nothing was before it */
    assert_true(gm_commit_is_idle(h.commit));
    e = make_entry(&h, 1);
    ASSERT_OK(gm_commit_add(h.commit, &e, 7, &err));
    e = make_lazy(2);
    ASSERT_OK(gm_commit_add(h.commit, &e, 7, &err));
    assert_int_equal(h.released, 1); /* it is behind one that waits for the disk */
    while (!gm_commit_is_idle(h.commit)) {
        (void)uv_run(&h.loop, UV_RUN_ONCE);
    }
    assert_int_equal(h.released, 3);
    gm_commit_flush(h.commit);
    assert_false(gm_commit_is_idle(h.commit));
    while (!gm_commit_is_idle(h.commit)) {
        (void)uv_run(&h.loop, UV_RUN_ONCE);
    }
    assert_int_equal(stored(s), 2);
    e = make_lazy(3); /* from then on none is */
    ASSERT_OK(gm_commit_add(h.commit, &e, 7, &err));
    assert_false(gm_commit_is_idle(h.commit));
    while (!gm_commit_is_idle(h.commit)) {
        (void)uv_run(&h.loop, UV_RUN_ONCE);
    }
    assert_int_equal(stored(s), 3);
    assert_int_equal(h.released, 4);
    finish(&h, &s);
}

/* What a stop that nobody asked for loses. */
static void lazy_rows_may_be_lost(void **state)
{
    struct heard h = {0};
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    assert_int_equal(uv_loop_init(&h.loop), 0);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    ASSERT_OK(gm_commit_start(&h.loop, s, on_entry, &h, &h.commit, &err));
    struct gm_commit_entry e = make_lazy(1);
    ASSERT_OK(gm_commit_add(h.commit, &e, 7, &err));
    gm_commit_stop(&h.commit);
    assert_int_equal(stored(s), 0);
    finish(&h, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(steps_come_back_in_order_once_they_are_stored, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(ends_are_known_until_they_are_stored, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_failed_commit_answers_everybody_and_takes_no_more,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_finds_no_room_is_written_when_there_is, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(at_the_end_nobody_waits_for_room, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(at_the_end_it_is_tried_once_more, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(lazy_rows_start_no_batch_and_are_flushed, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(lazy_rows_may_be_lost, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(stopping_answers_what_waits, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
