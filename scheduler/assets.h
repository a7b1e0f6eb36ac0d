#ifndef GM_SCHEDULER_ASSETS_H
#define GM_SCHEDULER_ASSETS_H

#include "scheduler/catalogue.h"
#include "scheduler/core/core.h"

/* The daemon's catalogue of published titles (ADR-0068). A title's row is written in the commit of
 * its job's end, and the title is listed when that is on disk; it outlives the job's row. At a
 * start rows are kept as they are and read by the pool, so nobody waits for them; until then the
 * catalogue is not ready. Titles of jobs that an earlier release finished are added a few at a
 * time. Beyond `keep_assets` the oldest are forgotten. Thread: loop only. */
struct gm_daemon;

struct gm_assets { /* all-zero: nothing was loaded */
    struct gm_catalogue table;
    bool ready;
    struct gm_asset_raw *raw; /* owned; rows of the start, until they are read */
    size_t raw_count, raw_cap;
    Gm__AssetRow **pending; /* owned; of jobs whose end is not on disk */
    size_t pending_count, pending_cap;
    char **older; /* owned; jobs of earlier releases, from older_next on */
    size_t older_count, older_cap, older_next;
};

/* A row of the store, at the start. Errors: NOMEM. */
int gm_assets_load(struct gm_assets *assets, const struct gm_key *key, const void *data,
                   size_t size, struct gm_err *err) GM_MUST_CHECK;
/* All rows were loaded. */
int gm_assets_start(struct gm_daemon *d, struct gm_err *err) GM_MUST_CHECK;
/* Adds the rows of titles that the step's effects make, or change. event: NULL at the start. */
void gm_assets_effects(struct gm_daemon *d, const struct gm_event *event, struct gm_effects *fx);
/* The event is on disk, or never will be. */
void gm_assets_event(struct gm_daemon *d, const struct gm_job_event *e);
/* The row of the title as it is now; or that it is deleted. */
void gm_assets_put(struct gm_effects *fx, const Gm__AssetRow *row);
void gm_assets_delete(struct gm_effects *fx, const char *job_id);
void gm_assets_tick(struct gm_daemon *d);
void gm_assets_fini(struct gm_assets *assets);

#endif
