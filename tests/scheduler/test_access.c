#include "tests/scheduler/helper.h"

#include <sys/stat.h>
#include <unistd.h>

#include "scheduler/access.h"

static void url_of(const char *folder, const char *name, char out[512])
{
    assert_true(snprintf(out, 512, "file://%s%s%s", folder, name[0] != '\0' ? "/" : "", name) <
                512);
}

static void sources_are_looked_at(void **state)
{
    static const struct {
        const char *name;
        int rc;
    } rows[] = {
        {"clip.mp4", 0},
        {"dir/../clip.mp4", 0},
        {"link.mp4", 0},
        {"strange%20%5B1%5D%21.mp4", 0},
        {"missing.mp4", -GM_E_INPUT_MISSING},
        {"dir", -GM_E_INPUT_NOT_FILE},
        {"pipe", -GM_E_INPUT_NOT_FILE},
        {"empty", -GM_E_INPUT_EMPTY},
        {"clip.mp4?x=1", -GM_E_INVAL},
        {"clip%zz.mp4", -GM_E_INVAL},
        {"clip%00.mp4", -GM_E_INVAL},
    };
    char path[512];
    char target[512];
    char *roots[] = {*state, NULL};
    write_file(*state, "clip.mp4", "12345", 5);
    write_file(*state, "strange [1]!.mp4", "12345", 5);
    write_file(*state, "empty", "", 0);
    path_in(path, *state, "dir");
    assert_int_equal(mkdir(path, 0755), 0);
    path_in(path, *state, "pipe");
    assert_int_equal(mkfifo(path, 0644), 0);
    path_in(path, *state, "link.mp4");
    path_in(target, *state, "clip.mp4");
    assert_int_equal(symlink(target, path), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_access_source s = {0};
        struct gm_err err = {0};
        char url[512];
        url_of(*state, rows[i].name, url);
        int rc = gm_access_source(NULL, url, roots, &s, &err);
        if (rc != rows[i].rc) {
            fail_msg("%s: %d, %s", rows[i].name, rc, err.text);
        }
        if (rc == 0) {
            assert_int_equal(s.size, 5);
            char *root = NULL;
            char *key = NULL;
            ASSERT_OK(gm_access_split(s.url, &root, &key, &err));
            assert_string_equal(key, i == 3 ? "strange [1]!.mp4" : "clip.mp4"); /* resolved */
            assert_string_equal(s.name, key);
            free(root);
            free(key);
        }
        gm_access_source_fini(&s);
    }
}

static void roots_are_kept(void **state)
{
    char inner[512];
    char path[512];
    char url[512];
    struct gm_access_source s = {0};
    struct gm_err err = {0};
    char *out = NULL;
    path_in(inner, *state, "in");
    char *roots[] = {inner, NULL};
    char *none[] = {NULL};
    assert_int_equal(mkdir(inner, 0755), 0);
    write_file(*state, "secret", "x", 1);
    write_file(*state, "in/fine", "x", 1);
    path_in(path, inner, "link");
    assert_int_equal(symlink("../secret", path), 0);
    path_in(path, *state, "innocent"); /* begins like the root */
    assert_int_equal(mkdir(path, 0755), 0);

    url_of(inner, "fine", url);
    ASSERT_OK(gm_access_source(NULL, url, roots, &s, &err));
    gm_access_source_fini(&s);
    assert_int_equal(gm_access_source(NULL, url, none, &s, &err), -GM_E_STORE_DENIED);
    url_of(inner, "link", url);
    assert_int_equal(gm_access_source(NULL, url, roots, &s, &err), -GM_E_STORE_DENIED);
    url_of(inner, "../secret", url);
    assert_int_equal(gm_access_source(NULL, url, roots, &s, &err), -GM_E_STORE_DENIED);
    assert_int_equal(gm_access_source(NULL, "http://x/y", roots, &s, &err), -GM_E_STORE_DENIED);
    assert_int_equal(gm_access_source(NULL, "file://host/y", roots, &s, &err), -GM_E_INVAL);

    url_of(inner, "new/deep", url);
    ASSERT_OK(gm_access_destination(NULL, url, roots, &out, &err));
    free(out);
    url_of(inner, "", url);
    ASSERT_OK(gm_access_destination(NULL, url, roots, &out, &err));
    free(out);
    url_of(*state, "innocent/x", url);
    assert_int_equal(gm_access_destination(NULL, url, roots, &out, &err), -GM_E_STORE_DENIED);
    url_of(inner, "../x", url);
    assert_int_equal(gm_access_destination(NULL, url, roots, &out, &err), -GM_E_STORE_DENIED);
    url_of(inner, "new/../../x", url);
    assert_true(gm_access_destination(NULL, url, roots, &out, &err) < 0);
    url_of(inner, "fine", url);
    assert_int_equal(gm_access_destination(NULL, url, roots, &out, &err), -GM_E_INVAL);
    url_of(inner, "fine/x", url);
    assert_int_equal(gm_access_destination(NULL, url, roots, &out, &err), -GM_E_INVAL);
}

