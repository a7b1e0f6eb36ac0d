/* HEVC in MP4: parameter sets, the RFC 6381 name, samples, HDR10's SEI messages.
 * See: ITU-T H.265 7.3.1.2, 7.3.2.2, 7.3.3, D.2.28, D.2.35; ISO/IEC 14496-15 8.3.3 (hvcC) and E.3
 * (the name). */
#include <stdio.h>
#include <string.h>

#include "media/format/bitstream_nal.h"

enum {
    NAL_RSV_VCL = 10, /* first type that is no picture which may lie between IDRs here */
    NAL_IDR_W_RADL = 19,
    NAL_IDR_N_LP = 20,
    NAL_VCL_END = 32,
    NAL_VPS = 32,
    NAL_SPS = 33,
    NAL_PPS = 34,
    NAL_AUD = 35,
    NAL_FILLER = 38,
    NAL_SEI_PREFIX = 39,
};
enum {
    SEI_MASTERING_DISPLAY = 137,
    SEI_CONTENT_LIGHT = 144,
};

#define MAX_SETS 8
#define MAX_REORDER 15  /* below MaxDpbSize: ITU-T H.265 A.4.2 */
#define CONFIG_FIXED 23 /* bytes of hvcC before its arrays */

/* What hvcC repeats of the first SPS, and how many pictures are decoded before one that is shown
 * earlier, at most. */
struct sps {
    uint8_t
        profile[12]; /* profile_tier_level: space, tier, idc; compatibility; constraints; level */
    uint8_t layers, nested;
    uint8_t chroma_format, depth_luma_minus8, depth_chroma_minus8;
    uint8_t reorder;
};
struct sets {
    const uint8_t *nal[3][MAX_SETS]; /* VPS, SPS, PPS; borrowed */
    size_t size[3][MAX_SETS];
    unsigned count[3];
    struct sps sps;
};

static unsigned type_of(const uint8_t *nal)
{
    return nal[0] >> 1 & 63U;
}

static bool is_set(unsigned type)
{
    return type >= NAL_VPS && type <= NAL_PPS;
}

/* profile_tier_level's flags of sub-layers, which x265 does not write, would follow here. */
static int read_sps(const uint8_t *nal, size_t size, struct sps *out, struct gm_err *err)
{
    uint8_t plain[96];
    struct sps s = {.layers = 1};
    size_t n = gm_nal_unescape(nal, size, plain, sizeof plain);
    struct gm_bits b = {plain, 16, 8 * n, false};
    (void)gm_bits_take(&b, 4); /* sps_video_parameter_set_id */
    unsigned more_layers = gm_bits_take(&b, 3);
    s.nested = (uint8_t)gm_bits_take(&b, 1);
    for (size_t i = 0; i < sizeof s.profile; i++) {
        s.profile[i] = (uint8_t)gm_bits_take(&b, 8);
    }
    (void)gm_bits_take_ue(&b); /* sps_seq_parameter_set_id */
    unsigned chroma = gm_bits_take_ue(&b);
    if (chroma == 3) {
        (void)gm_bits_take(&b, 1); /* separate_colour_plane_flag */
    }
    unsigned width = gm_bits_take_ue(&b);
    unsigned height = gm_bits_take_ue(&b);
    if (gm_bits_take(&b, 1) != 0) { /* conformance window */
        for (size_t i = 0; i < 4; i++) {
            (void)gm_bits_take_ue(&b);
        }
    }
    unsigned luma = gm_bits_take_ue(&b);
    unsigned chroma_depth = gm_bits_take_ue(&b);
    (void)gm_bits_take_ue(&b); /* log2_max_pic_order_cnt_lsb_minus4 */
    (void)gm_bits_take(&b, 1); /* sps_sub_layer_ordering_info_present_flag: of one sub-layer */
    (void)gm_bits_take_ue(&b); /* sps_max_dec_pic_buffering_minus1 */
    unsigned reorder = gm_bits_take_ue(&b);
    if (b.over || more_layers != 0 || chroma > 3 || width == 0 || height == 0 || luma > 8 ||
        chroma_depth > 8 || reorder > MAX_REORDER) {
        return gm_err_set(err, GM_E_MEDIA, 0, "the sequence parameter set makes no sense");
    }
    s.chroma_format = (uint8_t)chroma;
    s.depth_luma_minus8 = (uint8_t)luma;
    s.depth_chroma_minus8 = (uint8_t)chroma_depth;
    s.reorder = (uint8_t)reorder;
    *out = s;
    return 0;
}

