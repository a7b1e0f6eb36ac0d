/* Devices that swallow work or return what does not verify: what follows from health.c's marks.
 *
 *   OPEN ──two strikes──▶ CLOSED ──pause over, proof passed──▶ TRIAL ──a task passes──▶ OPEN
 *                            ▲────────────one strike─────────────┘
 *
 * CLOSED takes nothing, TRIAL one task at a time. The pause doubles with each quarantine that
 * follows the end of the last one within an hour. A node that can is told to prove the device again
 * (Prove); processors have no proof, and nodes of earlier versions do not know the message: of
 * those the pause and the trial are all.
 *
 * Before there are strikes a device is *held* that failed two pieces of work and passed nothing
 * since, for it may fail all that is waiting before the first of them has passed elsewhere: until
 * one of them did, or failed there too, and HOLD at most.
 *
 * Neither is done to the last device that makes a chain: what failed there may be the work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/chains.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/place.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/watch.h"

#define MOST 1024u /* devices that are remembered */
#define STRIKES 2u
#define HOLD (60 * GM_SEC)
#define PAUSE (30 * GM_SEC)
#define LONGEST (3600 * GM_SEC)
#define MEMORY (3600 * GM_SEC) /* how long a quarantine counts for the next one's pause */
#define PROVE_AGAIN (5 * GM_SEC)

struct gm_cwatch *gm_core_watch_find(const struct gm_core *core, const char *node_id,
                                     const char *device)
{
    struct gm_cwatch *watch = NULL;
    char *id = gm_mem_printf("%s/%s", node_id, device);
    HASH_FIND_STR(core->watches, id, watch);
    free(id);
    return watch;
}

static struct gm_cnode *find_node(const struct gm_core *core, const char *node_id)
{
    struct gm_cnode *node = NULL;
    HASH_FIND_STR(core->nodes, node_id, node);
    return node;
}

static struct gm_cdevice *find_device(const struct gm_cnode *node, const char *device)
{
    for (size_t i = 0; node && i < node->device_count; i++) {
        if (strcmp(node->devices[i].id, device) == 0) {
            return &node->devices[i];
        }
    }
    return NULL;
}

struct gm_cwatch *gm_core_watch_make(struct gm_core *core, const char *node_id, const char *device)
{
    struct gm_cwatch *watch = gm_core_watch_find(core, node_id, device);
    if (watch || HASH_COUNT(core->watches) >= MOST) {
        return watch;
    }
    struct gm_cnode *node = find_node(core, node_id);
    struct gm_cdevice *d = find_device(node, device);
    watch = gm_mem_zalloc(sizeof(*watch));
    watch->id = gm_mem_printf("%s/%s", node_id, device);
    watch->node_id = gm_mem_strdup(node_id);
    watch->device = gm_mem_strdup(device);
    watch->instance = node ? node->instance : 0;
    HASH_ADD_KEYPTR(hh, core->watches, watch->id, strlen(watch->id), watch);
    if (d) {
        d->watch = watch;
    }
    return watch;
}

