#ifndef GM_MEDIA_FORMAT_VUI_H
#define GM_MEDIA_FORMAT_VUI_H

#include <libavcodec/codec_id.h>
#include <libavutil/rational.h>

#include "common/buf.h"

/* x264 writes its time base into the timing fields of the VUI, which players read as a frame rate
 * of tens of thousands. Copies Annex B parameter sets with those fields saying `rate` frames a
 * second: constant rate, or the highest of a variable one (H.264: time_scale is twice that, ITU-T
 * H.264 E.2.1; HEVC: VPS and VUI, ITU-T H.265 E.3.1). Nothing else changes, so slices decode alike
 * with both. Headers of codecs that say no rate are copied as they are.
 * codec: its row in media/format/bitstream.h. rate: > 0. out: appended to. Errors: MEDIA, NOMEM.
 */
int gm_vui_set_rate(enum AVCodecID codec, const uint8_t *headers, size_t size, AVRational rate,
                    struct gm_buf *out, struct gm_err *err) GM_MUST_CHECK;

#endif
