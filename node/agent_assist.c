/* GPUs that decode for tasks of the processors (docs/adr/0024). The bytes are those of software, so
 * the scheduler does not know of it: a slot of the cpu is started with a GPU's sandbox, and what
 * runs there may be told to decode with it.
 *
 *   unproved ──a decoder's proof passed──▶ decodes ──lost, or its task's worker died──▶ away
 *   away ──passed──▶ decodes               (tried after 30 s, then at doubling pauses)
 *
 * Away is apart from a device's own quarantine: a worker that dies says less of the GPU's encoder.
 * A GPU without memory for one more decodes for as many as it does, and grows back by one. Slots
 * change when they are free; what runs meanwhile is not waited for.
 *
 * Tasks that are encoded by a VA driver or Quick Sync may decode with their own device in the same
 * way, and count among those that it decodes for. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "node/agent_state.h"

static bool decodes(const Gm__TaskSpec *spec)
{
    return strcmp(spec->type, "encode") == 0 || strcmp(spec->type, "analyze") == 0;
}

static bool assists(const struct gm_agent_device *d)
{
    return d->assist.codec_count > 0;
}

void gm_agent_assist_open(const struct gm_agent *agent, struct gm_agent_device *d)
{
    uint32_t room = gm_decoding_room(d->found);
    int32_t wanted = gm_decoding_conceals(d->found) ? (int32_t)agent->params.va_decode_slots
                                                    : agent->params.decode_slots;
    d->assist.most = room == 0 || wanted < 0 ? room : (uint32_t)wanted;
    d->assist.allowed = d->assist.most;
}

static uint32_t slots_of(const struct gm_agent *agent, const struct gm_agent_device *d)
{
    const struct gm_agent_device *cpu = &agent->devices[0];
    uint32_t count = 0;
    for (uint32_t i = 0; i < cpu->slot_count; i++) {
        count += agent->slots[cpu->first_slot + i].gpu == d ? 1 : 0;
    }
    return count;
}

uint32_t gm_agent_assist_slots(const struct gm_agent *agent, const struct gm_agent_device *d)
{
    uint32_t slots = assists(d) ? slots_of(agent, d) : 0;
    return slots < d->assist.allowed ? slots : d->assist.allowed;
}

static uint32_t tasks_of(const struct gm_agent *agent, const struct gm_agent_device *d)
{
    uint32_t count = 0;
    for (const struct gm_task *t = agent->tasks; t != NULL; t = t->next) {
        count += t->gpu == d ? 1 : 0;
    }
    return count;
}

void gm_agent_assist_settle(struct gm_agent_slot *slot)
{
    if (slot->restart_due && slot->task == NULL && gm_slot_is_ready(slot->process)) {
        struct gm_err why;
        gm_err_set(&why, GM_E_CANCELLED, 0, "what decodes for its tasks changes");
        gm_slot_kill(slot->process, &why);
    }
}

static void set_gpu(struct gm_agent_slot *slot, struct gm_agent_device *d)
{
    struct gm_agent_device *const both[] = {slot->gpu, d};
    for (size_t i = 0; i < 2; i++) {
        if (both[i] != NULL) {
            both[i]->dirty = true; /* its notes say for how many it decodes */
        }
    }
    slot->gpu = d;
    const struct gm_slot_device tie = gm_agent_tie(d == NULL ? NULL : d->found);
    gm_slot_set_device(slot->process, &tie,
                       d == NULL ? slot->agent->params.worker_memory_bytes : 0);
    slot->restart_due = slot->restart_due || gm_slot_pid(slot->process) != 0;
    gm_agent_assist_settle(slot);
}

/* The one with the fewest slots that takes one more; NULL: none does. */
static struct gm_agent_device *find_gpu(struct gm_agent *agent)
{
    struct gm_agent_device *best = NULL;
    uint32_t fewest = 0;
    for (size_t i = 1; i < agent->device_count; i++) {
        struct gm_agent_device *d = &agent->devices[i];
        uint32_t slots = slots_of(agent, d);
        if (assists(d) && slots < d->assist.most && (best == NULL || slots < fewest)) {
            best = d;
            fewest = slots;
        }
    }
    return best;
}

static struct gm_agent_device *find_fullest(struct gm_agent *agent)
{
    struct gm_agent_device *best = NULL;
    for (size_t i = 1; i < agent->device_count; i++) {
        struct gm_agent_device *d = &agent->devices[i];
        if (best == NULL || slots_of(agent, d) > slots_of(agent, best)) {
            best = d;
        }
    }
    return best;
}

