/* What a step wants done: growing arrays of owned values, and their end. */
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "proto/envelope.h"
#include "scheduler/core/rows.h"

void gm_row_fini(struct gm_row *row)
{
    free(row->key.name);
    free(row->data);
    *row = (struct gm_row){0};
}

void gm_effects_fini(struct gm_effects *fx)
{
    for (size_t i = 0; i < fx->row_count; i++) {
        gm_row_fini(&fx->rows[i]);
    }
    for (size_t i = 0; i < fx->publish_count; i++) {
        free(fx->publishes[i].job_id);
    }
    for (size_t i = 0; i < fx->cleanup_count; i++) {
        free(fx->cleanups[i].job_id);
    }
    for (size_t i = 0; i < fx->backup_count; i++) {
        free(fx->backups[i].job_id);
    }
    free(fx->rows);
    free(fx->publishes);
    free(fx->cleanups);
    free(fx->backups);
    gm_pool_fini(&fx->pool);
    memset(fx, 0, sizeof(*fx));
}

/* Room for one more; the arrays of gm_effects carry no capacity, so it is the next power of two. */
static void *grow(void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0 && count > 0) {
        return array;
    }
    void *p = reallocarray(array, count > 0 ? count * 2 : 1, size);
    if (!p) {
        gm_mem_exhausted();
    }
    return p;
}

static void *take(struct gm_effects *fx, size_t size)
{
    void *p = gm_pool_take(&fx->pool, size);
    if (!p) {
        gm_mem_exhausted();
    }
    return p;
}

/* The same in the pool, where the array before stays too. */
static void *grow_in(struct gm_effects *fx, void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0 && count > 0) {
        return array;
    }
    void *p = take(fx, (count > 0 ? count * 2 : 1) * size);
    if (count > 0) {
        memcpy(p, array, count * size);
    }
    return p;
}

static char *text_in(struct gm_effects *fx, const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(take(fx, size), text, size);
}

static struct gm_row *add_row(struct gm_effects *fx, const struct gm_key *key)
{
    fx->rows = grow(fx->rows, fx->row_count, sizeof(*fx->rows));
    struct gm_row *row = &fx->rows[fx->row_count++];
    *row = (struct gm_row){.key = *key};
    row->key.name = key->name ? gm_mem_strdup(key->name) : NULL;
    return row;
}

void gm_effects_add_row(struct gm_effects *effects, const struct gm_key *key, uint8_t *data,
                        size_t size)
{
    struct gm_row *row = add_row(effects, key);
    row->data = data;
    row->size = size;
}

void gm_core_fx_row(struct gm_core *core, const struct gm_key *key, const ProtobufCMessage *message)
{
    struct gm_row *row = add_row(core->fx, key);
    row->data = gm_mem_encode(message, &row->size);
}

void gm_core_fx_lazy(struct gm_core *core, const struct gm_key *key,
                     const ProtobufCMessage *message)
{
    struct gm_row *row = add_row(core->fx, key);
    row->data = gm_mem_encode(message, &row->size);
    row->lazy = true;
}

void gm_core_fx_delete(struct gm_core *core, const struct gm_key *key)
{
    (void)add_row(core->fx, key);
}

void gm_core_fx_send(struct gm_core *core, const char *node_id, Gm__Envelope *envelope,
                     bool durable)
{
    struct gm_effects *fx = core->fx;
    envelope->version = GM_PROTOCOL_VERSION;
    Gm__Envelope *copy = (Gm__Envelope *)gm_message_dup_in(&fx->pool, &envelope->base);
    if (!copy) {
        gm_mem_exhausted();
    }
    fx->sends = grow_in(fx, fx->sends, fx->send_count, sizeof(*fx->sends));
    fx->sends[fx->send_count++] =
        (struct gm_send){.node_id = text_in(fx, node_id), .envelope = copy, .durable = durable};
}

/* parts: texts and, between them, values, then NULL. Values are plain words, but the core has not
 * checked that: what JSON would have to escape is left out. */
static char *json_in(struct gm_effects *fx, const char *const *parts)
{
    size_t size = 1;
    for (const char *const *part = parts; *part; part++) {
        size += strlen(*part);
    }
    char *out = take(fx, size), *to = out;
    for (size_t i = 0; parts[i]; i++) {
        bool is_value = i % 2 == 1;
        for (const char *s = parts[i]; *s; s++) {
            if (!is_value || ((unsigned char)*s >= 0x20 && *s != '"' && *s != '\\')) {
                *to++ = *s;
            }
        }
    }
    *to = '\0';
    return out;
}

