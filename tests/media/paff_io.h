#ifndef GM_TESTS_MEDIA_PAFF_IO_H
#define GM_TESTS_MEDIA_PAFF_IO_H

#include <stdbool.h>
#include <stdint.h>

/* H.264 with pictures that are fields (PAFF), which no encoder here makes: written bit by bit, Main
 * profile, CAVLC, of skipped and PCM macroblocks alone, so that what a decoder must give is known
 * to the last sample. 96x96, 4:2:0, 25 frames a second: a still ground, a box that moves from field
 * to field, and the field's number in black and white.
 *
 * Source: ITU-T H.264 (08/2021) 7.3 (syntax), 8.2.1 (picture order), 8.2.4 (reference lists),
 * 8.4.1.1 and 8.4.1.2.2 (skipped macroblocks).
 */
#define PAFF_SIDE 96
#define PAFF_BYTES (PAFF_SIDE * PAFF_SIDE * 3 / 2)

struct paff_params {
    int frames;
    int gop_frames;    /* an I picture each so many; a multiple of 3 with `open` */
    int frame_every;   /* each so many-th frame is one frame picture; 0: none; 1: all */
    int first_field;   /* frames before this one are frame pictures, whatever frame_every says */
    int end_fields;    /* and those from this one on; 0: none */
    int lone;          /* this frame's second field is left out; 0: none is */
    bool bottom_first; /* else the top field is the first */
    bool mbaff;        /* frame pictures have macroblock pairs that are fields or not */
    bool open;         /* two B pictures before each anchor; only the first I picture is an IDR */
    bool split;        /* a packet is a field or a frame picture; else it is always a frame */
    int cut;           /* the frames before this one in decoding order are left out */
};

/* path: a new file; its ending chooses the container (h264: none). Aborts on failure. */
void paff_make(const char *path, const struct paff_params *params);
/* Frame number `frame` in order of output: planes Y, Cb, Cr without padding. */
void paff_picture(const struct paff_params *params, int frame, uint8_t out[PAFF_BYTES]);

#endif
