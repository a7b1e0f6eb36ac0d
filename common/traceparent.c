#include "common/traceparent.h"

#include <string.h>

#define TRACE_AT 3
#define TRACE_SIZE 32
#define PARENT_AT 36
#define PARENT_SIZE 16
#define FLAGS_AT 53
#define HEAD_SIZE 55

/* `size` lower-case hex digits. */
static bool is_hex(const char *s, size_t size)
{
    return strspn(s, "0123456789abcdef") >= size;
}

static bool is_zero(const char *s, size_t size)
{
    return strspn(s, "0") >= size;
}

bool gm_traceparent_parse(const char *text, char out[GM_TRACEPARENT_SIZE])
{
    out[0] = '\0';
    size_t size = text != NULL ? strnlen(text, HEAD_SIZE + 1) : 0;
    if (size < HEAD_SIZE || !is_hex(text, 2) || memcmp(text, "ff", 2) == 0) {
        return false;
    }
    bool first = memcmp(text, "00", 2) == 0;
    if (size > HEAD_SIZE && (first || text[HEAD_SIZE] != '-')) {
        return false;
    }
    if (text[TRACE_AT - 1] != '-' || text[PARENT_AT - 1] != '-' || text[FLAGS_AT - 1] != '-' ||
        !is_hex(text + TRACE_AT, TRACE_SIZE) || is_zero(text + TRACE_AT, TRACE_SIZE) ||
        !is_hex(text + PARENT_AT, PARENT_SIZE) || is_zero(text + PARENT_AT, PARENT_SIZE) ||
        !is_hex(text + FLAGS_AT, 2)) {
        return false;
    }
    memcpy(out, text, HEAD_SIZE);
    out[HEAD_SIZE] = '\0';
    if (!first) {
        bool sampled = strchr("13579bdf", text[FLAGS_AT + 1]) != NULL;
        memcpy(out, "00", 2);
        memcpy(out + FLAGS_AT, sampled ? "01" : "00", 2);
    }
    return true;
}

const char *gm_trace_id(const char *traceparent, char out[GM_TRACE_ID_SIZE])
{
    char parsed[GM_TRACEPARENT_SIZE];
    out[0] = '\0';
    if (gm_traceparent_parse(traceparent, parsed)) {
        memcpy(out, parsed + TRACE_AT, TRACE_SIZE);
        out[TRACE_SIZE] = '\0';
    }
    return out;
}
