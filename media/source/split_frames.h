#ifndef GM_MEDIA_SOURCE_SPLIT_FRAMES_H
#define GM_MEDIA_SOURCE_SPLIT_FRAMES_H

#include "media/timeline.h"

/* The source's frames in output order with their times: from packet time stamps where inspection
 * found these sound, else by decoding the stream once. */
struct gm_split_frame {
    uint64_t id;    /* its packet */
    uint64_t until; /* the last packet that a decoder needs to show it */
    int64_t ts;     /* the video's time base */
    bool unfit;     /* a keyframe that a new decoder shows otherwise: nothing may begin there */
};
typedef int (*gm_split_frame_fn)(void *arg, const struct gm_split_frame *frame, struct gm_err *err);

#define GM_SPLIT_REORDER 64  /* frames that wait for their turn, at most */
#define GM_SPLIT_PROBES 4    /* keyframes decoded alone whose picture has not come yet */
#define GM_SPLIT_RECENT 1024 /* packets whose times are kept for the decoder's frames */

struct gm_split_frames {
    bool decode;
    gm_split_frame_fn fn;
    void *arg;
    AVRational time_base, rate;
    struct gm_split_frame waiting[GM_SPLIT_REORDER + 1]; /* sorted by ts */
    size_t waits;
    AVCodecContext *decoder;      /* owned */
    AVPacket *packet;             /* owned */
    AVFrame *frame;               /* owned */
    const AVCodecParameters *par; /* borrowed */
    bool probe;                   /* decode keyframes a second time, alone */
    struct {
        uint64_t id;
        AVFrame *frame; /* owned; NULL: free */
    } probes[GM_SPLIT_PROBES];
    struct gm_time_guess guess;
    struct {
        uint64_t id;
        int64_t pts, dts;
    } recent[GM_SPLIT_RECENT];
    uint64_t fed; /* id of the last packet given */
    bool any;     /* a frame was shown */
    int64_t last_ts, anchor_ts;
    uint64_t since_anchor;
    int64_t decode_errors, untimed;
};
/* par: the video's; rate: for frames without any time. */
int gm_split_frames_init(struct gm_split_frames *s, bool decode, const AVCodecParameters *par,
                         AVRational time_base, AVRational rate, gm_split_frame_fn fn, void *arg,
                         struct gm_err *err) GM_MUST_CHECK;
void gm_split_frames_fini(struct gm_split_frames *s);
/* The next packet of the stream. fn is called for each frame whose place is now certain. */
int gm_split_frames_push(struct gm_split_frames *s, const AVPacket *p, uint64_t id,
                         struct gm_err *err) GM_MUST_CHECK;
/* The stream's end: the rest of the frames. */
int gm_split_frames_end(struct gm_split_frames *s, struct gm_err *err) GM_MUST_CHECK;

#endif
