/* The verifier: one more worker process, which never sees what encodes. It takes one announced item
 * at a time and gets the item's files as descriptors; the agent's own, read-only ones. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "node/agent_state.h"
#include "node/blind.h"
#include "node/packet.h"
#include "proto/envelope.h"
#include "proto/streams.h"

static struct gm_agent_slot *verifier(struct gm_agent *agent)
{
    return &agent->slots[agent->slot_count];
}

void gm_verify_add(struct gm_item *item)
{
    struct gm_agent *agent = item->task->agent;
    item->verify_next = NULL;
    *(agent->verify_last == NULL ? &agent->verify_first : &agent->verify_last->verify_next) = item;
    agent->verify_last = item;
    gm_verify_next(agent);
}

void gm_verify_forget(struct gm_item *item)
{
    struct gm_agent *agent = item->task->agent;
    struct gm_item *last = NULL;
    struct gm_item **at = &agent->verify_first;
    while (*at != NULL) {
        if (*at == item) {
            *at = item->verify_next;
        } else {
            last = *at;
            at = &(*at)->verify_next;
        }
    }
    agent->verify_last = last;
}

/* What the item was made of: its chunk as split announced it, so that the verifier does not have to
 * believe the worker that made the item. NULL: its task has no such input (sound, text). */
static Gm__TaskInput *find_chunk(const struct gm_item *item)
{
    const struct gm_inputs *inputs = &item->task->inputs;
    for (size_t i = 0; i < inputs->count; i++) {
        const Gm__Item *chunk = inputs->list[i]->item;
        if (chunk->stream == GM_STREAM_VIDEO && chunk->index == item->index) {
            return inputs->list[i];
        }
    }
    return NULL;
}

/* The task that checks `item`: the same results, the item and its chunk as its only inputs. Of the
 * chunk it may read what was announced, no object. */
static int pack_spec(const struct gm_item *item, int *out_fd, uint64_t *out_size,
                     struct gm_err *err)
{
    const Gm__TaskSpec *from = item->task->spec;
    struct gm_item_message message;
    struct gm_pool pool = {NULL};
    int rc = gm_item_message(item, false, &message, err);
    if (rc < 0) {
        goto out;
    }
    Gm__TaskInput input = GM__TASK_INPUT__INIT;
    input.task = from->task;
    input.instance = from->instance;
    input.item = &message.piece;
    Gm__TaskInput *inputs[] = {&input, find_chunk(item)};
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "verify";
    spec.job_id = from->job_id;
    spec.task = from->task;
    spec.instance = from->instance;
    spec.pipeline = from->pipeline;
    spec.source_name = from->source_name;
    spec.results = from->results;
    spec.n_results = from->n_results;
    spec.inputs = inputs;
    spec.n_inputs = inputs[1] != NULL ? 2 : 1;
    spec.inputs_complete = true;
    spec.attempt = from->attempt;
    Gm__TaskSpec blind;
    rc = gm_blind_spec(&spec, &pool, &blind, err);
    if (rc == 0) {
        rc = gm_packet_memfd("gopmill-verify", &blind.base, out_fd, out_size, err);
    }
out:
    gm_pool_fini(&pool);
    gm_item_message_fini(&message);
    return rc;
}

static int start_verify(struct gm_agent *agent, const struct gm_item *item, struct gm_err *err)
{
    struct gm_agent_slot *slot = verifier(agent);
    char name[64];
    char path[4096];
    snprintf(name, sizeof(name), "v%" PRIu64, ++agent->verify_scratch);
    snprintf(path, sizeof(path), "%s/%s", slot->scratch, name);
    if (mkdir(path, 0700) < 0) {
        return gm_err_sys(err, errno, "could not make the verifier's scratch folder");
    }
    int fd = -1;
    Gm__WStart start = GM__WSTART__INIT;
    start.scratch = name;
    int rc = pack_spec(item, &fd, &start.spec_size, err);
    if (rc < 0) {
        return rc;
    }
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_START;
    msg.start = &start;
    return gm_slot_send(slot->process, &msg, fd, err);
}

