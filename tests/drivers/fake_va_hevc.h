/* What the fake VA driver's files of HEVC share. See: ITU-T H.265 7.3.2, 7.3.6. */
#ifndef GM_TESTS_DRIVERS_FAKE_VA_HEVC_H
#define GM_TESTS_DRIVERS_FAKE_VA_HEVC_H

#include "fake_va.h"
#include "fake_x265.h"

/* What SPS and PPS say, as far as the fake needs it. */
struct fake_va_hevc_sets {
    struct fake_va_hevc_shape { /* what slice data hang on: the same where they are exchanged */
        unsigned width, height, luma_bits, chroma_bits;
        unsigned min_cb, diff_cb, min_tb, diff_tb, depth_inter, depth_intra;
        unsigned amp, strong_smoothing, sign_hiding, constrained_intra, transform_skip;
        unsigned cu_qp_delta, cu_qp_depth, bypass, merge_level;
        int cb, cr;
    } shape;
    unsigned poc_bits, references, loop_across; /* references: the default of list 0 */
    int init_qp;
};

struct fake_va_hevc_coder { /* one libx265 */
    struct fake_x265 x265;
    AVFrame *frame;   /* owned: the picture at work, planar */
    uint8_t *headers; /* owned: VPS, SPS, PPS */
    size_t header_size;
    struct fake_va_hevc_sets sets;
    int64_t count;
};

struct fake_va_hevc {
    VAEncSequenceParameterBufferHEVC sequence;
    VAEncPictureParameterBufferHEVC picture;
    VAEncSliceParameterBufferHEVC slice;
    bool has_sets;
    struct fake_va_hevc_sets sets; /* the application's */
    struct fake_va_hevc_coder reference, between;
};

/* fake_va_hevc_coder.c: codes one picture; *out: its NAL units, borrowed until the coder's next. */
VAStatus fake_va_hevc_picture(struct fake_va_context *context, struct fake_va_hevc_coder *coder,
                              bool intra, const struct fake_va_surface *surface, bool spoil,
                              const uint8_t **out, size_t *out_size);
void fake_va_hevc_close_coder(struct fake_va_hevc_coder *coder);

/* fake_va_hevc_slice.c. false: they are missing, or have what the fake does not do (SAO, temporal
 * motion vectors, PCM, tiles, weights, ...). */
bool fake_va_hevc_read_sets(const uint8_t *data, size_t size, struct fake_va_hevc_sets *out);
/* The coder's slice of one picture behind the application's slice header (a NAL unit with its start
 * code), appended to out at *io_size, of room bytes. false: more than one slice, parameter sets
 * that slice data can't be exchanged between, or no room. */
bool fake_va_hevc_join(const struct fake_va_hevc_sets *sets, const struct fake_va_header *header,
                       const struct fake_va_hevc_sets *own, const uint8_t *coded, size_t coded_size,
                       uint8_t *out, size_t room, size_t *io_size);

#endif
