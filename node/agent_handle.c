/* What the scheduler says. Anything out of place is logged and passed over: a lost or late message
 * is made good by the next heartbeat or resend. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/crash.h"
#include "common/log.h"
#include "node/agent_state.h"
#include "proto/envelope.h"

#define REFUSED_PAUSE (5 * GM_SEC)
#define HEARTBEAT_MIN_MS 10

static bool is_adopted(const struct gm_task *task, const Gm__Welcome *welcome)
{
    for (size_t i = 0; i < welcome->n_adopted; i++) {
        const Gm__LeaseState *s = welcome->adopted[i];
        if (s->task_id == task->id && s->term == task->term && s->epoch == task->epoch) {
            return true;
        }
    }
    return false;
}

/* This term counts its own lease time from now, which may be shorter than what it was given for. */
static void shorten(struct gm_task *task, uint32_t lease_ms)
{
    gm_time end = gm_time_boot() + (gm_time)lease_ms * GM_MS;
    if (end < task->deadline) {
        __atomic_store_n(&task->deadline, end, __ATOMIC_RELAXED);
    }
}

/* What the scheduler before this one assigned goes on where this one says so. */
static void drop_strangers(struct gm_agent *agent, const Gm__Welcome *welcome)
{
    struct gm_task *next = NULL;
    for (struct gm_task *t = agent->tasks; t != NULL; t = next) {
        next = t->next;
        if (t->term == welcome->term || t->state == GM_TASK_DROPPED) {
            continue;
        }
        if (!is_adopted(t, welcome)) {
            gm_task_drop(t, "the scheduler started anew");
            continue;
        }
        shorten(t, welcome->lease_ms);
        if (agent->term != welcome->term) {
            gm_log(GM_LOG_INFO, "task-kept",
                   "job=%s task=%s id=%" PRIu64 " epoch=%" PRIu64 " term=%" PRIu64, t->spec->job_id,
                   t->spec->task, t->id, t->epoch, welcome->term);
        }
    }
}

static void handle_welcome(struct gm_agent *agent, const Gm__Welcome *welcome)
{
    drop_strangers(agent, welcome);
    gm_clock_told(agent, welcome->unix_ms);
    agent->term = welcome->term;
    agent->lease_ms = welcome->lease_ms;
    agent->heartbeat_ms =
        welcome->heartbeat_ms < HEARTBEAT_MIN_MS ? HEARTBEAT_MIN_MS : welcome->heartbeat_ms;
    agent->stall_ms = welcome->stall_ms;
    agent->batches = welcome->batches;
    agent->link = GM_LINK_UP;
    agent->link_failures = 0;
    agent->key_told = false;
    gm_beat_told(agent, welcome->idle_ms);
    gm_beat_start(agent);
    /* Where it still drains us it says so behind this; of a resume meanwhile it says nothing. */
    agent->draining = agent->stop_by != 0;
    agent->restarting = false;
    gm_log(GM_LOG_INFO, "welcome", "term=%" PRIu64 " endpoint=%s", welcome->term,
           agent->params.endpoints[agent->endpoint]);
    gm_link_offer(agent, true);
    gm_link_flush(agent, true);
    gm_item_resend(agent);
    gm_agent_parts_resend(agent);
    gm_agent_check_ready(agent);
    GM_CRASH("agent.welcomed");
}

static void handle_refuse(struct gm_agent *agent, const Gm__Refuse *refuse)
{
    struct gm_err err = {.code = GM_E_BUG};
    if (refuse->error != NULL) {
        gm_err_from_msg(refuse->error, &err);
    }
    if (err.code == GM_E_UNREACHABLE) {                           /* this term does not know us */
        if (agent->link != GM_LINK_HELLO || !agent->hello_sent) { /* it may not have read it yet */
            gm_link_hello_again(agent);
        }
        return;
    }
    gm_log_err(GM_LOG_ERROR, "refused", &err, "endpoint=%s",
               agent->params.endpoints[agent->endpoint]);
    gm_link_retry(agent, REFUSED_PAUSE);
}

static struct gm_task *find_current(struct gm_agent *agent, uint64_t id, uint64_t term,
                                    uint64_t epoch)
{
    struct gm_task *task = gm_task_find(agent, id, epoch);
    return task == NULL || task->term != term || task->state == GM_TASK_DROPPED ? NULL : task;
}

static void handle_renewed(struct gm_agent *agent, const Gm__Renewed *renewed)
{
    /* Leases run from when the oldest question was sent, if this answers that one or a later one;
     * an older one was answered before. Schedulers of earlier versions do not tell which. */
    gm_time from = gm_beat_answered(agent, renewed->number);
    gm_beat_told(agent, renewed->idle_ms);
    gm_clock_told(agent, renewed->unix_ms);
    GM_CRASH("agent.renewed");
    for (size_t i = 0; i < renewed->n_kept && from != 0; i++) {
        const Gm__LeaseState *lease = renewed->kept[i];
        struct gm_task *task = find_current(agent, lease->task_id, lease->term, lease->epoch);
        gm_time deadline = from + (gm_time)agent->lease_ms * GM_MS;
        if (task != NULL && deadline > task->deadline) {
            __atomic_store_n(&task->deadline, deadline, __ATOMIC_RELAXED);
        }
    }
    for (size_t i = 0; i < renewed->n_lost; i++) {
        const Gm__LeaseState *lease = renewed->lost[i];
        struct gm_task *task = find_current(agent, lease->task_id, lease->term, lease->epoch);
        if (task != NULL) {
            gm_task_drop(task, "its lease has ended");
        }
    }
}

