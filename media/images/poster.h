#ifndef GM_MEDIA_IMAGES_POSTER_H
#define GM_MEDIA_IMAGES_POSTER_H

#include <libavutil/frame.h>

#include "media.pb-c.h"
#include "media/picture/eyes.h"
#include "media/picture/still.h"

/* A chunk's candidate for the poster: the best scored of about one picture a second, or the one at
 * the time that the pipeline names. Which frames are looked at follows from the chunk alone. */
struct gm_poster; /* opaque */

/* A frame that may become the poster, and the two that it is judged by; indexes into the chunk's
 * frames, before <= now <= after. */
struct gm_poster_spot {
    size_t before, now, after;
};
/* For each half second of the programme that is no whole one (0.5, 1.5, ...) in the chunk: the
 * frame on screen then, unless its neighbours overlap those of the one before; none: the chunk's
 * middle frame. Neighbours lie 0.2 s away, at least a frame, within the chunk. Into out (room for
 * max). Returns how many there are, which may be more than max. Pure. */
size_t gm_poster_select(const Gm__ChunkHeader *header, uint32_t timescale,
                        struct gm_poster_spot *out, size_t max);
/* The frame on screen at us microseconds of the programme. Times before the programme or at or
 * after its end are the first and the last frame's. SIZE_MAX: not in this chunk. Pure. */
size_t gm_poster_frame_at(const Gm__ChunkHeader *header, uint32_t timescale, int64_t us);

/* policy: borrowed; has thumbnails and renditions. Errors: MEDIA, NOMEM. */
int gm_poster_create(const Gm__Policy *policy, struct gm_poster **out,
                     struct gm_err *err) GM_MUST_CHECK;
void gm_poster_destroy(struct gm_poster **poster);
/* A chunk begins (again: what was kept of it is dropped). header: borrowed until finish. */
int gm_poster_start(struct gm_poster *p, const Gm__ChunkHeader *header,
                    struct gm_err *err) GM_MUST_CHECK;
/* Whether the chunk's frame `index` is looked at. */
bool gm_poster_wants(const struct gm_poster *p, size_t index);
/* The chunk's frame `index`, in order; those that are not wanted may be left out. sight: of it,
 * borrowed for the call; of one pair of eyes for all of a chunk. Errors: MEDIA, NOMEM, of the
 * device. */
int gm_poster_picture(struct gm_poster *p, size_t index, const struct gm_sight *sight,
                      struct gm_err *err) GM_MUST_CHECK;

struct gm_poster_best {
    const struct gm_buf *file; /* borrowed until the next start; NULL: the chunk has no candidate */
    int64_t ts;                /* Policy.timescale */
    uint32_t score;            /* media/picture/score.h, before gm_score_place */
};
/* After the last frame. Errors: MEDIA, NOMEM. */
int gm_poster_finish(struct gm_poster *p, struct gm_poster_best *out,
                     struct gm_err *err) GM_MUST_CHECK;

#endif
