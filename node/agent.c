/* The agent's life: set up, loop with a tick, and down again by SIGTERM or SIGINT, or when the
 * scheduler wants it to start anew and it has nothing to do.
 *
 * One that stops drops its tasks, and says Goodbye when nothing of them can be stored any more: at
 * once as a rule, with the last of their leases where a store hangs. What hangs longer ends with
 * the process. A second signal is for who does not want to wait. */
#include "node/agent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <zmq.h>

#include "common/id.h"
#include "common/log.h"
#include "node/agent_state.h"
#include "node/capacity.h"
#include "proto/envelope.h"

#define TICK_MS 50
#define GOODBYE_LINGER_MS 200
#define HANG_PATIENCE (5 * GM_SEC) /* with a lease of 15 s below systemd's TimeoutStopSec, 30 s */
#define SIGNALS_PATIENCE GM_SEC

gm_time gm_agent_backoff(uint32_t tries)
{
    gm_time pause = (100 * GM_MS) << (tries < 6 ? tries : 6);
    pause = pause > 5 * GM_SEC ? 5 * GM_SEC : pause;
    uint32_t random = 0;
    if (gm_random(&random, sizeof(random), NULL) < 0) {
        random = 0;
    }
    return pause / 2 + pause / 2 * (gm_time)(random % 1024) / 1024;
}

static void say_goodbye(struct gm_agent *agent)
{
    Gm__Goodbye goodbye = GM__GOODBYE__INIT;
    goodbye.reason = (char *)(uintptr_t)agent->farewell;
    goodbye.node_id = (char *)(uintptr_t)agent->params.node_id;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_GOODBYE;
    env.goodbye = &goodbye;
    if (!gm_link_send(agent, &env)) {
        gm_log(GM_LOG_DEBUG, "goodbye-not-sent", "reason=%s", agent->farewell);
    }
}

/* The scheduler wants it anew, and nobody else told it to end. */
static bool restarts(const struct gm_agent *agent)
{
    return agent->restarting && !agent->signalled;
}

/* Threads that hang can't be ended alone, nor waited for as exit(3) does. */
static _Noreturn void quit(struct gm_agent *agent)
{
    uint32_t jobs = 0;
    for (const struct gm_job *job = agent->jobs; job != NULL; job = job->next) {
        jobs++;
    }
    gm_log(GM_LOG_WARN, "left-hanging", "jobs=%" PRIu32 " goodbye=%s", jobs,
           agent->left ? "yes" : "no");
    if (agent->failure != NULL) { /* nobody else tells it now */
        gm_log_err(GM_LOG_ERROR, "start-failed", agent->failure, "what=agent");
    }
    gm_link_close(agent, GOODBYE_LINGER_MS);
    if (agent->zmq != NULL) {
        zmq_ctx_term(agent->zmq); /* what lingers is sent */
    }
    _exit(agent->failure != NULL ? 1 : restarts(agent) ? GM_AGENT_RESTART : 0);
}

static void leave_within(struct gm_agent *agent, gm_time now, gm_time patience)
{
    agent->leave_by = now + patience < agent->leave_by ? now + patience : agent->leave_by;
}

static void leave(struct gm_agent *agent, gm_time now)
{
    if (!agent->left && !gm_put_any(agent)) {
        if (agent->farewell != NULL) {
            say_goodbye(agent);
        }
        gm_link_close(agent, GOODBYE_LINGER_MS);
        gm_agent_windows_close(agent);
        gm_transfers_destroy(&agent->transfers);
        agent->left = true;
        leave_within(agent, now, HANG_PATIENCE);
        uv_unref((uv_handle_t *)&agent->tick); /* the loop ends when all else has */
    }
    if (now >= agent->leave_by) {
        quit(agent);
    }
}

/* From here on nothing is started. */
static void stop(struct gm_agent *agent, const char *reason)
{
    agent->stopping = true;
    agent->leave_by = INT64_MAX;
    __atomic_store_n(&agent->prove_stop, 1, __ATOMIC_RELAXED);
    gm_log(GM_LOG_INFO, "stopping", "reason=%s", reason);
    agent->farewell = agent->link == GM_LINK_UP ? reason : NULL;
    gm_link_mute(agent);
    if (agent->verifying != NULL) {
        struct gm_err why;
        gm_err_set(&why, GM_E_CANCELLED, 0, "the agent stops");
        gm_verify_gone(agent, &why);
    }
    struct gm_task *next = NULL;
    for (struct gm_task *t = agent->tasks; t != NULL; t = next) {
        next = t->next;
        gm_task_drop(t, "the agent stops");
    }
    leave(agent, gm_time_now());
    gm_agent_slots_close(agent);
    uv_unref((uv_handle_t *)&agent->sigterm);
    uv_unref((uv_handle_t *)&agent->sigint);
}

/* Nothing of it is wanted by the scheduler any more. Dropped tasks may hang in a store for ever. */
static bool is_idle(const struct gm_agent *agent)
{
    const struct gm_task *task = agent->tasks;
    while (task != NULL && task->state == GM_TASK_DROPPED) {
        task = task->next;
    }
    return task == NULL && agent->outbox == NULL && !gm_put_any(agent);
}

/* It was to end when it is idle, and does so now. */
static bool ends(struct gm_agent *agent, gm_time now)
{
    if (agent->stop_by != 0 && (is_idle(agent) || now >= agent->stop_by)) {
        stop(agent, "SIGTERM");
    } else if (agent->restarting && agent->link == GM_LINK_UP && is_idle(agent)) {
        stop(agent, "restart");
    }
    return agent->stopping;
}

