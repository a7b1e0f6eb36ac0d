/* explain: one sentence for each task instance on why it waits or where it runs. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/arrival.h"
#include "scheduler/core/builds.h"
#include "scheduler/core/chains.h"
#include "scheduler/core/keep.h"
#include "scheduler/core/place.h"
#include "scheduler/core/publishing.h"
#include "scheduler/core/run.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"

/* Cut where it is too long. */
__attribute__((format(printf, 2, 3))) static void say(struct gm_explain_row *row, const char *fmt,
                                                      ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(row->why, sizeof(row->why), fmt, args);
    va_end(args);
}

static int seconds(gm_time t)
{
    return t > 0 ? (int)((t + GM_SEC - 1) / GM_SEC) : 0;
}

/* The last failure of the instance (chunk >= 0: of that chunk), or NULL. */
static const struct gm_attempt *last_failure(const struct gm_inst *inst, int64_t chunk)
{
    const struct gm_cjob *job = inst->task->job;
    for (size_t i = job->attempt_count; i > 0; i--) {
        const struct gm_attempt *a = job->attempts[i - 1];
        if (a->inst == inst && a->error.code != GM_OK && (chunk < 0 || a->charged_chunk == chunk)) {
            return a;
        }
    }
    return NULL;
}

static void explain_blocked(const struct gm_inst *inst, struct gm_explain_row *row)
{
    const struct gm_ctask *task = inst->task;
    const struct gm_cjob *job = task->job;
    for (uint32_t i = 0; i < task->need_count; i++) {
        const struct gm_ctask *need = &job->tasks[task->needs[i]];
        bool fed = need == job->split && task->type->feed != GM_FEED_NONE;
        if (!fed && !gm_core_task_is_done(need)) {
            say(row, "It waits until `%s` is done.", need->name);
            return;
        }
    }
    say(row, "It waits for the first piece from `%s`.", job->split->name);
}

static bool slot_is_kept(const struct gm_core *core, const struct gm_cjob *job)
{
    for (const struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        for (size_t i = 0; gm_core_node_is_open(n) && i < n->device_count; i++) {
            if (gm_core_keeps_slot(job, &n->devices[i])) {
                return true;
            }
        }
    }
    return false;
}

/* " words 12 s"; "": nobody knows. */
static void say_left(gm_time left, const char *words, char out[64])
{
    out[0] = '\0';
    if (left > 0) {
        (void)snprintf(out, 64, "%s %d s", words, seconds(left));
    }
}

/* Slots are free where they lack. */
static bool waits_for_sessions(const struct gm_core *core, const struct gm_chain_wish *wish)
{
    struct gm_chain_wish any = *wish;
    uint64_t unused;
    any.sessions = 0;
    (void)gm_core_slots(core, &any, &unused);
    return unused > 0;
}

/* A device is kept free for it, or for another job. False: none is. */
static bool explain_kept(const struct gm_core *core, const struct gm_inst *inst,
                         const struct gm_chain_wish *wish, struct gm_explain_row *row)
{
    const struct gm_kept *kept = gm_core_keep_find(core, wish);
    if (kept && kept->job == inst->task->job) {
        say(row,
            "It is ready and needs more than any device has left: %.40s of node %.64s takes "
            "nothing else until it fits there.",
            kept->device->id, kept->device->node->id);
    } else if (kept) {
        say(row,
            "It is ready; %.40s of node %.64s is kept free for job %.64s, which waits for as much "
            "of it.",
            kept->device->id, kept->device->node->id, kept->job->id);
    }
    return kept != NULL;
}

static void explain_build(const struct gm_core *core, const struct gm_cjob *job,
                          const struct gm_chain_wish *wish, struct gm_explain_row *row)
{
    gm_time since = job->chain_absent_since ? job->chain_absent_since : core->now;
    say(row,
        "It is ready and waits for a node of the build that the renditions began with (%.160s); "
        "others take tasks, and without one the job is planned again in %d s.",
        wish->fingerprint[0] != '\0' ? wish->fingerprint : "it is not told",
        seconds(since + gm_core_build_patience(core, job) - core->now));
}

