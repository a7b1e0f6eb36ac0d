#include "tests/scheduler/helper.h"

#include "scheduler/lazy.h"

static struct gm_row row(enum gm_row_kind kind, uint64_t job, uint64_t number, const char *data)
{
    struct gm_row r = {.key = {.kind = kind, .job = job, .number = number}};
    r.data = data != NULL ? (uint8_t *)strdup(data) : NULL;
    r.size = data != NULL ? strlen(data) : 0;
    return r;
}

static void put(struct gm_lazy **lazy, uint64_t job, uint64_t number, const char *data, gm_time now)
{
    struct gm_err err = {0};
    struct gm_row r = row(GM_ROW_ATTEMPT, job, number, data);
    ASSERT_OK(gm_lazy_put(lazy, &r, now, &err));
    assert_null(r.data);
}

static void drop(struct gm_lazy **lazy, enum gm_row_kind kind, uint64_t job, uint64_t number,
                 const char *data)
{
    struct gm_row r = row(kind, job, number, data);
    gm_lazy_drop(lazy, &r);
    gm_row_fini(&r);
}

/* All that are taken until then, as "job/number=data ". */
static void check_taken(struct gm_lazy **lazy, gm_time now, const char *text)
{
    char all[256] = "";
    struct gm_row r;
    while (gm_lazy_take(lazy, now, &r)) {
        size_t length = strlen(all);
        (void)snprintf(all + length, sizeof all - length, "%llu/%llu=%.*s ",
                       (unsigned long long)r.key.job, (unsigned long long)r.key.number, (int)r.size,
                       (const char *)r.data);
        gm_row_fini(&r);
    }
    assert_string_equal(all, text);
}

static void rows_wait_their_time_and_go_in_order(void **state)
{
    struct gm_lazy *lazy = NULL;
    (void)state;
    assert_int_equal(gm_lazy_due(lazy), 0);
    put(&lazy, 1, 2, "b", 100);
    put(&lazy, 1, 1, "a", 200);
    put(&lazy, 1, 2, "c", 300); /* says more, and waits no longer */
    assert_true(gm_lazy_due(lazy) == 100 + GM_LAZY_WAIT);
    assert_int_equal(gm_lazy_next(lazy, NULL)->key.number, 2);
    assert_int_equal(gm_lazy_next(lazy, gm_lazy_next(lazy, NULL))->key.number, 1);
    check_taken(&lazy, 99 + GM_LAZY_WAIT, "");
    check_taken(&lazy, 100 + GM_LAZY_WAIT, "1/2=c ");
    put(&lazy, 9, 9, "d", 400);
    check_taken(&lazy, INT64_MAX, "1/1=a 9/9=d ");
    assert_null(lazy);
}

static void later_rows_make_them_needless(void **state)
{
    struct gm_lazy *lazy = NULL;
    (void)state;
    drop(&lazy, GM_ROW_ATTEMPT, 1, 1, "x");
    for (uint64_t job = 1; job <= 3; job++) {
        put(&lazy, job, 1, "a", 0);
        put(&lazy, job, 2, "b", 0);
    }
    drop(&lazy, GM_ROW_ATTEMPT, 1, 2, "more");
    drop(&lazy, GM_ROW_ATTEMPT, 3, 1, NULL);
    drop(&lazy, GM_ROW_JOB, 3, 0, "a job that stays");
    drop(&lazy, GM_ROW_JOB, 2, 0, NULL); /* and all of its rows */
    drop(&lazy, GM_ROW_TASK, 1, 1, NULL);
    check_taken(&lazy, INT64_MAX, "1/1=a 3/2=b ");
    put(&lazy, 1, 1, "left", 0);
    gm_lazy_fini(&lazy);
    assert_null(lazy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_wait_their_time_and_go_in_order),
        cmocka_unit_test(later_rows_make_them_needless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
