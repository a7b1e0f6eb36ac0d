/* --check-store: a farm's rows in a real state, whole and broken. */
#include "sim/sim_io.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/check_store.h"
#include "scheduler/store/state.h"
#include "tests/scheduler/helper.h"

/* A job in the middle of its life, as it lies on disk. */
static void make_state(const char *folder)
{
    struct sim_params params = {.seed = 5, .nodes = 2};
    struct sim *sim = sim_create(&params);
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    (void)sim_submit(sim, "job", 10, 1, 50);
    sim_run(sim, 8);
    sim_commit(sim);
    ASSERT_OK(gm_state_open(folder, &s, &err));
    for (const struct sim_row *r = sim->rows; r; r = r->hh.next) {
        struct gm_row row = {.key = r->key, .data = r->data, .size = r->size};
        struct gm_state_event event = {
            .seq = (int64_t)r->hh.hashv + 1, .job = 1, .type = "task", .json = "{}"};
        struct gm_state_batch batch = {
            .rows = &row, .row_count = 1, .events = &event, .event_count = 1};
        ASSERT_OK(gm_state_commit(s, &batch, &err));
    }
    gm_state_close(&s);
    sim_destroy(sim);
}

static void change(const char *folder, const char *sql)
{
    char path[512];
    char *text = NULL;
    sqlite3 *db = NULL;
    path_in(path, folder, "state.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK) {
        fail_msg("%s: %s", sql, text);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static char *check(const char *folder, bool json, int *out_rc, size_t *out_problems)
{
    char *text = NULL;
    size_t size = 0;
    struct gm_err err = {0};
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    *out_problems = 0;
    *out_rc = gm_check_store(folder, json, f, out_problems, &err);
    assert_int_equal(fclose(f), 0);
    if (*out_rc < 0 && !json) {
        assert_string_equal(text, "");
        free(text);
        text = strdup(err.text);
    }
    return text;
}

static void what_a_farm_stores_is_whole(void **state)
{
    size_t problems;
    int rc;
    make_state(*state);
    for (int i = 0; i < 2; i++) { /* and stays as it is */
        char *text = check(*state, false, &rc, &problems);
        assert_int_equal(rc, 0);
        if (problems > 0 || strstr(text, "schema 2, term 1, ") == NULL ||
            strstr(text, " job 1 ") == NULL || strstr(text, ": ok\n") == NULL) {
            fail_msg("%s", text);
        }
        free(text);
    }
    char *text = check(*state, true, &rc, &problems);
    assert_non_null(strstr(text, "\"problem_count\": 0"));
    assert_non_null(strstr(text, "\"job\": 1"));
    free(text);
}

static void what_is_broken_is_told(void **state)
{
    static const struct {
        const char *sql, *text, *back;
    } rows[] = {
        {"INSERT INTO event VALUES(-5, 99, 'task', '{}', 0)",
         "1 rows of `event` are of job 99, which is not there", "DELETE FROM event WHERE job = 99"},
        {"INSERT INTO item VALUES(99, 0, x'')", "1 rows of `item` are of job 99",
         "DELETE FROM item WHERE job = 99"},
        {"INSERT INTO item VALUES(1, 99, x'ffff')", "row item 1/0/0/0/99 does not decode",
         "DELETE FROM item WHERE at = 99"},
        {"INSERT INTO task VALUES(1, 63 << 56, x'')",
         "a scheduler does not start with it: the stored row task 1/63/0 fits nothing",
         "DELETE FROM task WHERE at = 63 << 56"},
        {"INSERT INTO named VALUES(77, 'x', x'')", "has an unknown kind",
         "DELETE FROM named WHERE kind = 77"},
        {"UPDATE meta SET value = 0 WHERE name = 'term'", "it holds no term",
         "UPDATE meta SET value = 1 WHERE name = 'term'"},
        {"PRAGMA writable_schema = 1; UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM"
         " sqlite_schema WHERE name = 'event_by_job') WHERE name = 'sqlite_autoindex_item_1'",
         "the file: ", NULL},
    };
    make_state(*state);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t problems;
        int rc;
        change(*state, rows[i].sql);
        char *text = check(*state, false, &rc, &problems);
        if (rc != 0 || problems == 0 || strstr(text, rows[i].text) == NULL) {
            fail_msg("%s: %d, %zu\n%s", rows[i].sql, rc, problems, text);
        }
        free(text);
        text = check(*state, true, &rc, &problems);
        assert_null(strstr(text, "\"problem_count\": 0"));
        free(text);
        if (rows[i].back) {
            change(*state, rows[i].back);
            free(check(*state, false, &rc, &problems));
            assert_int_equal(problems, 0);
        }
    }
}

static void what_can_not_be_looked_at_says_why(void **state)
{
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    size_t problems, left;
    int rc;
    char *text = check(*state, false, &rc, &problems);
    assert_int_equal(rc, -GM_E_NOTFOUND);
    free(text);
    make_state(*state);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    text = check(*state, false, &rc, &problems);
    assert_int_equal(rc, -GM_E_CONFLICT);
    assert_non_null(strstr(text, "another scheduler"));
    free(text);
    text = check(*state, true, &rc, &problems);
    assert_non_null(strstr(text, "\"error\": {"));
    free(text);
    gm_state_close(&s);
    ASSERT_OK(gm_state_migrate(*state, 1, &left, &err));
    text = check(*state, false, &rc, &problems);
    assert_int_equal(rc, -GM_E_CONFLICT);
    assert_non_null(strstr(text, "--migrate-store 2"));
    free(text);
    write_file(*state, "state.db", "this is no database, whatever its name says", 44);
    text = check(*state, false, &rc, &problems);
    assert_true(rc < 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_farm_stores_is_whole, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_is_broken_is_told, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_can_not_be_looked_at_says_why, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
