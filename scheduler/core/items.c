/* Committed items of an instance: streams of bodies (bodies.h), and in which terms they came. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "proto/streams.h"
#include "scheduler/core/task.h"

static int check_item(const struct gm_inst *inst, const Gm__Item *item, struct gm_err *err)
{
    bool chunks = inst->task->type->fan == GM_FAN_RUNS;
    const char *task = inst->task->name;
    uint32_t streams = inst->task->type->role == GM_ROLE_SPLIT ? GM_STREAMS : 1;
    if (item->stream >= streams) {
        return gm_err_set(err, GM_E_PROTO, item->stream, "`%s` announced an item of stream %u",
                          task, item->stream);
    }
    const struct gm_stream *s = gm_core_inst_stream(inst, item->stream);
    size_t committed = s ? s->committed : 0;
    size_t size = s ? s->size : 0;
    size_t most = chunks ? inst->chunk_count : committed + GM_CORE_MAX_AHEAD;
    if (item->index >= GM_CORE_MAX_ITEMS) {
        return gm_err_set(err, GM_E_LIMIT, item->index,
                          "`%s` makes more than %u pieces of the programme; longer segments make "
                          "fewer",
                          task, GM_CORE_MAX_ITEMS);
    }
    if (item->index >= most) {
        return gm_err_set(err, GM_E_PROTO, item->index, "`%s` announced item %u of stream %u", task,
                          item->index, item->stream);
    }
    bool past = s && s->last >= 0 && (int64_t)item->index > s->last;
    bool second = s && item->last && !chunks &&
                  ((s->last >= 0 && s->last != (int64_t)item->index) || size > item->index + 1u);
    if (!chunks && (past || second)) {
        return gm_err_set(err, GM_E_PROTO, item->index, "`%s` announced items after its last one",
                          task);
    }
    if (item->meta.len > GM_CORE_MAX_META) {
        return gm_err_set(err, GM_E_PROTO, 0, "`%s` announced an item with %zu bytes of facts",
                          task, item->meta.len);
    }
    return 0;
}

uint64_t gm_core_stream_term(const struct gm_stream *stream, size_t index)
{
    size_t i = stream->since_count;
    while (i > 0 && stream->since[i - 1].index > index) {
        i--;
    }
    return i > 0 ? stream->since[i - 1].term : 0;
}

uint64_t gm_core_stream_since(const struct gm_stream *stream, size_t index)
{
    uint64_t latest = 0;
    for (size_t i = 0; i < stream->since_count && stream->since[i].index <= index; i++) {
        latest = stream->since[i].term > latest ? stream->since[i].term : latest;
    }
    return latest;
}

static void set_since(struct gm_stream *s, size_t index, uint64_t term)
{
    size_t at = s->since_count;
    while (at > 0 && s->since[at - 1].index >= index) {
        at--;
    }
    if (at == s->since_count || s->since[at].index != index) {
        s->since = gm_mem_grow(s->since, s->since_count, &s->since_cap, sizeof(*s->since));
        memmove(&s->since[at + 1], &s->since[at], (s->since_count - at) * sizeof(*s->since));
        s->since_count++;
    }
    s->since[at] = (struct gm_since){.index = index, .term = term};
}

static bool begins(const struct gm_stream *s, size_t index)
{
    for (size_t i = s->since_count; i > 0 && s->since[i - 1].index >= index; i--) {
        if (s->since[i - 1].index == index) {
            return true;
        }
    }
    return false;
}

/* Of an item that is new. The next one that is there already, be it behind a gap, keeps its own. */
static void note_term(struct gm_stream *s, size_t index, uint64_t term)
{
    uint64_t before = gm_core_stream_term(s, index);
    if (before != term) {
        size_t next = index + 1;
        set_since(s, index, term);
        while (next < s->size && !gm_core_stream_has(s, next) && !begins(s, next)) {
            next++;
        }
        if (next < s->size && !begins(s, next)) {
            set_since(s, next, before);
        }
    }
}

void gm_core_stream_fini(struct gm_stream *stream)
{
    for (size_t i = 0; i < stream->size; i++) {
        gm_bodies_drop(stream->bodies, &stream->items[i]);
    }
    free(stream->items);
    free(stream->since);
}

bool gm_core_stream_has(const struct gm_stream *stream, size_t index)
{
    return stream && index < stream->size && stream->items[index].block > 0;
}

