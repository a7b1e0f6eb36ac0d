#ifndef GM_COMMON_IMAGE_HEADER_H
#define GM_COMMON_IMAGE_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* What the first bytes of an image file say of it. Nothing is decompressed: who asks need not be
 * sandboxed. A file that passes may still be damaged further on. */
enum gm_image_kind { GM_IMAGE_PNG, GM_IMAGE_JPEG, GM_IMAGE_WEBP };

#define GM_IMAGE_MAX_PIXELS (16 * 1000 * 1000)
#define GM_IMAGE_MAX_SIDE 16384 /* px */

struct gm_image_header {
    enum gm_image_kind kind;
    uint32_t width_px, height_px; /* as stored: an EXIF rotation is not applied */
};

/* data: size bytes, the whole file. Thread: any.
 * Errors: BAD_IMAGE  no PNG, JPEG or WebP; cut off; animated; no pixels, more than
 *                    GM_IMAGE_MAX_PIXELS of them, or a side over GM_IMAGE_MAX_SIDE.
 * Source: W3C PNG third edition 5 and 11.2.1; ITU-T T.81 annex B; RFC 9649 (WebP) 2 and 3, RFC 6386
 * 9.1. */
int gm_image_header_read(const uint8_t *data, size_t size, struct gm_image_header *out,
                         struct gm_err *err) GM_MUST_CHECK;

#endif
