#ifndef GM_SCHEDULER_CORE_TIMES_H
#define GM_SCHEDULER_CORE_TIMES_H

/* How long work takes, and when it is expected to end.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* speed.c */
/* Of the plan's renditions. */
void gm_core_works_take(struct gm_cjob *job, const Gm__Policy *policy);
/* The measured rate that counts for encoding by that chain; NULL: there is none. Borrowed. */
const Gm__Rate *gm_core_rate(const struct gm_cdevice *device, const Gm__Chain *chain,
                             const char *codec, uint32_t depth);
/* Of one more slot of a device with so many used. NULL: not measured. */
struct gm_pace gm_core_pace(const Gm__Rate *rate, uint64_t used);
/* Pixels a second of the work in one slot. */
double gm_core_slot_rate(struct gm_pace pace, const struct gm_cwork *work);
/* Seconds that a picture of the job takes in one more slot of the device, all renditions, by
 * measured figures; 0: they are not known, or the instance encodes nothing. */
double gm_core_picture_s(const struct gm_cdevice *device, const Gm__Chain *chain,
                         const struct gm_inst *inst);

/* learn.c */
/* Units of work of an instance, or of a run of it; 0: not known. */
uint64_t gm_core_work(const struct gm_inst *inst, uint32_t first_chunk, uint32_t chunk_count);
void gm_core_learn_begin(struct gm_lease *lease);
/* The lease is done: its whole work was. usage: as the node says; NULL: it said nothing. */
void gm_core_learn(struct gm_core *core, const struct gm_lease *lease, const Gm__Usage *usage);
void gm_core_row_history(struct gm_core *core, const struct gm_history_entry *entry);
/* Rows of what was learned since the last time; now: even if that was just now. */
void gm_core_history_write(struct gm_core *core, bool now);
/* How long so much work of the instance takes: on the node by its own past or else its chip's, or
 * else its chain's; by measured figures where there is no past. node, device NULL: on any with that
 * chain. At most GM_CORE_LONGEST; 0: not known. */
gm_time gm_core_expect(const struct gm_core *core, const struct gm_cnode *node,
                       const struct gm_cdevice *device, const Gm__Chain *chain,
                       const struct gm_inst *inst, uint64_t work);

/* What the past says that the task needs of memory and scratch, where that is more than `demand`:
 * at most four times. Returns how many threads it keeps busy, in thousandths, no fewer than asked
 * for. */
uint64_t gm_core_demand_learned(const struct gm_core *core, const struct gm_inst *inst,
                                const char *chain, struct gm_capacity *demand);

/* Seconds of one slot that a frame of all renditions took by a chain of that name, of what the
 * pipeline asks for, whatever the plan; 0: not known. */
double gm_core_learned_s(const struct gm_core *core, const struct gm_cjob *job, const char *chain);

/* How long tasks of that kind take, and how far that is off in the mean; false: not known. */
bool gm_core_typical(const struct gm_core *core, const Gm__Chain *chain, const struct gm_inst *inst,
                     uint64_t work, gm_time *out, gm_time *out_error);

/* eta.c: expected times as of the last event; 0: not known. */
/* Frames of a lease that are done, of *out_all; by its node, but what is committed is known. */
uint64_t gm_core_lease_frames(const struct gm_lease *lease, uint64_t *out_all);
/* Of the lease from beginning to end, and what is left of that. */
gm_time gm_core_lease_whole(const struct gm_core *core, const struct gm_lease *lease);
gm_time gm_core_lease_left(const struct gm_core *core, const struct gm_lease *lease);
/* Of an instance of runs: what is not done, live workers' progress included. */
uint64_t gm_core_frames_left(const struct gm_inst *inst);
gm_time gm_core_job_left(const struct gm_core *core, const struct gm_cjob *job);
/* The same were it of that class. */
gm_time gm_core_job_left_as(const struct gm_core *core, const struct gm_cjob *job,
                            enum gm_job_class class_);
/* Until the first lease of the instance ends. */
gm_time gm_core_inst_next_end(const struct gm_core *core, const struct gm_inst *inst);
/* Until the first lease ends on a device that offers `wish`. */
gm_time gm_core_first_free(const struct gm_core *core, const struct gm_chain_wish *wish);

#endif
