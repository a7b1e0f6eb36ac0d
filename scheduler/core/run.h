#ifndef GM_SCHEDULER_CORE_RUN_H
#define GM_SCHEDULER_CORE_RUN_H

/* Runs: how many consecutive chunks one worker decodes in one go.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* run.c */
struct gm_run {
    uint32_t first, count;
};
struct gm_run_ask {
    uint64_t slots; /* of the farm */
    uint64_t total; /* gm_core_inst_frames */
    uint64_t lead;  /* gm_core_inst_lead */
    bool untried;   /* of chunks alone that no node has failed */
    bool in_order;  /* the first one that is ready, whatever is largest: somebody may watch it */
};
/* The next run of an instance with chunks; count 0: nothing is ready but what waits for the chunk
 * that comes, which may have to be part of it. */
struct gm_run gm_core_run_next(const struct gm_inst *inst, const struct gm_run_ask *ask);
/* How many of the chunks that are ready wait for the chunk that comes. */
uint64_t gm_core_run_held(const struct gm_inst *inst, const struct gm_run_ask *ask);
/* The run is given out: what it costs is spent. */
void gm_core_run_note(struct gm_inst *inst, const struct gm_run *run);
/* The same as gm_core_run_next, with what its job knows. */
struct gm_run gm_core_inst_run(const struct gm_inst *inst, uint64_t slots, bool untried);
uint64_t gm_core_inst_held(const struct gm_inst *inst, uint64_t slots);
/* The device runs the first chunk of the job, whose encoders work side by side: its last free slot
 * stays empty for them, so that there is soon something to play. Other jobs may take it. */
bool gm_core_keeps_slot(const struct gm_cjob *job, const struct gm_cdevice *device);

#endif
