#ifndef GM_MEDIA_AUDIO_AUDIO_LINE_H
#define GM_MEDIA_AUDIO_AUDIO_LINE_H

#include <libavutil/frame.h>

#include "common/err.h"

/* The sound's time line: decoded frames with source time stamps in, one unbroken run of planar
 * float samples out, whose sample 0 is programme zero.
 *
 * Samples are counted; time stamps correct the count. A late start or a stamp more than 40 ms ahead
 * of the count is filled with silence, one more than 40 ms behind is trimmed, until the overlap is
 * used up. A stamp that is off by at least 1 ms (and two ticks of its time base) counts as well, to
 * the sample, if it steps there at once and the next eight frames follow it: within two ticks, or
 * within a tenth of the step, at most 1 ms, as stamps do that were rounded to milliseconds once.
 * What is less, or jumps about, is jitter and ignored.
 * Stamps that wander off are followed: when the median of those of a second is off by more than
 * 15 ms, and three quarters of them by more than 12 ms to that side, the sound is stretched or
 * shortened by 1/500 until it has gone as far; when the median is more than 20 ms, it is moved
 * there at once. So sound stays within 22 ms of stamps that drift by up to 1/1000. What lies before
 * zero is cut. A frame without a stamp follows the one before, be that one kept or not. A stamp
 * more than 10 s away counts only if the next frame agrees with it. Rate, format and layout may
 * change at any frame.
 */
struct gm_audio_line; /* opaque */

/* planes: one array of count samples a channel, borrowed for the call; NULL: silence. */
typedef int (*gm_audio_sink_fn)(const float *const *planes, size_t count, void *arg,
                                struct gm_err *err);

struct gm_audio_line_params {
    uint32_t sample_rate; /* of the output */
    uint32_t channels;    /* of the output: 1, 2 or 6 (audio_mix.h) */
    AVRational time_base; /* of the frames' pts */
    int64_t zero_num;     /* programme zero in seconds of source time: num / den */
    int64_t zero_den;
    int64_t max_samples; /* stamps beyond are not believed */
    gm_audio_sink_fn sink;
    void *arg;
};
struct gm_audio_line_counts {
    int64_t gaps;      /* silences inserted after the start */
    int64_t overlaps;  /* frames trimmed or dropped after the start */
    int64_t bad_times; /* stamps not believed */
    int64_t stretches; /* times that sound was stretched or shortened to follow its stamps */
    int64_t stretched; /* samples of the output that came of it */
    int64_t frames;    /* decoded frames taken */
    int64_t samples;   /* given to sink so far */
};

/* Errors: INVAL, NOMEM. */
int gm_audio_line_create(const struct gm_audio_line_params *params, struct gm_audio_line **out,
                         struct gm_err *err) GM_MUST_CHECK;
/* frame: borrowed; pts may be AV_NOPTS_VALUE. Errors: MEDIA (the format can't be converted), NOMEM,
 * the sink's. */
int gm_audio_line_frame(struct gm_audio_line *line, const AVFrame *frame,
                        struct gm_err *err) GM_MUST_CHECK;
/* Empties the converter and fills with silence up to end samples, if there are fewer. */
int gm_audio_line_end(struct gm_audio_line *line, int64_t end, struct gm_err *err) GM_MUST_CHECK;
struct gm_audio_line_counts gm_audio_line_counts(const struct gm_audio_line *line);
void gm_audio_line_destroy(struct gm_audio_line **line);

#endif
