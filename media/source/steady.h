#ifndef GM_MEDIA_SOURCE_STEADY_H
#define GM_MEDIA_SOURCE_STEADY_H

#include "media/av.h"

/* Time stamps that jump. In formats whose clock may start anew (MPEG-TS: splices, a restarted
 * recorder, the wrap of 33 bits), a packet of video or sound whose decoding time lies more than
 * GM_STEADY_JUMP_NS away from where the stream's last packet ended, or more than GM_STEADY_BACK_NS
 * before where that one began, is moved to where it ended, and all packets after it by as much.
 * Packets that still come from the clock before, in a stream that lags behind, keep to it. In all
 * other formats a distance is a distance: nothing is changed.
 * Source: the behaviour of ffmpeg 5.1 (dts_delta_threshold, AVFMT_TS_DISCONT). */
#define GM_STEADY_JUMP_NS INT64_C(10000000000)
#define GM_STEADY_BACK_NS INT64_C(100000000)
#define GM_STEADY_STREAMS 1024 /* libavformat stops at 1000 */

struct gm_steady_stream {
    int64_t next;  /* ns; AV_NOPTS_VALUE: no packet yet */
    int64_t last;  /* ns; AV_NOPTS_VALUE: the last packet had no decoding time */
    int64_t jumps; /* how many of the jumps its packets have followed */
};
struct gm_steady {
    bool on;
    struct gm_steady_stream *streams; /* owned */
    size_t count;
    int64_t offset_ns, before_ns; /* before_ns: until the last jump */
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
