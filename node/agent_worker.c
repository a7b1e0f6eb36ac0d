/* The slots: their processes' coming and going, and what their workers say. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/log.h"
#include "node/agent_state.h"
#include "node/sandbox.h"
#include "proto/envelope.h"

#define BROKEN_AFTER 3 /* starts in a row that failed */
#define DYING_MS 10000 /* long enough to give back what a device holds */
#define STORE_STALL_MS (15 * 60 * 1000)

/* False: it is known, or there is no room for it. */
static bool add_note(struct gm_agent *agent, const char *text)
{
    bool known = agent->note_count == sizeof(agent->notes) / sizeof(agent->notes[0]);
    for (size_t k = 0; k < agent->note_count; k++) {
        known = known || strcmp(agent->notes[k], text) == 0;
    }
    char *copy = known ? NULL : strdup(text);
    if (copy != NULL) {
        agent->notes[agent->note_count++] = copy;
    }
    return copy != NULL;
}

static void note_missing(struct gm_agent *agent, const Gm__WReady *ready)
{
    for (size_t i = 0; i < ready->n_missing; i++) {
        char text[160];
        snprintf(text, sizeof(text), "sandbox: this kernel has no %.100s", ready->missing[i]);
        if (add_note(agent, text)) {
            gm_log(GM_LOG_WARN, "sandbox-incomplete", "missing=%.100s", ready->missing[i]);
        }
    }
}

static void on_ready(struct gm_slot *process, const Gm__WReady *ready, void *arg)
{
    struct gm_agent_slot *slot = arg;
    struct gm_agent *agent = slot->agent;
    gm_log(GM_LOG_DEBUG, "worker-ready", "slot=%" PRIu32 " pid=%d", slot->index,
           gm_slot_pid(process));
    note_missing(agent, ready);
    slot->seen = true;
    slot->ready_at = gm_time_now();
    gm_agent_build_ready(slot, ready->build);
    slot->broken = slot->broken && slot->fell;
    gm_link_offer(agent, false);
    gm_agent_check_ready(agent);
    if (agent->link == GM_LINK_DOWN) { /* it may have waited for this worker */
        gm_link_tick(agent, gm_time_now());
    }
    if (slot->index == agent->slot_count) {
        gm_verify_next(agent);
    } else if (slot->task != NULL && slot->task->state == GM_TASK_WAITING) {
        gm_task_start(slot->task);
    } else {
        gm_agent_assist_settle(slot);
    }
}

static void end_done(struct gm_task *task, const Gm__WDone *done)
{
    struct gm_err err;
    task->state = GM_TASK_STORING;
    if (gm_item_add_done(task, done, &err) < 0) {
        gm_task_fail(task, &err, -1);
    }
}