static void destroy(struct gm_core *core, struct gm_cwatch *watch)
{
    struct gm_cdevice *d = find_device(find_node(core, watch->node_id), watch->device);
    if (d) {
        d->watch = NULL;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed has left the table */
    HASH_DEL(core->watches, watch);
    free(watch->id);
    free(watch->node_id);
    free(watch->device);
    free(watch);
}

void gm_core_watches_fini(struct gm_core *core)
{
    struct gm_cwatch *watch, *next;
    HASH_ITER(hh, core->watches, watch, next)
    {
        destroy(core, watch);
    }
}

bool gm_core_watch_is_kept(const struct gm_cwatch *watch)
{
    return watch->by_operator || watch->state != GM_WATCH_OPEN;
}

/* Given out since then. What was taken over from an earlier term may be older than a trial that
 * went on over a restart. */
static bool is_after(const struct gm_core *core, const struct gm_lease *lease, gm_time began)
{
    return lease->assigned_at >= began && lease->term == core->params.term;
}

/* Leases that run since before the trial: the one that is tried comes beside them. */
static uint64_t count_older(const struct gm_core *core, const struct gm_cnode *node,
                            const struct gm_cdevice *d, gm_time began)
{
    uint64_t n = 0;
    const struct gm_lease *lease;
    DL_FOREACH2(node->leases, lease, node_next)
    {
        n += lease->device == d && !is_after(core, lease, began) ? 1 : 0;
    }
    return n;
}

void gm_core_device_open(struct gm_core *core, struct gm_cnode *node, struct gm_cdevice *d)
{
    const struct gm_cwatch *w = d->watch;
    const struct gm_cwatch *all =
        core->watches ? gm_core_watch_find(core, node->id, "") : NULL; /* the whole node's */
    bool closed = (all && all->by_operator) ||
                  (w && (w->by_operator || w->state == GM_WATCH_CLOSED || w->held_until));
    d->usable = d->offered;
    if (closed) {
        d->usable.slots = 0;
    } else if (w && w->state == GM_WATCH_TRIAL) {
        uint64_t most = count_older(core, node, d, w->opened) + 1;
        d->usable.slots = d->usable.slots < most ? d->usable.slots : most;
    }
    gm_core_node_resized(core, node);
    core->place_dirty = true;
}

void gm_core_watch_apply(struct gm_core *core, const struct gm_cwatch *watch)
{
    struct gm_cnode *node = find_node(core, watch->node_id);
    for (size_t i = 0; node && i < node->device_count; i++) {
        if (watch->device[0] == '\0' || node->devices[i].watch == watch) {
            gm_core_device_open(core, node, &node->devices[i]);
        }
    }
}

/* Another device that takes tasks, and is not itself on trial, makes that chain; of the processors
 * whichever build, as what is pinned to this one can be planned again by another. */
static bool is_made_elsewhere(const struct gm_core *core, const struct gm_cdevice *but,
                              const Gm__Chain *chain)
{
    for (const struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        for (size_t i = 0; gm_core_node_is_open(n) && i < n->device_count; i++) {
            const struct gm_cdevice *d = &n->devices[i];
            bool good =
                d != but && d->usable.slots > 0 && !(d->watch && d->watch->state == GM_WATCH_TRIAL);
            for (size_t c = 0; good && c < d->chain_count; c++) {
                const Gm__Chain *other = d->chains[c];
                if (strcmp(other->name, chain->name) == 0 &&
                    (strcmp(other->name, "cpu") == 0 ||
                     strcmp(other->fingerprint, chain->fingerprint) == 0)) {
                    return true;
                }
            }
        }
    }
    return false;
}

static bool has_stand_in(const struct gm_core *core, const struct gm_cwatch *watch)
{
    const struct gm_cdevice *d = find_device(find_node(core, watch->node_id), watch->device);
    bool has = d && d->chain_count > 0;
    for (size_t c = 0; has && c < d->chain_count; c++) {
        has = is_made_elsewhere(core, d, d->chains[c]);
    }
    return has;
}

/* On trial a device has no credit. */
static uint32_t limit_of(const struct gm_cwatch *watch)
{
    return watch->state == GM_WATCH_TRIAL ? 1 : STRIKES;
}

static const struct gm_cjob *job_of(const struct gm_core *core, uint64_t seq)
{
    const struct gm_cjob *job = core->jobs;
    while (job && job->seq != seq) {
        job = job->hh.next;
    }
    return job;
}

/* "2 tasks failed there and passed elsewhere: `video` of job x, chunk 3 (media.failed); ..." */
static void write_why(const struct gm_core *core, struct gm_cwatch *w)
{
    size_t size = sizeof w->why;
    size_t used = (size_t)snprintf(
        w->why, size, "%u task%s failed there and passed elsewhere:", gm_health_strikes(&w->health),
        gm_health_strikes(&w->health) == 1 ? "" : "s");
    for (uint32_t i = 0; i < w->health.count && used < size; i++) {
        const struct gm_health_mark *m = &w->health.marks[i];
        const struct gm_cjob *job = m->left == 0 ? job_of(core, m->work.job) : NULL;
        char chunk[48] = "";
        if (!job || m->work.task >= job->task_count) {
            continue;
        }
        if (m->work.first >= 0) {
            (void)snprintf(chunk, sizeof chunk, ", chunk %lld", (long long)m->work.first);
        }
        used += (size_t)snprintf(w->why + used, size - used, " `%.20s` of job %.32s%s (%s);",
                                 job->tasks[m->work.task].name, job->id, chunk,
                                 gm_code_get((int)m->code)->id);
    }
    w->why[strlen(w->why) - 1] = '\0';
}

static void release(struct gm_core *core, struct gm_cwatch *w)
{
    w->held_until = 0;
    gm_core_watch_apply(core, w);
    gm_core_fx_node(core, "node.released", w->node_id, w->device, "it takes tasks again");
}

gm_time gm_core_watch_pause(const struct gm_cwatch *w)
{
    gm_time pause = PAUSE;
    for (uint32_t i = 1; i < w->times && pause < LONGEST; i++) {
        pause *= 2;
    }
    return pause < LONGEST ? pause : LONGEST;
}

static void close_device(struct gm_core *core, struct gm_cwatch *w)
{
    bool again = w->times > 0 && core->now - w->opened < MEMORY;
    w->times = again ? w->times + 1 : 1;
    write_why(core, w);
    w->health.count = 0;
    w->held_until = 0;
    w->state = GM_WATCH_CLOSED;
    w->until = core->now + gm_core_watch_pause(w);
    w->since_unix_ms = core->unix_ms;
    w->prove = 0;
    w->prove_at = 0;
    w->proved = false;
    gm_core_watch_apply(core, w);
    gm_core_row_node(core, w->node_id);
    gm_core_fx_node(core, "node.quarantined", w->node_id, w->device, w->why);
}

static void judge(struct gm_core *core, struct gm_cwatch *w)
{
    uint32_t most = limit_of(w);
    if (w->state == GM_WATCH_CLOSED || w->by_operator) {
        return;
    }
    if (gm_health_strikes(&w->health) >= most && has_stand_in(core, w)) {
        close_device(core, w);
        return;
    }
    bool doubtful = gm_health_pending(&w->health) >= most;
    if (w->held_until != 0 && !doubtful) {
        release(core, w);
    }
}

static void hold(struct gm_core *core, struct gm_cwatch *w)
{
    if (w->held_until != 0 || w->state == GM_WATCH_CLOSED || w->by_operator ||
        gm_health_pending(&w->health) < limit_of(w) || !has_stand_in(core, w)) {
        return;
    }
    w->held_until = core->now + HOLD;
    gm_core_watch_apply(core, w);
    gm_core_fx_node(core, "node.held", w->node_id, w->device,
                    "what it was given last failed; it is seen whether that passes elsewhere");
}

bool gm_core_watch_holds_other(const struct gm_core *core, const struct gm_chain_wish *wish,
                               const struct gm_unit *unit)
{
    for (const struct gm_cwatch *w = core->watches; w; w = w->hh.next) {
        const struct gm_cnode *node = w->held_until != 0 ? find_node(core, w->node_id) : NULL;
        const struct gm_cdevice *d = find_device(node, w->device);
        if (node && d && gm_core_node_is_open(node) && d->offered.slots > 0 &&
            !(unit && gm_core_avoids(unit, node->id)) && gm_core_device_chain(d, wish)) {
            return true;
        }
    }
    return false;
}

static struct gm_health_work work_of(const struct gm_lease *lease, int64_t chunk)
{
    return (struct gm_health_work){.job = lease->job->seq,
                                   .task = lease->inst->task->position,
                                   .instance = lease->inst->number,
                                   .first = chunk,
                                   .count = 1};
}

/* Another node has failed the unit, by its fault or the unit's. */
static bool failed_elsewhere(const struct gm_unit *unit, const char *node_id)
{
    for (uint32_t i = 0; i < unit->avoid_count; i++) {
        if (unit->avoid[i].evidence && strcmp(unit->avoid[i].node_id, node_id) != 0) {
            return true;
        }
    }
    return false;
}

void gm_core_watch_failed(struct gm_core *core, const struct gm_lease *lease,
                          const struct gm_unit *guilty, int64_t chunk,
                          const struct gm_lease_failure *failure)
{
    struct gm_health_work work = work_of(lease, chunk);
    uint32_t left = 1;
    if (!gm_health_counts(&failure->error)) {
        return;
    }
    if (lease->chunk_count > 1 && failure->chunk != chunk) { /* nobody knows which of the run */
        work.first = lease->first_chunk;
        work.count = lease->chunk_count;
        left = 0;
        for (uint32_t i = 0; i < lease->chunk_count; i++) {
            const struct gm_unit *unit = &lease->inst->chunks[lease->first_chunk + i].unit;
            left += unit->state != GM_TASK_DONE ? 1 : 0; /* its twin may have them by now */
        }
    }
    bool contested = failed_elsewhere(guilty, lease->node->id);
    struct gm_cwatch *w, *next;
    HASH_ITER(hh, core->watches, w, next)
    {
        if (w != lease->device->watch && gm_health_fail_elsewhere(&w->health, &work)) {
            contested = true;
            judge(core, w);
        }
    }
    w = contested ? lease->device->watch
                  : gm_core_watch_make(core, lease->node->id, lease->device->id);
    if (w && contested) {
        if (gm_health_fail_elsewhere(&w->health, &work)) {
            judge(core, w);
        }
    } else if (w) {
        gm_health_fail(&w->health, &work, left, failure->error.code, core->now);
        hold(core, w);
    }
}

void gm_core_watch_overtaken(struct gm_core *core, const struct gm_lease *lease, uint32_t first,
                             uint32_t count)
{
    struct gm_health_work work = work_of(lease, first);
    for (uint32_t i = 0; i < count; i++) {
        if (lease->inst->chunks[first + i].alone) { /* a run of it failed, there or elsewhere */
            return;
        }
    }
    work.count = count;
    struct gm_cwatch *w = gm_core_watch_make(core, lease->node->id, lease->device->id);
    if (w) {
        gm_health_fail(&w->health, &work, 0, GM_E_WORKER_HUNG, core->now); /* it has passed */
        judge(core, w);
    }
}

/* The trial is over. */
static void open_device(struct gm_core *core, struct gm_cwatch *w)
{
    w->state = GM_WATCH_OPEN;
    w->health.count = 0;
    w->why[0] = '\0';
    gm_core_watch_apply(core, w);
    gm_core_row_node(core, w->node_id);
    gm_core_fx_node(core, "node.resumed", w->node_id, w->device, "a task passed there");
}

void gm_core_watch_passed(struct gm_core *core, const struct gm_lease *lease, int64_t chunk)
{
    const struct gm_health_work unit = work_of(lease, chunk);
    struct gm_cwatch *w, *next;
    HASH_ITER(hh, core->watches, w, next)
    {
        if (w == lease->device->watch) {
            gm_health_pass(&w->health, &unit);
            if (w->state == GM_WATCH_TRIAL && is_after(core, lease, w->opened)) {
                open_device(core, w);
            }
            judge(core, w);
        } else if (gm_health_pass_elsewhere(&w->health, &unit)) {
            judge(core, w);
        }
    }
}

void gm_core_watch_forget_job(struct gm_core *core, const struct gm_cjob *job)
{
    struct gm_cwatch *w, *next;
    HASH_ITER(hh, core->watches, w, next)
    {
        gm_health_forget_job(&w->health, job->seq);
        judge(core, w);
    }
}

static void begin_trial(struct gm_core *core, struct gm_cwatch *w)
{
    w->state = GM_WATCH_TRIAL;
    w->opened = core->now;
    gm_core_watch_apply(core, w);
    gm_core_row_node(core, w->node_id);
    gm_core_fx_node(core, "node.trial", w->node_id, w->device, w->why);
}

/* Its proofs are made when a node starts. What speaks against a device that is no more is over. */
void gm_core_watch_hello(struct gm_core *core, struct gm_cnode *node)
{
    struct gm_cwatch *w, *next;
    HASH_ITER(hh, core->watches, w, next)
    {
        struct gm_cdevice *d =
            strcmp(w->node_id, node->id) == 0 ? find_device(node, w->device) : NULL;
        bool gone = strcmp(w->node_id, node->id) == 0 && !d && w->device[0] != '\0';
        if (gone && !w->by_operator) {
            bool kept = gm_core_watch_is_kept(w);
            destroy(core, w);
            if (kept) {
                gm_core_row_node(core, node->id);
            }
        }
        if (!d) {
            continue;
        }
        d->watch = w;
        if (w->instance != node->instance) {
            w->instance = node->instance;
            w->health.count = 0;
            w->held_until = 0;
            if (w->state == GM_WATCH_CLOSED) {
                begin_trial(core, w);
            } else if (gm_core_watch_is_kept(w)) {
                gm_core_row_node(core, w->node_id);
            }
        }
    }
    for (size_t i = 0; i < node->device_count; i++) {
        gm_core_device_open(core, node, &node->devices[i]);
    }
}

void gm_core_watch_back(struct gm_core *core, struct gm_cdevice *device)
{
    if (device->watch) {
        device->watch->health.count = 0;
        judge(core, device->watch);
    }
}

void gm_core_watch_proved(struct gm_core *core, struct gm_cdevice *device, uint64_t proof)
{
    struct gm_cwatch *w = device->watch;
    if (w && w->state == GM_WATCH_CLOSED && w->prove != 0 && w->prove == proof) {
        w->proved = true;
        if (core->now >= w->until) {
            begin_trial(core, w);
        }
    }
}

void gm_core_watch_forget_node(struct gm_core *core, const struct gm_cnode *node)
{
    struct gm_cwatch *w, *next;
    bool kept = false;
    HASH_ITER(hh, core->watches, w, next)
    {
        if (strcmp(w->node_id, node->id) == 0 && !w->by_operator) {
            kept = kept || gm_core_watch_is_kept(w);
            destroy(core, w);
        }
    }
    if (kept) {
        gm_core_row_node(core, node->id);
    }
}

static void send_prove(struct gm_core *core, struct gm_cwatch *w)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Prove prove = GM__PROVE__INIT;
    if (w->prove == 0) {
        w->prove = core->params.term << 32 | ++core->next_prove;
    }
    w->prove_at = core->now + PROVE_AGAIN;
    prove.device = w->device;
    prove.number = w->prove;
    prove.reason = w->why;
    envelope.body_case = GM__ENVELOPE__BODY_PROVE;
    envelope.prove = &prove;
    gm_core_fx_send(core, w->node_id, &envelope, false);
}

