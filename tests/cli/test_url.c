#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "cli/url.h"
#include "storage/store.h"

static struct gm_err err;

static void paths_become_urls(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"/a/b.mp4", "file:///a/b.mp4"},
        {"/", "file:///"},
        {"//a///b/", "file:///a/b"},
        {"/a/./b/.", "file:///a/b"},
        {"/a/../b", "file:///a/../b"},
        {"/a b/c%d#e?f&g+h", "file:///a%20b/c%25d%23e%3Ff%26g%2Bh"},
        {"/\xc3\xa9\n~-_.", "file:///%C3%A9%0A~-_."},
        {"/a:b@c", "file:///a%3Ab%40c"},
        {"file:///x%20y", "file:///x%20y"},
        {"file:/x%20y", "file:///x%20y"},
        {"/file:x", "file:///file%3Ax"},
        {"/http://x", "file:///http%3A/x"},
        {"s3://bucket/a b%", "s3://bucket/a b%"},
        {"https://host/x?y=z", "https://host/x?y=z"},
        {"http://host/x.mp4", "http://host/x.mp4"},
        {"upload:01jd8m4w9pq6v3c2h5t7k8x9zy", "upload:01jd8m4w9pq6v3c2h5t7k8x9zy"},
        {"/upload:x", "file:///upload%3Ax"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *url = NULL;
        assert_int_equal(gm_url_from_path(rows[i][0], &url, &err), 0);
        assert_string_equal(url, rows[i][1]);
        free(url);
    }
    char *none = NULL;
    assert_int_equal(gm_url_from_path("", &none, &err), -GM_E_INVAL);
    assert_int_equal(gm_url_from_path("ftp://host/x.mp4", &none, &err), -GM_E_INVAL);
    assert_int_equal(gm_url_from_path("S3://bucket/x", &none, &err), -GM_E_INVAL);
    assert_int_equal(gm_url_from_path("file:x.mp4", &none, &err), -GM_E_INVAL);
    assert_non_null(strstr(err.text, "./file:x.mp4"));
    assert_null(none);
}

static void relative_paths_start_at_the_current_folder(void **state)
{
    (void)state;
    char folder[] = "/tmp/gm test-XXXXXX";
    char expected[128];
    char *url = NULL;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(gm_url_from_path("./x y", &url, &err), 0);
    snprintf(expected, sizeof(expected), "file:///tmp/gm%%20test-%s/x%%20y", folder + 13);
    assert_string_equal(url, expected);
    free(url);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void urls_become_paths_again(void **state)
{
    (void)state;
    static const char *const odd[] = {"/a b/%41/\xff\x01", "/", "/x"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        char *url = NULL;
        assert_int_equal(gm_url_from_path(odd[i], &url, &err), 0);
        char *path = NULL;
        assert_int_equal(gm_store_path(url, &path, &err), 0);
        assert_string_equal(path, odd[i]);
        free(path);
        free(url);
    }
}

static void parts_are_escaped_whole(void **state)
{
    (void)state;
    char *text = NULL;
    assert_int_equal(gm_url_escape("a/b c?", &text, &err), 0);
    assert_string_equal(text, "a%2Fb%20c%3F");
    free(text);
    assert_int_equal(gm_url_escape("", &text, &err), 0);
    assert_string_equal(text, "");
    free(text);
}

/* Vectors of RFC 4648, section 10. */
static void base64_is_the_standard_one(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xef\xbe", "/+++"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = NULL;
        assert_int_equal(gm_base64_encode(rows[i][0], strlen(rows[i][0]), &text, &err), 0);
        assert_string_equal(text, rows[i][1]);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_become_urls),
        cmocka_unit_test(relative_paths_start_at_the_current_folder),
        cmocka_unit_test(urls_become_paths_again),
        cmocka_unit_test(parts_are_escaped_whole),
        cmocka_unit_test(base64_is_the_standard_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
