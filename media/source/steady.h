#ifndef GM_MEDIA_SOURCE_STEADY_H
#define GM_MEDIA_SOURCE_STEADY_H

#include "media/av.h"

/* Time stamps that jump. In formats whose clock may start anew (MPEG-TS: splices, a restarted
 * recorder, the wrap of 33 bits), a packet of video or sound whose decoding time lies more than
 * GM_STEADY_JUMP_NS after where the stream's last packet ended, or more than GM_STEADY_BACK_NS
 * before where that one began (or at it, where that one said to last longer than
 * GM_STEADY_JUMP_NS; a clock that begins anew within what it said to last is not told), is moved to
 * where it ended, and all packets of all streams after it by as much. So one offset holds for all,
 * and what was shown and heard together stays so, but:
 * - A stream that was silent, while another of its clock went on and is at most as far from it, has
 *   a gap: no clock jumped.
 * - Packets that still come from the clock before, in a stream that lags behind, keep to it for
 *   GM_STEADY_LAG_NS of that stream, or for ever where the clocks are more than GM_STEADY_JUMP_NS
 *   apart.
 * - Where a stream that comes over would step back, it had gone on for longer before the jump: all
 *   that follows is moved on until it does not.
 * - A stream that is back on its line within GM_STEADY_LINE packets after it left it (by a jump, or
 *   by more than GM_STEADY_BACK_NS) had damaged stamps: it goes on as if they had been none. Steps
 *   that are longer than what packets say to last do not leave it where the one before was so, too;
 *   what it left by a jump it comes back to by one as far.
 * Stamps of more than 58 years are none.
 * In all other formats a distance is a distance: nothing is changed.
 * Source of the distances: ffmpeg 5.1 (dts_delta_threshold, and the tenth of a second beside it);
 * it has one offset for all at once, and takes a damaged stamp, and a silence, for a jump. */
#define GM_STEADY_JUMP_NS INT64_C(10000000000)
#define GM_STEADY_BACK_NS INT64_C(100000000)
/* Ours: muxers send streams within a second of each other, and within that a line is met again. */
#define GM_STEADY_LAG_NS INT64_C(3000000000)
#define GM_STEADY_LINE 8
#define GM_STEADY_LINE_NS INT64_C(1000000000)
#define GM_STEADY_STREAMS 1024 /* libavformat stops at 1000 */

/* Where a stream would go on if it had not left. */
struct gm_steady_line {
    int64_t offset_ns;
    int64_t next;  /* ns */
    int64_t jumps; /* gm_steady_stream.jumps */
    int64_t gaps;  /* ns: how much of the way since then was gaps */
    int left;      /* packets in which it may come back */
};
struct gm_steady_stream {
    int64_t next;      /* ns; AV_NOPTS_VALUE: no packet yet */
    int64_t last;      /* ns; AV_NOPTS_VALUE: the last packet had no decoding time */
    int64_t gap;       /* ns from where the packet before ended to the last one's begin; >= 0 */
    int64_t offset_ns; /* of the clock that it follows */
    int64_t jumps;     /* how many of the jumps its packets have followed */
    int64_t made;      /* the last one that its own packets made, as a count */
    int64_t saw;       /* the last one that it did not follow at once, as a count */
    int64_t lags_from; /* ns: where it was then */
    struct gm_steady_line line;
};
struct gm_steady {
    bool on;
    struct gm_steady_stream *streams; /* owned */
    size_t count;
    int64_t offset_ns; /* since the last jump */
    int64_t jumps;
};
/* all-zero does nothing to packets. Errors: NOMEM. */
int gm_steady_init(struct gm_steady *s, const AVFormatContext *format,
                   struct gm_err *err) GM_MUST_CHECK;
void gm_steady_fini(struct gm_steady *s);
/* Reading goes on elsewhere: where streams were is forgotten, and so are jumps. */
void gm_steady_seek(struct gm_steady *s);
/* Moves pts and dts of the next packet read. */
void gm_steady_packet(struct gm_steady *s, const AVStream *stream, AVPacket *packet);

#endif