/* The most address space that the process ever had, in bytes; 0: not known. */
static uint64_t peak_of(int pid)
{
    char path[64];
    char line[128];
    uint64_t kib = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && kib == 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmPeak:", 7) == 0) {
            kib = strtoull(line + 7, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib * 1024;
}

/* Libraries hide that memory ran out behind errors of their own ("generic error"). A worker that
 * failed after it came near its limit failed for that. */
static void name_memory(const struct gm_task *task, struct gm_err *err)
{
    uint64_t limit = gm_slot_memory(task->slot->process);
    if (err->code != GM_E_MEDIA || limit == 0 || !gm_sandbox_limits_memory() ||
        peak_of(gm_slot_pid(task->slot->process)) < limit - limit / 8) {
        return;
    }
    err->code = GM_E_NOMEM;
    GM_IGNORE(gm_err_wrap(err, -GM_E_NOMEM,
                          "out of worker_memory_bytes (%" PRIu64 " MiB): ", limit >> 20),
              "the text is what it is for");
}

static void end_failed(struct gm_task *task, const Gm__WFailed *failed)
{
    struct gm_err why, err;
    gm_err_from_msg(failed->error, &why);
    name_memory(task, &why);
    if (task->source_fd < 0) {
        gm_task_end_failed(task, &why, failed->chunk, failed->usage);
        return;
    }
    task->state = GM_TASK_STORING;
    if (gm_item_add_doubted(task, &why, failed->chunk, failed->usage, &err) < 0) {
        gm_task_fail(task, &err, -1);
    }
}

static void on_task_message(struct gm_task *task, const Gm__WorkerMessage *msg)
{
    struct gm_err err;
    gm_task_alive(task);
    switch (msg->body_case) {
    case GM__WORKER_MESSAGE__BODY_PROGRESS:
        task->frames_done = msg->progress->frames_done;
        task->frames_total = msg->progress->frames_total;
        break;
    case GM__WORKER_MESSAGE__BODY_OPEN:
        gm_open_start(task, task->slot, msg->open);
        break;
    case GM__WORKER_MESSAGE__BODY_NEED:
        gm_agent_window_need(task->slot, msg->need);
        break;
    case GM__WORKER_MESSAGE__BODY_PRODUCED:
        if (gm_item_add(task, msg->produced, &err) < 0) {
            gm_task_fail(task, &err, -1);
        }
        break;
    case GM__WORKER_MESSAGE__BODY_DEVICE_FAILED:
        gm_err_from_msg(msg->device_failed->error, &err);
        gm_agent_assist_failed(task, &err);
        break;
    case GM__WORKER_MESSAGE__BODY_DONE:
        end_done(task, msg->done);
        break;
    case GM__WORKER_MESSAGE__BODY_FAILED:
        end_failed(task, msg->failed);
        break;
    default:
        gm_err_set(&err, GM_E_BUG, msg->body_case, "the worker sent message %d",
                   (int)msg->body_case);
        gm_task_fail(task, &err, -1);
    }
}

static void on_message(struct gm_slot *process, const Gm__WorkerMessage *msg, void *arg)
{
    struct gm_agent_slot *slot = arg;
    (void)process;
    if (slot->index == slot->agent->slot_count) {
        gm_verify_message(slot->agent, msg);
    } else if (slot->task != NULL && slot->task->state == GM_TASK_RUNNING) {
        on_task_message(slot->task, msg);
    }
}

static void on_gone(struct gm_slot *process, const struct gm_err *why, bool ready, void *arg)
{
    struct gm_agent_slot *slot = arg;
    struct gm_agent *agent = slot->agent;
    bool killed = why->code == GM_E_CANCELLED;
    gm_log_err(killed ? GM_LOG_DEBUG : GM_LOG_WARN, "worker-gone", why,
               "slot=%" PRIu32 " starts_failed=%" PRIu32, slot->index, gm_slot_failures(process));
    gm_open_forget(agent, slot);
    gm_agent_scratch_renew(slot);
    slot->fell = killed ? slot->fell : ready;
    if (!ready && !killed) {
        slot->seen = true;
        gm_agent_assist_not_ready(slot, why);
    }
    bool changed = slot->stuck;
    slot->restart_due = slot->hung = slot->stuck = false;
    if (gm_slot_failures(process) >= BROKEN_AFTER) {
        slot->broken = changed = true;
        if (!ready) {
            (void)add_note(agent, why->text);
        }
    }
    if (changed) {
        gm_link_offer(agent, false);
    }
    struct gm_task *task = slot->task;
    if (task != NULL && task->state == GM_TASK_RUNNING) {
        gm_agent_assist_failed(task, why);
    }
    /* A malformed packet or a full socket is the worker's failure, not the job's. */
    struct gm_err told = *why;
    if (gm_code_get((int)told.code)->retry == GM_RETRY_NEVER) {
        told.code = GM_E_WORKER_DIED;
    }
    if (slot->index == agent->slot_count) {
        gm_verify_gone(agent, &told);
    } else if (task != NULL && (task->state == GM_TASK_RUNNING ||
                                (task->state == GM_TASK_WAITING && slot->broken))) {
        gm_task_end_failed(task, &told, -1, NULL);
    }
}

struct gm_slot_device gm_agent_tie(const struct gm_device *gpu)
{
    if (gpu == NULL) {
        return (struct gm_slot_device){.profile = NULL};
    }
    return gpu->kind == GM_DEVICE_NVIDIA
               ? (struct gm_slot_device){.profile = "cuda", .device = gpu->uuid}
               : (struct gm_slot_device){.profile = "dri",
                                         .device = gpu->render_node,
                                         .va_driver =
                                             gm_device_find_feature(gpu, GM_FEATURE_VA_DRIVER)};
}

static int start_slot(struct gm_agent_slot *slot, struct gm_err *err)
{
    const struct gm_agent_params *params = &slot->agent->params;
    const struct gm_agent_device *device = slot->device;
    const struct gm_device *gpu = device == NULL || device->is_cpu ? NULL : device->found;
    const struct gm_slot_params process = {
        .launcher = params->launcher,
        .worker = params->worker,
        .scratch = slot->scratch,
        /* drivers reserve more address space than any machine has memory */
        .memory_bytes = gpu != NULL ? 0 : params->worker_memory_bytes,
        .file_bytes = slot->agent->scratch_whole,
        .cpu_flags = params->cpu_flags,
        .log_level = params->log_level,
        .log_json = params->log_json,
        .device = gm_agent_tie(gpu),
        .environment = params->device_environment,
        .paths = params->device_paths,
    };
    const struct gm_slot_handler handler = {
        .on_ready = on_ready, .on_message = on_message, .on_gone = on_gone, .arg = slot};
    return gm_slot_create(&slot->agent->loop, &process, &handler, &slot->process, err);
}

static int open_slot(struct gm_agent *agent, uint32_t index, struct gm_agent_device *device,
                     struct gm_err *err)
{
    struct gm_agent_slot *slot = &agent->slots[index];
    const struct gm_agent_params *params = &agent->params;
    slot->agent = agent;
    slot->device = device;
    slot->index = index;
    int rc = device == NULL ? asprintf(&slot->scratch, "%s/verify", params->scratch)
                            : asprintf(&slot->scratch, "%s/%" PRIu32, params->scratch, index);
    if (rc < 0) {
        slot->scratch = NULL;
        return gm_err_nomem(err);
    }
    rc = gm_fs_mkdirs(slot->scratch, err);
    if (rc == 0 && (device == NULL || device->is_cpu)) {
        rc = start_slot(slot, err);
    }
    return rc;
}

int gm_agent_slots_open(struct gm_agent *agent, struct gm_err *err)
{
    agent->slot_count = 0;
    for (size_t i = 0; i < agent->device_count; i++) {
        agent->devices[i].first_slot = agent->slot_count;
        agent->slot_count += agent->devices[i].slot_count;
    }
    agent->slots = calloc(agent->slot_count + 1u, sizeof(*agent->slots));
    if (agent->slots == NULL) {
        return gm_err_nomem(err);
    }
    int rc = 0;
    for (size_t d = 0; d < agent->device_count; d++) {
        struct gm_agent_device *device = &agent->devices[d];
        for (uint32_t i = 0; i < device->slot_count && rc == 0; i++) {
            rc = open_slot(agent, device->first_slot + i, device, err);
        }
    }
    return rc < 0 ? rc : open_slot(agent, agent->slot_count, NULL, err);
}

int gm_agent_slots_start(struct gm_agent *agent, const struct gm_agent_device *device,
                         struct gm_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < device->slot_count && rc == 0; i++) {
        struct gm_agent_slot *slot = &agent->slots[device->first_slot + i];
        if (slot->process == NULL) {
            rc = start_slot(slot, err);
        }
    }
    return rc;
}

