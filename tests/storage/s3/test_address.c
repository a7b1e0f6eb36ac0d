#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage/s3/address.h"

static void endpoints_are_read(void **state)
{
    static const struct {
        const char *url;
        bool tls;
        const char *host;
    } rows[] = {{"https://s3.eu-west-1.amazonaws.com", true, "s3.eu-west-1.amazonaws.com"},
                {"https://S3.Example.COM/", true, "s3.example.com"},
                {"http://127.0.0.1:9000", false, "127.0.0.1:9000"},
                {"http://store_1:80/", false, "store_1"}, /* a port of the scheme's is not sent */
                {"https://store:443", true, "store"},
                {"https://store:80", true, "store:80"},
                {"http://[::1]:9000/", false, "[::1]:9000"},
                {"https://[2001:DB8::1]", true, "[2001:db8::1]"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_s3_endpoint endpoint;
        struct gm_err err = {0};

        assert_int_equal(gm_s3_endpoint_read(rows[i].url, &endpoint, &err), 0);
        assert_int_equal(endpoint.tls, rows[i].tls);
        assert_string_equal(endpoint.host, rows[i].host);
    }
}

static void what_is_no_endpoint_is_refused(void **state)
{
    static const char *const urls[] = {"",
                                       "s3.example.com",
                                       "ftp://h",
                                       "http://",
                                       "https:///",
                                       "http:///x",
                                       "http://:80",
                                       "http://.h",
                                       "http://-h",
                                       "http://h:",
                                       "http://h:0",
                                       "http://h:65536",
                                       "http://h:080",
                                       "http://h:99999999",
                                       "http://h:8x",
                                       "http://h/bucket",
                                       "http://h?x",
                                       "http://h#x",
                                       "http://u:p@h",
                                       "http://h h",
                                       "http://h\r\nX: y",
                                       "http://[::1",
                                       "http://[]",
                                       "http://[::1]x",
                                       "HTTP://h",
                                       "http://h//"};
    struct gm_s3_endpoint endpoint = {.host = "as it was"};
    char long_host[300] = "http://";

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct gm_err err = {0};

        assert_int_equal(gm_s3_endpoint_read(urls[i], &endpoint, &err), -GM_E_INVAL);
    }
    memset(long_host + 7, 'a', 254);
    assert_int_equal(gm_s3_endpoint_read(long_host, &endpoint, NULL), -GM_E_INVAL);
    assert_string_equal(endpoint.host, "as it was");
    long_host[7 + 253] = '\0';
    assert_int_equal(gm_s3_endpoint_read(long_host, &endpoint, NULL), 0);
}

static void buckets_have_names_of_hosts(void **state)
{
    static const char *const good[] = {"abc", "a1-2.3b", "0ab", "my.bucket.is-long", "1.2.3"};
    static const char *const bad[] = {"",     "ab",  "Abc", "a_b",       "-ab",
                                      "ab-",  ".ab", "ab.", "a..b",      "a.-b",
                                      "a-.b", "a/b", "a b", "127.0.0.1", "a\n.b"};
    char text[65];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(gm_s3_is_bucket(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(gm_s3_is_bucket(bad[i]));
    }
    memset(text, 'a', 64);
    text[64] = '\0';
    assert_false(gm_s3_is_bucket(text));
    text[63] = '\0';
    assert_true(gm_s3_is_bucket(text));
}

static void a_key_has_a_host_and_a_path(void **state)
{
    static const struct {
        const char *url;
        enum gm_s3_style style;
        const char *key;
        const char *host;
        const char *path;
    } rows[] = {{"http://h:90", GM_S3_PATH, "a b/c", "h:90", "/bkt/a%20b/c"},
                {"http://h:90", GM_S3_PATH, NULL, "h:90", "/bkt"},
                {"http://h:90", GM_S3_VIRTUAL, "k", "bkt.h:90", "/k"},
                {"https://h", GM_S3_VIRTUAL, NULL, "bkt.h", "/"},
                {"https://h", GM_S3_PATH, "../../x//y/.", "h", "/bkt/../../x//y/."},
                {"https://h", GM_S3_PATH, "/\xc3\xa9%?#&+=~\x01", "h",
                 "/bkt//%C3%A9%25%3F%23%26%2B%3D~%01"},
                {"http://[::1]:90", GM_S3_PATH, "k", "[::1]:90", "/bkt/k"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_s3_endpoint endpoint;
        struct gm_s3_address address = {.path = NULL};
        struct gm_err err = {0};

        assert_int_equal(gm_s3_endpoint_read(rows[i].url, &endpoint, &err), 0);
        assert_int_equal(
            gm_s3_address_make(&endpoint, rows[i].style, "bkt", rows[i].key, &address, &err), 0);
        assert_string_equal(address.host, rows[i].host);
        assert_string_equal(address.path, rows[i].path);
        gm_s3_address_fini(&address);
        gm_s3_address_fini(&address); /* nothing is left to free */
    }
}

static void what_has_no_address_is_refused(void **state)
{
    struct gm_s3_endpoint plain, tls, six;
    struct gm_s3_address address = {.path = NULL};
    struct gm_err err = {0};
    char key[1026];

    (void)state;
    memset(key, 'k', 1025);
    key[1025] = '\0';
    assert_int_equal(gm_s3_endpoint_read("http://h", &plain, &err), 0);
    assert_int_equal(gm_s3_endpoint_read("https://h", &tls, &err), 0);
    assert_int_equal(gm_s3_endpoint_read("http://[::1]", &six, &err), 0);
    assert_int_equal(gm_s3_address_make(&plain, GM_S3_PATH, "bkt", "", &address, &err),
                     -GM_E_INVAL);
    assert_int_equal(gm_s3_address_make(&plain, GM_S3_PATH, "bkt", key, &address, &err),
                     -GM_E_INVAL);
    assert_int_equal(gm_s3_address_make(&plain, GM_S3_PATH, "Bkt", "k", &address, &err),
                     -GM_E_INVAL);
    assert_int_equal(gm_s3_address_make(&six, GM_S3_VIRTUAL, "bkt", "k", &address, &err),
                     -GM_E_INVAL);
    assert_int_equal(gm_s3_address_make(&tls, GM_S3_VIRTUAL, "b.kt", "k", &address, &err),
                     -GM_E_INVAL);
    assert_null(address.path);
    assert_int_equal(gm_s3_address_make(&plain, GM_S3_VIRTUAL, "b.kt", "k", &address, &err), 0);
    assert_string_equal(address.host, "b.kt.h");
    gm_s3_address_fini(&address);
    key[1024] = '\0';
    assert_int_equal(gm_s3_address_make(&tls, GM_S3_PATH, "b.kt", key, &address, &err), 0);
    gm_s3_address_fini(&address);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_read),
        cmocka_unit_test(what_is_no_endpoint_is_refused),
        cmocka_unit_test(buckets_have_names_of_hosts),
        cmocka_unit_test(a_key_has_a_host_and_a_path),
        cmocka_unit_test(what_has_no_address_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
