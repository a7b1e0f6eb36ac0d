#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/top.h"
#include "common/fs.h"

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

#define FARM                                                                                       \
    "{'version': '0.1.0', 'now': '2026-01-01T12:00:00.000Z', 'ready': true, 'reasons': [], "       \
    "'queue': {'jobs': 2, 'tasks_ready': 12, 'oldest_wait_s': 75.2}, 'jobs': {'queued': 2, "       \
    "'running': 1, 'done': 0}, 'throughput': {'fps': 120.04, 'pixels_per_s': 250100000, 'speed': " \
    "4.001}, 'nodes': {'connected': 2, 'draining': 0, 'gone': 1}, 'slots': 8, 'slots_used': 3}"
static const char NODES[] =
    "[{'id': 'rack-1', 'state': 'connected', 'connected': true, 'leases': [{'device': 'cpu', "
    "'task': 'video'}, {'device': 'cpu', 'task': 'audio'}], 'devices': ["
    "{'id': 'cpu', 'kind': 'cpu', 'capacity': {'slots': 4, 'cpus': 8.0}, 'used': {'slots': 2, "
    "'cpus': 2.5}}, "
    "{'id': 'g0', 'kind': 'nvidia', 'capacity': {'slots': 2, 'cpus': 8.0}, 'used': {'slots': 1, "
    "'cpus': 2.5}, 'quarantine': {'state': 'quarantined', 'why': 'two tasks failed'}}, "
    "{'id': 'g1', 'kind': 'nvidia', 'capacity': {'slots': 0}}]}, "
    "{'id': 'rack-2', 'state': 'draining', 'connected': false, 'leases': [], 'devices': ["
    "{'id': 'cpu', 'kind': 'cpu', 'capacity': {'slots': 4, 'cpus': 8.0}, 'used': {'slots': 0, "
    "'cpus': 2.5}}]}]";
#define JOB(id, phase, done, more)                                                                 \
    "{'id': '" id "', 'state': 'running', 'source': 'file:///in/a\\u001b[2Jb.mov', 'progress': "   \
    "{'phase': '" phase "', 'frames_done': " #done ", 'frames_total': 200" more "}}"
#define JOBS                                                                                       \
    "[" JOB("01m848wp4z4z7zxzp476ytwv22", "encode", 50, ", 'speed': 1.5, 'eta_s': 61") ", " JOB(   \
        "01m848wp4z4z7zxzp476ytwv23", "queued", 0, "") "]"

static void frame_is(unsigned width, unsigned height, unsigned scroll, const char *problem)
{
    char path[512];
    uint8_t *expected = NULL;
    size_t size = 0;
    struct gm_err err = {0};
    json_t *farm = parsed(FARM), *nodes = parsed(NODES), *jobs = parsed(JOBS);
    const struct gm_top_facts facts = {farm, nodes, jobs, false, problem, scroll};
    char *frame = gm_top_frame(&facts, width, height);
    assert_non_null(frame);
    snprintf(path, sizeof path, GM_SOURCE_DIR "/tests/cli/top/%ux%u.txt", width, height);
    if (gm_fs_read(path, 1 << 20, &expected, &size, &err) < 0) {
        fail_msg("%s; the frame is:\n%s", err.text, frame);
    }
    if (strcmp(frame, (const char *)expected) != 0) {
        fail_msg("%s is not:\n%s", path, frame);
    }
    unsigned lines = 1;
    for (const char *c = frame; *c != '\0'; c++) {
        lines += *c == '\n' ? 1 : 0;
    }
    assert_int_equal(lines, height);
    free(expected);
    free(frame);
    json_decref(farm);
    json_decref(nodes);
    json_decref(jobs);
}

static void a_frame_fits_the_terminal(void **state)
{
    (void)state;
    frame_is(80, 24, 0, NULL);
    frame_is(40, 10, 1, "cut off: nobody\033 there");
    frame_is(200, 60, 7, NULL); /* there are not so many jobs */
}

/* FARM has three of them. */
static void jobs_that_are_not_in_the_list_are_counted(void **state)
{
    json_t *farm = parsed(FARM), *jobs = parsed(JOBS);
    (void)state;
    const struct gm_top_facts facts = {.farm = farm, .jobs = jobs, .cut = true};
    char *frame = gm_top_frame(&facts, 80, 24);
    assert_non_null(frame);
    assert_non_null(strstr(frame, "\n(1 more)"));
    free(frame);
    json_decref(farm);
    json_decref(jobs);
}

static void any_size_and_any_document_is_drawn(void **state)
{
    static const char *const documents[] = {"{}", "[]", "{'jobs': 7, 'queue': [], 'nodes': null}"};
    (void)state;
    for (unsigned height = 0; height < 12; height++) {
        for (size_t i = 0; i < 3; i++) {
            json_t *j = parsed(documents[i]);
            const struct gm_top_facts facts = {i == 1 ? NULL : j, j, j, true, NULL, 3};
            char *frame = gm_top_frame(&facts, height * 3, height);
            assert_true(frame != NULL || height == 0);
            free(frame);
            json_decref(j);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_fits_the_terminal),
        cmocka_unit_test(jobs_that_are_not_in_the_list_are_counted),
        cmocka_unit_test(any_size_and_any_document_is_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
