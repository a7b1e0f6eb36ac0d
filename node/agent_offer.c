/* What the scheduler is told of the devices. A device's capacity is its slots with a CPU each and,
 * as the devices of a node share its memory and disk, its part of those by slots; besides, with
 * each offer, what the node has as a whole, which counts instead where the scheduler knows of it.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "node/agent_state.h"
#include "node/capacity.h"
#include "proto/envelope.h"

/* One device as a message. */
struct fact {
    struct gm_device copy; /* of what was found, with the notes of now */
    Gm__Device cpu;        /* of a node that looked for no devices */
    Gm__Device *message;   /* &cpu, or owned */
    Gm__Capacity capacity;
    Gm__Chain chains[GM_DEVICE_CHAINS];
    Gm__Chain *chain_list[GM_DEVICE_CHAINS];
    char *codecs[GM_DEVICE_CHAINS][GM_CHAIN_CODECS];
};

struct gm_agent_facts {
    struct fact *facts; /* owned */
    Gm__Device **list;  /* owned */
    size_t count;
};

static uint64_t usable_scratch(struct gm_agent *agent)
{
    uint64_t room = 0;
    struct gm_err err;
    if (gm_capacity_scratch(agent->params.scratch, &room, &err) < 0) {
        return agent->scratch_whole;
    }
    for (const struct gm_task *t = agent->tasks; t != NULL; t = t->next) {
        room += t->assign->demand == NULL ? 0 : t->assign->demand->scratch_bytes;
    }
    return room < agent->scratch_whole ? room : agent->scratch_whole;
}

/* The device's part of what all have in common. */
static uint64_t part_of(const struct gm_agent *agent, const struct gm_agent_device *device,
                        uint64_t whole)
{
    uint64_t slots = 0;
    for (size_t i = 0; i < agent->device_count; i++) {
        const struct gm_agent_device *d = &agent->devices[i];
        slots += d->state == GM_AGENT_OFFERED ? d->slot_count : 0;
    }
    if (device->state != GM_AGENT_OFFERED || slots == 0) {
        return 0;
    }
    return whole / slots * device->slot_count + whole % slots * device->slot_count / slots;
}

static void set_capacity(const struct gm_agent *agent, const struct gm_agent_device *device,
                         uint64_t scratch, Gm__Capacity *out)
{
    gm__capacity__init(out);
    if (device->state == GM_AGENT_OFFERED) {
        out->cpu_milli = device->is_cpu ? agent->params.cpu_milli : 1000 * device->slot_count;
        out->memory_bytes = part_of(agent, device, agent->params.memory_bytes);
        out->scratch_bytes = part_of(agent, device, scratch);
        out->slots = device->slot_count;
        out->sessions = device->sessions == GM_AGENT_SESSIONS_ANY ? 0 : device->sessions;
        if (!device->is_cpu && device->found != NULL) {
            out->device_memory_bytes = device->found->memory_bytes;
        }
    }
}

/* What it decodes for tasks of the processors. */
static void add_decoding(const struct gm_agent *agent, const struct gm_agent_device *d,
                         struct gm_device *to)
{
    const struct gm_agent_assist *a = &d->assist;
    uint32_t slots = gm_agent_assist_slots(agent, d);
    if (a->why[0] != '\0') {
        (void)gm_device_add_note(
            NULL, to, GM_NOTE_ERROR,
            "does not decode for the processors until its proof passes again: %s", a->why);
    } else if (a->codec_count > 0) {
        bool less = a->allowed < a->most;
        char both[48] = "";
        if (gm_agent_assist_own(d) > 0) {
            (void)snprintf(both, sizeof(both), " and its own tasks, %u at once", a->allowed);
        }
        (void)gm_device_add_note(NULL, to, less ? GM_NOTE_WARN : GM_NOTE_INFO,
                                 "decodes for %u slot%s of the processor%s%s", slots,
                                 slots == 1 ? "" : "s", both, less ? ": it is full for now" : "");
    }
}

