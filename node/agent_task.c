/* A task's life in the agent:
 *
 *   WAITING -> RUNNING -> STORING -> ENDED -> (acknowledged: gone)
 *      any of them -> DROPPED -> (no job holds it: gone)
 *
 * What the worker announces is queued in task->first .. last in its order, the end of the task
 * (done or failed) as the last of them, and told to the scheduler in that order; the end only when
 * every piece before it was acknowledged and nothing of it is being put. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/log.h"
#include "common/traceparent.h"
#include "node/agent_state.h"
#include "node/blind.h"
#include "node/packet.h"
#include "proto/envelope.h"

#define PROGRESS_EVERY (500 * GM_MS)

struct gm_task *gm_task_find(struct gm_agent *agent, uint64_t id, uint64_t epoch)
{
    for (struct gm_task *t = agent->tasks; t != NULL; t = t->next) {
        if (t->id == id && t->epoch == epoch) {
            return t;
        }
    }
    return NULL;
}

static void log_assigned(const struct gm_task *task)
{
    char trace[GM_TRACE_ID_SIZE];
    gm_trace_id(task->assign->traceparent, trace);
    gm_log(GM_LOG_INFO, "assigned",
           "job=%s task=%s instance=%" PRIu32 " attempt=%" PRIu64 " id=%" PRIu64 " epoch=%" PRIu64
           "%s%s",
           task->spec->job_id, task->spec->task, task->spec->instance, task->spec->attempt,
           task->id, task->epoch, trace[0] != '\0' ? " trace_id=" : "", trace);
}

static void free_task(struct gm_task *task)
{
    for (struct gm_task **at = &task->agent->tasks; *at != NULL; at = &(*at)->next) {
        if (*at == task) {
            *at = task->next;
            break;
        }
    }
    if (task->slot != NULL && task->slot->task == task) {
        task->slot->task = NULL;
        task->slot->reading = false;
    }
    gm_agent_close_file(task->agent, task->source_fd);
    if (task->folder >= 0) {
        close(task->folder);
    }
    if (task->path != NULL) {
        gm_agent_remove_folder(task->agent, task->path);
        free(task->path);
    }
    gm_inputs_fini(&task->inputs);
    gm__assign__free_unpacked(task->assign, NULL);
    free(task);
}

void gm_task_unref(struct gm_task *task)
{
    GM_ASSERT(task->refs > 0);
    task->refs--;
    if (task->refs == 0 && task->state == GM_TASK_DROPPED) {
        free_task(task);
    }
}

static int fitness(const struct gm_agent_slot *slot, const Gm__TaskSpec *spec)
{
    return (slot->broken ? 0 : 4) + (gm_slot_is_ready(slot->process) ? 2 : 0) +
           gm_agent_assist_fits(slot, spec);
}

static struct gm_agent_slot *find_free_slot(struct gm_agent *agent,
                                            const struct gm_agent_device *device,
                                            const Gm__TaskSpec *spec)
{
    struct gm_agent_slot *found = NULL;
    bool takes = device != NULL && device->state == GM_AGENT_OFFERED;
    for (uint32_t i = 0; takes && i < device->slot_count; i++) {
        struct gm_agent_slot *slot = &agent->slots[device->first_slot + i];
        if (slot->task == NULL && slot->process != NULL && !slot->stuck && !slot->foreign &&
            (found == NULL || fitness(slot, spec) > fitness(found, spec))) {
            found = slot;
        }
    }
    return found;
}

void gm_task_assign(struct gm_agent *agent, Gm__Assign *assign)
{
    struct gm_err err = {.code = GM_OK};
    struct gm_task *task = gm_task_find(agent, assign->task_id, assign->epoch);
    if (task != NULL) { /* sent twice */
        gm__assign__free_unpacked(assign, NULL);
        return;
    }
    task = calloc(1, sizeof(*task));
    if (task == NULL) { /* the lease will end by itself */
        gm__assign__free_unpacked(assign, NULL);
        return;
    }
    task->agent = agent;
    task->assign = assign;
    task->spec = assign->spec;
    task->id = assign->task_id;
    task->term = assign->term;
    task->epoch = assign->epoch;
    task->folder = -1;
    task->source_fd = -1;
    task->inputs_complete = task->spec->inputs_complete;
    task->assigned = task->life = gm_time_now();
    task->assigned_unix_ms = gm_time_unix_ms();
    uint32_t lease_ms = assign->lease_ms == 0 ? agent->lease_ms : assign->lease_ms;
    __atomic_store_n(&task->deadline, gm_time_boot() + (gm_time)lease_ms * GM_MS, __ATOMIC_RELAXED);
    gm_beat_work(agent);
    task->next = agent->tasks;
    agent->tasks = task;
    log_assigned(task);
    GM_CRASH("agent.assigned");

    const struct gm_agent_device *device = gm_agent_device_find(agent, assign->device);
    struct gm_agent_slot *slot = find_free_slot(agent, device, task->spec);
    if (gm_inputs_add(&task->inputs, task->spec->inputs, task->spec->n_inputs, &err) < 0) {
        gm_task_end_failed(task, &err, -1, NULL);
    } else if (slot == NULL && gm_agent_build_has_foreign(agent, device)) {
        gm_err_set(&err, GM_E_CANCELLED, 0, "the node turns to another build");
        gm_task_end_failed(task, &err, -1, NULL);
        gm_agent_build_tell(agent);
    } else if (slot == NULL) {
        gm_err_set(&err, GM_E_BUSY, 0,
                   device == NULL                      ? "the node has no device `%.64s`"
                   : device->state != GM_AGENT_OFFERED ? "device `%.64s` takes no tasks now"
                                                       : "all slots of device `%.64s` are busy",
                   assign->device);
        gm_task_end_failed(task, &err, -1, NULL);
    } else {
        task->slot = slot;
        slot->task = task;
        if (gm_slot_is_ready(slot->process)) {
            gm_task_start(task);
        }
    }
}

