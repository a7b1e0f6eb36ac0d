/* GET /metrics: what the core, the rows' store, webhooks and this process have counted. Nobody need
 * wait for the disk: numbers are no promise. */
#include "common/time.h"
#include "scheduler/commit.h"
#include "scheduler/hooks/hooks.h"
#include "scheduler/http/request.h"
#include "scheduler/lag.h"
#include "scheduler/metrics.h"
#include "scheduler/store/state.h"

static void add_process(struct gm_buf *out, const struct gm_request *r)
{
    static const char *const version[] = {GOPMILL_VERSION};
    struct gm_daemon *d = r->http->d;
    gm_metrics_begin(out, GM_METRIC_BUILD);
    gm_metrics_add(out, GM_METRIC_BUILD, version, 1);
    gm_metrics_one(out, GM_METRIC_LEADER, 1);
    gm_metrics_one(out, GM_METRIC_TERM, (double)gm_state_term(gm_daemon_state(d)));
    gm_metrics_one(out, GM_METRIC_STARTED, (double)gm_daemon_started_unix_ms(d) / 1000);
    gm_metrics_begin(out, GM_METRIC_LAG);
    gm_metrics_add_histogram(out, GM_METRIC_LAG, NULL, &gm_lag_bounds, &gm_daemon_lag(d)->late);
    gm_metrics_begin(out, GM_METRIC_ANSWERS);
    for (size_t i = 0; i < GM_HTTP_CLASSES; i++) {
        const char text[] = {(char)('1' + i), 'x', 'x', '\0'};
        const char *const label[] = {text};
        if (i > 0) { /* 1xx is none of ours */
            gm_metrics_add(out, GM_METRIC_ANSWERS, label, (double)r->http->answers[i]);
        }
    }
}

static void add_store(struct gm_buf *out, const struct gm_commit *commit)
{
    const struct gm_commit_counts *c = gm_commit_counts(commit);
    gm_metrics_one(out, GM_METRIC_COMMITS, (double)c->commits);
    gm_metrics_begin(out, GM_METRIC_COMMIT_TIME);
    gm_metrics_add_histogram(out, GM_METRIC_COMMIT_TIME, NULL, &gm_commit_bounds, &c->took);
    gm_metrics_one(out, GM_METRIC_ROWS, (double)c->rows);
    gm_metrics_one(out, GM_METRIC_STORED, (double)c->bytes);
    gm_metrics_one(out, GM_METRIC_BACKLOG, (double)gm_commit_backlog(commit));
}

static void add_hooks(struct gm_buf *out, const struct gm_hooks *hooks)
{
    static const char *const results[] = {"taken", "failed", "dead"};
    struct gm_hooks_counts c;
    gm_hooks_counts(hooks, &c);
    const uint64_t values[] = {c.taken, c.failed, c.died};
    int64_t waited_ms = c.oldest_unix_ms > 0 ? gm_time_unix_ms() - c.oldest_unix_ms : 0;
    gm_metrics_begin(out, GM_METRIC_HOOKS);
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        gm_metrics_add(out, GM_METRIC_HOOKS, &results[i], (double)values[i]);
    }
    gm_metrics_one(out, GM_METRIC_HOOKS_WAITING, (double)c.waiting);
    gm_metrics_one(out, GM_METRIC_HOOKS_OLDEST, waited_ms > 0 ? (double)waited_ms / 1000 : 0);
    gm_metrics_one(out, GM_METRIC_HOOKS_DEAD, (double)c.dead);
}

void gm_handle_metrics(struct gm_request *r)
{
    struct gm_err err = {0};
    const struct gm_core *core = gm_daemon_core(r->http->d);
    add_process(&r->answer, r);
    gm_metrics_work(&r->answer, core);
    int rc = gm_metrics_nodes(&r->answer, core, &err);
    add_store(&r->answer, gm_daemon_commit(r->http->d));
    add_hooks(&r->answer, gm_daemon_hooks(r->http->d));
    rc = rc < 0 ? rc : gm_buf_check(&r->answer, &err);
    if (rc < 0) {
        gm_buf_fini(&r->answer);
        gm_request_fail(r, &err);
        return;
    }
    r->content_type = GM_METRICS_CONTENT_TYPE;
    r->status = MHD_HTTP_OK;
    gm_request_answered(r);
}
