#ifndef GM_PROTO_CHUNK_H
#define GM_PROTO_CHUNK_H

#include "common/err.h"
#include "media.pb-c.h"

/* The chunk object: what decoding one chunk needs, in one file.
 *
 * - "GMCK", u8 version = 1, 3 zero bytes, u32be header size, Gm__ChunkHeader
 * - records until the end record, each beginning with u8 type:
 *   - 1, packet: u64be id; i64be pts; i64be dts (INT64_MIN: none); i64be duration; u32be flags
 *     (AV_PKT_FLAG_*); u16be count of side data; for each { u32be type, u32be size, bytes };
 *     u8 where: 0, inline: u32be size, bytes; 1, in the source: u64be offset, u32be size
 *     (only when ChunkHeader.by_reference)
 *   - 2, parameter change: u32be size, codecpar (as ChunkHeader.codecpar); holds from the next
 *     packet on
 *   - 0, end: u32be count of packets; nothing follows
 *
 * Times are in ChunkHeader.time_base. A file that ends before the end record is refused. Limits:
 * header 8 MiB, packet 128 MiB, 64 side data of 16 MiB, change 16 MiB, 10,000,000 records.
 */
#define GM_CHUNK_NO_TS INT64_MIN

struct gm_chunk_side {
    uint32_t type;
    uint32_t size;
    const uint8_t *data;
};
struct gm_chunk_packet {
    uint64_t id;
    int64_t pts, dts, duration;
    uint32_t flags;
    uint16_t sides;
    const struct gm_chunk_side *side; /* borrowed until the next read */
    bool by_reference;
    uint64_t offset; /* by reference: into the source */
    uint32_t size;
    const uint8_t *data; /* inline: borrowed until the next read; else NULL */
};

struct gm_chunk_writer; /* opaque */
/* Writes to fd from its current offset, buffered; hashes as it goes. fd stays the caller's. */
int gm_chunk_writer_open(int fd, const Gm__ChunkHeader *header, struct gm_chunk_writer **out,
                         struct gm_err *err) GM_MUST_CHECK;
int gm_chunk_write_packet(struct gm_chunk_writer *w, const struct gm_chunk_packet *packet,
                          struct gm_err *err) GM_MUST_CHECK;
int gm_chunk_write_change(struct gm_chunk_writer *w, const void *codecpar, size_t size,
                          struct gm_err *err) GM_MUST_CHECK;
/* Writes the end record and the rest of the buffer. */
int gm_chunk_writer_finish(struct gm_chunk_writer *w, struct gm_err *err) GM_MUST_CHECK;
/* Hash and size in bytes of the whole object; once, after finish. Errors: BUG. */
int gm_chunk_writer_digest(struct gm_chunk_writer *w, uint8_t out_sha256[32], uint64_t *out_size,
                           struct gm_err *err) GM_MUST_CHECK;
void gm_chunk_writer_close(struct gm_chunk_writer **w);

struct gm_chunk_reader; /* opaque */
enum gm_chunk_record { GM_CHUNK_END, GM_CHUNK_PACKET, GM_CHUNK_CHANGE };
/* Reads and checks the header. fd stays the caller's and is read by pread. Errors: MEDIA_CHUNK,
 * SYS, NOMEM. */
int gm_chunk_reader_open(int fd, struct gm_chunk_reader **out, struct gm_err *err) GM_MUST_CHECK;
const Gm__ChunkHeader *gm_chunk_reader_header(const struct gm_chunk_reader *r); /* borrowed */
/* *out_record says what came; END is the only success end. change: *out_change / *out_change_size
 * borrowed. */
int gm_chunk_read(struct gm_chunk_reader *r, enum gm_chunk_record *out_record,
                  struct gm_chunk_packet *out_packet, const uint8_t **out_change,
                  size_t *out_change_size, struct gm_err *err) GM_MUST_CHECK;
void gm_chunk_reader_close(struct gm_chunk_reader **r);

#endif
