/* What leases teach: samples for history.h, and what it says of units to come.
 *
 * A kind of task is its chain, the chip of its device, its type, and what its time depends on: the
 * pixels of a picture (of the source, and of all renditions together), as the logarithm to base 2;
 * of runs the renditions' codecs, depths and preset too. A sample counts twice, for its chip and
 * for all chips of its chain.
 *
 * Encodes are learned once more by what is known of them before the plan (guess.c).
 *
 * A unit of work is a frame of a run, those of its preroll too; a millisecond of the programme of
 * other tasks; of inspect and plan the task. The time is the scheduler's own, from Assign to Done,
 * and the frames are split's. A track whose inputs still came would count its waiting: of it
 * counts the processor's time, which the node says, though no more than there was.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/chains.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/times.h"

#define WRITE_PERIOD (30 * GM_SEC)
#define ROW_PREFIX "history/"
#define ANY_CHIP "*"
#define PIXEL_SHIFT 16

/* As much of text as fits, but for what names no kind: it comes from nodes and users. */
static void add_word(char key[GM_HISTORY_KEY], const char *text, size_t most, char end)
{
    size_t size = strlen(key), length = strnlen(text, most);
    for (size_t i = 0; i < length && size + 1 < GM_HISTORY_KEY; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '.' || c == '-' || c == '*';
        key[size++] = plain ? (char)c : '_';
    }
    if (end != '\0' && size + 1 < GM_HISTORY_KEY) {
        key[size++] = end;
    }
    key[size] = '\0';
}

static uint32_t log2_of(uint64_t x)
{
    uint32_t log = 0;
    while (x > 1) {
        x /= 2;
        log++;
    }
    return log;
}

/* device NULL: any. */
static void make_key(char key[GM_HISTORY_KEY], const char *chain, const struct gm_cdevice *device,
                     const struct gm_inst *inst)
{
    const struct gm_core_task_type *type = inst->task->type;
    const struct gm_cjob *job = inst->task->job;
    bool runs = type->fan == GM_FAN_RUNS;
    const char *chip = !device                                   ? ANY_CHIP
                       : device->facts && device->facts->name[0] ? device->facts->name
                                                                 : device->kind;
    char number[32];
    uint64_t pixels = job->source_pixels + (runs ? job->picture_pixels : 0);
    pixels = type->role == GM_ROLE_INSPECT ? 0 : pixels; /* it is what finds them out */
    key[0] = '\0';
    add_word(key, chain, 16, '/');
    add_word(key, chip, 40, '/');
    add_word(key, type->name, 16, '/');
    (void)snprintf(number, sizeof(number), "%" PRIu32, log2_of(pixels));
    add_word(key, number, 4, '\0');
    for (uint32_t i = 0; runs && i < job->work_count; i++) {
        (void)snprintf(number, sizeof(number), ".%" PRIu32, job->works[i].depth);
        add_word(key, "", 0, '/');
        add_word(key, job->works[i].codec, sizeof(job->works[i].codec), '\0');
        add_word(key, number, 4, '\0');
    }
    if (runs) {
        add_word(key, "", 0, '/');
        add_word(key, job->preset, sizeof(job->preset), '\0');
    }
}

/* Of encodes as they can be told apart before the plan: what the pipeline asks for. Their unit is
 * 2^16 pixels, of the source and of all renditions. */
static void make_pixel_key(char key[GM_HISTORY_KEY], const char *chain,
                           const Gm__EncodeParams *params)
{
    char depth[32];
    key[0] = '\0';
    add_word(key, chain, 16, '/');
    add_word(key, ANY_CHIP, 40, '/');
    add_word(key, "pixels", 16, '/');
    add_word(key, params->codec, 16, '\0');
    (void)snprintf(depth, sizeof(depth), ".%d", params->bit_depth > 8 ? 10 : 8);
    add_word(key, depth, 4, '/');
    add_word(key, params->preset, 16, '\0');
}

static uint64_t pixels_of(const struct gm_cjob *job)
{
    return job->rung_pixels > 0 ? job->source_pixels + job->rung_pixels : 0;
}

double gm_core_learned_s(const struct gm_core *core, const struct gm_cjob *job, const char *chain)
{
    char key[GM_HISTORY_KEY];
    uint64_t cost = 0, error = 0;
    const Gm__EncodeParams *params = gm_core_encode_params(job);
    if (!params) {
        return 0;
    }
    make_pixel_key(key, chain, params);
    (void)gm_history_cost(gm_history_find(&core->history, key), 0, &cost, &error);
    return (double)cost * (double)pixels_of(job) / (1 << PIXEL_SHIFT) / 1e9;
}

