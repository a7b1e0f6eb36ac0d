#ifndef GM_MEDIA_JPEG_H
#define GM_MEDIA_JPEG_H

#include <libavutil/frame.h>

#include "common/buf.h"

#define GM_JPEG_MAX_SIDE 65500 /* libavcodec's limit */

/* Appends a baseline JPEG to out: the same bytes on every machine.
 *
 * picture: yuvj420p, sides 1..GM_JPEG_MAX_SIDE px; borrowed
 * quality: libavcodec's scale, 1 (best) .. 31
 * Errors:  INVAL, MEDIA, NOMEM; out then holds what it held. */
int gm_jpeg_encode(const AVFrame *picture, int quality, struct gm_buf *out,
                   struct gm_err *err) GM_MUST_CHECK;

#endif
