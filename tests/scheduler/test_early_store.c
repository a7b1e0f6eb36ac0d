#include "tests/scheduler/helper.h"

#include "manifest/manifest.h"
#include "scheduler/early_store.h"
#include "tests/common/scratch.h"

#define PUB "0123456789abcdef"

/* What is written of a job that still works, and what is not. */
static struct gm_err err;

static struct gm_store *open_store(struct scratch *s)
{
    struct gm_store *store = NULL;
    char url[128];
    scratch_make(s);
    (void)snprintf(url, sizeof url, "file://%s", s->path);
    assert_int_equal(gm_store_open(url, false, &store, &err), 0);
    return store;
}

static int yes(void *arg, struct gm_err *e)
{
    (void)arg;
    (void)e;
    return 0;
}

static int no(void *arg, struct gm_err *e)
{
    (void)arg;
    return gm_err_set(e, GM_E_NOT_LEADER, 0, "another leads");
}

/* A version: an init segment, a playlist and a master that name `publication`. */
static int put(struct gm_store *store, const char *playlist, bool begins, struct gm_early_end *end)
{
    char mark[GM_MANIFEST_MARK_SIZE];
    struct gm_prefix_text rows[] = {
        {.key = strdup("v/" PUB "/video/a/init-1.mp4"), .is_init = true},
        {.key = strdup("v/" PUB "/video/a/media.m3u8")},
        {.key = strdup("master.m3u8")}};
    struct gm_prefix_texts texts = {rows, 3};
    gm_manifest_mark("j-1", mark);
    gm_buf_str(&rows[0].body, "init");
    gm_buf_str(&rows[1].body, playlist);
    gm_buf_printf(&rows[2].body, "#EXTM3U\n#%s\nv/" PUB "/video/a/media.m3u8\n", mark);
    struct gm_early_put p = {.texts = &texts,
                             .own = {.job_id = "j-1", .publication = PUB},
                             .begins = begins,
                             .until_unix_ms = 1,
                             .leads = yes};
    int rc = gm_early_put(store, &p, end, &err);
    for (size_t i = 0; i < 3; i++) {
        free(rows[i].key);
        gm_buf_fini(&rows[i].body);
    }
    return rc;
}

static bool is(struct gm_store *store, const char *key, const char *text)
{
    char there[512];
    size_t size = 0;
    int rc = gm_store_get(store, key, 0, there, sizeof there, &size, &err);
    return rc == 0 && size == strlen(text) && memcmp(there, text, size) == 0;
}

static bool exists(struct gm_store *store, const char *key)
{
    struct gm_store_stat stat;
    return gm_store_head(store, key, &stat, &err) == 0;
}

static void write_text(struct gm_store *store, const char *key, const char *text)
{
    assert_int_equal(gm_store_put_bytes(store, key, text, strlen(text), &err), 0);
}

static void versions_follow_each_other_and_go(void **state)
{
    struct scratch s;
    struct gm_store *store = open_store(&s);
    struct gm_early_end end;
    bool own = false;
    (void)state;
    assert_int_equal(put(store, "one\n", true, &end), 0);
    assert_false(end.passed);
    assert_true(is(store, "v/" PUB "/video/a/init-1.mp4", "init"));
    write_text(store, "v/" PUB "/video/a/init-1.mp4", "there");
    assert_int_equal(put(store, "one\ntwo\n", false, &end), 0);
    assert_false(end.passed);
    assert_true(is(store, "v/" PUB "/video/a/media.m3u8", "one\ntwo\n"));
    assert_true(is(store, "v/" PUB "/video/a/init-1.mp4", "there"));  /* written once */
    assert_int_equal(put(store, "one\ntwo\nthree\n", true, &end), 0); /* by the next scheduler */
    assert_false(end.passed);
    assert_int_equal(gm_early_is_own(store, "master.m3u8", "j-1", &own, &err), 0);
    assert_true(own);
    assert_int_equal(gm_early_take_down(store, "j-2", &err), 0);
    assert_true(exists(store, "master.m3u8"));
    assert_int_equal(gm_early_take_down(store, "j-1", &err), 0);
    assert_false(exists(store, "master.m3u8"));
    assert_int_equal(gm_early_take_down(store, "j-1", &err), 0);
    gm_store_close(&store);
    scratch_remove(&s);
}

static void what_is_no_beginning_of_it_stays(void **state)
{
    struct scratch s;
    struct gm_store *store = open_store(&s);
    struct gm_early_end end;
    (void)state;
    write_text(store, "v/" PUB "/video/a/media.m3u8", "one\ntwo\nend\n");
    assert_int_equal(put(store, "one\n", true, &end), 0);
    assert_true(end.passed);
    assert_int_equal(put(store, "one\ntwo\nthree\nfour\n", true, &end), 0);
    assert_true(end.passed);
    assert_true(is(store, "v/" PUB "/video/a/media.m3u8", "one\ntwo\nend\n"));
    assert_false(exists(store, "master.m3u8"));
    gm_store_close(&store);
    scratch_remove(&s);
}