static void destinations_are_canonical(void **state)
{
    char path[512];
    char url[512];
    char want[512];
    char *slash[] = {(char *)(uintptr_t) "/", NULL};
    char *out = NULL;
    struct gm_err err = {0};
    path_in(path, *state, "real");
    assert_int_equal(mkdir(path, 0755), 0);
    path_in(path, *state, "link");
    assert_int_equal(symlink("real", path), 0);
    url_of(*state, "link/a%20b//c/", url);
    url_of(*state, "real/a%20b/c", want);
    ASSERT_OK(gm_access_destination(NULL, url, slash, &out, &err));
    assert_string_equal(out, want);
    free(out);
    path_in(path, *state, "broken");
    assert_int_equal(symlink("nowhere", path), 0);
    url_of(*state, "broken", url);
    assert_int_equal(gm_access_destination(NULL, url, slash, &out, &err), -GM_E_INVAL);
}

static void destinations_are_made(void **state)
{
    char mark[GM_ID_SIZE];
    char again[GM_ID_SIZE];
    char url[512];
    char path[512];
    struct gm_err err = {0};
    struct stat st;
    url_of(*state, "new/deep", url);
    ASSERT_OK(gm_access_make_destination(NULL, url, mark, &err));
    assert_int_equal(strlen(mark), GM_ID_SIZE - 1);
    path_in(path, *state, "new/deep");
    assert_int_equal(stat(path, &st), 0);
    ASSERT_OK(gm_access_make_destination(NULL, url, again, &err));
    assert_string_equal(again, mark);
    write_file(*state, "new/deep/.gm-store", "x", 1);
    assert_int_equal(gm_access_make_destination(NULL, url, again, &err), -GM_E_STORE_CORRUPT);
    assert_non_null(strstr(err.text, "destination: "));
    assert_non_null(strstr(err.text, "if none does, delete it")); /* it fits */
    assert_int_equal(gm_access_make_destination(NULL, "file:///proc/nosuch", mark, &err),
                     -GM_E_INVAL);
    assert_non_null(strstr(err.text, "destination"));
    assert_non_null(strstr(err.text, "/proc/nosuch"));
}

static void a_work_store_has_the_mark_that_it_has_now(void **state)
{
    char mark[GM_ID_SIZE] = "";
    char other[GM_ID_SIZE] = "";
    char url[512];
    char path[512];
    char moved[512];
    struct gm_err err = {0};
    url_of(*state, "work", url);
    path_in(path, *state, "work");
    path_in(moved, *state, "below");
    assert_int_equal(gm_access_work_mark(NULL, url, mark, &err), -GM_E_STORE);
    assert_non_null(strstr(err.text, "work_store: "));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(mkdir(path, 0755), 0);
    ASSERT_OK(gm_access_work_mark(NULL, url, mark, &err));
    assert_int_equal(strlen(mark), GM_ID_SIZE - 1);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    ASSERT_OK(gm_access_work_mark(NULL, url, other, &err));
    assert_string_not_equal(other, mark);
    write_file(*state, "work/.gm-store", "x", 1);
    assert_int_equal(gm_access_work_mark(NULL, url, other, &err), -GM_E_STORE_CORRUPT);
}

