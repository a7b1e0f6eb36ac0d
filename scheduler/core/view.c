/* Views of jobs: plain structs for the HTTP layer and the report. Nothing here changes anything. */
#include "scheduler/core/view.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/core/backup.h"
#include "scheduler/core/job.h"
#include "scheduler/core/node.h"
#include "scheduler/core/publishing.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"

static int find_job(const struct gm_core *core, const char *job_id, struct gm_cjob **out,
                    struct gm_err *err)
{
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->jobs, job_id, job);
    if (!job) {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "no job is called %.64s", job_id);
    }
    *out = job;
    return 0;
}

static void *array(size_t count, size_t size)
{
    return calloc(count > 0 ? count : 1, size);
}

static uint64_t count_chunks(const struct gm_inst *inst, enum gm_task_state state)
{
    uint64_t n = 0;
    for (size_t i = 0; i < inst->chunk_count; i++) {
        n += inst->chunks[i].unit.state == state ? 1 : 0;
    }
    return n;
}

/* The state of an instance: where it has chunks, of these together. */
static enum gm_task_state inst_state(const struct gm_inst *inst)
{
    static const enum gm_task_state order[] = {GM_TASK_FAILED, GM_TASK_RUNNING, GM_TASK_READY,
                                               GM_TASK_BACKOFF};
    bool open = inst->unit.state == GM_TASK_READY || inst->unit.state == GM_TASK_ENDED;
    if (inst->task->type->fan != GM_FAN_RUNS || !open) {
        return inst->unit.state;
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (count_chunks(inst, order[i]) > 0) {
            return order[i];
        }
    }
    /* no chunk to work on: split has not announced the next one */
    return inst->unit.state == GM_TASK_ENDED ? GM_TASK_ENDED : GM_TASK_BLOCKED;
}

static enum gm_task_state task_state(const struct gm_ctask *task)
{
    static const enum gm_task_state order[] = {GM_TASK_FAILED,  GM_TASK_RUNNING, GM_TASK_READY,
                                               GM_TASK_BACKOFF, GM_TASK_BLOCKED, GM_TASK_ENDED};
    if (!task->known) {
        return gm_job_state_is_final(task->job->state) ? GM_TASK_ENDED : GM_TASK_BLOCKED;
    }
    for (size_t o = 0; o < sizeof(order) / sizeof(order[0]); o++) {
        for (uint32_t i = 0; i < task->inst_count; i++) {
            if (inst_state(&task->insts[i]) == order[o]) {
                return order[o];
            }
        }
    }
    return GM_TASK_DONE;
}

static void fill_task(const struct gm_ctask *task, struct gm_task_view *out)
{
    *out = (struct gm_task_view){.name = task->name,
                                 .type = task->type->name,
                                 .state = task_state(task),
                                 .instances = task->known ? task->inst_count : 1,
                                 .attempts = task->attempts,
                                 .failures = task->failures};
    if (task->type->fan == GM_FAN_RUNS && task->known) {
        for (uint32_t i = 0; i < task->inst_count; i++) {
            out->done += task->insts[i].chunk_done;
            out->total += task->insts[i].chunk_count;
        }
        out->total_known = gm_core_split_is_done(task->job);
        return;
    }
    for (uint32_t i = 0; i < task->inst_count; i++) {
        out->done += task->insts[i].unit.state == GM_TASK_DONE ? 1 : 0;
    }
    out->total = task->type->fan == GM_FAN_RUNS ? 0 : out->instances;
    out->total_known = task->known && task->type->fan != GM_FAN_RUNS;
}

/* The task whose chunks a job is at: analyze before encode; NULL: behind both, or has neither. */
static const struct gm_ctask *chunk_phase(const struct gm_cjob *job)
{
    for (uint32_t t = 0; t < job->task_count; t++) {
        const struct gm_ctask *task = &job->tasks[t];
        if (task->type->role == GM_ROLE_ANALYZE && !gm_core_task_is_done(task)) {
            return task;
        }
    }
    return job->encode && !gm_core_task_is_done(job->encode) ? job->encode : NULL;
}

