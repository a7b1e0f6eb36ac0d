/* H.264 in MP4: parameter sets, the RFC 6381 name, samples.
 * See: ISO/IEC 14496-10 7.3.2.1 and annex B, ISO/IEC 14496-15 5.2.4 (avcC). */
#include <stdio.h>
#include <string.h>

#include "media/format/bitstream_nal.h"

enum {
    NAL_SLICE = 1,
    NAL_IDR = 5,
    NAL_SPS = 7,
    NAL_PPS = 8,
    NAL_AUD = 9,
    NAL_FILLER = 12,
    NAL_SPS_EXT = 13,
};

/* Parameter sets of an Annex B stream; borrowed from it. */
#define MAX_SETS 8
struct sets {
    const uint8_t *sps[MAX_SETS];
    size_t sps_size[MAX_SETS];
    unsigned sps_count;
    const uint8_t *pps[MAX_SETS];
    size_t pps_size[MAX_SETS];
    unsigned pps_count;
    uint8_t profile, compatibility, level;
    uint8_t chroma_format, depth_luma_minus8, depth_chroma_minus8;
};

static bool has_chroma_fields(uint8_t profile)
{
    return profile != 66 && profile != 77 && profile != 88;
}

static int read_sps(const uint8_t *sps, size_t size, struct sets *out, struct gm_err *err)
{
    uint8_t plain[64];
    if (size < 5) {
        return gm_err_set(err, GM_E_MEDIA, 0, "a sequence parameter set of %zu bytes", size);
    }
    struct gm_bits b = {plain, 32, 8 * gm_nal_unescape(sps, size, plain, sizeof plain), false};
    unsigned chroma = 1;
    unsigned luma_depth = 0;
    unsigned chroma_depth = 0;
    (void)gm_bits_take_ue(&b); /* seq_parameter_set_id */
    if (has_chroma_fields(sps[1])) {
        chroma = gm_bits_take_ue(&b);
        if (chroma == 3) {
            (void)gm_bits_take(&b, 1); /* separate_colour_plane_flag */
        }
        luma_depth = gm_bits_take_ue(&b);
        chroma_depth = gm_bits_take_ue(&b);
    }
    if (b.over || chroma > 3 || luma_depth > 6 || chroma_depth > 6) {
        return gm_err_set(err, GM_E_MEDIA, 0, "the sequence parameter set makes no sense");
    }
    out->profile = sps[1];
    out->compatibility = sps[2];
    out->level = sps[3];
    out->chroma_format = (uint8_t)chroma;
    out->depth_luma_minus8 = (uint8_t)luma_depth;
    out->depth_chroma_minus8 = (uint8_t)chroma_depth;
    return 0;
}

static int find_sets(const uint8_t *data, size_t size, struct sets *out, struct gm_err *err)
{
    struct sets sets;
    memset(&sets, 0, sizeof(sets));
    const uint8_t *nal = NULL;
    size_t nal_size = 0;
    for (size_t at = 0; gm_nal_next(data, size, &at, &nal, &nal_size);) {
        unsigned type = nal_size > 0 ? nal[0] & 31U : 0;
        if (type != NAL_SPS && type != NAL_PPS) {
            continue;
        }
        if (nal_size > UINT16_MAX || sets.sps_count == MAX_SETS || sets.pps_count == MAX_SETS) {
            return gm_err_set(err, GM_E_MEDIA, 0, "parameter sets are too many or too large");
        }
        if (type == NAL_SPS) {
            sets.sps[sets.sps_count] = nal;
            sets.sps_size[sets.sps_count++] = nal_size;
        } else {
            sets.pps[sets.pps_count] = nal;
            sets.pps_size[sets.pps_count++] = nal_size;
        }
    }
    if (sets.sps_count == 0 || sets.pps_count == 0) {
        return gm_err_set(err, GM_E_MEDIA, 0, "the encoder gave no H.264 parameter sets");
    }
    int rc = read_sps(sets.sps[0], sets.sps_size[0], &sets, err);
    if (rc == 0) {
        *out = sets;
    }
    return rc;
}

