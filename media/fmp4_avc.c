/* H.264 byte streams as far as MP4 needs them: NAL units, parameter sets, the RFC 6381 name.
 * See: ISO/IEC 14496-10 7.3.2.1 and annex B, ISO/IEC 14496-15 5.2.4 (avcC). */
#include <stdio.h>
#include <string.h>

#include "media/fmp4.h"
#include "media/fmp4_box.h"

enum {
    NAL_SPS = 7,
    NAL_PPS = 8,
    NAL_AUD = 9,
    NAL_FILLER = 12,
    NAL_SPS_EXT = 13,
};

/* Offset of the next 00 00 01 at or after `at`, or size. */
static size_t find_start_code(const uint8_t *data, size_t size, size_t at)
{
    while (size - at >= 3) {
        if (data[at + 2] > 1) {
            at += 3;
        } else if (data[at] == 0 && data[at + 1] == 0 && data[at + 2] == 1) {
            return at;
        } else {
            at++;
        }
    }
    return size;
}

bool gm_avc_next_nal(const uint8_t *data, size_t size, size_t *io_at, const uint8_t **out_nal,
                     size_t *out_size)
{
    size_t start = find_start_code(data, size, *io_at);
    if (start == size) {
        return false;
    }
    start += 3;
    size_t end = find_start_code(data, size, start);
    *io_at = end;
    while (end > start && data[end - 1] == 0) {
        end--;
    }
    *out_nal = data + start;
    *out_size = end - start;
    return true;
}

/* Bits of an SPS's first bytes, emulation prevention bytes taken out. */
struct bits {
    uint8_t data[64];
    size_t bit, bits;
};

static unsigned take_bit(struct bits *b)
{
    if (b->bit >= b->bits) {
        b->bit = b->bits + 1;
        return 0;
    }
    unsigned v = b->data[b->bit / 8] >> (7 - b->bit % 8) & 1U;
    b->bit++;
    return v;
}

/* Exp-Golomb code of at most 16 leading zeros. */
static unsigned take_ue(struct bits *b)
{
    unsigned zeros = 0;
    while (take_bit(b) == 0) {
        if (++zeros > 16) {
            b->bit = b->bits + 1;
            return 0;
        }
    }
    unsigned v = 1;
    for (unsigned i = 0; i < zeros; i++) {
        v = v << 1 | take_bit(b);
    }
    return v - 1;
}

static bool has_chroma_fields(uint8_t profile)
{
    return profile != 66 && profile != 77 && profile != 88;
}

static int read_sps(const uint8_t *sps, size_t size, struct gm_avc_sets *out, struct gm_err *err)
{
    struct bits b = {{0}, 0, 0};
    size_t n = 0;
    if (size < 5) {
        return gm_err_set(err, GM_E_MEDIA, 0, "a sequence parameter set of %zu bytes", size);
    }
    for (size_t i = 4; i < size && n < sizeof(b.data); i++) {
        if (sps[i] == 3 && i >= 2 && sps[i - 1] == 0 && sps[i - 2] == 0) {
            continue;
        }
        b.data[n++] = sps[i];
    }
    b.bits = n * 8;
    unsigned chroma = 1;
    unsigned luma_depth = 0;
    unsigned chroma_depth = 0;
    (void)take_ue(&b); /* seq_parameter_set_id */
    if (has_chroma_fields(sps[1])) {
        chroma = take_ue(&b);
        if (chroma == 3) {
            (void)take_bit(&b); /* separate_colour_plane_flag */
        }
        luma_depth = take_ue(&b);
        chroma_depth = take_ue(&b);
    }
    if (b.bit > b.bits || chroma > 3 || luma_depth > 6 || chroma_depth > 6) {
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

int gm_avc_find_sets(const uint8_t *data, size_t size, struct gm_avc_sets *out, struct gm_err *err)
{
    struct gm_avc_sets sets;
    memset(&sets, 0, sizeof(sets));
    const uint8_t *nal = NULL;
    size_t nal_size = 0;
    for (size_t at = 0; gm_avc_next_nal(data, size, &at, &nal, &nal_size);) {
        unsigned type = nal_size > 0 ? nal[0] & 31U : 0;
        if (type != NAL_SPS && type != NAL_PPS) {
            continue;
        }
        if (nal_size > UINT16_MAX || sets.sps_count == GM_AVC_MAX_SETS ||
            sets.pps_count == GM_AVC_MAX_SETS) {
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

int gm_fmp4_avc_codecs(const uint8_t *extradata, size_t size, char out[16], struct gm_err *err)
{
    struct gm_avc_sets sets;
    int rc = gm_avc_find_sets(extradata, size, &sets, err);
    if (rc == 0) {
        (void)snprintf(out, 16, "avc1.%02x%02x%02x", sets.profile, sets.compatibility, sets.level);
    }
    return rc;
}

int gm_fmp4_from_annexb(const uint8_t *data, size_t size, struct gm_buf *out, struct gm_err *err)
{
    const uint8_t *nal = NULL;
    size_t nal_size = 0;
    size_t before = out->size;
    for (size_t at = 0; gm_avc_next_nal(data, size, &at, &nal, &nal_size);) {
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