static int find_sets(const uint8_t *data, size_t size, struct sets *out, struct gm_err *err)
{
    const uint8_t *nal = NULL;
    size_t nal_size = 0;
    memset(out, 0, sizeof *out);
    for (size_t at = 0; gm_nal_next(data, size, &at, &nal, &nal_size);) {
        if (nal_size < 3 || !is_set(type_of(nal))) {
            continue;
        }
        unsigned k = type_of(nal) - NAL_VPS;
        if (nal_size > UINT16_MAX || out->count[k] == MAX_SETS) {
            return gm_err_set(err, GM_E_MEDIA, 0, "parameter sets are too many or too large");
        }
        out->nal[k][out->count[k]] = nal;
        out->size[k][out->count[k]++] = nal_size;
    }
    if (out->count[0] == 0 || out->count[1] == 0 || out->count[2] == 0) {
        return gm_err_set(err, GM_E_MEDIA, 0, "the encoder gave no HEVC parameter sets");
    }
    return read_sps(out->nal[1][0], out->size[1][0], &out->sps, err);
}

static int add_config(const uint8_t *headers, size_t size, struct gm_buf *out, struct gm_err *err)
{
    struct sets sets;
    int rc = find_sets(headers, size, &sets, err);
    if (rc < 0) {
        return rc;
    }
    gm_buf_u8(out, 1);
    gm_buf_add(out, sets.sps.profile, sizeof sets.sps.profile);
    gm_buf_be16(out, 0xf000); /* min_spatial_segmentation_idc: not known */
    gm_buf_u8(out, 0xfc);     /* parallelismType: not known */
    gm_buf_u8(out, (uint8_t)(0xfc | sets.sps.chroma_format));
    gm_buf_u8(out, (uint8_t)(0xf8 | sets.sps.depth_luma_minus8));
    gm_buf_u8(out, (uint8_t)(0xf8 | sets.sps.depth_chroma_minus8));
    gm_buf_be16(out, 0); /* avgFrameRate: not said */
    /* constantFrameRate not said, temporal layers, lengths of 4 bytes */
    gm_buf_u8(out, (uint8_t)(sets.sps.layers << 3 | sets.sps.nested << 2 | 3));
    gm_buf_u8(out, 3);
    for (unsigned k = 0; k < 3; k++) {
        gm_buf_u8(out, (uint8_t)(0x80 | (NAL_VPS + k))); /* all of them are here */
        gm_buf_be16(out, (uint16_t)sets.count[k]);
        for (unsigned i = 0; i < sets.count[k]; i++) {
            gm_buf_be16(out, (uint16_t)sets.size[k][i]);
            gm_buf_add(out, sets.nal[k][i], sets.size[k][i]);
        }
    }
    return gm_buf_check(out, err);
}

static int reorder(const uint8_t *headers, size_t size, int *out, struct gm_err *err)
{
    struct sets sets;
    int rc = find_sets(headers, size, &sets, err);
    if (rc == 0) {
        *out = sets.sps.reorder;
    }
    return rc;
}

static int name(const uint8_t *config, size_t size, char out[GM_CODECS_NAME], struct gm_err *err)
{
    static const char *const spaces[4] = {"", "A", "B", "C"};
    char text[GM_CODECS_NAME];
    if (size < CONFIG_FIXED || config[0] != 1) {
        return gm_err_set(err, GM_E_MEDIA, 0, "an hvcC of %zu bytes makes no sense", size);
    }
    uint32_t flags = 0; /* the first flag is the lowest bit of the name's number */
    for (unsigned i = 0; i < 32; i++) {
        flags |= (uint32_t)(config[2 + i / 8] >> (7 - i % 8) & 1U) << i;
    }
    int n =
        snprintf(text, sizeof text, "hvc1.%s%u.%X.%c%u", spaces[config[1] >> 6], config[1] & 31U,
                 (unsigned)flags, (config[1] & 32U) != 0 ? 'H' : 'L', config[12]);
    size_t last = 6;
    while (last > 0 && config[6 + last - 1] == 0) {
        last--;
    }
    for (size_t i = 0; i < last; i++) {
        n += snprintf(text + n, sizeof text - (size_t)n, ".%X", config[6 + i]);
    }
    memcpy(out, text, sizeof text);
    return 0;
}

