/* /v1/uploads: what there is, and its deletion. */
#include <string.h>

#include "scheduler/http/upload_call.h"
#include "scheduler/json.h"

#define DELETE_TIME (50 * GM_SEC) /* what is left of one of 10,000 parts the sweep deletes */

void gm_handle_upload_show(struct gm_request *r)
{
    static const char *const known[] = {"parts", NULL};
    struct gm_upload_call *c = gm_upload_call_create(r);
    const struct gm_upload *u = c != NULL ? gm_upload_call_find_asked(c) : NULL;
    struct gm_err err = {0};
    uint64_t parts = 0;
    if (u == NULL) {
        return;
    }
    int rc = gm_request_check_query(r, known, &err);
    rc = rc < 0 ? rc : gm_request_number(r, "parts", 0, 1, &parts, &err);
    if (rc < 0) {
        gm_upload_call_fail(c, &err);
        return;
    }
    gm_upload_call_answer(c, MHD_HTTP_OK, gm_upload_call_doc(c, u, parts != 0));
}

void gm_handle_uploads(struct gm_request *r)
{
    struct gm_upload_call *c = gm_upload_call_create(r);
    json_t *list = c != NULL ? json_array() : NULL;
    if (c == NULL) {
        return;
    }
    for (const struct gm_upload *u = gm_upload_desk_table(c->desk)->all; u != NULL;
         u = u->hh.next) {
        if (!u->complete && !u->leaving && gm_caller_may_see(&r->caller, u->tenant)) {
            list = gm_json_add(list, gm_upload_call_doc(c, u, false));
        }
    }
    gm_upload_call_answer(c, MHD_HTTP_OK, json_pack("{s:o}", "uploads", list));
}

static void delete_work(struct gm_upload_call *c)
{
    c->rc = gm_uploads_remove(&c->place, c->id, &c->err);
}

static void delete_done(void *arg)
{
    struct gm_upload_call *c = arg;
    struct gm_uploads *table = gm_upload_desk_table(c->desk);
    struct gm_upload *u = gm_uploads_find(table, c->id);
    if (c->rc < 0) { /* it is leaving all the same: the sweep tries again */
        gm_upload_call_fail(c, &c->err);
        return;
    }
    if (u != NULL) {
        gm_uploads_drop(table, u);
    }
    gm_upload_call_answer(c, MHD_HTTP_OK, json_pack("{s:s, s:b}", "id", c->id, "deleted", 1));
}

void gm_handle_upload_delete(struct gm_request *r)
{
    struct gm_upload_call *c = gm_upload_call_create(r);
    struct gm_upload *u = c != NULL ? gm_upload_call_find_asked(c) : NULL;
    if (u == NULL) {
        return;
    }
    u->leaving = true;
    gm_upload_desk_changed(c->desk, c->id);
    c->writes = true;
    c->time = DELETE_TIME;
    gm_upload_call_run(c, delete_work, delete_done);
}
