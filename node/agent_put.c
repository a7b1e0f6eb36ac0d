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

/* On the pool, for each part of a body. An agent that was stopped for a while must not write what
 * nobody owns any more. */
static int check_wanted(void *arg, struct gm_err *err)
{
    struct gm_item *item = arg;
    gm_job_moved(&item->job);
    if (__atomic_load_n(&item->dropped, __ATOMIC_RELAXED)) {
        return gm_err_set(err, GM_E_STALE, 0, "nobody wants it any more");
    }
    if (gm_time_boot() >= __atomic_load_n(&item->task->deadline, __ATOMIC_RELAXED)) {
        return gm_err_set(err, GM_E_STALE, 0, "the lease ended before it was stored");
    }
    return 0;
}

static void run_put(void *arg)
{
    struct gm_item *item = arg;
    const struct gm_agent *agent = item->task->agent;
    const struct gm_grant_key *key = &agent->params.grant_key;
    const struct gm_put_guard guard = {.check = check_wanted, .arg = item};
    memset(&item->err, 0, sizeof(item->err));
    while (item->stored < item->file_count) {
        const struct gm_item_file *file = &item->files[item->stored];
        if (gm_grant_put(file->url, key, gm_clock_unix_ms(agent), file->file.fd, &guard,
                         &item->err) < 0) {
            gm_clock_explain(agent, &item->err);
            return;
        }
        item->stored++;
        GM_CRASH("agent.put_one");
    }
    GM_CRASH("agent.put_all");
    /* stored: the worker's copies only cost space now */
    for (size_t i = 0; i < item->file_count; i++) {
        unlinkat(item->task->folder, item->files[i].name, 0);
    }
    if (item->meta_file[0] != '\0') {
        unlinkat(item->task->folder, item->meta_file, 0);
    }
}

static void after_put(void *arg)
{
    struct gm_item *item = arg;
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

void gm_put_start(struct gm_item *item)
{
    item->state = GM_ITEM_PUT;
    item->not_before = 0;
    item->busy = true;
    item->job = (struct gm_job){.run = run_put,
                                .after = after_put,
                                .on_late = late_put,
                                .arg = item,
                                .task = item->task,
                                .is_put = true};
    gm_job_start(item->task->agent, &item->job);
}

bool gm_put_is_busy(const struct gm_task *task)
{
    const struct gm_job *job = task->agent->jobs;
    while (job != NULL && (!job->is_put || job->late || job->task != task)) {
        job = job->next;
    }
    return job != NULL;
}

bool gm_put_any(const struct gm_agent *agent)
{
    gm_time now = gm_time_boot();
    const struct gm_job *job = agent->jobs;
    while (job != NULL && (!job->is_put || job->late || now >= job->task->deadline)) {
        job = job->next;
    }
    return job != NULL;
}
