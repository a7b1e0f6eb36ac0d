#ifndef GM_MEDIA_DECODE_FRAMES_H
#define GM_MEDIA_DECODE_FRAMES_H

#include <libavutil/frame.h>

#include "common/source_file.h"
#include "media.pb-c.h"

/* Chunk objects in, pictures out: the decoding half of `encode`.
 *
 * For each chunk of a run exactly the frames of ChunkHeader.frames come, in that order. The
 * pictures are those of the chunk decoded alone, with a new decoder, from its first packet to its
 * last and flushed; so they depend on nothing but the chunk object. Where a chunk continues the
 * packets of the one before and nothing was damaged in either, the decoder goes on instead, which
 * gives the same pictures and saves the lead-in. When damage shows in a chunk that was not decoded
 * alone, the chunk begins again, alone (GM_FRAMES_RESTART).
 *
 * A listed frame that does not come is replaced by the picture before it (at the very start by the
 * one after it; black where there is none at all). Caption data comes once: a picture that stands
 * for another has none.
 *
 * Where the chunk lists context (ChunkHeader.before and .after), these pictures come too, in their
 * place in the order.
 */
struct gm_frames;           /* opaque */
#define GM_FRAMES_CONTEXT 4 /* pictures of context on either side, at most */

/* Where chunks come from. Callbacks return 0 or a negative code with err filled. */
struct gm_frames_source {
    void *arg;
    /* The next chunk object of the run: readable, seekable, taken (closed by gm_frames).
     * *out_more = false: the run has ended. */
    int (*next_chunk)(void *arg, bool *out_more, int *out_fd, struct gm_err *err);
    /* The source, for packets by reference. */
    int (*source)(void *arg, struct gm_source_file *out, struct gm_err *err);
    void (*tick)(void *arg); /* called for each packet; may be NULL */
};

enum gm_frames_event {
    GM_FRAMES_CHUNK,     /* a chunk begins; its header is checked */
    GM_FRAMES_BESIDE,    /* a picture of its context: before its frame 0, or after its last */
    GM_FRAMES_PICTURE,   /* its frame `index` */
    GM_FRAMES_RESTART,   /* what came of this chunk is void; it comes again from frame 0 */
    GM_FRAMES_CHUNK_END, /* all its frames came; stats hold */
    GM_FRAMES_RUN_END
};

struct gm_frames_stats {
    uint32_t replaced;  /* listed frames that did not decode */
    uint32_t discarded; /* decoded between listed ones, not listed */
    uint32_t errors;    /* packets or pictures with decode errors, lead-in left out */
    uint32_t decoded;   /* pictures that the decoder gave since the end of the chunk before */
    uint32_t spare; /* of them: no chunk's own. Where a chunk begins again none count from then on
                       to the end of the one behind it, which does not go on */
    bool on_device; /* all its pictures are the device's */
    const char *by; /* static: then: nvdec, vaapi */
    const char
        *device; /* then: which (gm_device_decoder_label), borrowed from the frames; else NULL */
    const char *why; /* static: why not, where there was one; else NULL */
};

/* Says in meta what decoded a chunk; borrowed from stats and static strings. */
void gm_frames_tell(const struct gm_frames_stats *stats, Gm__EncodeItemMeta *meta);

struct gm_frames_step {
    enum gm_frames_event event;
    const Gm__ChunkHeader *header; /* borrowed until the next call; NULL at RUN_END */
    size_t index;                  /* PICTURE: position in header->frames */
    const AVFrame *picture;        /* PICTURE, BESIDE: borrowed until the next call */
    struct gm_frames_stats stats;  /* CHUNK_END */
};

/* source: copied; its arg borrowed for the life. Errors: NOMEM. */
int gm_frames_create(const struct gm_frames_source *source, struct gm_frames **out,
                     struct gm_err *err) GM_MUST_CHECK;
/* Before the first gm_frames_next: chunks are decoded on the device (of gm_hw_open or
 * gm_vaapi_open; referenced) where it has a decoder for them. The pictures are the same: where a
 * stream has more than its decoder gives, or is damaged in any way that shows, the chunk begins
 * again in software (GM_FRAMES_RESTART). The device's own failures are errors. Errors: NOMEM. */
int gm_frames_use_device(struct gm_frames *frames, AVBufferRef *device,
                         struct gm_err *err) GM_MUST_CHECK;
/* After gm_frames_use_device or gm_frames_assist: pictures that the device decoded stay in its
 * memory (media/device/device_picture.h), with the same properties; software's are in memory as
 * ever. */
void gm_frames_stay(struct gm_frames *frames);
/* As gm_frames_use_device, but failures of the device are no errors: software decodes from then on,
 * and gm_frames_failure tells. device NULL: software decodes, and why (static; NULL: not told) is
 * what the chunks' stats say. Errors: NOMEM. */
int gm_frames_assist(struct gm_frames *frames, AVBufferRef *device, const char *why,
                     struct gm_err *err) GM_MUST_CHECK;
/* How the device failed; MEDIA_VERIFY: it gave other pictures than software. Borrowed until
 * destroy. NULL: it did not. */
const struct gm_err *gm_frames_failure(const struct gm_frames *frames);
/* After any step but RUN_END: the assisting device (gm_frames_assist) has not what `cause` says and
 * others need: it is given up, as if its decoder had failed so, and the chunk of that step comes
 * again, with GM_FRAMES_RESTART. False: nothing is decoded on such a device. */
bool gm_frames_yield(struct gm_frames *frames, const struct gm_err *cause);
void gm_frames_destroy(struct gm_frames **frames);
/* After CHUNK_END, before the next call of gm_frames_next: the same chunk comes again, with
 * GM_FRAMES_RESTART and the same pictures. */
void gm_frames_repeat(struct gm_frames *frames);
/* What comes next. After an error only destroy is allowed.
 * Errors: MEDIA_CHUNK  a chunk object is malformed or cut off
 *         INPUT_CHANGED  the source no longer holds a packet
 *         INPUT_CODEC, MEDIA  the decoder did not open
 *         DEVICE_LOST, DEVICE_MEMORY, DEVICE_BUSY, DEVICE_ABSENT  of the device
 *         NOMEM, SYS, and what the callbacks gave. Damaged packets are no errors: they are counted.
 * Thread: one at a time. */
int gm_frames_next(struct gm_frames *frames, struct gm_frames_step *out,
                   struct gm_err *err) GM_MUST_CHECK;

#endif