static void add_notes(const struct gm_agent *agent, const struct gm_agent_device *d,
                      struct gm_device *to)
{
    add_decoding(agent, d, to);
    switch (d->state) {
    case GM_AGENT_LISTED:
        if (d->assist.codec_count == 0) {
            (void)gm_device_add_note(NULL, to, GM_NOTE_INFO, "listed only: %s", d->why);
        }
        break;
    case GM_AGENT_PROVING:
        (void)gm_device_add_note(
            NULL, to, GM_NOTE_INFO,
            "its proofs are under way: tasks run on the processors until then");
        break;
    case GM_AGENT_QUARANTINED:
        (void)gm_device_add_note(NULL, to, GM_NOTE_ERROR,
                                 "quarantined until its proof passes again: %s", d->why);
        break;
    case GM_AGENT_OFFERED:
    default:
        if (d->sessions < GM_AGENT_SESSIONS_ANY) {
            (void)gm_device_add_note(NULL, to, GM_NOTE_WARN,
                                     "it refused an encoder session: %u at once are offered for "
                                     "now",
                                     d->sessions);
        }
        if (gm_agent_build_turns(agent)) {
            (void)gm_device_add_note(NULL, to, GM_NOTE_WARN,
                                     "takes nothing until the node's tasks are over: another build "
                                     "was installed");
        } else if (d->allowed < d->slot_count) {
            (void)gm_device_add_note(NULL, to, GM_NOTE_WARN,
                                     "its memory is full: %u of %u slots are offered for now",
                                     d->allowed, d->slot_count);
        } else if (gm_agent_slots_usable(agent, d) < gm_agent_room_slots(d)) {
            (void)gm_device_add_note(NULL, to, GM_NOTE_ERROR,
                                     "worker processes do not start, do not end, or are of another "
                                     "build: the node's log says why");
        }
        break;
    }
}

static void set_chains(const struct gm_agent_device *d, struct fact *f)
{
    for (size_t i = 0; i < d->chain_count; i++) {
        const struct gm_device_chain *from = &d->chains[i];
        Gm__Chain *to = &f->chains[i];
        gm__chain__init(to);
        to->name = (char *)(uintptr_t)from->name;
        to->fingerprint = (char *)(uintptr_t)from->fingerprint;
        for (size_t k = 0; k < from->codec_count; k++) {
            f->codecs[i][k] = (char *)(uintptr_t)from->codecs[k];
        }
        to->codecs = f->codecs[i];
        to->n_codecs = from->codec_count;
        f->chain_list[i] = to;
    }
    f->message->chains = f->chain_list;
    f->message->n_chains = d->state == GM_AGENT_OFFERED ? d->chain_count : 0;
}

static int fill(const struct gm_agent *agent, const struct gm_agent_device *d, struct fact *f,
                struct gm_err *err)
{
    if (d->found == NULL) {
        gm__device__init(&f->cpu);
        f->cpu.id = f->cpu.kind = (char *)(uintptr_t) "cpu";
        f->cpu.description = (char *)(uintptr_t) "software on this machine's processors";
        f->message = &f->cpu;
    } else {
        f->copy = *d->found;
        if (!d->is_cpu) {
            add_notes(agent, d, &f->copy);
        }
        int rc = gm_device_to_message(&f->copy, &f->message, err);
        if (rc < 0) {
            return rc;
        }
    }
    set_capacity(agent, d, agent->scratch_whole, &f->capacity);
    f->message->capacity = &f->capacity;
    set_chains(d, f);
    return 0;
}

static void fini(struct fact *f)
{
    if (f->message != &f->cpu) {
        free(f->message);
    }
}

