#ifndef GM_MEDIA_FORMAT_FMP4_BOX_H
#define GM_MEDIA_FORMAT_FMP4_BOX_H

#include "common/buf.h"

/* What the files fmp4_*.c share: ISO base media boxes. Private to them.
 * Source: ISO/IEC 14496-12:2015 4.2. */

#define GM_FOURCC(a, b, c, d)                                                                      \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* Starts a box (type: four characters); returns where, for gm_box_close. */
size_t gm_box_open(struct gm_buf *buf, const char *type);
size_t gm_box_open_full(struct gm_buf *buf, const char *type, uint8_t version, uint32_t flags);
/* Sets the size of the box that starts at `start`. A buffer that failed is left alone. */
void gm_box_close(struct gm_buf *buf, size_t start);
/* Overwrites 4 bytes at `at`. */
void gm_box_patch32(struct gm_buf *buf, size_t at, uint32_t v);
void gm_box_zeros(struct gm_buf *buf, size_t count);

/* Bytes being read; never past `end`. */
struct gm_box_view {
    const uint8_t *at;
    const uint8_t *end;
};
struct gm_box {
    uint32_t type;
    const uint8_t *start; /* first byte of the header */
    struct gm_box_view body;
};
static inline size_t gm_box_left(const struct gm_box_view *v)
{
    return (size_t)(v->end - v->at);
}
/* The next box of v. Errors: MEDIA when it does not fit, or its size is "to the end". */
int gm_box_next(struct gm_box_view *v, struct gm_box *out, struct gm_err *err) GM_MUST_CHECK;
/* The next box of v, which must be of that type. */
int gm_box_expect(struct gm_box_view *v, uint32_t type, struct gm_box *out,
                  struct gm_err *err) GM_MUST_CHECK;
/* Big-endian readers; false: not enough bytes, nothing taken. */
bool gm_box_u16(struct gm_box_view *v, uint16_t *out);
bool gm_box_u32(struct gm_box_view *v, uint32_t *out);
bool gm_box_u64(struct gm_box_view *v, uint64_t *out);
bool gm_box_skip(struct gm_box_view *v, size_t count);

struct gm_fmp4_video;
/* The stsd box of pictures; what gm_fmp4_video_init checks first, so that it can't fail. */
int gm_fmp4_entry_check(const struct gm_fmp4_video *video, struct gm_err *err) GM_MUST_CHECK;
void gm_fmp4_add_video_stsd(struct gm_buf *out, const struct gm_fmp4_video *video);

/* Flags of tfhd and trun: what is said once for a fragment, and what for each sample. See: ISO/IEC
 * 14496-12 8.8.7, 8.8.8. */
#define TFHD_DURATION 0x000008U
#define TFHD_SIZE 0x000010U
#define TFHD_FLAGS 0x000020U
#define TFHD_MOOF_BASE 0x020000U
#define TRUN_OFFSET 0x000001U
#define TRUN_FIRST_FLAGS 0x000004U
#define TRUN_DURATION 0x000100U
#define TRUN_SIZE 0x000200U
#define TRUN_FLAGS 0x000400U
#define TRUN_CTS 0x000800U

#endif
