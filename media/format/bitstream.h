#ifndef GM_MEDIA_FORMAT_BITSTREAM_H
#define GM_MEDIA_FORMAT_BITSTREAM_H

#include <libavcodec/codec_id.h>

#include "common/buf.h"
#include "media.pb-c.h"

/* What MP4 files and manifests need to know of a video codec: one row each. Pure; trusts no byte.
 *
 * headers: what the encoder gave before the stream. config: body of the decoder configuration box.
 * sample: a picture (with the hidden ones that go with it) as it lies in the file.
 */
#define GM_CODECS_NAME 40

struct gm_bitstream {
    const char *codec; /* EncodeParams.codec */
    enum AVCodecID id;
    const char *entry;  /* sample entry, "avc1" */
    const char *config; /* box in it, "avcC" */
    /* Appends the config's body. Errors: MEDIA when the headers can't be read, NOMEM. */
    int (*add_config)(const uint8_t *headers, size_t size, struct gm_buf *out, struct gm_err *err);
    /* How many pictures are decoded before one that is shown earlier, at most. NULL: libavcodec's
     * encoders of the codec say it. Errors: MEDIA. */
    int (*reorder)(const uint8_t *headers, size_t size, int *out, struct gm_err *err);
    /* RFC 6381 name, "avc1.640020". out: untouched on failure. Errors: MEDIA. */
    int (*name)(const uint8_t *config, size_t size, char out[GM_CODECS_NAME], struct gm_err *err);
    /* Appends the sample that an encoder's packet makes: lengths instead of start codes; what
     * stands in the config is left out. Errors: MEDIA when it holds no picture, LIMIT, NOMEM. */
    int (*add_sample)(const uint8_t *packet, size_t size, struct gm_buf *out, struct gm_err *err);
    /* What is wrong with a sample that should be a keyframe where decoding can begin (sync), or no
     * keyframe; NULL: nothing. A static sentence. */
    const char *(*fault)(const uint8_t *config, size_t config_size, const uint8_t *sample,
                         size_t size, bool sync);
};

/* NULL: unknown. */
const struct gm_bitstream *gm_bitstream_find(const char *codec);
/* The row whose sample entry has that type (big-endian four characters); NULL: none. */
const struct gm_bitstream *gm_bitstream_find_entry(uint32_t type);

/* Appends what every keyframe's sample begins with: for HEVC the SEI messages of HDR10, where the
 * rendition is PQ or HLG and the source says its mastering display or light level; else nothing. */
void gm_bitstream_add_prefix(const Gm__Rendition *rendition, const Gm__VideoFacts *facts,
                             struct gm_buf *out);
/* Whether the rendition's transfer is PQ or HLG. */
bool gm_bitstream_is_hdr(const Gm__Rendition *rendition);

#endif
