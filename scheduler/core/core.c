/* The step: one event in, effects out. Each event changes the state by its handler; then waiting
 * work is placed and the rows of changed jobs are written once.
 *
 * See core.h for the contract and state.h for the state.
 */
#include "scheduler/core/core.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/core/adopt.h"
#include "scheduler/core/arrival.h"
#include "scheduler/core/backup.h"
#include "scheduler/core/chains.h"
#include "scheduler/core/count.h"
#include "scheduler/core/early.h"
#include "scheduler/core/job.h"
#include "scheduler/core/keyed.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/local.h"
#include "scheduler/core/node.h"
#include "scheduler/core/place.h"
#include "scheduler/core/publishing.h"
#include "scheduler/core/reopen.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"
#include "scheduler/core/watch.h"

#define PROGRESS_PERIOD (250 * GM_MS)
#define SAMPLE_PERIOD GM_SEC
#define ID_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

static uint32_t or_default(uint32_t value, uint32_t def)
{
    return value > 0 ? value : def;
}

int gm_core_create(const struct gm_core_params *params, struct gm_core **out, struct gm_err *err)
{
    if (params->term == 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "the term must be raised before the first start");
    }
    struct gm_core *core = calloc(1, sizeof(*core));
    if (!core) {
        return gm_err_nomem(err);
    }
    core->params = *params;
    core->params.lease_ms = or_default(params->lease_ms, 15000);
    core->params.heartbeat_ms = or_default(params->heartbeat_ms, 1000);
    core->params.stall_ms = or_default(params->stall_ms, 120000);
    core->params.device_wait_ms = or_default(params->device_wait_ms, 10000);
    core->params.max_jobs = or_default(params->max_jobs, 10000);
    core->params.max_attempts = or_default(params->max_attempts, 8);
    core->params.retry_ms = or_default(params->retry_ms, 1000);
    core->params.backup_retry_s = or_default(params->backup_retry_s, 86400);
    core->params.keep_finished = or_default(params->keep_finished, GM_CORE_KEEP_FINISHED);
    core->lease_time = core->params.lease_ms * GM_MS;
    core->heartbeat_time = core->params.heartbeat_ms * GM_MS;
    core->stall_time = core->params.stall_ms * GM_MS;
    core->device_wait = core->params.device_wait_ms * GM_MS;
    core->preempt_time = params->preempt_ms * GM_MS;
    core->next_seq = 1;
    core->bodies = gm_bodies_create(&params->shelf);
    core->devices = gm_devices_create();
    gm_core_order_init(core);
    core->epoch = params->term << 32;
    *out = core;
    return 0;
}

void gm_core_destroy(struct gm_core **pcore)
{
    struct gm_core *core = *pcore;
    if (!core) {
        return;
    }
    /* The lists outlive their tables. */
    struct gm_lease *lease = core->leases;
    struct gm_cjob *job = core->jobs;
    struct gm_cnode *node = core->nodes;
    struct gm_drained *drained = core->drained;
    gm_core_watches_fini(core);
    gm_core_unheard_fini(core);
    gm_core_muster_fini(core);
    for (struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        gm_devices_leave_node(core, n);
    }
    gm_devices_destroy(core->devices);
    HASH_CLEAR(hh, core->leases);
    gm_core_keyed_fini(core);
    HASH_CLEAR(hh, core->jobs);
    HASH_CLEAR(hh, core->nodes);
    HASH_CLEAR(hh, core->drained);
    while (lease) {
        struct gm_lease *next = lease->hh.next;
        gm__chain__free_unpacked(lease->chain, NULL);
        free(lease);
        lease = next;
    }
    while (job) {
        struct gm_cjob *next = job->hh.next;
        gm_core_job_destroy(job);
        job = next;
    }
    gm_bodies_destroy(&core->bodies);
    while (node) {
        struct gm_cnode *next = node->hh.next;
        gm_core_node_destroy(node);
        node = next;
    }
    while (drained) {
        struct gm_drained *next = drained->hh.next;
        free(drained->id);
        free(drained);
        drained = next;
    }
    gm_timers_fini(&core->lease_timers);
    gm_timers_fini(&core->node_timers);
    gm_core_order_fini(core);
    gm_core_loading_fini(core);
    gm_history_fini(&core->history);
    free(core->kept);
    free(core);
    *pcore = NULL;
}

