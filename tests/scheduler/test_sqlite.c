#include "tests/scheduler/helper.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scheduler/store/state.h"

#define ROWS_MAX 64

struct seen {
    size_t count;
    char keys[ROWS_MAX][64];
    char data[ROWS_MAX][64];
};

static int see(const struct gm_key *key, const void *data, size_t size, void *arg,
               struct gm_err *err)
{
    struct seen *s = arg;
    char text[GM_KEY_TEXT_BYTES];
    (void)err;
    assert_true(s->count < ROWS_MAX && size < 64 && strlen(gm_key_text(key, text)) < 64);
    (void)strcpy(s->keys[s->count], text);
    memcpy(s->data[s->count], data, size);
    s->data[s->count++][size] = '\0';
    return 0;
}

static struct gm_row row_of(struct gm_key key, const char *data)
{
    return (struct gm_row){
        .key = key, .data = (uint8_t *)(uintptr_t)data, .size = data != NULL ? strlen(data) : 0};
}

static struct gm_row row(enum gm_row_kind kind, uint64_t job, const char *data)
{
    return row_of((struct gm_key){.kind = kind, .job = job}, data);
}

static struct gm_state_event event(int64_t seq, uint64_t job)
{
    return (struct gm_state_event){
        .seq = seq, .job = job, .type = "job.state", .json = "{}", .unix_ms = 5};
}

static void count_event(const struct gm_state_event *e, void *arg)
{
    int64_t *sum = arg;
    assert_string_equal(e->type, "job.state");
    assert_string_equal(e->json, "{}");
    assert_true(e->unix_ms == 5);
    *sum = *sum * 10 + e->seq;
}

static void rows_come_back(void **state)
{
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    struct seen seen = {0};
    struct gm_row rows[] = {row(GM_ROW_JOB, 1, "one"), row(GM_ROW_TASK, 1, "two"),
                            row(GM_ROW_JOB, 2, ""),    row(GM_ROW_JOB, 1, "three"),
                            row(GM_ROW_ITEM, 1, "x"),  row(GM_ROW_ITEM, 1, NULL)};
    struct gm_state_batch batch = {.rows = rows, .row_count = 6};
    ASSERT_OK(gm_state_open(*state, &s, &err));
    assert_int_equal(gm_state_term(s), 1);
    ASSERT_OK(gm_state_commit(s, &batch, &err));
    gm_state_close(&s);
    assert_null(s);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    assert_int_equal(gm_state_term(s), 2);
    ASSERT_OK(gm_state_load(s, see, &seen, &err));
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.keys[0], "job 1");
    assert_string_equal(seen.data[0], "three");
    assert_string_equal(seen.data[1], "");
    assert_string_equal(seen.keys[2], "task 1/0/0");
    gm_state_close(&s);
}

static void a_term_knows_how_long_leases_of_the_one_before_last(void **state)
{
    static const uint32_t kept[] = {60000, 15000, 4000000000, 15000};
    struct gm_err err = {0};
    uint32_t before = 1, longest = 0; /* a node may hold one of the longest yet */
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        struct gm_state *s = NULL;
        ASSERT_OK(gm_state_open(*state, &s, &err));
        ASSERT_OK(gm_state_lease(s, kept[i], &before, &err));
        assert_int_equal(before, longest);
        longest = kept[i] > longest ? kept[i] : longest;
        ASSERT_OK(gm_state_tidy(s, &err));
        gm_state_close(&s);
    }
}

static void a_longer_lease_is_forgotten_when_it_has_ended(void **state)
{
    static const uint32_t kept[] = {5, 3, 3}, befores[] = {0, 5, 3};
    struct gm_err err = {0};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        struct gm_state *s = NULL;
        uint32_t before = 1;
        ASSERT_OK(gm_state_open(*state, &s, &err));
        ASSERT_OK(gm_state_lease(s, kept[i], &before, &err));
        assert_int_equal(before, befores[i]);
        assert_int_equal(usleep(6000), 0);
        ASSERT_OK(gm_state_tidy(s, &err));
        gm_state_close(&s);
    }
}

