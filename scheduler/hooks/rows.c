#include "scheduler/hooks/rows.h"

#include <stdio.h>
#include <string.h>

#include "proto/envelope.h"
#include "scheduler/core/mem.h"
#include "scheduler/hooks/target.h"

#define PREFIX "hook/"
#define SEQ_MAX ((uint64_t)INT64_MAX / 2)
#define KEY_BYTES (sizeof PREFIX + GM_HOOK_NAME)

bool gm_hook_row_is(const struct gm_key *key)
{
    return key->kind == GM_ROW_NODE && key->name != NULL &&
           strncmp(key->name, PREFIX, strlen(PREFIX)) == 0;
}

static struct gm_key key_of(const struct gm_hook *hook)
{
    return (struct gm_key){.kind = GM_ROW_NODE, .name = gm_mem_printf(PREFIX "%s", hook->name)};
}

void gm_hook_row_put(const struct gm_hook *hook, const void *body, size_t size, struct gm_row *out)
{
    Gm__NodeRow node = GM__NODE_ROW__INIT;
    Gm__HookRow row = GM__HOOK_ROW__INIT;
    *out = (struct gm_row){.key = key_of(hook)};
    node.node_id = out->key.name;
    node.hook = &row;
    row.seq = hook->seq;
    row.job = hook->job;
    row.job_id = (char *)(uintptr_t)hook->job_id;
    row.type = (char *)(uintptr_t)hook->type;
    row.target = hook->target->key;
    row.url = hook->url != NULL ? hook->url : row.url;
    row.body.data = (uint8_t *)(uintptr_t)body;
    row.body.len = size;
    row.event_unix_ms = hook->event_unix_ms;
    row.since_unix_ms = hook->since_unix_ms;
    row.next_unix_ms = hook->next_unix_ms;
    row.tried_unix_ms = hook->tried_unix_ms;
    row.tries = hook->tries;
    row.status = hook->status;
    row.error = hook->error != NULL ? hook->error : row.error;
    row.dead = hook->state == GM_HOOK_DEAD;
    out->data = gm_mem_encode(&node.base, &out->size);
}

void gm_hook_row_delete(const struct gm_hook *hook, struct gm_row *out)
{
    *out = (struct gm_row){.key = key_of(hook)};
}

int gm_hook_row_read(const struct gm_key *key, const void *data, size_t size,
                     struct gm_hook *out_hook, Gm__NodeRow **out_row, struct gm_err *err)
{
    ProtobufCMessage *message = NULL;
    unsigned number;
    int rc = gm_message_decode(&gm__node_row__descriptor, data, size, GM_ENVELOPE_MAX_BYTES,
                               &message, err);
    if (rc < 0) {
        return gm_err_wrap(err, rc, "row %.80s: ", key->name);
    }
    Gm__NodeRow *node = (Gm__NodeRow *)message;
    const Gm__HookRow *row = node->hook;
    const char *type = row != NULL ? gm_hook_event_find(row->type, &number) : NULL;
    if (type == NULL || strlen(row->job_id) >= GM_HOOK_JOB || row->target[0] == '\0' ||
        row->seq == 0 || row->seq > SEQ_MAX) {
        gm__node_row__free_unpacked(node, NULL);
        return gm_err_set(err, GM_E_NOTFOUND, 0, "the stored row %.80s is none that is known",
                          key->name);
    }
    *out_hook = (struct gm_hook){.seq = row->seq,
                                 .job = row->job,
                                 .type = type,
                                 .url = row->url[0] != '\0' ? row->url : NULL,
                                 .event_unix_ms = row->event_unix_ms,
                                 .since_unix_ms = row->since_unix_ms,
                                 .next_unix_ms = row->next_unix_ms,
                                 .tried_unix_ms = row->tried_unix_ms,
                                 .tries = row->tries,
                                 .status = row->status,
                                 .error = row->error[0] != '\0' ? row->error : NULL,
                                 .state = row->dead ? GM_HOOK_DEAD : GM_HOOK_WAITS};
    (void)snprintf(out_hook->job_id, sizeof out_hook->job_id, "%s", row->job_id);
    *out_row = node;
    return 0;
}
