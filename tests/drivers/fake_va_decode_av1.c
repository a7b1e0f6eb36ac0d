/* fake_drv_video.so: AV1's open bitstream units, for fake_va_decode.c.
 *
 * The application gives a frame's parameters and its tiles, without the headers that they were read
 * from: sequence and frame headers are written anew. What it does not say is which slots a frame
 * will replace (refresh_frame_flags): that shows in the next frame's map of references. So a frame
 * is first decoded as one that is shown and replaces nothing, which gives its picture, and once
 * more, not shown, in front of the next frame, with what it was found to replace. A keyframe that
 * is shown replaces all.
 *
 * Not here: segments, global motion, superres, film grain, tiles of uneven size, keyframes that are
 * not shown, switch frames, frames of another size than the sequence's, one plane. They end in
 * VA_STATUS_ERROR_UNIMPLEMENTED.
 *
 * Source: AV1 Bitstream & Decoding Process Specification, 5.3 to 5.11. */
#include "fake_va_decode.h"

#include <stdlib.h>
#include <string.h>

#include <va/va_dec_av1.h>

#include "fake_va_bits.h"

#define SLOTS 8
#define REFS 7
#define ALL 0xffu
#define NO_PRIMARY 7
#define HEADER_MAX 512   /* bytes */
#define SIZE_MAX_BYTES 8 /* of leb128 */

enum { KEY_FRAME, INTER_FRAME, INTRA_ONLY_FRAME, SWITCH_FRAME };
enum { OBU_SEQUENCE = 1, OBU_DELIMITER = 2, OBU_FRAME = 6 };

struct frame {
    VADecPictureParameterBufferAV1 p;
    struct fake_va_bytes tiles;
    size_t sizes[FAKE_VA_SLICES];
    unsigned count;
};

struct fake_va_av1 {
    VASurfaceID surface[SLOTS];
    unsigned hint[SLOTS]; /* their order hints */
    struct frame before;  /* its slots are not known yet; count 0: there is none */
};

struct way { /* how a frame is written */
    unsigned refresh;
    bool show, showable;
};

struct fake_va_av1 *fake_va_av1_open(void)
{
    return calloc(1, sizeof(struct fake_va_av1));
}

void fake_va_av1_close(struct fake_va_av1 *av1)
{
    if (av1 != NULL) {
        free(av1->before.tiles.data);
        free(av1);
    }
}

static bool is_intra(const VADecPictureParameterBufferAV1 *p)
{
    return p->pic_info_fields.bits.frame_type == KEY_FRAME ||
           p->pic_info_fields.bits.frame_type == INTRA_ONLY_FRAME;
}

static unsigned hint_bits(const VADecPictureParameterBufferAV1 *p)
{
    return p->seq_info_fields.fields.enable_order_hint ? p->order_hint_bits_minus_1 + 1u : 0;
}

static bool is_lossless(const VADecPictureParameterBufferAV1 *p)
{
    return p->base_qindex == 0 && p->y_dc_delta_q == 0 && p->u_dc_delta_q == 0 &&
           p->u_ac_delta_q == 0 && p->v_dc_delta_q == 0 && p->v_ac_delta_q == 0;
}

static bool is_taken(const VADecPictureParameterBufferAV1 *p)
{
    bool still = true;
    for (int i = 0; i < REFS; i++) {
        still = still && p->wm[i].wmtype == VAAV1TransformationIdentity;
    }
    bool key = p->pic_info_fields.bits.frame_type == KEY_FRAME;
    return still && p->profile == 0 && p->bit_depth_idx < 2 &&
           !p->seq_info_fields.fields.mono_chrome &&
           !p->seq_info_fields.fields.film_grain_params_present &&
           !p->seg_info.segment_info_fields.bits.enabled && !p->pic_info_fields.bits.use_superres &&
           !p->pic_info_fields.bits.large_scale_tile &&
           (p->tile_cols * p->tile_rows == 1 ||
            p->pic_info_fields.bits.uniform_tile_spacing_flag) &&
           p->pic_info_fields.bits.frame_type != SWITCH_FRAME &&
           !(key && !p->pic_info_fields.bits.show_frame);
}

