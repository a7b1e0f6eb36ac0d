/* fake_drv_video.so: H.264's parameter sets, for fake_va_decode.c.
 *
 * Not here: fields, picture order of type 1, scaling matrices other than flat ones, pictures whose
 * slices do not have the same number of references. They end in VA_STATUS_ERROR_UNIMPLEMENTED. */
#include "fake_va_bits.h"
#include "fake_va_decode.h"

#define SET_MAX 128 /* bytes */

enum { SET_SPS, SET_PPS };

/* rbsp_trailing_bits. The payload's bytes. */
static size_t end_set(struct fake_writer *w)
{
    fake_put(w, 1, 1);
    return (w->at + 7) / 8;
}

/* Source: ITU-T H.264, 7.3.2.1. Of High, whose decoder takes the others' streams. */
static size_t write_sps(const VAPictureParameterBufferH264 *p, struct fake_writer *w)
{
    bool frames = p->seq_fields.bits.frame_mbs_only_flag;
    fake_put(w, 100, 8); /* profile_idc; no constraint; the highest level */
    fake_put(w, 0, 8);
    fake_put(w, 62, 8);
    fake_put_ue(w, 0); /* its id */
    fake_put_ue(w, p->seq_fields.bits.chroma_format_idc);
    fake_put_ue(w, p->bit_depth_luma_minus8);
    fake_put_ue(w, p->bit_depth_chroma_minus8);
    fake_put(w, 0, 2); /* no bypass, no scaling matrix */
    fake_put_ue(w, p->seq_fields.bits.log2_max_frame_num_minus4);
    fake_put_ue(w, p->seq_fields.bits.pic_order_cnt_type);
    if (p->seq_fields.bits.pic_order_cnt_type == 0) {
        fake_put_ue(w, p->seq_fields.bits.log2_max_pic_order_cnt_lsb_minus4);
    }
    fake_put_ue(w, p->num_ref_frames);
    fake_put(w, p->seq_fields.bits.gaps_in_frame_num_value_allowed_flag, 1);
    fake_put_ue(w, p->picture_width_in_mbs_minus1);
    fake_put_ue(w, (p->picture_height_in_mbs_minus1 + 1u) / (frames ? 1 : 2) - 1);
    fake_put(w, frames, 1);
    if (!frames) {
        fake_put(w, p->seq_fields.bits.mb_adaptive_frame_field_flag, 1);
    }
    fake_put(w, p->seq_fields.bits.direct_8x8_inference_flag, 1);
    fake_put(w, 0, 2); /* no cropping, no VUI */
    return end_set(w);
}

/* The set that the slices name: the application does not tell its id. */
static unsigned set_of(const struct fake_va_decode *d)
{
    struct fake_bits b = {.data = d->data.data, .size = d->slice[0].size, .at = 8};
    (void)fake_get_ue(&b); /* first_mb_in_slice, slice_type */
    (void)fake_get_ue(&b);
    return fake_get_ue(&b);
}

/* References that slices have unless they say others: those that all of them have. false: they
 * differ. Slices without references say nothing. */
static bool references_of(const struct fake_va_decode *d, unsigned out[2])
{
    const VASliceParameterBufferH264 *slices = d->slices;
    bool any = false;
    out[0] = out[1] = 0;
    for (unsigned i = 0; i < d->slice_count; i++) {
        const VASliceParameterBufferH264 *s = &slices[i];
        unsigned type = s->slice_type % 5u;
        unsigned l1 = type == 1 ? s->num_ref_idx_l1_active_minus1 : 0;
        if (type == 2 || type == 4) {
            continue;
        }
        if (any && (out[0] != s->num_ref_idx_l0_active_minus1 || out[1] != l1)) {
            return false;
        }
        out[0] = s->num_ref_idx_l0_active_minus1;
        out[1] = l1;
        any = true;
    }
    return true;
}

/* Source: ITU-T H.264, 7.3.2.2. */
static size_t write_pps(const VAPictureParameterBufferH264 *p, unsigned id,
                        const unsigned references[2], struct fake_writer *w)
{
    fake_put_ue(w, id);
    fake_put_ue(w, 0); /* the sequence's */
    fake_put(w, p->pic_fields.bits.entropy_coding_mode_flag, 1);
    fake_put(w, p->pic_fields.bits.pic_order_present_flag, 1);
    fake_put_ue(w, 0); /* slice groups */
    fake_put_ue(w, references[0]);
    fake_put_ue(w, references[1]);
    fake_put(w, p->pic_fields.bits.weighted_pred_flag, 1);
    fake_put(w, p->pic_fields.bits.weighted_bipred_idc, 2);
    fake_put_se(w, p->pic_init_qp_minus26);
    fake_put_se(w, p->pic_init_qs_minus26);
    fake_put_se(w, p->chroma_qp_index_offset);
    fake_put(w, p->pic_fields.bits.deblocking_filter_control_present_flag, 1);
    fake_put(w, p->pic_fields.bits.constrained_intra_pred_flag, 1);
    fake_put(w, p->pic_fields.bits.redundant_pic_cnt_present_flag, 1);
    fake_put(w, p->pic_fields.bits.transform_8x8_mode_flag, 1);
    fake_put(w, 0, 1); /* scaling matrix */
    fake_put_se(w, p->second_chroma_qp_index_offset);
    return end_set(w);
}

/* Every byte of VAIQMatrixBufferH264 before its padding. */
static bool is_flat(const struct fake_va_decode *d)
{
    bool flat = d->matrix_size == sizeof(VAIQMatrixBufferH264);
    for (size_t i = 0; flat && i < offsetof(VAIQMatrixBufferH264, va_reserved); i++) {
        flat = d->matrix[i] == 16;
    }
    return flat;
}

static VAStatus make(struct fake_va_decode *d)
{
    static const uint8_t SPS[] = {0x67}, PPS[] = {0x68}, START[] = {0, 0, 0, 1};
    const VAPictureParameterBufferH264 *p = d->picture;
    uint8_t set[SET_MAX];
    unsigned references[2];
    if (p->pic_fields.bits.field_pic_flag || p->seq_fields.bits.pic_order_cnt_type == 1 ||
        !is_flat(d) || !references_of(d, references)) {
        return VA_STATUS_ERROR_UNIMPLEMENTED;
    }
    struct fake_writer w = {.data = set, .room = sizeof(set)};
    size_t size = write_sps(p, &w);
    bool good = !w.bad && fake_va_decode_set(d, SET_SPS, SPS, sizeof(SPS), set, size);
    w = (struct fake_writer){.data = set, .room = sizeof(set)};
    size = write_pps(p, set_of(d), references, &w);
    good = good && !w.bad && fake_va_decode_set(d, SET_PPS, PPS, sizeof(PPS), set, size);
    for (unsigned i = 0; good && i < d->slice_count; i++) {
        good = fake_va_decode_append(&d->made, START, sizeof(START)) &&
               fake_va_decode_append(&d->made, d->data.data + d->slice[i].at, d->slice[i].size);
    }
    return good ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_OPERATION_FAILED;
}

const struct fake_va_decode_kind fake_va_decode_h264 = {
    .name = "h264",
    .picture_size = sizeof(VAPictureParameterBufferH264),
    .slice_size = sizeof(VASliceParameterBufferH264),
    .make = make};
