/* GET /v1/farm: the farm at a glance. */
#include "scheduler/doc_farm.h"
#include "scheduler/http/request.h"

bool gm_http_reasons(const struct gm_http *http, const char *out[GM_HTTP_REASONS])
{
    const struct gm_core *core = gm_daemon_core(http->d);
    struct gm_core_totals t;
    size_t n = 0;
    uint32_t retry_s;
    gm_view_totals(core, &t);
    if (http->stopping) {
        out[n++] = "the scheduler is stopping";
    }
    if (gm_daemon_has_no_room(http->d)) {
        out[n++] = GM_HTTP_NO_ROOM;
    }
    if (gm_daemon_is_full(http->d, &retry_s)) {
        out[n++] = "too much waits for the scheduler's disk";
    }
    if (gm_view_unfinished(&t) >= (uint64_t)gm_daemon_settings(http->d)->max_jobs) {
        out[n++] = "as many jobs as max_jobs are unfinished";
    }
    bool taken = n == 0;
    if (t.nodes_connected == 0) {
        out[n++] = "no node is connected: jobs are taken and wait";
    }
    if (gm_gate_fault(http->door->gate) != NULL) { /* the log says why */
        out[n++] = "http_tokens: the file does not read; the tokens that it had before are taken";
    }
    out[n] = NULL;
    return taken;
}

int gm_http_farm(const struct gm_http *http, json_t **out, struct gm_err *err)
{
    const char *reasons[GM_HTTP_REASONS];
    struct gm_farm_facts facts = {.now_unix_ms = gm_time_unix_ms(),
                                  .started_unix_ms = http->started_unix_ms,
                                  .reasons = reasons};
    facts.ready = gm_http_reasons(http, reasons);
    return gm_doc_farm(gm_daemon_core(http->d), &facts, out, err);
}

void gm_handle_farm(struct gm_request *r)
{
    static const char *const known[] = {NULL};
    struct gm_err err = {0};
    json_t *doc = NULL;
    int rc = gm_request_check_query(r, known, &err);
    rc = rc < 0 ? rc : gm_http_farm(r->http, &doc, &err);
    if (rc < 0) {
        gm_request_fail(r, &err);
        return;
    }
    gm_request_json(r, MHD_HTTP_OK, doc);
}
