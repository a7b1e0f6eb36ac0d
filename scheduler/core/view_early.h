#ifndef GM_SCHEDULER_CORE_VIEW_EARLY_H
#define GM_SCHEDULER_CORE_VIEW_EARLY_H

#include "scheduler/core/core.h"

/* What of an early job its playlists may name. Pure; same thread as the core. */

struct gm_early_view {
    bool open; /* playlists may be written: it is planned, and `package`, which writes those that
                  stay, is not to begin yet */
    const char *publication; /* borrowed until the next step; "" before the plan */
};
/* False: there is no such job, or it ended, or does not publish early. */
bool gm_view_early(const struct gm_core *core, const char *job_id, struct gm_early_view *out);

/* The next early job behind `after` (NULL: the first), newest first, that came to nothing and was
 * cleaned up; NULL: there is none. Borrowed until the next step. */
const char *gm_view_next_early_end(const struct gm_core *core, const char *after);

struct gm_early_feed {
    size_t committed; /* items without a gap from the first */
    bool done;        /* there will be no more */
};
/* Calls fn for the items of that task instance from index `from` on, up to the first gap and for
 * `most` at the most, until it fails: then with what it returned. Items are borrowed until fn
 * returns.
 *
 * Errors: NOTFOUND (no such job, task or instance); CONFLICT: there are fewer than `from`, it began
 *         anew */
int gm_view_early_items(const struct gm_core *core, const char *job_id, const char *type,
                        uint32_t instance, size_t from, size_t most,
                        int (*fn)(const Gm__Item *item, void *arg, struct gm_err *err), void *arg,
                        struct gm_early_feed *out, struct gm_err *err) GM_MUST_CHECK;

#endif
