#ifndef GM_MEDIA_VERIFY_VERIFY_H
#define GM_MEDIA_VERIFY_VERIFY_H

#include "common/hash.h"
#include "media/format/fmp4.h"
#include "media/task_io.h"

/* What the files verify_*.c share. All errors are MEDIA_VERIFY with a sentence that names the
 * segment, unless said otherwise. */

/* A segment file read back: bytes and samples. */
struct gm_verify_segment {
    const Gm__SegmentMeta *meta; /* borrowed */
    const char *where;           /* "720p" or "a0", for messages; borrowed */
    uint8_t *data;               /* owned */
    size_t size;
    struct gm_fmp4_read_sample *samples; /* owned; in file order */
    size_t count, cap;
};
/* Finds the object whose key ends in meta's name, reads it and compares its size and hash. `name`:
 * what the file must be called for its hash. */
int gm_verify_bytes(struct gm_task_io *io, const struct gm_task_input *input, const char *where,
                    const Gm__SegmentMeta *meta,
                    void (*name)(uint32_t number, const uint8_t sha256[32], char out[32]),
                    struct gm_verify_segment *out, struct gm_err *err) GM_MUST_CHECK;
/* Finds the object whose key ends in meta's name, reads it, compares size, hash and name, and
 * parses it. Errors: also NOMEM and the io's. */
int gm_verify_read(struct gm_task_io *io, const struct gm_task_input *input, const char *where,
                   const Gm__SegmentMeta *meta, struct gm_verify_segment *out,
                   struct gm_err *err) GM_MUST_CHECK;
void gm_verify_segment_fini(struct gm_verify_segment *s);
int gm_verify_fail(struct gm_err *err, const struct gm_verify_segment *s, const char *fmt, ...)
    GM_PRINTF(3, 4);

/* What split told of the chunk that `item` was made of: the task's next input. *out owned:
 * gm__split_item_meta__free_unpacked. Errors: MEDIA_VERIFY where one of them alone is the last;
 * PROTO where the input is missing, of another chunk or malformed; NOMEM; the io's. */
int gm_verify_plan(struct gm_task_io *io, const Gm__Item *item, Gm__SplitItemMeta **out,
                   struct gm_err *err) GM_MUST_CHECK;
/* Adds when the segment's pictures are shown (media/chunk_times.h). Errors: NOMEM. */
int gm_verify_times(const struct gm_verify_segment *s, struct gm_sha256 *times,
                    struct gm_err *err) GM_MUST_CHECK;
/* The chunk's times in one rendition, all segments added, are those of the plan. end_ts: of the
 * last segment. A split before media/chunk_times.h told none: any will do then. */
int gm_verify_planned(const Gm__SplitItemMeta *plan, struct gm_sha256 *times, int64_t end_ts,
                      const char *where, uint32_t index, struct gm_err *err) GM_MUST_CHECK;

/* The init segment of the segment's rendition, checked against the plan; borrowed from it. */
int gm_verify_init(const struct gm_verify_segment *s, const Gm__Rendition *rendition,
                   uint32_t timescale, struct gm_fmp4_init *out, struct gm_err *err) GM_MUST_CHECK;
/* Samples, times, composition delay and bitstream of a video segment against its meta and its init
 * segment: keyframes where GOPs begin and nowhere else, one picture shown a sample, no other
 * parameter sets than the init segment's. */
int gm_verify_video(const struct gm_verify_segment *s, const struct gm_fmp4_init *init,
                    uint32_t delay_ts, struct gm_err *err) GM_MUST_CHECK;
/* Samples and times of a sound segment. last: the track ends with it, so its last frame may be cut
 * short. io_next_frame: number of the first frame it must hold (-1: any); moved behind its last. */
int gm_verify_audio(const struct gm_verify_segment *s, const Gm__AudioTrack *track, bool last,
                    int64_t *io_next_frame, struct gm_err *err) GM_MUST_CHECK;

/* Which GOP of a chunk's rendition is decoded, of `gops`; -1: none. Of the first chunk one of every
 * rendition, so that a short programme has none that was never looked at; then of one rendition a
 * chunk, in turn. The place of the GOP moves on with each turn: after renditions * gops chunks of
 * one length every GOP of a chunk was looked at in every rendition. */
ptrdiff_t gm_verify_pick(uint32_t chunk, size_t rendition, size_t renditions, size_t gops);
/* Decodes GOP `gop` of the segment; every frame must come, undamaged, in the rendition's size and
 * pixel format. */
int gm_verify_decode_gop(const struct gm_verify_segment *s, size_t gop,
                         const struct gm_fmp4_init *init, const Gm__Rendition *rendition,
                         struct gm_err *err) GM_MUST_CHECK;
/* Decodes all frames. */
int gm_verify_decode_audio(const struct gm_verify_segment *s, const Gm__AudioTrack *track,
                           struct gm_err *err) GM_MUST_CHECK;

/* A WebVTT segment (gm_verify_bytes): it parses, holds as many cues as announced, and each of them
 * shows during the segment; first, last: it also has what shows before, after. */
int gm_verify_text(const struct gm_verify_segment *s, uint32_t timescale, bool first, bool last,
                   struct gm_err *err) GM_MUST_CHECK;

#endif