void gm_verify_next(struct gm_agent *agent)
{
    while (agent->verifying == NULL && agent->verify_first != NULL &&
           gm_slot_is_ready(verifier(agent)->process)) {
        struct gm_item *item = agent->verify_first;
        gm_verify_forget(item);
        agent->verifying = item;
        agent->verify_life = gm_time_now();
        item->busy = true;
        struct gm_err err;
        if (start_verify(agent, item, &err) < 0) {
            gm_slot_kill(verifier(agent)->process, &err);
            return; /* gm_verify_gone settles the item */
        }
    }
}

/* The verifier is through with its item, which is returned; NULL: nobody wants it any more. */
static struct gm_item *end_verify(struct gm_agent *agent)
{
    struct gm_item *item = agent->verifying;
    char path[4096];
    snprintf(path, sizeof(path), "%s/v%" PRIu64, verifier(agent)->scratch, agent->verify_scratch);
    gm_agent_remove_folder(agent, path);
    gm_open_forget(agent, verifier(agent));
    agent->verifying = NULL;
    item->busy = false;
    if (item->dropped) {
        gm_item_drop(item);
        return NULL;
    }
    gm_task_alive(item->task);
    return item;
}

static void fail_item(struct gm_agent *agent, const struct gm_err *why)
{
    struct gm_item *item = end_verify(agent);
    if (item != NULL) {
        gm_item_failed(item, why);
    }
}

static void answer_open(struct gm_agent *agent, const Gm__WOpen *ask)
{
    struct gm_item *item = agent->verifying;
    struct gm_err err;
    if (ask->kind == GM__WOBJECT__WOBJECT_RESULT && !item->dropped) {
        gm_open_start(item->task, verifier(agent), ask);
        return;
    }
    int fd = -1;
    const char *name = "object";
    if (ask->kind == GM__WOBJECT__WOBJECT_INPUT && ask->index == 0 &&
        ask->object < item->file_count) {
        name = item->files[ask->object].name;
        fd = fcntl(item->files[ask->object].file.fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            gm_err_sys(&err, errno, "could not pass a file to the verifier");
        }
    } else {
        gm_err_set(&err, GM_E_NOTFOUND, ask->object, "the verifier asked for what it may not have");
    }
    gm_open_reply(verifier(agent), ask, name, fd, fd < 0 ? &err : NULL);
}

void gm_verify_message(struct gm_agent *agent, const Gm__WorkerMessage *msg)
{
    if (agent->verifying == NULL) {
        return;
    }
    agent->verify_life = gm_time_now();
    struct gm_err err;
    struct gm_item *item = NULL;
    switch (msg->body_case) {
    case GM__WORKER_MESSAGE__BODY_OPEN:
        answer_open(agent, msg->open);
        break;
    case GM__WORKER_MESSAGE__BODY_PROGRESS:
        if (!agent->verifying->dropped) {
            gm_task_alive(agent->verifying->task);
        }
        break;
    case GM__WORKER_MESSAGE__BODY_DONE:
        item = end_verify(agent);
        if (item != NULL) {
            gm_item_verified(item);
        }
        gm_verify_next(agent);
        break;
    case GM__WORKER_MESSAGE__BODY_FAILED:
        gm_err_from_msg(msg->failed->error, &err);
        fail_item(agent, &err);
        gm_verify_next(agent);
        break;
    default:
        gm_err_set(&err, GM_E_BUG, msg->body_case, "the verifier sent message %d",
                   (int)msg->body_case);
        gm_slot_kill(verifier(agent)->process, &err);
    }
}

void gm_verify_gone(struct gm_agent *agent, const struct gm_err *why)
{
    if (agent->verifying != NULL) {
        struct gm_err err = *why;
        GM_IGNORE(gm_err_wrap(&err, -(int)err.code, "verifier: "), "the text is what it is for");
        fail_item(agent, &err);
    }
}

void gm_verify_stuck(struct gm_agent *agent, const struct gm_err *why)
{
    gm_verify_gone(agent, why);
    while (agent->verify_first != NULL) {
        struct gm_item *item = agent->verify_first;
        gm_verify_forget(item);
        gm_item_failed(item, why);
    }
}