/* Why no device took a unit that is ready. */
static void explain_ready(const struct gm_core *core, const struct gm_inst *inst,
                          const struct gm_unit *unit, struct gm_explain_row *row)
{
    uint64_t unused;
    struct gm_chain_wish wish;
    char few[160], none[240];
    bool there = gm_core_chain_wish(core, inst, &wish);
    uint64_t slots = gm_core_slots(core, &wish, &unused);
    uint32_t connected = 0;
    for (const struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        connected += n->connected ? 1 : 0;
    }
    if (core->musters) {
        say(row, "It is ready; the scheduler started anew and waits a second at most for the nodes "
                 "that worked before, one of which may have it.");
    } else if (connected > 0 && there && gm_core_chain_is_short(core, &wish, few)) {
        say(row, "It is ready and waits for a device: %s.", few);
    } else if (connected > 0 && !there) {
        gm_core_chain_passed(core, inst->task->job, NULL, none, sizeof(none));
        say(row, "It is ready and waits for one of the pipeline's devices: %.180s.", none);
    } else if (connected > 0 && slots == 0 && strcmp(wish.name, "cpu") != 0) {
        say(row, "It is ready and waits for a device: no node offers `%s`%s%.100s now.", wish.name,
            wish.fingerprint ? " " : "", wish.fingerprint ? wish.fingerprint : "");
    } else if (slots == 0 && gm_core_build_is_gone(core, &wish)) {
        explain_build(core, inst->task->job, &wish, row);
    } else if (slots == 0) {
        say(row, connected == 0 ? "It is ready, but no node is connected."
                                : "It is ready, but the connected nodes are drained, in quarantine "
                                  "or offer no slot.");
    } else if (gm_core_tenant_is_full(inst->task->job->tenant)) {
        const struct gm_tenant *tenant = inst->task->job->tenant;
        say(row, "It is ready; tenant %s has all of the %u slots that it may have at once.",
            tenant->name, tenant->max_running);
    } else if (explain_kept(core, inst, &wish, row)) {
        return;
    } else if (unused == 0 && waits_for_sessions(core, &wish)) {
        say(row,
            "It is ready and waits for encoder sessions: it takes %" PRIu64
            " at once, others have them.",
            wish.sessions);
    } else if (unused == 0) {
        char soon[64];
        say_left(gm_core_first_free(core, &wish), ", the first is expected to be free in", soon);
        say(row, "It is ready and waits for a free slot: all %" PRIu64 " are in use%s.", slots,
            soon);
    } else if (!gm_core_inst_may_start(inst, unused)) {
        say(row,
            "It is ready; until `%s` is done it starts only beside it, and not in the last slot.",
            inst->task->job->split->name);
    } else if (slot_is_kept(core, inst->task->job)) {
        say(row, "It is ready; the job's first chunk has the free slot too, to be done sooner.");
    } else if (inst->task->type->fan == GM_FAN_RUNS &&
               gm_core_inst_run(inst, slots, false).count == 0) {
        say(row,
            "It is ready, but the next chunk, which `%s` has yet to announce, may cost less "
            "with it.",
            inst->task->job->split->name);
    } else if (unit->avoid_count > 0) {
        say(row, "It is ready and waits for another node than the %u that failed it.",
            unit->avoid_count);
    } else {
        struct gm_capacity d = gm_core_demand_on(core, inst, &wish);
        char lacks[240];
        if (gm_core_shortage(core, &wish, &d, lacks)) {
            say(row, "It is ready, but no device has enough left. %s.", lacks);
        } else {
            say(row, "It is ready and will be given out.");
        }
    }
}

/* It would hold a slot for what is still on its way. */
static void explain_arrival(const struct gm_cjob *job, struct gm_explain_row *row)
{
    if (job->arrival.begin) {
        say(row, "It waits until begin and end of its source were uploaded.");
    } else {
        say(row, "It waits until part %u of its source, and some more, were uploaded.",
            job->arrival.part);
    }
}

static void explain_backoff(const struct gm_inst *inst, const struct gm_unit *unit, int64_t chunk,
                            gm_time now, struct gm_explain_row *row)
{
    const struct gm_attempt *a = unit->awaited;
    if (gm_core_arrival_holds(unit)) {
        explain_arrival(inst->task->job, row);
        return;
    }
    if (a) {
        say(row,
            "It ran on node %.64s when the scheduler started anew, which waits up to %d s for that "
            "node.",
            a->node_id, seconds(unit->retry_at - now));
        return;
    }
    a = last_failure(inst, chunk);
    say(row, "It failed %u times and is tried again in %d s; last on node %.64s: %.90s",
        unit->failures, seconds(unit->retry_at - now), a ? a->node_id : "?",
        a ? a->error.text : "capacity was short");
}

/* The lease's attempt is the last of its instance: attempts are numbered within the job. */
static unsigned count_attempts(const struct gm_inst *inst)
{
    const struct gm_cjob *job = inst->task->job;
    unsigned count = 0;
    for (size_t i = 0; i < job->attempt_count; i++) {
        count += job->attempts[i]->inst == inst ? 1 : 0;
    }
    return count;
}

