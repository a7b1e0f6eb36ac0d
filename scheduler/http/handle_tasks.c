/* GET /v1/jobs/ID/tasks and /v1/jobs/ID/attempts: what a job is made of, and what was tried. */
#include "scheduler/doc_farm.h"
#include "scheduler/http/request.h"

#define PAGE 500

static void show_tasks(struct gm_request *r)
{
    static const char *const known[] = {NULL};
    struct gm_err err = {0};
    json_t *doc = NULL;
    int rc = gm_request_check_query(r, known, &err);
    rc = rc < 0 ? rc : gm_doc_tasks(gm_daemon_core(r->http->d), r->id, &doc, &err);
    if (rc < 0) {
        gm_request_fail(r, &err);
    } else {
        gm_request_json(r, MHD_HTTP_OK, doc);
    }
}

static void show_attempts(struct gm_request *r)
{
    static const char *const known[] = {"after", "limit", NULL};
    struct gm_err err = {0};
    json_t *doc = NULL;
    uint64_t after = 0, limit = PAGE;
    int rc = gm_request_check_query(r, known, &err);
    rc = rc < 0 ? rc : gm_request_number(r, "after", 0, UINT64_MAX, &after, &err);
    rc = rc < 0 ? rc : gm_request_number(r, "limit", 1, PAGE, &limit, &err);
    rc = rc < 0 ? rc : gm_doc_attempts(gm_daemon_core(r->http->d), r->id, after, limit, &doc, &err);
    if (rc < 0) {
        gm_request_fail(r, &err);
    } else {
        gm_request_json(r, MHD_HTTP_OK, doc);
    }
}

void gm_handle_tasks(struct gm_request *r)
{
    gm_request_show_stored(r, show_tasks);
}

void gm_handle_attempts(struct gm_request *r)
{
    gm_request_show_stored(r, show_attempts);
}
