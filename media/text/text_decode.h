#ifndef GM_MEDIA_TEXT_TEXT_DECODE_H
#define GM_MEDIA_TEXT_TEXT_DECODE_H

#include "media/av.h"
#include "media/task_io.h"
#include "media/text/cues.h"

/* Split's text chunks decoded to cues. Thread: one at a time. */
struct gm_text_decode; /* opaque */

#define GM_TEXT_MAX_PACKET (1u << 20) /* larger packets are left out */

/* What is text, and is taken; bitmap: what is drawn. */
bool gm_text_is_text(enum AVCodecID id);
bool gm_text_is_bitmap(enum AVCodecID id);

/* io: borrowed. zero: programme time 0 in seconds of source time; NULL: 0. cues: borrowed; appended
 * to. */
int gm_text_decode_create(struct gm_task_io *io, const Gm__Rational *zero, struct gm_cues *cues,
                          struct gm_text_decode **out, struct gm_err *err) GM_MUST_CHECK;
void gm_text_decode_destroy(struct gm_text_decode **d);
/* A chunk: all its packets. *out_header: borrowed until the next chunk or destroy. A packet that
 * does not decode is counted. Errors: MEDIA_CHUNK, INPUT_CODEC, NOMEM, the io's. */
int gm_text_decode_chunk(struct gm_text_decode *d, int fd, const Gm__ChunkHeader **out_header,
                         struct gm_err *err) GM_MUST_CHECK;

struct gm_text_counts {
    int64_t errors;   /* packets that did not decode, had no time or were too large */
    int64_t cut;      /* cues with more text than a cue may have */
    int64_t encoding; /* packets with bytes that are no UTF-8 */
};
struct gm_text_counts gm_text_decode_counts(const struct gm_text_decode *d);

#endif
