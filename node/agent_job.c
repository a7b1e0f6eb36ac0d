/* Work on libuv's thread pool, and the one watch over it. A job waits for a thread, runs and ends;
 * since tells when something of it last moved: it was queued, it began, it said so. One of which
 * nothing moves for too long is late: who waits for it is told, once, and its thread is held until
 * it comes back. Who waits for a thread waits as long as something moves on one of them. When no
 * thread was free and nothing moved on any for so long, a store hangs: no slots are offered until
 * one comes back, or moves. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/log.h"
#include "node/agent_state.h"

static void on_work(uv_work_t *work)
{
    struct gm_job *job = work->data;
    gm_job_moved(job);
    __atomic_store_n(&job->begun, true, __ATOMIC_RELEASE);
    job->run(job->arg);
}

static void take_out(struct gm_agent *agent, const struct gm_job *job)
{
    struct gm_job **at = &agent->jobs;
    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
}

static void on_after(uv_work_t *work, int status)
{
    struct gm_job *job = work->data;
    (void)status; /* who cancelled it knows */
    take_out(job->agent, job);
    job->queued = false;
    if (__atomic_load_n(&job->begun, __ATOMIC_ACQUIRE)) {
        job->agent->thread_free = gm_time_now();
    }
    job->after(job->arg);
}

void gm_job_start(struct gm_agent *agent, struct gm_job *job)
{
    job->agent = agent;
    job->work.data = job;
    job->queued = true;
    job->begun = job->late = job->cancelled = false;
    gm_job_moved(job);
    job->next = agent->jobs;
    agent->jobs = job;
    int rc = uv_queue_work(&agent->loop, &job->work, on_work, on_after);
    GM_ASSERT(rc == 0); /* it only refuses work without a function */
}

void gm_job_moved(struct gm_job *job)
{
    __atomic_store_n(&job->since, gm_time_now(), __ATOMIC_RELAXED);
}

void gm_job_cancel(struct gm_job *job)
{
    if (job->queued && !job->cancelled) {
        job->cancelled = uv_cancel((uv_req_t *)&job->work) == 0;
    }
}

static void be_late(struct gm_job *job, bool begun, gm_time quiet)
{
    struct gm_err why;
    job->late = true;
    gm_err_set(&why, GM_E_STORE, 0,
               begun ? "nothing moved for %.1f s"
                     : "no thread was free for %.1f s, as where a store hangs",
               (double)quiet / (double)GM_SEC);
    if (job->on_late != NULL) {
        job->on_late(job->arg, &why);
    }
}

/* When a thread was free, or something moved on one, last. */
static void look_at_threads(struct gm_agent *agent, gm_time now)
{
    uint32_t begun = 0;
    for (const struct gm_job *job = agent->jobs; job != NULL; job = job->next) {
        if (__atomic_load_n(&job->begun, __ATOMIC_ACQUIRE)) {
            gm_time since = __atomic_load_n(&job->since, __ATOMIC_RELAXED);
            agent->thread_free = since > agent->thread_free ? since : agent->thread_free;
            begun++;
        }
    }
    if (begun < agent->threads) {
        agent->thread_free = now;
    }
}

static void check_threads(struct gm_agent *agent, gm_time now, gm_time limit)
{
    bool held = now - agent->thread_free > limit;
    if (held != agent->threads_held) {
        agent->threads_held = held;
        gm_log(held ? GM_LOG_ERROR : GM_LOG_INFO, held ? "threads-held" : "threads-back",
               "threads=%" PRIu32, agent->threads);
        gm_link_offer(agent, false);
    }
}

void gm_agent_jobs_watch(struct gm_agent *agent, gm_time now)
{
    gm_time limit = gm_agent_store_stall(agent);
    look_at_threads(agent, now);
    for (struct gm_job *job = agent->jobs; job != NULL; job = job->next) {
        struct gm_task *task = job->task;
        bool begun = __atomic_load_n(&job->begun, __ATOMIC_ACQUIRE);
        gm_time since = __atomic_load_n(&job->since, __ATOMIC_RELAXED);
        since = begun || since > agent->thread_free ? since : agent->thread_free;
        if (!job->late && now - since > limit) {
            be_late(job, begun, now - since);
        } else if (!job->late && task != NULL && task->state == GM_TASK_STORING) {
            task->life = since > task->life ? since : task->life;
        }
    }
    check_threads(agent, now, limit);
}

/* As libuv reads it: https://docs.libuv.org/en/v1.x/threadpool.html */
uint32_t gm_agent_threads(void)
{
    const char *text = getenv("UV_THREADPOOL_SIZE");
    int count = text == NULL ? 4 : atoi(text);
    return count == 0 ? 1 : count < 0 || count > 1024 ? 1024 : (uint32_t)count;
}

struct removal {
    struct gm_job job;
    char *path; /* owned */
};

static void run_remove(void *arg)
{
    const struct removal *removal = arg;
    struct gm_err err;
    if (gm_fs_remove_tree(removal->path, &err) < 0) {
        gm_log_err(GM_LOG_WARN, "scratch-left", &err, "what=scratch");
    }
}

static void free_removal(void *arg)
{
    struct removal *removal = arg;
    free(removal->path);
    free(removal);
}

void gm_agent_remove_folder(struct gm_agent *agent, const char *path)
{
    struct removal *removal = calloc(1, sizeof(*removal));
    char *copy = strdup(path);
    if (removal == NULL || copy == NULL) { /* the next start empties scratch */
        free(removal);
        free(copy);
        return;
    }
    removal->path = copy;
    removal->job = (struct gm_job){.run = run_remove, .after = free_removal, .arg = removal};
    gm_job_start(agent, &removal->job);
}

struct closing {
    struct gm_job job;
    int fd; /* owned */
};

static void run_close(void *arg)
{
    const struct closing *closing = arg;
    close(closing->fd);
}

void gm_agent_close_file(struct gm_agent *agent, int fd)
{
    struct closing *closing = fd < 0 ? NULL : calloc(1, sizeof(*closing));
    if (closing != NULL) {
        closing->fd = fd;
        closing->job = (struct gm_job){.run = run_close, .after = free, .arg = closing};
        gm_job_start(agent, &closing->job);
    } else if (fd >= 0) { /* better to wait than to run out of descriptors too */
        close(fd);
    }
}
