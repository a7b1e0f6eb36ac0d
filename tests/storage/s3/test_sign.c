#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage/s3/sign.h"
#include "storage/s3/vectors.h"

static size_t fields_of(const struct gm_s3_field *fields, size_t max)
{
    size_t n = 0;

    while (n < max && fields[n].name != NULL) {
        n++;
    }
    return n;
}

static struct gm_s3_request request_of(const struct vector *v, const char *host)
{
    return (struct gm_s3_request){.method = v->method,
                                  .host = host,
                                  .path = v->path,
                                  .query = v->query,
                                  .query_count = fields_of(v->query, 4),
                                  .headers = v->headers,
                                  .header_count = fields_of(v->headers, 5),
                                  .payload = v->payload};
}

static struct gm_s3_signer *signer_of(const struct gm_s3_keys *keys, const char *token,
                                      const char *service)
{
    struct gm_s3_keys with = *keys;
    struct gm_s3_signer *signer = NULL;
    struct gm_err err = {0};

    with.token = token;
    assert_int_equal(gm_s3_signer_create(&with, "us-east-1", service, &signer, &err), 0);
    return signer;
}

static void check_vector(const struct vector *v, const struct gm_s3_keys *keys, const char *service,
                         const char *host, int64_t at, const char *day)
{
    struct gm_s3_signer *signer = signer_of(keys, v->token, service);
    struct gm_s3_request request = request_of(v, host);
    struct gm_s3_signed out = {0};
    struct gm_err err = {0};
    char want[512];

    snprintf(want, sizeof(want),
             "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/%s/aws4_request, "
             "SignedHeaders=%s, Signature=%s",
             keys->id, day, service, v->names, v->signature);
    assert_int_equal(gm_s3_sign(signer, &request, at, &out, &err), 0);
    if (strcmp(out.lines[0], want) != 0) {
        print_message("%s\n", v->name);
    }
    assert_string_equal(out.lines[0], want);
    gm_s3_signed_fini(&out);
    gm_s3_signer_destroy(&signer);
}

static void the_published_suite_has_these_signatures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(SUITE) / sizeof(SUITE[0]); i++) {
        check_vector(&SUITE[i], &SUITE_KEYS, "service", "example.amazonaws.com", SUITE_AT,
                     "20150830");
    }
}

static void the_published_examples_of_s3_have_these_signatures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(EXAMPLES) / sizeof(EXAMPLES[0]); i++) {
        check_vector(&EXAMPLES[i], &EXAMPLE_KEYS, "s3", "examplebucket.s3.amazonaws.com",
                     EXAMPLES_AT, "20130524");
    }
}

static void the_published_suite_has_these_queries(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(SUITE_QUERIES) / sizeof(SUITE_QUERIES[0]); i++) {
        const struct vector *v = &SUITE_QUERIES[i];
        struct gm_s3_signer *signer = signer_of(&SUITE_KEYS, v->token, "service");
        struct gm_s3_request request = request_of(v, "example.amazonaws.com");
        struct gm_err err = {0};
        char *url = NULL;
        char names[128];

        snprintf(names, sizeof(names), "&X-Amz-SignedHeaders=%s&", v->names);
        assert_int_equal(gm_s3_presign(signer, &request, true, SUITE_AT, 3600, &url, &err), 0);
        assert_string_equal(strstr(url, "&X-Amz-Signature=") + strlen("&X-Amz-Signature="),
                            v->signature);
        assert_non_null(strstr(url, names));
        free(url);
        gm_s3_signer_destroy(&signer);
    }
}

