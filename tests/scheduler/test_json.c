#include "tests/scheduler/helper.h"

#include <math.h>

#include "scheduler/json.h"

/* What `j`, which it takes, is as text. */
static void is_text(json_t *j, const char *want)
{
    assert_non_null(j);
    char *text = json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT);
    assert_string_equal(text, want);
    free(text);
    json_decref(j);
}

static void any_bytes_are_a_string(void **state)
{
    (void)state;
    is_text(gm_json_string(""), "\"\"");
    is_text(gm_json_string("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"");
    is_text(gm_json_string("a\xff\xc3"), "\"a??\"");
    is_text(gm_json_text_or_null("\xff"), "\"?\"");
    is_text(gm_json_text_or_null(""), "null");
}

static void any_number_is_one_or_null(void **state)
{
    (void)state;
    is_text(gm_json_number(-1.5), "-1.5");
    is_text(gm_json_number(0), "0.0");
    is_text(gm_json_number(NAN), "null");
    is_text(gm_json_number(-INFINITY), "null");
}

static void times_and_rates_have_their_form(void **state)
{
    Gm__Rational r = GM__RATIONAL__INIT;
    (void)state;
    is_text(gm_json_time(0), "null");
    is_text(gm_json_time(1769860800123), "\"2026-01-31T12:00:00.123Z\"");
    is_text(gm_json_rational(NULL), "null");
    r.num = 30000;
    is_text(gm_json_rational(&r), "null");
    r.den = 1001;
    is_text(gm_json_rational(&r), "{\"num\":30000,\"den\":1001}");
}

static void a_list_goes_with_what_it_lacks(void **state)
{
    (void)state;
    json_t *list = gm_json_add(json_array(), json_integer(1));
    is_text(gm_json_add(list, json_null()), "[1,null]");
    assert_null(gm_json_add(json_array(), NULL));
    assert_null(gm_json_add(NULL, json_integer(1)));
    assert_null(gm_json_add(NULL, NULL));
}

static void urls_of_web_servers_keep_their_secrets(void **state)
{
    (void)state;
    is_text(gm_json_url("https://h/a.mov?token=1"), "\"https://h/a.mov\"");
    is_text(gm_json_url("http://h/a#x?y"), "\"http://h/a\"");
    is_text(gm_json_url("s3://b/a?b#c"), "\"s3://b/a?b#c\"");
    is_text(gm_json_url("file:///a%3Fb"), "\"file:///a%3Fb\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_are_a_string),
        cmocka_unit_test(any_number_is_one_or_null),
        cmocka_unit_test(urls_of_web_servers_keep_their_secrets),
        cmocka_unit_test(a_list_goes_with_what_it_lacks),
        cmocka_unit_test(times_and_rates_have_their_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