Gm__Item *gm_core_stream_item(const struct gm_stream *stream, size_t index)
{
    const struct gm_body *body = &stream->items[index];
    const uint8_t *data = gm_bodies_look(stream->bodies, body);
    Gm__Item *item = gm__item__unpack(NULL, body->size, data);
    if (!item) { /* it was packed here, and its sum is right */
        gm_mem_exhausted();
    }
    return item;
}

Gm__Item *gm_core_item_bare(const Gm__Item *item)
{
    bool bare = true;
    for (size_t i = 0; i < item->n_objects; i++) {
        bare = bare && item->objects[i]->url[0] == '\0';
    }
    Gm__Item *copy = bare ? NULL : (Gm__Item *)gm_message_dup(&item->base);
    if (!bare && !copy) {
        gm_mem_exhausted();
    }
    for (size_t i = 0; copy && i < copy->n_objects; i++) {
        Gm__Object *object = copy->objects[i];
        if (object->url != protobuf_c_empty_string) {
            free(object->url);
            object->url = (char *)(uintptr_t)protobuf_c_empty_string;
        }
    }
    return copy;
}

static struct gm_body pack(struct gm_bodies *bodies, const Gm__Item *item)
{
    Gm__Item *bare = gm_core_item_bare(item);
    size_t size = 0;
    uint8_t *data = gm_mem_encode(bare ? &bare->base : &item->base, &size);
    struct gm_body body = gm_bodies_put(bodies, data, size);
    free(data);
    gm__item__free_unpacked(bare, NULL);
    return body;
}

static void put_item(struct gm_inst *inst, const Gm__Item *item, uint64_t term)
{
    while (inst->stream_count <= item->stream) {
        inst->streams = gm_mem_grow(inst->streams, inst->stream_count, &inst->stream_cap,
                                    sizeof(*inst->streams));
        inst->streams[inst->stream_count].bodies = inst->task->job->bodies;
        inst->streams[inst->stream_count++].last = -1;
    }
    GM_ASSERT(inst->streams != NULL);
    struct gm_stream *s = &inst->streams[item->stream];
    while (s->size <= item->index) {
        s->items = gm_mem_grow(s->items, s->size, &s->cap, sizeof(*s->items));
        s->items[s->size++] = (struct gm_body){0};
    }
    s->items[item->index] = pack(s->bodies, item);
    note_term(s, item->index, term);
    while (s->committed < s->size && s->items[s->committed].block > 0) {
        s->committed++;
    }
    if (item->last) {
        s->last = item->index;
    }
}

int gm_core_inst_add_item(struct gm_inst *inst, const Gm__Item *item, uint64_t term, bool *out_new,
                          struct gm_err *err)
{
    *out_new = !gm_core_stream_has(gm_core_inst_stream(inst, item->stream), item->index);
    int rc = *out_new ? check_item(inst, item, err) : 0;
    if (rc == 0 && *out_new) {
        put_item(inst, item, term);
    }
    return rc;
}

int gm_core_analyze_sum(const struct gm_inst *inst, uint8_t **out, size_t *out_size,
                        struct gm_err *err)
{
    const struct gm_stream *s = gm_core_inst_stream(inst, 0);
    size_t count = s ? s->committed : 0;
    Gm__AnalyzeMeta sum = GM__ANALYZE_META__INIT;
    sum.chunks = gm_mem_zalloc(count * sizeof(*sum.chunks));
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        Gm__Item *item = gm_core_stream_item(s, i);
        ProtobufCMessage *m = NULL;
        rc = gm_message_decode(&gm__analyze_item_meta__descriptor, item->meta.data, item->meta.len,
                               GM_CORE_MAX_META, &m, err);
        gm__item__free_unpacked(item, NULL);
        if (rc == 0) {
            sum.chunks[sum.n_chunks++] = (Gm__AnalyzeItemMeta *)m;
            sum.frames += sum.chunks[i]->frames;
        }
    }
    if (rc == 0 && protobuf_c_message_get_packed_size(&sum.base) > GM_CORE_MAX_META) {
        rc = gm_err_set(err, GM_E_LIMIT, (int64_t)count,
                        "what `%s` found in %zu chunks is too large", inst->task->name, count);
    }
    if (rc == 0) {
        *out = gm_mem_encode(&sum.base, out_size);
    }
    for (size_t i = 0; i < sum.n_chunks; i++) {
        gm__analyze_item_meta__free_unpacked(sum.chunks[i], NULL);
    }
    free(sum.chunks);
    return rc;
}
