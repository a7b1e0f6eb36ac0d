/* Objects on their way into a store, as node/agent_put.c and storage/dir_put.c have it: a put asks
 * once more before the end whether it is wanted, then nothing holds it back. Until it has ended the
 * node names the lease of a task that it dropped, so that whoever ends the lease finds what was
 * stored for it. A store may be slow, or fail and have stored all the same.
 */
#include "sim/sim_io.h"

#include <string.h>

#define SLOW 20 /* so many times as long, of */
#define SLOW_OF 15

static void land(struct sim *sim, struct sim_task *task)
{
    Gm__Object object = GM__OBJECT__INIT;
    object.store = task->put.store;
    object.key = task->key;
    object.size = task->put.size;
    object.sha256.data = task->put.hash;
    object.sha256.len = sizeof(task->put.hash);
    sim_object_put(sim, task->job, &object, sim->now > task->lease_end);
}

static void begin(struct sim *sim, struct sim_put *put)
{
    uint32_t ms = 1 + sim_random(sim, sim->params.put_ms);
    ms *= sim_random(sim, SLOW_OF) == 0 ? SLOW : 1;
    put->busy = true;
    put->checked = false;
    put->fails = sim_happens(sim, sim->params.put_fails);
    put->check_at = sim->now + sim_random(sim, ms) * GM_MS;
    put->due = sim->now + ms * GM_MS;
}

void sim_put_start(struct sim *sim, struct sim_node *node, struct sim_task *task,
                   const Gm__Object *object)
{
    int64_t unix_ms = node->told_unix_ms != 0
                          ? node->told_unix_ms + (sim->now - node->told_at) / GM_MS
                          : SIM_UNIX_BASE + sim->now / GM_MS;
    if (unix_ms >= task->expires_unix_ms) {
        sim_task_fail(sim, node, task, GM_E_NODE_GRANT, 0, -1);
        return;
    }
    task->put = (struct sim_put){.store = object->store, .size = object->size};
    memcpy(task->put.hash, object->sha256.data, sizeof(task->put.hash));
    if (sim->params.put_ms > 0) {
        begin(sim, &task->put);
        return;
    }
    land(sim, task);
    task->stored = true;
}

static void ended(struct sim *sim, struct sim_node *node, struct sim_task *task)
{
    task->put.busy = false;
    if (task->dropped) {
        sim_task_drop(node, task);
        node->renew_at = sim->now; /* the heartbeat that no longer names it goes at once */
    } else if (!task->put.checked) {
        sim_task_drop(node, task);
    } else if (!task->put.fails) {
        task->stored = true;
    } else if (sim_random(sim, 2) == 0) {
        begin(sim, &task->put);
    } else {
        sim_task_fail(sim, node, task, GM_E_STORE, 0, -1);
    }
}

void sim_put_step(struct sim *sim, struct sim_node *node, struct sim_task *task)
{
    struct sim_put *put = &task->put;
    if (put->busy && !put->checked && sim->now >= put->check_at) {
        put->checked = !task->dropped && sim_node_clock(sim, node) < task->deadline;
        if (!put->checked) {
            ended(sim, node, task);
            return;
        }
    }
    if (put->busy && sim->now >= put->due) {
        if (!put->fails || sim_random(sim, 2) == 0) {
            land(sim, task);
        }
        ended(sim, node, task);
    }
}

bool sim_put_any(const struct sim_node *node)
{
    for (size_t i = 0; i < SIM_TASKS; i++) {
        if (node->tasks[i].assign && node->tasks[i].put.busy) {
            return true;
        }
    }
    return false;
}

void sim_put_kill(struct sim *sim, struct sim_task *task)
{
    if (task->put.busy && task->put.checked && sim_random(sim, 2) == 0) {
        land(sim, task);
    }
    task->put.busy = false;
}
