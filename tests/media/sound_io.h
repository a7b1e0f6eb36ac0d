#ifndef GM_TESTS_MEDIA_SOUND_IO_H
#define GM_TESTS_MEDIA_SOUND_IO_H

#include "media/task_io.h"

/* Feeds the audio task from sound made up by a test and keeps what it announces, in memory. */

#define SOUND_RATE 48000
#define SOUND_TIMESCALE 12800
#define SOUND_MAX_SEGMENTS 64
#define SOUND_BROKEN INT16_MIN

struct sound_packet {
    int64_t pts;   /* samples of source time */
    int count;     /* samples */
    int16_t level; /* all of them; 0x7fff: a 1 kHz sine instead; SOUND_BROKEN: does not decode */
};
struct sound_params {
    const struct sound_packet *packets;
    size_t packet_count;
    const int64_t *borders; /* SOUND_TIMESCALE */
    size_t border_count;
    int64_t end_ts; /* programme end, SOUND_TIMESCALE */
    size_t chunks;  /* packets and borders are spread over so many */
    uint32_t skip_items;
    bool opus; /* instead of AAC */
    uint32_t
        channels; /* of source and track: 1, 2 or 6; 0: 2. A sine has 1 kHz + 300 Hz a channel */
};
struct sound_segment {
    char name[64];
    uint8_t *data; /* owned */
    size_t size;
    uint32_t item;
    bool last_item;
    uint32_t number, samples;
    int64_t start_ts, duration_ts;
};
struct sound_run {
    struct sound_segment segments[SOUND_MAX_SEGMENTS];
    size_t count;
    uint32_t items;
    int64_t samples; /* AudioMeta */
    char warnings[256];
    Gm__AudioParams params; /* of the track; strings are static */
    uint32_t priming;
    uint8_t config[64]; /* AudioSpecificConfig or OpusHead */
    size_t config_size;
    struct gm_err err;
};

/* Runs the audio task; returns its rc. */
int sound_run(const struct sound_params *params, struct sound_run *out);
void sound_run_fini(struct sound_run *run);
/* All frames of the run decoded: one channel, priming included. *out: owned. */
size_t sound_decode(const struct sound_run *run, int channel, float **out);

#endif