uint64_t gm_core_work(const struct gm_inst *inst, uint32_t first_chunk, uint32_t chunk_count)
{
    uint64_t work = 0;
    if (inst->task->type->role == GM_ROLE_INSPECT || inst->task->type->role == GM_ROLE_PLAN) {
        return 1;
    }
    if (inst->task->type->fan != GM_FAN_RUNS) {
        int64_t us = inst->task->job->duration_us;
        return us > 0 ? (uint64_t)(us + 999) / 1000 : 0;
    }
    for (uint32_t i = 0; i < chunk_count && first_chunk + i < inst->chunk_count; i++) {
        work += inst->chunks[first_chunk + i].frames;
        work += i == 0 ? inst->chunks[first_chunk].preroll : 0;
    }
    return work;
}

/* Some of it may be there: then it takes less than a whole one. */
static bool is_begun(const struct gm_inst *inst)
{
    for (size_t s = 0; inst->task->type->fan != GM_FAN_RUNS && s < inst->stream_count; s++) {
        if (inst->streams[s].size > 0) {
            return true;
        }
    }
    return false;
}

void gm_core_learn_begin(struct gm_lease *lease)
{
    uint64_t work = gm_core_work(lease->inst, lease->first_chunk, lease->chunk_count);
    lease->work = is_begun(lease->inst) ? 0 : work;
    lease->waits = gm_core_task_type_is_track(lease->inst->task->type) && !lease->fed_complete;
}

