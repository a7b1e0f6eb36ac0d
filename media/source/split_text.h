#ifndef GM_MEDIA_SOURCE_SPLIT_TEXT_H
#define GM_MEDIA_SOURCE_SPLIT_TEXT_H

#include "media/source/split_chunk.h"

/* Inside of the split task: the text tracks. Text is sparse and small, so that it waits for nobody
 * and nobody waits for it: a track's packets are written as one chunk when the source ends, or as
 * several where there are many. Each chunk tells the video's segment borders since the one before.
 */
#define GM_SPLIT_TEXT_PACKETS 20000u         /* that may wait */
#define GM_SPLIT_TEXT_BYTES (4u << 20)       /* that may wait */
#define GM_SPLIT_TEXT_MAX_PACKETS 400000u    /* of a track; the rest is dropped */
#define GM_SPLIT_TEXT_MAX_BYTES (256u << 20) /* of a track; the rest is dropped */

struct gm_split_text_track {
    struct gm_split_store store;
    int stream; /* in the source */
    uint32_t number, produced, skip;
    uint64_t first_id; /* first packet that waits */
    size_t bytes;      /* that wait */
    uint64_t total_bytes;
    size_t told; /* borders in chunks before */
};
struct gm_split_text {
    struct gm_task_io *io;              /* borrowed */
    struct gm_split_text_track *tracks; /* owned */
    size_t count;
    int64_t *borders; /* owned: starts of the video's segments */
    size_t border_count, border_cap;
    int64_t dropped;
};

/* Opens the policy's text tracks and has the demuxer give their packets. Errors: INPUT_CHANGED (a
 * stream has gone), NOMEM. */
int gm_split_text_open(struct gm_split_text *t, struct gm_task_io *io, const Gm__Policy *policy,
                       const Gm__Inspection *facts, AVFormatContext *format,
                       struct gm_source_file file, struct gm_err *err) GM_MUST_CHECK;
void gm_split_text_fini(struct gm_split_text *t);
/* A segment of the video starts at ts (Policy.timescale). */
int gm_split_text_border(struct gm_split_text *t, int64_t ts, struct gm_err *err) GM_MUST_CHECK;
/* A packet of any stream: it is taken when it is of a text track. */
int gm_split_text_packet(struct gm_split_text *t, const AVPacket *p,
                         struct gm_err *err) GM_MUST_CHECK;
/* The source has ended: each track's last chunk. */
int gm_split_text_end(struct gm_split_text *t, int64_t programme_end_ts,
                      struct gm_err *err) GM_MUST_CHECK;

#endif
