#ifndef GM_MEDIA_FRONT_H
#define GM_MEDIA_FRONT_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "media.pb-c.h"

/* What is done once to every decoded picture, before the ladder and the tiles: it gets the colour
 * tags that it lacks (media/colour.h), then goes through Policy.front_filters (upright, and so on).
 * One thread, exact on every processor. */
struct gm_front; /* opaque */

/* policy: borrowed for its life; facts: for the call. Errors: NOMEM, INVAL. */
int gm_front_create(const Gm__Policy *policy, const Gm__VideoFacts *facts, struct gm_front **out,
                    struct gm_err *err) GM_MUST_CHECK;
void gm_front_destroy(struct gm_front **front);
/* picture: borrowed, not changed; shown at pts (Policy.timescale). *out: the picture that the
 * ladder and the tiles are made from; borrowed until the next push. Errors: MEDIA, NOMEM. */
int gm_front_push(struct gm_front *front, const AVFrame *picture, int64_t pts, const AVFrame **out,
                  struct gm_err *err) GM_MUST_CHECK;

#endif
