#ifndef GM_TESTS_MEDIA_CHUNK_IO_H
#define GM_TESTS_MEDIA_CHUNK_IO_H

#include <stdbool.h>

#include <libavcodec/avcodec.h>

#include "media.pb-c.h"

/* Clips for the tests of media/: made by an encoder or read from a file, decoded whole for
 * reference, and cut into chunk objects. Everything aborts on failure. */
struct clip_frame {
    uint64_t id; /* packet */
    uint8_t sha256[32];
};
struct clip {
    AVCodecParameters *par;
    AVRational time_base;
    AVPacket **packets; /* their position is their id */
    size_t packet_count;
    struct clip_frame *frames; /* as decoded in one go */
    size_t frame_count;
};

/* A picture full of detail that moves with i. Owned. */
AVFrame *clip_picture(int width, int height, enum AVPixelFormat format, int i);
/* encoder: libavcodec's name; options: "key=value,key=value". With "a53cc=1" two of three frames
 * have caption data, no two the same. */
struct clip *clip_make(const char *encoder, const char *options, int frames);
/* The same in another size and format; clip_make's are 96x80, yuv420p. */
struct clip *clip_make_sized(const char *encoder, const char *options, int frames, int width,
                             int height, enum AVPixelFormat format);
struct clip *clip_load(const char *path);
/* Writes the clip as a file of the format that the path's ending names. */
void clip_mux(const struct clip *clip, const char *path);
void clip_free(struct clip **clip);

#define CLIP_PATH_MAX 64
/* The source of a program's tests, made once. */
struct clip_source {
    struct clip *clip;
    char path[CLIP_PATH_MAX]; /* an mp4 file in a folder of its own below /tmp */
};
/* By libx264. */
void clip_source_make(const char *options, int frames);
/* File and folder go too. As cmocka's group tear-down; state is not used. */
int clip_source_remove(void **state);
const struct clip_source *clip_source(void);

/* Fills frames anew from the packets as they are. */
void clip_decode(struct clip *clip);
void clip_hash(const AVFrame *frame, uint8_t out[32]);

struct clip_cut {
    size_t first, end; /* frames */
    size_t context;    /* so many frames on either side besides, as far as there are */
    uint32_t index;
    bool last;
    int keys_back;    /* so many more keyframes of lead-in; -1: all packets from the first */
    bool change;      /* a parameter change (to the same ones) before the last keyframe */
    int reference_fd; /* > 0: packets lie there one after the other, the chunk refers to them */
    void (*edit)(Gm__ChunkHeader *header, void *arg); /* may be NULL */
    void *arg;
};
/* A chunk object of those frames: one segment, a GOP every gop frames; times are 512 ticks a
 * frame. Returns a descriptor. */
int clip_cut(const struct clip *clip, const struct clip_cut *cut);
/* Writes all packets' bodies one after the other; returns a descriptor. */
int clip_write(const struct clip *clip);

#define CLIP_TICKS 512
#define CLIP_GOP 5

#endif
