/* The table of codecs, and what those made of NAL units share. */
#include "media/format/bitstream_nal.h"

#include <string.h>

static const struct gm_bitstream *const rows[] = {&gm_bitstream_h264, &gm_bitstream_hevc,
                                                  &gm_bitstream_av1, &gm_bitstream_vp9};

const struct gm_bitstream *gm_bitstream_find(const char *codec)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i]->codec, codec) == 0) {
            return rows[i];
        }
    }
    return NULL;
}

const struct gm_bitstream *gm_bitstream_find_entry(uint32_t type)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *e = rows[i]->entry;
        if (((uint32_t)e[0] << 24 | (uint32_t)e[1] << 16 | (uint32_t)e[2] << 8 | (uint32_t)e[3]) ==
            type) {
            return rows[i];
        }
    }
    return NULL;
}

/* Offset of the next 00 00 01 at or after `at`, or size. */
static size_t find_start_code(const uint8_t *data, size_t size, size_t at)
{
    while (size - at >= 3) {
        if (data[at + 2] > 1) {
            at += 3;
        } else if (data[at] == 0 && data[at + 1] == 0 && data[at + 2] == 1) {
            return at;
        } else {
            at++;
        }
    }
    return size;
}

bool gm_nal_next(const uint8_t *data, size_t size, size_t *io_at, const uint8_t **out_nal,
                 size_t *out_size)
{
    size_t start = find_start_code(data, size, *io_at);
    if (start == size) {
        return false;
    }
    start += 3;
    size_t end = find_start_code(data, size, start);
    *io_at = end;
    while (end > start && data[end - 1] == 0) {
        end--;
    }
    *out_nal = data + start;
    *out_size = end - start;
    return true;
}

int gm_nal_next_prefixed(const uint8_t *data, size_t size, size_t *io_at, const uint8_t **out_nal,
                         size_t *out_size)
{
    size_t at = *io_at;
    if (at == size) {
        return 0;
    }
    if (size - at < 5) {
        return -1;
    }
    size_t length = (size_t)data[at] << 24 | (size_t)data[at + 1] << 16 |
                    (size_t)data[at + 2] << 8 | (size_t)data[at + 3];
    if (length == 0 || length > size - at - 4) {
        return -1;
    }
    *out_nal = data + at + 4;
    *out_size = length;
    *io_at = at + 4 + length;
    return 1;
}

uint32_t gm_bits_take(struct gm_bits *b, unsigned count)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned bit = 0;
        if (b->bit < b->bits) {
            bit = b->data[b->bit / 8] >> (7 - b->bit % 8) & 1U;
            b->bit++;
        } else {
            b->over = true;
        }
        v = v << 1 | bit;
    }
    return v;
}

uint32_t gm_bits_take_ue(struct gm_bits *b)
{
    unsigned zeros = 0;
    while (gm_bits_take(b, 1) == 0) {
        if (b->over || ++zeros > 31) {
            b->over = true;
            return 0;
        }
    }
    return (uint32_t)(((uint64_t)1 << zeros) - 1) + gm_bits_take(b, zeros);
}

size_t gm_nal_unescape(const uint8_t *nal, size_t size, uint8_t *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < size && n < cap; i++) {
        if (nal[i] == 3 && i >= 2 && nal[i - 1] == 0 && nal[i - 2] == 0) {
            continue;
        }
        out[n++] = nal[i];
    }
    return n;
}
