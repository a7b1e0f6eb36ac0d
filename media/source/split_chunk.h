#ifndef GM_MEDIA_SOURCE_SPLIT_CHUNK_H
#define GM_MEDIA_SOURCE_SPLIT_CHUNK_H

#include "media/source/split_store.h"

/* Inside of the split task: the chunk that is being collected, and how chunks are written. */

#define GM_SPLIT_CONTEXT 4 /* frames of context on either side, at most */

struct gm_split_chunk {
    uint32_t index;
    Gm__FrameEntry *frames; /* owned */
    size_t frame_count, frame_cap;
    Gm__SegmentEntry *segments; /* owned */
    size_t segment_count, segment_cap;
    uint64_t min_id, max_id; /* packets of its frames and its context */
    int64_t first_ordinal; /* output order of its first frame, that of its context if it has any */
    Gm__FrameEntry before[GM_SPLIT_CONTEXT], after[GM_SPLIT_CONTEXT];
    size_t before_count, after_count;
};
void gm_split_chunk_fini(struct gm_split_chunk *c);
void gm_split_chunk_reset(struct gm_split_chunk *c, uint32_t index);
/* until: the last packet that must be decoded to have the frame. */
int gm_split_chunk_frame(struct gm_split_chunk *c, const Gm__FrameEntry *frame, uint64_t until,
                         int64_t ordinal, struct gm_err *err) GM_MUST_CHECK;
/* Context; before: its frames are counted from `ordinal` then. Both: at most GM_SPLIT_CONTEXT. */
void gm_split_chunk_before(struct gm_split_chunk *c, const Gm__FrameEntry *frame, int64_t ordinal);
void gm_split_chunk_after(struct gm_split_chunk *c, const Gm__FrameEntry *frame, uint64_t until);
int gm_split_chunk_segment(struct gm_split_chunk *c, uint32_t number,
                           struct gm_err *err) GM_MUST_CHECK;

/* What a stream's chunk is written from. */
struct gm_split_write {
    struct gm_task_io *io;
    struct gm_split_store *store;
    uint32_t stream;
    const char *codec;
    Gm__ChunkHeader *header; /* index, frames, segments, ends: set by the caller */
    uint64_t from, to;       /* packets; from > to: none */
    const ProtobufCMessage *meta;
};
/* Writes the chunk object and announces it as item (stream, header->index). */
int gm_split_write_chunk(const struct gm_split_write *w, struct gm_err *err) GM_MUST_CHECK;

#endif
