/* POST /v1/uploads/ID/parts: some were put, and are looked at. */
#include "scheduler/http/upload_call.h"

static void look_done(void *arg)
{
    struct gm_upload_call *c = arg;
    struct gm_upload *u = c->rc == 0 ? gm_upload_call_find(c, &c->err) : NULL;
    size_t missing = c->count;
    if (u == NULL) {
        gm_upload_call_fail(c, &c->err);
        return;
    }
    if (u->whole && c->seen[0].exists && gm_upload_tag(u, c->seen[0].etag, &c->err) < 0) {
        gm_upload_call_fail(c, &c->err);
        return;
    }
    for (size_t i = c->count; i-- > 0;) {
        const struct gm_upload_named *n = &c->named[i];
        if (c->seen[i].there) {
            (void)gm_upload_note(u, n->index, u->whole ? NULL : n->sha256, c->seen[i].size,
                                 gm_time_unix_ms());
        } else {
            missing = i;
        }
    }
    gm_upload_desk_changed(c->desk, c->id);
    if (missing < c->count) {
        (void)gm_err_set(&c->err, GM_E_CONFLICT, 0,
                         "part %u is not in the store with its size: put it again",
                         c->named[missing].index);
        gm_upload_call_fail(c, &c->err);
        return;
    }
    gm_upload_call_answer(
        c, MHD_HTTP_OK,
        json_pack("{s:I, s:I}", "there", (json_int_t)u->there, "parts", (json_int_t)u->count));
}

void gm_handle_upload_parts(struct gm_request *r)
{
    static const char *const known[] = {"index", "sha256", NULL};
    struct gm_upload_call *c = gm_upload_call_create(r);
    struct gm_upload *u = c != NULL ? gm_upload_call_find_asked(c) : NULL;
    struct gm_err err = {0};
    if (u == NULL) {
        return;
    }
    int rc = gm_upload_call_read_parts(c, known, u->whole, &err);
    for (size_t i = 0; rc >= 0 && i < c->count; i++) {
        const struct gm_upload_named *n = &c->named[i];
        rc = gm_upload_name(u, n->index, u->whole ? NULL : n->sha256, &err);
        if (rc >= 0) {
            gm_upload_part_key(u, n->index, c->seen[i].key);
            c->seen[i].size = u->parts[n->index].size;
            c->seen[i].there = rc == 1; /* not asked for again */
        }
    }
    if (rc < 0) {
        gm_upload_call_fail(c, &err);
        return;
    }
    gm_upload_call_run(c, gm_upload_call_look, look_done);
}
