#include "bench/queue/words.h"

#include <string.h>

static void put_varint(struct bq_word *w, uint64_t v)
{
    do {
        if (w->size == w->cap) {
            bq_die("a message is larger than %zu bytes", w->cap);
        }
        w->data[w->size++] = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
        v >>= 7;
    } while (v > 0);
}

void bq_put_number(struct bq_word *w, uint32_t field, uint64_t value)
{
    put_varint(w, (uint64_t)field << 3);
    put_varint(w, value);
}

void bq_put_bytes(struct bq_word *w, uint32_t field, const void *data, size_t size)
{
    put_varint(w, ((uint64_t)field << 3) | 2);
    put_varint(w, size);
    if (size > w->cap - w->size) {
        bq_die("a message is larger than %zu bytes", w->cap);
    }
    if (size > 0) {
        memcpy(w->data + w->size, data, size);
    }
    w->size += size;
}

void bq_put_text(struct bq_word *w, uint32_t field, const char *text)
{
    bq_put_bytes(w, field, text, strlen(text));
}

void bq_put_word(struct bq_word *w, uint32_t field, const struct bq_word *inner)
{
    bq_put_bytes(w, field, inner->data, inner->size);
}

static uint64_t take_varint(const uint8_t *data, size_t size, size_t *at)
{
    uint64_t v = 0;
    for (unsigned shift = 0; *at < size && shift < 64; shift += 7) {
        uint8_t b = data[(*at)++];
        v |= (uint64_t)(b & 127) << shift;
        if (b < 128) {
            return v;
        }
    }
    bq_die("a message is malformed");
}

bool bq_next(const uint8_t *data, size_t size, size_t *at, struct bq_field *out)
{
    if (*at >= size) {
        return false;
    }
    uint64_t tag = take_varint(data, size, at);
    *out = (struct bq_field){.number = (uint32_t)(tag >> 3)};
    size_t skip = 0;
    switch (tag & 7) {
    case 0:
        out->value = take_varint(data, size, at);
        break;
    case 1:
        skip = 8;
        break;
    case 2:
        skip = out->size = take_varint(data, size, at);
        out->data = data + *at;
        break;
    case 5:
        skip = 4;
        break;
    default:
        bq_die("a message is malformed");
    }
    if (skip > size - *at) {
        bq_die("a message is cut");
    }
    *at += skip;
    return true;
}

bool bq_find(const uint8_t *data, size_t size, uint32_t number, struct bq_field *out)
{
    struct bq_field f;
    bool found = false;
    for (size_t at = 0; bq_next(data, size, &at, &f);) {
        if (f.number == number) {
            *out = f;
            found = true;
        }
    }
    return found;
}

uint64_t bq_number(const uint8_t *data, size_t size, uint32_t number)
{
    struct bq_field f;
    return bq_find(data, size, number, &f) ? f.value : 0;
}

/* rfc.zeromq.org/spec/23: signature, version 3.0, mechanism, no server; then READY. */
#define GREETING_BYTES 64u
#define FLAG_LONG 2u
#define FLAG_COMMAND 4u

void bq_zmtp_greet(struct bq_loop *loop, struct bq_stream *s, const char *identity)
{
    uint8_t greeting[GREETING_BYTES] = {0xff, [9] = 0x7f, [10] = 3, [12] = 'N', 'U', 'L', 'L'};
    uint8_t ready[160] = {FLAG_COMMAND, 0, 5, 'R', 'E', 'A', 'D', 'Y', 11};
    size_t n = 9, id = strlen(identity);
    memcpy(ready + n, "Socket-Type\0\0\0\6DEALER\10Identity\0\0\0", 11 + 4 + 6 + 1 + 8 + 3);
    n += 11 + 4 + 6 + 1 + 8 + 3;
    ready[n++] = (uint8_t)id;
    memcpy(ready + n, identity, id);
    n += id;
    ready[1] = (uint8_t)(n - 2);
    bq_stream_write(loop, s, greeting, sizeof greeting);
    bq_stream_write(loop, s, ready, n);
}

static size_t put_header(uint8_t header[9], uint8_t flags, size_t size)
{
    header[0] = flags;
    if (size < 256) {
        header[1] = (uint8_t)size;
        return 2;
    }
    header[0] |= FLAG_LONG;
    for (size_t i = 0; i < 8; i++) {
        header[1 + i] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
    }
    return 9;
}

void bq_zmtp_send(struct bq_loop *loop, struct bq_stream *s, const void *data, size_t size)
{
    uint8_t header[9];
    bq_stream_write(loop, s, header, put_header(header, 0, size));
    bq_stream_write(loop, s, data, size);
}

/* "\4PING", two bytes of time, a context that comes back. */
static void answer(struct bq_loop *loop, struct bq_stream *s, const uint8_t *body, size_t size)
{
    uint8_t pong[32] = {FLAG_COMMAND, 0, 4, 'P', 'O', 'N', 'G'};
    if (size < 7 || memcmp(body, "\4PING", 5) != 0 || size - 7 > 16) {
        return;
    }
    memcpy(pong + 7, body + 7, size - 7);
    pong[1] = (uint8_t)(5 + size - 7);
    bq_stream_write(loop, s, pong, 2u + pong[1]);
}

bool bq_zmtp_next(struct bq_loop *loop, struct bq_stream *s, bool *greeted, size_t *at,
                  const uint8_t **out, size_t *out_size)
{
    if (!*greeted) {
        if (s->in_size < GREETING_BYTES) {
            return false;
        }
        *greeted = true;
        *at = GREETING_BYTES;
    }
    for (;;) {
        const uint8_t *p = s->in + *at;
        size_t left = s->in_size - *at;
        size_t head = left > 0 && (p[0] & FLAG_LONG) != 0 ? 9 : 2;
        uint64_t size = 0;
        if (left < head) {
            return false;
        }
        for (size_t i = 1; i < head; i++) {
            size = size << 8 | p[i];
        }
        if (size > left - head) {
            return false;
        }
        *at += head + size;
        if ((p[0] & FLAG_COMMAND) == 0) {
            *out = p + head;
            *out_size = size;
            return true;
        }
        if (size >= 6 && memcmp(p + head, "\5READY", 6) == 0) {
            *out = NULL;
            *out_size = 0;
            return true;
        }
        answer(loop, s, p + head, size);
    }
}