/* A slot of the GPU, one that is free where there is one; NULL: it has none. */
static struct gm_agent_slot *find_slot(struct gm_agent *agent, const struct gm_agent_device *d)
{
    const struct gm_agent_device *cpu = &agent->devices[0];
    struct gm_agent_slot *best = NULL;
    for (uint32_t i = 0; i < cpu->slot_count; i++) {
        struct gm_agent_slot *slot = &agent->slots[cpu->first_slot + i];
        if (slot->gpu == d && (best == NULL || (best->task != NULL && slot->task == NULL))) {
            best = slot;
        }
    }
    return best;
}

/* GPUs that began to decode later get their part of those of the first. */
static void even_out(struct gm_agent *agent)
{
    struct gm_agent_device *to = find_gpu(agent);
    struct gm_agent_device *from = find_fullest(agent);
    while (to != NULL && from != NULL && slots_of(agent, from) >= slots_of(agent, to) + 2) {
        struct gm_agent_slot *slot = find_slot(agent, from);
        if (slot == NULL) {
            break;
        }
        set_gpu(slot, to);
        to = find_gpu(agent);
        from = find_fullest(agent);
    }
}

/* Gives slots to GPUs that decode, and takes them from the others. */
static void spread(struct gm_agent *agent)
{
    const struct gm_agent_device *cpu = &agent->devices[0];
    for (uint32_t i = 0; i < cpu->slot_count; i++) {
        struct gm_agent_slot *slot = &agent->slots[cpu->first_slot + i];
        if (slot->gpu != NULL && !assists(slot->gpu)) {
            set_gpu(slot, NULL);
        }
    }
    struct gm_agent_device *gpu = find_gpu(agent);
    for (uint32_t i = 0; i < cpu->slot_count && gpu != NULL; i++) {
        struct gm_agent_slot *slot = &agent->slots[cpu->first_slot + i];
        if (slot->gpu == NULL) {
            set_gpu(slot, gpu);
            gpu = find_gpu(agent);
        }
    }
    even_out(agent);
}

static void prove_later(struct gm_agent *agent, struct gm_agent_device *d, const char *why)
{
    struct gm_agent_assist *a = &d->assist;
    char quoted[320];
    a->failures++;
    gm_device_set(a->why, why);
    gm_time pause = gm_agent_device_prove_later(agent, d, a->failures);
    gm_log(GM_LOG_WARN, "device-decodes-no-more", "device=%s again_ms=%" PRId64 " why=%s",
           d->found->id, pause / GM_MS, gm_log_quote(a->why, quoted, sizeof(quoted)));
}

void gm_agent_assist_judge(struct gm_agent *agent, struct gm_agent_device *d)
{
    struct gm_agent_assist *a = &d->assist;
    const char *why = NULL;
    if (a->most == 0) {
        return;
    }
    bool had = assists(d);
    a->judged = true;
    a->codec_count = gm_decoding_codecs(d->found, a->codecs, &why);
    if (assists(d)) {
        a->why[0] = '\0';
        a->allowed = had ? a->allowed : a->most; /* what it was full at, it is */
        d->distrusted = d->distrusted && d->state == GM_AGENT_QUARANTINED;
        gm_log(GM_LOG_INFO, "device-decodes", "device=%s codecs=%zu tasks=%" PRIu32, d->found->id,
               a->codec_count, a->most);
        gm_agent_device_prove_rest(agent, d, a->codec_count, &a->rest);
    } else if (agent->params.prover.prove != NULL) {
        prove_later(agent, d, why);
    }
    d->dirty = true;
    spread(agent);
}

void gm_agent_assist_stop(struct gm_agent *agent, struct gm_agent_device *d)
{
    d->assist.codec_count = 0;
    d->assist.why[0] = '\0'; /* its quarantine says why */
    spread(agent);
}

void gm_agent_assist_drop_proofs(struct gm_agent_device *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->found->proof_count; i++) {
        if (d->found->proofs[i].encode) {
            d->found->proofs[kept++] = d->found->proofs[i];
        }
    }
    d->found->proof_count = kept;
}

static void take_away(struct gm_agent *agent, struct gm_agent_device *d, const struct gm_err *why)
{
    char text[sizeof(d->assist.why)];
    if (!assists(d)) {
        return;
    }
    gm_agent_device_distrust(agent, d, why, text);
    d->assist.codec_count = 0;
    gm_agent_assist_drop_proofs(d);
    prove_later(agent, d, text);
    spread(agent);
    gm_link_offer(agent, false);
}

