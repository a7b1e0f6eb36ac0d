#ifndef GM_MEDIA_PICTURE_SITING_H
#define GM_MEDIA_PICTURE_SITING_H

#include <stddef.h>

#include "common/err.h"
#include "wire.pb-c.h"

/* Where chroma lies in the pictures that the front makes, in libswscale's numbers; NONE: it is as
 * fine as luma in that direction. */
#define GM_SITING_NONE (-513)
struct gm_siting {
    int h, v;
};
struct gm_siting gm_siting(const Gm__VideoFacts *video);
/* The same of those pictures in SDR where a colour table makes them 4:2:0 (media/picture/sdr.h). */
struct gm_siting gm_siting_mapped(struct gm_siting front);
/* A chain of gm_plan_filters or gm_still_filters for pictures that have chroma there. out: size
 * bytes. Errors: LIMIT, BUG (another chain). */
int gm_siting_add(struct gm_siting siting, const char *filters, char *out, size_t size,
                  struct gm_err *err) GM_MUST_CHECK;

#endif