/* ---- Headers */

/* A sequence that has every tool which frames turn on or off by themselves. */
static void write_sequence(const VADecPictureParameterBufferAV1 *p, struct fake_writer *w)
{
    bool order = p->seq_info_fields.fields.enable_order_hint;
    fake_put(w, p->profile, 3);
    fake_put(w, 0, 2); /* no still picture, no reduced header */
    fake_put(w, 0, 2); /* no timing, no initial delay */
    fake_put(w, 0, 5); /* one operating point: all of it, the highest level, main tier */
    fake_put(w, 0, 12);
    fake_put(w, 31, 5);
    fake_put(w, 0, 1);
    fake_put(w, 15, 4);
    fake_put(w, 15, 4);
    fake_put(w, p->frame_width_minus1, 16);
    fake_put(w, p->frame_height_minus1, 16);
    fake_put(w, 0, 1); /* no frame ids */
    fake_put(w, p->seq_info_fields.fields.use_128x128_superblock, 1);
    fake_put(w, p->seq_info_fields.fields.enable_filter_intra, 1);
    fake_put(w, p->seq_info_fields.fields.enable_intra_edge_filter, 1);
    fake_put(w, p->seq_info_fields.fields.enable_interintra_compound, 1);
    fake_put(w, p->seq_info_fields.fields.enable_masked_compound, 1);
    fake_put(w, 1, 1); /* warped motion */
    fake_put(w, p->seq_info_fields.fields.enable_dual_filter, 1);
    fake_put(w, order, 1);
    if (order) {
        fake_put(w, p->seq_info_fields.fields.enable_jnt_comp, 1);
        fake_put(w, 1, 1); /* motion vectors of references */
    }
    fake_put(w, 1, 1); /* frames choose tools for screens, and whole vectors */
    fake_put(w, 1, 1);
    if (order) {
        fake_put(w, p->order_hint_bits_minus_1, 3);
    }
    fake_put(w, 0, 1); /* superres */
    fake_put(w, p->seq_info_fields.fields.enable_cdef, 1);
    fake_put(w, 1, 1); /* restoration */
    fake_put(w, p->bit_depth_idx, 1);
    fake_put(w, 0, 2); /* three planes, colours unknown */
    fake_put(w, p->seq_info_fields.fields.color_range, 1);
    fake_put(w, 0, 2); /* where chroma lies */
    fake_put(w, 1, 1); /* quantisers of V */
    fake_put(w, 0, 1); /* film grain */
    fake_put(w, 1, 1); /* trailing_bits */
}

