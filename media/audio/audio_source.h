#ifndef GM_MEDIA_AUDIO_AUDIO_SOURCE_H
#define GM_MEDIA_AUDIO_AUDIO_SOURCE_H

#include "media/audio/audio_line.h"
#include "media/task_io.h"

/* One sound track of split's, as one unbroken run of samples from programme zero: what the tasks
 * that work on sound begin with. audio_decode and audio_line do the work; here the chunks are
 * walked. */
struct gm_audio_source; /* opaque */

/* Starts of video segments that became known (Policy.timescale), borrowed for the call. */
typedef int (*gm_audio_borders_fn)(const int64_t *starts_ts, size_t count, void *arg,
                                   struct gm_err *err);

struct gm_audio_source_params {
    struct gm_task_io *io;       /* borrowed */
    const Gm__Inspection *facts; /* borrowed */
    const Gm__Policy *policy;    /* borrowed */
    uint32_t track;              /* of policy->audio */
    gm_audio_sink_fn sink;
    gm_audio_borders_fn borders; /* NULL: not wanted */
    void *arg;
};
struct gm_audio_source_counts {
    struct gm_audio_line_counts line;
    int64_t decode_errors; /* packets that did not decode */
};

/* Errors: PROTO (the plan has no such track), NOMEM. */
int gm_audio_source_create(const struct gm_audio_source_params *params,
                           struct gm_audio_source **out, struct gm_err *err) GM_MUST_CHECK;
/* Gives the whole track to sink, at least as many samples as the programme lasts, and at least one.
 * The first time chunks are taken as they come; again: the same ones are read once more, with the
 * same samples. Errors: MEDIA_CHUNK, PROTO, the sink's and the io's. */
int gm_audio_source_run(struct gm_audio_source *s, struct gm_err *err) GM_MUST_CHECK;
/* Of the latest run. */
struct gm_audio_source_counts gm_audio_source_counts(const struct gm_audio_source *s);
void gm_audio_source_destroy(struct gm_audio_source **s);

#endif