static void grant_key_is_made_once(void **state)
{
    char path[512];
    struct gm_grant_key a;
    struct gm_grant_key b;
    struct gm_err err = {0};
    struct stat st;
    bool made = false;
    path_in(path, *state, "sub/grant.key");
    ASSERT_OK(gm_access_grant_key(path, &a, &made, &err));
    assert_true(made);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    ASSERT_OK(gm_access_grant_key(path, &b, &made, &err));
    assert_false(made);
    assert_memory_equal(&a, &b, sizeof a);
    write_file(*state, "bad.key", "0123", 4);
    path_in(path, *state, "bad.key");
    assert_int_equal(gm_access_grant_key(path, &a, &made, &err), -GM_E_CONFIG);
}

/* Which places of S3 are taken follows from two lists, before anybody is asked. */
static void buckets_are_allowed_by_name(void **state)
{
    static const struct {
        const char *roots[3];
        const char *url;
        int rc;
    } rows[] = {
        {{"/", NULL}, "s3://media/a/b", 0},
        {{"/", "s3://media", NULL}, "s3://media/a/b", 0},
        {{"/", "s3://media/a", NULL}, "s3://media/a/b/", 0},
        {{"/", "s3://media/a/", NULL}, "s3://media/a", 0},
        {{"/", "s3://media/a", NULL}, "s3://media/ab", -GM_E_STORE_DENIED},
        {{"/", "s3://media/a/b", NULL}, "s3://media/a", -GM_E_STORE_DENIED},
        {{"/", "s3://other", NULL}, "s3://media/a", -GM_E_STORE_DENIED},
        {{"s3://other", NULL}, "s3://other/a", -GM_E_STORE_UNKNOWN},
        {{"/", NULL}, "s3://other/a", -GM_E_STORE_UNKNOWN},
        {{"/", NULL}, "s3://Media/a", -GM_E_INVAL},
        {{"/", NULL}, "https://h/a", -GM_E_INVAL},
    };
    struct gm_stores *stores = NULL;
    struct gm_err err = {0};
    char path[512], line[1024];
    char *lines[] = {line, NULL};
    char *out = NULL;
    write_file(*state, "keys", "id=a\nsecret=b\n", 15);
    path_in(path, *state, "keys");
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(snprintf(line, sizeof line, "s3://media endpoint=http://h keys=%s", path) < 1024);
    ASSERT_OK(gm_stores_create(lines, &stores, &err));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_access_source source = {0};
        char *const *roots = (char *const *)(const void *)rows[i].roots;
        assert_int_equal(gm_access_destination(stores, rows[i].url, roots, &out, &err), rows[i].rc);
        if (rows[i].rc == 0) {
            assert_int_not_equal(out[strlen(out) - 1], '/');
            free(out);
        } else if (strncmp(rows[i].url, "s3:", 3) == 0) {
            assert_int_equal(gm_access_source(stores, rows[i].url, roots, &source, &err),
                             rows[i].rc);
        }
    }
    char *const any[] = {"/", NULL};
    struct gm_access_source source = {0};
    assert_int_equal(gm_access_source(stores, "s3://media/a/", any, &source, &err), -GM_E_INVAL);
    assert_int_equal(gm_access_source(stores, "s3://media", any, &source, &err), -GM_E_INVAL);
    gm_stores_destroy(&stores);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sources_are_looked_at, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(roots_are_kept, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(destinations_are_canonical, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(destinations_are_made, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_work_store_has_the_mark_that_it_has_now, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(buckets_are_allowed_by_name, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(grant_key_is_made_once, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
