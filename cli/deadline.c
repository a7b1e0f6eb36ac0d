#include "cli/deadline.h"

#include <stdio.h>
#include <string.h>

#include "common/number.h"

#define LATEST INT64_C(253402300799000) /* the end of the year 9999 */

int gm_deadline_parse(const char *text, int64_t now_unix_ms, int64_t *out_unix_ms,
                      struct gm_err *err)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    char digits[20];
    size_t size = strspn(text, "0123456789");
    int64_t value = 0, ms = 0;
    (void)snprintf(digits, sizeof(digits), "%.*s", (int)(size < 19 ? size : 19), text);
    for (size_t i = 0; text[size] != '\0' && i < sizeof(units) / sizeof(units[0]); i++) {
        ms = text[size] == units[i].unit && text[size + 1] == '\0' ? units[i].ms : ms;
    }
    bool from_now = ms > 0;
    if (size > 18 || !gm_number_int(digits, &value) || value < 1 ||
        (!from_now && text[size] != '\0') || value > LATEST / (from_now ? ms : 1)) {
        return gm_err_set(
            err, GM_E_INVAL, 0,
            "--deadline is so long from now (90s, 30m, 2h, 3d), or a time in ms since "
            "1970, not `%.40s`",
            text);
    }
    *out_unix_ms = from_now ? now_unix_ms + value * ms : value;
    return 0;
}
