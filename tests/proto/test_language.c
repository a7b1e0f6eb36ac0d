#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "proto/language.h"

static void codes_become_tags(void **state)
{
    static const char *const rows[][2] = {
        {"eng", "en"}, {"deu", "de"},  {"ger", "de"},     {"tlh", "tlh"}, {"und", NULL},
        {"", NULL},    {"e\"g", NULL}, {"english", NULL}, {"ENG", NULL},  {"nob", "nb"},
        {"alb", "sq"}, {"aar", "aa"},  {"zul", "zu"},     {"en", NULL},   {"eng-", NULL}};
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
        {"eng", "eng"},        {"ger", "deu"},  {"tlh", "tlh"},     {"pt-BR", "por"},
        {"zh-Hant-TW", "zho"}, {"de", "deu"},   {"cs", "ces"},      {"nl", "nld"},
        {"por-BR", "por"},     {"xx", "und"},   {"english", "und"}, {"e", "und"},
        {"", "und"},           {"-BR", "und"},  {"EN", "eng"},      {"en_US", "und"},
        {"Pt-br", "por"},      {"ENG", "eng"},  {"Tlh", "tlh"},     {"nb", "nob"},
        {"nn", "nno"},         {"sq", "sqi"},   {"alb", "sqi"},     {"aa", "aar"},
        {"zu", "zul"},         {"zz", "und"},   {"e1", "und"},      {"abcd", "und"},
        {"\xc3\xa9", "und"},   {"e\"g", "und"}, {"en\"", "und"}};
    char code[GM_LANGUAGE_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        gm_language_code(rows[i][0], code);
        assert_string_equal(code, rows[i][1]);
    }
    gm_language_code(NULL, code);
    assert_string_equal(code, "und");
}

/* All that ISO 639-1 has, and back. The table is searched by halves: one row out of order, and some
 * are not found. */
static void every_language_of_two_letters_goes_there_and_back(void **state)
{
    static const char *const twice[][2] = {
        {"alb", "sqi"}, {"arm", "hye"}, {"baq", "eus"}, {"bur", "mya"}, {"chi", "zho"},
        {"cze", "ces"}, {"dut", "nld"}, {"fre", "fra"}, {"geo", "kat"}, {"ger", "deu"},
        {"gre", "ell"}, {"ice", "isl"}, {"mac", "mkd"}, {"mao", "mri"}, {"may", "msa"},
        {"per", "fas"}, {"rum", "ron"}, {"slo", "slk"}, {"tib", "bod"}, {"wel", "cym"}};
    char tag[3] = "", code[GM_LANGUAGE_SIZE], again[GM_LANGUAGE_SIZE];
    size_t count = 0, codes = 0;
    (void)state;
    for (tag[0] = 'a'; tag[0] <= 'z'; tag[0]++) {
        for (tag[1] = 'a'; tag[1] <= 'z'; tag[1]++) {
            gm_language_code(tag, code);
            if (strcmp(code, "und") != 0) {
                assert_string_equal(gm_language_tag(code), tag);
                gm_language_code(code, again);
                assert_string_equal(again, code);
                count++;
            }
        }
    }
    assert_int_equal(count, 184);
    for (int i = 0; i < 26 * 26 * 26; i++) {
        const char all[] = {(char)('a' + i / 676), (char)('a' + i / 26 % 26), (char)('a' + i % 26),
                            '\0'};
        const char *got = gm_language_tag(all);
        codes += got != NULL && strlen(got) == 2;
    }
    assert_int_equal(codes, 184 + 20);
    for (size_t i = 0; i < sizeof twice / sizeof twice[0]; i++) {
        gm_language_code(twice[i][0], code);
        assert_string_equal(code, twice[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_become_tags),
        cmocka_unit_test(what_containers_say_becomes_codes),
        cmocka_unit_test(every_language_of_two_letters_goes_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