static bool is_same_pipeline(const Gm__Pipeline *a, const Gm__Pipeline *b)
{
    size_t size, other_size;
    uint8_t *bytes = gm_mem_encode(&a->base, &size);
    uint8_t *other = gm_mem_encode(&b->base, &other_size);
    bool same = size == other_size && memcmp(bytes, other, size) == 0;
    free(bytes);
    free(other);
    return same;
}

static bool is_one_place(const char *a, const char *b)
{
    return a && b && a[0] != '\0' && strcmp(a, b) == 0;
}

static bool share_a_place(const struct gm_cjob *job, const struct gm_submit *s)
{
    return strcmp(job->destination_url, s->destination_url) == 0 ||
           is_one_place(job->destination_url, s->backup_url) ||
           is_one_place(job->backup.url, s->destination_url) ||
           is_one_place(job->backup.url, s->backup_url);
}

/* The unfinished job that makes something else in the same folder, or NULL: the manifests there
 * would be of both. The same asked for twice is one result. */
static const struct gm_cjob *find_rival(const struct gm_core *core, const struct gm_submit *s)
{
    for (const struct gm_cjob *job = core->jobs; job && !s->plan_only; job = job->hh.next) {
        if (!gm_job_state_is_final(job->state) && !job->plan_only && share_a_place(job, s) &&
            (strcmp(job->source_url, s->source_url) != 0 || job->source_size != s->source_size ||
             job->source_version != s->source_version ||
             strcmp(job->source_etag, s->source_etag ? s->source_etag : "") != 0 ||
             !is_same_pipeline(job->pipeline, s->pipeline))) {
            return job;
        }
    }
    return NULL;
}

int gm_core_submit_check_room(const struct gm_core *core, const struct gm_submit *s,
                              struct gm_err *err)
{
    const struct gm_cjob *rival = find_rival(core, s);
    if (rival) {
        return gm_err_set(
            err, GM_E_CONFLICT, 0,
            "job %s makes something else in that destination or backup: wait until it has "
            "ended, or choose another folder",
            rival->id);
    }
    return gm_core_tenant_check_submit(core, s->tenant, s->priority, err);
}

/* Two requests may find one that failed: the first of them takes it back to work. */
static int check_retry(const struct gm_core *core, const struct gm_submit *s, struct gm_err *err)
{
    const struct gm_cjob *before = NULL;
    if (s->retry_of) {
        HASH_FIND_STR(core->jobs, s->retry_of, before);
    }
    if (before && before->state != GM_JOB_FAILED && before->state != GM_JOB_CANCELLED) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "job %s is %s: it is not made a second time",
                          before->id, gm_job_state_name(before->state));
    }
    return 0;
}

static int check_submit(const struct gm_core *core, const struct gm_submit *s, struct gm_err *err)
{
    struct gm_cjob *job = NULL;
    size_t id_size = s->job_id ? strspn(s->job_id, ID_BYTES) : 0;
    if (id_size == 0 || id_size > 64 || s->job_id[id_size] != '\0') {
        return gm_err_set(err, GM_E_INVAL, 0, "a job id has 1..64 letters, digits, '_' and '-'");
    }
    if (!s->pipeline || !s->source_url || !s->source_name || !s->destination_url) {
        return gm_err_set(err, GM_E_INVAL, 0, "a job has a pipeline, a source and a destination");
    }
    if (s->priority < 0 || s->priority > 100) {
        return gm_err_set(err, GM_E_INVAL, s->priority, "priority %d is not in 0..100",
                          (int)s->priority);
    }
    if (s->deadline_unix_ms < 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "a deadline is a time after 1970");
    }
    HASH_FIND_STR(core->jobs, s->job_id, job);
    if (job) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "job %s exists", s->job_id);
    }
    job = s->key ? (struct gm_cjob *)(uintptr_t)gm_core_keyed_find(core, s->key) : NULL;
    if (job) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "job %s has that key", job->id);
    }
    int rc = check_retry(core, s, err);
    return rc < 0 ? rc : gm_core_submit_check_room(core, s, err);
}

/* In the job that it makes again, where that one is still known. */
static void note_retry(struct gm_core *core, const struct gm_cjob *job)
{
    struct gm_cjob *before = NULL;
    HASH_FIND_STR(core->jobs, job->retry_of, before);
    if (before) {
        free(before->retried_as);
        before->retried_as = gm_mem_strdup(job->id);
        gm_core_job_touch(core, before);
        if (gm_core_job_is_kept(before)) { /* all is made again: nobody goes on from there */
            gm_core_keep_end(core, before);
            gm_core_job_clean_again(core, before);
        }
    }
}

