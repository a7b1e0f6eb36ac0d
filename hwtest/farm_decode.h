#ifndef GM_HWTEST_FARM_DECODE_H
#define GM_HWTEST_FARM_DECODE_H

#include "hwtest/clip.h"

/* A device's decoder as tasks have it (media/decode/device_decoder.h), not libavcodec's. Thread:
 * one at a time an object; may hang or crash with a device's driver. */
/* Whether such a decoder takes what the farm makes of that codec and depth, where the chip has it;
 * Blackwell's H.264 in 10 bits it leaves to software. api: "nvdec", "vaapi", or another, which has
 * none. Pure. */
bool gm_hwtest_farm_decodes(const char *api, const char *codec, uint32_t depth);
/* The profile of what software encodes for the clip, which only the stream itself tells. Pure. */
int gm_hwtest_farm_profile(const char *codec, uint32_t depth);
/* The stream through the decoder of the device, its pictures brought to memory. id: as
 * gm_device_decoder_hold's. out: all-zero; fini in any case. Errors: MEDIA the clip is none for it;
 * MEDIA_VERIFY it gave up, said that a picture is damaged, or more came out than went in; of
 * gm_device_decoder_hold; NOMEM. */
int gm_hwtest_farm_decode(const char *api, const char *id, const char *codec, uint32_t depth,
                          const struct gm_hwtest_stream *stream, struct gm_hwtest_pictures *out,
                          struct gm_err *err) GM_MUST_CHECK;

#endif