void gm_agent_slots_close(struct gm_agent *agent)
{
    for (uint32_t i = 0; agent->slots != NULL && i <= agent->slot_count; i++) {
        gm_slot_destroy(&agent->slots[i].process);
    }
}

/* Those of devices come when they come. */
static bool is_basic(const struct gm_agent_slot *slot)
{
    return slot->device == NULL || slot->device->is_cpu;
}

bool gm_agent_slots_seen(const struct gm_agent *agent)
{
    for (uint32_t i = 0; i <= agent->slot_count; i++) {
        if (is_basic(&agent->slots[i]) && !agent->slots[i].seen) {
            return false;
        }
    }
    return true;
}

/* Without a verifier, or a thread to reach stores, nothing can be finished; a node that turns to
 * another build begins nothing. */
uint32_t gm_agent_slots_usable(const struct gm_agent *agent, const struct gm_agent_device *device)
{
    uint32_t usable = 0;
    uint32_t allowed = gm_agent_room_slots(device);
    for (uint32_t i = 0; i < device->slot_count; i++) {
        const struct gm_agent_slot *slot = &agent->slots[device->first_slot + i];
        usable += slot->process == NULL || slot->broken || slot->stuck || slot->foreign ? 0 : 1;
    }
    const struct gm_agent_slot *verifier = &agent->slots[agent->slot_count];
    if (verifier->broken || verifier->stuck || agent->threads_held || gm_agent_build_turns(agent) ||
        device->state != GM_AGENT_OFFERED) {
        return 0;
    }
    return usable < allowed ? usable : allowed;
}

/* What it had to do is done elsewhere. */
static void fail_stuck(struct gm_agent_slot *slot, gm_time dying)
{
    struct gm_agent *agent = slot->agent;
    struct gm_task *task = slot->task;
    struct gm_err why;
    gm_err_set(&why, GM_E_WORKER_HUNG, 0, "the worker was killed and has not ended for %.1f s",
               (double)dying / (double)GM_SEC);
    if (!slot->stuck) {
        gm_log_err(GM_LOG_ERROR, "worker-stuck", &why, "slot=%" PRIu32 " pid=%d", slot->index,
                   gm_slot_pid(slot->process));
        slot->stuck = true;
        gm_link_offer(agent, false);
    }
    if (slot->index == agent->slot_count) {
        gm_verify_stuck(agent, &why);
    } else if (task != NULL && task->state == GM_TASK_RUNNING) {
        gm_agent_assist_failed(task, &why);
        gm_task_fail(task, &why, -1);
    } else if (task != NULL && task->state == GM_TASK_WAITING) {
        gm_task_end_failed(task, &why, -1, NULL);
    }
}

