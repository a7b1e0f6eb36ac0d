#ifndef GM_MEDIA_FORMAT_BITSTREAM_NAL_H
#define GM_MEDIA_FORMAT_BITSTREAM_NAL_H

#include "media/format/bitstream.h"

/* What the files bitstream_*.c share. Private to them, nal.c, the encoders and their
 * tests. */
extern const struct gm_bitstream gm_bitstream_h264;
extern const struct gm_bitstream gm_bitstream_hevc;
extern const struct gm_bitstream gm_bitstream_av1;
extern const struct gm_bitstream gm_bitstream_vp9;

#define GM_AV1_CONFIG_FIXED 4 /* bytes of av1C before its OBUs */

/* The next NAL unit of an Annex B stream: *io_at is moved behind it. False: no more. The unit has
 * no start code and no trailing zero bytes; it may be empty. Source: ITU-T H.264 annex B. */
bool gm_nal_next(const uint8_t *data, size_t size, size_t *io_at, const uint8_t **out_nal,
                 size_t *out_size);
/* The next NAL unit of a sample with lengths of 4 bytes: 1, 0 at the end, -1 when malformed. */
int gm_nal_next_prefixed(const uint8_t *data, size_t size, size_t *io_at, const uint8_t **out_nal,
                         size_t *out_size);

/* Bits being read, first bit highest. Past the end zeros come, and `over` is set. */
struct gm_bits {
    const uint8_t *data; /* borrowed */
    size_t bit, bits;
    bool over;
};
uint32_t gm_bits_take(struct gm_bits *b, unsigned count); /* 0..32 */
/* Exp-Golomb code of at most 31 leading zeros. */
uint32_t gm_bits_take_ue(struct gm_bits *b);
/* Copies a NAL unit's bytes without its emulation prevention bytes, at most `cap` of them; returns
 * how many. */
size_t gm_nal_unescape(const uint8_t *nal, size_t size, uint8_t *out, size_t cap);

#endif