static const char *phase_of(const struct gm_cjob *job)
{
    if (job->state == GM_JOB_PUBLISHING) {
        return "publish";
    }
    if (job->state != GM_JOB_RUNNING) {
        return gm_job_state_name(job->state);
    }
    if (!gm_core_task_is_done(job->inspect)) {
        return "inspect";
    }
    if (!gm_core_task_is_done(job->plan)) {
        return "plan";
    }
    const struct gm_ctask *chunks = chunk_phase(job);
    if (chunks) {
        return chunks->inst_count > 0 && chunks->insts[0].chunk_count > 0 ? chunks->type->name
                                                                          : "split";
    }
    if (!gm_core_task_is_done(job->split)) {
        return "split";
    }
    for (uint32_t t = 0; !job->encode && t < job->task_count; t++) {
        const struct gm_ctask *task = &job->tasks[t];
        if (task->type->feed == GM_FEED_SOUND && !gm_core_task_is_done(task)) {
            return "audio";
        }
    }
    return "package";
}

static void fill_progress(const struct gm_cjob *job, struct gm_job_view *out)
{
    out->phase = phase_of(job);
    out->frames_done = gm_core_job_frames_done(job);
    out->frames_exact = gm_core_split_is_done(job);
    out->frames_total = job->frames_known;
    if (!out->frames_exact && job->estimated_frames > out->frames_total) {
        out->frames_total = job->estimated_frames;
    }
    out->fps = job->state == GM_JOB_RUNNING ? job->fps : 0;
    out->rate_num = job->rate_num;
    out->rate_den = job->rate_den;
    out->duration_us = job->duration_us;
    const struct gm_ctask *chunks = chunk_phase(job);
    chunks = chunks ? chunks : job->encode;
    for (uint32_t i = 0; chunks && i < chunks->inst_count; i++) {
        const struct gm_inst *inst = &chunks->insts[i];
        out->chunks_done += inst->chunk_done;
        out->chunks_running += count_chunks(inst, GM_TASK_RUNNING);
        out->chunks_waiting += count_chunks(inst, GM_TASK_BLOCKED) +
                               count_chunks(inst, GM_TASK_READY) +
                               count_chunks(inst, GM_TASK_BACKOFF);
    }
}

int gm_view_job_urls(const struct gm_core *core, const char *job_id, const char **out_source,
                     const char **out_destination, struct gm_err *err)
{
    struct gm_cjob *job;
    int rc = find_job(core, job_id, &job, err);
    if (rc < 0) {
        return rc;
    }
    *out_source = job->source_url;
    *out_destination = job->destination_url;
    return 0;
}

bool gm_view_job_state(const struct gm_core *core, const char *job_id, enum gm_job_state *out)
{
    struct gm_cjob *job;
    struct gm_err unused;
    bool known = find_job(core, job_id, &job, &unused) == 0;
    if (known) {
        *out = job->state;
    }
    return known;
}

bool gm_view_job_is_over(const struct gm_core *core, const char *job_id, bool *out)
{
    struct gm_cjob *job;
    struct gm_err unused;
    bool known = find_job(core, job_id, &job, &unused) == 0;
    if (known) {
        *out = gm_job_state_is_final(job->state) && !job->cleanup_pending;
    }
    return known;
}

const char *gm_view_job_tenant(const struct gm_core *core, const char *job_id)
{
    struct gm_cjob *job;
    struct gm_err unused;
    return find_job(core, job_id, &job, &unused) == 0 ? job->tenant->name : NULL;
}

bool gm_view_card(const struct gm_core *core, const char *job_id, struct gm_card_view *out)
{
    struct gm_cjob *job;
    struct gm_err unused;
    if (find_job(core, job_id, &job, &unused) < 0) {
        return false;
    }
    *out = (struct gm_card_view){.state = job->state,
                                 .id = job->id,
                                 .tenant = job->tenant->name,
                                 .pipeline_name = job->pipeline->name,
                                 .external_id = job->external_id,
                                 .source_name = job->source_name,
                                 .seq = job->seq,
                                 .finished_unix_ms = job->finished_unix_ms,
                                 .removed = job->removed,
                                 .webhook = job->webhook};
    return true;
}

