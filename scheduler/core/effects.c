/* What a step wants done: growing arrays of owned values, and their end. */
#include <stdlib.h>
#include <string.h>

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
    for (size_t i = 0; i < fx->send_count; i++) {
        free(fx->sends[i].node_id);
        gm__envelope__free_unpacked(fx->sends[i].envelope, NULL);
    }
    for (size_t i = 0; i < fx->event_count; i++) {
        free(fx->events[i].job_id);
        free(fx->events[i].type);
        free(fx->events[i].json);
    }
    for (size_t i = 0; i < fx->publish_count; i++) {
        free(fx->publishes[i].job_id);
    }
    for (size_t i = 0; i < fx->cleanup_count; i++) {
        free(fx->cleanups[i].job_id);
    }
    free(fx->rows);
    free(fx->sends);
    free(fx->events);
    free(fx->publishes);
    free(fx->cleanups);
    free(fx->ended);
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

static struct gm_row *add_row(struct gm_effects *fx, const struct gm_key *key)
{
    fx->rows = grow(fx->rows, fx->row_count, sizeof(*fx->rows));
    struct gm_row *row = &fx->rows[fx->row_count++];
    *row = (struct gm_row){.key = *key};
    row->key.name = key->name ? gm_mem_strdup(key->name) : NULL;
    return row;
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
    Gm__Envelope *copy = (Gm__Envelope *)gm_message_dup(&envelope->base);
    if (!copy) {
        gm_mem_exhausted();
    }
    fx->sends = grow(fx->sends, fx->send_count, sizeof(*fx->sends));
    fx->sends[fx->send_count++] =
        (struct gm_send){.node_id = gm_mem_strdup(node_id), .envelope = copy, .durable = durable};
}

/* Ids and task names are plain words, but the core has not checked that: what JSON would have to
 * escape is left out. */
static char *plain(const char *s)
{
    char *out = gm_mem_strdup(s);
    char *to = out;
    for (const char *from = out; *from; from++) {
        if ((unsigned char)*from >= 0x20 && *from != '"' && *from != '\\') {
            *to++ = *from;
        }
    }
    *to = '\0';
    return out;
}

static void add_event(struct gm_effects *fx, const struct gm_cjob *job, const char *type,
                      char *json, bool durable)
{
    fx->events = grow(fx->events, fx->event_count, sizeof(*fx->events));
    fx->events[fx->event_count++] = (struct gm_job_event){.job = job->seq,
                                                          .job_id = gm_mem_strdup(job->id),
                                                          .type = gm_mem_strdup(type),
                                                          .json = json,
                                                          .durable = durable};
}

void gm_core_fx_retry(struct gm_core *core, const struct gm_cjob *job, const char *task,
                      const char *node, const struct gm_err *error)
{
    char *id = plain(job->id);
    char *name = plain(task);
    char *where = plain(node);
    char *text = plain(error->text);
    char *json = gm_mem_printf(
        "{\"id\":\"%s\",\"task\":\"%s\",\"node\":\"%s\",\"code\":\"%s\",\"text\":\"%s\"}", id, name,
        where, gm_code_get((int)error->code)->id, text);
    free(id);
    free(name);
    free(where);
    free(text);
    add_event(core->fx, job, "task.retry", json, false);
}

void gm_core_fx_event(struct gm_core *core, const struct gm_cjob *job, const char *type,
                      const char *task, const char *state, bool durable)
{
    char *id = plain(job->id);
    char *json;
    if (task) {
        char *name = plain(task);
        json = gm_mem_printf("{\"id\":\"%s\",\"task\":\"%s\",\"state\":\"%s\"}", id, name, state);
        free(name);
    } else {
        json = gm_mem_printf("{\"id\":\"%s\",\"state\":\"%s\"}", id, state);
    }
    free(id);
    add_event(core->fx, job, type, json, durable);
}

void gm_core_fx_node(struct gm_core *core, const char *type, const char *node, const char *device,
                     const char *why)
{
    struct gm_effects *fx = core->fx;
    char *name = plain(device);
    char *text = plain(why);
    fx->events = grow(fx->events, fx->event_count, sizeof(*fx->events));
    fx->events[fx->event_count++] = (struct gm_job_event){
        .job_id = gm_mem_strdup(""),
        .type = gm_mem_strdup(type),
        .json =
            gm_mem_printf("{\"node\":\"%s\",\"device\":\"%s\",\"why\":\"%s\"}", node, name, text)};
    free(name);
    free(text);
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

void gm_core_fx_ended(struct gm_core *core, uint64_t epoch)
{
    struct gm_effects *fx = core->fx;
    fx->ended = grow(fx->ended, fx->ended_count, sizeof(*fx->ended));
    fx->ended[fx->ended_count++] = epoch;
}
