#include "scheduler/http/range.h"

#include <stddef.h>
#include <string.h>

/* Digits; false: there are none, or too many. *text moves behind them. */
static bool read_number(const char **text, uint64_t *out)
{
    const char *s = *text;
    uint64_t v = 0;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (v > (UINT64_MAX - 9) / 10) {
            return false;
        }
        v = v * 10 + (uint64_t)(*s - '0');
    }
    if (s == *text) {
        return false;
    }
    *text = s;
    *out = v;
    return true;
}

static enum gm_range last_bytes(uint64_t count, uint64_t size, uint64_t *out_first,
                                uint64_t *out_end)
{
    if (count == 0 || size == 0) {
        return GM_RANGE_BEYOND;
    }
    *out_first = count < size ? size - count : 0;
    *out_end = size;
    return GM_RANGE_PART;
}

enum gm_range gm_range_parse(const char *text, uint64_t size, uint64_t *out_first,
                             uint64_t *out_end)
{
    uint64_t first = 0, last = UINT64_MAX;
    if (text == NULL || strncmp(text, "bytes=", 6) != 0) {
        return GM_RANGE_WHOLE;
    }
    text += 6;
    if (*text == '-') {
        text++;
        return read_number(&text, &last) && *text == '\0'
                   ? last_bytes(last, size, out_first, out_end)
                   : GM_RANGE_WHOLE;
    }
    if (!read_number(&text, &first) || *text++ != '-') {
        return GM_RANGE_WHOLE;
    }
    if (*text != '\0' && (!read_number(&text, &last) || *text != '\0' || last < first)) {
        return GM_RANGE_WHOLE;
    }
    if (first >= size) {
        return GM_RANGE_BEYOND;
    }
    *out_first = first;
    *out_end = last < size ? last + 1 : size;
    return GM_RANGE_PART;
}

bool gm_range_has_tag(const char *list, const char *etag)
{
    size_t n = strlen(etag);
    if (list == NULL) {
        return false;
    }
    if (strcmp(list, "*") == 0) {
        return true;
    }
    while (*list != '\0') {
        list += strspn(list, " \t,");
        list += strncmp(list, "W/", 2) == 0 ? 2 : 0;
        if (strncmp(list, etag, n) == 0 && strchr(" \t,", list[n]) != NULL) {
            return true;
        }
        if (*list == '"') { /* a tag may have a comma in it */
            list++;
            list += strcspn(list, "\"");
            list += *list != '\0' ? 1 : 0;
        }
        list += strcspn(list, ",");
    }
    return false;
}
