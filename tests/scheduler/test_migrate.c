/* Schema 1 to 2 and back. */
#include "tests/scheduler/schema1.h"

#include "scheduler/store/state.h"

#define ROWS_MAX 32

struct seen {
    size_t count;
    char keys[ROWS_MAX][64];
};

/* What a body repeats of its key in schema 1 is gone; the rest is there. */
static void check_body(const struct gm_key *key, const void *data, size_t size)
{
    if (key->kind == GM_ROW_TASK) {
        Gm__TaskRow *m = gm__task_row__unpack(NULL, size, data);
        assert_non_null(m);
        assert_string_equal(m->job_id, "");
        assert_string_equal(m->task, "");
        assert_int_equal(m->instance, 0);
        assert_memory_equal(m->meta.data, "meta", 4);
        gm__task_row__free_unpacked(m, NULL);
    } else if (key->kind == GM_ROW_ITEM) {
        Gm__ItemRow *m = gm__item_row__unpack(NULL, size, data);
        assert_non_null(m);
        assert_string_equal(m->job_id, "");
        assert_string_equal(m->task, "");
        assert_int_equal(m->item->stream, key->stream);
        assert_int_equal(m->item->index, key->index);
        gm__item_row__free_unpacked(m, NULL);
    } else if (key->kind == GM_ROW_OBJECT) {
        Gm__ObjectRow *m = gm__object_row__unpack(NULL, size, data);
        assert_non_null(m);
        assert_string_equal(m->job_id, "");
        assert_int_equal(m->object->size, 1234);
        gm__object_row__free_unpacked(m, NULL);
    } else if (key->kind == GM_ROW_ATTEMPT) {
        Gm__AttemptRow *m = gm__attempt_row__unpack(NULL, size, data);
        assert_non_null(m);
        assert_string_equal(m->job_id, "");
        assert_string_equal(m->task, "cut");
        assert_string_equal(m->node_id, "n1");
        assert_true(m->number == 0 && m->outcome == 2);
        gm__attempt_row__free_unpacked(m, NULL);
    }
}

static int see(const struct gm_key *key, const void *data, size_t size, void *arg,
               struct gm_err *err)
{
    struct seen *s = arg;
    char text[GM_KEY_TEXT_BYTES];
    (void)err;
    assert_true(s->count < ROWS_MAX && strlen(gm_key_text(key, text)) < 64);
    (void)strcpy(s->keys[s->count++], text);
    check_body(key, data, size);
    return 0;
}

static void add_seq(const struct gm_state_event *e, void *arg)
{
    int64_t *sum = arg;
    *sum = *sum * 10 + e->seq;
}

/* Of the two jobs "cut" is the second and the first task. */
static const char *const KEYS[] = {"job 1",
                                   "job 2",
                                   "task 2/0/3",
                                   "task 1/1/3",
                                   "item 2/0/3/1/0",
                                   "item 2/0/3/2/7",
                                   "item 1/1/3/1/0",
                                   "item 1/1/3/2/7",
                                   "attempt 2/12",
                                   "attempt 1/12",
                                   "object 1/2/v/0123/a/b.m4s",
                                   "object 2/2/v/0123/a/b.m4s",
                                   "node n9"};
#define KEY_COUNT (sizeof KEYS / sizeof KEYS[0])

static void check_rows(struct gm_state *s)
{
    struct seen seen = {0};
    struct gm_err err = {0};
    int64_t sum = 0;
    ASSERT_OK(gm_state_load(s, see, &seen, &err));
    assert_int_equal(seen.count, KEY_COUNT);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        bool there = false;
        for (size_t k = 0; k < seen.count; k++) {
            there = there || strcmp(seen.keys[k], KEYS[i]) == 0;
        }
        if (!there) {
            fail_msg("no row %s", KEYS[i]);
        }
    }
    ASSERT_OK(gm_state_events(s, 1, 0, 10, add_seq, &sum, &err));
    assert_int_equal(sum, 19);
    ASSERT_OK(gm_state_events(s, 2, 0, 10, add_seq, &sum, &err));
    assert_int_equal(sum, 192);
    assert_true(gm_state_last_event(s) == 9);
}

static void opening_brings_schema_1_here(void **state)
{
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    uint32_t before = 0;
    schema1_make(*state);
    for (uint64_t term = 42; term < 44; term++) {
        ASSERT_OK(gm_state_open(*state, &s, &err));
        assert_true(gm_state_term(s) == term);
        ASSERT_OK(gm_state_lease(s, 15000, &before, &err));
        assert_int_equal(before, term == 42 ? 9000 : 15000);
        check_rows(s);
        gm_state_close(&s);
    }
}

