/* A call of /v1/uploads: made, run on the pool, answered. */
#include "scheduler/http/upload_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX ((size_t)1 << 20)
#define WORKS_MAX 4               /* of the pool's threads */
#define STORES_TIME (20 * GM_SEC) /* the bucket's in all; a client waits for a minute */

void gm_upload_call_destroy(struct gm_upload_call *c)
{
    if (c->begun) {
        gm_upload_desk_began(c->desk, c->tenant);
    }
    gm_upload_destroy(&c->made);
    gm_uploads_fini(&c->listed);
    free(c->text);
    free(c);
}

void gm_upload_call_fail(struct gm_upload_call *c, const struct gm_err *err)
{
    gm_request_fail(c->r, err);
    gm_upload_call_destroy(c);
}

struct gm_upload_call *gm_upload_call_create(struct gm_request *r)
{
    struct gm_upload_desk *desk = gm_daemon_uploads(r->http->d);
    struct gm_err err = {0};
    struct gm_upload_call *c = NULL;
    int rc = gm_upload_desk_check(desk, &err);
    if (rc == 0 && r->http->stopping) {
        rc = gm_err_set(&err, GM_E_BUSY, 0, "the scheduler is stopping");
    }
    if (rc == 0 && r->body.size > BODY_MAX) {
        rc = gm_err_set(&err, GM_E_LIMIT, 0, "the body is over %zu MiB", BODY_MAX >> 20);
    }
    if (rc == 0) {
        c = calloc(1, sizeof *c);
        rc = c == NULL ? gm_err_nomem(&err) : 0;
    }
    if (rc < 0) {
        gm_request_fail(r, &err);
        return NULL;
    }
    GM_ASSERT(c != NULL);
    c->r = r;
    c->desk = desk;
    c->place = gm_upload_desk_place(desk);
    c->unix_ms = gm_time_unix_ms();
    return c;
}

struct gm_upload *gm_upload_call_find(const struct gm_upload_call *c, struct gm_err *err)
{
    struct gm_upload *u = gm_uploads_find(gm_upload_desk_table(c->desk), c->id);
    if (u == NULL || u->leaving || !gm_caller_may_see(&c->r->caller, u->tenant)) {
        (void)gm_err_set(err, GM_E_NOTFOUND, 0, "there is no upload %.64s", c->id);
        return NULL;
    }
    return u;
}

struct gm_upload *gm_upload_call_find_asked(struct gm_upload_call *c)
{
    struct gm_err err = {0};
    (void)snprintf(c->id, sizeof c->id, "%.26s", strlen(c->r->id) < sizeof c->id ? c->r->id : "");
    struct gm_upload *u = gm_upload_call_find(c, &err);
    if (u == NULL) {
        gm_upload_call_fail(c, &err);
    }
    return u;
}

/* On the pool. */
static void work_limited(void *arg)
{
    struct gm_upload_call *c = arg;
    const struct gm_stores_limit limit = {
        .until = c->until, .wanted = c->writes ? gm_upload_desk_leads : NULL, .arg = c->desk};
    gm_stores_limit(&limit);
    c->rc = c->writes ? gm_upload_desk_leads(c->desk, &c->err) : 0;
    if (c->rc == 0) {
        c->work(c);
    }
    gm_stores_limit(NULL);
}

static void on_done(void *arg);

static void start(struct gm_upload_call *c)
{
    struct gm_http *http = c->r->http;
    struct gm_err err = {0};
    int rc = 0;
    if (gm_time_now() >= c->until || http->stopping) {
        rc = gm_err_set(&err, GM_E_BUSY, 0, "%s",
                        http->stopping ? "the scheduler is stopping"
                                       : "the store of uploads is slow: others wait for it, too");
    }
    if (rc == 0) {
        rc = gm_daemon_work(http->d, work_limited, on_done, c, &err);
    }
    if (rc < 0) {
        gm_upload_call_fail(c, &err);
        return;
    }
    http->upload_works++;
}

static void start_waiting(struct gm_http *http)
{
    while (http->upload_calls != NULL && http->upload_works < WORKS_MAX) {
        struct gm_upload_call *c = http->upload_calls;
        http->upload_calls = c->next;
        start(c);
    }
}

static void on_done(void *arg)
{
    struct gm_upload_call *c = arg;
    struct gm_http *http = c->r->http;
    http->upload_works--;
    c->done(c);
    start_waiting(http);
}

void gm_upload_call_run(struct gm_upload_call *c, void (*work)(struct gm_upload_call *c),
                        void (*done)(void *arg))
{
    struct gm_http *http = c->r->http;
    struct gm_upload_call **at = &http->upload_calls;
    c->work = work;
    c->done = done;
    c->next = NULL;
    c->until = gm_time_now() + (c->time > 0 ? c->time : STORES_TIME);
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = c;
    start_waiting(http);
}

void gm_upload_call_answer(struct gm_upload_call *c, unsigned status, json_t *doc)
{
    gm_request_json(c->r, status, doc);
    gm_upload_call_destroy(c);
}

json_t *gm_upload_call_doc(const struct gm_upload_call *c, const struct gm_upload *u, bool hashes)
{
    struct gm_upload_limits limits = gm_upload_desk_limits(c->desk);
    return gm_upload_doc(u, &limits, c->unix_ms, hashes);
}

void gm_upload_call_look(struct gm_upload_call *c)
{
    c->rc = gm_uploads_look(&c->place, c->seen, c->count, &c->err);
}
