#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scheduler/standing.h"
#include "tests/common/scratch.h"

#define PUB "0123456789abcdef"

static struct gm_err err;

static struct gm_store *open_store(struct scratch *s)
{
    struct gm_store *store = NULL;
    char url[128];
    scratch_make(s);
    snprintf(url, sizeof(url), "file://%s", s->path);
    assert_int_equal(gm_store_open(url, false, &store, &err), 0);
    return store;
}

static void what_is_finished_there_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *key, *content;
        bool report, result; /* of another job that is done; of that publication */
    } rows[] = {
        {"report.json", "{\"job\": {\"state\": \"done\", \"publication\": \"" PUB "\"}}", true,
         true},
        {"report.json",
         "{\"job\": {\"id\": \"job\", \"state\": \"done\", \"publication\": \"" PUB "\"}}", false,
         false},
        {"report.json", "{\"job\": {\"state\": \"failed\", \"publication\": \"" PUB "\"}}", false,
         false},
        {"report.json", "{\"job\": {\"state\": \"done\", \"publication\": \"0\"}}", true, false},
        {"report.json", "{\"job\": {\"state\": \"done\"}}", true, false},
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
        struct gm_standing standing;
        struct gm_store *store = open_store(&s);
        bool report = !rows[i].report;
        assert_int_equal(
            gm_store_put_bytes(store, rows[i].key, rows[i].content, strlen(rows[i].content), &err),
            0);
        assert_int_equal(gm_standing_report(store, "job", &report, &err), 0);
        assert_int_equal(gm_standing_read(store, "job", &standing, &err), 0);
        if (report != rows[i].report || gm_standing_has(&standing, PUB) != rows[i].result) {
            fail_msg("%s: `%s`", rows[i].key, rows[i].content);
        }
        assert_false(gm_standing_has(&standing, ""));
        gm_standing_fini(&standing);
        gm_store_close(&store);
        scratch_remove(&s);
    }
}

static void an_empty_folder_has_nothing(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_standing standing;
    struct gm_store *store = open_store(&s);
    bool report = true;
    assert_int_equal(mkdir(scratch_path(&s, "manifest.mpd"), 0755), 0); /* no object */
    assert_int_equal(gm_standing_report(store, "job", &report, &err), 0);
    assert_false(report);
    assert_int_equal(gm_standing_read(store, "job", &standing, &err), 0);
    assert_false(gm_standing_has(&standing, PUB));
    gm_standing_fini(&standing);
    gm_store_close(&store);
    scratch_remove(&s);
}

/* What can't be read, or is too large, may be anybody's. */
static void what_can_not_be_looked_at_is_an_error(void **state)
{
    static const char *const keys[] = {"report.json", "master.m3u8", "manifest.mpd"};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct scratch s;
        struct gm_standing standing = {.sizes = {7, 7}};
        struct gm_store *store = open_store(&s);
        const char *path = scratch_path(&s, keys[i / 2]);
        if (i % 2 == 0) {
            assert_int_equal(mkfifo(path, 0644), 0);
        } else {
            int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
            assert_true(fd >= 0);
            assert_int_equal(ftruncate(fd, (64 << 20) + 1), 0);
            close(fd);
        }
        assert_int_equal(gm_standing_read(store, "job", &standing, &err),
                         i % 2 == 0 ? -GM_E_STORE_DENIED : -GM_E_LIMIT);
        assert_int_equal(standing.sizes[0], 7);
        gm_store_close(&store);
        scratch_remove(&s);
    }
}

static void files_that_a_text_names_are_struck_off(void **state)
{
    (void)state;
    static char *const texts[] = {"master.m3u8", "v/" PUB "/video/media.m3u8", "v/" PUB "/none"};
    static const char *const names[] = {"a/seg-1.m4s",         "v/" PUB "/seg-1.m4s",
                                        "v/" PUB "/seg-2.m4s", "v/" PUB "/seg-3.m4s",
                                        "seg-4.m4s",           "v/" PUB "/seg-5.m4s"};
    static const char list[] = "#EXTM3U\n#EXTINF:6,\nseg-1.m4s\n../seg-3.m4s\n";
    struct scratch s;
    struct gm_store *store = open_store(&s);
    char *keys[6];
    size_t count = 6;
    for (size_t i = 0; i < 6; i++) {
        keys[i] = strdup(names[i]);
    }
    assert_int_equal(gm_store_put_bytes(store, texts[0], "seg-5.m4s", 9, &err), 0);
    assert_int_equal(gm_store_put_bytes(store, texts[1], list, strlen(list), &err), 0);
    assert_int_equal(gm_standing_strike(store, texts, 3, keys, 1, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_string_equal(keys[0], "a/seg-1.m4s"); /* it was not to be looked at */
    assert_string_equal(keys[1], "v/" PUB "/seg-2.m4s");
    assert_string_equal(keys[2], "seg-4.m4s");
    assert_int_equal(unlink(scratch_path(&s, "master.m3u8")), 0);
    assert_int_equal(mkfifo(scratch_path(&s, "master.m3u8"), 0644), 0);
    assert_int_equal(gm_standing_strike(store, texts, 3, keys, 0, &count, &err),
                     -GM_E_STORE_DENIED);
    for (size_t i = 0; i < count; i++) {
        free(keys[i]);
    }
    gm_store_close(&store);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_a_text_names_are_struck_off),
        cmocka_unit_test(what_is_finished_there_is_found),
        cmocka_unit_test(an_empty_folder_has_nothing),
        cmocka_unit_test(what_can_not_be_looked_at_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
