#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/language.h"

static void codes_become_tags(void **state)
{
    static const char *const rows[][2] = {{"eng", "en"},  {"deu", "de"},    {"ger", "de"},
                                          {"tlh", "tlh"}, {"und", NULL},    {"", NULL},
                                          {"e\"g", NULL}, {"english", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = gm_language_tag(rows[i][0]);
        if (rows[i][1] == NULL) {
            assert_null(got);
        } else {
            assert_string_equal(got, rows[i][1]);
        }
    }
    assert_null(gm_language_tag(NULL));
}

static void what_containers_say_becomes_codes(void **state)
{
    static const char *const rows[][2] = {
        {"eng", "eng"},        {"ger", "ger"}, {"tlh", "tlh"},     {"pt-BR", "por"},
        {"zh-Hant-TW", "zho"}, {"de", "deu"},  {"cs", "ces"},      {"nl", "nld"},
        {"por-BR", "por"},     {"xx", "und"},  {"english", "und"}, {"e", "und"},
        {"", "und"},           {"-BR", "und"}, {"EN", "und"},      {"en_US", "und"},
        {"e\"g", "und"},       {"en\"", "und"}};
    char code[GM_LANGUAGE_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        gm_language_code(rows[i][0], code);
        assert_string_equal(code, rows[i][1]);
    }
    gm_language_code(NULL, code);
    assert_string_equal(code, "und");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_become_tags),
        cmocka_unit_test(what_containers_say_becomes_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
