#ifndef GM_MEDIA_AUDIO_AUDIO_DECODE_H
#define GM_MEDIA_AUDIO_AUDIO_DECODE_H

#include <libavcodec/avcodec.h>

#include "media/task_io.h"

/* Decodes one sound track's chunk objects, in order, with one decoder that goes on from chunk to
 * chunk: what comes out does not depend on where the chunks were cut. */
struct gm_audio_decode; /* opaque */

/* frame: borrowed for the call; pts in the chunks' time base or AV_NOPTS_VALUE. */
typedef int (*gm_audio_frame_fn)(const AVFrame *frame, void *arg, struct gm_err *err);

int gm_audio_decode_create(struct gm_task_io *io, gm_audio_frame_fn fn, void *arg,
                           struct gm_audio_decode **out, struct gm_err *err) GM_MUST_CHECK;
/* Opens the chunk in fd and gives its header, borrowed until the next open. fd: borrowed until
 * gm_audio_decode_run returned. Errors: MEDIA_CHUNK, INPUT_CODEC, NOMEM, SYS. */
int gm_audio_decode_open(struct gm_audio_decode *d, int fd, const Gm__ChunkHeader **out_header,
                         struct gm_err *err) GM_MUST_CHECK;
/* Decodes the chunk that was opened. Damaged packets are counted and passed over. */
int gm_audio_decode_run(struct gm_audio_decode *d, struct gm_err *err) GM_MUST_CHECK;
/* Gets the decoder's last frames. */
int gm_audio_decode_end(struct gm_audio_decode *d, struct gm_err *err) GM_MUST_CHECK;
int64_t gm_audio_decode_errors(const struct gm_audio_decode *d); /* packets that did not decode */
void gm_audio_decode_destroy(struct gm_audio_decode **d);

#endif