int gm_agent_facts_make(const struct gm_agent *agent, Gm__Device ***out_list, size_t *out_count,
                        struct gm_agent_facts **out, struct gm_err *err)
{
    struct gm_agent_facts *facts = calloc(1, sizeof(*facts));
    if (facts == NULL) {
        return gm_err_nomem(err);
    }
    facts->facts = calloc(agent->device_count, sizeof(*facts->facts));
    facts->list = calloc(agent->device_count, sizeof(Gm__Device *));
    int rc = facts->facts == NULL || facts->list == NULL ? gm_err_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < agent->device_count; i++) {
        rc = fill(agent, &agent->devices[i], &facts->facts[i], err);
        facts->list[i] = facts->facts[i].message;
        facts->count++;
    }
    if (rc < 0) {
        gm_agent_facts_free(facts);
        return rc;
    }
    *out_list = facts->list;
    *out_count = facts->count;
    *out = facts;
    return 0;
}

void gm_agent_facts_free(struct gm_agent_facts *facts)
{
    for (size_t i = 0; i < facts->count; i++) {
        fini(&facts->facts[i]);
    }
    free(facts->facts);
    free(facts->list);
    free(facts);
}

static bool send_offer(struct gm_agent *agent, const struct gm_agent_device *d,
                       Gm__Capacity *usable, uint64_t scratch, bool with_facts)
{
    struct gm_err err = {.code = GM_OK};
    struct fact *f = with_facts ? calloc(1, sizeof(*f)) : NULL;
    if (with_facts && (f == NULL || fill(agent, d, f, &err) < 0)) {
        gm_log(GM_LOG_ERROR, "offer-without-facts", "device=%s", gm_agent_device_id(d));
        free(f);
        return false;
    }
    Gm__Offer offer = GM__OFFER__INIT;
    offer.device = (char *)(uintptr_t)gm_agent_device_id(d);
    offer.usable = usable;
    offer.proof = d->prove_passed;
    Gm__Capacity whole = GM__CAPACITY__INIT;
    whole.cpu_milli = agent->params.cpu_milli;
    whole.memory_bytes = agent->params.memory_bytes;
    whole.scratch_bytes = scratch;
    offer.node = &whole;
    offer.facts = f == NULL ? NULL : f->message;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.version = GM_PROTOCOL_VERSION;
    env.body_case = GM__ENVELOPE__BODY_OFFER;
    env.offer = &offer;
    bool sent = gm_link_send(agent, &env);
    if (f != NULL) {
        fini(f);
        free(f);
    }
    return sent;
}

static void offer_device(struct gm_agent *agent, struct gm_agent_device *d, uint64_t scratch,
                         bool always)
{
    Gm__Capacity usable;
    set_capacity(agent, d, scratch, &usable);
    usable.slots = agent->draining ? 0 : gm_agent_slots_usable(agent, d);
    uint64_t change =
        scratch > d->offered_scratch ? scratch - d->offered_scratch : d->offered_scratch - scratch;
    bool slots = usable.slots != d->offered_slots || usable.sessions != d->offered_sessions;
    /* Notes tell why a device offers less. */
    bool facts = d->is_cpu ? d->dirty : always || d->dirty || slots;
    if (!always && !facts && !slots && usable.memory_bytes == d->offered_memory &&
        change <= agent->scratch_whole / 8) {
        return;
    }
    if (send_offer(agent, d, &usable, scratch, facts)) {
        d->offered_slots = usable.slots;
        d->offered_sessions = usable.sessions;
        d->offered_memory = usable.memory_bytes;
        d->offered_scratch = scratch;
        d->dirty = false;
    } else {
        d->offered_slots = UINT32_MAX; /* the next check tells it */
    }
}

void gm_link_offer(struct gm_agent *agent, bool always)
{
    if (agent->link != GM_LINK_UP) {
        return;
    }
    uint64_t scratch = usable_scratch(agent);
    for (size_t i = 0; i < agent->device_count; i++) {
        offer_device(agent, &agent->devices[i], scratch, always);
    }
}