/* type: of static life. */
static void add_event(struct gm_effects *fx, const struct gm_cjob *job, const char *type,
                      char *json, bool durable)
{
    fx->events = grow_in(fx, fx->events, fx->event_count, sizeof(*fx->events));
    fx->events[fx->event_count++] = (struct gm_job_event){.job = job ? job->seq : 0,
                                                          .job_id = text_in(fx, job ? job->id : ""),
                                                          .type = type,
                                                          .json = json,
                                                          .durable = durable};
}

void gm_core_fx_retry(struct gm_core *core, const struct gm_cjob *job, const char *task,
                      const char *node, const struct gm_err *error)
{
    const char *const parts[] = {"{\"id\":\"",
                                 job->id,
                                 "\",\"task\":\"",
                                 task,
                                 "\",\"node\":\"",
                                 node,
                                 "\",\"code\":\"",
                                 gm_code_get((int)error->code)->id,
                                 "\",\"text\":\"",
                                 error->text,
                                 "\"}",
                                 NULL};
    add_event(core->fx, job, "task.retry", json_in(core->fx, parts), false);
}

void gm_core_fx_said(struct gm_core *core, const struct gm_cjob *job, const char *type,
                     const char *code, const char *text)
{
    const char *const parts[] = {"{\"id\":\"",
                                 job->id,
                                 "\",\"state\":\"",
                                 gm_job_state_name(job->state),
                                 "\",\"code\":\"",
                                 code,
                                 "\",\"text\":\"",
                                 text,
                                 "\"}",
                                 NULL};
    char *json = json_in(core->fx, parts);
    gm_utf8_clean(json); /* it may be a node's text */
    add_event(core->fx, job, type, json, true);
}

void gm_core_fx_event(struct gm_core *core, const struct gm_cjob *job, const char *type,
                      const char *task, const char *state, bool durable)
{
    const char *const of_task[] = {
        "{\"id\":\"", job->id, "\",\"task\":\"", task, "\",\"state\":\"", state, "\"}", NULL};
    const char *const of_job[] = {"{\"id\":\"", job->id, "\",\"state\":\"", state, "\"}", NULL};
    add_event(core->fx, job, type, json_in(core->fx, task ? of_task : of_job), durable);
}

void gm_core_fx_node(struct gm_core *core, const char *type, const char *node, const char *device,
                     const char *why)
{
    const char *const parts[] = {
        "{\"node\":\"", node, "\",\"device\":\"", device, "\",\"why\":\"", why, "\"}", NULL};
    add_event(core->fx, NULL, type, json_in(core->fx, parts), false);
}

void gm_core_fx_publish(struct gm_core *core, const struct gm_cjob *job)
{
    struct gm_effects *fx = core->fx;
    fx->publishes = grow(fx->publishes, fx->publish_count, sizeof(*fx->publishes));
    fx->publishes[fx->publish_count++] = (struct gm_publish){.job_id = gm_mem_strdup(job->id)};
}

void gm_core_fx_cleanup(struct gm_core *core, const struct gm_cjob *job)
{
    struct gm_effects *fx = core->fx;
    fx->cleanups = grow(fx->cleanups, fx->cleanup_count, sizeof(*fx->cleanups));
    fx->cleanups[fx->cleanup_count++] = (struct gm_cleanup){
        .job_id = gm_mem_strdup(job->id),
        .last = !job->cleanup_extra && job->cleanup_failures + 1 >= GM_CORE_CLEANUP_TRIES};
}

void gm_core_fx_backup(struct gm_core *core, const struct gm_cjob *job)
{
    struct gm_effects *fx = core->fx;
    fx->backups = grow(fx->backups, fx->backup_count, sizeof(*fx->backups));
    fx->backups[fx->backup_count++] = (struct gm_backup){
        .job_id = gm_mem_strdup(job->id), .tells = job->backup.state != GM_BACKUP_WAITING};
}

void gm_core_fx_grown(struct gm_core *core, const struct gm_cjob *job)
{
    struct gm_effects *fx = core->fx;
    fx->grown = grow_in(fx, fx->grown, fx->grown_count, sizeof(*fx->grown));
    fx->grown[fx->grown_count++] = (struct gm_grown){.job_id = text_in(fx, job->id)};
}

void gm_core_fx_ended(struct gm_core *core, uint64_t epoch)
{
    struct gm_effects *fx = core->fx;
    fx->ended = grow_in(fx, fx->ended, fx->ended_count, sizeof(*fx->ended));
    fx->ended[fx->ended_count++] = epoch;
}
