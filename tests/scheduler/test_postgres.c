/* The state in a PostgreSQL that tests/system/postgres.sh starts: its URL comes in the environment.
 */
#include "tests/scheduler/helper.h"

#include <stdlib.h>
#include <unistd.h>

#include "scheduler/store/state.h"

#define TAKEOVER (600 * GM_MS)

static const char *url(void)
{
    const char *s = getenv("GOPMILL_TEST_POSTGRES");
    if (s == NULL) {
        skip();
    }
    return s;
}

/* With leases of that time; *before: how long those of the term before last. */
static struct gm_state *open_leasing(uint32_t lease_ms, uint32_t *before)
{
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    bool leads = false;
    ASSERT_OK(gm_state_open(url(), &s, &err));
    for (int i = 0; i < 300 && !leads; i++) {
        ASSERT_OK(gm_state_lead(s, TAKEOVER, &leads, &err));
        (void)usleep(leads ? 0 : 20000);
    }
    assert_true(leads);
    ASSERT_OK(gm_state_lease(s, lease_ms, before, &err));
    return s;
}

static struct gm_state *open_leading(void)
{
    uint32_t before = 0;
    return open_leasing(4000, &before);
}

static struct gm_row row(enum gm_row_kind kind, uint64_t job, uint64_t at, const char *name,
                         const char *data)
{
    struct gm_row r = {.key = {.kind = kind, .job = job},
                       .data = (uint8_t *)(uintptr_t)data,
                       .size = data != NULL ? strlen(data) : 0};
    gm_key_set_at(&r.key, at);
    r.key.name = (char *)(uintptr_t)name;
    return r;
}

static int commit(struct gm_state *s, const struct gm_row *rows, size_t count,
                  const struct gm_state_event *event, struct gm_err *err)
{
    struct gm_state_batch batch = {
        .rows = rows, .row_count = count, .events = event, .event_count = event != NULL ? 1 : 0};
    return gm_state_commit(s, &batch, err);
}

struct seen {
    size_t count;
    char text[8][96]; /* "key=body", in order */
};

static int see(const struct gm_key *key, const void *data, size_t size, void *arg,
               struct gm_err *err)
{
    struct seen *s = arg;
    char name[GM_KEY_TEXT_BYTES];
    (void)err;
    assert_true(s->count < 8);
    (void)snprintf(s->text[s->count++], sizeof s->text[0], "%s=%.*s", gm_key_text(key, name),
                   (int)size, (const char *)data);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct seen look(struct gm_state *s)
{
    struct seen seen = {0};
    struct gm_err err = {0};
    ASSERT_OK(gm_state_load(s, see, &seen, &err));
    qsort(seen.text, seen.count, sizeof seen.text[0], by_text);
    return seen;
}

static void forget_all(struct gm_state *s)
{
    struct gm_err err = {0};
    const struct gm_row rows[] = {row(GM_ROW_JOB, 1, 0, NULL, NULL),
                                  row(GM_ROW_JOB, 2, 0, NULL, NULL),
                                  row(GM_ROW_NODE, 0, 0, "n1", NULL)};
    ASSERT_OK(commit(s, rows, 3, NULL, &err));
}

static void rows_come_back(void **state)
{
    struct gm_err err = {0};
    struct gm_state *s = open_leading();
    (void)state;
    forget_all(s);
    const struct gm_row rows[] = {row(GM_ROW_JOB, 1, 0, NULL, "job"),
                                  row(GM_ROW_ITEM, 1, 7, NULL, "early"),
                                  row(GM_ROW_ITEM, 1, 8, NULL, ""),
                                  row(GM_ROW_ITEM, 1, 7, NULL, "late"),
                                  row(GM_ROW_OBJECT, 1, 1, "v/\xff/x", "out"),
                                  row(GM_ROW_NODE, 0, 0, "n1", "drained"),
                                  row(GM_ROW_ATTEMPT, 1, 3, NULL, "gone"),
                                  row(GM_ROW_ATTEMPT, 1, 3, NULL, NULL)};
    ASSERT_OK(commit(s, rows, 8, NULL, &err));
    struct seen seen = look(s);
    assert_int_equal(seen.count, 5);
    assert_non_null(strstr(seen.text[0], "item 1/"));
    assert_non_null(strstr(seen.text[0], "=late"));
    assert_non_null(strstr(seen.text[1], "item 1/"));
    assert_string_equal(seen.text[2], "job 1=job");
    assert_string_equal(seen.text[3], "node n1=drained");
    assert_string_equal(seen.text[4], "object 1/1/v/\xff/x=out");
    uint64_t term = gm_state_term(s);
    gm_state_close(&s);

    s = open_leading(); /* whoever leads next sees the same */
    assert_true(gm_state_term(s) == term + 1);
    assert_int_equal(look(s).count, 5);
    gm_state_close(&s);
}

static void a_job_goes_with_all_it_has(void **state)
{
    struct gm_err err = {0};
    struct gm_state *s = open_leading();
    (void)state;
    forget_all(s);
    const struct gm_row two[] = {
        row(GM_ROW_JOB, 1, 0, NULL, "a"), row(GM_ROW_ITEM, 1, 7, NULL, "b"),
        row(GM_ROW_JOB, 2, 0, NULL, "c"), row(GM_ROW_ITEM, 2, 7, NULL, "d")};
    ASSERT_OK(commit(s, two, 4, NULL, &err));
    const struct gm_row one[] = {row(GM_ROW_ITEM, 1, 9, NULL, "late"),
                                 row(GM_ROW_JOB, 1, 0, NULL, NULL)};
    ASSERT_OK(commit(s, one, 2, NULL, &err));
    struct seen seen = look(s);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.text[1], "job 2=c");
    gm_state_close(&s);
}

