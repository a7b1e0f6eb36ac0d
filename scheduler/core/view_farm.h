#ifndef GM_SCHEDULER_CORE_VIEW_FARM_H
#define GM_SCHEDULER_CORE_VIEW_FARM_H

#include "scheduler/core/view.h"

/* Views for who looks on: the farm as a whole, and how a job's tasks hang together. What view.h
 * says of views holds for these. */

/* Attempts that failed or were lost, of one code. */
struct gm_failed_view {
    enum gm_code code;
    uint64_t count; /* since this scheduler began */
    int64_t last_unix_ms;
};
struct gm_farm_view {
    struct gm_core_totals totals;
    uint64_t nodes_draining; /* connected or not */
    uint64_t nodes_gone;     /* known, neither connected nor draining */
    uint64_t ready_units; /* tasks, and chunks of those that work by chunks, that wait for room */
    gm_time waits; /* the longest that a job with something ready has been given nothing; 0: none */
    /* Of all that encode, over about the last 10 s */
    double fps;
    double pixels_per_s;           /* of all renditions together */
    double speed;                  /* sum of what each job's is against its programme's time */
    bool speed_known;              /* false: jobs encode, and of none the frame rate is known */
    struct gm_failed_view *failed; /* owned; by code */
    size_t failed_count;
};
/* Costs what there are leases and nodes, not jobs. now: of the core's clock. */
int gm_view_farm(const struct gm_core *core, gm_time now, struct gm_farm_view *out,
                 struct gm_err *err) GM_MUST_CHECK;
void gm_view_farm_fini(struct gm_farm_view *view);

/* What changes of a node while it works; made without memory. */
struct gm_brief_view {
    const char *id;
    const char *state; /* as of gm_node_view */
    bool connected;
    bool draining;
    uint64_t sign; /* another one (but for chance) when one of these, or of its devices, changes */
};
void gm_view_briefs(const struct gm_core *core, void (*fn)(const struct gm_brief_view *, void *arg),
                    void *arg);

/* The next older job, or the newest (after NULL), that is done and published something; NULL: none,
 * or `after` is unknown. Borrowed. */
const char *gm_view_next_published(const struct gm_core *core, const char *after);

enum gm_link_kind {
    GM_LINK_NEED,   /* it begins when `other`, a task, is done */
    GM_LINK_STREAM, /* it takes items of `other`, a task, while that still makes them */
    GM_LINK_NODE    /* `other`, a node, runs it */
};
struct gm_link_view {
    const char *task;
    enum gm_link_kind kind;
    const char *other;
};
struct gm_links_view {
    struct gm_link_view *rows; /* owned; in the order of tasks, each once */
    size_t count;
};
int gm_view_links(const struct gm_core *core, const char *job_id, struct gm_links_view *out,
                  struct gm_err *err) GM_MUST_CHECK;
void gm_view_links_fini(struct gm_links_view *view);

#endif
