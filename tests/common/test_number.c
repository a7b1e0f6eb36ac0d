#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/number.h"

static void whole_numbers(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {{"0", true, 0},
                {"-0", true, 0},
                {"42", true, 42},
                {"-42", true, -42},
                {"9223372036854775807", true, INT64_MAX},
                {"-9223372036854775808", true, INT64_MIN},
                {"9223372036854775808", false, 0},
                {"-9223372036854775809", false, 0},
                {"99999999999999999999999", false, 0},
                {"", false, 0},
                {"-", false, 0},
                {"+1", false, 0},
                {"01", false, 0},
                {"1 ", false, 0},
                {" 1", false, 0},
                {"0x10", false, 0},
                {"1k", false, 0},
                {"1.0", false, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t value = 77;

        print_message("%s\n", rows[i].text);
        assert_int_equal(gm_number_int(rows[i].text, &value), rows[i].ok);
        assert_int_equal(value, rows[i].ok ? rows[i].value : 77);
    }
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {{"7", true, 7},
                {"3k", true, 3000},
                {"3Ki", true, 3072},
                {"2M", true, 2000000},
                {"2Mi", true, 2097152},
                {"5G", true, 5000000000},
                {"10Gi", true, 10737418240},
                {"8589934591Gi", true, 9223372035781033984},
                {"8589934592Gi", false, 0},
                {"3K", false, 0},
                {"3kb", false, 0},
                {"3 k", false, 0},
                {"k", false, 0},
                {"1.5G", false, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t value = 77;

        print_message("%s\n", rows[i].text);
        assert_int_equal(gm_number_size(rows[i].text, &value), rows[i].ok);
        assert_int_equal(value, rows[i].ok ? rows[i].value : 77);
    }
}

static void fractions(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        double value;
    } rows[] = {{"0", true, 0},       {"-1.5", true, -1.5}, {"2.5e3", true, 2500},
                {"1E-2", true, 0.01}, {"1e999", false, 0},  {"nan", false, 0},
                {"inf", false, 0},    {"0x1p3", false, 0},  {".5", false, 0},
                {"5.", false, 0},     {"1,5", false, 0},    {"1e", false, 0},
                {"1e+", false, 0},    {"", false, 0},       {"1.5 ", false, 0},
                {"007", false, 0},    {"1.5.2", false, 0},  {"--1", false, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double value = 77;

        print_message("%s\n", rows[i].text);
        assert_int_equal(gm_number_double(rows[i].text, &value), rows[i].ok);
        assert_true(value == (rows[i].ok ? rows[i].value : 77));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(sizes),
        cmocka_unit_test(fractions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