static void explain_running(const struct gm_core *core, const struct gm_lease *lease, gm_time now,
                            struct gm_explain_row *row)
{
    char left[64];
    say_left(gm_core_lease_left(core, lease), ", expected to end in", left);
    const char *waits = gm_core_task_type_is_track(lease->inst->task->type) && !lease->fed_complete
                            ? ", fed while its input is made"
                            : "";
    say(row, "It runs on node %.64s (%.32s) for %d s, its attempt %u%s%s%s.", lease->node->id,
        lease->device->id, seconds(now - lease->assigned_at), count_attempts(lease->inst),
        lease->at_hand ? ", where its inputs are at hand" : "", waits, left);
}

/* Where measured figures chose the devices of running chunks: what they promise. */
static void say_measured(const struct gm_inst *inst, char *out, size_t size)
{
    const struct gm_cjob *job = inst->task->job;
    const struct gm_lease *l;
    double pictures = 0; /* a second */
    DL_FOREACH2(job->leases, l, job_next)
    {
        if (l->inst == inst && !l->cancelling && l->picture_s > 0) { /* as full as it is now */
            struct gm_cdevice device = *l->device;
            device.used.slots -= device.used.slots > 0 ? 1 : 0;
            double picture_s = gm_core_picture_s(&device, l->chain, inst);
            pictures += picture_s > 0 ? 1 / picture_s : 0;
        }
    }
    out[0] = '\0';
    if (pictures > 0 && job->rate_num > 0) {
        (void)snprintf(out, size,
                       " Measured figures chose faster devices: %.1f times realtime there.",
                       pictures * (double)job->rate_den / (double)job->rate_num);
    }
}

/* Runs of the instance on the node that has their source. */
static void say_at_hand(const struct gm_inst *inst, char out[64])
{
    const struct gm_lease *l;
    unsigned count = 0;
    DL_FOREACH2(inst->task->job->leases, l, job_next)
    {
        count += l->inst == inst && !l->cancelling && l->at_hand ? 1 : 0;
    }
    out[0] = '\0';
    if (count > 0) {
        (void)snprintf(out, 64, " Where the source is at hand: %u runs.", count);
    }
}

/* Of the chunks that are ready: what waits for a slot, and what for the chunk that comes. */
static void explain_some(const struct gm_core *core, const struct gm_inst *inst, uint64_t running,
                         uint64_t ready, uint64_t backoff, struct gm_explain_row *row)
{
    uint64_t unused = 0, held = 0, awaited = 0, slots = 0;
    struct gm_chain_wish wish;
    char lacks[240] = "";
    char waits[128] = "", few[64] = "", unheard[64] = "", measured[96], next[64], near[64];
    for (size_t i = inst->first_open; i < inst->chunk_count; i++) {
        awaited += inst->chunks[i].unit.awaited != NULL;
    }
    if (awaited > 0) {
        (void)snprintf(unheard, sizeof(unheard), " %" PRIu64 " for the node that had them,",
                       awaited);
    }
    if (ready > 0 && gm_core_chain_wish(core, inst, &wish)) {
        slots = gm_core_slots(core, &wish, &unused);
        held = gm_core_inst_held(inst, slots);
        const struct gm_capacity d = gm_core_demand_on(core, inst, &wish);
        if (ready == held || unused == 0 || !gm_core_shortage(core, &wish, &d, lacks)) {
            lacks[0] = '\0';
        }
        if (slots == 0) {
            (void)snprintf(lacks, sizeof(lacks), "No connected node takes new tasks of it");
        }
    }
    if (held > 0) {
        (void)snprintf(waits, sizeof(waits), " %" PRIu64 " for `%.32s` to announce the next,", held,
                       inst->task->job->split->name);
    }
    if (gm_core_tenant_is_full(inst->task->job->tenant)) {
        (void)snprintf(few, sizeof(few), " of the %u that its tenant may have",
                       inst->task->job->tenant->max_running);
    }
    say_measured(inst, measured, sizeof(measured));
    say_at_hand(inst, near);
    say_left(gm_core_inst_next_end(core, inst), " The next run is expected to end in", next);
    row->state = GM_TASK_RUNNING;
    say(row,
        "%zu of %zu chunks are done; %" PRIu64 " run, %" PRIu64 " wait for a slot%s,%s%s %" PRIu64
        " pause after a failure.%s%s%s%s%s%s%s",
        inst->chunk_done, inst->chunk_count, running, ready - held, few, waits, unheard,
        backoff - awaited, next, next[0] ? "." : "", measured, near, lacks[0] ? " " : "", lacks,
        lacks[0] ? "." : "");
}