static void forget(struct gm_core *core, struct gm_history_entry *entry)
{
    if (entry) {
        struct gm_key key = {.kind = GM_ROW_NODE,
                             .name = gm_mem_printf(ROW_PREFIX "%s", entry->key)};
        gm_core_fx_delete(core, &key);
        free(key.name);
        gm_history_entry_free(entry);
    }
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void learn_pixels(struct gm_core *core, const struct gm_lease *lease, uint64_t spent)
{
    char key[GM_HISTORY_KEY];
    const Gm__EncodeParams *params = gm_core_encode_params(lease->job);
    double units = (double)lease->work * (double)pixels_of(lease->job) / (double)(1 << PIXEL_SHIFT);
    if (lease->inst->task->type->role != GM_ROLE_ENCODE || !params || units <= 0) {
        return;
    }
    double cost = (double)spent / units;
    const struct gm_history_sample sample = {.cost_ns = cost < 1      ? 1
                                                        : cost < 1e15 ? (uint64_t)cost
                                                                      : UINT64_C(1000000000000000)};
    make_pixel_key(key, lease->chain->name, params);
    forget(core, gm_history_learn(&core->history, key, gm_history_node(lease->node->id), &sample));
}

void gm_core_learn(struct gm_core *core, const struct gm_lease *lease, const Gm__Usage *usage)
{
    uint64_t elapsed = (uint64_t)(core->now - lease->assigned_at);
    if (lease->work == 0 || !usage || elapsed == 0) {
        return;
    }
    const struct gm_capacity usable = gm_core_usable(lease->device);
    uint64_t threads = usable.cpu_milli < 1000 ? 1 : smaller(usable.cpu_milli / 1000, 1024);
    uint64_t cpu_us = smaller(usage->cpu_us, elapsed / 1000 * threads);
    uint64_t spent = lease->waits ? smaller(cpu_us * 1000, elapsed) : elapsed;
    struct gm_history_sample sample = {
        .cost_ns = spent > 0 && spent < lease->work ? 1 : spent / lease->work,
        .cpu_ns = cpu_us * 1000 / lease->work,
        .bytes = usage->bytes_out / lease->work,
        .rss_bytes = usage->rss_own ? smaller(usage->max_rss_bytes, usable.memory_bytes) : 0};
    uint64_t node = gm_history_node(lease->node->id);
    char key[GM_HISTORY_KEY];
    if (sample.cost_ns == 0 && sample.rss_bytes == 0) {
        return;
    }
    make_key(key, lease->chain->name, lease->device, lease->inst);
    forget(core, gm_history_learn(&core->history, key, node, &sample));
    make_key(key, lease->chain->name, NULL, lease->inst);
    forget(core, gm_history_learn(&core->history, key, node, &sample));
    learn_pixels(core, lease, spent);
}

void gm_core_row_history(struct gm_core *core, const struct gm_history_entry *entry)
{
    struct gm_history_storage storage;
    Gm__HistoryRow history;
    Gm__NodeRow row = GM__NODE_ROW__INIT;
    gm_history_describe(entry, &storage, &history);
    struct gm_key key = {.kind = GM_ROW_NODE, .name = gm_mem_printf(ROW_PREFIX "%s", entry->key)};
    row.node_id = key.name;
    row.history = &history;
    gm_core_fx_lazy(core, &key, &row.base);
    free(key.name);
}

void gm_core_history_write(struct gm_core *core, bool now)
{
    if (!now && core->now - core->history_at < WRITE_PERIOD) {
        return;
    }
    core->history_at = core->now;
    /* The dirty ones spoke last. */
    struct gm_history_entry *last =
        core->history.entries
            ? ELMT_FROM_HH(core->history.entries->hh.tbl, core->history.entries->hh.tbl->tail)
            : NULL;
    for (struct gm_history_entry *e = last; e && e->dirty; e = e->hh.prev) {
        e->dirty = false;
        gm_core_row_history(core, e);
    }
}

gm_time gm_core_expect(const struct gm_core *core, const struct gm_cnode *node,
                       const struct gm_cdevice *device, const Gm__Chain *chain,
                       const struct gm_inst *inst, uint64_t work)
{
    char key[GM_HISTORY_KEY];
    uint64_t cost = 0, error = 0, id = node ? gm_history_node(node->id) : 0;
    bool known = false;
    if (device) {
        make_key(key, chain->name, device, inst);
        known = gm_history_cost(gm_history_find(&core->history, key), id, &cost, &error);
    }
    if (!known) {
        make_key(key, chain->name, NULL, inst);
        known = gm_history_cost(gm_history_find(&core->history, key), id, &cost, &error);
    }
    if (!known && device) {
        double picture_s = gm_core_picture_s(device, chain, inst);
        cost = picture_s > 0 && picture_s < 1e6 ? (uint64_t)(picture_s * 1e9) : 0;
    }
    if (work > 0 && cost > (uint64_t)GM_CORE_LONGEST / work) {
        return GM_CORE_LONGEST;
    }
    return (gm_time)(cost * work);
}

bool gm_core_typical(const struct gm_core *core, const Gm__Chain *chain, const struct gm_inst *inst,
                     uint64_t work, gm_time *out, gm_time *out_error)
{
    char key[GM_HISTORY_KEY];
    uint64_t cost = 0, error = 0;
    make_key(key, chain->name, NULL, inst);
    if (work == 0 || work > UINT32_MAX ||
        !gm_history_cost(gm_history_find(&core->history, key), 0, &cost, &error)) {
        return false;
    }
    uint64_t most = (uint64_t)GM_CORE_LONGEST / 8 / work;
    *out = (gm_time)(smaller(cost, most) * work);
    *out_error = (gm_time)(smaller(error, most) * work);
    return true;
}

/* Four times is far from what a plan is off, and what a node says is no reason for more. */
#define MOST_TIMES 4u

static uint64_t raised(uint64_t planned, uint64_t seen)
{
    return seen <= planned ? planned : smaller(seen, planned * MOST_TIMES);
}

/* What is put together in one file, or few, is stored at its end: until then it is all in scratch.
 * Other tasks' files go one by one. */
static uint64_t scratch_of(const struct gm_history_entry *entry, const struct gm_inst *inst)
{
    unsigned __int128 bytes = gm_history_bytes(entry);
    if (inst->task->type->role != GM_ROLE_FINISH || bytes == 0) {
        return 0;
    }
    bytes = bytes * gm_core_work(inst, 0, 0) + inst->task->type->scratch_bytes;
    return bytes < UINT64_MAX ? (uint64_t)bytes : UINT64_MAX;
}

uint64_t gm_core_demand_learned(const struct gm_core *core, const struct gm_inst *inst,
                                const char *chain, struct gm_capacity *demand)
{
    char key[GM_HISTORY_KEY];
    make_key(key, chain, NULL, inst);
    const struct gm_history_entry *entry = gm_history_find(&core->history, key);
    uint64_t busy = gm_history_busy(entry);
    demand->memory_bytes = raised(demand->memory_bytes, gm_history_memory(entry));
    demand->scratch_bytes = raised(demand->scratch_bytes, scratch_of(entry, inst));
    return busy > demand->cpu_milli ? busy : demand->cpu_milli;
}
