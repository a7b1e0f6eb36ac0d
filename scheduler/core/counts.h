#ifndef GM_SCHEDULER_CORE_COUNTS_H
#define GM_SCHEDULER_CORE_COUNTS_H

#include "common/histogram.h"
#include "scheduler/core/view.h"

/* What the core counts for its metrics: where a state changes, an addition each, so that who reads
 * them walks nothing. Of this scheduler since it started, but for what is said to be of now.
 * docs/metrics.md says what each is for. Thread: the core's.
 */
#define GM_COUNT_TYPES 11u  /* task types: gm_core_task_type_list */
#define GM_COUNT_CODES 128u /* codes of the catalogue; 0: none, it went well */

/* Devices by what they are, as nodes name them. */
enum gm_count_kind { GM_COUNT_CPU, GM_COUNT_NVIDIA, GM_COUNT_DRM, GM_COUNT_OTHER, GM_COUNT_KINDS };
const char *gm_count_kind_name(enum gm_count_kind kind); /* "cpu" "nvidia" "drm" "other" */
enum gm_count_kind gm_count_kind_of(const char *device_kind);

/* What unfinished jobs still need, in seconds of one slot, by devices of each kind. */
struct gm_demand_sums {
    double seconds[GM_COUNT_KINDS];
    uint64_t unknown; /* jobs of which a part can't be told yet */
};
/* A round through the jobs, some at each tick: demand.c. */
struct gm_demand {
    struct gm_demand_sums sums;  /* of the last round that came to its end */
    struct gm_demand_sums round; /* of the one under way */
    uint64_t after;              /* jobs up to that seq are in it */
    uint32_t left;               /* it may look at so many more in this tick */
    bool open;
    gm_time begun;
};

struct gm_core_counts {
    /* of now */
    uint64_t ready[GM_COUNT_TYPES];  /* tasks, and of runs chunks, that wait for a slot */
    uint64_t leases[GM_COUNT_TYPES]; /* those that are cancelled until they ended too */
    struct gm_demand demand;
    /* since the start */
    uint64_t accepted;              /* jobs */
    uint64_t ended[GM_COUNT_CODES]; /* jobs, by why */
    uint64_t missed;                /* jobs whose deadline passed before the end */
    struct gm_histogram waited;     /* jobs: accepted .. first assignment */
    struct gm_histogram lasted;     /* jobs that are done: accepted .. done */
    uint64_t attempts[GM_COUNT_TYPES][GM_COUNT_CODES];       /* that ended, by why */
    struct gm_histogram took[GM_COUNT_TYPES];                /* attempts that are done */
    uint64_t frames[GM_COUNT_KINDS], pixels[GM_COUNT_KINDS]; /* encoded and committed */
    /* Of what nodes count, sums of what grew while this scheduler heard of it. */
    uint64_t cache_hits, cache_misses, read_bytes, fetched_bytes, written_bytes;
};

extern const struct gm_bounds gm_count_task_bounds, gm_count_job_bounds;

/* Borrowed; what is in it changes with each step. */
const struct gm_core_counts *gm_view_counts(const struct gm_core *core);
/* How long the job has waited that got nothing for longest though it has something ready; 0: none
 * waits. As of the last step. */
gm_time gm_view_oldest(const struct gm_core *core);

enum gm_count_node {
    GM_COUNT_CONNECTED,
    GM_COUNT_DRAINING,
    GM_COUNT_RESTARTING,
    GM_COUNT_GONE,
    GM_COUNT_NODE_STATES
};
const char *gm_count_node_name(enum gm_count_node state); /* as struct gm_node_view has it */
struct gm_count_nodes {
    uint64_t states[GM_COUNT_NODE_STATES];
    uint64_t cache_bytes; /* of those that are connected */
};
/* One walk over the nodes. */
void gm_view_node_counts(const struct gm_core *core, struct gm_count_nodes *out);

struct gm_count_device { /* all borrowed until the next step */
    const char *node;
    const char *id;
    enum gm_count_kind kind;
    const char *state; /* "usable" "held" "quarantined" "trial" "listed" (has no slots) "closed"
                          (its node takes no work) */
    struct gm_capacity capacity, used; /* as struct gm_device_view */
};
/* Each device of each node, in no order that means something. fn changes nothing of the core. */
void gm_view_each_device(const struct gm_core *core,
                         void (*fn)(const struct gm_count_device *device, void *arg), void *arg);

#endif
