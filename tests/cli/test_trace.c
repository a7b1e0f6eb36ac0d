#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/trace.h"

#define NOW INT64_C(1767225660000) /* 2026-01-01T00:01:00Z */

/* Single quotes stand for double ones. */
static json_t *parsed(const char *json)
{
    char *text = strdup(json);
    json_error_t error;
    assert_non_null(text);
    for (char *c = text; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    json_t *j = json_loads(text, 0, &error);
    if (j == NULL) {
        fail_msg("%s at %d", error.text, error.position);
    }
    free(text);
    return j;
}

static json_t *traced(const char *job, const char *tasks, const char *attempts, const char *lines)
{
    json_t *parts[] = {parsed(job), parsed(tasks), parsed(attempts), parsed(lines)};
    const struct gm_trace_facts facts = {parts[0], parts[1], parts[2], parts[3], NOW};
    json_t *trace = gm_trace_json(&facts);
    assert_non_null(trace);
    for (int i = 0; i < 4; i++) {
        json_decref(parts[i]);
    }
    return trace;
}

static int64_t number(const json_t *event, const char *key)
{
    const json_t *value = json_object_get(event, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static const char *text(const json_t *event, const char *key)
{
    const char *value = json_string_value(json_object_get(event, key));
    assert_non_null(value);
    return value;
}

/* Complete events of one thread lie apart or within each other. */
static void lies_well(const json_t *a, const json_t *b)
{
    int64_t from = number(a, "ts"), to = from + number(a, "dur");
    int64_t since = number(b, "ts"), until = since + number(b, "dur");
    bool apart = to <= since || until <= from;
    bool nested = (from <= since && until <= to) || (since <= from && to <= until);
    if (!apart && !nested) {
        fail_msg("`%s` and `%s` overlap", text(a, "name"), text(b, "name"));
    }
}

/* What the format asks of every event. */
static void is_well_formed(const json_t *trace)
{
    const json_t *events = json_object_get(trace, "traceEvents");
    size_t i, k;
    const json_t *a, *b;
    assert_true(json_array_size(events) > 0);
    json_array_foreach(events, i, a)
    {
        const char *ph = text(a, "ph");
        assert_true(number(a, "pid") > 0);
        (void)number(a, "tid");
        if (strcmp(ph, "M") == 0) {
            assert_true(json_is_object(json_object_get(a, "args")));
            continue;
        }
        assert_true(strcmp(ph, "X") == 0 || strcmp(ph, "i") == 0);
        assert_true(number(a, "ts") >= 0);
        if (strcmp(ph, "i") == 0) {
            assert_string_equal(text(a, "s"), "p");
            continue;
        }
        assert_true(number(a, "dur") >= 0);
        json_array_foreach(events, k, b)
        {
            if (k > i && strcmp(text(b, "ph"), "X") == 0 && number(a, "pid") == number(b, "pid") &&
                number(a, "tid") == number(b, "tid")) {
                lies_well(a, b);
            }
        }
    }
}

static const json_t *event(const json_t *trace, const char *ph, const char *name)
{
    size_t i;
    const json_t *e;
    json_array_foreach(json_object_get(trace, "traceEvents"), i, e)
    {
        if (strcmp(text(e, "ph"), ph) == 0 && strcmp(text(e, "name"), name) == 0) {
            return e;
        }
    }
    fail_msg("no event `%s`", name);
    return NULL;
}

#define JOB                                                                                        \
    "{'id': 'j1', 'pipeline': 'p', 'state': 'done', 'created': '2026-01-01T00:00:00.000Z', "       \
    "'started': '2026-01-01T00:00:01.500Z', 'finished': '2026-01-01T00:00:20.000Z'}"
#define TASKS                                                                                      \
    "[{'name': 'inspect', 'needs': [], 'streams': []}, "                                           \
    "{'name': 'encode', 'needs': ['inspect'], 'streams': []}]"
#define ATTEMPT(number, task, chunk, node, from, to, outcome)                                      \
    "{'number': " #number ", 'task': '" task "', 'instance': 0, 'first_chunk': " #chunk            \
    ", 'chunks': 1, 'node': '" node "', 'device': 'cpu', 'started': '2026-01-01T00:00:" from       \
    "Z', 'ended': '2026-01-01T00:00:" to "Z', 'outcome': '" outcome "', 'code': null}"
#define ATTEMPTS                                                                                   \
    "[" ATTEMPT(1, "inspect", 0, "n1", "01.500", "02.000", "done") "," ATTEMPT(                    \
        2, "encode", 0, "n1", "04.000", "10.000",                                                  \
        "failed") "," ATTEMPT(3, "encode", 1, "n1", "05.000", "12.000",                            \
                              "done") "," ATTEMPT(4, "encode", 2, "n2", "05.000", "09.000",        \
                                                  "done") "," ATTEMPT(5, "encode", 0, "n2",        \
                                                                      "11.000", "15.250",          \
                                                                      "done") "]"
#define LINES                                                                                      \
    "[{'time': '2026-01-01T00:00:10.000Z', 'level': 'warn', 'text': 'Attempt 2 failed.', "         \
    "'task': 'encode', 'node': 'n1'}, "                                                            \
    "{'time': '2026-01-01T00:00:20.000Z', 'level': 'info', 'text': 'The job is done.', "           \
    "'task': null, 'node': null}]"

static void a_course_becomes_processes_threads_and_spans(void **state)
{
    (void)state;
    json_t *trace = traced(JOB, TASKS, ATTEMPTS, LINES);
    is_well_formed(trace);
    const json_t *again = event(trace, "X", "encode 2");
    assert_int_equal(number(again, "ts"), 5000000);
    assert_int_equal(number(again, "dur"), 4000000);
    assert_string_equal(text(json_object_get(again, "args"), "node"), "n2");
    /* two at once on n1's processor: two threads; each node a process */
    const json_t *one = event(trace, "X", "encode 0"), *two = event(trace, "X", "encode 1");
    assert_int_equal(number(one, "pid"), number(two, "pid"));
    assert_int_not_equal(number(one, "tid"), number(two, "tid"));
    assert_int_not_equal(number(one, "pid"), number(again, "pid"));
    assert_int_equal(number(event(trace, "X", "queued"), "dur"), 1500000);
    assert_int_equal(number(event(trace, "X", "publish"), "ts"), 15250000);
    assert_int_equal(number(event(trace, "X", "encode 0 waits for a place"), "dur"), 2000000);
    assert_int_equal(number(event(trace, "X", "encode 0 waits to be tried again"), "dur"), 1000000);
    assert_int_equal(number(event(trace, "i", "Attempt 2 failed."), "pid"), number(one, "pid"));
    assert_int_equal(number(event(trace, "i", "The job is done."), "pid"), 1);
    json_decref(trace);
}

/* A job that runs yet, a clock that was set back, texts that are not what they should be. */
static void what_is_odd_stays_well_formed(void **state)
{
    static const char *const rows[][4] = {
        {"{'id': 'j1', 'state': 'running', 'created': '2026-01-01T00:00:00.000Z', 'started': "
         "'2026-01-01T00:00:01.000Z', 'finished': null}",
         "[]",
         "[{'number': 1, 'task': 'plan', 'node': 'n1', 'device': 'cpu', 'started': "
         "'2026-01-01T00:00:02.000Z', 'ended': null, 'outcome': 'running'}]",
         "[]"},
        {JOB, TASKS,
         "[" ATTEMPT(1, "inspect", 0, "n1", "09.000", "03.000",
                     "done") "," ATTEMPT(2, "encode", 0, "n1", "02.000", "04.000", "done") "]",
         "[{'time': '2025-12-31T23:59:59.000Z', 'level': 'info', 'text': 'early \\u0007\\\"'}]"},
        {"{}", "[1, {'needs': 7}]", "[{'started': 'x'}, null]", "[{}, 'x']"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *trace = traced(rows[i][0], rows[i][1], rows[i][2], rows[i][3]);
        is_well_formed(trace);
        json_decref(trace);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_course_becomes_processes_threads_and_spans),
        cmocka_unit_test(what_is_odd_stays_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
