/* Work on libuv's thread pool. */
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/log.h"
#include "node/agent_state.h"

struct job {
    uv_work_t work;
    void (*run)(void *arg);
    void (*after)(void *arg);
    void *arg;
};

static void on_work(uv_work_t *work)
{
    struct job *job = work->data;
    job->run(job->arg);
}

static void on_after(uv_work_t *work, int status)
{
    struct job *job = work->data;
    (void)status; /* nothing is cancelled */
    job->after(job->arg);
    free(job);
}

int gm_agent_job(struct gm_agent *agent, void (*run)(void *arg), void (*after)(void *arg),
                 void *arg, struct gm_err *err)
{
    struct job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        return gm_err_nomem(err);
    }
    job->work.data = job;
    job->run = run;
    job->after = after;
    job->arg = arg;
    int rc = uv_queue_work(&agent->loop, &job->work, on_work, on_after);
    if (rc < 0) {
        free(job);
        return gm_err_uv(err, rc, "could not queue work");
    }
    return 0;
}

static void run_remove(void *arg)
{
    struct gm_err err;
    if (gm_fs_remove_tree(arg, &err) < 0) {
        gm_log_err(GM_LOG_WARN, "scratch-left", &err, "what=scratch");
    }
}

void gm_agent_remove_folder(struct gm_agent *agent, const char *path)
{
    char *copy = strdup(path);
    struct gm_err err;
    if (copy == NULL || gm_agent_job(agent, run_remove, free, copy, &err) < 0) {
        free(copy); /* the next start empties scratch */
    }
}
