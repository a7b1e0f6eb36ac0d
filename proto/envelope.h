#ifndef GM_PROTO_ENVELOPE_H
#define GM_PROTO_ENVELOPE_H

#include "common/err.h"
#include "wire.pb-c.h"

/* The boundary of the wire: nothing that came from a peer is used before gm_envelope_decode took
 * it. Limits: 32 MiB a message, strings 8 KiB, 65,536 repeated entries, hashes exactly 32 bytes (or
 * empty where the field allows it), node ids [a-z0-9-]{1,64}, keys as storage/store.h. Version
 * other than GM_PROTOCOL_VERSION: PROTO, naming both. docs/protocol.md says the rest.
 */
#define GM_PROTOCOL_VERSION 1 /* of the envelope itself */
/* What this build speaks, Hello's `protocol`: one more in a release that adds to it what the other
 * side must know. And the oldest that it understands: that of the release before. */
#define GM_PROTOCOL_SPOKEN 1u
#define GM_PROTOCOL_OLDEST 1u
#define GM_ENVELOPE_MAX_BYTES (32u << 20)
#define GM_WORKER_MESSAGE_MAX_BYTES (64u << 10)
#define GM_PROTO_HASH_BYTES 32
#define GM_PROTO_MAX_HELD 4096u /* leases in a Hello: many times the threads of a large machine */

#define GM_WINDOW_MAX_NEED (8u << 20) /* bytes of one WNeed */
#define GM_WINDOW_MAX_HELD 16u        /* ranges that a worker holds */

/* *out is owned: gm__envelope__free_unpacked(out, NULL). Errors: PROTO (native = offset or field),
 * LIMIT. */
int gm_envelope_decode(const void *data, size_t size, Gm__Envelope **out,
                       struct gm_err *err) GM_MUST_CHECK;
/* *out is owned: free(). Sets version. Errors: LIMIT, NOMEM. */
int gm_envelope_encode(Gm__Envelope *env, uint8_t **out, size_t *out_size,
                       struct gm_err *err) GM_MUST_CHECK;

/* Same for agent <-> worker packets. The worker is not trusted: file names are checked too
 * ([A-Za-z0-9._-]{1,128}, not starting with a dot; paths of such parts joined by '/'). */
int gm_worker_message_decode(const void *data, size_t size, Gm__WorkerMessage **out,
                             struct gm_err *err) GM_MUST_CHECK;
int gm_worker_message_encode(const Gm__WorkerMessage *msg, uint8_t **out, size_t *out_size,
                             struct gm_err *err) GM_MUST_CHECK;

/* Task specs and metas travel as opaque bytes inside envelopes and files: decoded with the same
 * care. max: bytes. *out owned, freed by protobuf_c_message_free_unpacked(out, NULL). */
int gm_message_decode(const ProtobufCMessageDescriptor *type, const void *data, size_t size,
                      size_t max, ProtobufCMessage **out, struct gm_err *err) GM_MUST_CHECK;
int gm_message_encode(const ProtobufCMessage *msg, uint8_t **out, size_t *out_size,
                      struct gm_err *err) GM_MUST_CHECK;
/* A deep copy, owned; NULL: out of memory. */
ProtobufCMessage *gm_message_dup(const ProtobufCMessage *msg);
/* The same, the pool's: it is not freed by itself. */
struct gm_pool;
ProtobufCMessage *gm_message_dup_in(struct gm_pool *pool, const ProtobufCMessage *msg);

/* out->text borrows err->text. */
void gm_err_to_msg(const struct gm_err *err, Gm__Error *out);
/* An unknown code becomes GM_E_BUG. */
void gm_err_from_msg(const Gm__Error *msg, struct gm_err *out);

/* Two that meet understand each other: each speaks what the other understands, and neither is more
 * than one ahead. oldest 0: its `spoken` alone. Errors: PROTO, naming both builds and what to do.
 */
struct gm_protocol {
    uint32_t spoken, oldest;
    const char *build; /* borrowed */
};
int gm_protocol_check(const struct gm_protocol *scheduler, const struct gm_protocol *node,
                      struct gm_err *err) GM_MUST_CHECK;

bool gm_is_node_id(const char *s);
bool gm_is_file_name(const char *s);
bool gm_is_file_path(const char *s); /* file names joined by '/', at most 512 bytes */

#endif