static void a_result_that_stands_is_not_made_less(void **state)
{
    struct scratch s;
    struct gm_store *store = open_store(&s);
    struct gm_early_end end;
    (void)state;
    write_text(store, "master.m3u8", "v/" PUB "/video/a/media.m3u8\n");
    assert_int_equal(put(store, "one\n", true, &end), 0);
    assert_true(end.passed);
    /* that of another publication is: it is noted, and plays on */
    write_text(store, "master.m3u8", "v/aaaaaaaaaaaaaaaa/video/a/media.m3u8\n");
    assert_int_equal(put(store, "one\n", true, &end), 0);
    assert_true(!end.passed && end.replaced);
    assert_true(exists(store, "replaced/aaaaaaaaaaaaaaaa"));
    gm_store_close(&store);
    scratch_remove(&s);
}

/* By a job of the same result that ended meanwhile, or by another farm. */
static void what_was_published_over_a_version_stays(void **state)
{
    struct scratch s;
    struct gm_store *store = open_store(&s);
    struct gm_early_end end;
    bool own = true;
    (void)state;
    assert_int_equal(put(store, "event\none\n", true, &end), 0);
    write_text(store, "v/" PUB "/video/a/media.m3u8", "vod\none\n");
    assert_int_equal(put(store, "event\none\ntwo\n", false, &end), 0);
    assert_true(end.passed);
    assert_true(is(store, "v/" PUB "/video/a/media.m3u8", "vod\none\n"));
    write_text(store, "v/" PUB "/video/a/media.m3u8", "event\none\n");
    assert_int_equal(put(store, "event\none\ntwo\n", false, &end), 0);
    assert_false(end.passed);
    write_text(store, "master.m3u8", "v/" PUB "/video/a/media.m3u8\n");
    assert_int_equal(put(store, "event\none\ntwo\nthree\n", false, &end), 0);
    assert_true(end.passed);
    assert_true(is(store, "v/" PUB "/video/a/media.m3u8", "event\none\ntwo\n"));
    assert_int_equal(gm_early_has_own(store, "j-1", &own, &err), 0);
    assert_false(own);
    /* one that was begun, and whose report says that it is whole */
    assert_int_equal(gm_store_delete(store, "master.m3u8", &err), 0);
    assert_int_equal(put(store, "event\none\ntwo\nthree\n", true, &end), 0);
    assert_int_equal(gm_early_has_own(store, "j-1", &own, &err), 0);
    assert_true(!end.passed && own);
    write_text(store, "report.json",
               "{\"job\": {\"id\": \"j-2\", \"state\": \"done\", \"publication\": \"" PUB "\"}}");
    assert_int_equal(put(store, "event\none\ntwo\nthree\nfour\n", true, &end), 0);
    assert_true(end.passed);
    gm_store_close(&store);
    scratch_remove(&s);
}

static void who_leads_no_more_writes_nothing(void **state)
{
    struct scratch s;
    struct gm_store *store = open_store(&s);
    struct gm_prefix_text row = {.key = (char *)(uintptr_t) "v/" PUB "/a.m3u8"};
    struct gm_prefix_texts texts = {&row, 1};
    struct gm_early_end end;
    (void)state;
    gm_buf_str(&row.body, "x");
    struct gm_early_put p = {
        .texts = &texts, .own = {.job_id = "j", .publication = PUB}, .leads = no};
    assert_int_equal(gm_early_put(store, &p, &end, &err), -GM_E_NOT_LEADER);
    assert_false(exists(store, row.key));
    gm_buf_fini(&row.body);
    gm_store_close(&store);
    scratch_remove(&s);
}

/* A job's playlist, of a destination where titles stay. */
static void what_grew_is_no_other_title(void **state)
{
    struct scratch s;
    struct gm_store *store = open_store(&s);
    struct gm_early_end end;
    const struct gm_title_own own = {.job_id = "j-1", .title = "t", .source = "s"};
    const struct gm_title_own other = {.job_id = "j-2", .title = "t", .source = "s"};
    (void)state;
    assert_int_equal(put(store, "one\n", true, &end), 0);
    assert_int_equal(gm_title_check(store, &own, &err), 0);
    assert_int_equal(gm_title_check(store, &other, &err), 0);
    write_text(store, "master.m3u8", "#EXTM3U\n#gopmill: job \n");
    assert_int_equal(gm_title_check(store, &own, &err), -GM_E_TITLE_EXISTS);
    gm_store_close(&store);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_follow_each_other_and_go),
        cmocka_unit_test(what_is_no_beginning_of_it_stays),
        cmocka_unit_test(a_result_that_stands_is_not_made_less),
        cmocka_unit_test(what_was_published_over_a_version_stays),
        cmocka_unit_test(who_leads_no_more_writes_nothing),
        cmocka_unit_test(what_grew_is_no_other_title),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
