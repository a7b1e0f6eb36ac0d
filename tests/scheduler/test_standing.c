#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "scheduler/standing.h"
#include "tests/common/scratch.h"

#define PUB "0123456789abcdef"

static struct gm_err err;

static void what_is_finished_there_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *key, *content;
        bool report, result;
    } rows[] = {
        {"report.json", "{\"job\": {\"state\": \"done\", \"publication\": \"" PUB "\"}}", true,
         true},
        {"report.json",
         "{\"job\": {\"id\": \"job\", \"state\": \"done\", \"publication\": \"" PUB "\"}}", false,
         false},
        {"report.json", "{\"job\": {\"state\": \"failed\", \"publication\": \"" PUB "\"}}", false,
         false},
        {"report.json", "{\"job\": {\"state\": \"done\", \"publication\": \"0\"}}", false, false},
        {"report.json", "{\"job\": {\"state\": 3, \"publication\": []}}", false, false},
        {"report.json", "[\"done\", \"" PUB "\"]", false, false},
        {"report.json", "{\"job\": ", false, false},
        {"report.json", "", false, false},
        {"master.m3u8", "#EXTM3U\nv/" PUB "/video/240p/media.m3u8\n", false, true},
        {"master.m3u8", "#EXTM3U\nv/" PUB "0/video/240p/media.m3u8\n", false, false},
        {"master.m3u8", "", false, false},
        {"manifest.mpd", "<BaseURL>v/" PUB "/</BaseURL>", false, true},
        {"manifest.mpd", "v/" PUB, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scratch s;
        struct gm_store *store = NULL;
        char url[128];
        bool report = !rows[i].report, result = !rows[i].result;
        scratch_make(&s);
        snprintf(url, sizeof(url), "file://%s", s.path);
        assert_int_equal(gm_store_open(url, false, &store, &err), 0);
        assert_int_equal(
            gm_store_put_bytes(store, rows[i].key, rows[i].content, strlen(rows[i].content), &err),
            0);
        assert_int_equal(gm_standing_report(store, PUB, "job", &report, &err), 0);
        assert_int_equal(gm_standing_result(store, PUB, "job", &result, &err), 0);
        if (report != rows[i].report || result != rows[i].result) {
            fail_msg("%s: `%s`", rows[i].key, rows[i].content);
        }
        assert_int_equal(gm_standing_result(store, "", "job", &result, &err), 0);
        assert_false(result);
        gm_store_close(&store);
        scratch_remove(&s);
    }
}

static void an_empty_folder_has_nothing_and_an_odd_one_fails(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_store *store = NULL;
    char url[128];
    bool stands = true;
    scratch_make(&s);
    snprintf(url, sizeof(url), "file://%s", s.path);
    assert_int_equal(gm_store_open(url, false, &store, &err), 0);
    assert_int_equal(gm_standing_result(store, PUB, "job", &stands, &err), 0);
    assert_false(stands);
    stands = true;
    assert_int_equal(mkdir(scratch_path(&s, "manifest.mpd"), 0755), 0);
    int rc = gm_standing_result(store, PUB, "job", &stands, &err);
    assert_true(rc < 0 ? stands : !stands);
    gm_store_close(&store);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_finished_there_is_found),
        cmocka_unit_test(an_empty_folder_has_nothing_and_an_odd_one_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
