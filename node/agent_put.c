/* Files of an item on their way into the store. Whoever ends a lease takes what was stored for it
 * away: so a put ends soon after its item was dropped, or the lease's time is over, and meanwhile
 * the scheduler hears of no end: the lease of a dropped task is renewed until its puts have ended,
 * Failed and Goodbye wait for them. One that is late is not waited for: what it still may do is the
 * store's. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/log.h"
#include "node/agent_state.h"
#include "node/cache.h"

/* On the pool or in the loop, before each part of a body. An agent that was stopped for a while
 * must not write what nobody owns any more. */
int gm_put_check(void *arg, struct gm_err *err)
{
    const struct gm_item *item = arg;
    if (__atomic_load_n(&item->dropped, __ATOMIC_RELAXED)) {
        return gm_err_set(err, GM_E_STALE, 0, "nobody wants it any more");
    }
    if (gm_time_boot() >= __atomic_load_n(&item->task->deadline, __ATOMIC_RELAXED)) {
        return gm_err_set(err, GM_E_STALE, 0, "the lease ended before it was stored");
    }
    return 0;
}

static int check_wanted(void *arg, struct gm_err *err)
{
    struct gm_item *item = arg;
    gm_job_moved(&item->job);
    return gm_put_check(item, err);
}

static void run_put(void *arg)
{
    struct gm_item *item = arg;
    const struct gm_agent *agent = item->task->agent;
    const struct gm_grant_key *key = &agent->params.grant_key;
    const struct gm_put_guard guard = {.check = check_wanted, .arg = item};
    for (size_t i = 0; i < item->file_count; i++) {
        struct gm_item_file *file = &item->files[i];
        if (file->stored || gm_send_is_for(file)) {
            continue;
        }
        if (gm_grant_put(file->grant->url, key, gm_clock_unix_ms(agent), file->file.fd, &guard,
                         &item->err) < 0) {
            gm_clock_explain(agent, &item->err);
            return;
        }
        file->stored = true;
        GM_CRASH("agent.put_one");
    }
}

/* What other tasks read of a store that is far away they may find here. */
static void keep_copies(const struct gm_item *item)
{
    struct gm_err err;
    for (size_t i = 0; i < item->file_count; i++) {
        const struct gm_item_file *file = &item->files[i];
        if (file->was_sent && gm_cache_add(item->task->agent->params.cache, file->file.sha256,
                                           file->file.fd, file->file.size, &err) < 0) {
            gm_log_err(GM_LOG_DEBUG, "copy-not-kept", &err, "id=%" PRIu64, item->task->id);
        }
    }
    gm_beat_cache(item->task->agent);
}

/* Stored: the worker's copies only cost space now. */
static void run_finish(void *arg)
{
    struct gm_item *item = arg;
    if (item->err.code != GM_OK) {
        return;
    }
    GM_CRASH("agent.put_all");
    keep_copies(item);
    for (size_t i = 0; i < item->file_count; i++) {
        unlinkat(item->task->folder, item->files[i].name, 0);
    }
    if (item->meta_file[0] != '\0') {
        unlinkat(item->task->folder, item->meta_file, 0);
    }
}

static void run_all(void *arg)
{
    run_put(arg);
    run_finish(arg);
}

void gm_put_ended(struct gm_item *item)
{
    struct gm_task *task = item->task;
    task->refs++; /* the item may be the last that holds it */
    gm_item_put_ended(item);
    if (task->state != GM_TASK_DROPPED) {
        gm_task_emit(task); /* its failure may have waited for this */
    } else if (!gm_put_is_busy(task)) {
        task->agent->renew_due = 0; /* the heartbeat that no longer names it goes at once */
    }
    gm_task_unref(task);
}

static void after_put(void *arg)
{
    gm_put_ended(arg);
}

/* Those that go by URL follow. */
static void after_files(void *arg)
{
    struct gm_item *item = arg;
    if (item->dropped || item->err.code != GM_OK) {
        gm_put_ended(item);
    } else {
        gm_send_start(item);
    }
}

static void late_put(void *arg, struct gm_err *why)
{
    struct gm_item *item = arg;
    GM_IGNORE(gm_err_wrap(why, -(int)why->code, "could not put `%.100s`: ", item->files[0].path),
              "the text is what it is for");
    if (!item->dropped) {
        gm_item_failed(item, why);
        return;
    }
    gm_log_err(GM_LOG_WARN, "put-given-up", why, "id=%" PRIu64, item->task->id);
    gm_task_emit(item->task); /* its failure may have waited for this */
}

static void start_job(struct gm_item *item, void (*run)(void *arg), void (*after)(void *arg))
{
    item->job = (struct gm_job){.run = run,
                                .after = after,
                                .on_late = late_put,
                                .arg = item,
                                .task = item->task,
                                .is_put = true};
    gm_job_start(item->task->agent, &item->job);
}

void gm_put_start(struct gm_item *item)
{
    size_t files = 0;
    size_t sent = 0;
    item->state = GM_ITEM_PUT;
    item->not_before = 0;
    item->busy = true;
    memset(&item->err, 0, sizeof(item->err));
    gm_busy_begin(&item->task->storing, gm_time_now());
    for (size_t i = 0; i < item->file_count; i++) {
        sent += gm_send_is_for(&item->files[i]) ? 1 : 0;
        files += item->files[i].stored ? 0 : 1;
    }
    if (sent == 0) {
        start_job(item, run_all, after_put);
    } else if (sent < files) {
        start_job(item, run_put, after_files);
    } else {
        gm_send_start(item);
    }
}

void gm_put_finish(struct gm_item *item)
{
    start_job(item, run_finish, after_put);
}

static const struct gm_item *find_sent(const struct gm_agent *agent, const struct gm_task *task)
{
    const struct gm_item *item = agent->sending;
    while (item != NULL && task != NULL && item->task != task) {
        item = item->next_sent;
    }
    return item;
}

bool gm_put_is_busy(const struct gm_task *task)
{
    const struct gm_job *job = task->agent->jobs;
    if (find_sent(task->agent, task) != NULL) {
        return true;
    }
    while (job != NULL && (!job->is_put || job->late || job->task != task)) {
        job = job->next;
    }
    return job != NULL;
}

bool gm_put_any(const struct gm_agent *agent)
{
    gm_time now = gm_time_boot();
    const struct gm_job *job = agent->jobs;
    if (find_sent(agent, NULL) != NULL) { /* gm_send_tick ends it with its lease */
        return true;
    }
    while (job != NULL && (!job->is_put || job->late || now >= job->task->deadline)) {
        job = job->next;
    }
    return job != NULL;
}
