/* Assign and Feed: what a worker is told. Objects carry keys; the daemon adds urls.
 *
 * What a run is given it may be told before it is on disk: should a crash forget that, the run's
 * lease is of a term before the one that stores it, and is not taken over (adopt.c, ADR-0050). What
 * other tasks are told, and that they end, waits for the disk: Feeds go on by counts, and `skip`
 * says what need not be made again.
 */
#include <stdlib.h>

#include "proto/envelope.h"
#include "proto/scan.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"

#define FEED_MAX_BYTES ((size_t)GM_ENVELOPE_MAX_BYTES / 2)
#define FEED_MAX_INPUTS 1024

struct source { /* of an input: a committed item */
    const struct gm_inst *inst;
    const struct gm_stream *stream;
    size_t index;
};
/* Everything here borrows from the core until the envelope was copied, but the inputs' items, which
 * are read for one message at a time. */
struct spec {
    Gm__TaskSpec spec;
    Gm__Object source;
    Gm__TaskResult *results;
    Gm__TaskResult **result_list;
    size_t result_count, result_cap;
    struct source *sources; /* all inputs */
    size_t source_count, source_cap;
    Gm__TaskInput *inputs; /* those of this message; their items are owned */
    Gm__TaskInput **input_list;
    size_t input_count, input_cap;
    Gm__SkipItems *skips;
    Gm__SkipItems **skip_list;
    size_t skip_count, skip_cap;
};

static void add_result(struct spec *s, const struct gm_inst *inst)
{
    s->results = gm_mem_grow(s->results, s->result_count, &s->result_cap, sizeof(*s->results));
    Gm__TaskResult *r = &s->results[s->result_count++];
    gm__task_result__init(r);
    r->task = (char *)inst->task->name;
    r->instance = inst->number;
    r->meta.data = inst->meta;
    r->meta.len = inst->meta_size;
    r->objects = inst->objects;
    r->n_objects = inst->object_count;
}

static void add_results(struct spec *s, const struct gm_ctask *task)
{
    for (uint32_t i = 0; i < task->inst_count; i++) {
        if (task->insts[i].unit.state == GM_TASK_DONE) {
            add_result(s, &task->insts[i]);
        }
    }
}

static void add_source(struct spec *s, const struct gm_inst *inst, const struct gm_stream *stream,
                       size_t index)
{
    s->sources = gm_mem_grow(s->sources, s->source_count, &s->source_cap, sizeof(*s->sources));
    s->sources[s->source_count++] = (struct source){.inst = inst, .stream = stream, .index = index};
}

static void add_stream(struct spec *s, const struct gm_inst *inst, const struct gm_stream *stream,
                       size_t from)
{
    for (size_t i = from; stream && i < stream->committed; i++) {
        add_source(s, inst, stream, i);
    }
}

/* Items of the tasks that a finishing task needs, ordered by task, instance, index; the first
 * `from` of them are passed over. */
static void add_items_of_needs(struct spec *s, const struct gm_ctask *task, size_t from)
{
    for (uint32_t n = 0; n < task->need_count; n++) {
        const struct gm_ctask *need = &task->job->tasks[task->needs[n]];
        if (need->type->feed == GM_FEED_NONE || !need->type->item_facts) {
            continue;
        }
        for (uint32_t i = 0; i < need->inst_count; i++) {
            const struct gm_stream *stream = gm_core_inst_stream(&need->insts[i], 0);
            size_t count = stream ? stream->committed : 0;
            add_stream(s, &need->insts[i], stream, from);
            from -= from < count ? from : count;
        }
    }
}

size_t gm_core_inst_fed_count(const struct gm_inst *inst)
{
    const struct gm_ctask *task = inst->task;
    size_t count = 0;
    if (task->type->role != GM_ROLE_FINISH) {
        const struct gm_stream *in = gm_core_inst_inputs(inst);
        return in ? in->committed : 0;
    }
    for (uint32_t n = 0; n < task->need_count; n++) {
        const struct gm_ctask *need = &task->job->tasks[task->needs[n]];
        bool fed = need->type->feed != GM_FEED_NONE && need->type->item_facts;
        for (uint32_t i = 0; fed && i < need->inst_count; i++) {
            const struct gm_stream *stream = gm_core_inst_stream(&need->insts[i], 0);
            count += stream ? stream->committed : 0;
        }
    }
    return count;
}

