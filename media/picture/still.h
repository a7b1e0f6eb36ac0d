#ifndef GM_MEDIA_PICTURE_STILL_H
#define GM_MEDIA_PICTURE_STILL_H

#include <libavutil/frame.h>

#include "common/buf.h"

/* Pictures as JPEG or WebP files: posters and sprite sheets. */
struct gm_still {
    const char *name;                  /* "jpeg": ThumbnailsParams.format */
    const char *ext;                   /* "jpg" */
    const char *mime;                  /* "image/jpeg" */
    const char *codec;                 /* of HLS's CODECS: "jpeg" */
    enum AVPixelFormat format;         /* what it is made from: matrix ITU-R BT.601 ... */
    const char *range;                 /* ... in these levels, by libswscale's name */
    uint8_t black;                     /* luma of black in that range */
    uint32_t max_side;                 /* px */
    int poster_quality, sheet_quality; /* of gm_still_encode */
};
/* name: "" or NULL: JPEG. NULL: no such format. */
const struct gm_still *gm_still_find(const char *name);

/* The libavfilter chain from a picture that says its matrix and range to one of width x height that
 * is fit for the format. Source: JFIF 1.02 (full range BT.601); RFC 6386 9.2 (limited BT.601). */
#define GM_STILL_FILTERS_SIZE 256
int gm_still_filters(const struct gm_still *still, uint32_t width_px, uint32_t height_px,
                     char out[GM_STILL_FILTERS_SIZE], struct gm_err *err) GM_MUST_CHECK;
/* Appends a file to out: the same bytes on every machine.
 *
 * picture: still->format, sides 1..still->max_side px; borrowed
 * quality: 1..100 (best)
 * Errors:  INVAL, MEDIA, NOMEM; out then holds what it held. */
int gm_still_encode(const struct gm_still *still, const AVFrame *picture, int quality,
                    struct gm_buf *out, struct gm_err *err) GM_MUST_CHECK;

#endif