static void tick_closed(struct gm_core *core, struct gm_cwatch *w)
{
    const struct gm_cnode *node = find_node(core, w->node_id);
    const struct gm_cdevice *d = find_device(node, w->device);
    bool asked = node && node->proves && d && strcmp(d->kind, "cpu") != 0;
    if (asked && !w->proved) {
        if (node->connected && core->now >= w->prove_at) {
            send_prove(core, w);
        }
    } else if (core->now >= w->until) {
        begin_trial(core, w);
    }
}

void gm_core_watch_tick(struct gm_core *core)
{
    struct gm_cwatch *w, *next;
    HASH_ITER(hh, core->watches, w, next)
    {
        gm_health_age(&w->health, core->now);
        if (w->state == GM_WATCH_CLOSED) {
            tick_closed(core, w);
        }
        if (w->held_until != 0 && core->now >= w->held_until) {
            w->health.count = 0; /* two failures more, before it is held again */
            release(core, w);
        } else if (w->held_until != 0 && !has_stand_in(core, w)) {
            release(core, w);
        }
        bool counts = w->times > 0 && core->now - w->opened < MEMORY;
        if (!gm_core_watch_is_kept(w) && w->health.count == 0 && w->held_until == 0 && !counts) {
            destroy(core, w);
        }
    }
}
