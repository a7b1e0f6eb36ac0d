/* URLs of the parts of sources that are uploads (ADR-0061): asked for by a slot's reader on behalf
 * of its task's lease, told when the part is there. What is open is asked for again on each new
 * connection, and now and then, as what was asked may be lost; a part that does not come ends with
 * the upload, which the scheduler says. */
#include <stdlib.h>

#include "common/log.h"
#include "common/time.h"
#include "node/agent_state.h"
#include "node/window.h"
#include "proto/envelope.h"
#include "proto/parts.h"
#include "storage/s3/url.h"

#define SLOT_BITS 16 /* of a request's number: who asked */
#define AGAIN_MS 30000u
#define NOT_SENT_PAUSE (1 * GM_SEC)

static void on_want(const uint32_t *parts, size_t count, void *arg)
{
    struct gm_agent_slot *slot = arg;
    struct gm_agent *agent = slot->agent;
    const struct gm_task *task = slot->task;
    if (task == NULL || agent->link != GM_LINK_UP) { /* asked when the scheduler is there */
        return;
    }
    Gm__PartsAsk ask = GM__PARTS_ASK__INIT;
    ask.task_id = task->id;
    ask.term = task->term;
    ask.epoch = task->epoch;
    uint64_t number = slot->parts_again > 0 ? slot->parts_again++ : agent->parts_asked + 1;
    if (number > agent->parts_asked) {
        agent->parts_asked = number;
    }
    ask.request = number << SLOT_BITS | slot->index;
    ask.parts = (uint32_t *)(uintptr_t)parts;
    ask.n_parts = count;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_PARTS_ASK;
    env.parts_ask = &ask;
    if (!gm_link_send(agent, &env)) {
        slot->parts_due = gm_time_now() + NOT_SENT_PAUSE;
    }
}

int gm_agent_parts_sizes(const Gm__Object *object, uint64_t **out, uint32_t *out_count,
                         struct gm_err *err)
{
    uint32_t count = 0, n = 0;
    int rc = gm_parts_check(object->n_parts, object->parts, object->size, &count, err);
    uint64_t *sizes = rc == 0 ? malloc(count * sizeof(*sizes)) : NULL;
    if (sizes == NULL) {
        return rc < 0 ? rc : gm_err_nomem(err);
    }
    for (size_t i = 0; i < object->n_parts; i++) {
        for (uint32_t k = 0; k < object->parts[i]->count; k++) {
            sizes[n++] = object->parts[i]->size;
        }
    }
    *out = sizes;
    *out_count = count;
    return 0;
}

static gm_time next_due(const struct gm_agent *agent)
{
    uint32_t ms = agent->params.parts_again_ms;
    return gm_time_now() + (gm_time)(ms == 0 ? AGAIN_MS : ms) * GM_MS;
}

void gm_agent_parts_begin(struct gm_agent_slot *slot, struct gm_window_source *source)
{
    source->on_want = on_want;
    slot->parts_from = slot->agent->parts_asked + 1;
    slot->parts_due = next_due(slot->agent);
}

/* All that is open, by the numbers of the reader's first requests: the scheduler, where it still
 * has those, puts these in their place, and doesn't answer both. */
static void repeat(struct gm_agent_slot *slot)
{
    slot->parts_due = next_due(slot->agent);
    slot->parts_again = slot->parts_from;
    gm_window_ask_again(slot->reader);
    slot->parts_again = 0;
}

/* Whose request it is. NULL: nobody's any more. */
static struct gm_agent_slot *find_slot(struct gm_agent *agent, uint64_t request)
{
    uint64_t index = request & ((1u << SLOT_BITS) - 1);
    struct gm_agent_slot *slot = index < agent->slot_count ? &agent->slots[index] : NULL;
    bool is_its = slot != NULL && slot->reader != NULL && slot->parts_from > 0 &&
                  request >> SLOT_BITS >= slot->parts_from &&
                  request >> SLOT_BITS <= agent->parts_asked;
    return is_its ? slot : NULL;
}

/* When its time is over, by this machine's clock. */
static int64_t until(const struct gm_agent *agent, const Gm__PartUrl *part)
{
    int64_t end = part->expires_unix_ms;
    if (end == 0 && !gm_s3_url_until(part->url, &end)) {
        return 0;
    }
    return gm_time_unix_ms() + (end - gm_clock_unix_ms(agent));
}

void gm_agent_parts_answer(struct gm_agent *agent, const Gm__PartsAnswer *answer)
{
    struct gm_agent_slot *slot = find_slot(agent, answer->request);
    struct gm_err err = {.code = GM_OK};
    if (slot == NULL) {
        return;
    }
    if (answer->error != NULL && answer->error->code != 0) {
        gm_err_from_msg(answer->error, &err);
        gm_window_parts_end(slot->reader, &err);
        return;
    }
    for (size_t i = 0; i < answer->n_urls; i++) {
        const Gm__PartUrl *part = answer->urls[i];
        const struct gm_window_part_url url = {part->url, part->etag, until(agent, part)};
        if (gm_window_part_is(slot->reader, part->index, &url, &err) < 0) {
            gm_log_err(GM_LOG_DEBUG, "part-url", &err, "part=%u", (unsigned)part->index);
        }
    }
    gm_window_parts_came(slot->reader);
}

uint32_t gm_agent_parts_waits(const struct gm_agent *agent, const struct gm_task *task)
{
    for (uint32_t i = 0; i < agent->slot_count; i++) {
        const struct gm_agent_slot *slot = &agent->slots[i];
        uint32_t part = 0;
        if (slot->task == task && slot->reader != NULL &&
            gm_window_waits_part(slot->reader, &part)) {
            return part + 1;
        }
    }
    return 0;
}

void gm_agent_parts_resend(struct gm_agent *agent)
{
    for (uint32_t i = 0; i < agent->slot_count; i++) {
        if (agent->slots[i].reader != NULL && agent->slots[i].parts_from > 0) {
            repeat(&agent->slots[i]);
        }
    }
}

void gm_agent_parts_tick(struct gm_agent *agent, gm_time now)
{
    for (uint32_t i = 0; agent->link == GM_LINK_UP && i < agent->slot_count; i++) {
        struct gm_agent_slot *slot = &agent->slots[i];
        if (slot->reader != NULL && slot->parts_from > 0 && now >= slot->parts_due) {
            repeat(slot);
        }
    }
}
