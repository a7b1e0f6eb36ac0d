#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and the NUL. */
static bool reserve(struct gm_buf *buf, size_t more)
{
    size_t need;
    size_t cap = buf->cap;
    uint8_t *data;

    if (buf->failed) {
        return false;
    }
    if (more >= SIZE_MAX / 4 - buf->size) {
        buf->failed = true;
        return false;
    }
    need = buf->size + more + 1;
    if (need <= cap) {
        return true;
    }
    cap = cap < 32 ? 64 : cap * 2;
    cap = cap < need ? need : cap;
    data = realloc(buf->data, cap);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void gm_buf_fini(struct gm_buf *buf)
{
    free(buf->data);
    *buf = (struct gm_buf){0};
}

void gm_buf_add(struct gm_buf *buf, const void *data, size_t size)
{
    if (!reserve(buf, size)) {
        return;
    }
    if (size > 0) {
        memcpy(buf->data + buf->size, data, size);
    }
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void gm_buf_str(struct gm_buf *buf, const char *s)
{
    gm_buf_add(buf, s, strlen(s));
}

void gm_buf_printf(struct gm_buf *buf, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) {
        buf->failed = true;
        return;
    }
    if (!reserve(buf, (size_t)n)) {
        return;
    }
    va_start(args, fmt);
    vsnprintf((char *)buf->data + buf->size, (size_t)n + 1, fmt, args);
    va_end(args);
    buf->size += (size_t)n;
}

static void add_be(struct gm_buf *buf, uint64_t v, int bytes)
{
    uint8_t out[8];

    for (int i = 0; i < bytes; i++) {
        out[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    }
    gm_buf_add(buf, out, (size_t)bytes);
}

void gm_buf_u8(struct gm_buf *buf, uint8_t v)
{
    add_be(buf, v, 1);
}

void gm_buf_be16(struct gm_buf *buf, uint16_t v)
{
    add_be(buf, v, 2);
}

void gm_buf_be24(struct gm_buf *buf, uint32_t v)
{
    add_be(buf, v, 3);
}

void gm_buf_be32(struct gm_buf *buf, uint32_t v)
{
    add_be(buf, v, 4);
}

void gm_buf_be64(struct gm_buf *buf, uint64_t v)
{
    add_be(buf, v, 8);
}

/* NULL: c stands for itself. */
static const char *xml_name(uint8_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&apos;";
    default:
        return NULL;
    }
}

void gm_buf_xml(struct gm_buf *buf, const char *s, enum gm_xml_other other)
{
    for (; *s != '\0'; s++) {
        uint8_t c = (uint8_t)*s;
        const char *name = xml_name(c);
        if (name != NULL) {
            gm_buf_str(buf, name);
        } else if (other == GM_XML_UTF8) {
            gm_buf_u8(buf, c < ' ' ? ' ' : c);
        } else {
            gm_buf_u8(buf, c < ' ' || c > '~' ? '?' : c);
        }
    }
}

void gm_buf_json(struct gm_buf *buf, const char *s)
{
    gm_buf_u8(buf, '"');
    for (; *s != '\0'; s++) {
        uint8_t c = (uint8_t)*s;
        if (c == '"' || c == '\\') {
            gm_buf_u8(buf, '\\');
            gm_buf_u8(buf, c);
        } else if (c < ' ' || c > '~') {
            gm_buf_printf(buf, "\\u%04x", c);
        } else {
            gm_buf_u8(buf, c);
        }
    }
    gm_buf_u8(buf, '"');
}

int gm_buf_check(const struct gm_buf *buf, struct gm_err *err)
{
    return buf->failed ? gm_err_nomem(err) : 0;
}
