#ifndef GM_PROTO_BATCH_H
#define GM_PROTO_BATCH_H

#include "proto/envelope.h"

/* Several envelopes in one message (ADR-0049): an Envelope that has nothing but its version and
 * `batch`, in this order, each entry the bytes of one Envelope. A message that is one Envelope is
 * read as a batch of that one. Entries are whole envelopes: each is decoded, checked and judged by
 * itself, and a batch in a batch is none.
 * Thread: one at a time. */
#define GM_BATCH_MAX_COUNT 1024u        /* of entries: more is refused, whatever their size */
#define GM_BATCH_ROOM ((size_t)1 << 18) /* bytes: who writes begins the next message there */

/* ---- reading */
struct gm_batch_reader {
    const uint8_t *data; /* borrowed */
    size_t size, at;
    uint32_t count; /* entries in all; 1: it may be a lone envelope */
    bool lone;
};

/* Looks at how the message is cut, not into its entries. Errors: PROTO (native = byte offset),
 * LIMIT: then none of it may be used. */
int gm_batch_open(const void *data, size_t size, struct gm_batch_reader *out,
                  struct gm_err *err) GM_MUST_CHECK;
/* The next entry, borrowed; false: there is none. */
bool gm_batch_next(struct gm_batch_reader *reader, const void **out, size_t *out_size);

/* ---- writing */
struct gm_batch {  /* all-zero: empty */
    uint8_t *data; /* owned */
    size_t size, cap;
    uint32_t count;
    size_t lone; /* where the first entry's envelope begins */
};

/* One more envelope, checked as gm_envelope_encode does. 0; 1: there is no room for it in this
 * message, but in an empty one there is. Errors: LIMIT (the envelope is too large for any message),
 * NOMEM. Other than 0: the batch is as it was. */
int gm_batch_add(struct gm_batch *batch, Gm__Envelope *env, struct gm_err *err) GM_MUST_CHECK;
/* The same of an envelope that was encoded. Errors: NOMEM. */
int gm_batch_add_bytes(struct gm_batch *batch, const void *data, size_t size,
                       struct gm_err *err) GM_MUST_CHECK;
/* Whether an envelope of `size` bytes belongs into the same message. One always fits into an empty
 * one. */
bool gm_batch_has_room(const struct gm_batch *batch, size_t size);
/* The message, borrowed: of one entry the envelope alone, which every peer reads. */
const void *gm_batch_bytes(const struct gm_batch *batch, size_t *out_size);
void gm_batch_fini(struct gm_batch *batch);

#endif