static unsigned log2_of(unsigned block, unsigned target)
{
    unsigned k = 0;
    while (block << k < target) {
        k++;
    }
    return k;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* One direction of equal tiles: the increments up to `count` of them. Their log2; its bits do not
 * come out: bad. */
static unsigned write_spacing(unsigned blocks, unsigned low, unsigned high, unsigned count,
                              struct fake_writer *w)
{
    for (unsigned k = low;; k++) {
        unsigned size = (blocks + (1u << k) - 1) >> k;
        bool found = (blocks + size - 1) / size == count;
        if (k < high) {
            fake_put(w, !found, 1);
        }
        if (found || k >= high) {
            w->bad = w->bad || !found;
            return k;
        }
    }
}

/* 5.9.15 */
static void write_tiles(const VADecPictureParameterBufferAV1 *p, struct fake_writer *w)
{
    unsigned shift = p->seq_info_fields.fields.use_128x128_superblock ? 7 : 6;
    unsigned across = 2 * ((p->frame_width_minus1 + 8u) >> 3),
             down = 2 * ((p->frame_height_minus1 + 8u) >> 3);
    across = (across + (1u << (shift - 2)) - 1) >> (shift - 2);
    down = (down + (1u << (shift - 2)) - 1) >> (shift - 2);
    unsigned low = log2_of(4096u >> shift, across);
    unsigned all = log2_of((4096u * 2304u) >> (2 * shift), across * down);
    fake_put(w, 1, 1);
    unsigned columns = write_spacing(across, low, log2_of(1, least(across, 64)), p->tile_cols, w);
    all = all > low ? all : low;
    unsigned rows = write_spacing(down, all > columns ? all - columns : 0,
                                  log2_of(1, least(down, 64)), p->tile_rows, w);
    if (columns + rows > 0) {
        fake_put(w, p->context_update_tile_id, columns + rows);
        fake_put(w, 3, 2); /* sizes of four bytes */
    }
}

static void write_delta(int value, struct fake_writer *w)
{
    fake_put(w, value != 0, 1);
    if (value != 0) {
        fake_put(w, (unsigned)value & 0x7f, 7);
    }
}

/* 5.9.12, 5.9.14, 5.9.17, 5.9.18 */
static void write_quantisers(const VADecPictureParameterBufferAV1 *p, struct fake_writer *w)
{
    fake_put(w, p->base_qindex, 8);
    write_delta(p->y_dc_delta_q, w);
    fake_put(w, 1, 1); /* V has its own */
    write_delta(p->u_dc_delta_q, w);
    write_delta(p->u_ac_delta_q, w);
    write_delta(p->v_dc_delta_q, w);
    write_delta(p->v_ac_delta_q, w);
    fake_put(w, p->qmatrix_fields.bits.using_qmatrix, 1);
    if (p->qmatrix_fields.bits.using_qmatrix) {
        fake_put(w, p->qmatrix_fields.bits.qm_y, 4);
        fake_put(w, p->qmatrix_fields.bits.qm_u, 4);
        fake_put(w, p->qmatrix_fields.bits.qm_v, 4);
    }
    fake_put(w, 0, 1); /* segments */
    if (p->base_qindex > 0) {
        fake_put(w, p->mode_control_fields.bits.delta_q_present_flag, 1);
    }
    if (!p->mode_control_fields.bits.delta_q_present_flag) {
        return;
    }
    fake_put(w, p->mode_control_fields.bits.log2_delta_q_res, 2);
    if (!p->pic_info_fields.bits.allow_intrabc) {
        fake_put(w, p->mode_control_fields.bits.delta_lf_present_flag, 1);
        if (p->mode_control_fields.bits.delta_lf_present_flag) {
            fake_put(w, p->mode_control_fields.bits.log2_delta_lf_res, 2);
            fake_put(w, p->mode_control_fields.bits.delta_lf_multi, 1);
        }
    }
}

/* 5.9.11. The deltas are what they are to be, not what changes. */
static void write_loop_filter(const VADecPictureParameterBufferAV1 *p, struct fake_writer *w)
{
    fake_put(w, p->filter_level[0], 6);
    fake_put(w, p->filter_level[1], 6);
    if (p->filter_level[0] != 0 || p->filter_level[1] != 0) {
        fake_put(w, p->filter_level_u, 6);
        fake_put(w, p->filter_level_v, 6);
    }
    fake_put(w, p->loop_filter_info_fields.bits.sharpness_level, 3);
    fake_put(w, p->loop_filter_info_fields.bits.mode_ref_delta_enabled, 1);
    if (!p->loop_filter_info_fields.bits.mode_ref_delta_enabled) {
        return;
    }
    fake_put(w, 1, 1);
    for (int i = 0; i < 8; i++) {
        fake_put(w, 1, 1);
        fake_put(w, (unsigned)p->ref_deltas[i] & 0x7f, 7);
    }
    for (int i = 0; i < 2; i++) {
        fake_put(w, 1, 1);
        fake_put(w, (unsigned)p->mode_deltas[i] & 0x7f, 7);
    }
}

/* 5.9.20 */
static void write_restoration(const VADecPictureParameterBufferAV1 *p, struct fake_writer *w)
{
    static const unsigned coded[] = {0, 2, 3, 1}; /* none, Wiener, self-guided, switchable */
    const unsigned types[] = {p->loop_restoration_fields.bits.yframe_restoration_type,
                              p->loop_restoration_fields.bits.cbframe_restoration_type,
                              p->loop_restoration_fields.bits.crframe_restoration_type};
    unsigned shift = p->loop_restoration_fields.bits.lr_unit_shift;
    for (int i = 0; i < 3; i++) {
        fake_put(w, coded[types[i]], 2);
    }
    if (types[0] + types[1] + types[2] == 0) {
        return;
    }
    if (p->seq_info_fields.fields.use_128x128_superblock) {
        fake_put(w, shift == 2, 1);
    } else {
        fake_put(w, shift > 0, 1);
        if (shift > 0) {
            fake_put(w, shift == 2, 1);
        }
    }
    if (types[1] + types[2] > 0) {
        fake_put(w, p->loop_restoration_fields.bits.lr_uv_shift, 1);
    }
}

/* Loop filter, CDEF, restoration, transforms. */
static void write_filters(const VADecPictureParameterBufferAV1 *p, struct fake_writer *w)
{
    bool lossless = is_lossless(p), copies = p->pic_info_fields.bits.allow_intrabc;
    if (!lossless && !copies) {
        write_loop_filter(p, w);
    }
    if (!lossless && !copies && p->seq_info_fields.fields.enable_cdef) {
        fake_put(w, p->cdef_damping_minus_3, 2);
        fake_put(w, p->cdef_bits, 2);
        for (unsigned i = 0; i < 1u << p->cdef_bits; i++) {
            fake_put(w, p->cdef_y_strengths[i], 6);
            fake_put(w, p->cdef_uv_strengths[i], 6);
        }
    }
    if (!lossless && !copies) {
        write_restoration(p, w);
    }
    if (!lossless) {
        fake_put(w, p->mode_control_fields.bits.tx_mode == 2, 1);
    }
}

/* Whether the header has skip_mode_present: two references around the frame, or two before it.
 * 5.9.22 */
static bool may_skip(const struct fake_va_av1 *a, const VADecPictureParameterBufferAV1 *p)
{
    const unsigned bits = hint_bits(p);
    const int half = 1 << (bits - 1);
    int before = -2 * half, earlier = -2 * half; /* distances */
    bool behind = false;
    for (int i = 0; i < REFS; i++) {
        int far = (int)(a->hint[p->ref_frame_idx[i]] - p->order_hint);
        far = (far & (half - 1)) - (far & half);
        before = far < 0 && far > before ? far : before;
        behind = behind || far > 0;
    }
    for (int i = 0; i < REFS; i++) {
        int far = (int)(a->hint[p->ref_frame_idx[i]] - p->order_hint);
        far = (far & (half - 1)) - (far & half);
        earlier = far < before && far > earlier ? far : earlier;
    }
    return before > -2 * half && (behind || earlier > -2 * half);
}

static void write_references(const VADecPictureParameterBufferAV1 *p, struct fake_writer *w)
{
    if (hint_bits(p) > 0) {
        fake_put(w, 0, 1); /* all are named */
    }
    for (int i = 0; i < REFS; i++) {
        fake_put(w, p->ref_frame_idx[i], 3);
    }
    fake_put(w, 0, 1); /* render_and_frame_size_different */
    if (!p->pic_info_fields.bits.force_integer_mv) {
        fake_put(w, p->pic_info_fields.bits.allow_high_precision_mv, 1);
    }
    fake_put(w, p->interp_filter == 4, 1);
    if (p->interp_filter != 4) {
        fake_put(w, p->interp_filter, 2);
    }
    fake_put(w, p->pic_info_fields.bits.is_motion_mode_switchable, 1);
    if (!p->pic_info_fields.bits.error_resilient_mode && hint_bits(p) > 0) {
        fake_put(w, p->pic_info_fields.bits.use_ref_frame_mvs, 1);
    }
}

/* uncompressed_header, 5.9.2 */
static void write_frame(const struct fake_va_av1 *a, const VADecPictureParameterBufferAV1 *p,
                        struct way way, struct fake_writer *w)
{
    bool intra = is_intra(p), key = p->pic_info_fields.bits.frame_type == KEY_FRAME;
    bool resilient = p->pic_info_fields.bits.error_resilient_mode;
    fake_put(w, 0, 1);
    fake_put(w, p->pic_info_fields.bits.frame_type, 2);
    fake_put(w, way.show, 1);
    if (!way.show) {
        fake_put(w, way.showable, 1);
    }
    if (!key) {
        fake_put(w, resilient, 1);
    }
    fake_put(w, p->pic_info_fields.bits.disable_cdf_update, 1);
    fake_put(w, p->pic_info_fields.bits.allow_screen_content_tools, 1);
    if (p->pic_info_fields.bits.allow_screen_content_tools) {
        fake_put(w, p->pic_info_fields.bits.force_integer_mv, 1);
    }
    fake_put(w, 0, 1); /* the sequence's size */
    fake_put(w, p->order_hint, hint_bits(p));
    if (!intra && !resilient) {
        fake_put(w, p->primary_ref_frame, 3);
    }
    if (!key) {
        fake_put(w, way.refresh, 8);
    }
    for (int i = 0; !key && resilient && hint_bits(p) > 0 && i < SLOTS; i++) {
        fake_put(w, a->hint[i], hint_bits(p));
    }
    if (!intra) {
        write_references(p, w);
    } else {
        fake_put(w, 0, 1); /* render_and_frame_size_different */
        if (p->pic_info_fields.bits.allow_screen_content_tools) {
            fake_put(w, p->pic_info_fields.bits.allow_intrabc, 1);
        }
    }
    if (!p->pic_info_fields.bits.disable_cdf_update) {
        fake_put(w, p->pic_info_fields.bits.disable_frame_end_update_cdf, 1);
    }
    write_tiles(p, w);
    write_quantisers(p, w);
    write_filters(p, w);
    if (!intra) {
        fake_put(w, p->mode_control_fields.bits.reference_select, 1);
        if (p->mode_control_fields.bits.reference_select && hint_bits(p) > 0 && may_skip(a, p)) {
            fake_put(w, p->mode_control_fields.bits.skip_mode_present, 1);
        }
        if (!resilient) {
            fake_put(w, p->pic_info_fields.bits.allow_warped_motion, 1);
        }
    }
    fake_put(w, p->mode_control_fields.bits.reduced_tx_set_used, 1);
    if (!intra) {
        fake_put(w, 0, REFS); /* no global motion */
    }
}

/* ---- Units */

static bool put_head(struct fake_va_bytes *to, unsigned type, size_t size)
{
    uint8_t head[1 + SIZE_MAX_BYTES] = {(uint8_t)(type << 3 | 2)};
    size_t n = 1;
    do {
        head[n++] = (uint8_t)((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
        size >>= 7;
    } while (size > 0 && n < sizeof(head));
    return fake_va_decode_append(to, head, n);
}

/* Header and tiles in one unit. */
static bool put_frame(const struct fake_va_av1 *a, const struct frame *f, struct way way,
                      struct fake_va_bytes *to)
{
    uint8_t header[HEADER_MAX] = {0};
    struct fake_writer w = {.data = header, .room = sizeof(header)};
    write_frame(a, &f->p, way, &w);
    w.at = (w.at + 7) / 8 * 8; /* byte_alignment */
    if (f->count > 1) {
        fake_put(&w, 0, 8); /* all tiles are here */
    }
    size_t size = w.at / 8 + f->tiles.size + 4 * (f->count - (size_t)1), at = 0;
    bool good =
        !w.bad && put_head(to, OBU_FRAME, size) && fake_va_decode_append(to, header, w.at / 8);
    for (unsigned i = 0; good && i < f->count; i++) {
        size_t less = f->sizes[i] - 1;
        const uint8_t bytes[] = {(uint8_t)less, (uint8_t)(less >> 8), (uint8_t)(less >> 16),
                                 (uint8_t)(less >> 24)};
        good = (i + 1 == f->count || fake_va_decode_append(to, bytes, sizeof(bytes))) &&
               fake_va_decode_append(to, f->tiles.data + at, f->sizes[i]);
        at += f->sizes[i];
    }
    return good;
}

static bool put_sequence(const VADecPictureParameterBufferAV1 *p, struct fake_va_bytes *to)
{
    uint8_t header[HEADER_MAX] = {0};
    struct fake_writer w = {.data = header, .room = sizeof(header)};
    write_sequence(p, &w);
    size_t size = (w.at + 7) / 8;
    return !w.bad && put_head(to, OBU_SEQUENCE, size) && fake_va_decode_append(to, header, size);
}

/* The frame before, as what it was found to replace. */
static bool put_before(struct fake_va_av1 *a, const VADecPictureParameterBufferAV1 *next,
                       struct fake_va_bytes *to)
{
    const VADecPictureParameterBufferAV1 *p = &a->before.p;
    struct way way = {.showable = p->pic_info_fields.bits.showable_frame};
    for (int i = 0; a->before.count > 0 && i < SLOTS; i++) {
        way.refresh |= next->ref_frame_map[i] == p->current_frame ? 1u << i : 0;
    }
    if (way.refresh != 0 && !put_frame(a, &a->before, way, to)) {
        return false;
    }
    for (int i = 0; i < SLOTS; i++) {
        if ((way.refresh >> i & 1) != 0) {
            a->surface[i] = p->current_frame;
            a->hint[i] = p->order_hint;
        }
    }
    return true;
}

static bool take(struct fake_va_decode *d, struct frame *f)
{
    memcpy(&f->p, d->picture, sizeof(f->p));
    f->count = d->slice_count;
    f->tiles.size = 0;
    for (unsigned i = 0; i < d->slice_count; i++) {
        f->sizes[i] = d->slice[i].size;
    }
    return fake_va_decode_append(&f->tiles, d->data.data, d->data.size);
}

static VAStatus make(struct fake_va_decode *d)
{
    struct fake_va_av1 *a = d->av1;
    const VADecPictureParameterBufferAV1 *p = d->picture;
    bool key = p->pic_info_fields.bits.frame_type == KEY_FRAME;
    if (!is_taken(p) || d->slice_count != (unsigned)p->tile_cols * p->tile_rows) {
        return VA_STATUS_ERROR_UNIMPLEMENTED;
    }
    bool good = put_head(&d->made, OBU_DELIMITER, 0) && (!key || put_sequence(p, &d->made)) &&
                (key || put_before(a, p, &d->made));
    for (int i = 0; !is_intra(p) && i < REFS; i++) {
        unsigned slot = p->ref_frame_idx[i];
        if (slot >= SLOTS || a->surface[slot] != p->ref_frame_map[slot]) {
            return VA_STATUS_ERROR_UNIMPLEMENTED; /* a keyframe was shown again */
        }
    }
    good = good && take(d, &a->before) &&
           put_frame(a, &a->before, (struct way){.refresh = key ? ALL : 0, .show = true}, &d->made);
    for (int i = 0; key && i < SLOTS; i++) {
        a->surface[i] = p->current_frame;
        a->hint[i] = p->order_hint;
    }
    a->before.count = key ? 0 : a->before.count;
    return good ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_OPERATION_FAILED;
}

const struct fake_va_decode_kind fake_va_decode_av1 = {
    .name = "av1",
    .decoder = "libdav1d",
    .picture_size = sizeof(VADecPictureParameterBufferAV1),
    .slice_size = sizeof(VASliceParameterBufferAV1),
    .given = true,
    .make = make};
