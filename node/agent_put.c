/* Files of an item on their way into the store. Whoever ends a lease takes what was stored for it
 * away: so a put ends soon after its item was dropped, or the lease's time is over, and meanwhile
 * the scheduler hears of no end: the lease of a dropped task is renewed until its puts have ended,
 * Failed and Goodbye wait for them. A store that takes nothing for long is not waited for: the put
 * is given up, and what it still may do is the store's. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/log.h"
#include "node/agent_state.h"

struct gm_put {
    struct gm_put *next;
    struct gm_item *item; /* busy */
    struct gm_grant_key key;
    gm_time moved; /* when its thread was last heard of: atomic */
    bool given_up;
};

/* On the pool, for each part of a body. An agent that was stopped for a while must not write what
 * nobody owns any more. */
static int check_wanted(void *arg, struct gm_err *err)
{
    struct gm_put *put = arg;
    const struct gm_item *item = put->item;
    __atomic_store_n(&put->moved, gm_time_now(), __ATOMIC_RELAXED);
    if (__atomic_load_n(&item->dropped, __ATOMIC_RELAXED)) {
        return gm_err_set(err, GM_E_STALE, 0, "nobody wants it any more");
    }
    if (gm_time_now() >= __atomic_load_n(&item->task->deadline, __ATOMIC_RELAXED)) {
        return gm_err_set(err, GM_E_STALE, 0, "the lease ended before it was stored");
    }
    return 0;
}

static void run_put(void *arg)
{
    struct gm_put *put = arg;
    struct gm_item *item = put->item;
    const struct gm_put_guard guard = {.check = check_wanted, .arg = put};
    memset(&item->err, 0, sizeof(item->err));
    while (item->stored < item->file_count) {
        const struct gm_item_file *file = &item->files[item->stored];
        if (gm_grant_put(file->url, &put->key, gm_time_unix_ms(), file->file.fd, &guard,
                         &item->err) < 0) {
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

static void take_out(struct gm_agent *agent, const struct gm_put *put)
{
    struct gm_put **at = &agent->puts;
    while (*at != put) {
        at = &(*at)->next;
    }
    *at = put->next;
}

static void after_put(void *arg)
{
    struct gm_put *put = arg;
    struct gm_task *task = put->item->task;
    struct gm_agent *agent = task->agent;
    take_out(agent, put);
    task->refs++; /* the item may be the last that holds it */
    gm_item_put_ended(put->item);
    free(put);
    if (task->state != GM_TASK_DROPPED) {
        gm_task_emit(task); /* its failure may have waited for this */
    } else if (!gm_put_is_busy(task)) {
        agent->renew_due = 0; /* the heartbeat that no longer names it goes at once */
    }
    gm_task_unref(task);
    gm_agent_leave(agent);
}

int gm_put_start(struct gm_item *item, struct gm_err *err)
{
    struct gm_agent *agent = item->task->agent;
    struct gm_put *put = calloc(1, sizeof(*put));
    if (put == NULL) {
        return gm_err_nomem(err);
    }
    put->item = item;
    put->moved = gm_time_now();
    put->key = agent->params.grant_key;
    int rc = gm_agent_job(agent, run_put, after_put, put, err);
    if (rc < 0) {
        free(put);
        return rc;
    }
    item->busy = true;
    put->next = agent->puts;
    agent->puts = put;
    return 0;
}

bool gm_put_is_busy(const struct gm_task *task)
{
    const struct gm_put *put = task->agent->puts;
    while (put != NULL && (put->given_up || put->item->task != task)) {
        put = put->next;
    }
    return put != NULL;
}

bool gm_put_any(const struct gm_agent *agent)
{
    const struct gm_put *put = agent->puts;
    while (put != NULL && put->given_up) {
        put = put->next;
    }
    return put != NULL;
}

static void give_up(struct gm_put *put, gm_time quiet)
{
    struct gm_item *item = put->item;
    struct gm_err why;
    put->given_up = true;
    gm_err_set(&why, GM_E_STORE, 0, "the store took nothing of `%.100s` for %.1f s",
               item->files[0].path, (double)quiet / (double)GM_SEC);
    if (!item->dropped) {
        gm_item_failed(item, &why);
        return;
    }
    gm_log_err(GM_LOG_WARN, "put-given-up", &why, "id=%" PRIu64, item->task->id);
    gm_task_emit(item->task); /* its failure may have waited for this */
}

void gm_put_watch(struct gm_agent *agent, gm_time now)
{
    gm_time stall = gm_agent_store_stall(agent);
    for (struct gm_put *put = agent->puts; put != NULL; put = put->next) {
        struct gm_task *task = put->item->task;
        gm_time moved = __atomic_load_n(&put->moved, __ATOMIC_RELAXED);
        if (!put->given_up && now - moved > stall) {
            give_up(put, now - moved);
        } else if (task->state == GM_TASK_STORING && moved > task->life) {
            task->life = moved;
        }
    }
}
