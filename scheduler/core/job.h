#ifndef GM_SCHEDULER_CORE_JOB_H
#define GM_SCHEDULER_CORE_JOB_H

/* Jobs: their states, their ends, what is planned again.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* load.c */
void gm_core_loading_fini(struct gm_core *core);

/* core.c: one job more may work there. Errors: CONFLICT, BUSY. */
int gm_core_submit_check_room(const struct gm_core *core, const struct gm_submit *s,
                              struct gm_err *err) GM_MUST_CHECK;

/* job.c. bodies: borrowed, of its items. */
int gm_core_job_create(struct gm_bodies *bodies, const char *id, const Gm__Pipeline *pipeline,
                       struct gm_cjob **out, struct gm_err *err) GM_MUST_CHECK;
void gm_core_job_destroy(struct gm_cjob *job);
int gm_core_job_set_expand(struct gm_cjob *job, Gm__Expand *const *expand, size_t count,
                           struct gm_err *err) GM_MUST_CHECK;
void gm_core_job_move(struct gm_core *core, struct gm_cjob *job, enum gm_job_event_kind event);
/* Unblocks, completes tasks, ends the job when nothing is left. */
void gm_core_job_advance(struct gm_core *core, struct gm_cjob *job);
void gm_core_job_fail(struct gm_core *core, struct gm_cjob *job, const struct gm_err *err);
int gm_core_job_cancel(struct gm_core *core, struct gm_cjob *job, struct gm_err *err) GM_MUST_CHECK;
void gm_core_job_end_units(struct gm_core *core, struct gm_cjob *job);
/* A failed or cancelled job whose leases are gone gets its report. */
void gm_core_job_settle(struct gm_core *core, struct gm_cjob *job);
void gm_core_job_cleaned(struct gm_core *core, struct gm_cjob *job, const struct gm_err *failure,
                         bool passed_over);
/* What it leaves behind may go. */
void gm_core_job_start_cleanup(struct gm_core *core, struct gm_cjob *job);
void gm_core_job_set_cancelled(struct gm_cjob *job); /* its error */
/* The node works for this scheduler alone: what waited to be deleted for its sake may go. */
void gm_core_node_settled(struct gm_core *core, struct gm_cnode *node);
void gm_core_job_clean_again(struct gm_core *core, struct gm_cjob *job);
/* After a restart: at once, and where it failed before beside the tries that are counted. */
void gm_core_job_clean_resume(struct gm_core *core, struct gm_cjob *job);
/* publishing.c */
void gm_core_job_publish_again(struct gm_core *core, struct gm_cjob *job);
/* Forgets the oldest finished jobs beyond the limit. */
void gm_core_job_prune(struct gm_core *core);
struct gm_ctask *gm_core_job_find_task(struct gm_cjob *job, const char *name);
struct gm_inst *gm_core_job_find_inst(struct gm_cjob *job, const char *task, uint32_t instance);
uint64_t gm_core_job_frames_done(const struct gm_cjob *job);
/* Its deadline is near, or not any more: its class and its place follow. */
void gm_core_job_hurry(struct gm_core *core, struct gm_cjob *job);
/* Tells, once, that the deadline passed before the job ended. */
void gm_core_job_late(struct gm_core *core, struct gm_cjob *job);
/* As struct gm_job_view has it. left: that the job takes yet; 0: not known. */
const char *gm_core_deadline_state(const struct gm_core *core, const struct gm_cjob *job,
                                   gm_time left);
/* Errors: CONFLICT (it has ended), INVAL. */
int gm_core_job_set_priority(struct gm_core *core, struct gm_cjob *job, int32_t priority,
                             struct gm_err *err) GM_MUST_CHECK;
void gm_core_job_sample(struct gm_cjob *job, gm_time now);

/* beside.c: an output of that publication; "" has none. */
bool gm_core_object_is_below(const Gm__Object *object, const char *publication);

/* beside.c: another job that writes outputs, or has, has the publication that it is below. */
bool gm_core_object_is_shared(const struct gm_core *core, const struct gm_cjob *job,
                              const Gm__Object *object);

/* beside.c: of an earlier plan of the job, and no other job's. */
bool gm_core_object_is_stale(const struct gm_core *core, const struct gm_cjob *job,
                             const Gm__Object *object);

/* beside.c: of the plan that holds, and no committed item or result names it. */
bool gm_core_object_is_loose(const struct gm_cjob *job, const struct gm_granted *granted);

/* beside.c: gm_view_is_beside. */
/* A job that is not through with making what it has there under that key, an OUT object that it was
 * granted, at the destination of `job` and in its publication; NULL: there is none but `job`. */
const struct gm_cjob *gm_core_output_maker(const struct gm_core *core, const struct gm_cjob *job,
                                           const char *key);
bool gm_core_job_is_beside(const struct gm_cjob *job, const struct gm_cjob *other);

/* replan.c: leases end, inspect's result stays, plan is ready. */
void gm_core_job_replan(struct gm_core *core, struct gm_cjob *job);

#endif
