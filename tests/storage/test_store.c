#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage/store.h"

static void keys_are_plain_relative_paths(void **state)
{
    static const struct {
        const char *key;
        bool ok;
    } rows[] = {{"a", true},
                {"v/ab12/video/720p/seg-00001-0f3a.m4s", true},
                {"a b+c@d=e,f(g)h-i_j.k", true},
                {"\xc3\xa4/\xff", true},
                {"a..b/...", true},
                {".hidden", true},
                {"a/.gm-tmp-x", true},
                {"", false},
                {"/a", false},
                {"a/", false},
                {"a//b", false},
                {".", false},
                {"..", false},
                {"../a", false},
                {"a/./b", false},
                {"a/../b", false},
                {"a/..", false},
                {"a\nb", false},
                {"a\\b", false},
                {"a?b", false},
                {"a%2fb", false},
                {"a:b", false},
                {"a*", false},
                {"\x7f", false},
                {".gm-tmp-x", false},
                {".gm-tmp-x/y", false}};
    char key[1026];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].key);
        assert_int_equal(gm_store_is_key(rows[i].key), rows[i].ok);
    }
    memset(key, 'k', sizeof(key));
    key[1024] = '\0';
    assert_true(gm_store_is_key(key));
    key[1024] = 'k';
    key[1025] = '\0';
    assert_false(gm_store_is_key(key));
}

static void paths_survive_the_way_through_a_url(void **state)
{
    static const struct {
        const char *path;
        const char *url;
    } rows[] = {{"/", "file:///"},
                {"/a/b-c_d.e~f", "file:///a/b-c_d.e~f"},
                {"/a b?c#d%e&f", "file:///a%20b%3Fc%23d%25e%26f"},
                {"/\xc3\xa4\n\x01", "file:///%C3%A4%0A%01"}};
    struct gm_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *url = NULL;
        char *path = NULL;

        assert_int_equal(gm_store_url(rows[i].path, &url, &err), 0);
        assert_string_equal(url, rows[i].url);
        assert_int_equal(gm_store_path(url, &path, &err), 0);
        assert_string_equal(path, rows[i].path);
        free(url);
        free(path);
    }
    for (int c = 1; c < 256; c++) {
        char in[4] = {'/', (char)c, 'x', '\0'};
        char *url = NULL;
        char *path = NULL;

        assert_int_equal(gm_store_url(in, &url, &err), 0);
        assert_int_equal(gm_store_path(url, &path, &err), 0);
        assert_string_equal(path, in);
        free(url);
        free(path);
    }
}

static void odd_urls_are_refused(void **state)
{
    static const char *const urls[] = {
        "",           "/a",          "file:/a",      "file://host/a",
        "file://",    "http:///a",   "file:///a?b",  "file:///a#b",
        "file:///a%", "file:///a%4", "file:///a%4g", "file:///a%00b"};
    struct gm_err err;
    char *path = NULL;
    char *url = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        print_message("%s\n", urls[i]);
        assert_int_equal(gm_store_path(urls[i], &path, &err), -GM_E_INVAL);
    }
    assert_int_equal(gm_store_path("file:///a%c3b+(c)'", &path, &err), 0);
    assert_string_equal(path, "/a\xc3"
                              "b+(c)'");
    free(path);
    assert_int_equal(gm_store_url("a/b", &url, &err), -GM_E_INVAL);
    assert_int_equal(gm_store_url("", &url, &err), -GM_E_INVAL);
    assert_null(url);
}

static void bad_keys_never_reach_a_backend(void **state)
{
    struct gm_store *store = NULL;
    struct gm_store_stat stat;
    const struct gm_store_put put = {.key = "../x", .fd = 0};
    struct gm_err err;
    char byte;
    size_t n;

    (void)state;
    assert_int_equal(gm_store_open("file:///tmp", false, &store, &err), 0);
    assert_int_equal(gm_store_put(store, &put, &err), -GM_E_INVAL);
    assert_int_equal(gm_store_put_bytes(store, "/x", "", 0, &err), -GM_E_INVAL);
    assert_int_equal(gm_store_get(store, "a/../x", 0, &byte, 1, &n, &err), -GM_E_INVAL);
    assert_int_equal(gm_store_get(store, "a", UINT64_MAX, &byte, 1, &n, &err), -GM_E_INVAL);
    assert_int_equal(gm_store_head(store, "", &stat, &err), -GM_E_INVAL);
    assert_int_equal(gm_store_delete(store, "..", &err), -GM_E_INVAL);
    assert_int_equal(gm_store_list(store, "../", NULL, NULL, &err), -GM_E_INVAL);
    assert_int_equal(gm_store_list(store, "/", NULL, NULL, &err), -GM_E_INVAL);
    assert_int_equal(gm_store_list(store, "a//", NULL, NULL, &err), -GM_E_INVAL);
    gm_store_close(&store);
    assert_null(store);
    gm_store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_plain_relative_paths),
        cmocka_unit_test(paths_survive_the_way_through_a_url),
        cmocka_unit_test(odd_urls_are_refused),
        cmocka_unit_test(bad_keys_never_reach_a_backend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
