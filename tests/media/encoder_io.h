#ifndef GM_TESTS_MEDIA_ENCODER_IO_H
#define GM_TESTS_MEDIA_ENCODER_IO_H

#include "media/encode/encoder.h"

/* What the tests of encoders give them: pictures of 160x96 (clip_picture), 30 a second. */
#define WIDTH 160
#define HEIGHT 96
#define TIMESCALE 15360
#define TICKS 512 /* of a picture */
#define FRAMES 26

/* Where keyframes are forced. Uneven on purpose: one picture alone, a long GOP, a key at the very
 * end. */
bool encoder_io_is_key(int64_t frame);

/* A rendition of H.264 or another codec, 8 or 10 bits; with crf under a cap of 300 kbit/s. In
 * a copy r.encode is to be set anew. */
struct set {
    Gm__Rendition r;
    Gm__EncodeParams p;
    Gm__VideoFacts f;
};
/* crf, qp: one of them -1. codec: borrowed. */
void set_init(struct set *s, const char *codec, bool deep, int crf, int qp);

#endif
