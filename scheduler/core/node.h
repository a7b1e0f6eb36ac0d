#ifndef GM_SCHEDULER_CORE_NODE_H
#define GM_SCHEDULER_CORE_NODE_H

/* Nodes, and what they say.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* node.c */
void gm_core_node_message(struct gm_core *core, const char *node_id, const Gm__Envelope *envelope);
void gm_core_node_gone(struct gm_core *core, const char *node_id);

/* drain.c */
struct gm_drained *gm_core_drained_add(struct gm_core *core, const char *node_id);
/* The node said Hello: whether it drains; another instance ends a restart. */
void gm_core_drain_hello(struct gm_core *core, struct gm_cnode *node);
/* After Welcome, and after each Renewed: it is told. */
void gm_core_drain_welcomed(struct gm_core *core, const struct gm_cnode *node);
void gm_core_drain_renewed(struct gm_core *core, const struct gm_cnode *node);
bool gm_core_is_restarting(const struct gm_core *core, const struct gm_cnode *node);
/* It ends when it has nothing, and is resumed when it was started anew. Without force not where a
 * job that is not done would find no other node, or none with its chain. Errors: NOTFOUND,
 * CONFLICT.
 */
int gm_core_node_restart(struct gm_core *core, const char *node_id, bool force,
                         struct gm_err *err) GM_MUST_CHECK;
int gm_core_node_drain(struct gm_core *core, const char *node_id, bool resume,
                       struct gm_err *err) GM_MUST_CHECK;
void gm_core_node_tick(struct gm_core *core);
void gm_core_node_destroy(struct gm_cnode *node);
/* Always fails: NOTFOUND, with up to three nodes that are called alike. */
int gm_core_node_unknown(const struct gm_core *core, const char *node_id, struct gm_err *err);

/* handle_work.c, handle_grant.c */
void gm_core_handle_produced(struct gm_core *core, struct gm_cnode *node, const Gm__Produced *m,
                             uint64_t seq, const char *node_id);
void gm_core_handle_done(struct gm_core *core, struct gm_cnode *node, const Gm__Done *m,
                         uint64_t seq, const char *node_id);
void gm_core_handle_unsent(struct gm_core *core, const char *node_id, const Gm__Failed *m,
                           bool told);
void gm_core_handle_failed(struct gm_core *core, struct gm_cnode *node, const Gm__Failed *m,
                           uint64_t seq, const char *node_id);
void gm_core_handle_grant(struct gm_core *core, struct gm_cnode *node, const Gm__GrantRequest *m,
                          const char *node_id);
/* Every object was granted to the job with this size and hash. Errors: PROTO. */
int gm_core_objects_check(const struct gm_cjob *job, Gm__Object *const *objects, size_t count,
                          struct gm_err *err) GM_MUST_CHECK;
/* How many of them were not committed before. */
uint64_t gm_core_objects_commit(struct gm_cjob *job, Gm__Object *const *objects, size_t count);
struct gm_granted *gm_core_granted_find(const struct gm_cjob *job, Gm__ObjectStore store,
                                        const char *key); /* NULL: none */
void gm_core_granted_set(struct gm_cjob *job, const Gm__Object *object);
void gm_core_granted_remove(struct gm_cjob *job, struct gm_granted *granted);

#endif
