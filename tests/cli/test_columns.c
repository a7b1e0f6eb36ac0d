#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/columns.h"

static const struct gm_column COLUMNS[] = {
    {"ID", true, false}, {"N", true, true}, {"WHAT", false, false}, {NULL, false, false}};

static void prints(unsigned width, const char *what, const char *expected)
{
    struct gm_table table = {.columns = COLUMNS};
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    assert_non_null(file);
    assert_int_equal(gm_table_width(file), 0);
    gm_table_add(&table, "abcdefgh");
    gm_table_addf(&table, "%d", 7);
    gm_table_add(&table, what);
    gm_table_print(&table, file, width);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(out, expected);
    free(out);
}

static void columns_are_cut_to_the_terminal_but_for_ids(void **state)
{
    (void)state;
    prints(0, "a long sentence", "ID        N  WHAT\nabcdefgh  7  a long sentence\n");
    prints(28, "a long sentence", "ID        N  WHAT\nabcdefgh  7  a long sentence\n");
    prints(20, "a long sentence", "ID        N  WHAT\nabcdefgh  7  a long…\n");
    prints(5, "a long sentence", "ID        N  WHAT\nabcdefgh  7  a lon…\n");
}

static void what_comes_from_others_is_safe_for_a_terminal(void **state)
{
    (void)state;
    prints(0, "a\033[2Jb\r\n\xff", "ID        N  WHAT\nabcdefgh  7  a [2Jb  ?\n");
    prints(20, "ééééééééé", "ID        N  WHAT\nabcdefgh  7  éééééé…\n");
}

/* Sentences below a row are folded, not cut. */
static void lines_below_stay_with_their_row(void **state)
{
    static const char expected[] = "ID    N  WHAT\n"
                                   "  at first\n"
                                   "aaaa  1  x\n"
                                   "  note: some words that\n"
                                   "    are too long for it\n"
                                   "  two\n"
                                   "bbbb  2  y\n";
    struct gm_table table = {.columns = COLUMNS};
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    assert_non_null(file);
    (void)state;
    gm_table_below(&table, strdup("  at first\n"));
    gm_table_add(&table, "aaaa");
    gm_table_add(&table, "1");
    gm_table_add(&table, "x");
    gm_table_below(&table, strdup("  note: some words that are too long for it\n  two\n"));
    gm_table_add(&table, "bbbb");
    gm_table_add(&table, "2");
    gm_table_add(&table, "y");
    gm_table_print(&table, file, 24);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(out, expected);
    free(out);
}

static void folded(const char *text, size_t indent, unsigned width, const char *expected)
{
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    assert_non_null(file);
    gm_fold(file, text, indent, width);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(out, expected);
    free(out);
}

static void lines_are_folded_at_blanks(void **state)
{
    (void)state;
    folded("a b c\nd", 2, 0, "a b c\nd\n");
    folded("aaa bbb ccc\n\n", 2, 7, "aaa bbb\n  ccc\n\n");
    folded("aaa bbb ccc", 2, 8, "aaa bbb\n  ccc\n");
    folded("aaaaaaaaaaaa bbb ccc", 1, 7, "aaaaaaaaaaaa\n bbb\n ccc\n");
    folded("\303\251\303\251\303\251 bbb ccc", 1, 7, "\303\251\303\251\303\251 bbb\n ccc\n");
    folded("    deep lines stay", 2, 9, "    deep lines stay\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_cut_to_the_terminal_but_for_ids),
        cmocka_unit_test(what_comes_from_others_is_safe_for_a_terminal),
        cmocka_unit_test(lines_below_stay_with_their_row),
        cmocka_unit_test(lines_are_folded_at_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
