/* Nodes that get nothing new: drained by an operator until they are resumed, or restarting until
 * another instance of them says Hello.
 *
 * A node that restarts works off what it has. When it has no lease any more it is told to end, each
 * time that it renews, as that may be lost; who started it starts it anew. The state is a row: it
 * outlives whoever asked for it, and the scheduler. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/chains.h"
#include "scheduler/core/node.h"
#include "scheduler/core/place.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"
#include "scheduler/core/watch.h"

static struct gm_drained *find(const struct gm_core *core, const char *node_id)
{
    struct gm_drained *drained = NULL;
    HASH_FIND_STR(core->drained, node_id, drained);
    return drained;
}

struct gm_drained *gm_core_drained_add(struct gm_core *core, const char *node_id)
{
    struct gm_drained *drained = gm_mem_zalloc(sizeof(*drained));
    drained->id = gm_mem_strdup(node_id);
    HASH_ADD_KEYPTR(hh, core->drained, drained->id, strlen(drained->id), drained);
    return drained;
}

static void take_out(struct gm_core *core, struct gm_drained *drained)
{
    HASH_DEL(core->drained, drained);
    free(drained->id);
    free(drained);
}

static void tell(struct gm_core *core, const char *node_id, bool resume, bool restart)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Drain drain = GM__DRAIN__INIT;
    drain.reason = (char *)(resume    ? "resumed by the operator"
                            : restart ? "restarted by the operator"
                                      : "drained by the operator");
    drain.resume = resume;
    drain.restart = restart;
    envelope.body_case = GM__ENVELOPE__BODY_DRAIN;
    envelope.drain = &drain;
    gm_core_fx_send(core, node_id, &envelope, false);
}

void gm_core_drain_hello(struct gm_core *core, struct gm_cnode *node)
{
    struct gm_drained *drained = find(core, node->id);
    if (drained && drained->restarting && drained->instance != node->instance) {
        gm_core_fx_node(core, "node.restarted", node->id, "", "it was started anew");
        drained->restarting = false;
        if (!drained->stays) {
            take_out(core, drained);
            drained = NULL;
        }
        gm_core_row_node(core, node->id);
    }
    node->draining = drained != NULL;
}

void gm_core_drain_welcomed(struct gm_core *core, const struct gm_cnode *node)
{
    if (node->draining) {
        tell(core, node->id, false, false);
    }
}

void gm_core_drain_renewed(struct gm_core *core, const struct gm_cnode *node)
{
    if (node->draining && !node->leases && gm_core_is_restarting(core, node)) {
        tell(core, node->id, false, true);
    }
}

bool gm_core_is_restarting(const struct gm_core *core, const struct gm_cnode *node)
{
    const struct gm_drained *drained = find(core, node->id);
    return drained && drained->restarting;
}

static void set_draining(struct gm_core *core, struct gm_cnode *node, bool draining)
{
    node->draining = draining;
    gm_devices_note_node(core, node);
    core->place_dirty = true;
    tell(core, node->id, !draining, false);
}

int gm_core_node_drain(struct gm_core *core, const char *node_id, bool resume, struct gm_err *err)
{
    struct gm_cnode *node = NULL;
    struct gm_drained *drained = find(core, node_id);
    HASH_FIND_STR(core->nodes, node_id, node);
    bool lifted = resume && gm_core_watch_resume(core, node_id, "");
    if (!node && !drained && !lifted) {
        return gm_core_node_unknown(core, node_id, err);
    }
    if (!resume && !drained) {
        (void)gm_core_drained_add(core, node_id);
        gm_core_row_node(core, node_id);
    } else if (!resume && drained->restarting && !drained->stays) {
        drained->stays = true;
        gm_core_row_node(core, node_id);
    } else if (resume && drained) {
        take_out(core, drained);
        gm_core_row_node(core, node_id);
    }
    if (node) {
        set_draining(core, node, !resume);
    }
    return 0;
}

static bool is_final(const struct gm_cjob *job)
{
    return job->state != GM_JOB_QUEUED && job->state != GM_JOB_RUNNING;
}

static bool takes_tasks(const struct gm_cnode *node)
{
    bool takes = false;
    for (size_t i = 0; gm_core_node_is_open(node) && !takes && i < node->device_count; i++) {
        takes = node->devices[i].usable.slots > 0;
    }
    return takes;
}

/* Somebody takes tasks, and has the chain (NULL: whichever), while this node is away. */
static bool has_other(const struct gm_core *core, const struct gm_cnode *node,
                      const Gm__Chain *chain)
{
    for (const struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        if (n != node && takes_tasks(n) && (!chain || gm_core_node_has_chain(n, chain))) {
            return true;
        }
    }
    return false;
}

/* What is under way would stand still. */
static int check_others(const struct gm_core *core, const struct gm_cnode *node, struct gm_err *err)
{
    const Gm__Chain *good = NULL; /* jobs of one chain follow each other, as a rule */
    bool looked = false, any = false;
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        bool encodes = job->encode && !gm_core_task_is_done(job->encode);
        const Gm__Chain *chain = encodes ? job->chain : NULL;
        if (is_final(job)) {
            continue;
        }
        any = looked ? any : has_other(core, node, NULL);
        looked = true;
        if (!any) {
            return gm_err_set(err, GM_E_CONFLICT, 0,
                              "no other node takes tasks now: job %s would stand still; wait for "
                              "another node, or use `--force`",
                              job->id);
        }
        bool same = chain && good && strcmp(chain->name, good->name) == 0 &&
                    strcmp(chain->fingerprint, good->fingerprint) == 0;
        if (!chain || same || !gm_core_node_has_chain(node, chain)) {
            continue;
        }
        if (!has_other(core, node, chain)) {
            return gm_err_set(err, GM_E_CONFLICT, 0,
                              "job %s is encoded by `%s` (%.100s), which no other node offers now: "
                              "wait for another node, or use `--force`",
                              job->id, chain->name, chain->fingerprint);
        }
        good = chain;
    }
    return 0;
}

int gm_core_node_restart(struct gm_core *core, const char *node_id, bool force, struct gm_err *err)
{
    struct gm_cnode *node = NULL;
    struct gm_drained *drained = find(core, node_id);
    HASH_FIND_STR(core->nodes, node_id, node);
    if (!node) {
        return gm_core_node_unknown(core, node_id, err);
    }
    if (drained && drained->restarting) {
        return 0;
    }
    if (!node->connected) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "node %s is gone: it can't be told to start anew",
                          node_id);
    }
    if (!node->restarts) {
        return gm_err_set(err, GM_E_CONFLICT, 0,
                          "node %s is of build %.40s, which can't be told to start anew: drain it, "
                          "restart its service, resume it",
                          node_id, node->build);
    }
    if (!force && takes_tasks(node) && check_others(core, node, err) < 0) {
        return -GM_E_CONFLICT;
    }
    bool stays = drained != NULL;
    drained = drained ? drained : gm_core_drained_add(core, node_id);
    drained->restarting = true;
    drained->stays = stays;
    drained->instance = node->instance;
    gm_core_row_node(core, node_id);
    gm_core_fx_node(core, "node.restarting", node_id, "", "by the operator");
    set_draining(core, node, true);
    return 0;
}
