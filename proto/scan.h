#ifndef GM_PROTO_SCAN_H
#define GM_PROTO_SCAN_H

#include <protobuf-c/protobuf-c.h>

#include "common/err.h"

#define GM_SCAN_MAX_DEPTH 16
#define GM_SCAN_MAX_STRING 8192    /* bytes: a signed URL of a long key */
#define GM_SCAN_MAX_REPEATED 65536 /* entries of one field in one message */
#define GM_SCAN_MAX_NODES 1000000  /* sub-messages and repeated entries in all */
#define GM_SCAN_MAX_UNKNOWN 1024   /* fields that this build does not know, in all */

/* Walks the encoded bytes of a message before anything is allocated for them.
 *
 * Refuses what protobuf-c would take at a cost or silently: sizes past the end, wire types that do
 * not match the field, a singular field or a second member of a oneof given twice (they would be
 * merged), strings with a NUL byte (they would be cut), enum values that are not in the table,
 * doubles that are not finite, `sha256` fields that are neither empty nor 32 bytes, and counts over
 * the limits above. Unknown field numbers are skipped: they come from a newer peer.
 *
 * type:   every message has at most 64 fields and one oneof
 * Errors: PROTO (native = byte offset), LIMIT (native = byte offset)
 * Source: https://protobuf.dev/programming-guides/encoding/
 */
int gm_scan_message(const ProtobufCMessageDescriptor *type, const void *data, size_t size,
                    struct gm_err *err) GM_MUST_CHECK;

#endif
