#ifndef GM_MEDIA_DEVICE_PACKED_H
#define GM_MEDIA_DEVICE_PACKED_H

#include <libavutil/frame.h>

#include "common/err.h"

/* 4:2:0 in memory between libavcodec's planar layouts and the ones that devices take: NV12 (two
 * planes, chroma interleaved) and P010 (the same in 16 bits, samples in the upper ten). Nothing is
 * computed: the samples stay what they are. Pure. */

/* NV12 for 8 bits, P010 for 10. */
enum AVPixelFormat gm_packed_format(unsigned bits);
/* from: yuv420p to a NV12 frame, yuv420p10le to a P010 one, or each back; to: with buffers,
 * writable, of from's size. Properties (times, side data) are not copied. Errors: BUG (other
 * formats or sizes). */
int gm_packed_copy(const AVFrame *from, AVFrame *to, struct gm_err *err) GM_MUST_CHECK;

#endif
