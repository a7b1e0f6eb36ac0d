/* Workers that read a source through a window: each slot has one reader at most, from the answer to
 * its WOpen until its task is over. URLs stay here: a worker gets a descriptor, and needs. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "node/agent_state.h"
#include "node/window.h"
#include "proto/envelope.h"
#include "storage/s3/url.h"

bool gm_agent_window_is_for(const Gm__WOpen *ask, const Gm__Object *object)
{
    return ask->kind == GM__WOBJECT__WOBJECT_SOURCE && object != NULL &&
           (object->n_parts > 0 || gm_s3_url_is_http(object->url));
}

/* Of some GB, without a name: all of it is freed then. */
static void close_file(int fd, void *arg)
{
    gm_agent_close_file(arg, fd);
}

/* A server of sources that answers slowly must not keep what goes to stores waiting: windows have
 * requests of their own. */
static int need_windows(struct gm_agent *agent, struct gm_err *err)
{
    if (agent->windows != NULL) {
        return 0;
    }
    if (agent->params.window_folder == NULL || agent->transfers == NULL) {
        return gm_err_set(err, GM_E_CONFIG, 0, "this node reads no sources from servers");
    }
    int rc = agent->sources != NULL ? 0
                                    : gm_transfers_create(&agent->loop, agent->params.storage_ca,
                                                          GM_TRANSFERS_MOST, &agent->sources, err);
    const struct gm_windows_params params = {.transfers = agent->sources,
                                             .folder = agent->params.window_folder,
                                             .max_bytes = agent->params.window_bytes,
                                             .close_file = close_file,
                                             .close_arg = agent};
    return rc < 0 ? rc : gm_windows_create(&params, &agent->windows, err);
}

static void send_have(struct gm_agent_slot *slot, const Gm__WHave *have)
{
    struct gm_err err;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_HAVE;
    msg.have = (Gm__WHave *)(uintptr_t)have;
    if (gm_slot_send(slot->process, &msg, -1, &err) < 0) {
        gm_slot_kill(slot->process, &err);
    }
}

static void begin_wait(struct gm_agent_slot *slot)
{
    if (slot->task != NULL && !slot->reading) {
        slot->reading = true;
        gm_busy_begin(&slot->task->fetching, gm_time_now());
    }
}

static void end_wait(struct gm_agent_slot *slot)
{
    if (slot->reading) { /* of the task that the slot has */
        slot->reading = false;
        gm_busy_end(&slot->task->fetching, gm_time_now());
    }
}

static void on_have(const struct gm_window_have *told, void *arg)
{
    struct gm_agent_slot *slot = arg;
    Gm__Error error;
    Gm__WHave have = GM__WHAVE__INIT;
    if (told->rc < 0) {
        gm_err_to_msg(told->err, &error);
        have.error = &error;
    } else {
        have.offset = told->offset;
        have.length = told->length;
    }
    end_wait(slot);
    if (slot->task != NULL) {
        uint64_t fetched = gm_window_fetched(slot->reader);
        slot->task->bytes_in += fetched;
        slot->agent->counts.read_bytes += fetched;
        slot->agent->counts.fetched_bytes += fetched;
        gm_task_alive(slot->task);
    }
    send_have(slot, &have);
}

static void reply(struct gm_agent_slot *slot, int fd, const struct gm_err *failure)
{
    static char name[] = "source";
    struct gm_err err;
    Gm__Error error;
    Gm__WInput input = GM__WINPUT__INIT;
    input.index = 2000000;
    input.name = name;
    input.window = true;
    if (failure != NULL) {
        gm_err_to_msg(failure, &error);
        input.error = &error;
    }
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_INPUT;
    msg.input = &input;
    if (gm_slot_send(slot->process, &msg, fd, &err) < 0) {
        gm_slot_kill(slot->process, &err);
    }
}

void gm_agent_window_open(struct gm_agent_slot *slot, const Gm__Object *object)
{
    struct gm_err err;
    int fd = -1;
    uint64_t *sizes = NULL;
    struct gm_window_source source = {
        .url = object->url, .etag = object->etag, .size = object->size};
    end_wait(slot);
    gm_window_close(&slot->reader);
    slot->parts_from = 0; /* what still comes for the one before is nobody's */
    int rc = need_windows(slot->agent, &err);
    if (rc == 0 && object->n_parts > 0) {
        rc = gm_agent_parts_sizes(object, &sizes, &source.part_count, &err);
        source.parts = sizes;
        gm_agent_parts_begin(slot, &source);
    }
    if (rc == 0) {
        rc = gm_window_open(slot->agent->windows, &source, on_have, slot, &slot->reader, &fd, &err);
    }
    free(sizes);
    reply(slot, fd, rc < 0 ? &err : NULL);
}

void gm_agent_window_need(struct gm_agent_slot *slot, const Gm__WNeed *need)
{
    struct gm_window_range held[GM_WINDOW_MAX_HELD];
    struct gm_err err;
    int rc = 0;
    GM_ASSERT(need->n_held <= GM_WINDOW_MAX_HELD); /* proto/check.c */
    for (size_t i = 0; i < need->n_held; i++) {
        held[i] = (struct gm_window_range){need->held[i]->offset, need->held[i]->length};
    }
    if (slot->reader == NULL) {
        rc = gm_err_set(&err, GM_E_PROTO, 0, "the worker needs bytes of what it did not open");
    } else {
        begin_wait(slot);
        rc = gm_window_need(slot->reader, need->offset, need->length, held, need->n_held, &err);
    }
    if (rc < 0) {
        gm_slot_kill(slot->process, &err);
    }
}

void gm_agent_window_forget(struct gm_agent *agent, const struct gm_agent_slot *slot)
{
    struct gm_agent_slot *own = &agent->slots[slot->index];
    end_wait(own);
    gm_window_close(&own->reader);
}

void gm_agent_windows_close(struct gm_agent *agent)
{
    for (uint32_t i = 0; agent->slots != NULL && i <= agent->slot_count; i++) {
        gm_window_close(&agent->slots[i].reader);
    }
    gm_windows_destroy(&agent->windows);
    gm_transfers_destroy(&agent->sources);
}
