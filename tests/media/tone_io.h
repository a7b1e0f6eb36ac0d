#ifndef GM_TESTS_MEDIA_TONE_IO_H
#define GM_TESTS_MEDIA_TONE_IO_H

#include <stdbool.h>
#include <stdint.h>

/* Files of sound made by a formula: PCM in QuickTime, packets of 1/20 s. Everything aborts on
 * failure. */

/* Sample n (of the file's time line) of a channel, -1 .. 1. */
typedef double (*tone_fn)(int channel, int64_t n, int rate);

struct tone {
    tone_fn fn;                   /* NULL: silence */
    int rate;                     /* 0: 48000 */
    const char *layout;           /* libavutil's name; NULL: stereo */
    int64_t start, count;         /* samples */
    const char *language, *title; /* NULL: none */
    bool not_default;
};
/* path: a new .mov; tracks in the order given. */
void tone_write(const char *path, const struct tone *tones, int count);

double tone_sine(int channel, int64_t n, int rate);  /* 997 Hz, half of full scale, all channels */
double tone_noise(int channel, int64_t n, int rate); /* white, half of full scale; a fixed row */

#endif
