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