const char *gm_view_traceparent(const struct gm_core *core, const char *job_id)
{
    struct gm_cjob *job;
    struct gm_err unused;
    return find_job(core, job_id, &job, &unused) < 0 ? "" : job->traceparent;
}

int gm_view_job(const struct gm_core *core, const char *job_id, struct gm_job_view *out,
                struct gm_err *err)
{
    struct gm_cjob *job;
    int rc = find_job(core, job_id, &job, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_job_view v = {.id = job->id,
                            .seq = job->seq,
                            .state = job->state,
                            .pipeline_name = job->pipeline->name,
                            .pipeline = job->pipeline,
                            .source_url = job->source_url,
                            .source_name = job->source_name,
                            .source_size = job->source_size,
                            .destination_url = job->destination_url,
                            .destination_mark = job->destination_mark,
                            .work_mark = job->work_mark,
                            .backup = {.url = job->backup.url,
                                       .mark = job->backup.mark,
                                       .state = gm_core_backup_state(job),
                                       .error = job->backup.error,
                                       .lacking = job->backup.lacking,
                                       .failures = job->backup.failures,
                                       .since_unix_ms = job->backup.since_unix_ms},
                            .webhook = job->webhook,
                            .external_id = job->external_id,
                            .traceparent = job->traceparent,
                            .retries = job->retries,
                            .retry_of = job->retry_of,
                            .retried_as = job->retried_as,
                            .removed = job->removed,
                            .publication = job->publication,
                            .chain = job->chain ? job->chain->name : "",
                            .chain_fingerprint = job->chain ? job->chain->fingerprint : "",
                            .chain_reason = job->chain_reason,
                            .chain_ends = job->choice.ends,
                            .chain_end_count = job->choice.count,
                            .lost_count = job->lost_count,
                            .tenant = job->tenant->name,
                            .deadline_unix_ms = job->deadline_unix_ms,
                            .class_ = job->turn.class_,
                            .priority = job->priority,
                            .plan_only = job->plan_only,
                            .keeps_title = job->keeps_title,
                            .created_unix_ms = job->created_unix_ms,
                            .started_unix_ms = job->started_unix_ms,
                            .finished_unix_ms = job->finished_unix_ms,
                            .error = job->error,
                            .cleanup_pending = job->cleanup_pending,
                            .keep_outputs = job->publish_tried,
                            .task_count = job->task_count};
    v.tasks = array(job->task_count, sizeof(*v.tasks));
    v.lost = array(job->lost_count, sizeof(*v.lost));
    if (!v.tasks || !v.lost) {
        gm_view_job_fini(&v);
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < job->lost_count; i++) {
        const struct gm_lost_chain *l = &job->lost[i];
        v.lost[i] =
            (struct gm_lost_view){.name = l->name, .code = l->why.code, .text = l->why.text};
    }
    fill_progress(job, &v);
    gm_core_publishing_view(core, job, &v.publishing);
    v.left = gm_core_job_left(core, job);
    v.deadline_state = gm_core_deadline_state(core, job, v.left);
    v.end_unix_ms = v.left > 0 && core->unix_ms > 0 ? core->unix_ms + v.left / GM_MS : 0;
    for (uint32_t t = 0; t < job->task_count; t++) {
        fill_task(&job->tasks[t], &v.tasks[t]);
    }
    *out = v;
    return 0;
}

void gm_view_job_fini(struct gm_job_view *view)
{
    free(view->tasks);
    free(view->lost);
    memset(view, 0, sizeof(*view));
}

const char *gm_view_next_job(const struct gm_core *core, const char *after, bool newest_first)
{
    const struct gm_cjob *job = NULL;
    if (after) {
        HASH_FIND_STR(core->jobs, after, job);
        if (!job) {
            return NULL;
        }
        job = newest_first ? job->hh.prev : job->hh.next;
    } else if (newest_first && core->jobs) {
        job = ELMT_FROM_HH(core->jobs->hh.tbl, core->jobs->hh.tbl->tail);
    } else {
        job = core->jobs;
    }
    return job ? job->id : NULL;
}

const char *gm_view_job_before(const struct gm_core *core, uint64_t seq)
{
    const struct gm_cjob *job =
        core->jobs ? ELMT_FROM_HH(core->jobs->hh.tbl, core->jobs->hh.tbl->tail) : NULL;
    while (job && job->seq >= seq) {
        job = job->hh.prev;
    }
    return job ? job->id : NULL;
}

int gm_view_results(const struct gm_core *core, const char *job_id, struct gm_results_view *out,
                    struct gm_err *err)
{
    struct gm_cjob *job;
    int rc = find_job(core, job_id, &job, err);
    if (rc < 0) {
        return rc;
    }
    size_t most = 0;
    for (uint32_t t = 0; t < job->task_count; t++) {
        most += job->tasks[t].inst_count;
    }
    struct gm_results_view v = {.rows = array(most, sizeof(*v.rows))};
    if (!v.rows) {
        return gm_err_nomem(err);
    }
    for (uint32_t t = 0; t < job->task_count; t++) {
        const struct gm_ctask *task = &job->tasks[t];
        for (uint32_t i = 0; i < task->inst_count; i++) {
            const struct gm_inst *inst = &task->insts[i];
            if (inst->unit.state == GM_TASK_DONE) {
                v.rows[v.count++] = (struct gm_result_view){.task = task->name,
                                                            .type = task->type->name,
                                                            .instance = inst->number,
                                                            .meta = inst->meta,
                                                            .meta_size = inst->meta_size,
                                                            .objects = inst->objects,
                                                            .object_count = inst->object_count};
            }
        }
    }
    *out = v;
    return 0;
}

void gm_view_results_fini(struct gm_results_view *view)
{
    free(view->rows);
    memset(view, 0, sizeof(*view));
}

struct item_walk {
    int (*fn)(const struct gm_item_view *item, void *arg, struct gm_err *err);
    void *arg;
    struct gm_err *err;
};

static int walk_items(const struct gm_inst *inst, const struct item_walk *walk)
{
    struct gm_item_view view = {
        .task = inst->task->name, .type = inst->task->type->name, .instance = inst->number};
    int rc = 0;
    for (size_t s = 0; rc == 0 && s < inst->stream_count; s++) {
        const struct gm_stream *stream = &inst->streams[s];
        for (size_t k = 0; rc == 0 && k < stream->size; k++) {
            if (gm_core_stream_has(stream, k)) {
                Gm__Item *item = gm_core_stream_item(stream, k);
                view.item = item;
                rc = walk->fn(&view, walk->arg, walk->err);
                gm__item__free_unpacked(item, NULL);
            }
        }
    }
    return rc;
}

static bool is_wished(const struct gm_ctask *task, const struct gm_items_wish *wish)
{
    return (!wish->task || strcmp(wish->task, task->name) == 0) &&
           (!wish->type || strcmp(wish->type, task->type->name) == 0);
}

int gm_view_items(const struct gm_core *core, const char *job_id, struct gm_items_wish wish,
                  int (*fn)(const struct gm_item_view *item, void *arg, struct gm_err *err),
                  void *arg, struct gm_err *err)
{
    const struct item_walk walk = {.fn = fn, .arg = arg, .err = err};
    struct gm_cjob *job;
    int rc = find_job(core, job_id, &job, err);
    for (uint32_t t = 0; rc == 0 && t < job->task_count; t++) {
        const struct gm_ctask *task = &job->tasks[t];
        for (uint32_t i = 0; rc == 0 && is_wished(task, &wish) && i < task->inst_count; i++) {
            rc = walk_items(&task->insts[i], &walk);
        }
    }
    return rc;
}

int gm_view_attempts(const struct gm_core *core, const char *job_id, struct gm_attempts_view *out,
                     struct gm_err *err)
{
    bool more;
    return gm_view_attempts_page(core, job_id, 0, SIZE_MAX, out, &more, err);
}

static struct gm_attempt_view view_of_attempt(const struct gm_attempt *a)
{
    return (struct gm_attempt_view){.task = a->inst->task->name,
                                    .type = a->inst->task->type->name,
                                    .instance = a->inst->number,
                                    .first_chunk = a->first_chunk,
                                    .chunks = a->chunks,
                                    .node_id = a->node_id,
                                    .device = a->device,
                                    .chain = a->chain,
                                    .attempt = a->number,
                                    .started_unix_ms = a->started_unix_ms,
                                    .ended_unix_ms = a->ended_unix_ms,
                                    .outcome = a->outcome,
                                    .progressed = a->progressed,
                                    .error_code = a->error.code,
                                    .error_text = a->error.text,
                                    .blamed_chunk = a->blamed_chunk,
                                    .usage = a->usage};
}

/* They are in order of their numbers. */
static size_t attempts_until(const struct gm_cjob *job, uint64_t number)
{
    size_t low = 0, high = job->attempt_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (job->attempts[middle]->number <= number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int gm_view_attempts_page(const struct gm_core *core, const char *job_id, uint64_t after,
                          size_t limit, struct gm_attempts_view *out, bool *out_more,
                          struct gm_err *err)
{
    struct gm_cjob *job;
    int rc = find_job(core, job_id, &job, err);
    if (rc < 0) {
        return rc;
    }
    size_t from = attempts_until(job, after);
    size_t left = job->attempt_count - from;
    size_t count = left < limit ? left : limit;
    struct gm_attempt_view *rows = array(count, sizeof(*rows));
    if (!rows) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        rows[i] = view_of_attempt(job->attempts[from + i]);
    }
    *out = (struct gm_attempts_view){.rows = rows, .count = count};
    *out_more = count < left;
    return 0;
}

static int by_end(const void *pa, const void *pb)
{
    const struct gm_attempt_view *a = pa, *b = pb;
    if (a->ended_unix_ms != b->ended_unix_ms) {
        return a->ended_unix_ms < b->ended_unix_ms ? -1 : 1;
    }
    return a->attempt < b->attempt ? -1 : a->attempt > b->attempt;
}

int gm_view_failures(const struct gm_core *core, const char *job_id, int64_t since_unix_ms,
                     struct gm_attempts_view *out, struct gm_err *err)
{
    struct gm_cjob *job;
    int rc = find_job(core, job_id, &job, err);
    if (rc < 0) {
        return rc;
    }
    size_t count = 0;
    struct gm_attempt_view *rows = array(job->failed_count, sizeof(*rows));
    if (!rows) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < job->failed_count; i++) {
        if (job->failed[i]->ended_unix_ms >= since_unix_ms) {
            rows[count++] = view_of_attempt(job->failed[i]);
        }
    }
    if (count > 1) {
        qsort(rows, count, sizeof(*rows), by_end);
    }
    *out = (struct gm_attempts_view){.rows = rows, .count = count};
    return 0;
}

void gm_view_attempts_fini(struct gm_attempts_view *view)
{
    free(view->rows);
    memset(view, 0, sizeof(*view));
}

static int by_store_and_key(const void *pa, const void *pb)
{
    const struct gm_object_view *a = pa;
    const struct gm_object_view *b = pb;
    if (a->store != b->store) {
        return a->store < b->store ? -1 : 1;
    }
    return strcmp(a->key, b->key);
}

int gm_view_objects(const struct gm_core *core, const char *job_id, struct gm_objects_view *out,
                    struct gm_err *err)
{
    struct gm_cjob *job;
    int rc = find_job(core, job_id, &job, err);
    if (rc < 0) {
        return rc;
    }
    size_t count = 0;
    struct gm_object_view *rows = array(HASH_COUNT(job->objects), sizeof(*rows));
    if (!rows) {
        return gm_err_nomem(err);
    }
    for (const struct gm_granted *g = job->objects; g; g = g->hh.next) {
        rows[count++] =
            (struct gm_object_view){.store = g->object->store,
                                    .key = g->object->key,
                                    .size = g->object->size,
                                    .sha256 = g->object->sha256.data,
                                    .stale = gm_core_object_is_stale(core, job, g->object),
                                    .loose = gm_core_object_is_loose(job, g)};
    }
    if (count > 1) {
        qsort(rows, count, sizeof(*rows), by_store_and_key);
    }
    *out = (struct gm_objects_view){.rows = rows, .count = count};
    return 0;
}

/* It wrote below the same keys while the job was there, or may write yet. */
static bool wrote_beside(const struct gm_cjob *job, const struct gm_cjob *other)
{
    bool before = other->finished_unix_ms != 0 && other->finished_unix_ms < job->created_unix_ms;
    return other != job && !before && strcmp(other->publication, job->publication) == 0 &&
           strcmp(other->destination_url, job->destination_url) == 0;
}

/* rows NULL: counts only. */
static size_t list_committed(const struct gm_core *core, const struct gm_cjob *job,
                             struct gm_object_view *rows)
{
    size_t n = 0;
    for (const struct gm_cjob *o = core->jobs; o; o = o->hh.next) {
        if (o != job && !wrote_beside(job, o)) {
            continue;
        }
        for (const struct gm_granted *g = job->objects; g; g = g->hh.next) {
            const Gm__Object *own = g->object;
            if (own->store != GM__OBJECT_STORE__STORE_OUT || !g->committed) {
                continue;
            }
            const struct gm_granted *theirs =
                o == job ? NULL : gm_core_granted_find(o, own->store, own->key);
            if (o != job && (!theirs || theirs->object->size == own->size)) {
                continue;
            }
            if (rows) {
                const Gm__Object *object = theirs ? theirs->object : own;
                rows[n] = (struct gm_object_view){.store = object->store,
                                                  .key = object->key,
                                                  .size = object->size,
                                                  .sha256 = object->sha256.data};
            }
            n++;
        }
    }
    return n;
}

int gm_view_committed(const struct gm_core *core, const char *job_id, struct gm_objects_view *out,
                      struct gm_err *err)
{
    struct gm_cjob *job;
    int rc = find_job(core, job_id, &job, err);
    if (rc < 0) {
        return rc;
    }
    size_t count = list_committed(core, job, NULL);
    struct gm_object_view *rows = array(count, sizeof(*rows));
    if (!rows) {
        return gm_err_nomem(err);
    }
    (void)list_committed(core, job, rows);
    if (count > 1) {
        qsort(rows, count, sizeof(*rows), by_store_and_key);
    }
    *out = (struct gm_objects_view){.rows = rows, .count = count};
    return 0;
}

bool gm_view_output(const struct gm_core *core, const char *job_id, const char *key,
                    uint64_t *out_size, const uint8_t **out_sha256)
{
    struct gm_cjob *job;
    struct gm_err unused;
    if (find_job(core, job_id, &job, &unused) < 0) {
        return false;
    }
    const struct gm_granted *g = gm_core_granted_find(job, GM__OBJECT_STORE__STORE_OUT, key);
    if (!g || !g->committed || job->removed) {
        return false;
    }
    *out_size = g->object->size;
    *out_sha256 = g->object->sha256.data;
    return true;
}

void gm_view_objects_fini(struct gm_objects_view *view)
{
    free(view->rows);
    memset(view, 0, sizeof(*view));
}

bool gm_view_cleanup_waits(const struct gm_core *core)
{
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        bool due = job->cleanup_at != 0 && job->cleanup_at <= core->now;
        if (gm_job_state_is_final(job->state) && job->cleanup_pending && (due || job->leases)) {
            return true;
        }
    }
    return false;
}