static int handle_submit(struct gm_core *core, const struct gm_submit *s, struct gm_err *err)
{
    struct gm_cjob *job = NULL;
    int rc = check_submit(core, s, err);
    if (rc == 0) {
        rc = gm_core_job_create(core->bodies, s->job_id, s->pipeline, &job, err);
    }
    if (rc < 0) {
        return rc;
    }
    GM_ASSERT(job != NULL);
    job->seq = core->next_seq++;
    job->source_url = gm_mem_strdup(s->source_url);
    job->source_name = gm_mem_strdup(s->source_name);
    job->destination_url = gm_mem_strdup(s->destination_url);
    gm_core_local_begin(core, job);
    job->destination_mark = gm_mem_strdup(s->destination_mark ? s->destination_mark : "");
    job->work_mark = gm_mem_strdup(s->work_mark ? s->work_mark : "");
    job->external_id = gm_mem_strdup(s->external_id);
    job->traceparent = gm_mem_strdup(s->traceparent ? s->traceparent : "");
    job->source_size = s->source_size;
    job->source_version = s->source_version;
    job->source_etag = gm_mem_strdup(s->source_etag ? s->source_etag : "");
    gm_source_parts_set(&job->source_parts, s->source_part_count, s->source_parts);
    job->webhook = gm_mem_strdup(s->webhook);
    gm_core_backup_set(&job->backup, s->backup_url, s->backup_mark);
    job->retry_of = gm_mem_strdup(s->retry_of);
    job->retried_as = gm_mem_strdup("");
    job->priority = s->priority;
    job->deadline_unix_ms = s->deadline_unix_ms;
    job->keeps_title = s->keeps_title;
    job->plan_only = s->plan_only;
    job->created_unix_ms = s->created_unix_ms;
    if (s->key) {
        gm_core_keyed_add(core, job, s->key, s->request);
    }
    rc = gm_core_row_job_check(job, err);
    if (rc < 0) {
        core->next_seq--;
        gm_core_keyed_drop(core, job);
        gm_core_job_destroy(job);
        return rc;
    }
    gm_core_order_join(core, job, s->tenant);
    gm_core_job_touch(core, job);
    note_retry(core, job);
    HASH_ADD_KEYPTR(hh, core->jobs, job->id, strlen(job->id), job);
    core->unfinished++;
    core->job_states[job->state]++;
    core->counts.accepted++;
    gm_core_fx_event(core, job, "job.accepted", NULL, "queued", true);
    gm_core_fx_event(core, job, "job.state", NULL, "queued", true);
    gm_core_job_advance(core, job);
    if (s->source_arrives) {
        gm_core_arrival_begin(core, job);
    }
    return 0;
}

static void wake_units(struct gm_core *core, struct gm_cjob *job)
{
    job->wake_at = 0;
    for (uint32_t t = 0; t < job->task_count; t++) {
        for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
            struct gm_inst *inst = &job->tasks[t].insts[i];
            size_t units = inst->task->type->fan == GM_FAN_RUNS ? inst->chunk_count : 1;
            for (size_t u = inst->first_open; u < units; u++) {
                struct gm_unit *unit =
                    inst->task->type->fan == GM_FAN_RUNS ? &inst->chunks[u].unit : &inst->unit;
                if (unit->state != GM_TASK_BACKOFF) {
                    continue;
                }
                if (unit->retry_at <= core->now) {
                    gm_core_unit_move(core, job, unit, GM_UNIT_WAKE);
                } else if (job->wake_at == 0 || unit->retry_at < job->wake_at) {
                    job->wake_at = unit->retry_at;
                }
            }
        }
    }
}

