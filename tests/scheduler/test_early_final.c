#include "tests/scheduler/helper.h"

#include "manifest/manifest.h"
#include "scheduler/early_final.h"

#define PUB "0123456789abcdef"
#define LIST "v/" PUB "/video/a/media.m3u8"
#define END "one\ntwo\nend\n"
#define MASTER "#EXTM3U\nv/" PUB "/video/a/media.m3u8\n"

/* What stays where playlists grew, and what a late write puts over it. */
static struct gm_err err;
static bool led;

static int leads(void *arg, struct gm_err *e)
{
    (void)arg;
    return led ? 0 : gm_err_set(e, GM_E_NOT_LEADER, 0, "another leads");
}

static void write_text(struct gm_store *store, const char *key, const char *text)
{
    ASSERT_OK(gm_store_put_bytes(store, key, text, strlen(text), &err));
}

static bool is(struct gm_store *store, const char *key, const char *text)
{
    char there[512];
    size_t size = 0;
    int rc = gm_store_get(store, key, 0, there, sizeof there, &size, &err);
    return rc == 0 && size == strlen(text) && memcmp(there, text, size) == 0;
}

static struct gm_store *published(const char *folder)
{
    struct gm_store *store = NULL;
    char url[512];
    (void)snprintf(url, sizeof url, "file://%s", folder);
    ASSERT_OK(gm_store_open(url, false, &store, &err));
    write_text(store, LIST, END);
    write_text(store, "v/" PUB "/video/a/iframes.m3u8", "other");
    write_text(store, "master.m3u8", MASTER);
    write_text(store, "report.json",
               "{\"job\": {\"id\": \"j-1\", \"state\": \"done\", \"publication\": \"" PUB "\"}}");
    return store;
}

static int read_final(struct gm_store *store, const char *body, struct gm_early_final *out)
{
    struct gm_output rows[] = {{.key = (char *)"v/" PUB "/video/a/iframes.m3u8", .size = 1},
                               {.key = (char *)LIST, .size = 3, .has_sha256 = true},
                               {.key = (char *)LIST, .size = strlen(body), .has_sha256 = true}};
    const struct gm_outputs outputs = {.rows = rows, .count = 3};
    struct gm_buf master = {.data = (uint8_t *)MASTER, .size = strlen(MASTER)};
    gm_sha256(body, strlen(body), rows[2].sha256);
    int rc = gm_early_final_read(store, &outputs, PUB, out, &err);
    return rc < 0 ? rc : gm_early_final_add(out, "master.m3u8", &master, &err);
}

static size_t mend(struct gm_store *store, const struct gm_early_final *final, int rc)
{
    const struct gm_early_mend m = {
        .final = final, .job_id = "j-1", .publication = PUB, .leads = leads};
    size_t mended = 0;
    assert_int_equal(gm_early_final_mend(store, &m, &mended, &err), rc);
    return mended;
}

static void a_late_write_is_undone(void **state)
{
    struct gm_store *store = published(*state);
    struct gm_early_final final = {0};
    char mark[GM_MANIFEST_MARK_SIZE], early[256];
    led = true;
    ASSERT_OK(read_final(store, END, &final));
    assert_int_equal(final.count, 2);
    assert_int_equal(mend(store, &final, 0), 0);
    write_text(store, LIST, "one\n");
    led = false;
    (void)mend(store, &final, -GM_E_NOT_LEADER);
    assert_true(is(store, LIST, "one\n"));
    led = true;
    assert_int_equal(mend(store, &final, 0), 1);
    assert_true(is(store, LIST, END));
    gm_manifest_mark("j-1", mark);
    (void)snprintf(early, sizeof early, "#EXTM3U\n#%s\nv/" PUB "/video/a/media.m3u8\n", mark);
    write_text(store, "master.m3u8", early);
    assert_int_equal(mend(store, &final, 0), 1);
    assert_true(is(store, "master.m3u8", MASTER));
    write_text(store, "master.m3u8", MASTER "#by hand\n");
    assert_int_equal(mend(store, &final, 0), 0);
    gm_early_final_fini(&final);
    gm_store_close(&store);
}

static void what_took_its_place_stays(void **state)
{
    struct gm_store *store = published(*state);
    struct gm_early_final final = {0};
    led = true;
    ASSERT_OK(read_final(store, END, &final));
    write_text(store, LIST, "one\n");
    write_text(store, "report.json",
               "{\"job\": {\"id\": \"j-2\", \"state\": \"done\", \"publication\": \"x\"}}");
    assert_int_equal(mend(store, &final, 0), 0);
    assert_true(is(store, LIST, "one\n"));
    ASSERT_OK(gm_store_delete(store, "report.json", &err)); /* it is taken down */
    assert_int_equal(mend(store, &final, 0), 0);
    gm_early_final_fini(&final);
    gm_store_close(&store);
}

static void what_is_not_as_committed_is_not_kept(void **state)
{
    struct gm_store *store = published(*state);
    struct gm_early_final final = {0};
    assert_int_equal(read_final(store, "one\ntwo\nEND\n", &final), -GM_E_STORE_CORRUPT);
    assert_int_equal(read_final(store, "one\n", &final), -GM_E_STORE_CORRUPT);
    assert_int_equal(final.count, 0);
    gm_store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_late_write_is_undone, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_took_its_place_stays, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_is_not_as_committed_is_not_kept, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
