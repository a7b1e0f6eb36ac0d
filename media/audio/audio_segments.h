#ifndef GM_MEDIA_AUDIO_AUDIO_SEGMENTS_H
#define GM_MEDIA_AUDIO_AUDIO_SEGMENTS_H

#include "media/task_io.h"

/* Encoded frames in, finished segment files and announced items out.
 *
 * Frame i starts at presentation time i * frame_samples - priming (sample_rate); the first segment
 * starts at 0. A segment ends before the first frame that starts at or after the next video border;
 * a border that would leave a segment empty is passed over. Sound that goes on after the last
 * border is cut every 6 s. Items hold GM_AUDIO_ITEM_SEGMENTS segments (the last one what is left),
 * so the files and items follow from frames and borders alone, not from when they came.
 */
#define GM_AUDIO_ITEM_SEGMENTS 5U

struct gm_audio_segments; /* opaque */

struct gm_audio_segments_params {
    struct gm_task_io *io; /* borrowed */
    const char *track;     /* path is audio/<track>/<file>; borrowed */
    uint32_t track_index;
    uint32_t sample_rate, priming_samples, frame_samples;
    uint32_t timescale;  /* of the borders */
    uint32_t skip_items; /* announced by an earlier attempt: neither written nor announced */
};

int gm_audio_segments_create(const struct gm_audio_segments_params *params,
                             struct gm_audio_segments **out, struct gm_err *err) GM_MUST_CHECK;
/* Starts of video segments, ascending, following those given before. The first of all is not a
 * border for sound. Errors: MEDIA_CHUNK (not ascending), NOMEM, the io's. */
int gm_audio_segments_borders(struct gm_audio_segments *s, const int64_t *starts_ts, size_t count,
                              struct gm_err *err) GM_MUST_CHECK;
int gm_audio_segments_frame(struct gm_audio_segments *s, const void *data, size_t size,
                            struct gm_err *err) GM_MUST_CHECK;
/* Writes and announces what is left; there must have been a frame. No more borders will come.
 * end_ts: presentation time (sample_rate) at which the sound ends: the last frame's duration is cut
 * to it, and frames that start no earlier are left out. */
int gm_audio_segments_end(struct gm_audio_segments *s, int64_t end_ts,
                          struct gm_err *err) GM_MUST_CHECK;
int64_t gm_audio_segments_frames(const struct gm_audio_segments *s); /* taken so far */
void gm_audio_segments_destroy(struct gm_audio_segments **s);

#endif
