/* fake_drv_video.so: HEVC's parameter sets and slices, for fake_va_decode.c.
 *
 * The application does not tell the sequence's sets of reference pictures, but the pictures of each
 * set: slices are given on with the set in their headers.
 *
 * Not here: scaling lists, long-term pictures that the sequence lists, anything but 4:2:0. They end
 * in VA_STATUS_ERROR_UNIMPLEMENTED. Source: ITU-T H.265, 7.3. */
#include <stdlib.h>
#include <string.h>

#include "fake_va_bits.h"
#include "fake_va_decode.h"

#define SET_MAX 256   /* bytes */
#define REFERENCES 15 /* of VAPictureParameterBufferHEVC */

enum {
    SET_VPS,
    SET_SPS,
    SET_PPS,
    NAL_IRAP = 16,
    NAL_IDR_W_RADL = 19,
    NAL_IDR_N_LP = 20,
    NAL_IRAP_END = 24,
    HEAD = 2, /* bytes of a NAL unit's header */
};

/* rbsp_trailing_bits. The payload's bytes. */
static size_t end_set(struct fake_writer *w)
{
    fake_put(w, 1, 1);
    return (w->at + 7) / 8;
}

/* profile_tier_level; the highest level, nothing constrained. */
static void write_profile(const VAPictureParameterBufferHEVC *p, struct fake_writer *w)
{
    unsigned profile = p->bit_depth_luma_minus8 > 0 ? 2 : 1;
    fake_put(w, profile, 8);
    fake_put(w, 1u << (31 - profile) | 1u << 29, 32); /* Main10 takes Main's */
    fake_put(w, 9, 4); /* progressive_source_flag, frame_only_constraint_flag */
    fake_put(w, 0, 32);
    fake_put(w, 0, 12);
    fake_put(w, 186, 8);
}

/* Pictures kept; none reordered, which concerns only what comes out; no limit of latency. */
static void write_order(const VAPictureParameterBufferHEVC *p, struct fake_writer *w)
{
    fake_put(w, 1, 1);
    fake_put_ue(w, p->sps_max_dec_pic_buffering_minus1);
    fake_put_ue(w, 0);
    fake_put_ue(w, 0);
}

static size_t write_vps(const VAPictureParameterBufferHEVC *p, struct fake_writer *w)
{
    fake_put(w, 3, 6);       /* its id, 0; the base layer is there, and is its own */
    fake_put(w, 0, 9);       /* one layer, one sub-layer */
    fake_put(w, 1, 1);       /* temporal ids are nested */
    fake_put(w, 0xffff, 16); /* reserved */
    write_profile(p, w);
    write_order(p, w);
    fake_put(w, 0, 6); /* layer sets */
    fake_put_ue(w, 0);
    fake_put(w, 0, 2); /* no timing, no extension */
    return end_set(w);
}

static size_t write_sps(const VAPictureParameterBufferHEVC *p, struct fake_writer *w)
{
    fake_put(w, 1, 8); /* of VPS 0, one sub-layer, temporal ids are nested */
    write_profile(p, w);
    fake_put_ue(w, 0); /* its id */
    fake_put_ue(w, p->pic_fields.bits.chroma_format_idc);
    fake_put_ue(w, p->pic_width_in_luma_samples);
    fake_put_ue(w, p->pic_height_in_luma_samples);
    fake_put(w, 0, 1); /* no cropping */
    fake_put_ue(w, p->bit_depth_luma_minus8);
    fake_put_ue(w, p->bit_depth_chroma_minus8);
    fake_put_ue(w, p->log2_max_pic_order_cnt_lsb_minus4);
    write_order(p, w);
    fake_put_ue(w, p->log2_min_luma_coding_block_size_minus3);
    fake_put_ue(w, p->log2_diff_max_min_luma_coding_block_size);
    fake_put_ue(w, p->log2_min_transform_block_size_minus2);
    fake_put_ue(w, p->log2_diff_max_min_transform_block_size);
    fake_put_ue(w, p->max_transform_hierarchy_depth_inter);
    fake_put_ue(w, p->max_transform_hierarchy_depth_intra);
    fake_put(w, 0, 1); /* scaling lists */
    fake_put(w, p->pic_fields.bits.amp_enabled_flag, 1);
    fake_put(w, p->slice_parsing_fields.bits.sample_adaptive_offset_enabled_flag, 1);
    fake_put(w, p->pic_fields.bits.pcm_enabled_flag, 1);
    if (p->pic_fields.bits.pcm_enabled_flag) {
        fake_put(w, p->pcm_sample_bit_depth_luma_minus1, 4);
        fake_put(w, p->pcm_sample_bit_depth_chroma_minus1, 4);
        fake_put_ue(w, p->log2_min_pcm_luma_coding_block_size_minus3);
        fake_put_ue(w, p->log2_diff_max_min_pcm_luma_coding_block_size);
        fake_put(w, p->pic_fields.bits.pcm_loop_filter_disabled_flag, 1);
    }
    fake_put_ue(w, 0); /* sets of reference pictures */
    fake_put(w, p->slice_parsing_fields.bits.long_term_ref_pics_present_flag, 1);
    if (p->slice_parsing_fields.bits.long_term_ref_pics_present_flag) {
        fake_put_ue(w, 0);
    }
    fake_put(w, p->slice_parsing_fields.bits.sps_temporal_mvp_enabled_flag, 1);
    fake_put(w, p->pic_fields.bits.strong_intra_smoothing_enabled_flag, 1);
    fake_put(w, 0, 2); /* no VUI, no extension */
    return end_set(w);
}