static int add_config(const uint8_t *headers, size_t size, struct gm_buf *out, struct gm_err *err)
{
    struct sets sets;
    int rc = find_sets(headers, size, &sets, err);
    if (rc < 0) {
        return rc;
    }
    gm_buf_u8(out, 1);
    gm_buf_u8(out, sets.profile);
    gm_buf_u8(out, sets.compatibility);
    gm_buf_u8(out, sets.level);
    gm_buf_u8(out, 0xff); /* lengths of 4 bytes */
    gm_buf_u8(out, (uint8_t)(0xe0 | sets.sps_count));
    for (unsigned i = 0; i < sets.sps_count; i++) {
        gm_buf_be16(out, (uint16_t)sets.sps_size[i]);
        gm_buf_add(out, sets.sps[i], sets.sps_size[i]);
    }
    gm_buf_u8(out, (uint8_t)sets.pps_count);
    for (unsigned i = 0; i < sets.pps_count; i++) {
        gm_buf_be16(out, (uint16_t)sets.pps_size[i]);
        gm_buf_add(out, sets.pps[i], sets.pps_size[i]);
    }
    if (has_chroma_fields(sets.profile)) {
        gm_buf_u8(out, (uint8_t)(0xfc | sets.chroma_format));
        gm_buf_u8(out, (uint8_t)(0xf8 | sets.depth_luma_minus8));
        gm_buf_u8(out, (uint8_t)(0xf8 | sets.depth_chroma_minus8));
        gm_buf_u8(out, 0); /* SPS extensions */
    }
    return gm_buf_check(out, err);
}

static int name(const uint8_t *config, size_t size, char out[GM_CODECS_NAME], struct gm_err *err)
{
    if (size < 7 || config[0] != 1) {
        return gm_err_set(err, GM_E_MEDIA, 0, "an avcC of %zu bytes makes no sense", size);
    }
    (void)snprintf(out, GM_CODECS_NAME, "avc1.%02x%02x%02x", config[1], config[2], config[3]);
    return 0;
}

static int add_sample(const uint8_t *data, size_t size, struct gm_buf *out, struct gm_err *err)
{
    const uint8_t *nal = NULL;
    size_t nal_size = 0;
    size_t before = out->size;
    for (size_t at = 0; gm_nal_next(data, size, &at, &nal, &nal_size);) {
        unsigned type = nal_size > 0 ? nal[0] & 31U : 0;
        if (nal_size == 0 || type == NAL_SPS || type == NAL_PPS || type == NAL_AUD ||
            type == NAL_FILLER || type == NAL_SPS_EXT) {
            continue;
        }
        if (nal_size > UINT32_MAX) {
            return gm_err_set(err, GM_E_LIMIT, 0, "a NAL unit of %zu bytes", nal_size);
        }
        gm_buf_be32(out, (uint32_t)nal_size);
        gm_buf_add(out, nal, nal_size);
    }
    int rc = gm_buf_check(out, err);
    if (rc == 0 && out->size == before) {
        rc = gm_err_set(err, GM_E_MEDIA, 0, "an access unit of %zu bytes holds no picture", size);
    }
    return rc;
}

static const char *fault(const uint8_t *config, size_t config_size, const uint8_t *sample,
                         size_t size, bool sync)
{
    const uint8_t *nal = NULL;
    size_t nal_size = 0;
    size_t pictures = 0;
    int more = 0;
    (void)config;
    (void)config_size;
    for (size_t at = 0; (more = gm_nal_next_prefixed(sample, size, &at, &nal, &nal_size)) > 0;) {
        unsigned type = nal[0] & 31U;
        if (type == NAL_SPS || type == NAL_PPS) {
            return "it has parameter sets of its own";
        }
        if (type == NAL_SLICE || type == NAL_IDR) {
            if ((type == NAL_IDR) != sync) {
                return sync ? "it is no IDR picture" : "it is an IDR picture";
            }
            pictures += nal_size > 1 && (nal[1] & 0x80) != 0; /* first_mb_in_slice 0 */
        } else if (type >= 2 && type <= 4) {
            return "it has data partitions";
        }
    }
    return more < 0        ? "its NAL units are malformed"
           : pictures == 1 ? NULL
                           : "it is not one picture";
}

const struct gm_bitstream gm_bitstream_h264 = {
    .codec = "h264",
    .id = AV_CODEC_ID_H264,
    .entry = "avc1",
    .config = "avcC",
    .add_config = add_config,
    .name = name,
    .add_sample = add_sample,
    .fault = fault,
};
