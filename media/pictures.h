#ifndef GM_MEDIA_PICTURES_H
#define GM_MEDIA_PICTURES_H

#include "media/frames.h"
#include "media/task_io.h"

/* A task's chunks as pictures of every rendition: chunk objects are decoded (media/frames.h), go
 * through the front (media/front.h), with the subtitles that are drawn (media/burn.h), and the
 * ladder (media/rungs.h). For tasks that run over chunks. Which pictures come depends on the chunk
 * alone. Thread: one at a time. */
struct gm_pictures; /* opaque */

enum gm_pictures_event {
    GM_PICTURES_CHUNK,   /* a chunk begins */
    GM_PICTURES_AGAIN,   /* what came of this chunk is void; it comes again from picture 0 */
    GM_PICTURES_PICTURE, /* its picture `index`: gm_pictures_get */
    GM_PICTURES_END,     /* all of them came */
    GM_PICTURES_DONE     /* no more chunks */
};
struct gm_pictures_step {
    enum gm_pictures_event event;
    const Gm__ChunkHeader *header; /* borrowed until the next CHUNK or DONE; NULL at DONE */
    size_t index;
    const AVFrame *front;         /* PICTURE: before the ladder; borrowed until the next call */
    struct gm_frames_stats stats; /* END */
};
struct gm_pictures_params {
    struct gm_task_io *io;    /* borrowed, as the others */
    const Gm__Policy *policy; /* has renditions */
    const Gm__VideoFacts *facts;
    /* Asked for every chunk before it is opened; *out_take false: it is passed over. NULL: all are
     * taken. */
    int (*wants)(void *arg, const struct gm_task_input *input, bool *out_take, struct gm_err *err);
    void (*tick)(void *arg); /* called for each packet; may be NULL */
    void *arg;
    /* What decodes where it can (gm_frames_use_device); NULL: io's decode_device (media/assist.h),
     * or software. */
    AVBufferRef *device;
};
/* Errors: CONFIG, INVAL, NOMEM. */
int gm_pictures_create(const struct gm_pictures_params *params, struct gm_pictures **out,
                       struct gm_err *err) GM_MUST_CHECK;
void gm_pictures_destroy(struct gm_pictures **pictures);
/* Errors: those of gm_frames_next, MEDIA. After one only destroy is allowed. */
int gm_pictures_next(struct gm_pictures *p, struct gm_pictures_step *out,
                     struct gm_err *err) GM_MUST_CHECK;
/* After END: the same chunk comes again, with AGAIN. */
void gm_pictures_repeat(struct gm_pictures *p);
/* After PICTURE: it in a rendition's size and format, as gm_rungs_get; and in SDR for tiles, as
 * gm_rungs_sdr. */
AVFrame *gm_pictures_get(struct gm_pictures *p, size_t rendition);
int gm_pictures_sdr(struct gm_pictures *p, const AVFrame **out, struct gm_err *err) GM_MUST_CHECK;
/* Number of the chunk to blame for a failure: the one that comes, else the last one opened; -1:
 * none. */
int64_t gm_pictures_chunk(const struct gm_pictures *p);
/* Frames of all inputs that are known, as their metas say. */
uint64_t gm_pictures_total(const Gm__TaskSpec *spec);

#endif
