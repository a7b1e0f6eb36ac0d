#ifndef GM_SCHEDULER_CORE_ROWS_H
#define GM_SCHEDULER_CORE_ROWS_H

/* What a step leaves behind: rows, messages, events.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* effects.c: all append to core->fx. Messages and keys are borrowed and copied. */
void gm_core_fx_row(struct gm_core *core, const struct gm_key *key,
                    const ProtobufCMessage *message);
void gm_core_fx_lazy(struct gm_core *core, const struct gm_key *key,
                     const ProtobufCMessage *message);
void gm_core_fx_delete(struct gm_core *core, const struct gm_key *key);
void gm_core_fx_send(struct gm_core *core, const char *node_id, Gm__Envelope *envelope,
                     bool durable);
void gm_core_fx_event(struct gm_core *core, const struct gm_cjob *job, const char *type,
                      const char *task, const char *state, bool durable);
/* "task.retry": an attempt failed and another will be made. */
void gm_core_fx_retry(struct gm_core *core, const struct gm_cjob *job, const char *task,
                      const char *node, const struct gm_err *error);
/* "publish.retry", "publish.held", "job.failed": of the job as a whole, kept. code: "" none. */
void gm_core_fx_said(struct gm_core *core, const struct gm_cjob *job, const char *type,
                     const char *code, const char *text);
/* "node.quarantined", "node.trial", "node.resumed", ...: of no job, not kept, logged. */
void gm_core_fx_node(struct gm_core *core, const char *type, const char *node, const char *device,
                     const char *why);
void gm_core_fx_publish(struct gm_core *core, const struct gm_cjob *job);
void gm_core_fx_cleanup(struct gm_core *core, const struct gm_cjob *job);
void gm_core_fx_backup(struct gm_core *core, const struct gm_cjob *job);
void gm_core_fx_grown(struct gm_core *core, const struct gm_cjob *job);
void gm_core_fx_ended(struct gm_core *core, uint64_t epoch);

/* rows.c: write the row as it is now. */
void gm_core_row_job(struct gm_core *core, const struct gm_cjob *job);
/* What is stored must be readable again, and fit into an Assign. Errors: LIMIT. */
int gm_core_row_job_check(const struct gm_cjob *job, struct gm_err *err) GM_MUST_CHECK;
void gm_core_row_task(struct gm_core *core, const struct gm_inst *inst);
void gm_core_row_task_delete(struct gm_core *core, const struct gm_inst *inst);
void gm_core_row_item_delete(struct gm_core *core, const struct gm_inst *inst, uint32_t stream,
                             uint32_t index);
void gm_core_row_item(struct gm_core *core, const struct gm_inst *inst, const Gm__Item *item);
void gm_core_row_object(struct gm_core *core, const struct gm_cjob *job, const Gm__Object *object);
void gm_core_row_attempt(struct gm_core *core, const struct gm_cjob *job,
                         struct gm_attempt *attempt);
/* The same, lazily: of one that only runs, or of a run that ended well, whose items are stored. */
void gm_core_row_attempt_lazy(struct gm_core *core, const struct gm_cjob *job,
                              const struct gm_attempt *attempt);
/* Deleted where there is nothing to say: it is neither drained nor in quarantine. */
void gm_core_row_node(struct gm_core *core, const char *node_id);
/* The wall clock jumps: what follows is stamped no earlier than what it follows. */
static inline int64_t gm_core_not_before(int64_t unix_ms, int64_t other_ms)
{
    return unix_ms > other_ms ? unix_ms : other_ms;
}
static inline int64_t gm_core_stamp(const struct gm_core *core, int64_t after_unix_ms)
{
    return gm_core_not_before(core->unix_ms, after_unix_ms);
}
/* The job's own row is written once, when the step ends. */
void gm_core_job_touch(struct gm_core *core, struct gm_cjob *job);
void gm_core_rows_flush(struct gm_core *core);
void gm_core_row_object_delete(struct gm_core *core, const struct gm_cjob *job,
                               const Gm__Object *object);
/* Deletes every row of the job. */
void gm_core_row_job_delete(struct gm_core *core, const struct gm_cjob *job);

#endif