static void count_event(const struct gm_state_event *e, void *arg)
{
    int64_t *sum = arg;
    assert_string_equal(e->type, "job.state");
    assert_string_equal(e->json, "{\"a\":1}");
    *sum = *sum * 10 + (e->seq % 10);
}

static void events_come_in_order(void **state)
{
    struct gm_err err = {0};
    struct gm_state *s = open_leading();
    int64_t sum = 0, first = gm_state_last_event(s) / 10 * 10 + 11;
    (void)state;
    forget_all(s);
    for (int i = 0; i < 4; i++) {
        const struct gm_state_event e = {.seq = first + i,
                                         .job = i == 1 ? 2 : 1,
                                         .type = "job.state",
                                         .json = "{\"a\":1}",
                                         .unix_ms = 5};
        ASSERT_OK(commit(s, NULL, 0, &e, &err));
    }
    ASSERT_OK(gm_state_events(s, 1, first, 10, count_event, &sum, &err));
    assert_int_equal(sum, 34);
    sum = 0;
    ASSERT_OK(gm_state_events(s, 1, 0, 1, count_event, &sum, &err));
    assert_int_equal(sum, 1);
    gm_state_close(&s);
    s = open_leading();
    assert_true(gm_state_last_event(s) == first + 3);
    const struct gm_row gone = row(GM_ROW_JOB, 1, 0, NULL, NULL);
    ASSERT_OK(commit(s, &gone, 1, NULL, &err));
    sum = 0;
    ASSERT_OK(gm_state_events(s, 1, 0, 10, count_event, &sum, &err));
    assert_int_equal(sum, 0);
    const struct gm_row other = row(GM_ROW_JOB, 2, 0, NULL, NULL);
    ASSERT_OK(commit(s, &other, 1, NULL, &err));
    gm_state_close(&s);
    s = open_leading();
    assert_true(gm_state_last_event(s) == first + 3); /* though no event is left */
    gm_state_close(&s);
}

/* Two in one process: the second waits, takes over when the first is silent, and then nothing that
 * the first says counts. */
