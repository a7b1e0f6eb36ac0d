#ifndef GM_TESTS_MEDIA_SOURCE_IO_H
#define GM_TESTS_MEDIA_SOURCE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A small source file, made by libavformat: moving bars as MPEG-4 video, a sine as PCM. */
struct source_params {
    int width_px, height_px;
    int rate_num, rate_den;
    int frames;
    int sound_ms; /* 0: no sound */
    /* SubRip tracks, in Matroska; languages eng, ger, und, und ... */
    const struct source_text *texts;
    size_t text_count;
    int text_tracks;
    int text_burst; /* so many more cues in track 0, one each ms from 0 on, of 1 ms */
    /* A track of PGS subtitles in Matroska, language eng: an opaque white box of SOURCE_BOX_*, on a
     * canvas as large as the picture. */
    const struct source_box *boxes;
    size_t box_count;
    bool boxes_last; /* behind all else in the file */
    bool chapters;   /* "One" from 0 to 1 s, "" from there to 1000 s */
};
#define SOURCE_BOX_X 8
#define SOURCE_BOX_Y 16
#define SOURCE_BOX_W 16
#define SOURCE_BOX_H 8
struct source_box {
    int64_t at_ms;
    bool shows; /* else the screen is cleared */
};
struct source_text {
    int track;
    int64_t start_ms, duration_ms;
    const char *text;
};
/* path: a new file; its ending chooses the container (mov). Aborts on failure. */
void source_make(const char *path, const struct source_params *params);

#endif
