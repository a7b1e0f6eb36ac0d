/* See fake_va_bits.h. */
#include "fake_va_bits.h"

#include <stdlib.h>
#include <string.h>

unsigned fake_get(struct fake_bits *b, unsigned count)
{
    unsigned value = 0;
    for (unsigned i = 0; i < count; i++, b->at++) {
        if (b->at >= b->size * 8) {
            b->bad = true;
            return 0;
        }
        value = value << 1 | (b->data[b->at / 8] >> (7 - b->at % 8) & 1u);
    }
    return value;
}

unsigned fake_get_ue(struct fake_bits *b)
{
    unsigned zeros = 0;
    while (zeros < 32 && !b->bad && fake_get(b, 1) == 0) {
        zeros++;
    }
    if (zeros > 31 || b->bad) {
        b->bad = true;
        return 0;
    }
    return (1u << zeros) - 1 + fake_get(b, zeros);
}

int fake_get_se(struct fake_bits *b)
{
    unsigned k = fake_get_ue(b);
    return k % 2 != 0 ? (int)(k / 2 + 1) : -(int)(k / 2);
}

void fake_put(struct fake_writer *w, unsigned value, unsigned count)
{
    for (unsigned i = count; i > 0; i--, w->at++) {
        if (w->at >= w->room * 8) {
            w->bad = true;
            return;
        }
        uint8_t *byte = &w->data[w->at / 8];
        *byte = (uint8_t)(w->at % 8 == 0 ? 0 : *byte);
        *byte |= (uint8_t)((value >> (i - 1) & 1u) << (7 - w->at % 8));
    }
}

void fake_put_ue(struct fake_writer *w, unsigned value)
{
    unsigned length = 0;
    while ((value + 1) >> (length + 1) != 0) {
        length++;
    }
    fake_put(w, 0, length);
    fake_put(w, value + 1, length + 1);
}

void fake_put_se(struct fake_writer *w, int value)
{
    fake_put_ue(w, value > 0 ? (unsigned)value * 2 - 1 : (unsigned)-value * 2);
}

void fake_put_bits(struct fake_writer *w, const struct fake_bits *from, size_t at, size_t count)
{
    struct fake_bits b = *from;
    b.at = at;
    for (size_t i = 0; i < count; i++) {
        fake_put(w, fake_get(&b, 1), 1);
    }
}

bool fake_next_nal(const uint8_t **io, const uint8_t *end, const uint8_t **out, size_t *size)
{
    const uint8_t *p = *io;
    while (p + 3 <= end && !(p[0] == 0 && p[1] == 0 && p[2] == 1)) {
        p++;
    }
    if (p + 4 > end) {
        return false;
    }
    const uint8_t *q = p + 3;
    while (q + 3 <= end && !(q[0] == 0 && q[1] == 0 && q[2] <= 1)) {
        q++;
    }
    q = q + 3 <= end ? q : end;
    *out = p + 3;
    *size = (size_t)(q - p - 3);
    *io = q;
    return *size > 0;
}

uint8_t *fake_unescape(const uint8_t *data, size_t size, size_t *out_size)
{
    uint8_t *out = malloc(size + 1);
    size_t n = 0, zeros = 0;
    for (size_t i = 0; out != NULL && i < size; i++) {
        if (zeros >= 2 && data[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = data[i] == 0 ? zeros + 1 : 0;
        out[n++] = data[i];
    }
    *out_size = n;
    return out;
}

bool fake_put_nal(const uint8_t *head, size_t head_size, const uint8_t *data, size_t size,
                  uint8_t *out, size_t room, size_t *io_size)
{
    static const uint8_t start[] = {0, 0, 0, 1};
    size_t n = *io_size, zeros = 0;
    if (n + sizeof(start) + head_size > room) {
        return false;
    }
    memcpy(out + n, start, sizeof(start));
    n += sizeof(start);
    memcpy(out + n, head, head_size);
    n += head_size;
    for (size_t i = 0; i < size; i++) {
        if (n + 2 > room) {
            return false;
        }
        if (zeros == 2 && data[i] <= 3) {
            out[n++] = 3;
            zeros = 0;
        }
        zeros = data[i] == 0 ? zeros + 1 : 0;
        out[n++] = data[i];
    }
    *io_size = n;
    return true;
}
