#ifndef GM_MEDIA_PICTURE_FRONT_H
#define GM_MEDIA_PICTURE_FRONT_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "media.pb-c.h"

/* What is done once to every decoded picture, before the ladder and the tiles: it gets the colour
 * tags that it lacks (media/picture/colour.h), is laid on the background where it is transparent,
 * goes through Policy.front_filters (deinterlacing, upright), and gets black bars where its shape
 * is another than the plan's. One thread, exact on every processor.
 *
 * Pictures go in and come out in order, one for one, but may come late: deinterlacing looks at the
 * picture before and after each. So a chunk's pictures go in with its context
 * (media/decode/frames.h). What comes out depends on what went in since gm_front_start alone. Where
 * the pictures' kind changes (size, format, colour, sample aspect) the filters begin anew.
 *
 * Shape: pictures may change in mid-stream. Each keeps its own display aspect: where that differs
 * from the first one's it gets black bars, so that all have the shape of the ladder.
 *
 * Side data: captions (AV_FRAME_DATA_A53_CC) go along with their picture. */
struct gm_front; /* opaque */

/* policy: borrowed for its life; facts: for the call. Errors: NOMEM, INVAL (a size of 0,
 * a part outside of the picture). */
int gm_front_create(const Gm__Policy *policy, const Gm__VideoFacts *facts, struct gm_front **out,
                    struct gm_err *err) GM_MUST_CHECK;
void gm_front_destroy(struct gm_front **front);
/* A chunk begins, also anew: all pictures so far are forgotten. */
void gm_front_start(struct gm_front *front);
/* picture: borrowed, not changed. tag: comes out with it.
 * Errors: MEDIA  a filter refused, or lost a picture
 *         NOMEM. Only start and destroy are allowed after one. */
int gm_front_push(struct gm_front *front, const AVFrame *picture, int64_t tag,
                  struct gm_err *err) GM_MUST_CHECK;
/* No more pictures go in before gm_front_start: all that are held come out. Errors: as push. */
int gm_front_end(struct gm_front *front, struct gm_err *err) GM_MUST_CHECK;
/* The next picture that is ready; NULL: none, now. Borrowed until the next call for this front. */
AVFrame *gm_front_next(struct gm_front *front, int64_t *out_tag);

#endif
