#ifndef GM_MEDIA_PICTURE_FRONT_SHAPE_H
#define GM_MEDIA_PICTURE_FRONT_SHAPE_H

#include <stdbool.h>

#include <libavutil/frame.h>

#include "media.pb-c.h"

/* The shape that all pictures of a programme are given (inside of media/picture/front.c). Pure. */

/* The part that is shown of pictures of the whole size; width 0: all of every picture. */
struct gm_front_crop {
    int whole_width, whole_height, x, y, width, height;
};

struct gm_front_shape {
    int64_t width, height; /* as shown: upright, square pixels; only their ratio matters */
    bool turned;           /* front_filters swap width and height */
    bool fixed_aspect;     /* `aspect` holds whatever pictures say */
    AVRational aspect;     /* sample aspect */
    struct gm_front_crop crop;
};

/* Bars: the picture lies at x, y of a canvas; all 0: none. Upright px. */
struct gm_front_bars {
    int width, height, x, y;
};

struct gm_front_shape gm_front_shape(const Gm__VideoFacts *facts);
/* Sample aspect of the picture: upright, valid. */
AVRational gm_front_aspect(const struct gm_front_shape *s, const AVFrame *picture);
/* The bars that a picture of width_px x height_px (as decoded) needs. Fewer than 4 columns and
 * rows in all are none: that is rounding. A canvas above 16384 px a side or
 * 8192x4320 px in all is none either: the picture is stretched. */
struct gm_front_bars gm_front_bars(const struct gm_front_shape *s, const AVFrame *picture);

#endif
