/* Encoder sessions of the simulated nodes' devices: how many the driver gives is found out. */
#include "sim/sim_io.h"

#include <string.h>

#define GROW_AFTER (30 * GM_SEC)

static uint32_t sessions_of(const struct sim_task *task)
{
    return task->assign->demand->sessions;
}

static bool is_on_gpu(const struct sim_task *task)
{
    return task->assign && !task->finished && !task->dropped &&
           strcmp(task->assign->device, "gpu") == 0;
}

bool sim_sessions_refuse(struct sim *sim, struct sim_node *node, struct sim_task *task)
{
    uint32_t open = 0, held = 0;
    if (task->opened) {
        return false;
    }
    for (size_t i = 0; i < SIM_TASKS; i++) {
        const struct sim_task *t = &node->tasks[i];
        if (t != task && is_on_gpu(t)) {
            open += t->opened ? sessions_of(t) : 0;
            held += sessions_of(t);
        }
    }
    if (sim->params.sessions == 0 || open + sessions_of(task) <= sim->params.sessions) {
        task->opened = true;
        return false;
    }
    uint32_t limit = held + sessions_of(task) - 1;
    node->limit = node->limit > 0 && node->limit < limit ? node->limit : limit;
    node->grow_at = sim->now + GROW_AFTER;
    sim_node_offer_gpu(sim, node, limit > 0 ? node->slots : 0);
    sim_task_fail(sim, node, task, GM_E_DEVICE_BUSY, 0, -1);
    return true;
}

void sim_sessions_step(struct sim *sim, struct sim_node *node)
{
    if (node->grow_at > 0 && sim->now >= node->grow_at) {
        node->limit++;
        node->grow_at = sim->now + GROW_AFTER;
        sim_node_offer_gpu(sim, node, sim->params.slots);
    }
}

static const struct gm_device_view *find_gpu(const struct gm_nodes_view *nodes, const char *node)
{
    for (size_t i = 0; i < nodes->count; i++) {
        for (size_t k = 0; k < nodes->rows[i].device_count; k++) {
            const struct gm_device_view *d = &nodes->rows[i].devices[k];
            if (strcmp(nodes->rows[i].id, node) == 0 && strcmp(d->id, "gpu") == 0) {
                return d;
            }
        }
    }
    fail_msg("node %s has no gpu", node);
    return NULL;
}

void sim_sessions_check(struct sim *sim, const struct gm_effects *fx)
{
    for (size_t i = 0; i < fx->send_count; i++) {
        const Gm__Envelope *e = fx->sends[i].envelope;
        const Gm__Assign *a = e->body_case == GM__ENVELOPE__BODY_ASSIGN ? e->assign : NULL;
        if (!a) {
            continue;
        }
        bool encodes = strcmp(a->spec->type, "plan") == 0 || strcmp(a->spec->type, "encode") == 0;
        bool software = encodes && strcmp(a->spec->chain->name, "cpu") == 0;
        bool gpu = strcmp(a->device, "gpu") == 0 && !software;
        assert_int_equal(a->demand->sessions > 0, gpu && encodes);
        if (gpu) {
            struct gm_nodes_view nodes;
            assert_int_equal(gm_view_nodes(sim->core, &nodes, NULL), 0);
            const struct gm_device_view *d = find_gpu(&nodes, fx->sends[i].node_id);
            if (d->capacity.sessions > 0 && d->used.sessions > d->capacity.sessions) {
                fail_msg("seed %u: %u of %u sessions are given out", sim->params.seed,
                         (unsigned)d->used.sessions, (unsigned)d->capacity.sessions);
            }
            gm_view_nodes_fini(&nodes);
        }
    }
}
