/* Devices beside the processor: when they take tasks.
 *
 *   LISTED                      nothing that media/ encodes with, or no slots are wanted
 *   PROVING ──passed──▶ OFFERED ──a task failed by the device's fault──▶ QUARANTINED
 *      └──────failed──────────────────────────────────────────────────▶ QUARANTINED
 *   QUARANTINED ──passed──▶ OFFERED           (tried after 30 s, then at doubling pauses)
 *
 * One that passes for fewer codecs than it had is offered with those; the rest is proved at the
 * same pauses; so is what scales beside its encoders, from the first. While it is offered a proof
 * can only add to what it encodes: its encoder may be busy. A scaler that is added makes another
 * chain, beside the one that jobs have which were planned without it.
 *
 * Proofs run on the thread pool, one device at a time, because they share a file. A device that
 * takes no more sessions, or is out of memory, keeps what it has: agent_room.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "node/agent_state.h"

#define RETRY_MS 30000
#define RETRY_MOST (600 * GM_SEC)

struct proof_job {
    struct gm_job job;
    struct gm_agent *agent;
    struct gm_agent_device *device;
    bool forget;                /* only that */
    bool again;                 /* prove what was proved before too */
    struct gm_device_list list; /* the device alone; owned */
    char id[sizeof(((struct gm_device *)0)->id)];
    int rc;
    struct gm_err err;
};

gm_time gm_agent_device_pause(const struct gm_agent *agent, uint32_t times)
{
    uint32_t ms = agent->params.device_retry_ms;
    gm_time pause = (ms == 0 ? RETRY_MS : (gm_time)ms) * GM_MS;
    for (uint32_t i = 1; i < times && pause < RETRY_MOST; i++) {
        pause *= 2;
    }
    return pause < RETRY_MOST ? pause : RETRY_MOST;
}

gm_time gm_agent_device_prove_later(struct gm_agent *agent, struct gm_agent_device *d,
                                    uint32_t times)
{
    gm_time pause = gm_agent_device_pause(agent, times);
    gm_time at = gm_time_now() + pause;
    if (d->state != GM_AGENT_QUARANTINED && agent->params.prover.prove != NULL) {
        d->prove_at = d->prove_due && d->prove_at < at ? d->prove_at : at;
        d->prove_due = true;
    }
    return pause;
}

void gm_agent_device_prove_rest(struct gm_agent *agent, struct gm_agent_device *d, size_t codecs,
                                struct gm_agent_rest *rest)
{
    if (codecs < rest->most) {
        rest->times++;
        (void)gm_agent_device_prove_later(agent, d, rest->times);
    } else {
        *rest = (struct gm_agent_rest){.most = codecs};
    }
}

const char *gm_agent_device_id(const struct gm_agent_device *device)
{
    return device->found == NULL ? "cpu" : device->found->id;
}

struct gm_agent_device *gm_agent_device_find(struct gm_agent *agent, const char *id)
{
    for (size_t i = 0; i < agent->device_count; i++) {
        if (strcmp(gm_agent_device_id(&agent->devices[i]), id) == 0) {
            return &agent->devices[i];
        }
    }
    return NULL;
}

/* It says that it encodes in a way that media/ knows. */
static bool may_encode(const struct gm_device *found)
{
    for (size_t i = 0; i < found->encode_count; i++) {
        const struct gm_device_codec *c = &found->encode[i];
        if (gm_chain_encodes(found, c->api, c->codec, c->depth)) {
            return true;
        }
    }
    return false;
}

/* What of its work is proved and can be offered. */
static void find_chains(struct gm_agent *agent, struct gm_agent_device *d)
{
    struct gm_device_chain all[GM_DEVICE_CHAINS];
    size_t count = gm_chains_make(d->found, agent->found.versions, all);
    d->chain_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (gm_chain_is_usable(all[i].name)) {
            d->chains[d->chain_count++] = all[i];
        }
    }
}

static size_t codecs_of(const struct gm_agent_device *d)
{
    size_t count = 0;
    for (size_t i = 0; i < d->chain_count; i++) {
        count += d->chains[i].codec_count;
    }
    return count;
}

