#ifndef GM_MEDIA_FORMAT_NAL_H
#define GM_MEDIA_FORMAT_NAL_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

/* Whether decoding may begin at this keyframe and give every picture after it in decoding order,
 * leading ones (shown before it) left out. H.264: only an IDR picture, since others may be referred
 * across. HEVC: any IRAP picture. Windows Media: none. Other codecs: true. extradata: in force at
 * the packet; tells length-prefixed NAL units (avcC, hvcC) from start codes. Malformed data is not
 * closed. Pure. Source: ITU-T H.264 7.4.1 (nal_unit_type 5), H.265 7.4.2.2 (16..21), ISO/IEC
 * 14496-15 5.3.3.1.
 */
bool gm_nal_is_closed(enum AVCodecID codec, const uint8_t *extradata, size_t extradata_size,
                      const uint8_t *data, size_t size);

/* Whether an H.264 or HEVC packet has a message on film grain, which decoders may add or not; false
 * for other codecs. extradata: as above. Pure. Source: ITU-T H.264 7.3.2.3, D.1, H.265 7.3.2.4,
 * D.2.1 (payloadType 19, film_grain_characteristics, in both). */
bool gm_nal_has_grain(enum AVCodecID codec, const uint8_t *extradata, size_t extradata_size,
                      const uint8_t *data, size_t size);

/* Whether H.264 pictures of these parameter sets may be single fields; true too where that can't be
 * read. extradata: avcC or Annex B. Pure. Source: ITU-T H.264 7.3.2.1.1 (frame_mbs_only_flag),
 * ISO/IEC 14496-15 5.3.3.1. */
bool gm_nal_has_fields(const uint8_t *extradata, size_t extradata_size);

#endif
