#ifndef GM_MEDIA_DECODE_FRAMES_KEEP_H
#define GM_MEDIA_DECODE_FRAMES_KEEP_H

#include "media/decode/frames_chunk.h"

/* Pictures that outlive their chunk, because the next one may list them (inside of
 * media/decode/frames.c): those decoded ahead of it, and the last ones given out, which are its
 * context. All-zero is empty. */
#define GM_FRAMES_SPARES 8

struct gm_frames_keep {
    struct {
        AVFrame *frame; /* owned */
        uint64_t id;
    } spare[GM_FRAMES_SPARES];
    size_t spares;
    struct {
        AVFrame *frame; /* owned */
        uint64_t id;
        int64_t out_ts;
    } tail[GM_FRAMES_CONTEXT];
    size_t tails;
};

void gm_frames_keep_clear(struct gm_frames_keep *k);
/* A decoded picture that no chunk has as its own yet. frame: taken. The oldest goes when there are
 * too many. */
void gm_frames_keep_spare(struct gm_frames_keep *k, uint64_t id, AVFrame *frame);
/* A picture of a chunk's own that is given out. Errors: NOMEM. */
int gm_frames_keep_tail(struct gm_frames_keep *k, const Gm__FrameEntry *entry, const AVFrame *frame,
                        struct gm_err *err) GM_MUST_CHECK;
/* Gives a chunk that goes on after `prior` (NULL: it was given out whole) what it lists of all
 * that. Errors: NOMEM. */
int gm_frames_keep_give(struct gm_frames_keep *k, const struct gm_frames_chunk *prior,
                        struct gm_frames_chunk *chunk, struct gm_err *err) GM_MUST_CHECK;

#endif
