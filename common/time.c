#include "common/time.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static gm_time read_clock(clockid_t clock)
{
    struct timespec ts = {0};

    clock_gettime(clock, &ts);
    return (gm_time)ts.tv_sec * GM_SEC + ts.tv_nsec;
}

gm_time gm_time_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

gm_time gm_time_boot(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

int64_t gm_time_unix_ms(void)
{
    struct timespec ts = {0};

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* value as `count` digits and the byte `end` after them. */
static char *put_digits(char *out, int value, int count, char end)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    out[count] = end;
    return out + count + 1;
}

char *gm_time_format(int64_t unix_ms, char buf[25])
{
    const int64_t first = -62135596800000; /* 0001-01-01 */
    const int64_t last = 253402300799999;  /* 9999-12-31 */
    struct tm tm = {0};
    int64_t ms;
    time_t sec;
    char *p = buf;

    unix_ms = unix_ms < first ? first : unix_ms > last ? last : unix_ms;
    ms = unix_ms % 1000;
    ms = ms < 0 ? ms + 1000 : ms;
    sec = (time_t)((unix_ms - ms) / 1000);
    gmtime_r(&sec, &tm);
    p = put_digits(p, tm.tm_year + 1900, 4, '-');
    p = put_digits(p, tm.tm_mon + 1, 2, '-');
    p = put_digits(p, tm.tm_mday, 2, 'T');
    p = put_digits(p, tm.tm_hour, 2, ':');
    p = put_digits(p, tm.tm_min, 2, ':');
    p = put_digits(p, tm.tm_sec, 2, '.');
    p = put_digits(p, (int)ms, 3, 'Z');
    *p = '\0';
    return buf;
}

bool gm_time_parse(const char *text, int64_t *out_unix_ms)
{
    struct tm tm = {0};
    char back[25];
    size_t size = strlen(text);
    bool fraction = size == 24 && text[19] == '.' && strspn(text + 20, "0123456789") == 3;
    const char *end = size == 20 || fraction ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (end != text + 19 || text[size - 1] != 'Z') {
        return false;
    }
    int64_t ms = fraction ? strtol(text + 20, NULL, 10) : 0;
    int64_t unix_ms = (int64_t)timegm(&tm) * 1000 + ms;
    if (memcmp(gm_time_format(unix_ms, back), text, 19) != 0) { /* the 31st of February */
        return false;
    }
    *out_unix_ms = unix_ms;
    return true;
}