static void who_hangs_is_followed_and_can_do_nothing(void **state)
{
    struct gm_err err = {0};
    struct gm_state *first = open_leading();
    struct gm_state *second = NULL;
    bool leads = true;
    (void)state;
    forget_all(first);
    ASSERT_OK(gm_state_open(url(), &second, &err));
    ASSERT_OK(gm_state_lead(second, TAKEOVER, &leads, &err));
    assert_false(leads);
    for (int i = 0; i < 300 && !gm_state_leads(first);
         i++) { /* not at once: the one before may not know */
        ASSERT_OK(gm_state_beat(first, &err));
        (void)usleep(10000);
    }
    assert_true(gm_state_leads(first));
    assert_true(gm_state_beat_every(first) > 0 && gm_state_beat_every(first) < TAKEOVER / 2);
    for (int i = 0; i < 300 && !leads; i++) {
        ASSERT_OK(gm_state_lead(second, TAKEOVER, &leads, &err));
        (void)usleep(20000);
    }
    assert_true(leads);
    assert_false(gm_state_leads(first)); /* known before anything fails */
    assert_true(gm_state_term(second) == gm_state_term(first) + 1);
    const struct gm_row late = row(GM_ROW_JOB, 1, 0, NULL, "late");
    assert_int_equal(commit(first, &late, 1, NULL, &err), -GM_E_NOT_LEADER);
    assert_int_equal(look(second).count, 0);
    const struct gm_row good = row(GM_ROW_JOB, 2, 0, NULL, "good");
    ASSERT_OK(commit(second, &good, 1, NULL, &err));
    assert_int_equal(look(second).count, 1);
    gm_state_close(&first);
    gm_state_close(&second);
}

#define END_SESSIONS                                                                               \
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"                                       \
    " WHERE pid <> pg_backend_pid() AND application_name = 'gopmill-scheduler'"

/* By psql; then: more of the shell's words. */
static void sql(const char *before, const char *statement, const char *then)
{
    const char *psql = getenv("GOPMILL_TEST_PSQL"); /* up to -c */
    char command[1024];
    (void)url(); /* skips without a server */
    assert_non_null(psql);
    int n = snprintf(command, sizeof command, "%s%s \"%s\"%s", before, psql, statement, then);
    assert_true(n > 0 && (size_t)n < sizeof command);
    assert_int_equal(system(command), 0); /* NOLINT: the test's own script names the program */
}

static void tables_of_the_release_before_get_what_is_new(void **state)
{
    struct gm_err err = {0};
    struct gm_state *s = open_leading();
    int64_t last = gm_state_last_event(s);
    const struct gm_state_event e = {
        .seq = last + 1, .job = 1, .type = "job.state", .json = "{}", .unix_ms = 5};
    (void)state;
    gm_state_close(&s);
    sql("", "ALTER TABLE gopmill_meta DROP COLUMN last_event", "");
    s = open_leading();
    ASSERT_OK(commit(s, NULL, 0, &e, &err));
    forget_all(s);
    gm_state_close(&s);
    s = open_leading();
    assert_true(gm_state_last_event(s) == last + 1);
    gm_state_close(&s);
}

#define NO_LEASE "UPDATE gopmill_meta SET lease_ms = 0"

static void a_term_knows_how_long_leases_of_the_one_before_last(void **state)
{
    static const uint32_t kept[] = {60000, 15000, 4000000000, 15000, 15000};
    struct gm_err err = {0};
    uint32_t before = 1, longest = 0; /* a node may hold one of the longest yet */
    (void)state;
    sql("", NO_LEASE, "");
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        struct gm_state *s = open_leasing(kept[i], &before);
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
    (void)state;
    sql("", NO_LEASE, "");
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        uint32_t before = 1;
        struct gm_state *s = open_leasing(kept[i], &before);
        assert_int_equal(before, befores[i]);
        assert_int_equal(usleep(6000), 0);
        ASSERT_OK(gm_state_tidy(s, &err));
        gm_state_close(&s);
    }
}

/* The leader's connection broke, as it does when the server is started anew: a standby that was not
 * connected before finds the lock free, and leaves it to the leader. */
