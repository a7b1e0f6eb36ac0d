#ifndef GM_MEDIA_PICTURE_PLANNED_H
#define GM_MEDIA_PICTURE_PLANNED_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "media/picture/colour.h"

/* What the ladders of devices (cuda_ladder.h, va_ladder.h) have in common: which decoded pictures
 * are the plan's, and what a rendition's pictures say of themselves. */
struct gm_planned {
    int width_px, height_px; /* as decoded */
    enum AVPixelFormat format;
    struct gm_colour colour;
    AVRational aspect;
    bool fixed_aspect; /* whatever pictures say */
};

struct gm_planned gm_planned_of(const Gm__VideoFacts *facts);
/* Whether a picture, in memory or on a device, is of the facts' size, format, shape and colour.
 * *out_why: NULL, or a static half sentence. Errors: NOMEM. */
int gm_planned_look(const struct gm_planned *planned, const AVFrame *picture, const char **out_why,
                    struct gm_err *err) GM_MUST_CHECK;
/* A picture of a rendition with that colour, shown at pts. */
void gm_planned_tell(struct gm_colour colour, int64_t pts, AVFrame *picture);

#endif
