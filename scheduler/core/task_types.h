#ifndef GM_SCHEDULER_CORE_TASK_TYPES_H
#define GM_SCHEDULER_CORE_TASK_TYPES_H

#include <stdbool.h>
#include <stdint.h>

/* The task types as the scheduler sees them: one row each. A new type is one row here and one in
 * media/. Thread: any. */
enum gm_fan {
    GM_FAN_ONE,    /* one instance; plan may say 0 */
    GM_FAN_EXPAND, /* as many instances as plan says */
    GM_FAN_RUNS    /* runs of split's chunks */
};
enum gm_task_role {
    GM_ROLE_INSPECT,
    GM_ROLE_PLAN,
    GM_ROLE_SPLIT,
    GM_ROLE_ENCODE,
    GM_ROLE_AUDIO,
    GM_ROLE_FINISH /* thumbnails, mp4, package: consume committed items */
};
struct gm_core_task_type {
    const char *name;
    enum gm_task_role role;
    enum gm_fan fan;
    bool streams;      /* its edge from split is a stream edge */
    bool needs_source; /* TaskSpec.source */
    bool produces;     /* announces items */
    bool writes_out;   /* may write below the publication */
    bool once;         /* at most one task of this type a pipeline */
    bool required;     /* exactly one a pipeline */
    uint32_t cpu_milli;
    uint64_t memory_bytes;  /* base estimate; encode adds its frames */
    uint64_t scratch_bytes; /* base estimate; mp4 adds the output */
};

const struct gm_core_task_type *gm_core_task_type_find(const char *name); /* NULL: unknown */
/* All rows; name NULL ends them. */
const struct gm_core_task_type *gm_core_task_type_list(void);

#endif
