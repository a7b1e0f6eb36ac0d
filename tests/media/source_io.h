#ifndef GM_TESTS_MEDIA_SOURCE_IO_H
#define GM_TESTS_MEDIA_SOURCE_IO_H

/* A small source file, made by libavformat: moving bars as MPEG-4 video, a sine as PCM. */
struct source_params {
    int width_px, height_px;
    int rate_num, rate_den;
    int frames;
    int sound_ms; /* 0: no sound */
};
/* path: a new file; its ending chooses the container (mov). Aborts on failure. */
void source_make(const char *path, const struct source_params *params);

#endif