/* All rows and events as text. */
static void dump(const char *folder, char *out, size_t size)
{
    sqlite3 *db = schema1_db(folder);
    sqlite3_stmt *st = NULL;
    size_t length = 0;
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT kind || ' ' || key || ' ' || hex(data) FROM rows "
                                        "UNION ALL SELECT seq || job || type || json || unix_ms "
                                        "FROM events WHERE job <> 'gone' UNION ALL "
                                        "SELECT name || value FROM meta",
                                        -1, &st, NULL),
                     SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) {
        length += (size_t)snprintf(out + length, size - length, "%s\n",
                                   (const char *)sqlite3_column_text(st, 0));
        assert_true(length < size);
    }
    (void)sqlite3_finalize(st);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void and_back_byte_for_byte(void **state)
{
    static char before[16384], after[16384];
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    size_t left = 1;
    schema1_make(*state);
    dump(*state, before, sizeof before);
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(gm_state_migrate(*state, GM_STATE_SCHEMA, &left, &err));
        ASSERT_OK(gm_state_migrate(*state, GM_STATE_SCHEMA, &left, &err)); /* as it is */
        ASSERT_OK(gm_state_migrate(*state, 1, &left, &err));
        ASSERT_OK(gm_state_migrate(*state, 1, &left, &err));
        assert_int_equal(left, 0);
        dump(*state, after, sizeof after);
        assert_string_equal(after, before);
    }
    ASSERT_OK(gm_state_open(*state, &s, &err));
    check_rows(s);
    gm_state_close(&s);
}

static void kinds_that_schema_1_had_not_stay_behind(void **state)
{
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    struct gm_row row = {.key = {.kind = (enum gm_row_kind)40, .name = (char *)"new"},
                         .data = (uint8_t *)"x",
                         .size = 1};
    struct gm_state_batch batch = {.rows = &row, .row_count = 1};
    size_t left = 0;
    schema1_make(*state);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    ASSERT_OK(gm_state_commit(s, &batch, &err));
    gm_state_close(&s);
    ASSERT_OK(gm_state_migrate(*state, 1, &left, &err));
    assert_int_equal(left, 1);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    check_rows(s);
    gm_state_close(&s);
}

/* Nothing is changed then. */
static void what_fits_nothing_is_refused(void **state)
{
    static char before[16384], after[16384];
    static const struct {
        const char *sql, *text;
    } rows[] = {
        {"INSERT INTO rows VALUES(2, 'x', x'0a0278781203637574')",
         "row x: a stored row is of the job xx"},
        {"INSERT INTO rows VALUES(2, 'x', x'0a026a611203787878')", "the task xxx"},
        {"INSERT INTO rows VALUES(3, 'x', x'0a026a611203637574')", "is none"},
        {"INSERT INTO rows VALUES(4, 'x', x'0a026a61')", "is none"},
        {"INSERT INTO rows VALUES(5, 'x', x'0a02787a')", "the job xz"},
        {"INSERT INTO rows VALUES(6, 'x', x'ffffffff')", "does not decode"},
        {"INSERT INTO rows VALUES(1, 'x', x'0a026a64')", "no number or no pipeline"},
        {"INSERT INTO rows VALUES(1, 'x', (SELECT data FROM rows WHERE key = 'ja'))", "one id"},
        {"INSERT INTO rows VALUES(9, 'x', x'')", "unknown kind"},
    };
    schema1_make(*state);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_state *s = NULL;
        struct gm_err err = {0};
        sqlite3 *db = schema1_db(*state);
        schema1_exec(db, rows[i].sql);
        (void)sqlite3_close(db);
        dump(*state, before, sizeof before);
        assert_int_equal(gm_state_open(*state, &s, &err), -GM_E_PROTO);
        if (strstr(err.text, rows[i].text) == NULL) {
            fail_msg("%s: %s", rows[i].text, err.text);
        }
        dump(*state, after, sizeof after);
        assert_string_equal(after, before);
        db = schema1_db(*state);
        schema1_exec(db, "DELETE FROM rows WHERE key = 'x'");
        (void)sqlite3_close(db);
    }
}

/* As it is where a scheduler died before it made its tables. */
static void make_empty(const char *folder)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/state.db", folder);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static void only_known_schemas_of_a_free_folder(void **state)
{
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    size_t left;
    assert_int_equal(gm_state_migrate(*state, 1, &left, &err), -GM_E_NOTFOUND);
    make_empty(*state);
    assert_int_equal(gm_state_migrate(*state, 1, &left, &err), -GM_E_NOTFOUND);
    assert_int_equal(gm_state_migrate(*state, GM_STATE_SCHEMA, &left, &err), -GM_E_NOTFOUND);
    schema1_make(*state);
    assert_int_equal(gm_state_migrate(*state, 0, &left, &err), -GM_E_INVAL);
    assert_int_equal(gm_state_migrate(*state, GM_STATE_SCHEMA + 1, &left, &err), -GM_E_INVAL);
    ASSERT_OK(gm_state_open(*state, &s, &err));
    assert_int_equal(gm_state_migrate(*state, 1, &left, &err), -GM_E_CONFLICT);
    gm_state_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opening_brings_schema_1_here, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(and_back_byte_for_byte, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(kinds_that_schema_1_had_not_stay_behind, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_fits_nothing_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(only_known_schemas_of_a_free_folder, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
