#ifndef GM_SCHEDULER_CORE_BUILDS_H
#define GM_SCHEDULER_CORE_BUILDS_H

/* Builds of software: the fingerprints of the processors' chain. What nodes say of theirs is
 * borrowed from the index of devices until one of them says another thing.
 * Private to scheduler/core/. See: docs/adr/0055-software-is-of-a-build.md */
#include "scheduler/core/state.h"

/* The build to plan with, which makes the job's renditions then: one on which the job did not fail
 * before others, of those one on which `plan` did not, of those one with room before one without,
 * and then that with most slots; of equal ones that which came last. NULL: there are no several. */
const char *gm_core_build_to_plan(const struct gm_core *core, const struct gm_inst *plan);
/* The build that is to do what failed on another, chosen the same way. NULL: whichever, as it
 * failed on none, or on all that are there, or the others have no room, or no node that it did not
 * fail on. */
const char *gm_core_build_instead(const struct gm_core *core, const struct gm_inst *inst);
/* The wish is for a build, and nodes of other builds alone take tasks. One that is held is there:
 * it is seen soon whether it takes tasks again. */
bool gm_core_build_is_gone(const struct gm_core *core, const struct gm_chain_wish *wish);
/* Pictures of the job are still made by its chain, or may be: its nodes were not heard of. */
bool gm_core_build_works(const struct gm_cjob *job);
/* How long a build is waited for that is gone before the job is planned again by another one. */
gm_time gm_core_build_patience(const struct gm_core *core, const struct gm_cjob *job);
void gm_core_build_count(struct gm_cjob *job); /* it was planned again for that */
/* What the lease failed at is final on its build; it is pinned to that, and another is there. */
bool gm_core_build_can_go(const struct gm_core *core, const struct gm_lease *lease);
/* The same, and it is not pinned: it is remembered that it failed on this build, and the instance
 * has all its tries on the next one. */
bool gm_core_build_tries_on(struct gm_core *core, const struct gm_lease *lease);
/* The failure of an instance speaks against the build that it ran on. */
void gm_core_build_charge(const struct gm_lease *lease);
void gm_core_build_fail(struct gm_cjob *job, const char *build);
bool gm_core_build_failed(const struct gm_cjob *job, const char *build);
void gm_core_builds_load(struct gm_cjob *job, const Gm__JobRow *row);
void gm_core_builds_fini(struct gm_builds **builds);

#endif
