#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scheduler/replaced.h"
#include "tests/common/scratch.h"

#define OLD "00000000000000aa"
#define NEW "00000000000000bb"

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

static void put(struct gm_store *store, const char *key, const char *text)
{
    assert_int_equal(gm_store_put_bytes(store, key, text, strlen(text), &err), 0);
}

static bool has(struct gm_store *store, const char *key)
{
    struct gm_store_stat stat;
    return gm_store_head(store, key, &stat, &err) == 0;
}

static void stands(struct gm_store *store, const char *job, const char *publication)
{
    char text[256];
    snprintf(text, sizeof(text),
             "{\"job\": {\"id\": \"%s\", \"state\": \"done\", \"publication\": \"%s\"}}", job,
             publication);
    put(store, "report.json", text);
}

static void what_stands_of_another_is_noted_once(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_store *store = open_store(&s);
    struct gm_replaced r = {0};
    bool any = true;
    assert_int_equal(gm_replaced_note(store, "b", NEW, 1000, &any, &err), 0);
    assert_false(any); /* nothing stood there */
    stands(store, "a", NEW);
    assert_int_equal(gm_replaced_note(store, "b", NEW, 1000, &any, &err), 0);
    assert_false(any); /* the same */
    stands(store, "a", "../" OLD);
    assert_int_equal(gm_replaced_note(store, "b", NEW, 1000, &any, &err), 0);
    assert_false(any); /* no name of a folder */
    stands(store, "a", OLD);
    assert_int_equal(gm_replaced_note(store, "b", NEW, 1000, &any, &err), 0);
    assert_true(any);
    stands(store, "b", NEW); /* died behind it: all again */
    assert_int_equal(gm_replaced_note(store, "b", NEW, 2000, &any, &err), 0);
    assert_true(any);
    assert_int_equal(gm_replaced_read(store, 999, &r, &err), 0);
    assert_int_equal(r.count, 0);
    assert_int_equal(r.next_unix_ms, 1000);
    gm_replaced_fini(&r);
    assert_int_equal(gm_replaced_read(store, 1000, &r, &err), 0);
    assert_int_equal(r.count, 1);
    assert_string_equal(r.due[0], OLD);
    assert_int_equal(r.next_unix_ms, 0);
    gm_replaced_fini(&r);
    assert_int_equal(gm_replaced_note(store, "a", OLD, 3000, &any, &err), 0); /* back again */
    assert_false(has(store, "replaced/" OLD));
    assert_true(has(store, "replaced/" NEW));
    gm_store_close(&store);
    scratch_remove(&s);
}

/* Without a report, and though the report is of a job that failed half-way. */
static void what_playlist_and_manifest_name_is_noted(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_store *store = open_store(&s);
    bool any = false;
    put(store, "master.m3u8", "#EXTM3U\nv/" NEW "/a.m3u8\nv/" OLD "/b.m3u8\nav/x/y\nv/../y\n");
    put(store, "manifest.mpd", "<BaseURL>v/other/</BaseURL><A media=\"v/" NEW "/$Number$\"/>v/z");
    assert_int_equal(gm_replaced_note(store, "c", NEW, 1000, &any, &err), 0);
    assert_true(any);
    assert_true(has(store, "replaced/" OLD));
    assert_false(has(store, "replaced/other")); /* no plan gave that name */
    assert_false(has(store, "replaced/" NEW));
    assert_false(has(store, "replaced/x"));
    gm_store_close(&store);
    scratch_remove(&s);
}

static void what_is_left_of_what_does_not_stand_is_noted(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_store *store = open_store(&s);
    bool noted = true;
    assert_int_equal(gm_replaced_note_left(store, OLD, 1000, &noted, &err), 0);
    assert_false(noted); /* nothing is left */
    put(store, "v/" OLD "/1", "x");
    put(store, "master.m3u8", "v/" OLD "/media.m3u8\n");
    assert_int_equal(gm_replaced_note_left(store, OLD, 1000, &noted, &err), 0);
    assert_false(noted); /* it stands */
    put(store, "master.m3u8", "v/" NEW "/media.m3u8\n");
    assert_int_equal(gm_replaced_note_left(store, OLD, 1000, &noted, &err), 0);
    assert_true(noted);
    assert_true(has(store, "replaced/" OLD));
    assert_int_equal(gm_replaced_note_left(store, OLD, 2000, &noted, &err), 0);
    assert_false(noted); /* its time stays */
    gm_store_close(&store);
    scratch_remove(&s);
}

