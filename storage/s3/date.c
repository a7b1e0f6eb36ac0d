/* Times as S3 writes them. By hand, for strptime and strftime follow the locale. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "storage/s3/date.h"

#define SECOND_MS INT64_C(1000)
#define LAST_MS INT64_C(253402300799999) /* the end of the year 9999 */
#define PLACES ((size_t)29)              /* "Sun, 06 Nov 1994 08:49:37 GMT" */

bool gm_s3_date_format(int64_t unix_ms, char out[GM_S3_DATE_SIZE])
{
    char text[64];
    struct tm tm;
    time_t seconds;

    if (unix_ms < 0 || unix_ms > LAST_MS) {
        return false;
    }
    seconds = (time_t)(unix_ms / SECOND_MS);
    if (gmtime_r(&seconds, &tm) == NULL ||
        snprintf(text, sizeof(text), "%04d%02d%02dT%02d%02d%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec) != GM_S3_DATE_SIZE - 1) {
        return false;
    }
    memcpy(out, text, GM_S3_DATE_SIZE);
    return true;
}

/* `count` digits at text; below 0: there are others. */
static int digits(const char *text, int count)
{
    int value = 0;

    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        value = 10 * value + (text[i] - '0');
    }
    return value;
}

bool gm_s3_date_parse(const char *text, int64_t *out_unix_ms)
{
    char again[GM_S3_DATE_SIZE];
    struct tm tm = {0};
    int64_t ms;

    if (strnlen(text, GM_S3_DATE_SIZE) != GM_S3_DATE_SIZE - 1) {
        return false;
    }
    tm.tm_year = digits(text, 4) - 1900;
    tm.tm_mon = digits(text + 4, 2) - 1;
    tm.tm_mday = digits(text + 6, 2);
    tm.tm_hour = digits(text + 9, 2);
    tm.tm_min = digits(text + 11, 2);
    tm.tm_sec = digits(text + 13, 2);
    ms = (int64_t)timegm(&tm) * SECOND_MS;
    if (!gm_s3_date_format(ms, again) || strcmp(again, text) != 0) {
        return false; /* also what timegm carried over */
    }
    *out_unix_ms = ms;
    return true;
}

/* Which of the three-letter names stands at text; below 0: none. */
static int name_at(const char *text, const char *names)
{
    for (int i = 0; names[3 * i] != '\0'; i++) {
        if (memcmp(text, names + (ptrdiff_t)3 * i, 3) == 0) {
            return i;
        }
    }
    return -1;
}

/* Each place of the form: '?' is a byte that is looked at elsewhere. */
static bool has_form(const char *text)
{
    static const char form[] = "???, ?? ??? ???? ??:??:?? GMT";

    if (strnlen(text, PLACES + 1) != PLACES) {
        return false;
    }
    for (size_t i = 0; i < PLACES; i++) {
        if (form[i] != '?' && form[i] != text[i]) {
            return false;
        }
    }
    return true;
}

bool gm_s3_date_read(const char *text, int64_t *out_unix_ms)
{
    struct tm tm = {0};
    struct tm again;
    time_t seconds;
    int weekday;

    if (!has_form(text)) {
        return false;
    }
    weekday = name_at(text, "SunMonTueWedThuFriSat");
    tm.tm_mday = digits(text + 5, 2);
    tm.tm_mon = name_at(text + 8, "JanFebMarAprMayJunJulAugSepOctNovDec");
    tm.tm_year = digits(text + 12, 4) - 1900;
    tm.tm_hour = digits(text + 17, 2);
    tm.tm_min = digits(text + 20, 2);
    tm.tm_sec = digits(text + 23, 2);
    if (weekday < 0 || tm.tm_mday < 1 || tm.tm_mon < 0 || tm.tm_year < 70 || tm.tm_hour < 0 ||
        tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60) {
        return false;
    }
    again = tm;
    seconds = timegm(&again); /* carries the 31st of April over into May, and a leap second */
    if (again.tm_wday != weekday || (tm.tm_sec < 60 && again.tm_mday != tm.tm_mday)) {
        return false;
    }
    *out_unix_ms = (int64_t)seconds * SECOND_MS;
    return true;
}

bool gm_s3_date_offset(const char *date, int64_t now_unix_ms, int64_t *out_ms)
{
    int64_t server;

    if (now_unix_ms < 0 || now_unix_ms > LAST_MS || !gm_s3_date_read(date, &server)) {
        return false;
    }
    /* Its second began between `server` and a second later. */
    if (now_unix_ms >= server && now_unix_ms < server + SECOND_MS) {
        *out_ms = 0;
    } else {
        *out_ms = server - now_unix_ms;
    }
    return true;
}
