#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/query.h"

static int make(struct gm_args *args, struct gm_query *q, struct gm_err *err)
{
    memset(q, 0, sizeof *q);
    args->operands[0] = args->operand;
    return gm_query_make(args, q, err);
}

static void each_command_asks_its_path(void **state)
{
    static const struct {
        enum gm_command command;
        const char *operand, *method, *path;
        bool once;
    } rows[] = {
        {GM_CMD_JOB_SHOW, "j/1", "GET", "/v1/jobs/j%2F1", false},
        {GM_CMD_JOB_RETRY, "j1", "POST", "/v1/jobs/j1:retry", true},
        {GM_CMD_JOB_TASKS, "j1", "GET", "/v1/jobs/j1/tasks", false},
        {GM_CMD_JOB_ATTEMPTS, "j1", "GET", "/v1/jobs/j1/attempts?", false},
        {GM_CMD_JOB_LOGS, "j1", "GET", "/v1/jobs/j1/logs?", false},
        {GM_CMD_JOB_REPORT, "j1", "GET", "/v1/jobs/j1/report", false},
        {GM_CMD_UPLOADS_LIST, NULL, "GET", "/v1/uploads", false},
        {GM_CMD_UPLOADS_SHOW, "upload:u1", "GET", "/v1/uploads/u1", false},
        {GM_CMD_UPLOADS_DELETE, "u1", "DELETE", "/v1/uploads/u1", false},
        {GM_CMD_ASSET_SHOW, "j 1", "GET", "/v1/assets/j%201", false},
        {GM_CMD_ASSET_DELETE, "j 1", "DELETE", "/v1/assets/j%201", false},
        {GM_CMD_ASSET_LIST, NULL, "GET", "/v1/assets?", false},
        {GM_CMD_FARM, NULL, "GET", "/v1/farm", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_args args = {.command = rows[i].command, .operand = rows[i].operand};
        struct gm_query q;
        struct gm_err err;
        assert_int_equal(make(&args, &q, &err), 0);
        assert_string_equal(q.method, rows[i].method);
        assert_string_equal(q.path, rows[i].path);
        assert_int_equal(q.once, rows[i].once);
        assert_non_null(q.print);
        json_decref(q.body);
    }
}

static void filters_are_escaped(void **state)
{
    struct gm_args args = {.command = GM_CMD_JOB_LIST,
                           .state = "done",
                           .tenant = "a",
                           .pipeline = "p",
                           .external_id = "x&y",
                           .query = "a b"};
    struct gm_query q;
    struct gm_err err;
    (void)state;
    assert_int_equal(make(&args, &q, &err), 0);
    assert_string_equal(q.path,
                        "/v1/jobs?state=done&tenant=a&pipeline=p&external_id=x%26y&q=a%20b&");
    args.state = "runing";
    assert_int_equal(make(&args, &q, &err), -GM_E_INVAL);
    assert_non_null(strstr(err.text, "did you mean `running`"));
    char large[2000];
    memset(large, '/', sizeof large);
    large[sizeof large - 1] = '\0';
    args.state = NULL;
    args.query = large;
    assert_int_equal(make(&args, &q, &err), -GM_E_INVAL);
}

static void a_priority_is_a_number(void **state)
{
    static const char *const wrong[] = {"", "x", "101", "-1", "5x"};
    struct gm_args args = {
        .command = GM_CMD_JOB_PRIORITY, .operand = "j1", .operands = {"j1", "80"}};
    struct gm_query q = {0};
    struct gm_err err;
    (void)state;
    assert_int_equal(gm_query_make(&args, &q, &err), 0);
    assert_string_equal(q.path, "/v1/jobs/j1:priority");
    assert_int_equal(json_integer_value(json_object_get(q.body, "priority")), 80);
    json_decref(q.body);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        args.operands[1] = wrong[i];
        assert_int_equal(gm_query_make(&args, &q, &err), -GM_E_INVAL);
    }
}

static void deliveries_are_named_by_job_or_id(void **state)
{
    static const struct {
        const char *operand, *body;
    } rows[] = {{"j1", "{\"job\":\"j1\"}"}, {"7/job", "{\"id\":\"7/job\"}"}, {NULL, "{}"}};
    struct gm_args args = {.command = GM_CMD_EVENTS_LIST, .limit = 100};
    struct gm_query q;
    struct gm_err err;
    (void)state;
    assert_int_equal(make(&args, &q, &err), 0);
    assert_string_equal(q.path, "/v1/events/dead?limit=100");
    args.waiting = true;
    assert_int_equal(make(&args, &q, &err), 0);
    assert_string_equal(q.path, "/v1/events/waiting?limit=100");
    args.dead = true;
    assert_int_equal(make(&args, &q, &err), -GM_E_INVAL);
    args.command = GM_CMD_EVENTS_REDELIVER;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        args.operand = rows[i].operand;
        args.all = rows[i].operand == NULL;
        assert_int_equal(make(&args, &q, &err), 0);
        assert_string_equal(q.method, "POST");
        assert_string_equal(q.path, "/v1/events:redeliver");
        assert_true(q.once);
        char *body = json_dumps(q.body, JSON_COMPACT);
        assert_non_null(body);
        assert_string_equal(body, rows[i].body);
        free(body);
        json_decref(q.body);
    }
    args.operand = "\xff";
    args.all = false;
    assert_int_equal(make(&args, &q, &err), -GM_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deliveries_are_named_by_job_or_id),
        cmocka_unit_test(each_command_asks_its_path),
        cmocka_unit_test(filters_are_escaped),
        cmocka_unit_test(a_priority_is_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