/* It decodes for as many tasks as it does now. */
static void lower(struct gm_agent *agent, struct gm_agent_device *d)
{
    struct gm_agent_assist *a = &d->assist;
    uint32_t tasks = tasks_of(agent, d);
    a->allowed = tasks < a->allowed ? tasks : a->allowed;
    a->full++;
    gm_time pause = gm_agent_device_pause(agent, a->full);
    a->grow_at = gm_time_now() + pause;
    d->dirty = true;
    gm_log(GM_LOG_WARN, "device-decodes-less", "device=%s tasks=%" PRIu32 " again_ms=%" PRId64,
           d->found->id, a->allowed, pause / GM_MS);
    gm_link_offer(agent, false);
}

void gm_agent_assist_failed(struct gm_task *task, const struct gm_err *why)
{
    struct gm_agent *agent = task->agent;
    struct gm_agent_device *d = task->gpu;
    if (d == NULL) {
        return;
    }
    task->gpu = NULL;
    switch (why->code) {
    case GM_E_DEVICE_BUSY:
    case GM_E_DEVICE_MEMORY:
        lower(agent, d);
        break;
    case GM_E_DEVICE_ABSENT:
    case GM_E_DEVICE_DRIVER:
    case GM_E_DEVICE_LOST:
        if (d->state == GM_AGENT_OFFERED) { /* for its own work too */
            gm_agent_device_failed(agent, d, task, why);
        } else {
            take_away(agent, d, why);
        }
        break;
    case GM_E_MEDIA_VERIFY:
    case GM_E_WORKER_DIED:
    case GM_E_WORKER_HUNG:
        take_away(agent, d, why);
        break;
    default: /* of the task, or the agent's own will */
        break;
    }
}

void gm_agent_assist_not_ready(struct gm_agent_slot *slot, const struct gm_err *why)
{
    bool its = why->code == GM_E_WORKER_DIED || why->code == GM_E_WORKER_HUNG ||
               why->code == GM_E_SANDBOX; /* else the agent failed to start it */
    if (its && slot->gpu != NULL && !slot->restart_due) {
        take_away(slot->agent, slot->gpu, why);
    }
}

/* NVIDIA's devices decode for their own tasks without being asked: what encodes there is open
 * already (media/encode/encoder.h, gm_encoder_hold). */
static bool decodes_own(const struct gm_agent_device *d)
{
    return !d->is_cpu && d->found->kind == GM_DEVICE_DRM;
}

uint32_t gm_agent_assist_own(const struct gm_agent_device *d)
{
    return decodes_own(d) && d->state == GM_AGENT_OFFERED ? d->slot_count : 0;
}

void gm_agent_assist_worked(struct gm_task *task)
{
    struct gm_agent_device *d = task->gpu;
    if (d != NULL && assists(d)) {
        uint32_t slots = slots_of(task->agent, d) + gm_agent_assist_own(d);
        uint32_t whole = slots < d->assist.most ? slots : d->assist.most;
        d->assist.failures = 0;
        d->assist.full = tasks_of(task->agent, d) < whole ? d->assist.full : 0;
    }
}

int gm_agent_assist_fits(const struct gm_agent_slot *slot, const Gm__TaskSpec *spec)
{
    bool has = slot->gpu != NULL && !slot->restart_due;
    return has == decodes(spec) ? 1 : 0;
}

/* What its slot's tasks may decode with. */
static struct gm_agent_device *decoder_of(const struct gm_agent_slot *slot)
{
    struct gm_agent_device *own = slot->device;
    if (!own->is_cpu) {
        return decodes_own(own) ? own : NULL;
    }
    return slot->restart_due ? NULL : slot->gpu;
}

void gm_agent_assist_take(struct gm_task *task)
{
    struct gm_agent_device *d = decoder_of(task->slot);
    if (d != NULL && decodes(task->spec) && assists(d) &&
        tasks_of(task->agent, d) < d->assist.allowed) {
        task->gpu = d;
    }
}

bool gm_agent_assist_tick(struct gm_agent *agent, gm_time now)
{
    bool grown = false;
    for (size_t i = 1; i < agent->device_count; i++) {
        struct gm_agent_device *d = &agent->devices[i];
        struct gm_agent_assist *a = &d->assist;
        if (assists(d) && a->allowed < a->most && now >= a->grow_at) {
            a->allowed++;
            a->grow_at = now + gm_agent_device_pause(agent, a->full);
            d->dirty = grown = true;
        }
    }
    return grown;
}
