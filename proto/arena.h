#ifndef GM_PROTO_ARENA_H
#define GM_PROTO_ARENA_H

#include <protobuf-c/protobuf-c.h>

#include "proto/envelope.h"

/* Memory of one decoded message after the other: what a decode takes is given back by the next
 * one, at once, and nothing of it is freed by itself. It keeps its first 64 KiB between messages.
 * Thread: one at a time. */
struct gm_arena; /* opaque */

/* Errors: NOMEM. */
int gm_arena_create(struct gm_arena **out, struct gm_err *err) GM_MUST_CHECK;
void gm_arena_destroy(struct gm_arena **arena);
/* Bytes that it has, and so would have after a message that was as large. */
size_t gm_arena_size(const struct gm_arena *arena);

/* gm_envelope_decode into an arena: *out is borrowed until the next decode into it, and no part of
 * it may be taken or freed. */
int gm_arena_envelope(struct gm_arena *arena, const void *data, size_t size, Gm__Envelope **out,
                      struct gm_err *err) GM_MUST_CHECK;

#endif
