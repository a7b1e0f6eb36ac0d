#include "scheduler/core/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "proto/envelope.h"

void gm_mem_exhausted(void)
{
    gm_assert_fail("memory for a scheduler step", __FILE__, __LINE__);
}

void *gm_mem_zalloc(size_t size)
{
    void *p = calloc(1, size > 0 ? size : 1);
    if (!p) {
        gm_mem_exhausted();
    }
    return p;
}

char *gm_mem_strdup(const char *s)
{
    char *copy = strdup(s ? s : "");
    if (!copy) {
        gm_mem_exhausted();
    }
    return copy;
}

void *gm_mem_dup(const void *data, size_t size)
{
    if (size == 0) {
        return NULL;
    }
    void *p = gm_mem_zalloc(size);
    memcpy(p, data, size);
    return p;
}

char *gm_mem_printf(const char *fmt, ...)
{
    char *out = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&out, fmt, ap);
    va_end(ap);
    if (n < 0) {
        gm_mem_exhausted();
    }
    return out;
}

/* Small arrays double. Of large ones, of which a deep queue has some, much room would stay empty.
 */
#define DOUBLE_BYTES 65536
#define LARGE_PART 8 /* grow by so much of what they are */

void *gm_mem_grow(void *array, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return array;
    }
    size_t room = *cap == 0                    ? 8
                  : *cap * size < DOUBLE_BYTES ? *cap * 2
                                               : *cap + *cap / LARGE_PART + 1;
    char *p = reallocarray(array, room, size);
    if (p) {
        memset(p + *cap * size, 0, (room - *cap) * size);
        *cap = room;
        return p;
    }
    gm_mem_exhausted();
}

uint8_t *gm_mem_encode(const ProtobufCMessage *message, size_t *out_size)
{
    uint8_t *data = NULL;
    struct gm_err err;
    if (gm_message_encode(message, &data, out_size, &err) < 0) {
        gm_mem_exhausted();
    }
    return data;
}
