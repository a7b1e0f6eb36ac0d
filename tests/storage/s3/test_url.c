#include "storage/s3/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SIGNED                                                                                     \
    "https://s3.example:9000/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20150830T123600Z&"    \
    "X-Amz-Expires=3600&X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-content-sha256&"         \
    "X-Amz-Signature=5d41402abc4b2a76b9719d911017c592"

static void a_url_goes_to_its_endpoint(void **state)
{
    static const struct {
        const char *url;
        bool tls;
        const char *host;
    } rows[] = {{SIGNED, true, "s3.example:9000"},
                {"HTTP://Host?x=/y", false, "host"},
                {"https://[::1]:443#f", true, "[::1]"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_s3_endpoint endpoint = {0};
        struct gm_err err;

        assert_true(gm_s3_url_is_http(rows[i].url));
        assert_int_equal(gm_s3_url_endpoint(rows[i].url, &endpoint, &err), 0);
        assert_int_equal(endpoint.tls, rows[i].tls);
        assert_string_equal(endpoint.host, rows[i].host);
    }
}

static void what_is_no_url_is_refused_without_its_secret(void **state)
{
    static const char *const urls[] = {"file:///a?sig=secret",
                                       "ftp://host/?sig=secret",
                                       "http:///b?sig=secret",
                                       "http://u:secret@host/",
                                       "http://host/a b?secret",
                                       "http://host/a\r\nb?secret",
                                       ""};
    struct gm_s3_endpoint endpoint;
    struct gm_err err;
    static char large[GM_S3_URL_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_int_equal(gm_s3_url_endpoint(urls[i], &endpoint, &err), -GM_E_INVAL);
        assert_null(strstr(err.text, "secret"));
    }
    memset(large, 'a', sizeof(large) - 1);
    memcpy(large, "http://host/", 12);
    assert_int_equal(gm_s3_url_endpoint(large, &endpoint, &err), -GM_E_INVAL);
    large[GM_S3_URL_MAX] = '\0';
    assert_int_equal(gm_s3_url_endpoint(large, &endpoint, &err), 0);
}

static void a_url_says_what_it_was_signed_for(void **state)
{
    (void)state;
    assert_true(gm_s3_url_signs(SIGNED, "content-length"));
    assert_true(gm_s3_url_signs(SIGNED, "host"));
    assert_true(gm_s3_url_signs(SIGNED, "x-amz-content-sha256"));
    assert_false(gm_s3_url_signs(SIGNED, "content-md5"));
    assert_false(gm_s3_url_signs(SIGNED, "x-amz-content"));
    assert_false(gm_s3_url_signs(SIGNED, "content-length%3Bhost"));
    assert_true(gm_s3_url_signs("http://h/?X-Amz-SignedHeaders=a;b", "b"));
    assert_false(gm_s3_url_signs("http://h/?X-Amz-SignedHeaders=a%3", "3"));
    assert_false(gm_s3_url_signs("http://h/?a=X-Amz-SignedHeaders=host", "host"));
    assert_false(gm_s3_url_signs("http://h/X-Amz-SignedHeaders=host", "host"));
}

static void a_url_says_when_its_time_is_over(void **state)
{
    static const char *const none[] = {"http://h/",
                                       "http://h/?X-Amz-Date=20150830T123600Z",
                                       "http://h/?X-Amz-Date=20150830T123600Z&X-Amz-Expires=",
                                       "http://h/?X-Amz-Date=20150830T123600Z&X-Amz-Expires=0",
                                       "http://h/?X-Amz-Date=20150830T123600Z&X-Amz-Expires=604801",
                                       "http://h/?X-Amz-Date=20150830123600Z&X-Amz-Expires=10"};
    int64_t until = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_false(gm_s3_url_until(none[i], &until));
    }
    assert_int_equal(until, 7);
    assert_true(gm_s3_url_until(SIGNED, &until));
    assert_int_equal(until, INT64_C(1440938160000) + 3600000);
}

static void a_query_is_not_told(void **state)
{
    char out[GM_S3_URL_PLAIN];
    char large[600] = "https://h/";

    (void)state;
    assert_string_equal(gm_s3_url_plain(SIGNED, out), "https://s3.example:9000/b/k");
    assert_string_equal(gm_s3_url_plain("https://me:pass@h/a@b?c", out), "https://h/a@b");
    assert_string_equal(gm_s3_url_plain("http://h/\n#x", out), "http://h/?");
    assert_string_equal(gm_s3_url_plain("?secret", out), "");
    assert_string_equal(gm_s3_url_plain("h/a?secret&b=://c", out), "h/a");
    memset(large + 10, 'k', sizeof(large) - 11);
    assert_int_equal(strlen(gm_s3_url_plain(large, out)), GM_S3_URL_PLAIN - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_goes_to_its_endpoint),
        cmocka_unit_test(what_is_no_url_is_refused_without_its_secret),
        cmocka_unit_test(a_url_says_what_it_was_signed_for),
        cmocka_unit_test(a_url_says_when_its_time_is_over),
        cmocka_unit_test(a_query_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
