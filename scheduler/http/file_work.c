/* What answers of files have the pool do: a few at once, so that a slow store of results leaves
 * threads to all else. */
#include "common/time.h"
#include "scheduler/http/request.h"

#define WORKS_MAX 4             /* of the pool's threads */
#define TURN_TIME (20 * GM_SEC) /* until its turn; a client waits for a minute */

static void start_waiting(struct gm_http *http);

static void on_work(void *arg)
{
    struct gm_file_work *w = arg;
    w->work(w->arg);
}

static void on_done(void *arg)
{
    struct gm_file_work *w = arg;
    struct gm_http *http = w->http;
    http->file_works--;
    w->done(w->arg);
    start_waiting(http);
}

static void start(struct gm_file_work *w)
{
    struct gm_http *http = w->http;
    int rc = 0;
    if (http->stopping || gm_time_now() >= w->until) {
        rc = gm_err_set(w->err, GM_E_BUSY, 0, "%s",
                        http->stopping ? "the scheduler is stopping"
                                       : "the store of results is slow: others wait for it, too");
    }
    rc = rc < 0 ? rc : gm_daemon_work(http->d, on_work, on_done, w, w->err);
    if (rc < 0) {
        *w->rc = rc;
        w->done(w->arg);
        return;
    }
    http->file_works++;
}

static void start_waiting(struct gm_http *http)
{
    while (http->file_waiting != NULL && http->file_works < WORKS_MAX) {
        struct gm_file_work *w = http->file_waiting;
        http->file_waiting = w->next;
        start(w);
    }
}

void gm_file_work_run(struct gm_http *http, struct gm_file_work *w)
{
    struct gm_file_work **at = &http->file_waiting;
    w->http = http;
    w->next = NULL;
    w->until = gm_time_now() + TURN_TIME;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = w;
    start_waiting(http);
}

bool gm_file_work_drop(struct gm_file_work *w)
{
    for (struct gm_file_work **at = &w->http->file_waiting; *at != NULL; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            return true;
        }
    }
    return false;
}
