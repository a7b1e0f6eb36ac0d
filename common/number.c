#include "common/number.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads sign and digits; *text is left behind them. */
static bool read_int(const char **text, int64_t *out)
{
    const char *p = *text;
    bool negative = *p == '-';
    int64_t value = 0;

    p += negative ? 1 : 0;
    if (!is_digit(*p) || (*p == '0' && is_digit(p[1]))) {
        return false;
    }
    while (is_digit(*p)) {
        /* negative numbers are built downwards: INT64_MIN has no positive twin */
        if (__builtin_mul_overflow(value, 10, &value)) {
            return false;
        }
        if (negative ? __builtin_sub_overflow(value, *p - '0', &value)
                     : __builtin_add_overflow(value, *p - '0', &value)) {
            return false;
        }
        p++;
    }
    *text = p;
    *out = value;
    return true;
}

bool gm_number_int(const char *text, int64_t *out)
{
    int64_t value;

    if (!read_int(&text, &value) || *text != '\0') {
        return false;
    }
    *out = value;
    return true;
}

bool gm_number_size(const char *text, int64_t *out)
{
    static const struct {
        const char *suffix;
        int64_t factor;
    } units[] = {
        {"", 1},      {"k", 1000},         {"M", 1000 * 1000},        {"G", 1000 * 1000 * 1000},
        {"Ki", 1024}, {"Mi", 1024 * 1024}, {"Gi", 1024 * 1024 * 1024}};
    int64_t value;

    if (!read_int(&text, &value)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i].suffix) == 0) {
            if (__builtin_mul_overflow(value, units[i].factor, &value)) {
                return false;
            }
            *out = value;
            return true;
        }
    }
    return false;
}

/* The grammar of RFC 8259 section 6. */
static bool is_json_number(const char *p)
{
    p += *p == '-' ? 1 : 0;
    if (!is_digit(*p) || (*p == '0' && is_digit(p[1]))) {
        return false;
    }
    while (is_digit(*p)) {
        p++;
    }
    if (*p == '.') {
        p++;
        if (!is_digit(*p)) {
            return false;
        }
        while (is_digit(*p)) {
            p++;
        }
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+' ? 1 : 0;
        if (!is_digit(*p)) {
            return false;
        }
        while (is_digit(*p)) {
            p++;
        }
    }
    return *p == '\0';
}

bool gm_number_double(const char *text, double *out)
{
    locale_t c_locale;
    double value;

    if (!is_json_number(text)) {
        return false;
    }
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0) {
        return false;
    }
    value = strtod_l(text, NULL, c_locale);
    freelocale(c_locale);
    if (!isfinite(value)) {
        return false;
    }
    *out = value;
    return true;
}