static void tick_jobs(struct gm_core *core)
{
    bool sample = core->now - core->sampled_at >= SAMPLE_PERIOD;
    gm_core_demand_begin(core);
    for (struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        if (gm_job_state_is_final(job->state)) {
            if (job->cleanup_at != 0 && job->cleanup_at <= core->now) {
                gm_core_job_clean_again(core, job);
            }
            gm_core_backup_tick(core, job);
            continue;
        }
        gm_core_demand_job(core, job);
        if (job->wake_at != 0 && job->wake_at <= core->now) {
            wake_units(core, job);
        }
        if (job->publish_at != 0 && job->publish_at <= core->now) {
            gm_core_job_publish_again(core, job);
        }
        if (sample && job->deadline_unix_ms > 0) {
            gm_core_job_hurry(core, job);
        }
        if (sample && job->state == GM_JOB_RUNNING && job->frames_known > 0) {
            gm_core_job_sample(job, core->now);
        }
        if (job->progress_dirty && core->now - job->progress_event_at >= PROGRESS_PERIOD) {
            job->progress_dirty = false;
            job->progress_event_at = core->now;
            gm_core_fx_event(core, job, "progress", NULL, gm_job_state_name(job->state), false);
        }
    }
    gm_core_demand_end(core);
    if (sample) { /* what nothing else says is looked at now and then */
        core->sampled_at = core->now;
        core->place_dirty = core->split_stopped = true;
        core->order.settled = false;
        gm_core_preempt(core);
    }
}

static void handle_tick(struct gm_core *core)
{
    gm_core_lease_tick(core);
    gm_core_node_tick(core);
    gm_core_watch_tick(core);
    if (!core->stopping) { /* nodes leave with it: their devices are not gone */
        gm_core_chain_tick(core);
    }
    tick_jobs(core);
    gm_core_history_write(core, false);
}

/* What it replaced at its destination does not come back with its end. */
static void remove_earlier(struct gm_core *core, const struct gm_cjob *job)
{
    for (struct gm_cjob *o = core->jobs; o; o = o->hh.next) {
        if (o != job && o->state == GM_JOB_DONE && !o->plan_only && !o->removed &&
            strcmp(o->destination_url, job->destination_url) == 0) {
            o->removed = true;
            gm_core_backup_drop(o);
            gm_core_job_touch(core, o);
        }
    }
}

/* Again: nothing. */
static int take_down(struct gm_core *core, struct gm_cjob *job, struct gm_err *err)
{
    if (job->state != GM_JOB_DONE || job->plan_only || job->publication[0] == '\0') {
        return gm_err_set(err, GM_E_CONFLICT, 0, "job %s published nothing", job->id);
    }
    if (!job->removed) {
        job->removed = true;
        gm_core_backup_drop(job);
        gm_core_job_touch(core, job);
        remove_earlier(core, job);
    }
    return 0;
}

static int handle_job_event(struct gm_core *core, const struct gm_event *event, struct gm_err *err)
{
    struct gm_cjob *job = NULL;
    if (event->job_id) {
        HASH_FIND_STR(core->jobs, event->job_id, job);
    }
    if (!job) {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "no job is called %.64s",
                          event->job_id ? event->job_id : "");
    }
    if (event->type == GM_EV_CANCEL) {
        return gm_core_job_cancel(core, job, err);
    }
    if (event->type == GM_EV_PRIORITY) {
        return gm_core_job_set_priority(core, job, event->priority, err);
    }
    if (event->type == GM_EV_EARLY) {
        return gm_core_early_begin(core, job, event, err);
    }
    if (event->type == GM_EV_TAKEDOWN) {
        return take_down(core, job, err);
    }
    if (event->type == GM_EV_REOPEN) {
        return event->submit ? gm_core_job_reopen(core, job, event->submit, err)
                             : gm_err_set(err, GM_E_INVAL, 0, "nothing was submitted");
    }
    if (event->type == GM_EV_ARRIVED) {
        gm_core_arrival_over(core, job, event->etag);
    } else if (event->type == GM_EV_TAKEN_DOWN) {
        gm_core_fx_event(core, job, "asset.removed", NULL, gm_job_state_name(job->state), true);
    } else if (event->type == GM_EV_PUBLISHED) {
        gm_core_job_published(core, job, &event->failure, event->manifests);
    } else if (event->type == GM_EV_HELD) {
        gm_core_publishing_held(core, job, event->reason ? event->reason : "");
    } else if (event->type == GM_EV_BACKED_UP) {
        gm_core_backup_ended(core, job, &event->failure, event->lacking);
    } else {
        gm_core_job_cleaned(core, job, &event->failure, event->passed_over);
    }
    return 0;
}

