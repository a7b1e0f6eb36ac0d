#ifndef GM_TESTS_MEDIA_MOVIE_IO_H
#define GM_TESTS_MEDIA_MOVIE_IO_H

#include "media/chunk_io.h"

/* Puts a generated clip into a container file, so that tests have sources without any downloads.
 * Everything aborts on failure. */
struct movie_text { /* a packet */
    int64_t at_ms, duration_ms;
    const void *data;
    int size;
};
struct movie {
    const char *format; /* libavformat's name: mp4, matroska, mpegts, avi */
    bool sound;         /* a PCM stream of the clip's length */
    int turn_deg;       /* clockwise turn by display matrix, where the format has one */
    size_t skip;        /* packets left out at the start */
    size_t sound_less;  /* the sound ends so many frames before the pictures */
    int sound_gap_s;    /* in the middle of the sound: what follows comes so much later */
    bool apart;         /* the pictures first, then all sound */
    bool index_first;   /* of mov and mp4 */
    bool fragmented;    /* the same: a fragment a second, and no index */
    bool no_edits;      /* the same: all that is there is shown */
    AVRational aspect;  /* of a sample; 0/0: not said */
    /* A stream of text or captions; its packets come before all others. */
    enum AVCodecID text_codec; /* AV_CODEC_ID_NONE: there is none */
    const struct movie_text *texts;
    size_t text_count;
};
/* Writes below a temporary folder; out: its path. */
void movie_write(const struct clip *clip, const struct movie *movie, char out[4096]);
/* Removes the file and its folder. */
void movie_remove(const char *path);

#endif
