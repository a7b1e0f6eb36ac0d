#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/utf8.h"

static void sequences_have_their_length(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } rows[] = {{"a", 1},
                {"", 1},
                {"\x7f", 1},
                {"\xc2\x80", 2},
                {"\xdf\xbf", 2},
                {"\xe0\xa0\x80", 3},
                {"\xed\x9f\xbf", 3},
                {"\xee\x80\x80", 3},
                {"\xf0\x90\x80\x80", 4},
                {"\xf4\x8f\xbf\xbf", 4},
                {"\x80", 0},             /* a tail alone */
                {"\xc1\xbf", 0},         /* overlong */
                {"\xe0\x9f\xbf", 0},     /* overlong */
                {"\xed\xa0\x80", 0},     /* surrogate */
                {"\xf0\x8f\xbf\xbf", 0}, /* overlong */
                {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
                {"\xf5\x80\x80\x80", 0},
                {"\xc2", 0}, /* cut */
                {"\xe2\x82", 0},
                {"\xf0\x9f\x98", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(gm_utf8_length(rows[i].text), rows[i].length);
    }
}

static void clean_replaces_in_place(void **state)
{
    char text[] = "a\tb\x01\xc3\xa4\xc3\x7f\xe2\x82";

    (void)state;
    gm_utf8_clean(text);
    assert_string_equal(text, "a b \xc3\xa4? ??");
}

static void foreign_text_is_made_harmless(void **state)
{
    (void)state;
    char text[8] = "before";
    gm_ascii_copy(text, sizeof(text), "a\n\"\x01\xc3\xa4zzz");
    assert_string_equal(text, "a?\"???z");
    gm_ascii_copy(text, sizeof(text), NULL);
    assert_string_equal(text, "");
    text[1] = 'x';
    gm_ascii_copy(text, 1, "abc");
    assert_true(text[0] == '\0' && text[1] == 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_have_their_length),
        cmocka_unit_test(clean_replaces_in_place),
        cmocka_unit_test(foreign_text_is_made_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
