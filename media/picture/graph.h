#ifndef GM_MEDIA_PICTURE_GRAPH_H
#define GM_MEDIA_PICTURE_GRAPH_H

#include <libavutil/frame.h>
#include <libavutil/pixfmt.h>

#include "common/err.h"
#include "media/picture/watermark.h"

/* One libavfilter graph, single-threaded: a picture in, one picture an output out, time stamps
 * unchanged. It is built when the first picture comes and again when size, format, colour or sample
 * aspect of the pictures change; the outputs keep their size and format. An output is made from the
 * input, or from an earlier output as that was before its watermark. */
struct gm_graph; /* opaque */

struct gm_graph_output {
    const char *filters; /* libavfilter chain, one in, one out */
    const char *quick;   /* in its place where gm_scaler_takes; NULL, "": none */
    uint32_t parent;     /* 0: made from the input; 1 + k: from output k, which comes before it */
    uint32_t width_px, height_px;         /* 0: any size */
    enum AVPixelFormat format;            /* NONE: any */
    enum AVColorSpace matrix;             /* of the output, for the watermark */
    const struct gm_watermark *watermark; /* borrowed for the graph's life; NULL: none */
};

/* outputs: copied, filters too. timescale: ticks a second of the time stamps.
 * Errors: INVAL (no output, no timescale, a parent that does not come before), NOMEM. */
int gm_graph_create(const struct gm_graph_output *outputs, size_t count, uint32_t timescale,
                    struct gm_graph **out, struct gm_err *err) GM_MUST_CHECK;
void gm_graph_destroy(struct gm_graph **graph);
/* Filters picture, shown at pts. Then each output holds one picture (gm_graph_get).
 * picture: borrowed, not changed. Side data does not go through.
 * Errors: MEDIA  a filter refused, gave no picture, more than one, another size or another time
 *         NOMEM. */
int gm_graph_push(struct gm_graph *graph, const AVFrame *picture, int64_t pts,
                  struct gm_err *err) GM_MUST_CHECK;
/* What output number `output` made of the last picture; its pict_type is NONE. Borrowed until the
 * next push; the caller may change its properties, not its pixels. */
AVFrame *gm_graph_get(struct gm_graph *graph, size_t output);

#endif
