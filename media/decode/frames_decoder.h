#ifndef GM_MEDIA_DECODE_FRAMES_DECODER_H
#define GM_MEDIA_DECODE_FRAMES_DECODER_H

#include "media/decode/frames_device.h"
#include "media/decode/frames_keep.h"

/* The decoder of a run, in software or on a device, and where its pictures go (inside of
 * media/decode/frames.c). */

struct gm_frames {
    struct gm_frames_source source;
    struct gm_frames_chunk *first; /* owned list */
    AVCodecContext *decoder;       /* owned; NULL: none is open in software */
    struct gm_frames_device device;
    enum AVCodecID codec; /* of the decoder */
    const char *doubt;    /* static: why what the device gave is void; NULL: it is not */
    uint8_t *par;         /* owned: the parameters that it was opened with */
    size_t par_size;
    AVPacket *packet; /* owned */
    AVFrame *picture; /* owned: what the caller looks at */
    AVFrame *before;  /* owned: the last one decoded ahead of the first listed one; may be NULL */
    struct gm_frames_keep keep;
    uint32_t decoded; /* pictures since the end of a chunk */
    uint32_t spare;   /* as gm_frames_stats */
    bool anew;        /* a chunk began again, and since then none was decoded as it should be */
    uint64_t last_id; /* of the last packet decoded */
    bool any;         /* last_id holds */
    bool can_go_on;   /* the chunk given out last was clean and the decoder was not flushed */
    bool done;        /* next_chunk has said that there are no more */
    bool pop;         /* first was given out whole: drop it at the next call */
    bool again;       /* first was given out whole, and is wanted again */
};

bool gm_frames_decoder_is_open(const struct gm_frames *f);
/* Forgets what was kept of its pictures too. */
void gm_frames_decoder_close(struct gm_frames *f);
/* With those parameters, for chunk c. Errors: of gm_decoder_open, gm_frames_device_open. */
int gm_frames_decoder_open(struct gm_frames *f, struct gm_frames_chunk *c, const uint8_t *data,
                           size_t size, struct gm_err *err) GM_MUST_CHECK;
/* Decodes a packet; its pictures go to the chunks that list them. Damage is noted there; what makes
 * a device's pictures void is f->doubt. Errors: NOMEM, of gm_frames_packet_fill and of devices. */
int gm_frames_decoder_packet(struct gm_frames *f, const struct gm_chunk_packet *p,
                             struct gm_err *err) GM_MUST_CHECK;
/* The same with all that it still holds; then it takes no packet. */
int gm_frames_decoder_drain(struct gm_frames *f, struct gm_err *err) GM_MUST_CHECK;

#endif
