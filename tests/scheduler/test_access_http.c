#include "scheduler/access_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/transfer/script_server.h"

#define HEAD(rest) "HTTP/1.1 200 OK\r\n" rest "\r\n\r\n"

static char *all[] = {NULL, NULL};

/* Asks for path at a server that answers so; what was asked, owned. */
static char *look(const char *const *answers, const char *path, struct gm_access_http *out,
                  struct gm_err *err, int *out_rc)
{
    struct script_server server;
    char url[256];
    script_start(&server, answers);
    snprintf(url, sizeof(url), "%s%s", server.url, path);
    all[0] = server.url;
    *err = (struct gm_err){0};
    *out_rc = gm_access_http(url, all, NULL, out, err);
    return script_stop(&server);
}

static void size_and_etag_are_what_head_says(void **state)
{
    static const struct {
        const char *answer, *etag;
    } rows[] = {
        {HEAD("Content-Length: 7\r\nETag: \"a\""), "\"a\""},
        {HEAD("Content-Length: 7\r\nETag: W/\"a\"\r\nLast-Modified: Sat, 21 Nov 2026 10:00:00 GMT"),
         "Sat, 21 Nov 2026 10:00:00 GMT"},
        {HEAD("Content-Length: 7"), ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const answers[] = {rows[i].answer, NULL};
        struct gm_access_http out;
        struct gm_err err;
        int rc;
        free(look(answers, "/a.mp4", &out, &err, &rc));
        assert_string_equal(err.text, "");
        assert_int_equal(rc, 0);
        assert_int_equal(out.size, 7);
        assert_string_equal(out.etag, rows[i].etag);
    }
}

static void where_head_is_refused_a_byte_is_asked_for(void **state)
{
    const char *const ranged[] = {"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n",
                                  "HTTP/1.1 206 Part\r\nETag: \"a\"\r\nContent-Length: "
                                  "1\r\nContent-Range: bytes 0-0/9\r\n\r\nx",
                                  NULL};
    const char *const whole[] = {"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
                                 HEAD("Content-Length: 9\r\nETag: \"a\"") "xxxxxxxxx", NULL};
    struct gm_access_http out;
    struct gm_err err;
    int rc;
    (void)state;
    char *asked = look(ranged, "/a", &out, &err, &rc);
    assert_int_equal(rc, 0);
    assert_int_equal(out.size, 9);
    assert_non_null(strstr(asked, "Range: bytes=0-0"));
    free(asked);
    free(look(whole, "/a", &out, &err, &rc));
    assert_int_equal(rc, 0);
    assert_int_equal(out.size, 9);
    assert_string_equal(out.etag, "\"a\"");
}

static void redirects_are_followed_five_times(void **state)
{
    const char *const two[] = {"HTTP/1.1 302 F\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
                               "HTTP/1.1 301 F\r\nLocation: c?d\r\nContent-Length: 0\r\n\r\n",
                               HEAD("Content-Length: 7"), NULL};
    const char *endless[9];
    struct gm_access_http out;
    struct gm_err err;
    int rc;
    (void)state;
    char *asked = look(two, "/x/a?token=secret", &out, &err, &rc);
    assert_int_equal(rc, 0);
    assert_non_null(strstr(asked, "HEAD /b HTTP"));
    assert_non_null(strstr(asked, "HEAD /c?d HTTP"));
    free(asked);
    for (size_t i = 0; i < 8; i++) {
        endless[i] = two[0];
    }
    endless[8] = NULL;
    free(look(endless, "/a?token=secret", &out, &err, &rc));
    assert_int_equal(rc, -GM_E_STORE);
    assert_null(strstr(err.text, "secret"));
}

static void refusals_have_codes_and_no_query(void **state)
{
    static const struct {
        const char *answer;
        enum gm_code code;
    } rows[] = {
        {"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", GM_E_INPUT_MISSING},
        {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", GM_E_INPUT_DENIED},
        {"HTTP/1.1 302 F\r\nLocation: ftp://a/b\r\nContent-Length: 0\r\n\r\n", GM_E_STORE},
        {"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n", GM_E_STORE},
        {HEAD("Content-Length: 0"), GM_E_INPUT_UNREADABLE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const answers[] = {rows[i].answer, rows[i].answer, NULL};
        struct gm_access_http out;
        struct gm_err err;
        int rc;
        free(look(answers, "/a?token=secret", &out, &err, &rc));
        assert_int_equal(rc, -(int)rows[i].code);
        assert_null(strstr(err.text, "secret"));
    }
}

static void only_named_places_are_asked(void **state)
{
    char *allowed[] = {"/media", "https://Host/a/b/", "http://h:81", NULL};
    static const struct {
        const char *url;
        bool allowed;
    } rows[] = {
        {"https://host/a/b/c.mp4?x", true},
        {"https://HOST/a/b", true},
        {"https://host/a/bc", false},
        {"https://host/a", false},
        {"http://host/a/b/c", false},
        {"https://host:444/a/b/c", false},
        {"http://h:81/any", true},
        {"http://h:81", true},
        {"http://h/any", false},
        {"/media/a", false},
        {"https://host.evil/a/b/c", false},
        {"https://u@host/a/b/c", false},
    };
    static const char *const never[] = {
        "https://host/a/b/../../x", "https://host/a/b/%2e%2E/x", "https://host/a/b/.%2e",
        "https://host/a/b/x#f",     "https://host/a/b\\..\\x",   "https://u:p@host/a/b/x",
        "https://host/a/b/./x",     "https://host/a/b/..%2Fx",   "https://host/a/b/x%2f..%2f..%2fy",
        "https://host/a/b/..;/x",   "https://host/a/b/..;c=d/x", "https://host/a/b/..%5cx",
        "https://host/a/b/..%3b/x", "https://host/a/b/x%00",     "https://host/a/b/%252e%252e/x",
        "https://host/a/b/..%2f",
    };
    struct gm_access_http out;
    struct gm_err err;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(gm_access_http_allows(rows[i].url, allowed), rows[i].allowed);
    }
    assert_false(gm_access_http_allows("https://host/a", NULL));
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        assert_int_equal(gm_access_http(never[i], allowed, NULL, &out, &err), -GM_E_INVAL);
    }
    assert_int_equal(gm_access_http("https://host/x", allowed, NULL, &out, &err),
                     -GM_E_STORE_DENIED);
}

static void names_are_the_last_part(void **state)
{
    static const char *const rows[][2] = {
        {"https://h/a/b%20c.mp4?x=/y", "b c.mp4"},
        {"https://h/a/", "a"},
        {"https://h:81", "h:81"},
        {"https://h/?q", "h"},
        {"https://h/a%2fb", "a_b"},
        {"https://h/a%ffb", "a?b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *name = NULL;
        struct gm_err err;
        assert_int_equal(gm_access_http_name(rows[i][0], &name, &err), 0);
        if (strchr(rows[i][1], '?') == NULL) {
            assert_string_equal(name, rows[i][1]);
        }
        assert_null(strchr(name, '/'));
        free(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_and_etag_are_what_head_says),
        cmocka_unit_test(where_head_is_refused_a_byte_is_asked_for),
        cmocka_unit_test(redirects_are_followed_five_times),
        cmocka_unit_test(refusals_have_codes_and_no_query),
        cmocka_unit_test(only_named_places_are_asked),
        cmocka_unit_test(names_are_the_last_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