/* What may come in several messages, from position `from` on. */
static void add_fed(struct spec *s, const struct gm_lease *lease, size_t from)
{
    if (lease->inst->task->type->role == GM_ROLE_FINISH) {
        add_items_of_needs(s, lease->inst->task, from);
    } else {
        add_stream(s, &lease->job->split->insts[0], gm_core_inst_inputs(lease->inst), from);
    }
}

static void add_inputs(struct spec *s, const struct gm_lease *lease)
{
    const struct gm_inst *split = &lease->job->split->insts[0];
    s->spec.inputs_complete = true;
    if (lease->chunk_count > 0) {
        const struct gm_stream *in = gm_core_inst_stream(split, 0);
        for (uint32_t i = 0; i < lease->chunk_count; i++) {
            add_source(s, split, in, lease->first_chunk + i);
        }
    } else if (gm_core_task_type_is_fed(lease->inst->task->type)) {
        add_fed(s, lease, 0);
        s->spec.inputs_complete = gm_core_inst_inputs_end(lease->inst);
    }
}

static void add_skips(struct spec *s, const struct gm_inst *inst)
{
    for (size_t i = 0; inst->task->type->fan != GM_FAN_RUNS && i < inst->stream_count; i++) {
        s->skips = gm_mem_grow(s->skips, s->skip_count, &s->skip_cap, sizeof(*s->skips));
        Gm__SkipItems *skip = &s->skips[s->skip_count++];
        gm__skip_items__init(skip);
        skip->stream = (uint32_t)i;
        skip->count = (uint32_t)inst->streams[i].committed;
    }
}

static void *pointers(void *array, size_t count, size_t size)
{
    char **list = gm_mem_zalloc(count * sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        list[i] = (char *)array + i * size;
    }
    return list;
}

static void spec_make(struct spec *s, const struct gm_lease *lease)
{
    struct gm_cjob *job = lease->job;
    const struct gm_ctask *task = lease->inst->task;
    gm__task_spec__init(&s->spec);
    s->spec.type = (char *)task->type->name;
    s->spec.job_id = job->id;
    s->spec.task = (char *)task->name;
    s->spec.instance = lease->inst->number;
    s->spec.pipeline = job->pipeline;
    s->spec.source_name = job->source_name;
    s->spec.attempt = lease->attempt->number;
    s->spec.publication = job->publication;
    if (task->type->role == GM_ROLE_PLAN || task->type->fan == GM_FAN_RUNS) {
        s->spec.chain = (Gm__Chain *)(uintptr_t)lease->chain;
    }
    if (task->type->needs_source) {
        gm__object__init(&s->source);
        s->source.store = GM__OBJECT_STORE__STORE_SOURCE;
        s->source.key = (char *)"source";
        s->source.size = job->source_size;
        s->source.version = job->source_version;
        s->source.etag = job->source_etag;
        s->source.parts = job->source_parts.list;
        s->source.n_parts = job->source_parts.count;
        s->spec.source = &s->source;
    }
    add_results(s, job->inspect);
    add_results(s, job->plan);
    for (uint32_t n = 0; n < task->need_count; n++) {
        const struct gm_ctask *need = &job->tasks[task->needs[n]];
        if (need != job->inspect && need != job->plan) {
            add_results(s, need);
        }
    }
    add_inputs(s, lease);
    add_skips(s, lease->inst);
    s->spec.results = s->result_list = pointers(s->results, s->result_count, sizeof(*s->results));
    s->spec.n_results = s->result_count;
    s->spec.skip = s->skip_list = pointers(s->skips, s->skip_count, sizeof(*s->skips));
    s->spec.n_skip = s->skip_count;
}

/* With the urls that the daemon adds. */
static size_t size_of_input(const Gm__TaskInput *in)
{
    return gm__task_input__get_packed_size(in) + in->item->n_objects * GM_SCAN_MAX_STRING;
}

static void forget_inputs(struct spec *s)
{
    for (size_t i = 0; i < s->input_count; i++) {
        gm__item__free_unpacked(s->inputs[i].item, NULL);
    }
    free(s->input_list);
    s->input_list = NULL;
    s->input_count = 0;
}