static void handle_ack(struct gm_agent *agent, const Gm__Ack *ack)
{
    struct gm_outgoing *out = gm_link_take(agent, ack->seq);
    if (out == NULL) {
        return; /* acknowledged before */
    }
    struct gm_task *task = gm_task_find(agent, out->task_id, out->epoch);
    if (task != NULL && task->state != GM_TASK_DROPPED) {
        if (ack->stale) {
            gm_task_drop(task, "the scheduler has no use for its result");
        } else if (out->is_item) {
            GM_CRASH("agent.item_acked");
            gm_task_acked(task, out);
        } else {
            GM_CRASH("agent.end_acked");
            gm_task_finished(task, out->is_done);
            GM_CRASH("agent.end_settled");
        }
    }
    gm_outgoing_free(out);
}

static void handle_assign(struct gm_agent *agent, Gm__Envelope *env)
{
    Gm__Assign *assign = env->assign;
    if (agent->link != GM_LINK_UP || assign->term != agent->term || assign->spec == NULL) {
        return;
    }
    env->assign = NULL; /* ours now */
    env->body_case = GM__ENVELOPE__BODY__NOT_SET;
    gm_task_assign(agent, assign);
}

static void handle_feed(struct gm_agent *agent, Gm__Envelope *env)
{
    Gm__Feed *feed = env->feed;
    struct gm_task *task = find_current(agent, feed->task_id, feed->term, feed->epoch);
    if (task == NULL) {
        return;
    }
    env->feed = NULL;
    env->body_case = GM__ENVELOPE__BODY__NOT_SET;
    gm_task_feed(task, feed);
}

static void handle_cancel(struct gm_agent *agent, const Gm__Cancel *cancel)
{
    struct gm_task *task = find_current(agent, cancel->task_id, cancel->term, cancel->epoch);
    if (task != NULL) {
        gm_task_drop(task, "the scheduler cancelled it");
        GM_CRASH("agent.cancelled");
    } else {                  /* of whatever term: a lease keeps its own */
        agent->renew_due = 0; /* it waits to hear that nothing of that is here */
    }
}

static void handle_drain(struct gm_agent *agent, const Gm__Drain *drain)
{
    char quoted[256];
    bool same = agent->restarting && drain->restart;
    agent->draining = !drain->resume || agent->stop_by != 0;
    agent->restarting = drain->restart;
    agent->renew_due = same ? agent->renew_due : 0; /* a restart is said after that */
    if (same) {                                     /* it is said until we end */
        return;
    }
    gm_log(GM_LOG_INFO,
           drain->resume    ? "resumed"
           : drain->restart ? "restarting"
                            : "draining",
           "reason=%s", gm_log_quote(drain->reason, quoted, sizeof(quoted)));
    gm_link_offer(agent, true);
    GM_CRASH("agent.drained");
}

void gm_agent_handle(struct gm_agent *agent, Gm__Envelope *env)
{
    switch (env->body_case) {
    case GM__ENVELOPE__BODY_WELCOME:
        handle_welcome(agent, env->welcome);
        break;
    case GM__ENVELOPE__BODY_REFUSE:
        handle_refuse(agent, env->refuse);
        break;
    case GM__ENVELOPE__BODY_ASSIGN:
        handle_assign(agent, env);
        break;
    case GM__ENVELOPE__BODY_FEED:
        handle_feed(agent, env);
        break;
    case GM__ENVELOPE__BODY_RENEWED:
        handle_renewed(agent, env->renewed);
        break;
    case GM__ENVELOPE__BODY_GRANT_ANSWER:
        gm_item_answer(agent, env->grant_answer);
        break;
    case GM__ENVELOPE__BODY_PARTS_ANSWER:
        gm_agent_parts_answer(agent, env->parts_answer);
        break;
    case GM__ENVELOPE__BODY_ACK:
        handle_ack(agent, env->ack);
        break;
    case GM__ENVELOPE__BODY_CANCEL:
        handle_cancel(agent, env->cancel);
        break;
    case GM__ENVELOPE__BODY_DRAIN:
        handle_drain(agent, env->drain);
        break;
    case GM__ENVELOPE__BODY_PROVE:
        gm_agent_device_prove(agent, env->prove);
        break;
    case GM__ENVELOPE__BODY__NOT_SET: /* of a newer release */
        gm_log(GM_LOG_DEBUG, "newer-message", "from=scheduler");
        break;
    default:
        gm_log(GM_LOG_WARN, "unexpected-message", "kind=%d", (int)env->body_case);
    }
    gm__envelope__free_unpacked(env, NULL);
}
