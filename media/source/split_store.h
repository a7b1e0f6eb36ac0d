#ifndef GM_MEDIA_SOURCE_SPLIT_STORE_H
#define GM_MEDIA_SOURCE_SPLIT_STORE_H

#include "media/av.h"
#include "media/task_io.h"
#include "proto/chunk.h"

/* Packets of one stream that split may still have to write into a chunk. Bodies that lie in the
 * source are kept by place; others in memory up to GM_SPLIT_MEMORY_BYTES, then in one scratch file.
 * Ids run without holes from the first packet added.
 */
#define GM_SPLIT_MEMORY_BYTES ((size_t)64 << 20)

struct gm_split_packet {
    uint64_t id;
    int64_t pts, dts, duration;
    uint32_t flags, size;
    bool closed;      /* a keyframe that nothing after it reaches behind, in decoding order */
    bool unfit;       /* a keyframe that decoding must not begin at */
    bool tried;       /* a keyframe that was decoded alone (split_start.h) */
    bool damaged;     /* and showed damage */
    int64_t shown;    /* its frame's place in output order; -1: none (yet) */
    size_t extradata; /* index into the store's list */
    enum { GM_SPLIT_MEMORY, GM_SPLIT_SOURCE, GM_SPLIT_SPILLED } where;
    uint64_t offset;        /* SOURCE, SPILLED */
    uint8_t *data;          /* MEMORY: owned */
    AVPacketSideData *side; /* owned */
    int sides;
};

struct gm_split_extradata {
    uint8_t *data; /* owned */
    size_t size;
};

struct gm_split_store {
    struct gm_task_io *io;  /* borrowed */
    const AVStream *stream; /* borrowed */
    char spill_name[32];
    struct gm_source_file source_file;
    bool by_reference; /* look whether packets lie in the source */
    struct gm_split_packet *packets;
    size_t first, count, cap; /* packets[first, first + count) */
    uint64_t next_id;
    size_t memory_bytes;
    size_t memory_limit; /* GM_SPLIT_MEMORY_BYTES unless a test lowers it */
    int spill_fd;        /* -1: none */
    uint64_t spill_size;
    size_t spilled;                       /* packets kept there */
    struct gm_split_extradata *extradata; /* owned; [0] is the stream's own */
    size_t extradata_count;
};

/* name: of the scratch file, should one be needed. Errors: NOMEM. */
int gm_split_store_init(struct gm_split_store *s, struct gm_task_io *io, const AVStream *stream,
                        struct gm_source_file source_file, bool by_reference, const char *name,
                        struct gm_err *err) GM_MUST_CHECK;
void gm_split_store_fini(struct gm_split_store *s);
/* Copies the packet under the next id; p is not changed. Errors: INPUT_TOO_LARGE  over 128 MiB;
 * NOMEM, SYS, of io->create_file. */
int gm_split_store_add(struct gm_split_store *s, const AVPacket *p,
                       struct gm_err *err) GM_MUST_CHECK;
/* Counts an id for a packet that is not kept; only before the first is added. */
void gm_split_store_skip(struct gm_split_store *s);
/* NULL: not kept. Borrowed until the next add or drop. */
struct gm_split_packet *gm_split_store_find(const struct gm_split_store *s, uint64_t id);
uint64_t gm_split_store_first(const struct gm_split_store *s); /* next_id when empty */
void gm_split_store_drop(struct gm_split_store *s, uint64_t before_id);
/* Writes packets [from, to]; bodies kept as places in the source are written by reference.
 * Errors: BUG  one is not kept; NOMEM, SYS. */
int gm_split_store_write(struct gm_split_store *s, uint64_t from, uint64_t to,
                         struct gm_chunk_writer *w, struct gm_err *err) GM_MUST_CHECK;
/* A packet that is kept, as libavcodec's; its id is its time stamp. out: allocated; what it held
 * goes, also on failure. Errors: of gm_chunk_packet_fill; BUG: it is not kept. */
int gm_split_store_packet(const struct gm_split_store *s, uint64_t id, AVPacket *out,
                          struct gm_err *err) GM_MUST_CHECK;
/* Whether some of [from, to] are kept as places in the source. */
bool gm_split_store_refers(const struct gm_split_store *s, uint64_t from, uint64_t to);
/* Codec parameters as they hold at packet id (or at the end, when it is not kept). *out: owned by
 * the caller. Errors: NOMEM, of gm_codecpar_encode. */
int gm_split_store_codecpar(const struct gm_split_store *s, uint64_t id, uint8_t **out,
                            size_t *out_size, struct gm_err *err) GM_MUST_CHECK;

#endif
