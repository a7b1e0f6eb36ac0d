#ifndef GM_SCHEDULER_METAS_H
#define GM_SCHEDULER_METAS_H

#include <jansson.h>

#include "common/bucket.h"
#include "media.pb-c.h"
#include "proto/streams.h"
#include "scheduler/core/view.h"
#include "scheduler/json.h"

/* What a job's tasks said, decoded: for documents and the report. Thread: the core's. */

/* One rendition or audio track, summed over its segments. */
struct gm_media_sum {
    uint64_t bytes; /* init segment included */
    uint32_t segments;
    int64_t duration_ts;
    int64_t average_bps;
    int64_t peak_bps; /* of a segment */
    /* Renditions with a cap: all chunks' walks through the declared buffer, joined. */
    struct gm_bucket buffer;
    uint32_t chunks;
    uint32_t chunks_retried;              /* encoded more than once, for the buffer or the budget */
    int32_t min_crf_centi, max_crf_centi; /* that analyze led to; 0: it was not asked */
    double expected_score;
};

/* What did a step of chunks' encoding, in the order it was met. */
#define GM_METAS_WAYS 16 /* the last one is "other": all that come when there are so many */
struct gm_way_sum {
    char by[16];     /* software, nvdec, vaapi, cuda */
    char device[96]; /* which one, of what decoded on one; else "" */
    char reason[96]; /* why software, where there was a device; else "" */
    uint32_t chunks;
};
struct gm_ways {
    struct gm_way_sum sums[GM_METAS_WAYS];
    size_t count;
};

struct gm_metas {
    Gm__Inspection *inspection; /* owned; NULL: not known yet, as the others */
    Gm__Policy *policy;
    Gm__PackageMeta *package;
    Gm__SplitMeta *split;
    Gm__ThumbnailsMeta *images;
    struct gm_media_sum *renditions;           /* owned; policy->n_renditions of them */
    struct gm_media_sum *audio;                /* owned; policy->n_audio of them */
    Gm__AudioMeta *sound[GM_MAX_SOUND_TRACKS]; /* owned; by track, NULL: not made */
    Gm__TextMeta *text[GM_MAX_TEXT_TRACKS];    /* owned; by track, NULL: not made */
    struct gm_ways decoded, scaled, images_by;
    json_t *warnings; /* owned: [{"code","text","count"}] */
};

/* items: also reads what encode and audio committed item by item (sums and their warnings).
 * Errors: NOTFOUND, NOMEM, PROTO. */
int gm_metas_read(const struct gm_core *core, const char *job_id, bool items, struct gm_metas *out,
                  struct gm_err *err) GM_MUST_CHECK;
void gm_metas_fini(struct gm_metas *metas);

#endif
