#ifndef GM_TESTS_SCHEDULER_CORE_STAGE_H
#define GM_TESTS_SCHEDULER_CORE_STAGE_H

#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "scheduler/core/state.h"
#include "sim/sim_io.h"

/* Messages about work: a running task of the simulated farm is stopped, and its messages are
 * written by hand. */
struct stage {
    struct sim *sim;
    struct sim_node *node;
    struct sim_task *task;
};

static inline bool stage_find(struct stage *s, const char *task)
{
    for (uint32_t i = 0; i < 1200; i++) {
        s->task = sim_find_running(s->sim, task, &s->node);
        if (s->task && !s->task->finished && !s->task->grant_asked) {
            s->task->hung = true;
            sim_commit(s->sim);
            return true;
        }
        sim_step(s->sim);
    }
    return false;
}

static inline struct stage stage_open(const char *task)
{
    struct sim_params params = {.seed = 3, .nodes = 2, .slots = 2};
    struct stage s = {.sim = sim_create(&params)};
    (void)sim_submit(s.sim, "job", 12, 1, 50);
    assert_true(stage_find(&s, task));
    return s;
}

static inline void say(struct sim *sim, const char *node_id, Gm__Envelope *envelope)
{
    struct gm_event event = {.type = GM_EV_MESSAGE, .node_id = node_id, .envelope = envelope};
    assert_int_equal(sim_event(sim, &event, NULL), 0);
}

/* Hello by hand. Which of the leases go on, one bit each. */
static inline uint32_t said_hello(struct sim *sim, const struct sim_node *node,
                                  Gm__HeldLease **held, size_t count)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Hello m = GM__HELLO__INIT;
    Gm__Device cpu = GM__DEVICE__INIT;
    Gm__Device *devices[] = {&cpu};
    uint32_t kept = 0;
    cpu.id = cpu.kind = (char *)"cpu";
    m.node_id = (char *)(uintptr_t)node->id;
    m.instance = node->instance;
    m.protocol = GM_PROTOCOL_VERSION;
    m.devices = devices;
    m.n_devices = 1;
    m.held = held;
    m.n_held = count;
    envelope.body_case = GM__ENVELOPE__BODY_HELLO;
    envelope.hello = &m;
    say(sim, node->id, &envelope);
    const struct gm_effects *fx = &sim->pending[sim->pending_count - 1];
    const Gm__Welcome *welcome = NULL;
    for (size_t i = 0; i < fx->send_count; i++) {
        const Gm__Envelope *e = fx->sends[i].envelope;
        welcome = e->body_case == GM__ENVELOPE__BODY_WELCOME ? e->welcome : welcome;
    }
    assert_non_null(welcome);
    for (size_t i = 0; i < welcome->n_adopted; i++) {
        for (size_t h = 0; h < count; h++) {
            const Gm__LeaseState *a = welcome->adopted[i];
            bool same = a->task_id == held[h]->task_id && a->term == held[h]->term &&
                        a->epoch == held[h]->epoch;
            kept |= same ? 1u << h : 0;
        }
    }
    return kept;
}

static inline const Gm__Envelope *say_produced(struct stage *s, const Gm__Item *item,
                                               uint64_t epoch)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Produced m = GM__PRODUCED__INIT;
    m.task_id = s->task->assign->task_id;
    m.term = s->task->assign->term;
    m.epoch = epoch;
    m.item = (Gm__Item *)item;
    envelope.seq = 777;
    envelope.body_case = GM__ENVELOPE__BODY_PRODUCED;
    envelope.produced = &m;
    sim_send(s->sim, s->node, &envelope);
    return sim_last_send(s->sim);
}

/* meta, publication: as in Done. */
static inline void say_done(struct stage *s, ProtobufCBinaryData meta, const char *publication)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Done done = GM__DONE__INIT;
    done.task_id = s->task->assign->task_id;
    done.term = s->task->assign->term;
    done.epoch = s->task->assign->epoch;
    done.meta = meta;
    done.publication = (char *)publication;
    envelope.seq = 777;
    envelope.body_case = GM__ENVELOPE__BODY_DONE;
    envelope.done = &done;
    sim_send(s->sim, s->node, &envelope);
}

/* As often as a node says it that gets no Ack. */
static inline void insist_on_done(struct stage *s, ProtobufCBinaryData meta)
{
    for (int i = 0; i < 6; i++) {
        say_done(s, meta, "");
        sim_run(s->sim, 2);
    }
}

static inline const Gm__GrantAnswer *say_grant(struct stage *s, Gm__ObjectStore store,
                                               const char *name, uint64_t size, uint8_t fill,
                                               uint64_t epoch)
{
    uint8_t hash[32];
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__GrantRequest m = GM__GRANT_REQUEST__INIT;
    Gm__GrantItem item = GM__GRANT_ITEM__INIT;
    Gm__GrantItem *items[] = {&item};
    memset(hash, fill, sizeof(hash));
    item.store = store;
    item.name = (char *)name;
    item.size = size;
    item.sha256.data = hash;
    item.sha256.len = sizeof(hash);
    m.task_id = s->task->assign->task_id;
    m.term = s->task->assign->term;
    m.epoch = epoch;
    m.request = 5;
    m.items = items;
    m.n_items = 1;
    envelope.body_case = GM__ENVELOPE__BODY_GRANT_REQUEST;
    envelope.grant_request = &m;
    sim_send(s->sim, s->node, &envelope);
    const Gm__Envelope *answer = sim_last_send(s->sim);
    assert_int_equal(answer->body_case, GM__ENVELOPE__BODY_GRANT_ANSWER);
    assert_int_equal(answer->grant_answer->request, 5);
    return answer->grant_answer;
}

static inline bool is_ack(const Gm__Envelope *e, bool stale)
{
    return e && e->body_case == GM__ENVELOPE__BODY_ACK && e->ack->seq == 777 &&
           e->ack->stale == stale;
}

#endif