static bool has_chain(const struct gm_agent_device *d, const char *name)
{
    for (size_t i = 0; i < d->chain_count; i++) {
        if (strcmp(d->chains[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* codecs: of the chains that its proofs make. A scaler whose proof failed may have been unlucky,
 * and jobs do much without it: it counts as one that was there. */
static void prove_rest(struct gm_agent *agent, struct gm_agent_device *d, size_t codecs)
{
    size_t made = codecs, failed = 0;
    for (size_t i = 0; i < d->found->proof_count; i++) {
        const struct gm_device_proof *p = &d->found->proofs[i];
        if (gm_proof_is_of_scaler(p) && has_chain(d, gm_proof_scaler_chain(p))) {
            *(p->passed ? &made : &failed) += 1;
        }
    }
    d->rest.most = d->rest.most < made + failed ? made + failed : d->rest.most;
    gm_agent_device_prove_rest(agent, d, made, &d->rest);
}

static void log_offered(const struct gm_agent_device *d)
{
    gm_log(GM_LOG_INFO, "device-offered", "device=%s chain=%s codecs=%zu slots=%" PRIu32,
           d->found->id, d->chains[0].name, d->chains[0].codec_count, d->slot_count);
}

/* Tasks are to run on it, if it is proved. */
static bool is_wanted(const struct gm_agent *agent, const struct gm_agent_device *d)
{
    return agent->params.device_slots > 0 && may_encode(d->found);
}

static const char *why_not_proven(const struct gm_device *found)
{
    for (size_t i = 0; i < found->proof_count; i++) {
        const struct gm_device_proof *p = &found->proofs[i];
        if (p->encode && !p->passed && gm_chain_encodes(found, p->api, p->codec, p->depth)) {
            return p->text;
        }
    }
    return "nothing of it is proved";
}

static void list_only(struct gm_agent *agent, struct gm_agent_device *d)
{
    d->state = GM_AGENT_LISTED;
    if (agent->params.device_slots == 0) {
        (void)snprintf(d->why, sizeof(d->why),
                       "the node's configuration (devices, device_slots) wants no tasks on it");
    } else {
        (void)snprintf(d->why, sizeof(d->why), "tasks run on the processors");
    }
}

static void quarantine(struct gm_agent *agent, struct gm_agent_device *d, const char *why)
{
    char quoted[320];
    d->state = GM_AGENT_QUARANTINED;
    d->failures++;
    d->chain_count = 0;
    gm_device_set(d->why, why);
    gm_time pause = gm_agent_device_pause(agent, d->failures);
    d->prove_due = agent->params.prover.prove != NULL;
    d->prove_at = gm_time_now() + pause;
    gm_log(GM_LOG_WARN, "device-quarantined", "device=%s again_ms=%" PRId64 " why=%s",
           gm_agent_device_id(d), pause / GM_MS, gm_log_quote(d->why, quoted, sizeof(quoted)));
}

/* Its proofs are what they are: what follows for its slots. */
static void judge(struct gm_agent *agent, struct gm_agent_device *d)
{
    struct gm_err err = {.code = GM_OK};
    bool cuda = d->found->kind == GM_DEVICE_NVIDIA;
    find_chains(agent, d);
    d->dirty = true;
    if (!is_wanted(agent, d) || (d->chain_count == 0 && agent->params.prover.prove == NULL)) {
        list_only(agent, d);
    } else if (cuda && d->found->uuid[0] == '\0') {
        list_only(agent, d);
        (void)snprintf(d->why, sizeof(d->why),
                       "the driver does not tell its UUID, by which a worker is tied to it");
    } else if (d->chain_count == 0) {
        quarantine(agent, d, why_not_proven(d->found));
    } else if (gm_agent_slots_start(agent, d, &err) < 0) {
        quarantine(agent, d, err.text);
    } else {
        d->state = GM_AGENT_OFFERED;
        d->distrusted = false;
        d->prove_passed = d->prove_asked;
        gm_agent_room_reset(d);
        log_offered(d);
        prove_rest(agent, d, codecs_of(d));
    }
    gm_agent_assist_judge(agent, d);
}

/* Jobs that were planned without the scaler go on, until the device's next quarantine or the node's
 * next start: what comes back then is the chain with the scaler alone. */
static void keep_unscaled(struct gm_agent_device *d, const struct gm_device_chain *had,
                          size_t count)
{
    size_t proved = d->chain_count;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < proved && d->chain_count < GM_DEVICE_CHAINS; k++) {
            if (gm_chain_differs_by_scaler(&had[i], &d->chains[k])) {
                struct gm_device_chain *kept = &d->chains[d->chain_count++];
                *kept = d->chains[k]; /* its codecs */
                gm_device_set(kept->fingerprint, had[i].fingerprint);
            }
        }
    }
}

/* It is offered, and was proved again. */
static void judge_offered(struct gm_agent *agent, struct gm_agent_device *d)
{
    struct gm_device_chain had[GM_DEVICE_CHAINS];
    size_t count = d->chain_count;
    memcpy(had, d->chains, sizeof(had));
    find_chains(agent, d);
    size_t codecs = codecs_of(d);
    keep_unscaled(d, had, count);
    if (!gm_chains_are_same(d->chains, d->chain_count, had, count)) {
        d->dirty = true;
        log_offered(d);
    }
    prove_rest(agent, d, codecs);
    gm_agent_assist_judge(agent, d);
}

static void run_proof(void *arg)
{
    struct proof_job *job = arg;
    const struct gm_agent_prover *prover = &job->agent->params.prover;
    job->rc = job->forget ? prover->forget(job->id, prover->arg, &job->err)
                          : prover->prove(&job->list, job->again, &job->agent->prove_stop,
                                          prover->arg, &job->err);
}

static bool has_passed(const struct gm_device *found, const struct gm_device_proof *proof)
{
    for (size_t i = 0; i < found->proof_count; i++) {
        if (gm_proof_is_same_work(&found->proofs[i], proof)) {
            return found->proofs[i].passed;
        }
    }
    return false;
}

static void take_proofs(struct proof_job *job)
{
    struct gm_agent *agent = job->agent;
    struct gm_agent_device *d = job->device;
    const struct gm_device *proved = gm_device_find(&job->list, job->id);
    for (size_t i = 0; i < job->list.note_count; i++) {
        char quoted[512];
        gm_log(GM_LOG_WARN, "proof-note", "device=%s msg=%s", job->id,
               gm_log_quote(job->list.notes[i].text, quoted, sizeof(quoted)));
    }
    if (d->prove_due) { /* it failed meanwhile: what was proved before says nothing */
        return;
    }
    bool offered = d->state == GM_AGENT_OFFERED;
    bool works = offered || d->assist.codec_count > 0;
    bool answered = job->rc == 0 && proved != NULL && proved->proof_count > 0;
    if (offered && answered) {
        gm_agent_assist_drop_proofs(d);
    } else if (answered || !works) { /* that nothing could be tried says nothing of what works */
        d->found->proof_count = 0;
    }
    for (size_t i = 0; job->rc == 0 && proved != NULL && i < proved->proof_count; i++) {
        const struct gm_device_proof *p = &proved->proofs[i];
        /* That the encoder of one that is offered fails now says nothing; and how it scales is part
         * of the fingerprint of a chain that jobs have. */
        if (!offered || !p->encode ||
            (p->passed && !(gm_proof_is_of_scaler(p) && has_passed(d->found, p)))) {
            (void)gm_device_add_proof(d->found, p);
        }
    }
    if (job->list.versions[0] != '\0') {
        gm_device_set(agent->found.versions, job->list.versions);
    }
    if (job->rc < 0) {
        gm_log_err(GM_LOG_WARN, "proof-failed", &job->err, "device=%s", job->id);
    }
    if (offered) {
        judge_offered(agent, d);
    } else {
        judge(agent, d);
    }
    gm_link_offer(agent, false);
    if (agent->link == GM_LINK_DOWN) { /* it may have waited for this proof */
        gm_link_tick(agent, gm_time_now());
    }
}

static void next_proof(struct gm_agent *agent, gm_time now);

static void after_proof(void *arg)
{
    struct proof_job *job = arg;
    struct gm_agent *agent = job->agent;
    agent->proving = false;
    if (job->forget && job->rc < 0) {
        gm_log_err(GM_LOG_WARN, "proofs-not-forgotten", &job->err, "device=%s", job->id);
    }
    if (!agent->stopping) {
        if (!job->forget) {
            take_proofs(job);
        }
        next_proof(agent, gm_time_now());
    }
    gm_device_list_fini(&job->list);
    free(job);
}

static int start_job(struct gm_agent *agent, struct gm_agent_device *d, bool forget,
                     struct gm_err *err)
{
    struct proof_job *job = calloc(1, sizeof(*job));
    struct gm_device *copy = NULL;
    if (job == NULL) {
        return gm_err_nomem(err);
    }
    job->agent = agent;
    job->device = d;
    job->forget = forget;
    job->again = d->distrusted;
    gm_device_set(job->id, d->found->id);
    int rc = gm_device_get(&job->list, d->found->id, d->found->kind, &copy, err);
    if (rc < 0) {
        gm_device_list_fini(&job->list);
        free(job);
        return rc;
    }
    *copy = *d->found;
    copy->proof_count = 0;
    job->job = (struct gm_job){.run = run_proof, .after = after_proof, .arg = job};
    gm_job_start(agent, &job->job);
    agent->proving = true;
    return 0;
}

/* Forgetting first: a node that ends now must not trust what failed. */
static void next_proof(struct gm_agent *agent, gm_time now)
{
    struct gm_agent_device *next = NULL;
    struct gm_err err = {.code = GM_OK};
    for (size_t i = 0; i < agent->device_count && (next == NULL || !next->forget_due); i++) {
        struct gm_agent_device *d = &agent->devices[i];
        if (d->forget_due || (next == NULL && d->prove_due && now >= d->prove_at)) {
            next = d;
        }
    }
    if (agent->proving || agent->stopping || next == NULL) {
        return;
    }
    bool forget = next->forget_due;
    bool *due = forget ? &next->forget_due : &next->prove_due;
    *due = false;
    if (start_job(agent, next, forget, &err) < 0) {
        gm_log_err(GM_LOG_WARN, "proof-not-started", &err, "device=%s", next->found->id);
        *due = true; /* once memory is there again: what is to be forgotten at the next tick */
        next->prove_at = now + gm_agent_device_pause(agent, 1);
    }
}

/* Workers hold the driver's state: those that are free begin anew, the others when they are. */
static void restart_free_workers(struct gm_agent *agent, const struct gm_agent_device *d)
{
    for (uint32_t i = 0; i < d->slot_count; i++) {
        struct gm_agent_slot *slot = &agent->slots[d->first_slot + i];
        if (slot->task == NULL) {
            gm_agent_device_released(slot);
        }
    }
}

void gm_agent_device_released(struct gm_agent_slot *slot)
{
    gm_agent_assist_settle(slot);
    if (slot->device != NULL && slot->device->state == GM_AGENT_QUARANTINED &&
        slot->process != NULL) {
        struct gm_err why;
        gm_err_set(&why, GM_E_CANCELLED, 0, "its device is in quarantine");
        gm_slot_kill(slot->process, &why);
    }
}

void gm_agent_device_distrust(struct gm_agent *agent, struct gm_agent_device *d,
                              const struct gm_err *why, char text[256])
{
    (void)snprintf(text, 256, "%s: %.200s", gm_code_get((int)why->code)->id, why->text);
    d->distrusted = true;
    d->forget_due = agent->params.prover.forget != NULL;
    d->dirty = true;
}

static void stop_using(struct gm_agent *agent, struct gm_agent_device *d, const char *why)
{
    quarantine(agent, d, why);
    d->found->proof_count = 0;
    gm_agent_assist_stop(agent, d);
    restart_free_workers(agent, d);
}

/* The scheduler saw tasks fail there that passed elsewhere. It says so again until it hears of a
 * proof that passed since. */
void gm_agent_device_prove(struct gm_agent *agent, const Gm__Prove *prove)
{
    struct gm_agent_device *d = gm_agent_device_find(agent, prove->device);
    char quoted[320];
    if (d == NULL || d->is_cpu || d->state == GM_AGENT_LISTED || prove->number == 0) {
        gm_log(GM_LOG_WARN, "prove-ignored", "device=%s",
               gm_log_quote(prove->device, quoted, sizeof(quoted)));
        return;
    }
    if (d->prove_asked == prove->number) {
        return;
    }
    d->prove_asked = prove->number;
    d->distrusted = true;
    d->forget_due = agent->params.prover.forget != NULL;
    gm_log(GM_LOG_WARN, "prove-asked", "device=%s why=%s", prove->device,
           gm_log_quote(prove->reason, quoted, sizeof(quoted)));
    if (d->state == GM_AGENT_OFFERED) {
        char text[sizeof(d->why)];
        (void)snprintf(text, sizeof(text), "the scheduler wants it proved: %.200s", prove->reason);
        stop_using(agent, d, text);
        gm_link_offer(agent, false);
    }
    d->prove_due = agent->params.prover.prove != NULL; /* one that is under way began before */
    d->prove_at = gm_time_now();
    next_proof(agent, gm_time_now());
}

/* What was proved was of libraries that are there no more. */
void gm_agent_devices_renew(struct gm_agent *agent)
{
    for (size_t i = 1; agent->params.prover.prove != NULL && i < agent->device_count; i++) {
        struct gm_agent_device *d = &agent->devices[i];
        if (d->state != GM_AGENT_LISTED) {
            d->distrusted = true;
            d->forget_due = agent->params.prover.forget != NULL;
            d->prove_due = true; /* one that is under way began before */
            d->prove_at = gm_time_now();
        }
        if (d->state == GM_AGENT_OFFERED) {
            stop_using(agent, d, "another build was installed");
            d->dirty = true;
        }
    }
    next_proof(agent, gm_time_now());
}

void gm_agent_device_failed(struct gm_agent *agent, struct gm_agent_device *d,
                            const struct gm_task *task, const struct gm_err *why)
{
    char text[sizeof(d->why)];
    if (d == NULL || d->is_cpu || d->state != GM_AGENT_OFFERED) {
        return;
    }
    switch (why->code) {
    case GM_E_DEVICE_BUSY:
        gm_agent_room_busy(agent, d, task);
        break;
    case GM_E_DEVICE_MEMORY:
        gm_agent_room_memory(agent, d);
        break;
    case GM_E_DEVICE_ABSENT:
    case GM_E_DEVICE_DRIVER:
    case GM_E_DEVICE_LOST:
    case GM_E_MEDIA_VERIFY:
        gm_agent_device_distrust(agent, d, why, text);
        stop_using(agent, d, text);
        next_proof(agent, gm_time_now());
        break;
    default:
        return;
    }
    gm_link_offer(agent, false);
}

void gm_agent_device_worked(struct gm_agent *agent, struct gm_agent_device *d)
{
    if (d != NULL && !d->is_cpu && d->state == GM_AGENT_OFFERED) {
        d->failures = 0;
        gm_agent_room_worked(agent, d);
    }
}

void gm_agent_devices_tick(struct gm_agent *agent, gm_time now)
{
    bool grown = gm_agent_assist_tick(agent, now);
    for (size_t i = 0; i < agent->device_count; i++) {
        struct gm_agent_device *d = &agent->devices[i];
        if (d->state == GM_AGENT_OFFERED) {
            grown = gm_agent_room_tick(agent, d, now) || grown;
        }
    }
    if (grown) {
        gm_link_offer(agent, false);
    }
    next_proof(agent, now);
}

static void open_device(struct gm_agent *agent, struct gm_agent_device *d)
{
    d->slot_count = agent->params.device_slots;
    gm_agent_room_reset(d);
    d->prove_due = agent->params.prover.prove != NULL;
    if (is_wanted(agent, d) && d->prove_due) {
        d->state = GM_AGENT_PROVING;
    } else {
        list_only(agent, d);
    }
    gm_agent_assist_open(agent, d);
}

int gm_agent_devices_open(struct gm_agent *agent, struct gm_err *err)
{
    const struct gm_device_list *from = agent->params.devices;
    size_t count = from == NULL ? 0 : from->count;
    bool has_cpu = count > 0 && from->devices[0].kind == GM_DEVICE_CPU; /* the one order */
    agent->devices = calloc(count + 1, sizeof(*agent->devices));
    agent->found.devices = calloc(count + 1, sizeof(*agent->found.devices));
    if (agent->devices == NULL || agent->found.devices == NULL) {
        return gm_err_nomem(err);
    }
    if (count > 0) {
        memcpy(agent->found.devices, from->devices, count * sizeof(*from->devices));
    }
    if (from != NULL) {
        memcpy(agent->found.notes, from->notes, sizeof(from->notes));
        agent->found.note_count = from->note_count;
        gm_device_set(agent->found.versions, from->versions);
    }
    agent->found.count = count;
    agent->devices[0] = (struct gm_agent_device){.is_cpu = true,
                                                 .found = has_cpu ? agent->found.devices : NULL,
                                                 .state = GM_AGENT_OFFERED,
                                                 .slot_count = agent->params.slots,
                                                 .allowed = agent->params.slots,
                                                 .sessions = GM_AGENT_SESSIONS_ANY};
    agent->device_count = 1;
    for (size_t i = has_cpu ? 1 : 0; i < count; i++) {
        struct gm_agent_device *d = &agent->devices[agent->device_count++];
        d->found = &agent->found.devices[i];
        open_device(agent, d);
    }
    return 0;
}

/* With proofs that were made before: they are judged once the slots are there. */
void gm_agent_devices_start(struct gm_agent *agent)
{
    for (size_t i = 0; i < agent->device_count; i++) {
        struct gm_agent_device *d = &agent->devices[i];
        if (!d->is_cpu && agent->params.prover.prove == NULL) {
            judge(agent, d);
        }
    }
}

bool gm_agent_devices_proving(const struct gm_agent *agent)
{
    for (size_t i = 0; i < agent->device_count; i++) {
        const struct gm_agent_device *d = &agent->devices[i];
        bool assists = d->assist.most > 0 && !d->assist.judged;
        if (d->state == GM_AGENT_PROVING || (assists && agent->params.prover.prove != NULL)) {
            return true;
        }
    }
    return false;
}

void gm_agent_devices_fini(struct gm_agent *agent)
{
    gm_device_list_fini(&agent->found);
    free(agent->devices);
    agent->devices = NULL;
    agent->device_count = 0;
}
