/* --check-store: a farm's rows in a PostgreSQL that tests/system/postgres.sh starts, whole and
 * broken. Its URL and the way to change it come in the environment. */
#include "sim/sim_io.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scheduler/check_store.h"
#include "scheduler/store/state.h"
#include "tests/scheduler/helper.h"

static const char *url(void)
{
    const char *s = getenv("GOPMILL_TEST_POSTGRES");
    if (s == NULL) {
        skip();
    }
    return s;
}

static void change(const char *sql)
{
    char command[2048];
    assert_non_null(getenv("GOPMILL_TEST_PSQL"));
    (void)snprintf(command, sizeof command, "%s \"%s\"", getenv("GOPMILL_TEST_PSQL"), sql);
    if (system(command) != 0) {
        fail_msg("%s", sql);
    }
}

static struct gm_state *open_leading(void)
{
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    uint32_t before = 0;
    bool leads = false;
    ASSERT_OK(gm_state_open(url(), &s, &err));
    for (int i = 0; i < 300 && !leads; i++) {
        ASSERT_OK(gm_state_lead(s, 200 * GM_MS, &leads, &err));
        (void)usleep(leads ? 0 : 20000);
    }
    assert_true(leads);
    ASSERT_OK(gm_state_lease(s, 4000, &before, &err));
    return s;
}

/* A job in the middle of its life, of a scheduler that leads still. */
static struct gm_state *make_state(void)
{
    struct sim_params params = {.seed = 5, .nodes = 2};
    struct gm_err err = {0};
    int64_t seq = 0;
    struct gm_state *s = open_leading();
    change("TRUNCATE gopmill_row, gopmill_event");
    struct sim *sim = sim_create(&params);
    (void)sim_submit(sim, "job", 10, 1, 50);
    sim_run(sim, 8);
    sim_commit(sim);
    for (const struct sim_row *r = sim->rows; r; r = r->hh.next) {
        struct gm_row row = {.key = r->key, .data = r->data, .size = r->size};
        struct gm_state_event event = {.seq = ++seq, .job = 1, .type = "task", .json = "{}"};
        struct gm_state_batch batch = {
            .rows = &row, .row_count = 1, .events = &event, .event_count = 1};
        ASSERT_OK(gm_state_commit(s, &batch, &err));
    }
    sim_destroy(sim);
    return s;
}

static char *check(const char *where, bool json, int *out_rc, size_t *out_problems)
{
    char *text = NULL;
    size_t size = 0;
    struct gm_err err = {0};
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    *out_problems = 0;
    *out_rc = gm_check_store(where, json, f, out_problems, &err);
    assert_int_equal(fclose(f), 0);
    if (*out_rc < 0 && !json) {
        assert_string_equal(text, "");
        free(text);
        text = strdup(err.text);
    }
    return text;
}

static void what_a_farm_stores_is_whole_also_while_one_leads(void **arg)
{
    (void)arg;
    size_t problems;
    int rc;
    struct gm_err err = {0};
    struct gm_state *s = make_state();
    for (int i = 0; i < 2; i++) { /* and stays as it is */
        char *text = check(url(), false, &rc, &problems);
        if (rc != 0 || problems > 0 ||
            strstr(text, "postgresql:///postgres: schema 2, term ") != text ||
            strstr(text, " job 1 ") == NULL || strstr(text, ": ok\n") == NULL) {
            fail_msg("%d: %s", rc, text);
        }
        free(text);
    }
    ASSERT_OK(gm_state_beat(s, &err)); /* nobody took the lead from it */
    char *text = check(url(), true, &rc, &problems);
    assert_non_null(strstr(text, "\"problem_count\": 0"));
    assert_non_null(strstr(text, "\"job\": 1"));
    free(text);
    gm_state_close(&s);
}

