#ifndef GM_MEDIA_SOURCE_SPLIT_TRACKS_H
#define GM_MEDIA_SOURCE_SPLIT_TRACKS_H

#include "media/source/split_store.h"

/* Inside of the split task: the sound tracks. Each gets a chunk whenever the video does, of what
 * was read since the last one. Without a video their own time cuts: every GM_SPLIT_SOUND_S seconds
 * of programme a segment begins, and a chunk with the first packet of any track that belongs there.
 */
#define GM_SPLIT_SOUND_S 6

struct gm_split_track {
    struct gm_split_store store;
    AVFormatContext *silence; /* owned: what stands for the source of a silent track; NULL */
    int stream;               /* in the source; -1: none */
    uint32_t produced, skip;
    uint64_t next_id;  /* first packet of the next chunk */
    int64_t end;       /* by stamps and durations; the stream's time base; INT64_MIN: not known */
    int64_t doubt_end; /* of the packet before, whose stamp was not believed; else INT64_MIN */
};
struct gm_split_tracks {
    struct gm_task_io *io;       /* borrowed */
    const Gm__Policy *policy;    /* borrowed */
    const Gm__Rational *zero;    /* borrowed: programme zero; NULL: 0 */
    struct gm_split_track *list; /* owned */
    size_t count;
    int64_t *borders; /* owned: segment starts not yet told to the tracks */
    size_t border_count, border_cap;
    bool alone;          /* there is no video */
    int64_t next_border; /* alone; Policy.timescale */
};

/* Items of that stream which an earlier attempt announced. */
uint32_t gm_split_skip(const Gm__TaskSpec *spec, uint32_t stream);

/* Takes the policy's tracks from the source: their streams are read from now on. t: all zero.
 * Errors: INPUT_CHANGED, NOMEM, the store's. */
int gm_split_tracks_init(struct gm_split_tracks *t, struct gm_task_io *io,
                         const Gm__Inspection *facts, const Gm__Policy *policy,
                         AVFormatContext *source, struct gm_source_file source_file,
                         struct gm_err *err) GM_MUST_CHECK;
void gm_split_tracks_fini(struct gm_split_tracks *t);
/* Keeps a packet if it is of one of the tracks. */
int gm_split_tracks_take(struct gm_split_tracks *t, const AVPacket *packet,
                         struct gm_err *err) GM_MUST_CHECK;
/* Where the longest track ends by what was taken so far, Policy.timescale; 0: at its begin, or no
 * track has packets. */
int64_t gm_split_tracks_end_ts(const struct gm_split_tracks *t);
/* A video segment starts (Policy.timescale, rising). */
int gm_split_tracks_border(struct gm_split_tracks *t, int64_t start_ts,
                           struct gm_err *err) GM_MUST_CHECK;
/* Writes and announces a chunk of each track. last: the source has ended, and the video at
 * end_ts. */
int gm_split_tracks_write(struct gm_split_tracks *t, bool last, int64_t end_ts,
                          struct gm_err *err) GM_MUST_CHECK;
/* The same at the end of a source that is read for its sound alone. All tracks end with the longest
 * where there are several. Errors: INPUT_DAMAGED (no packet of sound was read). */
int gm_split_tracks_end(struct gm_split_tracks *t, const char *source_name,
                        struct gm_err *err) GM_MUST_CHECK;

#endif
