#ifndef GM_MEDIA_VUI_H
#define GM_MEDIA_VUI_H

#include <libavutil/rational.h>

#include "common/buf.h"

/* x264 writes its time base into the timing fields of the VUI, which players read as a frame rate
 * of tens of thousands. Copies Annex B parameter sets with those fields saying `rate` frames a
 * second: constant rate, or the highest of a variable one (ITU-T H.264 E.2.1: time_scale is twice
 * that, num_units_in_tick 1). Nothing else changes, so slices decode alike with both.
 * rate: > 0. out: appended to. Errors: MEDIA, NOMEM.
 */
int gm_vui_set_rate(const uint8_t *extradata, size_t size, AVRational rate, struct gm_buf *out,
                    struct gm_err *err) GM_MUST_CHECK;

#endif
