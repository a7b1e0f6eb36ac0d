#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/traceparent.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static void headers_are_taken_by_the_rules(void **state)
{
    static const struct {
        const char *text, *taken; /* NULL: none */
    } rows[] = {
        {"00-" TRACE "-" PARENT "-01", "00-" TRACE "-" PARENT "-01"},
        {"00-" TRACE "-" PARENT "-03", "00-" TRACE "-" PARENT "-03"},
        {"cc-" TRACE "-" PARENT "-fe", "00-" TRACE "-" PARENT "-00"},
        {"cc-" TRACE "-" PARENT "-09-what-comes", "00-" TRACE "-" PARENT "-01"},
        {"00-" TRACE "-" PARENT "-01-", NULL},
        {"00-" TRACE "-" PARENT "-01-more", NULL},
        {"cc-" TRACE "-" PARENT "-01.more", NULL},
        {"ff-" TRACE "-" PARENT "-01", NULL},
        {"0G-" TRACE "-" PARENT "-01", NULL},
        {"00-4BF92f3577b34da6a3ce929d0e0e4736-" PARENT "-01", NULL},
        {"00-00000000000000000000000000000000-" PARENT "-01", NULL},
        {"00-" TRACE "-0000000000000000-01", NULL},
        {"00-" TRACE "-" PARENT "-0x", NULL},
        {"00-" TRACE "-" PARENT "-0", NULL},
        {"00_" TRACE "-" PARENT "-01", NULL},
        {"00-" TRACE "_" PARENT "-01", NULL},
        {"00-" TRACE "-" PARENT "_01", NULL},
        {" 00-" TRACE "-" PARENT "-01", NULL},
        {"", NULL},
        {NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[GM_TRACEPARENT_SIZE] = "x";
        bool taken = gm_traceparent_parse(rows[i].text, out);
        if (taken != (rows[i].taken != NULL) ||
            strcmp(out, rows[i].taken != NULL ? rows[i].taken : "") != 0) {
            fail_msg("`%s` gives `%s`", rows[i].text, out);
        }
    }
}

static void its_trace_is_what_logs_name(void **state)
{
    char id[GM_TRACE_ID_SIZE];
    (void)state;
    assert_string_equal(gm_trace_id("00-" TRACE "-" PARENT "-01", id), TRACE);
    assert_string_equal(gm_trace_id("", id), "");
    assert_string_equal(gm_trace_id(NULL, id), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_taken_by_the_rules),
        cmocka_unit_test(its_trace_is_what_logs_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
