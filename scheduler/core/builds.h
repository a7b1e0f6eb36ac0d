#ifndef GM_SCHEDULER_CORE_BUILDS_H
#define GM_SCHEDULER_CORE_BUILDS_H

/* Builds of software: the fingerprints of the processors' chain. What nodes say of theirs is
 * borrowed from the index of devices until one of them says another thing.
 * Private to scheduler/core/. See: docs/adr/0055-software-is-of-a-build.md */
#include "scheduler/core/state.h"

/* The build to ask for what any could do: of those on which neither the unit (NULL: it did not) nor
 * the job failed one with a free slot before one without, and then that with most slots; of equal
 * ones that which came last. NULL: whichever, as there are no several, or all failed. */
const char *gm_core_build_choose(const struct gm_core *core, const struct gm_cjob *job,
                                 const struct gm_unit *unit);
/* The wish is for a build, and nodes of other builds alone take tasks. */
bool gm_core_build_is_gone(const struct gm_core *core, const struct gm_chain_wish *wish);
/* Pictures of the job are still made by its chain, or may be: its nodes were not heard of. */
bool gm_core_build_works(const struct gm_cjob *job);
/* How long a build is waited for that is gone before the job is planned again by another one. */
gm_time gm_core_build_patience(const struct gm_core *core, const struct gm_cjob *job);
void gm_core_build_count(struct gm_cjob *job); /* it was planned again for that */
/* What the lease failed at is final on its build, and another may do better. */
bool gm_core_build_can_go(const struct gm_core *core, const struct gm_lease *lease,
                          const struct gm_unit *guilty);
void gm_core_build_fail(struct gm_cjob *job, const char *build);
bool gm_core_build_failed(const struct gm_cjob *job, const char *build);
void gm_core_builds_load(struct gm_cjob *job, const Gm__JobRow *row);
void gm_core_builds_fini(struct gm_cjob *job);

#endif
