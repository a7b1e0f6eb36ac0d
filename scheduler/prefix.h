#ifndef GM_SCHEDULER_PREFIX_H
#define GM_SCHEDULER_PREFIX_H

#include "common/buf.h"
#include "media.pb-c.h"
#include "wire.pb-c.h"

/* What of a programme is there from its begin on, in every track, and the playlists and the
 * manifest that say so (`publish: early`, ADR-0066). Built from the plan and from what tasks
 * committed, item by item. Pure. Thread: one at a time per prefix. */
struct gm_prefix; /* opaque */

struct gm_prefix_params { /* borrowed; copied */
    const char *job_id;
    const char *publication;
    const Gm__Pipeline *pipeline;
    const uint8_t *policy; /* packed Gm__Policy: what plan answered */
    size_t policy_size;
    int64_t created_unix_ms; /* of the job */
    int64_t duration_us;     /* of the programme, as far as it is known */
};
/* Errors: PROTO (a plan whose playlists can't be written), NOMEM. */
int gm_prefix_create(const struct gm_prefix_params *params, struct gm_prefix **out,
                     struct gm_err *err) GM_MUST_CHECK;
void gm_prefix_destroy(struct gm_prefix **prefix);

/* The tasks whose items make it: encode, and audio and subtitles a track; false: there are no
 * more. */
struct gm_prefix_feed {
    const char *type; /* of the task */
    uint32_t instance;
};
bool gm_prefix_feed(const struct gm_prefix *prefix, size_t i, struct gm_prefix_feed *out);
/* The feed's next item, in order. Errors: PROTO (its segments don't follow the last ones), NOMEM;
 * the prefix ends before it then, and stays there. */
int gm_prefix_add(struct gm_prefix *prefix, size_t feed, const Gm__Item *item,
                  struct gm_err *err) GM_MUST_CHECK;
/* How many items of the feed were added. */
size_t gm_prefix_taken(const struct gm_prefix *prefix, size_t feed);
/* The feed has no more items: the others go on beyond its last segment. */
void gm_prefix_end(struct gm_prefix *prefix, size_t feed);

/* Segments from the first on that every track has; one that ended has what it has. It ends before a
 * segment that is longer than playlists promise. 0: nothing can be played yet. */
size_t gm_prefix_count(const struct gm_prefix *prefix);
/* Where the last of these ends, in ms. */
int64_t gm_prefix_end_ms(const struct gm_prefix *prefix);

struct gm_prefix_text {
    char *key;          /* owned; below the destination */
    struct gm_buf body; /* owned */
    bool is_init;       /* an init segment, else a playlist or manifest */
};
struct gm_prefix_texts {
    struct gm_prefix_text *rows; /* owned; in the order in which they are to be written */
    size_t count;
};
/* All that says what gm_prefix_count says, which is above 0: init segments, then media playlists,
 * then what names those. Errors: NOMEM. */
int gm_prefix_write(struct gm_prefix *prefix, int64_t now_unix_ms, struct gm_prefix_texts *out,
                    struct gm_err *err) GM_MUST_CHECK;
void gm_prefix_texts_fini(struct gm_prefix_texts *texts);

#endif
