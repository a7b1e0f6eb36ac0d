#ifndef GM_TESTS_MEDIA_WINDOW_IO_H
#define GM_TESTS_MEDIA_WINDOW_IO_H

#include <stdint.h>

/* Puts into a file what no muxer here writes: which part of its picture is to be shown. The files
 * are as libavformat writes them. Everything aborts on failure. */

/* MP4 with its index at the end, one sample entry avc1: the clean aperture, as the box has it.
 * pasp_gone: the entry's pasp box goes by another name. */
void window_put_clap(const char *from, const char *to, const uint32_t clap[8], int pasp_gone);
/* Matroska, written with live=1 and write_crc32=0: PixelCropLeft, Top, Right and Bottom of the
 * first video track. */
void window_put_crop(const char *from, const char *to, const uint32_t crop[4]);

#endif
