#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/yaml.h"

static void the_closest_word_is_found(void **state)
{
    static const char *const words[] = {"encode", "inspect", "preset", "height", NULL};
    static const struct {
        const char *word;
        const char *want;
    } rows[] = {
        {"encode", "encode"},   {"encdoe", "encode"},  {"Encode", "encode"}, {"hieght", "height"},
        {"inspekt", "inspect"}, {"presets", "preset"}, {"x", NULL},          {"", NULL},
        {"bitrate", NULL},      {"heixxx", "height"},  {"hexxxx", NULL}};
    static const char *const none[] = {NULL};
    char longer[100];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = gm_suggest(rows[i].word, words);

        if (rows[i].want == NULL) {
            assert_null(got);
        } else {
            assert_non_null(got);
            assert_string_equal(got, rows[i].want);
        }
    }
    assert_null(gm_suggest("x", none));
    memset(longer, 'e', sizeof(longer));
    longer[99] = '\0';
    assert_null(gm_suggest(longer, words));
    assert_null(gm_suggest("eeee", (const char *const[]){longer, NULL}));
}

static void the_closest_few_come_in_order(void **state)
{
    static const char *const words[] = {"n-1", "n-22", "n-2", "other", "m-2", "n-3", NULL};
    const char *out[GM_SUGGEST_MAX];

    (void)state;
    assert_int_equal(gm_suggest_few("n-2", words, out, 3), 3);
    assert_string_equal(out[0], "n-2");
    assert_string_equal(out[1], "n-1"); /* as far as n-22 and m-2, and before them */
    assert_string_equal(out[2], "n-22");
    assert_int_equal(gm_suggest_few("n-2", words, out, 1), 1);
    assert_string_equal(out[0], "n-2");
    assert_int_equal(gm_suggest_few("othr", words, out, 3), 1);
    assert_string_equal(out[0], "other");
    assert_int_equal(gm_suggest_few("a-long-name", words, out, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_closest_word_is_found),
        cmocka_unit_test(the_closest_few_come_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
