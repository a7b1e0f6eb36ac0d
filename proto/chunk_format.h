#ifndef GM_PROTO_CHUNK_FORMAT_H
#define GM_PROTO_CHUNK_FORMAT_H

/* Numbers of the chunk object's framing, for its writer and reader. proto/chunk.h has the
 * layout. */
#define GM_CHUNK_MAGIC "GMCK"
#define GM_CHUNK_VERSION 1
#define GM_CHUNK_PREFIX_BYTES 12 /* magic, version, zeros, header size */
#define GM_CHUNK_MAX_HEADER (8u << 20)
#define GM_CHUNK_MAX_PACKET (128u << 20)
#define GM_CHUNK_MAX_SIDES 64
#define GM_CHUNK_MAX_SIDE (16u << 20)
#define GM_CHUNK_MAX_CHANGE (16u << 20)
#define GM_CHUNK_MAX_RECORDS 10000000u

#define GM_CHUNK_TYPE_END 0
#define GM_CHUNK_TYPE_PACKET 1
#define GM_CHUNK_TYPE_CHANGE 2
#define GM_CHUNK_INLINE 0
#define GM_CHUNK_REFERENCE 1

#endif