static void on_tick(uv_timer_t *timer)
{
    struct gm_agent *agent = timer->data;
    gm_time now = gm_time_now();
    gm_send_tick(agent);
    if (agent->stopping) {
        leave(agent, now);
        return;
    }
    gm_link_tick(agent, now);
    if (ends(agent, now)) {
        return;
    }
    struct gm_task *next = NULL;
    for (struct gm_task *t = agent->tasks; t != NULL; t = next) {
        next = t->next;
        gm_task_tick(t, now);
    }
    gm_open_tick(agent, now);
    gm_agent_parts_tick(agent, now);
    gm_agent_slots_tick(agent, now);
    gm_agent_devices_tick(agent, now);
    gm_agent_jobs_watch(agent, now);
    gm_agent_watch(agent, now);
}

/* Takes nothing new, and ends what it has. */
static void wind_up(struct gm_agent *agent)
{
    agent->stop_by = gm_time_now() + (gm_time)agent->params.drain_ms * GM_MS;
    agent->draining = true;
    gm_log(GM_LOG_INFO, "winding-up", "at_most_ms=%" PRIu32, agent->params.drain_ms);
    gm_link_offer(agent, true);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct gm_agent *agent = handle->data;
    agent->signalled = true;
    if (agent->stopping) {
        leave_within(agent, gm_time_now(), SIGNALS_PATIENCE);
    } else if (signum == SIGTERM && agent->params.drain_ms > 0 && agent->stop_by == 0) {
        wind_up(agent);
    } else {
        stop(agent, signum == SIGTERM ? "SIGTERM" : "SIGINT");
    }
}

static void run(struct gm_agent *agent)
{
    uv_run(&agent->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&agent->tick, NULL);
    uv_close((uv_handle_t *)&agent->sigterm, NULL);
    uv_close((uv_handle_t *)&agent->sigint, NULL);
    uv_run(&agent->loop, UV_RUN_DEFAULT);
}

static int start(struct gm_agent *agent, struct gm_err *err)
{
    uv_timer_init(&agent->loop, &agent->tick);
    uv_signal_init(&agent->loop, &agent->sigterm);
    uv_signal_init(&agent->loop, &agent->sigint);
    agent->tick.data = agent->sigterm.data = agent->sigint.data = agent;
    int rc = uv_timer_start(&agent->tick, on_tick, 0, TICK_MS);
    rc = rc < 0 ? rc : uv_signal_start(&agent->sigterm, on_signal, SIGTERM);
    rc = rc < 0 ? rc : uv_signal_start(&agent->sigint, on_signal, SIGINT);
    if (rc < 0) {
        return gm_err_uv(err, rc, "could not set up the event loop");
    }
    rc = gm_random(&agent->instance, sizeof(agent->instance), err);
    if (rc < 0) {
        return rc;
    }
    /* Of its own: an answer to what an earlier agent sent here meets nothing. */
    agent->seq = agent->request = (agent->instance | 1) << 32;
    agent->scratch_whole = agent->params.scratch_bytes;
    if (agent->scratch_whole == 0) {
        rc = gm_capacity_scratch(agent->params.scratch, &agent->scratch_whole, err);
        if (rc < 0) {
            return rc;
        }
    }
    agent->zmq = zmq_ctx_new();
    if (agent->zmq == NULL) {
        return gm_err_zmq(err, zmq_errno(), "could not start ZeroMQ");
    }
    gm_beat_cache(agent);
    rc = gm_transfers_create(&agent->loop, agent->params.storage_ca, GM_TRANSFERS_MOST,
                             &agent->transfers, err);
    rc = rc < 0 ? rc : gm_agent_devices_open(agent, err);
    rc = rc < 0 ? rc : gm_agent_slots_open(agent, err);
    if (rc == 0) {
        gm_agent_devices_start(agent);
    }
    return rc;
}

static void free_agent(struct gm_agent *agent)
{
    while (agent->outbox != NULL) {
        gm_outgoing_free(gm_link_take(agent, agent->outbox->seq));
    }
    for (size_t i = 0; i < agent->note_count; i++) {
        free(agent->notes[i]);
    }
    for (uint32_t i = 0; agent->slots != NULL && i <= agent->slot_count; i++) {
        free(agent->slots[i].scratch);
    }
    free(agent->slots);
    gm_agent_devices_fini(agent);
    if (agent->zmq != NULL) {
        zmq_ctx_term(agent->zmq);
    }
    free(agent);
}

int gm_agent_run(const struct gm_agent_params *params, struct gm_err *err)
{
    struct gm_agent *agent = calloc(1, sizeof(*agent));
    if (agent == NULL) {
        return gm_err_nomem(err);
    }
    agent->params = *params;
    agent->outbox_end = &agent->outbox;
    agent->lease_ms = 15000; /* until Welcome says its own */
    agent->heartbeat_ms = agent->idle_ms = 1000;
    agent->stall_ms = 120000;
    agent->threads = gm_agent_threads();
    agent->thread_free = gm_time_now();
    int rc = uv_loop_init(&agent->loop);
    if (rc < 0) {
        free(agent);
        return gm_err_uv(err, rc, "could not make an event loop");
    }
    rc = gm_pool_start(&agent->loop, err);
    if (rc < 0) {
        (void)uv_loop_close(&agent->loop);
        free(agent);
        return rc;
    }
    rc = start(agent, err);
    if (rc < 0) {
        agent->failure = err;
        stop(agent, "start failed");
    }
    run(agent);
    int closed = uv_loop_close(&agent->loop);
    GM_ASSERT(closed == 0);
    rc = rc == 0 && restarts(agent) ? GM_AGENT_RESTART : rc;
    free_agent(agent);
    return rc;
}