static int add_sample(const uint8_t *data, size_t size, struct gm_buf *out, struct gm_err *err)
{
    const uint8_t *nal = NULL;
    size_t nal_size = 0;
    size_t before = out->size;
    for (size_t at = 0; gm_nal_next(data, size, &at, &nal, &nal_size);) {
        unsigned type = nal_size > 2 ? type_of(nal) : NAL_AUD;
        if (is_set(type) || (type >= NAL_AUD && type <= NAL_FILLER)) {
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
        unsigned type = type_of(nal);
        if (nal_size < 3 || (nal[0] & 0x81) != 0 || (nal[1] & 0xf8) != 0) {
            return "a NAL unit is malformed or of another layer";
        }
        if (is_set(type)) {
            return "it has parameter sets of its own";
        }
        if (type >= NAL_VCL_END) {
            continue;
        }
        bool idr = type == NAL_IDR_W_RADL || type == NAL_IDR_N_LP;
        if (idr != sync || (!idr && type >= NAL_RSV_VCL)) {
            return sync ? "it is no IDR picture" : "it is an IDR or other random access picture";
        }
        pictures += nal[2] >> 7; /* first_slice_segment_in_pic_flag */
    }
    return more < 0        ? "its NAL units are malformed"
           : pictures == 1 ? NULL
                           : "it is not one picture";
}

const struct gm_bitstream gm_bitstream_hevc = {
    .codec = "hevc",
    .id = AV_CODEC_ID_HEVC,
    .entry = "hvc1",
    .config = "hvcC",
    .add_config = add_config,
    .reorder = reorder,
    .name = name,
    .add_sample = add_sample,
    .fault = fault,
};

bool gm_bitstream_is_hdr(const Gm__Rendition *r)
{
    return strcmp(r->transfer, "smpte2084") == 0 || strcmp(r->transfer, "arib-std-b67") == 0;
}

/* One SEI message as a NAL unit with its length; payload: at most 24 bytes. */
static void add_sei(struct gm_buf *out, uint8_t type, const struct gm_buf *payload)
{
    struct gm_buf nal = {0};
    unsigned zeros = 0;
    gm_buf_u8(&nal, NAL_SEI_PREFIX << 1);
    gm_buf_u8(&nal, 1); /* layer 0, temporal id 0 */
    gm_buf_u8(&nal, type);
    gm_buf_u8(&nal, (uint8_t)payload->size);
    for (size_t i = 0; i < payload->size; i++) {
        uint8_t v = payload->data[i];
        if (zeros >= 2 && v <= 3) {
            gm_buf_u8(&nal, 3); /* emulation prevention */
            zeros = 0;
        }
        gm_buf_u8(&nal, v);
        zeros = v == 0 ? zeros + 1 : 0;
    }
    gm_buf_u8(&nal, 0x80); /* rbsp_trailing_bits */
    out->failed = out->failed || nal.failed || payload->failed;
    gm_buf_be32(out, (uint32_t)nal.size);
    gm_buf_add(out, nal.data, nal.size);
    gm_buf_fini(&nal);
}

void gm_bitstream_add_prefix(const Gm__Rendition *r, const Gm__VideoFacts *facts,
                             struct gm_buf *out)
{
    const Gm__MasteringDisplay *m = facts->mastering;
    struct gm_buf payload = {0};
    if (r->encode == NULL || strcmp(r->encode->codec, "hevc") != 0 || !gm_bitstream_is_hdr(r)) {
        return;
    }
    if (m != NULL && m->n_primaries == 6) {
        for (size_t i = 0; i < 6; i++) {
            gm_buf_be16(&payload, (uint16_t)m->primaries[i]);
        }
        gm_buf_be16(&payload, (uint16_t)m->white_x);
        gm_buf_be16(&payload, (uint16_t)m->white_y);
        gm_buf_be32(&payload, m->max_luminance);
        gm_buf_be32(&payload, m->min_luminance);
        add_sei(out, SEI_MASTERING_DISPLAY, &payload);
        payload.size = 0;
    }
    if (facts->light != NULL) {
        gm_buf_be16(&payload, (uint16_t)facts->light->max_cll);
        gm_buf_be16(&payload, (uint16_t)facts->light->max_fall);
        add_sei(out, SEI_CONTENT_LIGHT, &payload);
    }
    gm_buf_fini(&payload);
}