static void events_are_read_in_order_and_go_with_their_job(void **state)
{
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    int64_t sum = 0;
    struct gm_row rows[] = {row(GM_ROW_JOB, 1, "x"), row(GM_ROW_JOB, 2, "x")};
    struct gm_state_event events[] = {event(1, 1), event(2, 2), event(3, 1), event(4, 1)};
    struct gm_state_batch batch = {
        .rows = rows, .row_count = 2, .events = events, .event_count = 4};
    ASSERT_OK(gm_state_open(*state, &s, &err));
    assert_true(gm_state_last_event(s) == 0);
    ASSERT_OK(gm_state_commit(s, &batch, &err));
    ASSERT_OK(gm_state_events(s, 1, 0, 10, count_event, &sum, &err));
    assert_true(sum == 134);
    sum = 0;
    ASSERT_OK(gm_state_events(s, 1, 1, 1, count_event, &sum, &err));
    assert_true(sum == 3);
    rows[0] = row(GM_ROW_JOB, 1, NULL);
    batch = (struct gm_state_batch){.rows = rows, .row_count = 1};
    ASSERT_OK(gm_state_commit(s, &batch, &err));
    sum = 0;
    ASSERT_OK(gm_state_events(s, 1, 0, 10, count_event, &sum, &err));
    assert_true(sum == 0);
    ASSERT_OK(gm_state_events(s, 2, 0, 10, count_event, &sum, &err));
    assert_true(sum == 2);
    gm_state_close(&s);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    assert_true(gm_state_last_event(s) == 4); /* its number is not given again */
    events[0] = event(5, 2);
    batch = (struct gm_state_batch){.events = events, .event_count = 1};
    ASSERT_OK(gm_state_commit(s, &batch, &err));
    gm_state_close(&s);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    assert_true(gm_state_last_event(s) == 5);
    gm_state_close(&s);
}

static void a_batch_that_fails_leaves_nothing(void **state)
{
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    struct seen seen = {0};
    struct gm_row rows[] = {row(GM_ROW_JOB, 1, "one")};
    struct gm_state_event events[] = {event(7, 1), event(7, 1)}; /* one number twice */
    struct gm_state_batch batch = {
        .rows = rows, .row_count = 1, .events = events, .event_count = 2};
    ASSERT_OK(gm_state_open(*state, &s, &err));
    assert_int_equal(gm_state_commit(s, &batch, &err), -GM_E_SYS);
    ASSERT_OK(gm_state_load(s, see, &seen, &err));
    assert_int_equal(seen.count, 0);
    batch.event_count = 1;
    ASSERT_OK(gm_state_commit(s, &batch, &err)); /* and it goes on */
    gm_state_close(&s);
}

static off_t size_of(const char *folder, const char *name)
{
    char path[512];
    struct stat st;
    path_in(path, folder, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void fill(struct gm_state *s, uint64_t first, size_t count)
{
    static char body[4000];
    struct gm_err err = {0};
    for (uint64_t i = first; i < first + count; i++) {
        struct gm_row r = {.key = {.kind = GM_ROW_ITEM, .job = 1, .index = (uint32_t)i},
                           .data = (uint8_t *)body,
                           .size = sizeof body};
        struct gm_state_batch batch = {.rows = &r, .row_count = 1};
        ASSERT_OK(gm_state_commit(s, &batch, &err));
    }
}

static void the_files_are_closed_to_others(void **state)
{
    static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm"};
    for (int run = 0; run < 2; run++) { /* new, then left open by an earlier version */
        struct gm_state *s = NULL;
        struct gm_err err = {0};
        ASSERT_OK(gm_state_open(*state, &s, &err));
        fill(s, 0, 1);
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            char path[4096];
            struct stat st;
            (void)snprintf(path, sizeof path, "%s/%s", (const char *)*state, names[i]);
            assert_int_equal(stat(path, &st), 0);
            assert_int_equal(st.st_mode & 0777, run == 0 ? 0600 : 0640);
            assert_int_equal(chmod(path, 0644), 0);
        }
        gm_state_close(&s);
    }
}

/* Moving the log is nobody's commit. */
static void commits_leave_the_log_to_be_tidied(void **state)
{
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    ASSERT_OK(gm_state_open(*state, &s, &err));
    off_t before = size_of(*state, "state.db");
    fill(s, 0, 600);
    assert_int_equal(size_of(*state, "state.db"), before);
    ASSERT_OK(gm_state_tidy(s, &err));
    off_t moved = size_of(*state, "state.db"), log = size_of(*state, "state.db-wal");
    assert_true(moved > 600 * 4000 && log > 600 * 4000);
    fill(s, 600, 10);
    ASSERT_OK(gm_state_tidy(s, &err)); /* too little yet */
    assert_int_equal(size_of(*state, "state.db"), moved);
    assert_int_equal(size_of(*state, "state.db-wal"), log); /* begun again at its start */
    gm_state_close(&s);
}

static void of_two_rows_of_one_key_the_last_is_written(void **state)
{
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    struct seen seen = {0};
    struct gm_row rows[] = {row(GM_ROW_TASK, 1, "first"),  row(GM_ROW_TASK, 2, "gone"),
                            row(GM_ROW_TASK, 1, "second"), row(GM_ROW_TASK, 2, NULL),
                            row(GM_ROW_TASK, 3, NULL),     row(GM_ROW_TASK, 3, "there")};
    struct gm_state_batch batch = {.rows = rows, .row_count = 6};
    ASSERT_OK(gm_state_open(*state, &s, &err));
    ASSERT_OK(gm_state_commit(s, &batch, &err));
    ASSERT_OK(gm_state_load(s, see, &seen, &err));
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.data[0], "second");
    assert_string_equal(seen.data[1], "there");
    gm_state_close(&s);
}