static void write_tiles(const VAPictureParameterBufferHEVC *p, struct fake_writer *w)
{
    if (!p->pic_fields.bits.tiles_enabled_flag) {
        return;
    }
    fake_put_ue(w, p->num_tile_columns_minus1);
    fake_put_ue(w, p->num_tile_rows_minus1);
    fake_put(w, 0, 1); /* uniform_spacing_flag */
    for (unsigned i = 0; i < p->num_tile_columns_minus1 && i < 19; i++) {
        fake_put_ue(w, p->column_width_minus1[i]);
    }
    for (unsigned i = 0; i < p->num_tile_rows_minus1 && i < 21; i++) {
        fake_put_ue(w, p->row_height_minus1[i]);
    }
    fake_put(w, p->pic_fields.bits.loop_filter_across_tiles_enabled_flag, 1);
}

static void write_deblocking(const VAPictureParameterBufferHEVC *p, struct fake_writer *w)
{
    fake_put(w, 1, 1);
    fake_put(w, p->slice_parsing_fields.bits.deblocking_filter_override_enabled_flag, 1);
    fake_put(w, p->slice_parsing_fields.bits.pps_disable_deblocking_filter_flag, 1);
    if (!p->slice_parsing_fields.bits.pps_disable_deblocking_filter_flag) {
        fake_put_se(w, p->pps_beta_offset_div2);
        fake_put_se(w, p->pps_tc_offset_div2);
    }
}

static size_t write_pps(const VAPictureParameterBufferHEVC *p, unsigned id, struct fake_writer *w)
{
    fake_put_ue(w, id);
    fake_put_ue(w, 0); /* the sequence's */
    fake_put(w, p->slice_parsing_fields.bits.dependent_slice_segments_enabled_flag, 1);
    fake_put(w, p->slice_parsing_fields.bits.output_flag_present_flag, 1);
    fake_put(w, p->num_extra_slice_header_bits, 3);
    fake_put(w, p->pic_fields.bits.sign_data_hiding_enabled_flag, 1);
    fake_put(w, p->slice_parsing_fields.bits.cabac_init_present_flag, 1);
    fake_put_ue(w, p->num_ref_idx_l0_default_active_minus1);
    fake_put_ue(w, p->num_ref_idx_l1_default_active_minus1);
    fake_put_se(w, p->init_qp_minus26);
    fake_put(w, p->pic_fields.bits.constrained_intra_pred_flag, 1);
    fake_put(w, p->pic_fields.bits.transform_skip_enabled_flag, 1);
    fake_put(w, p->pic_fields.bits.cu_qp_delta_enabled_flag, 1);
    if (p->pic_fields.bits.cu_qp_delta_enabled_flag) {
        fake_put_ue(w, p->diff_cu_qp_delta_depth);
    }
    fake_put_se(w, p->pps_cb_qp_offset);
    fake_put_se(w, p->pps_cr_qp_offset);
    fake_put(w, p->slice_parsing_fields.bits.pps_slice_chroma_qp_offsets_present_flag, 1);
    fake_put(w, p->pic_fields.bits.weighted_pred_flag, 1);
    fake_put(w, p->pic_fields.bits.weighted_bipred_flag, 1);
    fake_put(w, p->pic_fields.bits.transquant_bypass_enabled_flag, 1);
    fake_put(w, p->pic_fields.bits.tiles_enabled_flag, 1);
    fake_put(w, p->pic_fields.bits.entropy_coding_sync_enabled_flag, 1);
    write_tiles(p, w);
    fake_put(w, p->pic_fields.bits.pps_loop_filter_across_slices_enabled_flag, 1);
    write_deblocking(p, w);
    fake_put(w, 0, 1); /* scaling lists */
    fake_put(w, p->slice_parsing_fields.bits.lists_modification_present_flag, 1);
    fake_put_ue(w, p->log2_parallel_merge_level_minus2);
    fake_put(w, p->slice_parsing_fields.bits.slice_segment_header_extension_present_flag, 1);
    fake_put(w, 0, 1); /* extension */
    return end_set(w);
}

