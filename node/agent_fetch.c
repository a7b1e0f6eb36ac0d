/* Bodies that lie in a store far away, on their way into the content cache: in the agent's loop,
 * then hashed on the pool. Who reads one gets the cached file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/agent_state.h"
#include "node/cache.h"
#include "node/transfer/download.h"
#include "storage/s3/url.h"

struct gm_fetch {
    struct gm_agent *agent;   /* borrowed */
    const Gm__Object *object; /* borrowed; not read once it is cancelled */
    struct gm_task *task;     /* borrowed; NULL: it is cancelled */
    void (*done)(int fd, const struct gm_err *err, void *arg);
    void *arg;
    struct gm_download *download; /* owned; NULL: it is hashed */
    struct gm_job job;
    char name[GM_CACHE_NAME]; /* in the cache's folder */
    uint8_t sha256[GM_SHA256_SIZE];
    int fd;   /* owned; of that file */
    int kept; /* owned; -1: not known to be the right one */
    struct gm_err err;
};

/* What was cancelled while it was hashed goes with its job. */
static void free_fetch(struct gm_fetch *fetch)
{
    gm_download_cancel(&fetch->download);
    gm_agent_close_file(fetch->agent, fetch->fd);
    gm_agent_close_file(fetch->agent, fetch->kept);
    free(fetch);
}

/* fd: owned by who is told. */
static void finish(struct gm_fetch *fetch, const struct gm_err *err)
{
    void (*done)(int fd, const struct gm_err *err, void *arg) = fetch->done;
    void *arg = fetch->arg;
    struct gm_err why = *err;
    int kept = fetch->kept;
    fetch->kept = -1;
    free_fetch(fetch);
    done(kept, &why, arg);
}

static void run_keep(void *arg)
{
    struct gm_fetch *fetch = arg;
    GM_IGNORE(gm_cache_end(fetch->agent->params.cache, fetch->name, fetch->fd, fetch->sha256,
                           &fetch->kept, &fetch->err),
              "it is in fetch->err");
    gm_beat_cache(fetch->agent);
}

static void after_keep(void *arg)
{
    struct gm_fetch *fetch = arg;
    if (fetch->task == NULL) {
        free_fetch(fetch);
    } else {
        finish(fetch, &fetch->err);
    }
}

static void on_down(int rc, const struct gm_err *err, bool renew, void *arg)
{
    struct gm_fetch *fetch = arg;
    struct gm_err why = *err;
    fetch->download = NULL;
    if (rc < 0) {
        if (renew) {
            gm_err_set(&why, GM_E_NODE_GRANT, ETIME, "a grant was refused: its time was over");
            gm_clock_explain(fetch->agent, &why);
        }
        GM_IGNORE(gm_err_wrap(&why, -(int)why.code, "`%.100s`: ", fetch->object->key),
                  "the text is what it is for");
        gm_cache_give_up(fetch->agent->params.cache, fetch->name);
        finish(fetch, &why);
        return;
    }
    fetch->job =
        (struct gm_job){.run = run_keep, .after = after_keep, .arg = fetch, .task = fetch->task};
    gm_job_start(fetch->agent, &fetch->job);
}

/* By this machine's clock. The URL's own is its store's, which the scheduler's may not agree with:
 * it says what a refusal means, and keeps nobody from asking. */
static int64_t until(const struct gm_agent *agent, const char *url)
{
    int64_t end = 0;
    return gm_s3_url_until(url, &end) ? gm_time_unix_ms() + (end - gm_clock_unix_ms(agent)) : 0;
}

static int begin(struct gm_fetch *fetch, struct gm_err *err)
{
    struct gm_agent *agent = fetch->agent;
    struct gm_download_params params = {.transfers = agent->transfers,
                                        .url = fetch->object->url,
                                        .size = fetch->object->size,
                                        .done = on_down,
                                        .arg = fetch};
    int rc = 0;
    params.until_unix_ms = until(agent, params.url);
    if (agent->transfers == NULL) {
        rc = gm_err_set(err, GM_E_CANCELLED, 0, "the agent stops");
    }
    if (rc == 0) {
        rc = gm_cache_begin(agent->params.cache, fetch->name, &fetch->fd, err);
    }
    if (rc < 0) {
        return rc;
    }
    params.fd = fetch->fd;
    rc = gm_download_start(&params, &fetch->download, err);
    if (rc < 0) {
        gm_cache_give_up(agent->params.cache, fetch->name);
    }
    if (rc == -GM_E_INVAL) { /* what was granted can't be asked */
        err->code = GM_E_NODE_GRANT;
        rc = -GM_E_NODE_GRANT;
    }
    return rc;
}

int gm_fetch_start(struct gm_task *task, const Gm__Object *object,
                   void (*done)(int fd, const struct gm_err *err, void *arg), void *arg,
                   struct gm_fetch **out, struct gm_err *err)
{
    struct gm_fetch *fetch = calloc(1, sizeof(*fetch));
    if (fetch == NULL) {
        return gm_err_nomem(err);
    }
    fetch->agent = task->agent;
    fetch->object = object;
    fetch->task = task;
    fetch->done = done;
    fetch->arg = arg;
    fetch->fd = fetch->kept = -1;
    memcpy(fetch->sha256, object->sha256.data, sizeof(fetch->sha256));
    int rc = begin(fetch, err);
    if (rc < 0) {
        free_fetch(fetch);
        return rc;
    }
    *out = fetch;
    return 0;
}

void gm_fetch_cancel(struct gm_fetch **fetch)
{
    struct gm_fetch *f = *fetch;
    if (f == NULL) {
        return;
    }
    *fetch = NULL;
    if (f->download == NULL) { /* its job goes on */
        f->task = NULL;
        f->job.task = NULL;
        return;
    }
    gm_cache_give_up(f->agent->params.cache, f->name);
    free_fetch(f);
}
