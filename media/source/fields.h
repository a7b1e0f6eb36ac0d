#ifndef GM_MEDIA_SOURCE_FIELDS_H
#define GM_MEDIA_SOURCE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include <libavutil/frame.h>

#include "common/err.h"

/* Whether pictures hold two fields of different times, by their content: flags are often wrong both
 * ways. Integer arithmetic on at most 256 columns of the first component.
 *
 * Every picture but the first and the last of a stretch is judged where it moves. A line lies
 * between two of the other field. If the fields are of one time, the line fits there better than
 * the same line of the picture before or after. If not, it fits no better than the nearer of these
 * two, and which is nearer tells the order. Still pictures tell nothing.
 * Source: the idea of FFmpeg's vf_idet and of inverse telecine filters; own measure. */
struct gm_fields {
    uint8_t *sampled[3]; /* owned: oldest first; lines of `columns` bytes */
    size_t count, columns, lines;
    int format;
    int64_t progressive, top_first, bottom_first, unclear, still; /* pictures */
};
/* All-zero is empty. */
void gm_fields_fini(struct gm_fields *f);
/* The next picture does not follow the one before. */
void gm_fields_cut(struct gm_fields *f);
/* The next picture in output order; one of another size or format begins a stretch by itself.
 * Pictures of fewer than 240 lines and formats without lines of samples (paletted, bitstream, above
 * 16 bits) are passed over.
 * Errors: NOMEM. */
int gm_fields_push(struct gm_fields *f, const AVFrame *picture, struct gm_err *err) GM_MUST_CHECK;
/* False: too few moving pictures to tell. Interlaced: a quarter of the judged ones or more, with
 * one field first in most of these. */
bool gm_fields_judge(const struct gm_fields *f, bool *out_interlaced, bool *out_top_first);

#endif
