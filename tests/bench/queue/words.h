#ifndef GM_TESTS_BENCH_QUEUE_WORDS_H
#define GM_TESTS_BENCH_QUEUE_WORDS_H

/* Just enough of protobuf and of ZMTP 3 (NULL, one frame a message) to play thousands of nodes
 * without the generator being what is measured. */
#include "bench/queue/stream.h"

/* A message that is being written. A caller's buffer; too small: the program ends. */
struct bq_word {
    uint8_t *data;
    size_t size, cap;
};
void bq_put_number(struct bq_word *w, uint32_t field, uint64_t value);
void bq_put_bytes(struct bq_word *w, uint32_t field, const void *data, size_t size);
void bq_put_text(struct bq_word *w, uint32_t field, const char *text);
void bq_put_word(struct bq_word *w, uint32_t field, const struct bq_word *inner);

/* A field that was read; what it borrows lies in the message. */
struct bq_field {
    uint32_t number;
    uint64_t value;      /* of a varint */
    const uint8_t *data; /* of bytes; else NULL */
    size_t size;
};
/* The field at *at, which moves behind it; false at the end. Malformed: the program ends. */
bool bq_next(const uint8_t *data, size_t size, size_t *at, struct bq_field *out);
/* The last field with that number; false: none. */
bool bq_find(const uint8_t *data, size_t size, uint32_t number, struct bq_field *out);
uint64_t bq_number(const uint8_t *data, size_t size, uint32_t number); /* 0: none */

/* What a DEALER of that identity says first. */
void bq_zmtp_greet(struct bq_loop *loop, struct bq_stream *s, const char *identity);
void bq_zmtp_send(struct bq_loop *loop, struct bq_stream *s, const void *data, size_t size);
/* The next message that has come whole: *at moves behind it. The greeting is *greeted once; pings
 * are answered. *out NULL: now messages may be sent. false: nothing whole has come. */
bool bq_zmtp_next(struct bq_loop *loop, struct bq_stream *s, bool *greeted, size_t *at,
                  const uint8_t **out, size_t *out_size);

#endif
