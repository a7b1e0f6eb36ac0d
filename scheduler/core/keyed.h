#ifndef GM_SCHEDULER_CORE_KEYED_H
#define GM_SCHEDULER_CORE_KEYED_H

/* Jobs by the keys of the request that submitted them, and of the newest one that made them go on
 * after they had failed: there is one job a key, for as long as that is known (ADR-0069). Key and
 * request are hashes; what of, the caller knows. Both are in the job's row. Private to
 * scheduler/core/. */
#include "scheduler/core/state.h"

struct gm_keyed {
    uint8_t key[GM_CORE_HASH];
    uint8_t request[GM_CORE_HASH];
    struct gm_cjob *job; /* borrowed */
    UT_hash_handle hh;
};

/* NULL: there is none. */
const struct gm_cjob *gm_core_keyed_find(const struct gm_core *core,
                                         const uint8_t key[GM_CORE_HASH]);
/* No other job has that key. */
void gm_core_keyed_add(struct gm_core *core, struct gm_cjob *job, const uint8_t key[GM_CORE_HASH],
                       const uint8_t request[GM_CORE_HASH]);
/* The same for a request that makes it go on; that of the one before is free again. */
void gm_core_keyed_retry(struct gm_core *core, struct gm_cjob *job, const uint8_t key[GM_CORE_HASH],
                         const uint8_t request[GM_CORE_HASH]);
/* The job goes; one without keys is fine. */
void gm_core_keyed_drop(struct gm_core *core, struct gm_cjob *job);
/* row: borrows from the job. */
void gm_core_keyed_row(const struct gm_cjob *job, Gm__JobRow *row);
/* Hashes that are none, or a key that another job has, are passed over. */
void gm_core_keyed_load(struct gm_core *core, struct gm_cjob *job, const Gm__JobRow *row);
void gm_core_keyed_fini(struct gm_core *core);

#endif