struct reference {
    int distance; /* in picture order, from the picture at work */
    bool used;
};

static int by_distance(const void *a, const void *b)
{
    int x = abs(((const struct reference *)a)->distance);
    int y = abs(((const struct reference *)b)->distance);
    return (x > y) - (x < y);
}

/* st_ref_pic_set, of the pictures that the application keeps. */
static void write_references(const VAPictureParameterBufferHEVC *p, struct fake_writer *w)
{
    struct reference list[2][REFERENCES]; /* before it, after it */
    unsigned count[2] = {0, 0};
    for (int i = 0; i < REFERENCES; i++) {
        const VAPictureHEVC *r = &p->ReferenceFrames[i];
        int distance = r->pic_order_cnt - p->CurrPic.pic_order_cnt;
        int after = distance > 0;
        if (r->picture_id == VA_INVALID_SURFACE || (r->flags & VA_PICTURE_HEVC_INVALID) != 0 ||
            (r->flags & VA_PICTURE_HEVC_LONG_TERM_REFERENCE) != 0 || distance == 0) {
            continue;
        }
        list[after][count[after]++] =
            (struct reference){distance, (r->flags & (VA_PICTURE_HEVC_RPS_ST_CURR_BEFORE |
                                                      VA_PICTURE_HEVC_RPS_ST_CURR_AFTER)) != 0};
    }
    fake_put_ue(w, count[0]);
    fake_put_ue(w, count[1]);
    for (int side = 0; side < 2; side++) {
        int last = 0;
        qsort(list[side], count[side], sizeof(list[side][0]), by_distance);
        for (unsigned i = 0; i < count[side]; i++) {
            fake_put_ue(w, (unsigned)(abs(list[side][i].distance) - last - 1));
            fake_put(w, list[side][i].used, 1);
            last = abs(list[side][i].distance);
        }
    }
}

static unsigned bits_of(unsigned count) /* Ceil(Log2(count)) */
{
    unsigned bits = 0;
    while (1u << bits < count) {
        bits++;
    }
    return bits;
}

/* Reads a slice header up to the set of reference pictures. out_pps: the set that it names.
 * false: there is none here. */
static bool find_references(const VAPictureParameterBufferHEVC *p, unsigned type,
                            struct fake_bits *b, unsigned *out_pps)
{
    const unsigned log = p->log2_min_luma_coding_block_size_minus3 + 3u +
                         p->log2_diff_max_min_luma_coding_block_size;
    const unsigned side = 1u << (log < 16 ? log : 16);
    unsigned blocks = ((p->pic_width_in_luma_samples + side - 1) / side) *
                      ((p->pic_height_in_luma_samples + side - 1) / side);
    bool first = fake_get(b, 1), dependent = false;
    if (type >= NAL_IRAP && type < NAL_IRAP_END) {
        (void)fake_get(b, 1); /* no_output_of_prior_pics_flag */
    }
    *out_pps = fake_get_ue(b);
    if (!first) {
        dependent = p->slice_parsing_fields.bits.dependent_slice_segments_enabled_flag &&
                    fake_get(b, 1) != 0;
        (void)fake_get(b, bits_of(blocks));
    }
    if (dependent || type == NAL_IDR_W_RADL || type == NAL_IDR_N_LP) {
        return false;
    }
    (void)fake_get(b, p->num_extra_slice_header_bits);
    (void)fake_get_ue(b); /* slice_type */
    if (p->slice_parsing_fields.bits.output_flag_present_flag) {
        (void)fake_get(b, 1);
    }
    (void)fake_get(b, p->log2_max_pic_order_cnt_lsb_minus4 + 4u);
    return true;
}

/* The slice behind b's position, at its set of reference pictures: that one is put in its place.
 * at: where slice data begin, in bytes of the payload. */