static void what_is_broken_is_told(void **arg)
{
    static const struct {
        const char *sql, *text, *back;
    } rows[] = {
        {"INSERT INTO gopmill_event VALUES(-5, 99, 'task', '{}', 0)",
         "1 rows of `event` are of job 99, which is not there",
         "DELETE FROM gopmill_event WHERE job = 99"},
        {"INSERT INTO gopmill_row VALUES(99, 3, 0, '', ''), (99, 3, 1, '', ''), (98, 5, 1, '', '')",
         "2 rows of `item` are of job 99, which is not there\n1 rows of `attempt` are of job 98",
         "DELETE FROM gopmill_row WHERE job > 97"},
        {"INSERT INTO gopmill_row VALUES(1, 3, 99, '', 'aaaaa')",
         "row item 1/0/0/0/99 does not decode", "DELETE FROM gopmill_row WHERE at = 99"},
        {"INSERT INTO gopmill_row VALUES(1, 2, 4539628424389459968, '', '')",
         "a scheduler does not start with it: the stored row task 1/63/0 fits nothing",
         "DELETE FROM gopmill_row WHERE at = 4539628424389459968"},
        {"INSERT INTO gopmill_row VALUES(0, 77, 0, 'x', '')", "has an unknown kind",
         "DELETE FROM gopmill_row WHERE kind = 77"},
        {"UPDATE gopmill_meta SET term = 0", "it holds no term",
         "UPDATE gopmill_meta SET term = 1"},
        {"ALTER INDEX gopmill_event_by_job RENAME TO elsewhere",
         "the index gopmill_event_by_job is not there, or not valid",
         "ALTER INDEX elsewhere RENAME TO gopmill_event_by_job"},
        /* the other index of that table has all, and is the smaller one */
        {"UPDATE pg_index SET indisready = false WHERE indexrelid = "
         "'gopmill_event_pkey'::regclass",
         "the index gopmill_event_pkey is not there, or not valid", NULL},
        {"INSERT INTO gopmill_event VALUES(-9, 1, 'task', '{}', 0);"
         " UPDATE pg_index SET indisready = true WHERE indexrelid = "
         "'gopmill_event_pkey'::regclass",
         "the index gopmill_event_pkey has ", "REINDEX TABLE gopmill_event"},
        {"UPDATE pg_index SET indisready = false WHERE indexrelid = "
         "'gopmill_event_by_job'::regclass",
         "the index gopmill_event_by_job is not there, or not valid", NULL},
        {"INSERT INTO gopmill_event VALUES(-7, 1, 'task', '{}', 0);"
         " UPDATE pg_index SET indisready = true WHERE indexrelid = "
         "'gopmill_event_by_job'::regclass",
         "the index gopmill_event_by_job has ", "REINDEX TABLE gopmill_event"},
        {"UPDATE pg_index SET indisready = false WHERE indexrelid = 'gopmill_row_pkey'::regclass",
         "the index gopmill_row_pkey is not there, or not valid", NULL},
        {"INSERT INTO gopmill_row VALUES(1, 3, 98, '', ''); UPDATE pg_index SET indisready = true"
         " WHERE indexrelid = 'gopmill_row_pkey'::regclass",
         "the index gopmill_row_pkey has ",
         "REINDEX TABLE gopmill_row; DELETE FROM gopmill_row WHERE at = 98"},
    };
    (void)arg;
    struct gm_state *s = make_state();
    gm_state_close(&s);
    change("INSERT INTO gopmill_event SELECT 1000 + i, 1, 'task', '{}', 0 FROM"
           " generate_series(1, 20000) AS i;"
           " DELETE FROM gopmill_event WHERE seq > 1000 AND seq % 300 <> 0");
    change("REINDEX INDEX gopmill_event_by_job; ANALYZE gopmill_event");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t problems;
        int rc;
        change(rows[i].sql);
        char *text = check(url(), false, &rc, &problems);
        if (rc != 0 || problems == 0 || strstr(text, rows[i].text) == NULL) {
            fail_msg("%s: %d, %zu\n%s", rows[i].sql, rc, problems, text);
        }
        free(text);
        text = check(url(), true, &rc, &problems);
        assert_null(strstr(text, "\"problem_count\": 0"));
        free(text);
        if (rows[i].back) {
            change(rows[i].back);
            text = check(url(), false, &rc, &problems);
            if (problems > 0) {
                fail_msg("%s: %s", rows[i].back, text);
            }
            free(text);
        }
    }
}

static void what_can_not_be_looked_at_says_why(void **arg)
{
    (void)arg;
    size_t problems;
    int rc;
    struct gm_state *s = make_state();
    gm_state_close(&s);
    change("UPDATE gopmill_meta SET schema = 3");
    char *text = check(url(), false, &rc, &problems);
    assert_int_equal(rc, -GM_E_CONFLICT);
    assert_non_null(strstr(text, "has schema 3, and schema 2 is what is checked"));
    free(text);
    text = check(url(), true, &rc, &problems);
    assert_non_null(strstr(text, "\"error\": {"));
    free(text);
    change("UPDATE gopmill_meta SET schema = 2; ALTER TABLE gopmill_row RENAME TO gone");
    text = check(url(), false, &rc, &problems);
    assert_int_equal(rc, -GM_E_NOTFOUND);
    assert_non_null(strstr(text, "no state is in that database"));
    free(text);
    change("ALTER TABLE gone RENAME TO gopmill_row");
    text = check("postgresql://farm:secret@/postgres?host=/nowhere/at/all", true, &rc, &problems);
    assert_int_equal(rc, -GM_E_STATE_AWAY);
    assert_null(strstr(text, "secret"));
    free(text);
    text = check("postgresql://farm@/postgres?nonsense=1", false, &rc, &problems);
    assert_int_equal(rc, -GM_E_CONFIG);
    free(text);
}

static void what_was_found_before_an_error_is_told(void **arg)
{
    (void)arg;
    char *text = NULL;
    size_t size = 0, problems = 0;
    int rc;
    struct gm_err err = {0};
    struct gm_state *s = make_state();
    gm_state_close(&s);
    change("ALTER INDEX gopmill_row_pkey RENAME TO elsewhere;"
           " ALTER TABLE gopmill_event RENAME COLUMN job TO gone");
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    assert_true(gm_check_store(url(), false, f, &problems, &err) < 0);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(text, "the index gopmill_row_pkey is not there, or not valid\n");
    free(text);
    text = check(url(), true, &rc, &problems);
    assert_true(rc < 0);
    assert_non_null(strstr(text, "\"error\": {"));
    assert_non_null(strstr(text, "\"problem_count\": 1"));
    assert_non_null(strstr(text, "the index gopmill_row_pkey is not there"));
    free(text);
    change("ALTER INDEX elsewhere RENAME TO gopmill_row_pkey;"
           " ALTER TABLE gopmill_event RENAME COLUMN gone TO job");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_farm_stores_is_whole_also_while_one_leads),
        cmocka_unit_test(what_is_broken_is_told),
        cmocka_unit_test(what_can_not_be_looked_at_says_why),
        cmocka_unit_test(what_was_found_before_an_error_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
