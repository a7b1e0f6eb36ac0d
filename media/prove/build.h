#ifndef GM_MEDIA_PROVE_BUILD_H
#define GM_MEDIA_PROVE_BUILD_H

#include "common/buf.h"

/* Names all that makes the bytes of renditions in software, where it can be told: media/'s version,
 * FFmpeg, zimg, and the libraries of the four codecs ("h264-none" for one that is not there):
 * "gm35 FFmpeg-5.1.6 ... x264-164-r3095 ...". Processes with the same text may make parts of one
 * rendition. Appended to out: ASCII, below 400 bytes. Encodes one black picture. Errors: NOMEM;
 * MEDIA: a library that is there did not open, which may be by chance: another process is to try.
 * Call gm_av_init before. Thread: any. */
int gm_media_build(struct gm_buf *out, struct gm_err *err) GM_MUST_CHECK;

#endif
