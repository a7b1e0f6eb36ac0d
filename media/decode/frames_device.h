#ifndef GM_MEDIA_DECODE_FRAMES_DEVICE_H
#define GM_MEDIA_DECODE_FRAMES_DEVICE_H

#include <libavcodec/avcodec.h>

#include "common/err.h"
#include "media/decode/device_decoder.h"
#include "media/device/hw.h"

/* A device's decoder that gives what the software decoder gives, or says that it may not (inside of
 * media/decode/frames.c). The device gives samples alone. What else a picture has - colours, aspect
 * - is taken from keyframes, which software decodes too, each alone: at least the first one, then
 * those GM_FRAMES_CHECK packets or more apart. Their pictures must be the device's, sample for
 * sample, and come before as many packets have gone in. Streams and packets with more to them are
 * refused: captions, fields, side data, corrupt packets. All-zero has no device. */
#define GM_FRAMES_CHECK 48
#define GM_FRAMES_DOUBTS 8 /* then the device is given up */

struct gm_frames_device {
    AVBufferRef *device;          /* owned reference; NULL: none, or none any more */
    char label[GM_HW_LABEL_SIZE]; /* of the device, also when it is given up */
    const char *api; /* static: of the one that it is or was, as gm_device_decoder_api */
    const char *why; /* static: why it is not used any more; NULL: it is, or never was */
    struct gm_device_decoder *decoder; /* owned; NULL: none is open */
    AVCodecParameters *par;            /* owned, of the decoder, as the others */
    AVCodecParserContext *parser;
    AVCodecContext *parsing;
    AVFrame *like;    /* the newest keyframe by software */
    AVFrame *pending; /* waits for the device's picture; NULL: none */
    uint64_t checked; /* the keyframe that `like` is of */
    unsigned doubts;
    bool stays;            /* pictures stay on the device */
    AVBufferRef *pool;     /* owned: of these, also from one decoder to the next; NULL: none */
    bool assists;          /* its failures are no errors: the device is given up */
    struct gm_err failure; /* why it was, by its own fault; code GM_OK: it was not */
};

enum gm_frames_doubt {
    GM_FRAMES_FIT,
    GM_FRAMES_UNFIT_HERE, /* what comes next may fit again: damage, for instance */
    GM_FRAMES_UNFIT       /* the stream: the device is given up */
};

/* device: of gm_hw_open or gm_vaapi_open; referenced. Errors: NOMEM. */
int gm_frames_device_set(struct gm_frames_device *d, AVBufferRef *device,
                         struct gm_err *err) GM_MUST_CHECK;
void gm_frames_device_fini(struct gm_frames_device *d);
/* Why software decodes after an error of a device; static. NULL: no error of a device. */
const char *gm_frames_device_excuse(enum gm_code code);
/* An assisting device lacks what is needed beside its decoder: closed, and given up. False: there
 * is none, or it does not assist. */
bool gm_frames_device_yield(struct gm_frames_device *d, const struct gm_err *cause);
/* Opens a decoder where the device has one for that stream: d->decoder. Errors: of
 * gm_device_decoder_open; where it assists, NOMEM alone, as gm_frames_device_send. */
int gm_frames_device_open(struct gm_frames_device *d, const AVCodecParameters *par,
                          struct gm_err *err) GM_MUST_CHECK;
void gm_frames_device_close(struct gm_frames_device *d);
/* The decoder is open. packet: its pts is its id; NULL: the end, once. Unless *out_doubt is FIT
 * nothing that came of the decoder may be used, *out_why (static) says why, and the decoder is
 * closed. Errors: of gm_device_decoder_send. */
int gm_frames_device_send(struct gm_frames_device *d, const AVPacket *packet,
                          enum gm_frames_doubt *out_doubt, const char **out_why,
                          struct gm_err *err) GM_MUST_CHECK;
/* The next picture, as the software decoder would give it, or the device's own with the same
 * properties (stays); *out owned; NULL: none is ready. Side data that no later stage reads is left
 * out. Errors: of gm_device_picture_download; where it assists, NOMEM alone. */
int gm_frames_device_take(struct gm_frames_device *d, AVFrame **out,
                          enum gm_frames_doubt *out_doubt, const char **out_why,
                          struct gm_err *err) GM_MUST_CHECK;

#endif
