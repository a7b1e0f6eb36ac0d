#include "storage/s3/redirect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void locations_are_joined(void **state)
{
    static const struct {
        const char *from, *location, *to; /* NULL: it may not be followed */
    } rows[] = {
        {"http://a/x/y?q=1", "https://b/z?w#f", "https://b/z?w"},
        {"http://a/x/y?q=1", "//b:81/z", "http://b:81/z"},
        {"http://a/x/y?q=1", "/z", "http://a/z"},
        {"http://a/x/y?q=1/2", "z", "http://a/x/z"},
        {"http://a/x/y?q=1", "?r", "http://a/x/y?r"},
        {"http://a", "z", "http://a/z"},
        {"http://a:8080?x", "z", "http://a:8080/z"},
        {"https://a/x", "http://a/x", NULL},
        {"https://a/x", "//b/x", "https://b/x"},
        {"http://a/x", "http://u:p@b/x", NULL},
        {"http://a/x", "https:///x", NULL},
        {"file:///x", "/y", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_err err = {0};
        char *to = NULL;
        int rc = gm_http_redirect(rows[i].from, rows[i].location, &to, &err);
        if (rows[i].to == NULL) {
            assert_int_equal(rc, -GM_E_STORE);
            assert_null(to);
        } else {
            assert_int_equal(rc, 0);
            assert_string_equal(to, rows[i].to);
            free(to);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(locations_are_joined)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
