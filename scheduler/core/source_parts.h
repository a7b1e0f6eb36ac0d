#ifndef GM_SCHEDULER_CORE_SOURCE_PARTS_H
#define GM_SCHEDULER_CORE_SOURCE_PARTS_H

#include "wire.pb-c.h"

/* The sizes of the parts of a job's source: Object.parts (proto/parts.h), which were checked. */
struct gm_source_parts {
    Gm__PartRun *runs;  /* owned */
    Gm__PartRun **list; /* owned; of runs, as messages take them */
    size_t count;
};
/* A copy. Without memory the process ends (mem.h). */
void gm_source_parts_set(struct gm_source_parts *parts, size_t count, Gm__PartRun *const *from);
void gm_source_parts_fini(struct gm_source_parts *parts);

#endif