static void a_new_standby_leaves_the_lock_to_who_led(void **state)
{
    struct gm_err err = {0};
    struct gm_state *first = open_leading();
    struct gm_state *second = NULL;
    uint64_t term = gm_state_term(first);
    bool leads = true;
    (void)state;
    sql("", END_SESSIONS, "");
    ASSERT_OK(gm_state_open(url(), &second, &err));
    ASSERT_OK(gm_state_lead(second, 60 * GM_SEC, &leads, &err));
    assert_false(leads);
    ASSERT_OK(gm_state_beat(first, &err));
    assert_true(gm_state_term(first) == term);
    gm_state_close(&second);
    gm_state_close(&first);
}

/* Nobody is to be waited for. */
static void who_follows_a_leader_that_ended_leads_at_once(void **state)
{
    struct gm_err err = {0};
    struct gm_state *first = open_leading();
    struct gm_state *second = NULL;
    uint64_t term = gm_state_term(first);
    bool leads = false;
    (void)state;
    gm_state_close(&first);
    ASSERT_OK(gm_state_open(url(), &second, &err));
    ASSERT_OK(gm_state_lead(second, 60 * GM_SEC, &leads, &err));
    assert_true(leads);
    assert_true(gm_state_term(second) == term + 1);
    gm_state_close(&second);
}

/* The connection breaks between batches. */
static void a_broken_connection_loses_and_doubles_nothing(void **state)
{
    struct gm_err err = {0};
    struct gm_state *s = open_leading();
    uint64_t term = gm_state_term(s);
    (void)state;
    forget_all(s);
    for (uint64_t i = 0; i < 3; i++) {
        const struct gm_row r = row(GM_ROW_ITEM, 1, i, NULL, "x");
        sql("", END_SESSIONS, "");
        ASSERT_OK(commit(s, &r, 1, NULL, &err));
        sql("", END_SESSIONS, "");
        ASSERT_OK(gm_state_beat(s, &err));
    }
    assert_true(gm_state_term(s) == term);
    assert_int_equal(look(s).count, 3);
    gm_state_close(&s);
}

/* The server has stored it and waits for a replica that is not there when the connection breaks:
 * what the client sees is what it sees of one that was not stored. A second time would fail, for
 * the event's number is taken. */
static void a_batch_whose_answer_is_lost_is_stored_once(void **state)
{
    struct gm_err err = {0};
    struct gm_state *s = open_leading();
    const struct gm_state_event e = {.seq = gm_state_last_event(s) + 1,
                                     .job = 1,
                                     .type = "job.state",
                                     .json = "{\"a\":1}",
                                     .unix_ms = 5};
    const struct gm_row r = row(GM_ROW_ITEM, 1, 0, NULL, "x");
    (void)state;
    forget_all(s);
    sql("", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "");
    sql("", "SELECT pg_reload_conf()", "");
    gm_time began = gm_time_now();
    sql("(sleep 0.7; ", "ALTER SYSTEM RESET synchronous_standby_names", " >/dev/null 2>&1) &");
    sql("(sleep 1.2; ", "SELECT pg_reload_conf()", " >/dev/null 2>&1) &");
    sql("(sleep 0.6; ", END_SESSIONS, " >/dev/null 2>&1) &");
    ASSERT_OK(commit(s, &r, 1, &e, &err));
    assert_true(gm_time_now() - began > 1100 * GM_MS); /* not before the replica is waived */
    assert_int_equal(look(s).count, 1);
    ASSERT_OK(commit(s, &r, 1, NULL, &err));
    gm_state_close(&s);
}

/* The same, and then the server has no room for anything but that batch: it is stored all the same,
 * and never told as if it were not. */