static void what_stands_again_stays(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_store *store = open_store(&s);
    struct gm_replaced r = {0};
    put(store, "replaced/" OLD, "{\"until_unix_ms\": 5}");
    put(store, "replaced/" NEW, "{\"until_unix_ms\": 6}");
    put(store, "replaced/broken", "{\"until");
    put(store, "replaced/a/b", "{\"until_unix_ms\": 5}");
    put(store, "master.m3u8", "v/" OLD "/media.m3u8\n");
    assert_int_equal(gm_replaced_read(store, 9, &r, &err), 0);
    assert_int_equal(r.count, 1);
    assert_string_equal(r.due[0], NEW);
    assert_true(has(store, "replaced/" OLD)); /* who replaces it may have written it just now */
    gm_replaced_fini(&r);
    gm_store_close(&store);
    scratch_remove(&s);
}

static void it_is_deleted_in_parts_its_note_last(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_store *store = open_store(&s);
    char key[64];
    enum gm_replaced_step step = GM_REPLACED_STAYS;
    put(store, "replaced/" OLD, "{\"until_unix_ms\": 5}");
    put(store, "v/" OLD "0/other", "x");
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "v/" OLD "/%03d", i);
        put(store, key, "x");
    }
    assert_int_equal(gm_replaced_delete(store, OLD, 5, &step, &err), 0);
    assert_int_equal(step, GM_REPLACED_MORE);
    assert_true(has(store, "replaced/" OLD));
    assert_true(has(store, key));
    assert_int_equal(gm_replaced_delete(store, OLD, 5, &step, &err), 0);
    assert_int_equal(step, GM_REPLACED_GONE);
    assert_false(has(store, key));
    assert_false(has(store, "replaced/" OLD));
    assert_true(has(store, "v/" OLD "0/other"));
    gm_store_close(&store);
    scratch_remove(&s);
}

/* Whatever changed since the notes were read, or between two parts. */
static void what_is_published_meanwhile_stays(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_store *store = open_store(&s);
    enum gm_replaced_step step = GM_REPLACED_MORE;
    bool noted = true;
    put(store, "v/" OLD "/1", "x");
    assert_int_equal(gm_replaced_delete(store, OLD, 5, &step, &err), 0); /* no note */
    assert_int_equal(step, GM_REPLACED_STAYS);
    put(store, "replaced/" OLD, "{\"until_unix_ms\": 6}");
    step = GM_REPLACED_MORE;
    assert_int_equal(gm_replaced_delete(store, OLD, 5, &step, &err), 0); /* not due */
    assert_int_equal(step, GM_REPLACED_STAYS);
    assert_int_equal(gm_replaced_is_noted(store, OLD, &noted, &err), 0);
    assert_true(noted);
    put(store, "master.m3u8", "v/" OLD "/media.m3u8\n");
    step = GM_REPLACED_MORE;
    assert_int_equal(gm_replaced_delete(store, OLD, 6, &step, &err), 0);
    assert_int_equal(step, GM_REPLACED_STAYS);
    assert_true(has(store, "v/" OLD "/1"));
    assert_int_equal(gm_replaced_is_noted(store, OLD, &noted, &err), 0);
    assert_false(noted);
    gm_store_close(&store);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_of_another_is_noted_once),
        cmocka_unit_test(what_playlist_and_manifest_name_is_noted),
        cmocka_unit_test(what_is_left_of_what_does_not_stand_is_noted),
        cmocka_unit_test(what_stands_again_stays),
        cmocka_unit_test(it_is_deleted_in_parts_its_note_last),
        cmocka_unit_test(what_is_published_meanwhile_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
