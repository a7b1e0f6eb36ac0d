/* Leave to put an item's files into their stores: asked of the scheduler until it answers. What it
 * refuses for a store's sake is asked for again later. */
#include <stdlib.h>
#include <string.h>

#include "common/crash.h"
#include "node/agent_state.h"
#include "proto/envelope.h"

#define GRANT_AGAIN (5 * GM_SEC)

/* What its store wants to know of a file besides: an MD5, or parts; borrowed from it. */
static int add_more(const struct gm_item_file *file, Gm__GrantItem *asked)
{
    const struct gm_parts *parts = file->parts;
    size_t count = parts != NULL ? parts->count : 1;
    bool md5 = parts != NULL ? parts->has_md5 : file->has_md5;
    if (!md5 && parts == NULL) {
        return 0;
    }
    asked->md5 = md5 ? calloc(count, sizeof(*asked->md5)) : NULL;
    asked->part_sha256 = parts != NULL ? calloc(count, sizeof(*asked->part_sha256)) : NULL;
    if ((md5 && asked->md5 == NULL) || (parts != NULL && asked->part_sha256 == NULL)) {
        return -GM_E_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *sum = parts != NULL ? parts->list[i].md5 : file->md5;
        if (md5) {
            asked->md5[i] = (ProtobufCBinaryData){GM_MD5_SIZE, (uint8_t *)(uintptr_t)sum};
        }
        if (parts != NULL) {
            asked->part_sha256[i] =
                (ProtobufCBinaryData){GM_SHA256_SIZE, (uint8_t *)(uintptr_t)parts->list[i].sha256};
        }
    }
    asked->n_md5 = md5 ? count : 0;
    asked->n_part_sha256 = parts != NULL ? count : 0;
    asked->part_size = parts != NULL ? parts->part_size : 0;
    if (parts != NULL && parts->upload_id != NULL) {
        asked->upload_id = parts->upload_id;
    }
    return 0;
}

static int make_item(const struct gm_item_file *file, Gm__GrantItem *asked)
{
    gm__grant_item__init(asked);
    asked->store = file->store;
    asked->name = file->path;
    asked->size = file->file.size;
    asked->sha256.data = (uint8_t *)(uintptr_t)file->file.sha256; /* not changed */
    asked->sha256.len = GM_SHA256_SIZE;
    return add_more(file, asked);
}

/* Not sent where memory ran out: it is tried again as one that got no answer. */
static void send_request(struct gm_item *item)
{
    struct gm_task *task = item->task;
    Gm__GrantItem *asked = calloc(item->file_count + 1, sizeof(*asked));
    Gm__GrantItem **list = calloc(item->file_count + 1, sizeof(*list));
    int rc = asked != NULL && list != NULL ? 0 : -GM_E_NOMEM;
    for (size_t i = 0; rc == 0 && i < item->file_count; i++) {
        rc = make_item(&item->files[i], &asked[i]);
        list[i] = &asked[i];
    }
    if (rc == 0) {
        Gm__GrantRequest request = GM__GRANT_REQUEST__INIT;
        request.task_id = task->id;
        request.term = task->term;
        request.epoch = task->epoch;
        request.request = item->request;
        request.items = list;
        request.n_items = item->file_count;
        Gm__Envelope env = GM__ENVELOPE__INIT;
        env.body_case = GM__ENVELOPE__BODY_GRANT_REQUEST;
        env.grant_request = &request;
        item->request_sent =
            task->agent->link == GM_LINK_UP && gm_link_send(task->agent, &env) ? gm_time_now() : 0;
    }
    for (size_t i = 0; asked != NULL && i < item->file_count; i++) {
        free(asked[i].md5);
        free(asked[i].part_sha256);
    }
    free(asked);
    free(list);
}

void gm_item_ask(struct gm_item *item)
{
    item->state = GM_ITEM_GRANT;
    item->request = ++item->task->agent->request;
    item->not_before = 0;
    send_request(item);
}

void gm_item_remind(struct gm_item *item, gm_time now)
{
    bool silent = item->request_sent == 0 || now - item->request_sent > GRANT_AGAIN;
    if (item->not_before != 0) {
        gm_item_ask(item);
    } else if (silent && item->task->agent->link == GM_LINK_UP) {
        send_request(item);
    }
}

static struct gm_item *find_request(struct gm_agent *agent, uint64_t request)
{
    for (struct gm_task *t = agent->tasks; t != NULL; t = t->next) {
        for (struct gm_item *item = t->first; item != NULL; item = item->next) {
            if (item->state == GM_ITEM_GRANT && item->request == request) {
                return item;
            }
        }
    }
    return NULL;
}

void gm_item_resend(struct gm_agent *agent)
{
    for (struct gm_task *t = agent->tasks; t != NULL; t = t->next) {
        for (struct gm_item *item = t->first; item != NULL; item = item->next) {
            if (item->state == GM_ITEM_GRANT && item->not_before == 0) {
                send_request(item);
            }
        }
    }
}

static int take_grants(struct gm_item *item, const Gm__GrantAnswer *answer, struct gm_err *err)
{
    if (answer->n_grants != item->file_count) {
        return gm_err_set(err, GM_E_BUG, (int64_t)answer->n_grants, "%zu grants came for %zu files",
                          answer->n_grants, item->file_count);
    }
    for (size_t i = 0; i < item->file_count; i++) {
        struct gm_item_file *file = &item->files[i];
        Gm__Grant *grant = (Gm__Grant *)gm_message_dup(&answer->grants[i]->base);
        if (grant == NULL) {
            return gm_err_nomem(err);
        }
        if (file->grant != NULL) {
            gm__grant__free_unpacked(file->grant, NULL);
        }
        file->grant = grant;
    }
    return 0;
}

void gm_item_answer(struct gm_agent *agent, const Gm__GrantAnswer *answer)
{
    struct gm_item *item = find_request(agent, answer->request);
    if (item == NULL) {
        return;
    }
    struct gm_err err = {.code = GM_OK};
    if (answer->error != NULL && answer->error->code != 0) {
        gm_err_from_msg(answer->error, &err);
        if (err.code == GM_E_STALE) {
            gm_task_drop(item->task, "its lease is stale");
        } else if (!gm_item_try_later(item, &err)) {
            gm_item_failed(item, &err);
        }
        return;
    }
    if (take_grants(item, answer, &err) < 0) {
        gm_item_failed(item, &err);
        return;
    }
    if (!gm_item_is_granted(item)) {
        gm_item_prepare(item);
        return;
    }
    item->tries = 0;
    GM_CRASH("agent.granted");
    gm_put_start(item);
}