static int make_folder(struct gm_task *task, const char *name, struct gm_err *err)
{
    if (asprintf(&task->path, "%s/%s", task->slot->scratch, name) < 0) {
        task->path = NULL;
        return gm_err_nomem(err);
    }
    if (mkdir(task->path, 0700) < 0) {
        return gm_err_sys(err, errno, "could not make the scratch folder of a task");
    }
    task->folder = open(task->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (task->folder < 0) {
        return gm_err_sys(err, errno, "could not open the scratch folder of a task");
    }
    return 0;
}

/* Tells the worker of inputs that came after its TaskSpec. */
static int send_feed(struct gm_task *task, const Gm__Feed *feed, uint32_t first, struct gm_err *err)
{
    int fd = -1;
    Gm__WFeed told = GM__WFEED__INIT;
    told.first = first;
    struct gm_pool pool = {NULL};
    Gm__Feed blind;
    int rc = gm_blind_feed(feed, &pool, &blind, err);
    if (rc == 0) {
        rc = gm_packet_memfd("gopmill-feed", &blind.base, &fd, &told.feed_size, err);
    }
    gm_pool_fini(&pool);
    if (rc < 0) {
        return rc;
    }
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_FEED;
    msg.feed = &told;
    return gm_slot_send(task->slot->process, &msg, fd, err);
}

static int send_inputs_end(struct gm_task *task, struct gm_err *err)
{
    Gm__WInputsEnd end = GM__WINPUTS_END__INIT;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_INPUTS_END;
    msg.inputs_end = &end;
    return gm_slot_send(task->slot->process, &msg, -1, err);
}

static int pack_spec(const Gm__TaskSpec *spec, int *out_fd, uint64_t *out_size, struct gm_err *err)
{
    struct gm_pool pool = {NULL};
    Gm__TaskSpec blind;
    int rc = gm_blind_spec(spec, &pool, &blind, err);
    if (rc == 0) {
        rc = gm_packet_memfd("gopmill-task", &blind.base, out_fd, out_size, err);
    }
    gm_pool_fini(&pool);
    return rc;
}

static int send_start(struct gm_task *task, struct gm_err *err)
{
    char name[64];
    snprintf(name, sizeof(name), "t%" PRIu64 "-%" PRIu64, task->id, task->epoch);
    int rc = make_folder(task, name, err);
    if (rc < 0) {
        return rc;
    }
    int fd = -1;
    Gm__WStart start = GM__WSTART__INIT;
    const struct gm_device *gpu = task->slot->device->found;
    start.scratch = name;
    if (gpu != NULL && gpu->kind == GM_DEVICE_DRM) { /* of CUDA's its worker sees one */
        start.device = (char *)(uintptr_t)gpu->render_node;
    }
    gm_agent_assist_take(task);
    char *codecs[GM_DECODING_CODECS];
    if (task->gpu != NULL) {
        for (size_t i = 0; i < task->gpu->assist.codec_count; i++) {
            codecs[i] = task->gpu->assist.codecs[i];
        }
        start.decode_device = (char *)(uintptr_t)gm_decoding_device(task->gpu->found);
        start.decode_api = (char *)(uintptr_t)gm_decoding_api(task->gpu->found);
        start.decode_codecs = codecs;
        start.n_decode_codecs = task->gpu->assist.codec_count;
    }
    rc = pack_spec(task->spec, &fd, &start.spec_size, err);
    if (rc < 0) {
        return rc;
    }
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_START;
    msg.start = &start;
    rc = gm_slot_send(task->slot->process, &msg, fd, err);
    size_t first = task->spec->n_inputs;
    for (size_t i = 0; rc == 0 && i < task->inputs.feed_count; i++) {
        rc = send_feed(task, task->inputs.feeds[i], (uint32_t)first, err);
        first += task->inputs.feeds[i]->n_inputs;
    }
    if (rc == 0 && task->inputs_complete && !task->spec->inputs_complete) {
        rc = send_inputs_end(task, err);
    }
    return rc;
}

void gm_task_start(struct gm_task *task)
{
    struct gm_err err;
    if (!gm_agent_build_makes(task)) { /* nobody's failure */
        gm_err_set(&err, GM_E_CANCELLED, 0,
                   "the node's worker is of another build than was asked for");
        gm_task_end_failed(task, &err, -1, NULL);
        gm_agent_build_tell(task->agent);
        return;
    }
    task->state = GM_TASK_RUNNING;
    task->life = gm_time_now();
    if (send_start(task, &err) < 0) {
        gm_slot_kill(task->slot->process, &err);
        gm_task_end_failed(task, &err, -1, NULL);
    }
    GM_CRASH("agent.started");
}

void gm_task_alive(struct gm_task *task)
{
    task->life = gm_time_now();
    task->progress++;
}

/* feed->first counts from the first input of the TaskSpec; what is known already is passed over. */
static int take_feed(struct gm_task *task, Gm__Feed *feed, struct gm_err *err)
{
    size_t known = task->inputs.count - feed->first;
    for (size_t i = 0; i < known; i++) {
        gm__task_input__free_unpacked(feed->inputs[i], NULL);
    }
    memmove(feed->inputs, feed->inputs + known, (feed->n_inputs - known) * sizeof(*feed->inputs));
    feed->n_inputs -= known;
    size_t first = task->inputs.count;
    GM_CRASH("agent.fed");
    int rc = gm_inputs_feed(&task->inputs, feed, err);
    if (rc < 0) {
        return rc;
    }
    return task->state == GM_TASK_RUNNING && feed->n_inputs > 0
               ? send_feed(task, feed, (uint32_t)first, err)
               : 0;
}

void gm_task_feed(struct gm_task *task, Gm__Feed *feed)
{
    struct gm_err err;
    bool complete = feed->inputs_complete;
    bool hole = feed->first > task->inputs.count; /* Renew tells what is missing */
    bool known = feed->first + feed->n_inputs <= task->inputs.count;
    int rc = 0;
    if (hole || known || (task->state != GM_TASK_WAITING && task->state != GM_TASK_RUNNING)) {
        gm__feed__free_unpacked(feed, NULL);
    } else {
        size_t feeds = task->inputs.feed_count;
        rc = take_feed(task, feed, &err);
        if (task->inputs.feed_count == feeds) {
            gm__feed__free_unpacked(feed, NULL);
        }
    }
    if (rc == 0 && complete && !hole && !task->inputs_complete) {
        task->inputs_complete = true;
        rc = task->state == GM_TASK_RUNNING ? send_inputs_end(task, &err) : 0;
    }
    if (rc < 0) {
        gm_task_fail(task, &err, -1);
    }
}

void gm_task_blame(struct gm_task *task, const struct gm_err *why, int64_t chunk)
{
    gm_log_err(GM_LOG_WARN, "task-failed", why,
               "job=%s task=%s instance=%" PRIu32 " id=%" PRIu64 " chunk=%" PRId64,
               task->spec->job_id, task->spec->task, task->spec->instance, task->id, chunk);
    if (task->slot != NULL) {
        gm_agent_device_failed(task->agent, task->slot->device, task, why);
    }
}

void gm_task_end_failed(struct gm_task *task, const struct gm_err *why, int64_t chunk,
                        const Gm__Usage *usage)
{
    struct gm_err err;
    task->state = GM_TASK_STORING;
    gm_task_blame(task, why, chunk);
    if (gm_item_add_failed(task, why, chunk, usage, &err) < 0) {
        gm_task_drop(task, "its failure could not be told"); /* the lease will end by itself */
        return;
    }
    gm_task_emit(task);
}

static void drop_items(struct gm_task *task)
{
    struct gm_item *next = NULL;
    for (struct gm_item *item = task->first; item != NULL; item = next) {
        next = item->next;
        gm_item_drop(item);
    }
    task->first = task->last = NULL;
}

static void kill_worker(struct gm_task *task, const char *reason)
{
    if (task->state == GM_TASK_RUNNING && task->slot != NULL) {
        struct gm_err why;
        gm_err_set(&why, GM_E_CANCELLED, 0, "%s", reason);
        gm_slot_kill(task->slot->process, &why);
        free(task->path); /* it may still write: its folder goes when it is gone */
        task->path = NULL;
    }
}

static void release_slot(struct gm_task *task)
{
    if (task->slot != NULL) {
        gm_open_forget(task->agent, task->slot);
        task->slot->task = NULL;
        task->gpu = NULL;
        gm_agent_device_released(task->slot);
        task->slot = NULL;
    }
}

void gm_task_fail(struct gm_task *task, const struct gm_err *why, int64_t chunk)
{
    if (task->state == GM_TASK_ENDED || task->state == GM_TASK_DROPPED) {
        return;
    }
    struct gm_err kept = *why; /* it may lie in an item */
    task->refs++;              /* the last item must not take the task along */
    kill_worker(task, "its task failed");
    if (task->slot != NULL) {
        gm_open_forget(task->agent, task->slot);
    }
    drop_items(task);
    gm_task_end_failed(task, &kept, chunk, NULL);
    gm_task_unref(task);
}

void gm_task_drop(struct gm_task *task, const char *reason)
{
    if (task->state == GM_TASK_DROPPED) {
        return;
    }
    char quoted[128];
    gm_log(GM_LOG_INFO, "task-dropped", "job=%s task=%s id=%" PRIu64 " epoch=%" PRIu64 " reason=%s",
           task->spec->job_id, task->spec->task, task->id, task->epoch,
           gm_log_quote(reason, quoted, sizeof(quoted)));
    task->refs++;
    gm_agent_blame_quiet(task);
    kill_worker(task, reason);
    task->state = GM_TASK_DROPPED;
    gm_link_drop_task(task->agent, task->id, task->epoch);
    task->agent->renew_due = 0; /* the next heartbeat goes at once: if nothing is put, without it */
    drop_items(task);
    release_slot(task);
    gm_task_unref(task);
}

static void tell_usage(const struct gm_task *task, Gm__Usage *usage)
{
    gm_time now = gm_time_now();
    usage->bytes_in = task->bytes_in;
    usage->bytes_out = task->bytes_out;
    usage->fetch_ms = gm_busy_get_ms(&task->fetching, now);
    usage->store_ms = gm_busy_get_ms(&task->storing, now);
}

static int post_item(struct gm_task *task, struct gm_item *item, struct gm_item_message *message,
                     struct gm_err *err)
{
    Gm__Envelope env = GM__ENVELOPE__INIT;
    Gm__Produced produced = GM__PRODUCED__INIT;
    Gm__Done done = GM__DONE__INIT;
    tell_usage(task, &item->usage);
    if (item->kind == GM_ITEM_PIECE) {
        produced.task_id = task->id;
        produced.term = task->term;
        produced.epoch = task->epoch;
        produced.item = &message->piece;
        env.body_case = GM__ENVELOPE__BODY_PRODUCED;
        env.produced = &produced;
    } else {
        done.task_id = task->id;
        done.term = task->term;
        done.epoch = task->epoch;
        done.meta = message->piece.meta;
        done.objects = message->piece.objects;
        done.n_objects = message->piece.n_objects;
        done.usage = &item->usage;
        done.expand = item->done->expand;
        done.n_expand = item->done->n_expand;
        done.publication = item->done->publication;
        env.body_case = GM__ENVELOPE__BODY_DONE;
        env.done = &done;
    }
    return gm_link_post(task->agent, task, &env, err);
}

static int post_failed(struct gm_task *task, struct gm_item *item, struct gm_err *err)
{
    Gm__Error error;
    gm_err_to_msg(&item->err, &error);
    tell_usage(task, &item->usage);
    Gm__Failed failed = GM__FAILED__INIT;
    failed.task_id = task->id;
    failed.term = task->term;
    failed.epoch = task->epoch;
    failed.error = &error;
    failed.chunk = item->chunk;
    failed.usage = &item->usage;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_FAILED;
    env.failed = &failed;
    return gm_link_post(task->agent, task, &env, err);
}

static int post(struct gm_task *task, struct gm_item *item, struct gm_err *err)
{
    if (item->kind == GM_ITEM_FAILED) {
        return post_failed(task, item, err);
    }
    struct gm_item_message message;
    int rc = gm_item_message(item, true, &message, err);
    if (rc == 0) {
        rc = post_item(task, item, &message, err);
    }
    gm_item_message_fini(&message);
    return rc;
}

void gm_task_emit(struct gm_task *task)
{
    while (task->first != NULL && task->first->state == GM_ITEM_READY &&
           task->state != GM_TASK_DROPPED) {
        struct gm_item *item = task->first;
        struct gm_err err;
        bool end = item->kind != GM_ITEM_PIECE;
        if (end && (task->unacked > 0 || gm_put_is_busy(task))) {
            return;
        }
        if (post(task, item, &err) < 0) {
            if (item->kind == GM_ITEM_FAILED) {
                gm_task_drop(task, "its failure could not be told");
            } else {
                gm_task_fail(task, &err, -1);
            }
            return;
        }
        task->first = item->next;
        task->last = task->first == NULL ? NULL : task->last;
        task->unacked += end ? 0 : 1;
        if (!end) {
            GM_CRASH("agent.item_told");
        } else { /* the scheduler may use the slot again as soon as it reads this */
            GM_CRASH("agent.end_told");
            task->state = GM_TASK_ENDED;
            if (item->kind == GM_ITEM_DONE && task->slot != NULL) {
                gm_agent_device_worked(task->agent, task->slot->device);
                gm_agent_assist_worked(task);
            }
            release_slot(task);
        }
        gm_item_drop(item);
    }
}

void gm_task_acked(struct gm_task *task, const struct gm_outgoing *out)
{
    task->unacked -= task->unacked > 0 ? 1 : 0;
    gm_task_alive(task);
    if (task->state == GM_TASK_RUNNING) {
        Gm__WStored stored = GM__WSTORED__INIT;
        stored.stream = out->stream;
        stored.index = out->index;
        Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
        msg.body_case = GM__WORKER_MESSAGE__BODY_STORED;
        msg.stored = &stored;
        struct gm_err err;
        if (gm_slot_send(task->slot->process, &msg, -1, &err) < 0) {
            gm_slot_kill(task->slot->process, &err); /* its end fails the task */
        }
    }
    gm_task_emit(task);
}

void gm_task_finished(struct gm_task *task, bool done)
{
    const Gm__TaskSpec *spec = task->spec;
    uint32_t first = spec->n_inputs > 0 ? spec->inputs[0]->item->index : 0;
    char trace[GM_TRACE_ID_SIZE];
    gm_trace_id(task->assign->traceparent, trace);
    gm_log(GM_LOG_INFO, "task-ended",
           "job=%s task=%s instance=%" PRIu32 " first=%" PRIu32 " attempt=%" PRIu64 " id=%" PRIu64
           " epoch=%" PRIu64 " outcome=%s%s%s",
           spec->job_id, spec->task, spec->instance, first, spec->attempt, task->id, task->epoch,
           done ? "done" : "failed", trace[0] != '\0' ? " trace_id=" : "", trace);
    task->refs++;
    task->state = GM_TASK_DROPPED;
    drop_items(task);
    gm_task_unref(task);
}

static void send_progress(struct gm_task *task, gm_time now)
{
    Gm__Progress progress = GM__PROGRESS__INIT;
    progress.task_id = task->id;
    progress.term = task->term;
    progress.epoch = task->epoch;
    progress.frames_done = task->frames_done;
    progress.frames_total = task->frames_total;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_PROGRESS;
    env.progress = &progress;
    if (gm_link_send(task->agent, &env)) {
        task->told = now;
        task->told_done = task->frames_done;
    }
}

void gm_task_tick(struct gm_task *task, gm_time now)
{
    if (task->state == GM_TASK_DROPPED) {
        return;
    }
    if (gm_time_boot() > task->deadline) {
        gm_task_drop(task, "its lease was not renewed in time");
        return;
    }
    if (task->agent->link == GM_LINK_UP && task->frames_done != task->told_done &&
        now - task->told >= PROGRESS_EVERY) {
        send_progress(task, now);
    }
    for (struct gm_item *item = task->first; item != NULL; item = item->next) {
        gm_item_tick(item, now);
    }
}