static void the_published_example_of_a_url_is_made(void **state)
{
    struct gm_s3_signer *signer = signer_of(&EXAMPLE_KEYS, NULL, "s3");
    struct gm_s3_request request = {.method = "GET",
                                    .host = "examplebucket.s3.amazonaws.com",
                                    .path = "/test.txt",
                                    .payload = GM_S3_UNSIGNED};
    struct gm_err err = {0};
    char *url = NULL;

    (void)state;
    assert_int_equal(gm_s3_presign(signer, &request, true, EXAMPLES_AT, 86400, &url, &err), 0);
    assert_string_equal(
        url, "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
             "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
             "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
             "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    free(url);
    gm_s3_signer_destroy(&signer);
}

static void what_must_be_sent_is_said(void **state)
{
    static const struct gm_s3_field query[] = {{"uploadId", "a/b+c"}, {"partNumber", "1"}};
    struct gm_s3_signer *signer = signer_of(&EXAMPLE_KEYS, "tok", "s3");
    struct gm_s3_request request = {.method = "PUT",
                                    .host = "h",
                                    .path = "/b/k%20k",
                                    .query = query,
                                    .query_count = 2,
                                    .payload = GM_S3_UNSIGNED};
    struct gm_s3_signed out = {0};
    struct gm_err err = {0};

    (void)state;
    assert_int_equal(gm_s3_sign(signer, &request, EXAMPLES_AT + 999, &out, &err), 0);
    assert_string_equal(out.target, "/b/k%20k?partNumber=1&uploadId=a%2Fb%2Bc");
    assert_int_equal(out.line_count, 4);
    assert_non_null(strstr(out.lines[0], "SignedHeaders=host;x-amz-content-sha256;x-amz-date;"
                                         "x-amz-security-token, "));
    assert_string_equal(out.lines[1], "x-amz-date: 20130524T000000Z");
    assert_string_equal(out.lines[2], "x-amz-content-sha256: UNSIGNED-PAYLOAD");
    assert_string_equal(out.lines[3], "x-amz-security-token: tok");
    gm_s3_signed_fini(&out);
    gm_s3_signed_fini(&out); /* nothing is left to free */
    gm_s3_signer_destroy(&signer);
}

/* The key of a day is kept, and must not outlive it. */
static void each_day_has_its_key(void **state)
{
    static const int64_t times[] = {EXAMPLES_AT, EXAMPLES_AT + 86400000, EXAMPLES_AT + 86399999,
                                    EXAMPLES_AT, SUITE_AT};
    struct gm_s3_signer *kept = signer_of(&EXAMPLE_KEYS, NULL, "s3");
    struct gm_s3_request request = request_of(&EXAMPLES[0], "examplebucket.s3.amazonaws.com");
    struct gm_err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct gm_s3_signer *fresh = signer_of(&EXAMPLE_KEYS, NULL, "s3");
        char *one = NULL;
        char *two = NULL;

        assert_int_equal(gm_s3_presign(kept, &request, false, times[i], 60, &one, &err), 0);
        assert_int_equal(gm_s3_presign(fresh, &request, false, times[i], 60, &two, &err), 0);
        assert_string_equal(one, two);
        free(one);
        free(two);
        gm_s3_signer_destroy(&fresh);
    }
    gm_s3_signer_destroy(&kept);
}

/* What one byte of the request changes must change the signature; so must a body's hash. */
static void a_url_for_one_body_names_its_hash(void **state)
{
    static const struct gm_s3_field headers[] = {{"Content-Length", "5"},
                                                 {"Content-MD5", "XUFAKrxLKna5cZ2REBfFkg=="}};
    struct gm_s3_signer *signer = signer_of(&EXAMPLE_KEYS, NULL, "s3");
    struct gm_s3_request request = {.method = "PUT",
                                    .host = "h",
                                    .path = "/b/k",
                                    .headers = headers,
                                    .header_count = 2,
                                    .payload = EMPTY_HASH};
    struct gm_err err = {0};
    char *hashed = NULL;
    char *open = NULL;

    (void)state;
    assert_int_equal(gm_s3_presign(signer, &request, false, SUITE_AT, 60, &hashed, &err), 0);
    assert_non_null(strstr(hashed, "&X-Amz-SignedHeaders=content-length%3Bcontent-md5%3Bhost%3B"
                                   "x-amz-content-sha256&"));
    assert_null(strstr(hashed, EMPTY_HASH));
    request.payload = GM_S3_UNSIGNED;
    assert_int_equal(gm_s3_presign(signer, &request, false, SUITE_AT, 60, &open, &err), 0);
    assert_non_null(strstr(open, "&X-Amz-SignedHeaders=content-length%3Bcontent-md5%3Bhost&"));
    assert_string_not_equal(strstr(hashed, "&X-Amz-Signature="), strstr(open, "&X-Amz-Signature="));
    free(hashed);
    free(open);
    gm_s3_signer_destroy(&signer);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    static const struct gm_s3_field broken[] = {{"A", "x\r\nHost: other"},
                                                {"A:", "x"},
                                                {"", "x"},
                                                {"A", "\x7f"},
                                                {"HOST", "x"},
                                                {"Authorization", "x"},
                                                {"X-Amz-Date", "x"},
                                                {"x-amz-content-SHA256", "x"},
                                                {"x-amz-security-token", "x"}};
    static const struct gm_s3_field params[] = {
        {"", "x"}, {"x-amz-expires", "1"}, {"X-Amz-Signature", "x"}};
    static const struct gm_s3_request requests[] = {
        {.method = "get", .host = "h", .path = "/", .payload = EMPTY_HASH},
        {.method = "", .host = "h", .path = "/", .payload = EMPTY_HASH},
        {.method = "GET", .host = "", .path = "/", .payload = EMPTY_HASH},
        {.method = "GET", .host = "h/x", .path = "/", .payload = EMPTY_HASH},
        {.method = "GET", .host = "h", .path = "", .payload = EMPTY_HASH},
        {.method = "GET", .host = "h", .path = "x", .payload = EMPTY_HASH},
        {.method = "GET", .host = "h", .path = "/a b", .payload = EMPTY_HASH},
        {.method = "GET", .host = "h", .path = "/a%2f", .payload = EMPTY_HASH},
        {.method = "GET", .host = "h", .path = "/a%2", .payload = EMPTY_HASH},
        {.method = "GET", .host = "h", .path = "/a?b", .payload = EMPTY_HASH},
        {.method = "GET", .host = "h", .path = "/", .payload = ""},
        {.method = "GET", .host = "h", .path = "/", .payload = EMPTY_HASH "0"},
        {.method = "GET", .host = "h", .path = "/", .payload = "UNSIGNED"},
    };
    struct gm_s3_signer *signer = signer_of(&EXAMPLE_KEYS, NULL, "s3");
    struct gm_s3_request good = {.method = "GET", .host = "h", .path = "/", .payload = EMPTY_HASH};
    struct gm_s3_signed out = {0};
    struct gm_err err = {0};
    char *url = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        assert_int_equal(gm_s3_sign(signer, &requests[i], SUITE_AT, &out, &err), -GM_E_INVAL);
        assert_int_equal(gm_s3_presign(signer, &requests[i], true, SUITE_AT, 9, &url, &err),
                         -GM_E_INVAL);
    }
    good.header_count = 1;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        good.headers = &broken[i];
        assert_int_equal(gm_s3_sign(signer, &good, SUITE_AT, &out, &err), -GM_E_INVAL);
    }
    good.header_count = 0;
    good.query_count = 1;
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        good.query = &params[i];
        assert_int_equal(gm_s3_sign(signer, &good, SUITE_AT, &out, &err), -GM_E_INVAL);
    }
    good.query_count = 0;
    assert_int_equal(gm_s3_sign(signer, &good, -1, &out, &err), -GM_E_INVAL);
    assert_int_equal(gm_s3_presign(signer, &good, true, SUITE_AT, 0, &url, &err), -GM_E_INVAL);
    assert_int_equal(gm_s3_presign(signer, &good, true, SUITE_AT, 604801, &url, &err), -GM_E_INVAL);
    assert_null(out.target);
    assert_int_equal(out.line_count, 0);
    assert_null(url);
    gm_s3_signer_destroy(&signer);
}

