#ifndef GM_MEDIA_SOURCE_SPLIT_META_H
#define GM_MEDIA_SOURCE_SPLIT_META_H

#include "media/source/claims.h"
#include "media/source/losses.h"
#include "media/source/split_chunk.h"
#include "media/source/split_frames.h"
#include "media/source/split_text.h"
#include "media/source/split_tracks.h"
#include "media/source/steady.h"

/* Inside of the split task: its state, and what it says of the source when all is read. */

struct gm_splitter {
    struct gm_task_io *io;
    Gm__Inspection *facts; /* owned */
    Gm__Policy *policy;    /* owned */
    struct gm_source_file file;
    struct gm_source source;
    AVPacket *packet; /* owned */
    bool decode;
    struct gm_split_store video;
    struct gm_split_frames frames;
    struct gm_timeline timeline;
    struct gm_split_chunk chunk;
    uint32_t produced, skip;
    uint64_t last_frame_id;
    Gm__FrameEntry recent[GM_SPLIT_CONTEXT]; /* the last frames taken */
    size_t recent_count;
    bool keyframe_seen;
    struct gm_split_tracks tracks;
    struct gm_split_text text;
    struct gm_burn_read *burn; /* owned; NULL: no subtitles are drawn */
    int64_t dropped, read_errors, corrupt;
    struct gm_steady steady;
    struct gm_losses losses;
    bool truncated;             /* reading broke off */
    struct gm_claims_span span; /* of the packets taken */
    int64_t most_end_us;        /* where the span may end */
    int64_t most_us;            /* and how long the programme may be */
};

/* Items, frames, what is lost or damaged, warnings. end_ts: of the last picture. out: initialised;
 * its lists are the caller's to free, also on failure. Errors: INPUT_TRUNCATED where the pipeline
 * wants no source that is cut off; NOMEM. */
int gm_split_meta_fill(struct gm_splitter *s, int64_t end_ts, Gm__SplitMeta *out,
                       struct gm_err *err) GM_MUST_CHECK;

#endif