/* Reads the inputs from source `at` on that go into one message: one at least, or `whole` all. */
static void read_inputs(struct spec *s, size_t at, bool whole)
{
    size_t size = 0;
    forget_inputs(s);
    for (; at < s->source_count && (whole || s->input_count < FEED_MAX_INPUTS); at++) {
        const struct source *source = &s->sources[at];
        s->inputs = gm_mem_grow(s->inputs, s->input_count, &s->input_cap, sizeof(*s->inputs));
        Gm__TaskInput *in = &s->inputs[s->input_count];
        gm__task_input__init(in);
        in->task = (char *)source->inst->task->name;
        in->instance = source->inst->number;
        in->item = gm_core_stream_item(source->stream, source->index);
        size += whole ? 0 : size_of_input(in);
        if (s->input_count > 0 && size > FEED_MAX_BYTES) {
            gm__item__free_unpacked(in->item, NULL);
            break;
        }
        s->input_count++;
    }
    s->input_list = pointers(s->inputs, s->input_count, sizeof(*s->inputs));
}

static void spec_fini(struct spec *s)
{
    forget_inputs(s);
    free(s->results);
    free(s->result_list);
    free(s->sources);
    free(s->inputs);
    free(s->skips);
    free(s->skip_list);
}

void gm_core_send_assign(struct gm_core *core, struct gm_lease *lease)
{
    struct spec s = {0};
    spec_make(&s, lease);
    bool fed =
        gm_core_task_type_is_fed(lease->inst->task->type); /* what has no room comes by Feed */
    if (!fed || gm__task_spec__get_packed_size(&s.spec) <= GM_ENVELOPE_MAX_BYTES - FEED_MAX_BYTES) {
        read_inputs(&s, 0, !fed);
    }
    bool more = s.input_count < s.source_count;
    s.spec.inputs = s.input_list;
    s.spec.n_inputs = s.input_count;
    s.spec.inputs_complete = s.spec.inputs_complete && !more;
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Assign assign = GM__ASSIGN__INIT;
    Gm__Capacity demand = GM__CAPACITY__INIT;
    demand.cpu_milli = (uint32_t)lease->demand.cpu_milli;
    demand.memory_bytes = lease->demand.memory_bytes;
    demand.scratch_bytes = lease->demand.scratch_bytes;
    demand.slots = (uint32_t)lease->demand.slots;
    demand.sessions = (uint32_t)lease->demand.sessions;
    demand.device_memory_bytes = lease->demand.device_memory_bytes;
    assign.task_id = lease->task_id;
    assign.term = lease->term;
    assign.epoch = lease->epoch;
    assign.device = lease->device->id;
    assign.demand = &demand;
    assign.lease_ms = core->params.lease_ms;
    assign.spec = &s.spec;
    assign.traceparent = lease->inst->task->job->traceparent;
    envelope.body_case = GM__ENVELOPE__BODY_ASSIGN;
    envelope.assign = &assign;
    gm_core_fx_send(core, lease->node->id, &envelope, lease->chunk_count == 0);
    lease->fed = (uint32_t)s.spec.n_inputs;
    lease->fed_complete = s.spec.inputs_complete;
    lease->fed_at = core->now;
    spec_fini(&s);
    if (more) {
        gm_core_lease_feed(core, lease, lease->fed);
    }
}

uint32_t gm_core_send_feed(struct gm_core *core, struct gm_lease *lease, uint32_t from)
{
    struct spec s = {0};
    size_t at = 0;
    add_fed(&s, lease, from);
    do {
        read_inputs(&s, at, false);
        Gm__Envelope envelope = GM__ENVELOPE__INIT;
        Gm__Feed feed = GM__FEED__INIT;
        feed.task_id = lease->task_id;
        feed.term = lease->term;
        feed.epoch = lease->epoch;
        feed.first = from + (uint32_t)at;
        feed.inputs = s.input_list;
        feed.n_inputs = s.input_count;
        at += feed.n_inputs;
        feed.inputs_complete = at == s.source_count && gm_core_inst_inputs_end(lease->inst);
        envelope.body_case = GM__ENVELOPE__BODY_FEED;
        envelope.feed = &feed;
        gm_core_fx_send(core, lease->node->id, &envelope, true);
    } while (at < s.source_count);
    spec_fini(&s);
    return from + (uint32_t)at;
}
