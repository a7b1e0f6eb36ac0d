#ifndef GM_MEDIA_DECODE_ASSIST_H
#define GM_MEDIA_DECODE_ASSIST_H

#include "media/decode/frames.h"
#include "media/task_io.h"

/* A GPU that decodes for a task of the processors (docs/adr/0024): gm_task_io.decode_device. The
 * pictures are those of software, and what fails goes on in software; the task never fails for it.
 * Thread: one at a time. */

/* Before the first gm_frames_next: frames decodes with io's GPU where there is one that was proved
 * for the source's codec, and opens. What fails is told to io. own: of gm_vaapi_open, for io's
 * device; where that is the GPU which decodes, it does so there, and pictures stay
 * (gm_frames_stay); NULL: none is open. Errors: NOMEM. */
int gm_assist_open(const struct gm_task_io *io, const Gm__VideoFacts *facts, AVBufferRef *own,
                   struct gm_frames *frames, struct gm_err *err) GM_MUST_CHECK;
/* After a gm_frames_next: tells io of the GPU's failure, once; *told: that it was. */
void gm_assist_tell(const struct gm_task_io *io, const struct gm_frames *frames, bool *told);

#endif
