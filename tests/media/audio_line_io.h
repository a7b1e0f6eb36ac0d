#ifndef GM_TESTS_MEDIA_AUDIO_LINE_IO_H
#define GM_TESTS_MEDIA_AUDIO_LINE_IO_H

#include "media/audio/audio_line.h"

/* Frames of a constant level into a line, so that every output sample says which frame it came
 * from. Everything fails the running test where it fails. */
#define RATE 48000
#define MAX_OUT (4 * RATE)

/* A line's output, the left channel; silence is 0. */
struct heard {
    float *left; /* owned: MAX_OUT */
    size_t count;
};
/* gm_audio_line_params.sink, arg a struct heard. */
int line_hear(const float *const *planes, size_t count, void *arg, struct gm_err *err);

/* Owned. */
AVFrame *line_frame(int rate, int channels, int count, int64_t pts, float level);
/* Two channels. */
void line_give(struct gm_audio_line *line, int rate, int count, int64_t pts, float level);

#endif