static void two_schedulers_do_not_share_a_folder(void **state)
{
    struct gm_state *a = NULL;
    struct gm_state *b = NULL;
    struct gm_err err = {0};
    ASSERT_OK(gm_state_open(*state, &a, &err));
    assert_int_equal(gm_state_open(*state, &b, &err), -GM_E_CONFLICT);
    assert_non_null(strstr(err.text, "another scheduler"));
    assert_null(b);
    gm_state_close(&a);
    ASSERT_OK(gm_state_open(*state, &a, &err));
    gm_state_close(&a);
}

static void another_schema_is_refused(void **state)
{
    char path[512];
    sqlite3 *db = NULL;
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    ASSERT_OK(gm_state_open(*state, &s, &err));
    gm_state_close(&s);
    path_in(path, *state, "state.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE meta SET value = 99 WHERE name = 'schema'", NULL, NULL, NULL),
        SQLITE_OK);
    (void)sqlite3_close(db);
    assert_int_equal(gm_state_open(*state, &s, &err), -GM_E_CONFLICT);
    assert_non_null(strstr(err.text, "schema 99"));
    write_file(*state, "state.db", "this is no database, whatever its name says", 44);
    assert_true(gm_state_open(*state, &s, &err) < 0);
}

/* A process that ends at any moment leaves whole batches: each holds two rows with one number. */
static void a_killed_process_leaves_whole_batches(void **state)
{
    struct gm_err err = {0};
    for (int last = 0; last < 4; last++) {
        int pipe_fds[2];
        assert_int_equal(pipe(pipe_fds), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            struct gm_state *s = NULL;
            if (gm_state_open(*state, &s, &err) < 0) {
                _exit(1);
            }
            for (int i = 0; i <= last; i++) {
                char n[16];
                (void)snprintf(n, sizeof n, "%d-%d", last, i);
                struct gm_row rows[] = {row(GM_ROW_JOB, 1, n), row(GM_ROW_TASK, 1, n)};
                struct gm_state_batch batch = {.rows = rows, .row_count = 2};
                if (gm_state_commit(s, &batch, &err) < 0 ||
                    write(pipe_fds[1], n, sizeof n) != sizeof n) {
                    _exit(1);
                }
            }
            _exit(0); /* nothing is closed, as after a kill */
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        (void)close(pipe_fds[1]);
        char said[16] = "";
        char n[16];
        while (read(pipe_fds[0], n, sizeof n) == sizeof n) {
            memcpy(said, n, sizeof n);
        }
        (void)close(pipe_fds[0]);
        struct gm_state *s = NULL;
        struct seen seen = {0};
        ASSERT_OK(gm_state_open(*state, &s, &err));
        assert_int_equal(gm_state_term(s), 2 * last + 2);
        ASSERT_OK(gm_state_load(s, see, &seen, &err));
        assert_int_equal(seen.count, 2);
        assert_string_equal(seen.data[0], said);
        assert_string_equal(seen.data[1], said);
        gm_state_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_come_back, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_term_knows_how_long_leases_of_the_one_before_last,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_longer_lease_is_forgotten_when_it_has_ended, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(events_are_read_in_order_and_go_with_their_job, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_batch_that_fails_leaves_nothing, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(the_files_are_closed_to_others, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(commits_leave_the_log_to_be_tidied, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(of_two_rows_of_one_key_the_last_is_written, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(two_schedulers_do_not_share_a_folder, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(another_schema_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_killed_process_leaves_whole_batches, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