static void a_stored_batch_is_not_told_as_one_without_room(void **state)
{
    struct gm_err err = {0};
    struct gm_state *s = open_leading();
    const struct gm_row r = row(GM_ROW_ITEM, 1, 0, NULL, "x");
    (void)state;
    forget_all(s);
    sql("",
        "CREATE OR REPLACE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS \\$\\$ BEGIN"
        " IF NEW.batch = OLD.batch THEN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END IF;"
        " RETURN NEW; END \\$\\$;"
        " CREATE TRIGGER no_room BEFORE UPDATE ON gopmill_meta FOR EACH ROW EXECUTE FUNCTION "
        "no_room()",
        "");
    sql("", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "");
    sql("", "SELECT pg_reload_conf()", "");
    sql("(sleep 0.7; ", "ALTER SYSTEM RESET synchronous_standby_names", " >/dev/null 2>&1) &");
    sql("(sleep 1.2; ", "SELECT pg_reload_conf()", " >/dev/null 2>&1) &");
    sql("(sleep 0.6; ", END_SESSIONS, " >/dev/null 2>&1) &");
    sql("(sleep 2; ", "DROP TRIGGER no_room ON gopmill_meta", " >/dev/null 2>&1) &");
    ASSERT_OK(commit(s, &r, 1, NULL, &err));
    assert_int_equal(look(s).count, 1);
    ASSERT_OK(commit(s, &r, 1, NULL, &err));
    forget_all(s);
    gm_state_close(&s);
}

/* Who leads writes the table meanwhile: it would wait behind what waits for the dump. */
static void new_columns_wait_for_a_dump_without_holding_others_up(void **state)
{
    struct gm_err err = {0};
    struct gm_state *s = NULL;
    bool leads = false;
    (void)state;
    sql("", "ALTER TABLE gopmill_meta DROP COLUMN last_event", "");
    sql("", "BEGIN; LOCK gopmill_meta IN ACCESS SHARE MODE; SELECT pg_sleep(3); COMMIT",
        " >/dev/null 2>&1 &");
    sql("",
        "DO \\$\\$ BEGIN WHILE NOT EXISTS (SELECT 1 FROM pg_locks WHERE mode = 'AccessShareLock'"
        " AND relation = 'gopmill_meta'::regclass AND pid <> pg_backend_pid())"
        " LOOP PERFORM pg_sleep(0.02); END LOOP; END \\$\\$",
        "");
    ASSERT_OK(gm_state_open(url(), &s, &err));
    assert_int_equal(gm_state_lead(s, TAKEOVER, &leads, &err), -GM_E_STATE_AWAY);
    sql("", "SET lock_timeout = '1s'; UPDATE gopmill_meta SET lease_ms = 0", "");
    for (int i = 0; i < 300 && !leads; i++) {
        int rc = gm_state_lead(s, TAKEOVER, &leads, &err);
        assert_true(rc == 0 || rc == -GM_E_STATE_AWAY);
        (void)usleep(leads ? 0 : 20000);
    }
    assert_true(leads);
    gm_state_close(&s);
}

/* The commit's plan is made once, where the tables are most likely empty: it must be one for large
 * ones. The server counts what a session did when that ends. */
static void a_commit_reads_no_table_through(void **state)
{
    struct gm_err err = {0};
    struct gm_state *s = open_leading();
    (void)state;
    sql("", "VACUUM ANALYZE gopmill_row, gopmill_event", ""); /* small, as it knows now */
    sql("",
        "SELECT pg_stat_reset_single_table_counters(c) FROM (VALUES"
        " ('gopmill_row'::regclass), ('gopmill_event'::regclass)) AS t(c)",
        "");
    for (uint64_t i = 0; i < 20; i++) {
        const struct gm_state_event event = {
            .seq = 1000 + (int64_t)i, .job = 77, .type = "t", .json = "{}"};
        struct gm_row rows[] = {
            row(GM_ROW_JOB, 77, 0, NULL, "job"), row(GM_ROW_ITEM, 77, i, NULL, "item"),
            row(GM_ROW_ITEM, 77, i / 2, NULL, NULL), row(GM_ROW_JOB, 76, 0, NULL, NULL)};
        ASSERT_OK(commit(s, rows, 4, &event, &err));
    }
    struct gm_row gone = row(GM_ROW_JOB, 77, 0, NULL, NULL);
    ASSERT_OK(commit(s, &gone, 1, NULL, &err));
    gm_state_close(&s);
    sql("",
        "DO \\$\\$ BEGIN PERFORM pg_sleep(1.2); PERFORM pg_stat_clear_snapshot();"
        " IF (SELECT sum(seq_scan) <> 0 OR sum(idx_scan) < 40 OR sum(n_tup_ins) <> 40"
        " FROM pg_stat_user_tables WHERE relname IN ('gopmill_row', 'gopmill_event'))"
        " THEN RAISE EXCEPTION 'a table was read'; END IF; END \\$\\$",
        "");
}

