#ifndef GM_SCHEDULER_CORE_TASK_H
#define GM_SCHEDULER_CORE_TASK_H

/* Tasks and instances: streams of items, chunks, what a result says.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* task.c */
bool gm_core_task_is_done(const struct gm_ctask *task);
void gm_core_unit_move(struct gm_core *core, struct gm_cjob *job, struct gm_unit *unit,
                       enum gm_unit_event event);
void gm_core_unit_clear(struct gm_unit *unit); /* progress: old failures count no more */
const struct gm_stream *gm_core_inst_stream(const struct gm_inst *inst, uint32_t stream);
/* After split's items grew: new chunks of encode and analyze. newest: the one that came, which is
 * not read again. Errors: PROTO for a meta that does not decode. */
int gm_core_chunks_announce(struct gm_core *core, struct gm_cjob *job, const Gm__Item *newest,
                            struct gm_err *err) GM_MUST_CHECK;
/* The instance may start: so may the chunks that it has. */
void gm_core_chunks_unblock(struct gm_core *core, struct gm_inst *inst);
void gm_core_chunk_commit(struct gm_core *core, struct gm_inst *inst, uint32_t index,
                          enum gm_unit_event event);
/* Takes over meta and objects of a finished instance; what inspect and plan say is noted. stored:
 * it is a row's, and was taken over before, maybe where limits were others. */
int gm_core_inst_set_result(struct gm_inst *inst, const ProtobufCBinaryData *meta,
                            Gm__Object *const *objects, size_t count, bool stored,
                            struct gm_err *err) GM_MUST_CHECK;
/* Split's stream that the instance is fed with; NULL when split has not made it. */
const struct gm_stream *gm_core_inst_inputs(const struct gm_inst *inst);
bool gm_core_split_is_done(const struct gm_cjob *job);
/* No input will follow those that are committed. A finishing task starts when all is there that it
 * needs, and that may be nothing, while split is still at work. */
bool gm_core_inst_inputs_end(const struct gm_inst *inst);

/* items.c. Adds an item that was committed in `term`, 0: not known. *out_new false: it was there.
 * Errors: PROTO. Takes nothing. */
int gm_core_inst_add_item(struct gm_inst *inst, const Gm__Item *item, uint64_t term, bool *out_new,
                          struct gm_err *err) GM_MUST_CHECK;
bool gm_core_stream_has(const struct gm_stream *stream, size_t index); /* stream NULL: false */
/* A committed item: owned, and without urls, as it was added. */
Gm__Item *gm_core_stream_item(const struct gm_stream *stream, size_t index);
/* What of the item is kept: an owned copy without urls, which are made anew for each reader; NULL:
 * it has none. */
Gm__Item *gm_core_item_bare(const Gm__Item *item);
/* In which term a committed item was committed; 0: not known, which is long ago. */
uint64_t gm_core_stream_term(const struct gm_stream *stream, size_t index);
/* The latest of items 0 to `index`: no lease of an earlier term was told of that item as it is. */
uint64_t gm_core_stream_since(const struct gm_stream *stream, size_t index);
void gm_core_stream_fini(struct gm_stream *stream);
/* Packs what analyze found in all chunks, in order, as AnalyzeMeta. Errors: PROTO, LIMIT. */
int gm_core_analyze_sum(const struct gm_inst *inst, uint8_t **out, size_t *out_size,
                        struct gm_err *err) GM_MUST_CHECK;

/* task.c: frames of the job's programme, as inspection and split say, of split alone when it is
 * done; 0: nothing is known.
 */
uint64_t gm_core_inst_frames(const struct gm_inst *inst);
/* As inspection says alone. */
uint64_t gm_core_job_frames(const struct gm_cjob *job);
/* What the first frame of a chunk that is still to come may cost: frames that are decoded before it
 * and thrown away, at most. 0: none comes, or nobody knows how long the programme is. */
uint64_t gm_core_inst_lead(const struct gm_inst *inst);

#endif