static void explain_chunks(const struct gm_core *core, const struct gm_inst *inst, gm_time now,
                           struct gm_explain_row *row)
{
    uint64_t running = 0, ready = 0, backoff = 0;
    size_t first_ready = 0, first_backoff = 0;
    for (size_t i = inst->chunk_count; i > 0; i--) {
        const struct gm_unit *unit = &inst->chunks[i - 1].unit;
        running += unit->state == GM_TASK_RUNNING ? 1 : 0;
        if (unit->state == GM_TASK_READY) {
            ready++;
            first_ready = i - 1;
        } else if (unit->state == GM_TASK_BACKOFF) {
            backoff++;
            first_backoff = i - 1;
        }
    }
    if (running > 0) {
        explain_some(core, inst, running, ready, backoff, row);
    } else if (ready > 0) {
        row->state = GM_TASK_READY;
        explain_ready(core, inst, &inst->chunks[first_ready].unit, row);
    } else if (backoff > 0) {
        row->state = GM_TASK_BACKOFF;
        explain_backoff(inst, &inst->chunks[first_backoff].unit, (int64_t)first_backoff, now, row);
    } else {
        row->state = GM_TASK_BLOCKED;
        say(row, "All %zu chunks so far are done; it waits for `%s` to announce the next.",
            inst->chunk_count, inst->task->job->split->name);
    }
}

/* Of plan: what its chain was chosen for. */
static void explain_choice(const struct gm_inst *inst, struct gm_explain_row *row)
{
    const struct gm_cjob *job = inst->task->job;
    size_t used = strlen(row->why);
    if (inst->task->type->role == GM_ROLE_PLAN && job->chain &&
        strcmp(job->chain->name, job->choice.chain) == 0) {
        gm_core_choice_say(&job->choice, row->why + used, sizeof(row->why) - used);
    }
}

static void explain_inst(const struct gm_core *core, const struct gm_inst *inst, gm_time now,
                         struct gm_explain_row *row)
{
    const struct gm_unit *unit = &inst->unit;
    const struct gm_attempt *a;
    *row = (struct gm_explain_row){
        .task = inst->task->name, .instance = inst->number, .state = unit->state};
    if (inst->task->type->fan == GM_FAN_RUNS && unit->state == GM_TASK_READY) {
        explain_chunks(core, inst, now, row);
        return;
    }
    switch (unit->state) {
    case GM_TASK_BLOCKED:
        explain_blocked(inst, row);
        break;
    case GM_TASK_READY:
        explain_ready(core, inst, unit, row);
        break;
    case GM_TASK_RUNNING:
        explain_running(core, unit->lease, now, row);
        break;
    case GM_TASK_BACKOFF:
        explain_backoff(inst, unit, -1, now, row);
        break;
    case GM_TASK_DONE:
        say(row, "It is done.");
        explain_choice(inst, row);
        break;
    default:
        a = last_failure(inst, -1);
        if (unit->state == GM_TASK_FAILED && a) {
            say(row, "It failed on node %.64s: %.150s", a->node_id, a->error.text);
        } else {
            say(row, "It was not finished: the job ended before.");
        }
        break;
    }
}

int gm_view_explain(const struct gm_core *core, const char *job_id, gm_time now,
                    struct gm_explain_view *out, struct gm_err *err)
{
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->jobs, job_id, job);
    if (!job) {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "no job is called %.64s", job_id);
    }
    size_t most = 1;
    for (uint32_t t = 0; t < job->task_count; t++) {
        most += job->tasks[t].inst_count + 1;
    }
    struct gm_explain_view v = {.rows = calloc(most, sizeof(*v.rows))};
    if (!v.rows) {
        return gm_err_nomem(err);
    }
    for (uint32_t t = 0; t < job->task_count; t++) {
        const struct gm_ctask *task = &job->tasks[t];
        for (uint32_t i = 0; i < task->inst_count; i++) {
            explain_inst(core, &task->insts[i], now, &v.rows[v.count++]);
        }
        if (task->inst_count > 0) {
            continue;
        }
        struct gm_explain_row *row = &v.rows[v.count++];
        bool over = gm_job_state_is_final(job->state);
        row->task = task->name;
        if (task->known) {
            row->state = GM_TASK_DONE;
            say(row, "The plan found nothing for it to do.");
        } else if (over) {
            row->state = GM_TASK_ENDED;
            say(row, "It was not finished: the job ended before.");
        } else {
            row->state = GM_TASK_BLOCKED;
            say(row, "It waits until `%s` is done.", job->plan->name);
        }
    }
    if (job->publish_pending || job->publish_at != 0) {
        gm_core_publishing_explain(core, job, now, &v.rows[v.count++]);
    }
    *out = v;
    return 0;
}

void gm_view_explain_fini(struct gm_explain_view *view)
{
    free(view->rows);
    memset(view, 0, sizeof(*view));
}