void gm_agent_slots_tick(struct gm_agent *agent, gm_time now)
{
    gm_agent_build_turn(agent);
    for (uint32_t i = 0; i <= agent->slot_count; i++) {
        struct gm_agent_slot *slot = &agent->slots[i];
        gm_time since = slot->process == NULL ? 0 : gm_slot_dying(slot->process);
        uint32_t patience = agent->params.dying_ms == 0 ? DYING_MS : agent->params.dying_ms;
        if (since != 0 && now - since >= (gm_time)patience * GM_MS) {
            fail_stuck(slot, now - since);
        }
        if (slot->broken && gm_slot_is_ready(slot->process) &&
            now - slot->ready_at >= gm_agent_device_pause(agent, 1)) {
            slot->broken = false;
            gm_link_offer(agent, false);
        }
    }
}

void gm_agent_check_ready(struct gm_agent *agent)
{
    if (agent->announced || agent->link != GM_LINK_UP) {
        return;
    }
    for (uint32_t i = 0; i <= agent->slot_count; i++) {
        if (is_basic(&agent->slots[i]) && !gm_slot_is_ready(agent->slots[i].process)) {
            return;
        }
    }
    agent->announced = true;
    if (agent->params.on_ready != NULL) {
        agent->params.on_ready(agent->params.slots, agent->params.arg);
    }
}

static void say_hung(gm_time quiet, struct gm_err *out)
{
    gm_err_set(out, GM_E_WORKER_HUNG, 0, "the worker showed no sign of life for %.1f s",
               (double)quiet / (double)GM_SEC);
}

/* What held one worker may hold those that wait for work too: each would cost a chunk an attempt.
 */
static void replace_idle(struct gm_agent *agent)
{
    struct gm_err why;
    gm_err_set(&why, GM_E_CANCELLED, 0, "another worker showed no sign of life");
    for (uint32_t i = 0; i <= agent->slot_count; i++) {
        struct gm_agent_slot *slot = &agent->slots[i];
        /* one that has said the end of its task waits for work, while the task is being stored */
        bool works = i < agent->slot_count
                         ? slot->task != NULL && slot->task->state == GM_TASK_RUNNING
                         : agent->verifying != NULL;
        if (slot->process != NULL && !works && gm_slot_is_ready(slot->process)) {
            gm_slot_kill(slot->process, &why);
        }
    }
}

static void kill_hung(struct gm_agent_slot *slot, gm_time quiet)
{
    struct gm_err why;
    if (slot->hung) {
        return;
    }
    slot->hung = true;
    say_hung(quiet, &why);
    gm_slot_kill(slot->process, &why);
    replace_idle(slot->agent);
}

/* The scheduler watches as well, and may drop the task before its worker's end is known. */
void gm_agent_blame_quiet(struct gm_task *task)
{
    gm_time stall = (gm_time)task->agent->stall_ms * GM_MS;
    gm_time quiet = gm_time_now() - task->life;
    struct gm_err why;
    if (task->state == GM_TASK_RUNNING && stall > 0 && quiet > stall) {
        say_hung(quiet, &why);
        gm_agent_assist_failed(task, &why);
        if (!task->slot->hung) {
            task->slot->hung = true;
            replace_idle(task->agent);
        }
    }
}

gm_time gm_agent_store_stall(const struct gm_agent *agent)
{
    uint32_t ms = agent->params.store_stall_ms;
    return (ms == 0 ? STORE_STALL_MS : (gm_time)ms) * GM_MS;
}

void gm_agent_watch(struct gm_agent *agent, gm_time now)
{
    gm_time stall = (gm_time)agent->stall_ms * GM_MS;
    gm_time patience = gm_agent_store_stall(agent);
    if (stall == 0) {
        return;
    }
    for (struct gm_task *t = agent->tasks; t != NULL; t = t->next) {
        if (t->state == GM_TASK_RUNNING && now - t->life > stall) {
            kill_hung(t->slot, now - t->life);
        }
        gm_send_wait(t);
        /* While it is stored the lease is kept by showing progress, but not for ever. */
        if (t->state == GM_TASK_STORING && t->first != NULL && now - t->life < patience) {
            t->progress++;
        }
    }
    if (agent->verifying != NULL && now - agent->verify_life > stall) {
        kill_hung(&agent->slots[agent->slot_count], now - agent->verify_life);
    }
}
