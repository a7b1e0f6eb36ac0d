#include "hwtest/results.h"

#include <math.h>
#include <stdio.h>

void gm_hwtest_measure(struct gm_hwtest_check *check, double value, const char *unit,
                       const double *low, const double *high)
{
    gm_hwtest_set(check->unit, unit);
    check->has_value = isfinite(value) != 0;
    check->value = check->has_value ? value : 0.0;
    check->has_low = low != NULL;
    check->has_high = high != NULL;
    check->low = low != NULL ? *low : 0.0;
    check->high = high != NULL ? *high : 0.0;
    bool inside =
        check->has_value && (low == NULL || value >= *low) && (high == NULL || value <= *high);
    check->status = inside ? GM_HWTEST_PASS : GM_HWTEST_FAIL;
}

/* Four digits that say something; whole numbers whole. */
static void number(double value, char *out, size_t size)
{
    double size_of = fabs(value);
    int decimals = value == floor(value) && size_of < 1e9 ? 0
                   : size_of < 1                          ? 4
                   : size_of < 10                         ? 2
                   : size_of < 1000                       ? 1
                                                          : 0;
    (void)snprintf(out, size, size_of < 1e12 ? "%.*f" : "%.*e", decimals, value);
}

void gm_hwtest_value_words(const struct gm_hwtest_check *check, char *out, size_t size)
{
    char text[40];
    out[0] = '\0';
    if (check->has_value) {
        number(check->value, text, sizeof(text));
        (void)snprintf(out, size, "%s%s%s", text, check->unit[0] == '\0' ? "" : " ", check->unit);
    }
}

void gm_hwtest_limit_words(const struct gm_hwtest_check *check, char *out, size_t size)
{
    char low[40], high[40];
    number(check->low, low, sizeof(low));
    number(check->high, high, sizeof(high));
    out[0] = '\0';
    if (check->has_low && check->has_high && check->low == check->high) {
        (void)snprintf(out, size, "= %s", low);
    } else if (check->has_low && check->has_high) {
        (void)snprintf(out, size, "%s .. %s", low, high);
    } else if (check->has_low) {
        (void)snprintf(out, size, ">= %s", low);
    } else if (check->has_high) {
        (void)snprintf(out, size, "<= %s", high);
    }
}
