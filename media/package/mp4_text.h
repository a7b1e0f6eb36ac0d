#ifndef GM_MEDIA_PACKAGE_MP4_TEXT_H
#define GM_MEDIA_PACKAGE_MP4_TEXT_H

#include "media/package/mp4_write.h"
#include "media/task_io.h"

/* Inside of the mp4 task: the text tracks, from the files that subtitles made. */
struct gm_mp4_text; /* opaque */

/* Reads the tracks' files and adds a track each to the writer (before begin). io, policy, writer:
 * borrowed for *out's life. end_ms: of the programme. Errors: PROTO, MEDIA, NOMEM, the io's. */
int gm_mp4_text_open(struct gm_task_io *io, const Gm__Policy *policy, struct gm_mp4_writer *writer,
                     size_t first_track, int64_t end_ms, struct gm_mp4_text **out,
                     struct gm_err *err) GM_MUST_CHECK;
void gm_mp4_text_close(struct gm_mp4_text **t);
/* Writes all samples, those of all tracks by time: they are few and lie before pictures and sound.
 * *out_left_out: how often a cue did not fit the limits. */
int gm_mp4_text_write(struct gm_mp4_text *t, int64_t *out_left_out,
                      struct gm_err *err) GM_MUST_CHECK;

#endif