static bool put_slice(struct fake_va_decode *d, const uint8_t *nal, struct fake_bits *b, size_t at)
{
    static uint8_t head[4096];
    const VAPictureParameterBufferHEVC *p = d->picture;
    struct fake_writer w = {.data = head, .room = sizeof(head)};
    size_t end = at * 8, length = 0;
    fake_put_bits(&w, b, 0, b->at);
    if (fake_get(b, 1) == 0) { /* short_term_ref_pic_set_sps_flag */
        b->at += p->st_rps_bits;
    } else {
        b->at += bits_of(p->num_short_term_ref_pic_sets);
    }
    fake_put(&w, 0, 1);
    write_references(p, &w);
    while (end > b->at && (b->data[(end - 1) / 8] >> (7 - (end - 1) % 8) & 1) == 0) {
        end--; /* alignment: a one and zeros */
    }
    if (end <= b->at || w.bad) {
        return false;
    }
    fake_put_bits(&w, b, b->at, end - 1 - b->at);
    fake_put(&w, 1, 1);
    size_t head_size = (w.at + 7) / 8, rest = b->size - at;
    uint8_t *payload = malloc(head_size + rest + 1);
    size_t room = (head_size + rest) * 2 + 64;
    uint8_t *out = malloc(room);
    bool good = !w.bad && payload != NULL && out != NULL;
    if (good) {
        memcpy(payload, head, head_size);
        memcpy(payload + head_size, b->data + at, rest);
        good = fake_put_nal(nal, HEAD, payload, head_size + rest, out, room, &length) &&
               fake_va_decode_append(&d->made, out, length);
    }
    free(payload);
    free(out);
    return good;
}

/* The slice as it is, or with its set of reference pictures where the sequence has it. */
static bool give_slice(struct fake_va_decode *d, unsigned i)
{
    static const uint8_t START[] = {0, 0, 0, 1};
    const VAPictureParameterBufferHEVC *p = d->picture;
    const VASliceParameterBufferHEVC *s = (const VASliceParameterBufferHEVC *)d->slices + i;
    const uint8_t *nal = d->data.data + d->slice[i].at;
    size_t size = d->slice[i].size, payload_size = 0;
    unsigned pps = 0;
    bool good = false;
    uint8_t *payload = fake_unescape(nal + HEAD, size - HEAD, &payload_size);
    struct fake_bits b = {.data = payload, .size = payload_size};
    if (payload == NULL) {
        return false;
    }
    if (p->num_short_term_ref_pic_sets > 0 && find_references(p, nal[0] >> 1 & 63u, &b, &pps) &&
        !b.bad && s->slice_data_byte_offset > HEAD &&
        s->slice_data_byte_offset - HEAD < payload_size) {
        good = put_slice(d, nal, &b, s->slice_data_byte_offset - HEAD);
    } else {
        good = fake_va_decode_append(&d->made, START, sizeof(START)) &&
               fake_va_decode_append(&d->made, nal, size);
    }
    free(payload);
    return good;
}

/* The set that the first slice names: the application does not tell its id. */
static unsigned set_of(const struct fake_va_decode *d)
{
    unsigned pps = 0;
    struct fake_bits b = {.data = d->data.data + HEAD, .size = d->slice[0].size - HEAD, .at = 0};
    (void)find_references(d->picture, d->data.data[0] >> 1 & 63u, &b, &pps);
    return pps;
}

static VAStatus make(struct fake_va_decode *d)
{
    static const uint8_t VPS[] = {0x40, 1}, SPS[] = {0x42, 1}, PPS[] = {0x44, 1};
    const VAPictureParameterBufferHEVC *p = d->picture;
    uint8_t set[SET_MAX];
    if (p->pic_fields.bits.chroma_format_idc != 1 || p->pic_fields.bits.scaling_list_enabled_flag ||
        p->num_long_term_ref_pic_sps > 0) {
        return VA_STATUS_ERROR_UNIMPLEMENTED;
    }
    struct fake_writer w = {.data = set, .room = sizeof(set)};
    size_t size = write_vps(p, &w);
    bool good = !w.bad && fake_va_decode_set(d, SET_VPS, VPS, HEAD, set, size);
    w = (struct fake_writer){.data = set, .room = sizeof(set)};
    size = write_sps(p, &w);
    good = good && !w.bad && fake_va_decode_set(d, SET_SPS, SPS, HEAD, set, size);
    w = (struct fake_writer){.data = set, .room = sizeof(set)};
    size = write_pps(p, set_of(d), &w);
    good = good && !w.bad && fake_va_decode_set(d, SET_PPS, PPS, HEAD, set, size);
    for (unsigned i = 0; good && i < d->slice_count; i++) {
        good = give_slice(d, i);
    }
    return good ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_OPERATION_FAILED;
}

const struct fake_va_decode_kind fake_va_decode_hevc = {
    .name = "hevc",
    .picture_size = sizeof(VAPictureParameterBufferHEVC),
    .slice_size = sizeof(VASliceParameterBufferHEVC),
    .first_picture = true,
    .make = make};
