#ifndef GM_MEDIA_ENCODE_ENCODER_H
#define GM_MEDIA_ENCODE_ENCODER_H

#include <libavcodec/avcodec.h>

#include "common/buf.h"
#include "media/encode/vbv.h"

/* One video encoder, whatever the codec and the chain: settings come from the plan alone. No scene
 * cuts, keyframes where they are forced and nowhere else, closed GOPs, one reorder depth, the same
 * parameter sets each time. In software (chain cpu) besides: one thread of work, and the same
 * frames give the same bytes on every x86 machine. Used by `plan` once, for the headers, and by
 * `encode` for each chunk and rendition. Which library makes which codec on which chain: the table
 * in encoder_check.c; its settings: encoder_<library>.c.
 *
 * On a chain of a device frames are given in memory all the same, or as the device's own where
 * gm_encoder_params.surfaces says so. Every call may fail with
 * DEVICE_ABSENT, DEVICE_DRIVER, DEVICE_MEMORY, DEVICE_BUSY or DEVICE_LOST there, in place of MEDIA;
 * after DEVICE_LOST only close is left. An open encoder holds one of the device's sessions.
 */
struct gm_encoder; /* opaque */

struct gm_encoder_params {
    const Gm__Rendition *rendition; /* borrowed for the call */
    const Gm__VideoFacts *facts;    /* borrowed for the call */
    uint32_t timescale;             /* ticks a second of frame->pts */
    AVRational rate;                /* constant frame rate, or 0/1 */
    /* Of a chunk: what it may take of the rendition's declared buffer; borrowed for the call. NULL:
     * the plan's own look at the headers, or no cap. */
    const struct gm_vbv_limits *limits;
    int32_t crf_centi;  /* hundredths, instead of the rendition's; 0: the rendition's */
    const char *chain;  /* Policy.chain; NULL or "": cpu; borrowed for the call */
    const char *device; /* gm_task_io.device, for chains of devices; borrowed for the call */
    /* Chains nvenc and vaapi: where pictures that lie on the device come from (an AVHWFramesContext
     * of the rendition's size; media/device/device_picture.h): all frames are of it; the encoder
     * opens there, and device is not looked at. Referenced. NULL: all frames are given in memory.
     */
    AVBufferRef *surfaces;
};

/* Errors: INVAL  sizes, rates or qualities out of range, or a codec or chain without an encoder
 *         PIPELINE_UNFIT  what this encoder, or this device's, can't do with the rendition
 *         MEDIA  the library refused (native = AVERROR)
 *         NOMEM. */
int gm_encoder_open(const struct gm_encoder_params *params, struct gm_encoder **out,
                    struct gm_err *err) GM_MUST_CHECK;
void gm_encoder_close(struct gm_encoder **encoder);
/* frame: in the rendition's size and pixel format, or of gm_encoder_params.surfaces, pts rising;
 * pict_type I: a keyframe (closed, an IDR) begins here, else NONE. Borrowed for the call. NULL: no
 * more; then receive until nothing is left. Errors: MEDIA, NOMEM. */
int gm_encoder_send(struct gm_encoder *encoder, const AVFrame *frame,
                    struct gm_err *err) GM_MUST_CHECK;
/* The next packet in decode order; *out_got false: none yet (after the end: none any more). One
 * packet a frame, with its pts; AV_PKT_FLAG_KEY says keyframe. The caller unrefs it.
 * Errors: MEDIA, NOMEM. */
int gm_encoder_receive(struct gm_encoder *encoder, AVPacket *packet, bool *out_got,
                       struct gm_err *err) GM_MUST_CHECK;
/* What stands before the stream (H.264, HEVC: parameter sets, Annex B; VP9: the body of vpcC); the
 * same for every chunk of a rendition. Borrowed until close. Empty where only the stream tells it:
 * then the first packet repeats what gm_encoder_describe gives. */
const uint8_t *gm_encoder_headers(const struct gm_encoder *encoder, size_t *out_size);
/* The same for the plan, never empty (AV1: the sequence header), and by how many pictures
 * some are decoded before those shown earlier, at most. Opens an encoder, which may be given a
 * black picture. headers: appended to. Errors: as open; MEDIA. */
int gm_encoder_describe(const struct gm_encoder_params *params, struct gm_buf *headers,
                        int *out_reorder, struct gm_err *err) GM_MUST_CHECK;
/* Whether captions that come with a picture (AV_FRAME_DATA_A53_CC) get into its packet; false: who
 * wants them there adds them (media/captions.h). */
bool gm_encoder_takes_captions(const struct gm_encoder *encoder);
/* Places that a picture may move between presentation and decode order; 0: none moves. */
int gm_encoder_reorder(const struct gm_encoder *encoder);
/* Names the library and its build, where it can be told, for the chain's fingerprint:
 * "x264-164-..."; of a device: libavcodec's version, the driver's interfaces. May open the encoder
 * and encode a black picture. Errors: as open, and MEDIA. */
int gm_encoder_build(const struct gm_encoder_params *params, char out[64],
                     struct gm_err *err) GM_MUST_CHECK;

/* "cpu" for NULL and "", else what it is given. */
const char *gm_encoder_chain(const char *chain);
/* libavcodec has the encoder of the codec on that chain; whether it opens is not asked. */
bool gm_encoder_is_there(const char *chain, const char *codec);
/* Whether that chain's encoder of the codec takes no limits but their crf_add: a chunk that broke
 * its promise says what the next attempt's is to be (gm_vbv_worse). Others keep a cap by their own
 * rate control, and get less each time (gm_vbv_limits). */
bool gm_encoder_caps_by_crf(const char *chain, const char *codec);
/* Whose fault it is that an encoder gave something else than was promised, or nothing that can be
 * read: on a chain of a device MEDIA in rc and *err becomes MEDIA_VERIFY, which blames the device
 * and not the input. Returns rc as it is then. */
int gm_encoder_blame(const char *chain, int rc, struct gm_err *err);
/* Opens the chain's device and keeps it ready until *out goes (av_buffer_unref): encoders that are
 * opened meanwhile share it, which saves its start each time. scales: pictures are to be scaled
 * there, for gm_encoder_params.surfaces. *out NULL: there is nothing to share, nor what scales. */
int gm_encoder_hold(const char *chain, const char *device, bool scales, AVBufferRef **out,
                    struct gm_err *err) GM_MUST_CHECK;

#endif