static void too_many_fields_are_refused(void **state)
{
    struct gm_s3_signer *signer = signer_of(&EXAMPLE_KEYS, NULL, "s3");
    struct gm_s3_field fields[257];
    struct gm_s3_request request = {.method = "GET",
                                    .host = "h",
                                    .path = "/",
                                    .query = fields,
                                    .query_count = 257,
                                    .payload = EMPTY_HASH};
    struct gm_s3_signed out = {0};
    struct gm_err err = {0};

    (void)state;
    for (size_t i = 0; i < 257; i++) {
        fields[i] = (struct gm_s3_field){"a", "b"};
    }
    assert_int_equal(gm_s3_sign(signer, &request, SUITE_AT, &out, &err), -GM_E_LIMIT);
    request.query_count = 256;
    assert_int_equal(gm_s3_sign(signer, &request, SUITE_AT, &out, &err), 0);
    gm_s3_signed_fini(&out);
    gm_s3_signer_destroy(&signer);
}

static void keys_that_are_none_are_refused_and_not_told(void **state)
{
    static const struct gm_s3_keys keys[] = {{"", "hushhush", NULL},    {"a/b", "hushhush", NULL},
                                             {"a,b", "hushhush", NULL}, {"a b", "hushhush", NULL},
                                             {"id", "", NULL},          {"id", "hushhush", ""},
                                             {"id", "hushhush", "a\nb"}};
    struct gm_s3_signer *signer = NULL;
    struct gm_err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(gm_s3_signer_create(&keys[i], "r", "s3", &signer, &err), -GM_E_INVAL);
        assert_null(strstr(err.text, "hush"));
        assert_null(signer);
    }
    assert_int_equal(gm_s3_signer_create(&EXAMPLE_KEYS, "", "s3", &signer, &err), -GM_E_INVAL);
    assert_int_equal(gm_s3_signer_create(&EXAMPLE_KEYS, "r/r", "s3", &signer, &err), -GM_E_INVAL);
    assert_int_equal(gm_s3_signer_create(&EXAMPLE_KEYS, "r", "", &signer, &err), -GM_E_INVAL);
    gm_s3_signer_destroy(&signer); /* NULL is fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_suite_has_these_signatures),
        cmocka_unit_test(the_published_examples_of_s3_have_these_signatures),
        cmocka_unit_test(the_published_suite_has_these_queries),
        cmocka_unit_test(the_published_example_of_a_url_is_made),
        cmocka_unit_test(what_must_be_sent_is_said),
        cmocka_unit_test(each_day_has_its_key),
        cmocka_unit_test(a_url_for_one_body_names_its_hash),
        cmocka_unit_test(what_cannot_be_sent_is_refused),
        cmocka_unit_test(too_many_fields_are_refused),
        cmocka_unit_test(keys_that_are_none_are_refused_and_not_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
