#ifndef GM_MEDIA_PICTURE_PICTURES_H
#define GM_MEDIA_PICTURE_PICTURES_H

#include "media/decode/frames.h"
#include "media/picture/eyes.h"
#include "media/task_io.h"

/* A task's chunks as pictures of every rendition: chunk objects are decoded
 * (media/decode/frames.h), go through the front (media/picture/front.h), with the subtitles that
 * are drawn (media/picture/burn.h), and the ladder: libavfilter's (media/picture/rungs.h), or the
 * device's where the plan says so (media/picture/device_ladder.h), which replaces front and ladder
 * both. For tasks that run over chunks. Which pictures come depends on the chunk alone. Thread: one
 * at a time. */
struct gm_pictures; /* opaque */

enum gm_pictures_event {
    GM_PICTURES_CHUNK,   /* a chunk begins */
    GM_PICTURES_AGAIN,   /* what came of this chunk is void; it comes again from picture 0 */
    GM_PICTURES_PICTURE, /* its picture `index`: gm_pictures_get */
    GM_PICTURES_END,     /* all of them came */
    GM_PICTURES_DONE     /* no more chunks */
};
/* What scaled a chunk's pictures. */
struct gm_pictures_scaled {
    const char
        *by; /* static: "cuda", "vaapi", "software"; NULL: software, on a chain that has no other */
    const char *why;    /* why software; NULL: nothing to say; borrowed until the next call */
    const char *images; /* gm_eyes_by: what made small pictures of it; NULL: there were none */
};
struct gm_pictures_step {
    enum gm_pictures_event event;
    const Gm__ChunkHeader *header; /* borrowed until the next CHUNK or DONE; NULL at DONE */
    size_t index;
    const AVFrame
        *front; /* PICTURE: before the ladder, or as decoded; borrowed until the next call */
    struct gm_frames_stats stats;     /* END */
    struct gm_pictures_scaled scaled; /* END; software where one picture of the chunk was */
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
    /* What scales where the plan says so. An NVIDIA GPU decodes where it can
     * (gm_frames_use_device); with others, and NULL, io's decode_device (media/decode/assist.h)
     * does, or software. */
    AVBufferRef *device;
};
/* Errors: CONFIG, INVAL, NOMEM; BUG (a plan for a device's scaler, and no device); where the plan
 * is for it those of gm_device_ladder_create. */
int gm_pictures_create(const struct gm_pictures_params *params, struct gm_pictures **out,
                       struct gm_err *err) GM_MUST_CHECK;
void gm_pictures_destroy(struct gm_pictures **pictures);
/* Errors: those of gm_frames_next, MEDIA, of devices. After one only destroy is allowed. */
int gm_pictures_next(struct gm_pictures *p, struct gm_pictures_step *out,
                     struct gm_err *err) GM_MUST_CHECK;
/* After END: the same chunk comes again, with AGAIN. */
void gm_pictures_repeat(struct gm_pictures *p);
/* After what was done with a step failed with `cause`: true where that is want of memory on a GPU
 * which decodes beside (media/decode/assist.h). It decodes no more, and the chunk comes again, with
 * AGAIN, from software: the same pictures. */
bool gm_pictures_yield(struct gm_pictures *p, const struct gm_err *cause);
/* After PICTURE: it in a rendition's size and format, as gm_rungs_get, or on the device, as
 * gm_device_ladder_get. */
AVFrame *gm_pictures_get(struct gm_pictures *p, size_t rendition);
/* After PICTURE, of a policy with thumbnails: it for tiles and posters, until the next call of
 * next. *out borrows. Errors: as next. */
int gm_pictures_sight(struct gm_pictures *p, struct gm_sight *out,
                      struct gm_err *err) GM_MUST_CHECK;
/* gm_encoder_params.surfaces of a rendition; NULL: all its pictures are in memory. Borrowed. */
AVBufferRef *gm_pictures_surfaces(struct gm_pictures *p, size_t rendition);
/* What a chunk's meta says of it. meta borrows. */
void gm_pictures_tell(const struct gm_pictures_scaled *scaled, Gm__EncodeItemMeta *meta);
/* Number of the chunk to blame for a failure: the one that comes, else the last one opened; -1:
 * none. */
int64_t gm_pictures_chunk(const struct gm_pictures *p);
/* Frames of all inputs that are known, as their metas say. */
uint64_t gm_pictures_total(const Gm__TaskSpec *spec);

#endif
