/* Renew: what keeps leases alive, and what shows that the node lives and the scheduler, too. A node
 * without work says it as seldom as it was told to; once it was not answered it asks again each
 * heartbeat, whatever it does. */
#include <stdlib.h>

#include "node/agent_state.h"
#include "node/cache.h"
#include "proto/envelope.h"

static gm_time heartbeat(const struct gm_agent *agent)
{
    return (gm_time)agent->heartbeat_ms * GM_MS;
}

/* Longer than a lease says nothing; an older scheduler tells 0. */
void gm_beat_told(struct gm_agent *agent, uint32_t idle_ms)
{
    idle_ms = idle_ms < agent->lease_ms ? idle_ms : agent->lease_ms;
    agent->idle_ms = idle_ms > agent->heartbeat_ms ? idle_ms : agent->heartbeat_ms;
}

void gm_beat_start(struct gm_agent *agent)
{
    agent->renew_due = 0;
    agent->renew_asked = 0;
    agent->renewed = agent->asked = 0;
}

void gm_beat_work(struct gm_agent *agent)
{
    if (agent->tasks == NULL && agent->renew_due != 0) {
        agent->renew_due = gm_time_now() + heartbeat(agent);
    }
}

bool gm_beat_is_due(const struct gm_agent *agent, gm_time now)
{
    bool quiet = agent->tasks == NULL && agent->asked == 0 && agent->renew_due != 0;
    gm_time due = quiet ? agent->renewed + (gm_time)agent->idle_ms * GM_MS : agent->renew_due;
    return now >= due;
}

gm_time gm_beat_silence(const struct gm_agent *agent, gm_time now)
{
    if (agent->asked == 0) {
        return 0;
    }
    gm_time since = agent->asked - heartbeat(agent);
    return now - (agent->heard > since ? agent->heard : since);
}

gm_time gm_beat_answered(struct gm_agent *agent, uint64_t number)
{
    gm_time from = agent->renew_asked;
    if (number != 0 && number < agent->renew_number) {
        return 0;
    }
    agent->renew_asked = 0;
    agent->asked = 0;
    return from;
}

/* Its lease is in use. Nothing extends that of a dropped task. now: gm_time_boot. */
static bool holds_lease(const struct gm_task *task, gm_time now)
{
    return task->state != GM_TASK_DROPPED || (now <= task->deadline && gm_put_is_busy(task));
}

static size_t count_leases(const struct gm_agent *agent, gm_time now)
{
    size_t count = 0;
    for (const struct gm_task *t = agent->tasks; t != NULL; t = t->next) {
        count += holds_lease(t, now) ? 1 : 0;
    }
    return count;
}

static size_t name_leases(const struct gm_agent *agent, gm_time now, Gm__LeaseState *leases,
                          Gm__LeaseState **list)
{
    size_t n = 0;
    for (const struct gm_task *t = agent->tasks; t != NULL; t = t->next) {
        if (!holds_lease(t, now)) {
            continue;
        }
        gm__lease_state__init(&leases[n]);
        leases[n].task_id = t->id;
        leases[n].term = t->term;
        leases[n].epoch = t->epoch;
        leases[n].progress = t->progress;
        leases[n].inputs_received = (uint32_t)t->inputs.count;
        leases[n].waits_part = gm_agent_parts_waits(agent, t);
        list[n] = &leases[n];
        n++;
    }
    return n;
}

/* After a Welcome that all nodes got at once they don't ask all at once ever after. */
static gm_time spread(const struct gm_agent *agent)
{
    bool first = agent->renewed == 0 && agent->idle_ms > agent->heartbeat_ms;
    return first ? (gm_time)(agent->instance % agent->idle_ms) * GM_MS : 0;
}

void gm_beat_cache(struct gm_agent *agent)
{
    uint64_t bytes = gm_cache_bytes(agent->params.cache);
    if (bytes != UINT64_MAX) { /* else it is not known now */
        __atomic_store_n(&agent->counts.cache_bytes, bytes, __ATOMIC_RELAXED);
    }
}

static Gm__NodeCounters counters_of(const struct gm_agent *agent)
{
    Gm__NodeCounters m = GM__NODE_COUNTERS__INIT;
    m.cache_hits = agent->counts.cache_hits;
    m.cache_misses = agent->counts.cache_misses;
    m.cache_bytes = __atomic_load_n(&agent->counts.cache_bytes, __ATOMIC_RELAXED);
    m.read_bytes = agent->counts.read_bytes;
    m.fetched_bytes = agent->counts.fetched_bytes;
    m.written_bytes = agent->counts.written_bytes;
    return m;
}

void gm_beat_send(struct gm_agent *agent, gm_time now)
{
    gm_time boot = gm_time_boot();
    size_t count = count_leases(agent, boot);
    Gm__LeaseState *leases = calloc(count + 1, sizeof(*leases));
    Gm__LeaseState **list = calloc(count + 1, sizeof(*list));
    agent->renewed = now - spread(agent);
    agent->renew_due = now + heartbeat(agent);
    agent->asked = agent->asked == 0 ? now : agent->asked;
    if (leases != NULL && list != NULL) {
        Gm__Renew renew = GM__RENEW__INIT;
        renew.leases = list;
        renew.n_leases = name_leases(agent, boot, leases, list);
        renew.number = ++agent->renews;
        Gm__NodeCounters counters = counters_of(agent);
        renew.counters = &counters;
        Gm__Envelope env = GM__ENVELOPE__INIT;
        env.version = GM_PROTOCOL_VERSION;
        env.body_case = GM__ENVELOPE__BODY_RENEW;
        env.renew = &renew;
        if (gm_link_send(agent, &env) && agent->renew_asked == 0) {
            agent->renew_asked = boot;
            agent->renew_number = renew.number;
        }
    }
    free(leases);
    free(list);
}