static void what_can_not_be_read_is_refused(void **state)
{
    struct gm_err err = {0};
    struct gm_state *s = NULL;
    (void)state;
    assert_int_equal(gm_state_open("postgresql://x?no_such_option=1", &s, &err), -GM_E_CONFIG);
    assert_true(gm_state_is_shared("postgres://h/db"));
    assert_false(gm_state_is_shared("/var/lib/postgresql"));
}

static void no_password_is_shown(void **state)
{
    static const char *const shown[][2] = {
        {"postgresql://user:secret@host:5432/farm?password=secret", "postgresql://host:5432/farm"},
        {"postgres://host/farm?password=secret", "postgresql://host/farm"},
        {"postgresql://user:sec@ret@host/farm", "postgresql://host/farm"},
        {"postgresql://host/farm?user=u&password=sec@ret", "postgresql://..."},
        {"postgresql://host?password=sec@ret", "postgresql://..."},
        {"postgresql://user:sec/ret@host/farm", "postgresql://..."},
        {"/var/lib/gopmill", "/var/lib/gopmill"},
    };
    static const char *const refused[] = {
        "postgresql://user:100%sure@host/farm",    "postgresql://user:secret@[::1]x/farm",
        "postgresql://user:sec/ret@host/farm",     "postgresql://user:sec@ret@host/farm",
        "postgresql://host/farm?password=10%sure", "postgresql://user:10/sec@host/farm",
    };
    static const char *const parts[] = {"100",  "sure", "10", "secret",
                                        "sec/", "ret@", "\"", "sec@"};
    (void)state;
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        char *plain = gm_state_plain(shown[i][0]);
        assert_string_equal(plain, shown[i][1]);
        free(plain);
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct gm_err err = {0};
        struct gm_state *s = NULL;
        assert_int_equal(gm_state_open(refused[i], &s, &err), -GM_E_CONFIG);
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
            if (strstr(err.text, parts[k]) != NULL) {
                fail_msg("%s: %s", refused[i], err.text);
            }
        }
    }
}

/* Written with %, and behind a ?, an @ cuts nothing: such an address is taken. */
static void an_at_sign_may_be_in_a_name(void **state)
{
    static const char *const urls[] = {"postgresql://host/a%40b",
                                       "postgresql://host/ab?password=sec@ret"};
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct gm_err err = {0};
        struct gm_state *s = NULL;
        ASSERT_OK(gm_state_open(urls[i], &s, &err));
        gm_state_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(a_job_goes_with_all_it_has),
        cmocka_unit_test(events_come_in_order),
        cmocka_unit_test(tables_of_the_release_before_get_what_is_new),
        cmocka_unit_test(who_hangs_is_followed_and_can_do_nothing),
        cmocka_unit_test(a_term_knows_how_long_leases_of_the_one_before_last),
        cmocka_unit_test(a_longer_lease_is_forgotten_when_it_has_ended),
        cmocka_unit_test(a_new_standby_leaves_the_lock_to_who_led),
        cmocka_unit_test(who_follows_a_leader_that_ended_leads_at_once),
        cmocka_unit_test(a_broken_connection_loses_and_doubles_nothing),
        cmocka_unit_test(a_batch_whose_answer_is_lost_is_stored_once),
        cmocka_unit_test(a_stored_batch_is_not_told_as_one_without_room),
        cmocka_unit_test(new_columns_wait_for_a_dump_without_holding_others_up),
        cmocka_unit_test(a_commit_reads_no_table_through),
        cmocka_unit_test(what_can_not_be_read_is_refused),
        cmocka_unit_test(no_password_is_shown),
        cmocka_unit_test(an_at_sign_may_be_in_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
