#ifndef GM_MEDIA_PICTURE_BURN_PACK_H
#define GM_MEDIA_PICTURE_BURN_PACK_H

#include "common/buf.h"

/* Pixels of subtitles that are drawn, packed as PackBits does: a byte n below 128 says that n + 1
 * bytes follow as they are; 128 and above that the next byte stands n - 126 times (2 to 129).
 * Pure. */

/* Appends. */
void gm_burn_pack(const uint8_t *pixels, size_t count, struct gm_buf *out);
/* Exactly count pixels into out. Errors: MEDIA_CHUNK (malformed, more or fewer). */
int gm_burn_unpack(const uint8_t *data, size_t size, uint8_t *out, size_t count,
                   struct gm_err *err) GM_MUST_CHECK;

#endif
