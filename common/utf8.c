#include "common/utf8.h"

static int is_tail(unsigned char c, unsigned lo, unsigned hi)
{
    return c >= lo && c <= hi;
}

size_t gm_utf8_length(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    unsigned lo = 0x80;
    unsigned hi = 0xBF;
    size_t tails;

    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        tails = 1;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        tails = 2;
        lo = p[0] == 0xE0 ? 0xA0 : 0x80;
        hi = p[0] == 0xED ? 0x9F : 0xBF;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        tails = 3;
        lo = p[0] == 0xF0 ? 0x90 : 0x80;
        hi = p[0] == 0xF4 ? 0x8F : 0xBF;
    } else {
        return 0;
    }
    if (!is_tail(p[1], lo, hi)) {
        return 0;
    }
    for (size_t i = 2; i <= tails; i++) {
        if (!is_tail(p[i], 0x80, 0xBF)) {
            return 0;
        }
    }
    return tails + 1;
}

void gm_utf8_clean(char *s)
{
    while (*s != '\0') {
        size_t n = gm_utf8_length(s);

        if (n == 0) {
            *s++ = '?';
        } else if (n == 1) {
            if ((unsigned char)*s < 0x20 || *s == 0x7F) {
                *s = ' ';
            }
            s++;
        } else {
            s += n;
        }
    }
}

void gm_ascii_copy(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; text != NULL && text[n] != '\0' && n + 1 < size; n++) {
        out[n] = text[n];
        if (text[n] < ' ' || text[n] > '~') {
            out[n] = '?';
        }
    }
    out[n] = '\0';
}
