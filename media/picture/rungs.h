#ifndef GM_MEDIA_PICTURE_RUNGS_H
#define GM_MEDIA_PICTURE_RUNGS_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "media.pb-c.h"

/* Pictures of all renditions from the front's (media/picture/front.h): those that keep the source's
 * light (HDR, wide gamut) are made from it as it is, all others from it in SDR
 * (media/picture/sdr.h); each group by one filter graph (media/picture/graph.h), watermarks
 * included. */
struct gm_rungs; /* opaque */

/* policy, pipeline (for the images of watermarks): borrowed for its life.
 * Errors: CONFIG, INVAL, NOMEM. */
int gm_rungs_create(const Gm__Policy *policy, const Gm__Pipeline *pipeline, struct gm_rungs **out,
                    struct gm_err *err) GM_MUST_CHECK;
void gm_rungs_destroy(struct gm_rungs **rungs);
/* Makes every rendition's picture, shown at pts (Policy.timescale). picture: borrowed until the
 * next push. Errors: MEDIA, NOMEM. */
int gm_rungs_push(struct gm_rungs *rungs, const AVFrame *picture, int64_t pts,
                  struct gm_err *err) GM_MUST_CHECK;
/* The picture of the next gm_rungs_sdr, where no rendition is made of it here. Borrowed likewise.
 */
void gm_rungs_show(struct gm_rungs *rungs, const AVFrame *picture, int64_t pts);
/* As gm_graph_get. rendition: position in the policy. */
AVFrame *gm_rungs_get(struct gm_rungs *rungs, size_t rendition);
/* The last picture in SDR, for tiles: made when it is first asked for; the same picture where
 * nothing is to be mapped. Borrowed until the next push. Errors: MEDIA, NOMEM. */
int gm_rungs_sdr(struct gm_rungs *rungs, const AVFrame **out, struct gm_err *err) GM_MUST_CHECK;

#endif
