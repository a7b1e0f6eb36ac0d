#ifndef GM_SCHEDULER_CORE_CHAINS_H
#define GM_SCHEDULER_CORE_CHAINS_H

/* Chains: with what the pictures of a job are encoded.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* chain.c */
void gm_core_chains_fill(struct gm_cdevice *device, const Gm__Device *m);
void gm_core_chains_fini(struct gm_cdevice *device);
Gm__Chain *gm_core_chain_dup(const Gm__Chain *chain);
bool gm_core_chain_encodes(const Gm__Chain *chain, const char *codec, uint32_t bit_depth);
/* Of the wish, but for the encoder sessions. */
bool gm_core_chain_matches(const Gm__Chain *chain, const struct gm_chain_wish *wish);
/* A device of the node that takes tasks has that chain. */
bool gm_core_node_has_chain(const struct gm_cnode *node, const Gm__Chain *chain);
const Gm__Chain *gm_core_device_chain(const struct gm_cdevice *device,
                                      const struct gm_chain_wish *wish); /* NULL: none */
/* True, and the sentence, when devices offer the chain and none gives as many encoder sessions as
 * the wish takes: "4 renditions need 4 encoder sessions; GPU 0000:01:00.0 gives 3". */
bool gm_core_chain_is_short(const struct gm_core *core, const struct gm_chain_wish *wish,
                            char out[160]);
/* False: nothing that the job may use is there. */
bool gm_core_chain_wish(const struct gm_core *core, const struct gm_inst *inst,
                        struct gm_chain_wish *out);
/* The job gave it up. */
bool gm_core_chain_is_lost(const struct gm_cjob *job, const char *name);
/* The encode task's parameters; NULL: nothing is encoded. */
const Gm__EncodeParams *gm_core_encode_params(const struct gm_cjob *job);
/* Without its devices the job is encoded in software. */
bool gm_core_falls_back(const struct gm_cjob *job);

/* choice.c */
/* It is the turn of the job's `plan`, and there is a slot: chooses its chain, where it has none or
 * can't have that any more. */
void gm_core_choose(struct gm_core *core, struct gm_cjob *job);
/* What `plan` is to be done with: as chosen, or else the first chain that can be had. False: none
 * is there. */
bool gm_core_choice_wish(const struct gm_core *core, const struct gm_cjob *job,
                         struct gm_chain_wish *out);
/* Of ends in the order of preference: the one to take, the first unless another is clearly sooner:
 * half as much again and 30 s are less. What nobody knows (0) is not compared. count: > 0. */
size_t gm_core_choice_best(const struct gm_chain_end *ends, size_t count);
/* " It was expected to end by nvenc after 340 s, by cpu after 120 s: `cpu` was taken."; "": there
 * was no choice. */
void gm_core_choice_say(const struct gm_choice *choice, char *out, size_t size);
/* Why it is none of the pipeline's chains before that one (NULL: none at all), "" where there is
 * nothing to say: "nvenc: no node offers it; vaapi: its devices take no tasks now". */
void gm_core_chain_passed(const struct gm_core *core, const struct gm_cjob *job, const char *before,
                          char *out, size_t size);
/* Plan was given out to the chain: notes why it is none before it. */
void gm_core_chain_chosen(struct gm_core *core, struct gm_cjob *job, const Gm__Chain *chain);
/* Plan is done with `chain`: the job keeps it. Devices that failed at it before are lost to the job
 * where the processor took over. */
void gm_core_chain_take(struct gm_core *core, struct gm_cjob *job, const Gm__Chain *chain);
/* A failure with that code costs the job its chain, not its life. */
bool gm_core_chain_can_go(const struct gm_core *core, const struct gm_lease *lease,
                          enum gm_code code);
/* It goes on: another build is there to try, or may be, as nodes were not heard of. Told after
 * gm_core_chain_can_go. */
bool gm_core_chain_tries_on(struct gm_core *core, const struct gm_lease *lease, enum gm_code code);
/* What is under way with `chain` (NULL: it was told of none) may go on for the instance. */
bool gm_core_chain_goes_on(const struct gm_inst *inst, const Gm__Chain *chain);
/* The job is planned again without it: of the processors', without that build. */
void gm_core_chain_failed(struct gm_core *core, struct gm_cjob *job, const Gm__Chain *chain,
                          const struct gm_err *why);
void gm_core_chain_tick(struct gm_core *core);

#endif
