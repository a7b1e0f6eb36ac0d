#include "media/package/manifest_span.h"

#include <string.h>

int gm_span_broken(const struct gm_span_lines *r, const char *what, struct gm_err *err)
{
    return gm_err_set(err, GM_E_BUG, 0, "%s, line %zu: %s", r->where, r->line, what);
}

int gm_span_line(struct gm_span_lines *r, struct gm_span *out, struct gm_err *err)
{
    const char *end = memchr(r->rest.at, '\n', r->rest.size);
    r->line++;
    if (end == NULL || end == r->rest.at) {
        return gm_span_broken(r, "no line", err);
    }
    *out = (struct gm_span){r->rest.at, (size_t)(end - r->rest.at)};
    for (size_t i = 0; i < out->size; i++) {
        if ((unsigned char)out->at[i] < 0x20 || out->at[i] == 0x7f) {
            return gm_span_broken(r, "a control character", err);
        }
    }
    r->rest.size -= out->size + 1;
    r->rest.at = end + 1;
    return 0;
}

bool gm_span_is(struct gm_span s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.at, text, s.size) == 0;
}

bool gm_span_same(struct gm_span a, struct gm_span b)
{
    return a.size == b.size && memcmp(a.at, b.at, a.size) == 0;
}

bool gm_span_skip(struct gm_span *s, const char *text)
{
    size_t size = strlen(text);
    if (s->size < size || memcmp(s->at, text, size) != 0) {
        return false;
    }
    s->at += size;
    s->size -= size;
    return true;
}

bool gm_span_number(struct gm_span *s, int64_t *out)
{
    size_t digits = 0;
    *out = 0;
    for (; digits < s->size && digits < 16 && s->at[digits] >= '0' && s->at[digits] <= '9';) {
        *out = *out * 10 + (s->at[digits++] - '0');
    }
    bool good = digits > 0 && digits < 16 && (digits == 1 || s->at[0] != '0');
    s->at += digits;
    s->size -= digits;
    return good;
}

bool gm_span_seconds(struct gm_span *s, int64_t *out_us)
{
    int64_t whole = 0;
    if (!gm_span_number(s, &whole) || whole > INT32_MAX || !gm_span_skip(s, ".") || s->size < 6) {
        return false;
    }
    *out_us = whole;
    for (size_t i = 0; i < 6; i++) {
        if (s->at[i] < '0' || s->at[i] > '9') {
            return false;
        }
        *out_us = *out_us * 10 + (s->at[i] - '0');
    }
    s->at += 6;
    s->size -= 6;
    return true;
}
