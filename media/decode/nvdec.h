#ifndef GM_MEDIA_DECODE_NVDEC_H
#define GM_MEDIA_DECODE_NVDEC_H

#include <libavcodec/avcodec.h>

#include "common/err.h"

/* Decoding by an NVIDIA GPU: the driver's own parser and decoder, libnvcuvid.so.1, opened at run
 * time. libavcodec's *_cuvid decoders are not used: they never ask whether a picture was decoded
 * without an error, and give one number for all failures of the driver.
 *
 * Only what the standard defines bit for bit, and what needs nothing but samples: progressive H.264
 * (8 bit), HEVC (Main, Main 10), VP9 (profiles 0 and 2) and AV1 (Main, without film grain), 4:2:0,
 * of even width and height, as far as the chip has it. A picture is its samples and its packet's
 * number: colours, aspect, captions and the like are the caller's. Thread: one at a time.
 * Source: NVDEC Video Decoder API Programming Guide; ITU-T H.264, H.265; VP9 and AV1
 * specifications.
 */
struct gm_nvdec; /* opaque */

/* device: of gm_hw_open; referenced. pool: NULL: pictures come to memory; else they stay in the
 * device's, out of *pool (media/device/cuda_picture.h), the caller's, which is made anew unless it
 * fits. *out: owned; NULL: this stream is none for it, and *out_why, a static half sentence, says
 * why. Errors: DEVICE_ABSENT (the device has gone), DEVICE_BUSY, DEVICE_MEMORY, DEVICE_LOST, NOMEM.
 */
int gm_nvdec_open(AVBufferRef *device, const AVCodecParameters *par, AVBufferRef **pool,
                  struct gm_nvdec **out, const char **out_why, struct gm_err *err) GM_MUST_CHECK;
void gm_nvdec_close(struct gm_nvdec **nvdec);
/* The next packet, as the stream's parameters say it is framed; NULL: the end, once, last. id:
 * below GM_NVDEC_IDS, rising. *out_why: NULL, or why what came and comes of this stream is not to
 * be relied on: only close is of use then. Errors: as gm_nvdec_open. */
#define GM_NVDEC_IDS ((uint64_t)1 << 40)
int gm_nvdec_send(struct gm_nvdec *nvdec, const AVPacket *packet, uint64_t id, const char **out_why,
                  struct gm_err *err) GM_MUST_CHECK;
/* The next picture that is ready, in the stream's order; owned; NULL: none: the newest that was
 * decoded is still copied, in page-locked memory where the driver gives such, while the next one is
 * decoded. Planar, 8 or 10 bit,
 * or the device's; pts: its packet's id. AV_FRAME_FLAG_CORRUPT: the device says that its bits were
 * damaged. */
AVFrame *gm_nvdec_take(struct gm_nvdec *nvdec);

#endif
