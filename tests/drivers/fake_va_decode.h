/* What the fake VA driver's decoders share. A picture is decoded when it ends, by a libavcodec that
 * is given the slices as they are, behind parameter sets that are written from the application's
 * parameter buffers, where the codec has some. */
#ifndef GM_TESTS_DRIVERS_FAKE_VA_DECODE_H
#define GM_TESTS_DRIVERS_FAKE_VA_DECODE_H

#include "fake_va.h"

#define FAKE_VA_SLICES 64  /* of a picture */
#define FAKE_VA_SETS 3     /* kinds of parameter sets */
#define FAKE_VA_SET 512    /* bytes of one, as a NAL unit with its start code */
#define FAKE_VA_MATRIX 512 /* bytes of the application's scaling matrices */

struct fake_va_decode;

struct fake_va_decode_kind {
    const char *name;    /* of the profile's lines */
    const char *decoder; /* libavcodec's; NULL: of that name */
    size_t picture_size; /* of the application's buffers, in bytes */
    size_t slice_size;
    bool first_picture; /* what libavcodec takes memory for first is the picture; else last */
    bool given;         /* what it gives out is the picture, of each packet */
    /* The picture's sets and slices, through fake_va_decode_set and fake_va_decode_nal. */
    VAStatus (*make)(struct fake_va_decode *d);
};

struct fake_va_bytes {
    uint8_t *data; /* owned */
    size_t size, room;
};

struct fake_va_av1; /* fake_va_decode_av1.c */

struct fake_va_decode {
    const struct fake_va_decode_kind *kind;
    struct fake_va_av1 *av1; /* owned; of AV1 alone */
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *current; /* what the codec decoded into */
    AVFrame *shown;   /* thrown away */
    void *picture;    /* owned, as are the slices: the application's buffers */
    void *slices;
    uint8_t matrix[FAKE_VA_MATRIX];
    size_t matrix_size; /* 0: none came */
    bool has_picture;
    unsigned slice_count, with_data;
    struct {
        size_t at, size;
    } slice[FAKE_VA_SLICES];   /* in data, without start codes */
    struct fake_va_bytes data; /* of the slices */
    struct fake_va_bytes made; /* the packet */
    struct {
        uint8_t data[FAKE_VA_SET];
        size_t size;
    } sets[FAKE_VA_SETS]; /* as given last */
    int64_t count;
};

/* Appends. false: out of memory. */
bool fake_va_decode_append(struct fake_va_bytes *to, const void *data, size_t size);
/* Appends a parameter set where it is another than last time, which makes all behind it new ones.
 * head: of the NAL unit; payload: without emulation prevention. false: no room. */
bool fake_va_decode_set(struct fake_va_decode *d, int set, const uint8_t *head, size_t head_size,
                        const uint8_t *payload, size_t size);

extern const struct fake_va_decode_kind fake_va_decode_h264, fake_va_decode_hevc,
    fake_va_decode_av1;

struct fake_va_av1 *fake_va_av1_open(void);      /* NULL: out of memory */
void fake_va_av1_close(struct fake_va_av1 *av1); /* NULL is fine */

#endif
