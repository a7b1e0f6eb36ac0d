#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "scheduler/title.h"
#include "tests/common/scratch.h"

static struct gm_err err;

static void what_is_made_of_what_is_the_title(void **state)
{
    (void)state;
    Gm__PipelineTask task = GM__PIPELINE_TASK__INIT;
    Gm__PipelineTask *tasks[] = {&task};
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    char first[GM_TITLE_SIZE], other[GM_TITLE_SIZE];
    pipeline.tasks = tasks;
    pipeline.n_tasks = 1;
    task.name = (char *)(uintptr_t) "a";
    assert_int_equal(
        gm_title_make(&(struct gm_title_source){.url = "file:///a"}, &pipeline, first, &err), 0);
    assert_int_equal(strlen(first), GM_TITLE_SIZE - 1);
    pipeline.name = (char *)(uintptr_t) "another name";
    pipeline.early = true;
    assert_int_equal(
        gm_title_make(&(struct gm_title_source){.url = "file:///a"}, &pipeline, other, &err), 0);
    assert_string_equal(first, other);
    assert_int_equal(
        gm_title_make(&(struct gm_title_source){.url = "file:///b"}, &pipeline, other, &err), 0);
    assert_string_not_equal(first, other);
    task.name = (char *)(uintptr_t) "b";
    assert_int_equal(
        gm_title_make(&(struct gm_title_source){.url = "file:///a"}, &pipeline, other, &err), 0);
    assert_string_not_equal(first, other);
}

static void a_source_is_known_again(void **state)
{
    static const struct {
        struct gm_title_source first, other;
        bool same;
    } rows[] = {
        {{"upload:01jd3q7z0v8x5k2m4n6p8r0t2w", "film", "t", 5},
         {"upload:01jd3q7z0v8x5k2m4n6p8r0t2x", "film", "t", 5},
         true},
        {{"upload:01jd3q7z0v8x5k2m4n6p8r0t2w", "film", "t", 5},
         {"upload:01jd3q7z0v8x5k2m4n6p8r0t2w", "other", "t", 5},
         false},
        {{"upload:01jd3q7z0v8x5k2m4n6p8r0t2w", "film", "t", 5},
         {"upload:01jd3q7z0v8x5k2m4n6p8r0t2w", "film", "u", 5},
         false},
        {{"upload:01jd3q7z0v8x5k2m4n6p8r0t2w", "film", "t", 5},
         {"upload:01jd3q7z0v8x5k2m4n6p8r0t2w", "film", "t", 6},
         false},
        {{.url = "https://h/a?s=1"}, {.url = "https://h/a?s=2"}, true},
        {{.url = "https://h/a?s=1"}, {.url = "https://h/a"}, true},
        {{.url = "https://h/a?s=1"}, {.url = "https://h/b?s=1"}, false},
        {{.url = "file:///a?1"}, {.url = "file:///a?2"}, false},
    };
    (void)state;
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char first[GM_TITLE_SIZE], other[GM_TITLE_SIZE];
        assert_int_equal(gm_title_make(&rows[i].first, &pipeline, first, &err), 0);
        assert_int_equal(gm_title_make(&rows[i].other, &pipeline, other, &err), 0);
        assert_int_equal(strcmp(first, other) == 0, rows[i].same);
    }
}

#define REPORT(id, state, pub, title, source)                                                      \
    "{\"job\": {\"id\": \"" id "\", \"state\": \"" state "\", \"publication\": \"" pub             \
    "\", \"title\": \"" title "\", \"source\": \"" source "\"}}"

static void another_title_is_not_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *report;
        bool manifest;
        int rc;
    } rows[] = {
        {NULL, false, 0},
        {NULL, true, -GM_E_TITLE_EXISTS},
        {"not a report", true, -GM_E_TITLE_EXISTS},
        {"not a report", false, 0},
        {REPORT("x", "done", "p0", "t0", "s"), false, -GM_E_TITLE_EXISTS},
        {REPORT("x", "done", "p0", "t0", "s"), true, -GM_E_TITLE_EXISTS},
        {REPORT("x", "failed", "p0", "t0", "s"), true, -GM_E_TITLE_EXISTS},
        {REPORT("x", "failed", "p0", "t0", "s"), false, 0},
        {REPORT("x", "done", "p0", "t", "s0"), true, 0},
        {REPORT("x", "failed", "p0", "t", "s0"), true, 0},
        {REPORT("x", "done", "p", "t0", "s0"), true, 0},
        {REPORT("job", "done", "p0", "t0", "s0"), true, 0},
        {REPORT("x", "done", "p0", "", "s"), true, 0},
        {REPORT("x", "done", "p0", "", "s0"), true, -GM_E_TITLE_EXISTS},
        {REPORT("x", "done", "", "t0", "s"), true, -GM_E_TITLE_EXISTS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_title_own own = {
            .job_id = "job", .title = "t", .source = "s", .publication = "p"};
        struct scratch s;
        struct gm_store *store = NULL;
        char url[128];
        scratch_make(&s);
        snprintf(url, sizeof(url), "file://%s", s.path);
        assert_int_equal(gm_store_open(url, false, &store, &err), 0);
        if (rows[i].report != NULL) {
            assert_int_equal(gm_store_put_bytes(store, "report.json", rows[i].report,
                                                strlen(rows[i].report), &err),
                             0);
        }
        if (rows[i].manifest) {
            assert_int_equal(gm_store_put_bytes(store, "manifest.mpd", "x", 1, &err), 0);
        }
        if (gm_title_check(store, &own, &err) != rows[i].rc) {
            fail_msg("row %zu", i);
        }
        gm_store_close(&store);
        scratch_remove(&s);
    }
}

/* Nobody can say whose it is; --replace does not ask. */
static void a_report_that_is_too_large_is_anybodys(void **state)
{
    (void)state;
    struct gm_title_own own = {.job_id = "job", .title = "t", .source = "s", .publication = "p"};
    struct scratch s;
    struct gm_store *store = NULL;
    char url[128];
    scratch_make(&s);
    snprintf(url, sizeof(url), "file://%s", s.path);
    assert_int_equal(gm_store_open(url, false, &store, &err), 0);
    int fd = open(scratch_path(&s, "report.json"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(ftruncate(fd, (64 << 20) + 1), 0);
    close(fd);
    assert_int_equal(gm_title_check(store, &own, &err), 0);
    assert_int_equal(gm_store_put_bytes(store, "manifest.mpd", "x", 1, &err), 0);
    assert_int_equal(gm_title_check(store, &own, &err), -GM_E_TITLE_EXISTS);
    assert_non_null(strstr(err.text, "too large"));
    gm_store_close(&store);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_made_of_what_is_the_title),
        cmocka_unit_test(a_source_is_known_again),
        cmocka_unit_test(another_title_is_not_replaced),
        cmocka_unit_test(a_report_that_is_too_large_is_anybodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