static int handle_node_event(struct gm_core *core, const struct gm_event *event, struct gm_err *err)
{
    const char *device = event->device ? event->device : "";
    if (event->type == GM_EV_QUARANTINE) {
        return gm_core_quarantine(core, event->node_id, device, event->reason ? event->reason : "",
                                  err);
    }
    if (event->type == GM_EV_NODE_GONE) {
        gm_core_node_gone(core, event->node_id);
        return 0;
    }
    if (event->type == GM_EV_RESTART) {
        return gm_core_node_restart(core, event->node_id, event->force, err);
    }
    if (device[0] == '\0') {
        return gm_core_node_drain(core, event->node_id, event->resume, err);
    }
    if (!event->resume || !gm_core_watch_resume(core, event->node_id, device)) {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "nothing is held against device %.64s of node %s",
                          device, event->node_id);
    }
    return 0;
}

static int dispatch(struct gm_core *core, const struct gm_event *event, struct gm_err *err)
{
    switch (event->type) {
    case GM_EV_MESSAGE:
        if (!event->node_id || !event->envelope) {
            return gm_err_set(err, GM_E_INVAL, 0, "a message has a node and an envelope");
        }
        gm_core_node_message(core, event->node_id, event->envelope);
        return 0;
    case GM_EV_UNSENT:
        if (!event->node_id || !event->envelope ||
            event->envelope->body_case != GM__ENVELOPE__BODY_FAILED ||
            !event->envelope->failed->error) {
            return gm_err_set(err, GM_E_INVAL, 0, "the event names no node, lease or error");
        }
        gm_core_handle_unsent(core, event->node_id, event->envelope->failed, event->told);
        return 0;
    case GM_EV_NODE_GONE:
    case GM_EV_DRAIN:
    case GM_EV_RESTART:
    case GM_EV_QUARANTINE:
        if (!event->node_id) {
            return gm_err_set(err, GM_E_INVAL, 0, "the event names no node");
        }
        return handle_node_event(core, event, err);
    case GM_EV_SUBMIT:
        if (!event->submit) {
            return gm_err_set(err, GM_E_INVAL, 0, "nothing was submitted");
        }
        return handle_submit(core, event->submit, err);
    case GM_EV_CANCEL:
    case GM_EV_PRIORITY:
    case GM_EV_ARRIVED:
    case GM_EV_EARLY:
    case GM_EV_REOPEN:
    case GM_EV_PUBLISHED:
    case GM_EV_HELD:
    case GM_EV_CLEANED:
    case GM_EV_BACKED_UP:
    case GM_EV_TAKEDOWN:
    case GM_EV_TAKEN_DOWN:
        return handle_job_event(core, event, err);
    case GM_EV_PLACE_GOES:
        if (!event->url) {
            return gm_err_set(err, GM_E_INVAL, 0, "the event names no place");
        }
        gm_core_keep_end_at(core, event->url);
        return 0;
    case GM_EV_TICK:
        handle_tick(core);
        return 0;
    case GM_EV_STOP:
        core->stopping = true;
        gm_core_history_write(core, true);
        return 0;
    default:
        return gm_err_set(err, GM_E_INVAL, event->type, "no such event: %d", (int)event->type);
    }
}

/* Attempts that a restart ended: recovery has no wall clock, and of a step that fails nothing is
 * written; a tick has the one and is none of the other. */
static void stamp_lost(struct gm_core *core)
{
    core->unstamped = false;
    for (struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        for (size_t i = 0; i < job->attempt_count; i++) {
            struct gm_attempt *a = job->attempts[i];
            if (a->outcome == GM_ATTEMPT_LOST && a->ended_unix_ms == 0) {
                a->ended_unix_ms = gm_core_stamp(core, a->started_unix_ms);
                gm_core_note_failed(job, a);
                gm_core_row_attempt(core, job, a);
            }
        }
    }
}

static void finish_step(struct gm_core *core)
{
    gm_core_place(core);
    gm_core_straggle(core);
    gm_core_job_prune(core);
    gm_core_rows_flush(core);
}

int gm_core_step(struct gm_core *core, const struct gm_event *event, gm_time now,
                 struct gm_effects *out, struct gm_err *err)
{
    if (!core->loaded && core->loading_count > 0) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "rows were loaded, but gm_core_loaded was not called");
    }
    core->loaded = true;
    core->fx = out;
    core->now = now > core->now ? now : core->now;
    core->unix_ms = event->unix_ms;
    gm_core_unheard_tick(core);
    gm_core_muster_tick(core);
    if (core->unstamped && event->type == GM_EV_TICK && core->unix_ms > 0) {
        stamp_lost(core);
    }
    int rc = dispatch(core, event, err);
    if (rc == 0) { /* nobody takes the effects of a step that failed */
        finish_step(core);
    }
    core->fx = NULL;
    return rc;
}
