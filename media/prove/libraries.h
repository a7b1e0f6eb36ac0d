#ifndef GM_MEDIA_PROVE_LIBRARIES_H
#define GM_MEDIA_PROVE_LIBRARIES_H

#include <stddef.h>

/* The libraries that media work is done with, by what those that are loaded say of themselves. */
#define GM_LIBRARIES_MAX 16
struct gm_library {
    char name[24];    /* "libavcodec", "x265" */
    char version[64]; /* "59.37.100"; as it comes from the library, cut where it is too long */
};
/* In a fixed order, without those that tell nothing; of x264 its first picture alone tells
 * (gm_encoder_build). Returns their number. Thread: any. */
size_t gm_libraries_find(struct gm_library out[GM_LIBRARIES_MAX]);

#endif
