/* GET /v1/farm: the farm at a glance. */
#include "scheduler/doc_farm.h"
#include "scheduler/http/request.h"

int gm_http_farm(const struct gm_http *http, json_t **out, struct gm_err *err)
{
    const char *reasons[4] = {NULL};
    size_t n = 0;
    uint32_t retry_s;
    struct gm_farm_facts facts = {.now_unix_ms = gm_time_unix_ms(),
                                  .started_unix_ms = http->started_unix_ms,
                                  .reasons = reasons};
    if (http->stopping) {
        reasons[n++] = "the scheduler is stopping";
    }
    if (gm_daemon_has_no_room(http->d)) {
        reasons[n++] = GM_HTTP_NO_ROOM;
    }
    if (gm_daemon_is_full(http->d, &retry_s)) {
        reasons[n++] = "too much waits for the scheduler's disk";
    }
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
