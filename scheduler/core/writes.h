#ifndef GM_SCHEDULER_CORE_WRITES_H
#define GM_SCHEDULER_CORE_WRITES_H

/* Which names a lease may write: those of its task's type, of its tracks as the plan names them,
 * and of its chunks. A node that was taken over, which is trusted with a lease, gets grants for
 * what its task makes and for no other rendition, playlist or chunk; and no more of them than a
 * task has in hand at once. Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* Takes over what the plan names. Error: LIMIT: more than GM_CORE_MAX_OUTPUTS; then what it has is
 * counted, and names go by the folders of types. */
int gm_core_writes_set(struct gm_writes *writes, const Gm__Policy *policy,
                       struct gm_err *err) GM_MUST_CHECK;
void gm_core_writes_fini(struct gm_writes *writes);
/* Error: GRANT_REFUSED. */
int gm_core_writes_check(const struct gm_lease *lease, const Gm__GrantItem *item,
                         struct gm_err *err) GM_MUST_CHECK;
/* Objects of the lease that are granted and not committed, at most. */
uint64_t gm_core_writes_most(const struct gm_lease *lease);

#endif
