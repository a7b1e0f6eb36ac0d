#ifndef GM_SCHEDULER_CORE_LEASE_H
#define GM_SCHEDULER_CORE_LEASE_H

/* Leases, and the capacity that they take: given, renewed, copied, taken back, failed.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* vector.c */
/* What the device may give: memory and scratch are all of its node's where its devices share them;
 * the processors, where GPUs have slots, without what feeds those. */
struct gm_capacity gm_core_usable(const struct gm_cdevice *device);
/* What is taken of that. */
struct gm_capacity gm_core_used(const struct gm_cdevice *device);
/* A lease takes it, or gives it back. */
void gm_core_use(struct gm_core *core, struct gm_cdevice *device, const struct gm_capacity *demand,
                 bool back);
/* The node, or a device of it, has another capacity: what is used stays. */
void gm_core_node_resized(struct gm_core *core, struct gm_cnode *node);
/* The sums of the leases, and that they are not more than there is, but where an offer shrank.
 * Errors: BUG. */
int gm_core_node_check_used(const struct gm_cnode *node, struct gm_err *err) GM_MUST_CHECK;

/* lease.c */
struct gm_lease *gm_core_lease_find(struct gm_core *core, const struct gm_cnode *node,
                                    uint64_t task_id, uint64_t term, uint64_t epoch);
struct gm_assignment {
    struct gm_inst *inst;
    uint32_t first_chunk, chunk_count;
    const struct gm_cnode *home; /* it is asked first (local.h); NULL: none is */
    struct gm_cnode *node;
    struct gm_cdevice *device;
    const Gm__Chain *chain; /* of the device */
    struct gm_capacity demand;
    uint64_t busy_milli; /* threads that it keeps busy, by the past, in thousandths; 0: unknown */
    double picture_s; /* gm_core_picture_s where it decided: others with room are slower; else 0 */
    struct gm_lease *copy_of; /* its twin has the units of both; NULL: they are ready */
};
void gm_core_lease_start(struct gm_core *core, const struct gm_assignment *a);
/* When it expires or stalls, as it stands. */
gm_time gm_core_lease_due(const struct gm_core *core, const struct gm_lease *lease);
/* The same for one that its node has from an earlier term: a->chain may be any that is not the
 * device's any more; chunks that are done are passed over. attempt: what is stored of it, NULL:
 * nothing. */
void gm_core_lease_resume(struct gm_core *core, const struct gm_assignment *a,
                          const Gm__HeldLease *held, struct gm_attempt *attempt);
/* Its units were dealt with: closes the attempt, frees the capacity, forgets the lease. */
void gm_core_lease_end(struct gm_core *core, struct gm_lease *lease,
                       enum gm_attempt_outcome outcome, const Gm__Usage *usage);
/* An attempt has ended: where it failed or was lost it counts, by its code. */
void gm_core_note_failed(struct gm_cjob *job, const struct gm_attempt *attempt); /* in its job */
void gm_core_count_failed(struct gm_core *core, const struct gm_attempt *attempt);
/* Says Cancel; units are given back (no charge) or were dealt with. Capacity stays held until the
 * node confirms or the lease expires. */
void gm_core_lease_cancel(struct gm_core *core, struct gm_lease *lease, const char *reason);
/* Who has told no progress for so long stands still: a Renew may come late, and so does what it
 * tells. */
gm_time gm_core_still_time(const struct gm_core *core);
void gm_core_lease_feed(struct gm_core *core, struct gm_lease *lease, uint32_t from);
/* Feeds every track lease of the job that lags behind its stream. */
void gm_core_job_feed(struct gm_core *core, struct gm_cjob *job);
void gm_core_lease_tick(struct gm_core *core);

/* retry.c */
struct gm_lease_failure {
    struct gm_err error;
    int64_t chunk; /* -1: none */
    const Gm__Usage *usage;
    enum gm_attempt_outcome outcome; /* FAILED or LOST */
    bool keep;                       /* the node has not let go: Cancel it, hold its capacity */
};
/* The lease failed: its units are tried again, or the job fails. The lease is gone after. */
void gm_core_lease_fail(struct gm_core *core, struct gm_lease *lease,
                        const struct gm_lease_failure *failure);
void gm_core_lease_lost(struct gm_core *core, struct gm_lease *lease, const char *why);
/* Recovery: counts a stored attempt against its unit. */
void gm_core_charge(struct gm_unit *unit, const char *node_id, const struct gm_err *error);
/* Recovery, when the job's units are what they are: what is left of their pauses. */
void gm_core_retry_resume(struct gm_core *core, struct gm_cjob *job);

/* straggle.c */
/* Looks for runs to copy, once a second. */
void gm_core_straggle(struct gm_core *core);
/* The two end with the same chunk: the shorter one, or else the newer, is the copy. */
void gm_core_twin_join(struct gm_lease *lease, struct gm_lease *other);
/* The lease ends, or is taken its units: its twin has those of both alone. */
void gm_core_twin_part(struct gm_lease *lease);
/* A chunk of the lease was committed: a twin that has nothing left to do is cancelled. */
void gm_core_twin_committed(struct gm_core *core, struct gm_lease *lease);

/* preempt.c */
/* Now and then: runs of lower classes yield to jobs that have waited too long. */
void gm_core_preempt(struct gm_core *core);
/* A chunk of the lease was committed: a run that yields ends here. */
void gm_core_preempt_border(struct gm_core *core, struct gm_lease *lease);

/* spec.c */
/* Inputs that a task which is fed could have by now. */
size_t gm_core_inst_fed_count(const struct gm_inst *inst);
void gm_core_send_assign(struct gm_core *core, struct gm_lease *lease);
/* Returns how many inputs the node was sent with these, from the first one on. */
uint32_t gm_core_send_feed(struct gm_core *core, struct gm_lease *lease, uint32_t from);

#endif
