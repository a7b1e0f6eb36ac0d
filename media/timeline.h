#ifndef GM_MEDIA_TIMELINE_H
#define GM_MEDIA_TIMELINE_H

#include "media/av.h"

/* From the times of the source's frames to the frames of the output: exact, and a function of the
 * source and the policy alone. Pure; no allocation. Times beyond 2^61 ticks, of the source or of
 * the output, are taken for that. Thread: one at a time.
 *
 * With constant rate a frame's slot is round((t - v0) * rate), its GOP slot / gop_frames; with
 * variable rate its GOP is floor((t - v0) / 2 s). v0 is the first frame's time. A GOP or segment
 * begins at the first frame whose number (GOP; GOP / segment_gops) differs from the frame before.
 * Segment numbers and chunk indices have no holes.
 *
 * A chunk is whole segments. The first is one segment, so that there is soon something to play.
 * Later ones end at the first border where decoding from the keyframe before it throws away at most
 * GM_TIMELINE_LEAD of the chunk's frames, and after chunk_segments at the latest: what is decoded
 * twice stays small however long the source's GOPs are.
 */
#define GM_TIMELINE_LEAD 4 /* one in four */
struct gm_timeline {
    AVRational time_base; /* of the source's video */
    int64_t zero_num;     /* programme time 0 in seconds of source time */
    int32_t zero_den;
    AVRational rate; /* 0/1: variable */
    uint32_t timescale, gop_frames, segment_gops, chunk_segments;
    bool started;
    int64_t first_ts, last_ts, last_out, last_step;
    int64_t last_gop, last_segment;
    uint32_t segments_in_chunk;
    uint64_t chunk_start;    /* number of the chunk's first frame */
    uint32_t segment, chunk; /* of the last frame: number from 1, index from 0 */
    uint64_t frames;
};
struct gm_timeline_frame {
    int64_t out_ts;          /* policy's timescale */
    bool gop, segment;       /* begins one */
    uint32_t segment_number; /* from 1 */
};
void gm_timeline_init(struct gm_timeline *t, const Gm__Policy *policy, AVRational time_base,
                      const Gm__Rational *zero);
/* (ts * time_base - zero) * timescale: exact before its one rounding. Looks at these fields
 * alone. */
int64_t gm_timeline_out(const struct gm_timeline *t, int64_t ts);
/* The next frame in output order. ts: time_base; a time that is not above the frame before's is
 * moved to one tick of the output after it. */
void gm_timeline_next(struct gm_timeline *t, int64_t ts, struct gm_timeline_frame *out);
/* Whether the frame just given, which begins a segment, begins a chunk: then t->chunk is the new
 * one's index. lead: pictures that a decoder which begins at the latest keyframe would make before
 * it. To be called once for each frame that begins a segment. */
bool gm_timeline_cut(struct gm_timeline *t, uint64_t lead);
/* Where the last frame ends. duration: its packet's, in time_base; used when it is above 0 and at
 * most ten times the distance to the frame before (or 10 s where there is none). */
int64_t gm_timeline_end(const struct gm_timeline *t, int64_t duration);

/* A frame's time from what its decoder says, as libavcodec's best_effort_timestamp: presentation
 * times unless they were found faulty more often than decoding times. All-zero is not valid: init.
 * Source: FFmpeg 5.1 libavcodec/decode.c, behaviour of guess_correct_pts.
 */
struct gm_time_guess {
    int64_t bad_pts, bad_dts, last_pts, last_dts;
};
void gm_time_guess_init(struct gm_time_guess *g);
/* pts, dts: AV_NOPTS_VALUE where unknown; so may the answer be. */
int64_t gm_time_guess_next(struct gm_time_guess *g, int64_t pts, int64_t dts);

#endif
