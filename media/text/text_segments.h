#ifndef GM_MEDIA_TEXT_TEXT_SEGMENTS_H
#define GM_MEDIA_TEXT_TEXT_SEGMENTS_H

#include "media/task_io.h"
#include "media/text/cues.h"

/* Cues in, WebVTT segment files and announced items out: a segment for each of the video, with all
 * cues that show during it (one that crosses a border lies in each, with its own times), empty ones
 * included. What shows before the first border belongs to the first segment, what shows after the
 * end to the last. */
#define GM_TEXT_ITEM_SEGMENTS 64u
#define GM_TEXT_MAX_SHOWN 256u               /* cues of a segment that began in one before */
#define GM_TEXT_SEGMENT_BYTES (256u * 1024u) /* more is left out */

struct gm_text_segments_params {
    struct gm_task_io *io; /* borrowed */
    const char *track;     /* path is text/<track>/<file>; borrowed */
    uint32_t track_index;
    uint32_t timescale; /* of borders and end */
    const int64_t *borders;
    size_t border_count; /* at least 1; ascending */
    int64_t end_ts;      /* above the last border */
    uint32_t skip_items; /* announced by an earlier attempt: neither written nor announced */
};
/* cues: finished. *out_left_out: how often a cue was left out of a segment that was full.
 * Errors: NOMEM, the io's. */
int gm_text_segments_write(const struct gm_text_segments_params *params, const struct gm_cues *cues,
                           int64_t *out_left_out, struct gm_err *err) GM_MUST_CHECK;

#endif
