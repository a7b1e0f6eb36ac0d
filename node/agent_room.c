/* How much a device takes at present. One without memory for what it was given is offered with a
 * slot less, none when nothing of ours runs there. One that refused an encoder session is offered
 * with fewer sessions: those that its other tasks hold and what the refused one may have got, which
 * is less than it asked for. Both grow back by one after the pauses of agent_device.c; sessions
 * until they are enough for all slots: then nothing is known of a limit any more.
 */
#include <inttypes.h>

#include "common/log.h"
#include "node/agent_state.h"

static uint32_t tasks_on(const struct gm_agent *agent, const struct gm_agent_device *d)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->slot_count; i++) {
        count += agent->slots[d->first_slot + i].task != NULL ? 1 : 0;
    }
    return count;
}

/* What runs on a device encodes. */
static uint32_t sessions_of(const struct gm_task *task)
{
    const Gm__Capacity *demand = task->assign->demand;
    return demand == NULL || demand->sessions == 0 ? 1 : demand->sessions;
}

/* As the scheduler counts them: a task may not have opened all of its own yet. */
static uint64_t sessions_on(const struct gm_agent *agent, const struct gm_agent_device *d)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < d->slot_count; i++) {
        const struct gm_task *task = agent->slots[d->first_slot + i].task;
        sum += task != NULL ? sessions_of(task) : 0;
    }
    return sum;
}

void gm_agent_room_reset(struct gm_agent_device *d)
{
    d->allowed = d->slot_count;
    d->sessions = GM_AGENT_SESSIONS_ANY;
}

/* The task that was refused is one of tasks_on. */
void gm_agent_room_memory(struct gm_agent *agent, struct gm_agent_device *d)
{
    uint32_t others = tasks_on(agent, d);
    others -= others > 0 ? 1 : 0;
    d->allowed -= d->allowed > 0 ? 1 : 0;
    d->allowed = others == 0 ? 0 : d->allowed == 0 ? 1 : d->allowed;
    d->full++;
    gm_time pause = gm_agent_device_pause(agent, d->full);
    d->grow_at = gm_time_now() + pause;
    d->dirty = true;
    gm_log(GM_LOG_WARN, "device-full", "device=%s slots=%" PRIu32 " again_ms=%" PRId64,
           d->found->id, d->allowed, pause / GM_MS);
}

void gm_agent_room_busy(struct gm_agent *agent, struct gm_agent_device *d,
                        const struct gm_task *task)
{
    uint64_t asked = sessions_on(agent, d); /* with the task's */
    uint64_t slots_ask = (uint64_t)d->slot_count * sessions_of(task);
    d->sessions = asked - 1 < d->sessions ? (uint32_t)(asked - 1) : d->sessions;
    d->sessions_asked = asked;
    d->sessions_most = slots_ask > d->sessions_most ? slots_ask : d->sessions_most;
    d->sessions_full++;
    gm_time pause = gm_agent_device_pause(agent, d->sessions_full);
    d->sessions_grow_at = gm_time_now() + pause;
    d->dirty = true;
    gm_log(GM_LOG_WARN, "device-full", "device=%s sessions=%" PRIu32 " again_ms=%" PRId64,
           d->found->id, d->sessions, pause / GM_MS);
}

void gm_agent_room_worked(const struct gm_agent *agent, struct gm_agent_device *d)
{
    if (tasks_on(agent, d) >= d->slot_count) { /* all slots at once work */
        d->full = 0;
    }
    if (sessions_on(agent, d) >= d->sessions_asked) { /* so do as many as were too many */
        d->sessions_full = 0;
    }
}

static void grow_sessions(struct gm_agent_device *d)
{
    uint64_t more = (uint64_t)d->sessions + 1;
    bool enough = more >= d->sessions_most && more >= d->sessions_asked;
    d->sessions = enough || more >= GM_AGENT_SESSIONS_ANY ? GM_AGENT_SESSIONS_ANY : (uint32_t)more;
    if (d->sessions == GM_AGENT_SESSIONS_ANY) {
        gm_log(GM_LOG_INFO, "device-grown", "device=%s sessions=any", d->found->id);
    } else {
        gm_log(GM_LOG_INFO, "device-grown", "device=%s sessions=%" PRIu32, d->found->id,
               d->sessions);
    }
}

bool gm_agent_room_tick(const struct gm_agent *agent, struct gm_agent_device *d, gm_time now)
{
    bool grown = false;
    if (d->allowed < d->slot_count && now >= d->grow_at) {
        d->allowed++;
        d->grow_at = now + gm_agent_device_pause(agent, d->full);
        grown = true;
        gm_log(GM_LOG_INFO, "device-grown", "device=%s slots=%" PRIu32, d->found->id, d->allowed);
    }
    if (d->sessions < GM_AGENT_SESSIONS_ANY && now >= d->sessions_grow_at) {
        grow_sessions(d);
        d->sessions_grow_at = now + gm_agent_device_pause(agent, d->sessions_full);
        grown = true;
    }
    d->dirty = d->dirty || grown;
    return grown;
}

uint32_t gm_agent_room_slots(const struct gm_agent_device *d)
{
    return d->sessions == 0 ? 0 : d->allowed;
}
