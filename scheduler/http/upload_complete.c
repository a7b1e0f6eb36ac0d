/* POST /v1/uploads/ID:complete: what is in the bucket is joined by a manifest. */
#include <string.h>

#include "scheduler/http/upload_call.h"

static void manifest_work(struct gm_upload_call *c)
{
    char key[GM_UPLOAD_KEY_SIZE];
    gm_upload_manifest_key(c->id, key);
    c->rc = gm_uploads_put(&c->place, key, c->text, &c->err);
}

static void manifest_done(void *arg)
{
    struct gm_upload_call *c = arg;
    struct gm_upload *u = c->rc == 0 ? gm_upload_call_find(c, &c->err) : NULL;
    if (u == NULL) {
        gm_upload_call_fail(c, &c->err);
        return;
    }
    u->complete = true;
    u->changed_unix_ms = c->unix_ms;
    gm_upload_call_answer(c, MHD_HTTP_OK, gm_upload_call_doc(c, u, false));
}

static void list_work(struct gm_upload_call *c)
{
    c->rc = gm_uploads_read_one(&c->place, c->id, c->unix_ms, &c->listed, &c->err);
}

/* Another body than the part's was put by a URL of before. */
static bool is_other(const struct gm_upload *u, const struct gm_upload *listed, uint32_t index)
{
    const struct gm_upload_part *a = &u->parts[index], *b = &listed->parts[index];
    return !u->whole && a->named && b->there && memcmp(a->sha256, b->sha256, GM_SHA256_SIZE) != 0;
}

/* Parts that were seen and that the list lacks, which may lag behind, or has with another body too:
 * how many are to be looked at, GM_UPLOAD_CALL_MAX at a time. */
static size_t find_unlisted(struct gm_upload_call *c, const struct gm_upload *u)
{
    const struct gm_upload *listed = gm_uploads_find(&c->listed, c->id);
    bool fits = listed != NULL && listed->count == u->count;
    c->count = 0;
    for (uint32_t i = 0; fits && i < u->count && c->count < GM_UPLOAD_CALL_MAX; i++) {
        if ((u->parts[i].there && !listed->parts[i].there) || is_other(u, listed, i)) {
            struct gm_upload_seen *seen = &c->seen[c->count];
            *seen = (struct gm_upload_seen){.size = u->parts[i].size};
            gm_upload_part_key(u, i, seen->key);
            c->named[c->count++].index = i;
        }
    }
    return c->count;
}

/* Those count as listed, or as never seen. */
static void take_unlisted(struct gm_upload_call *c, struct gm_upload *u)
{
    struct gm_upload *listed = gm_uploads_find(&c->listed, c->id);
    for (size_t i = 0; i < c->count; i++) {
        uint32_t index = c->named[i].index;
        if (c->seen[i].there) {
            listed->parts[index] = u->parts[index];
            listed->parts[index].there = true;
            memcpy(listed->etag, c->seen[i].etag, u->whole ? sizeof listed->etag : 0);
            continue;
        }
        listed->parts[index].there = false;
        if (u->parts[index].there) {
            u->parts[index].there = false;
            u->there--;
        }
    }
}

/* What is in the bucket counts, whatever was told: and what is not there does not. */
static int take_listed(struct gm_upload_call *c, struct gm_upload *u, struct gm_err *err)
{
    const struct gm_upload *listed = gm_uploads_find(&c->listed, c->id);
    if (listed == NULL || listed->count != u->count || listed->size != u->size) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "the upload is not in the store any more");
    }
    int rc = gm_upload_tag(u, listed->etag, err);
    if (rc < 0) {
        return rc;
    }
    for (uint32_t i = 0; i < u->count; i++) {
        const struct gm_upload_part *part = &listed->parts[i];
        if (part->there) {
            (void)gm_upload_note(u, i, u->whole ? NULL : part->sha256, part->size, c->unix_ms);
        } else if (u->parts[i].there) {
            u->parts[i].there = false;
            u->there--;
        }
    }
    gm_upload_desk_changed(c->desk, c->id);
    return gm_upload_check_all(u, err);
}

static void list_done(void *arg);

static void unlisted_done(void *arg)
{
    struct gm_upload_call *c = arg;
    struct gm_upload *u = c->rc == 0 ? gm_upload_call_find(c, &c->err) : NULL;
    if (u != NULL) {
        take_unlisted(c, u);
    }
    list_done(c);
}

static void list_done(void *arg)
{
    struct gm_upload_call *c = arg;
    struct gm_upload *u = c->rc == 0 ? gm_upload_call_find(c, &c->err) : NULL;
    if (u != NULL && find_unlisted(c, u) > 0) {
        gm_upload_call_run(c, gm_upload_call_look, unlisted_done);
        return;
    }
    int rc = u == NULL ? -(int)c->err.code : take_listed(c, u, &c->err);
    if (rc == 0) {
        rc = gm_upload_manifest_text(u, c->unix_ms, &c->text, &c->err);
    }
    if (rc < 0) {
        gm_upload_call_fail(c, &c->err);
        return;
    }
    c->writes = true;
    gm_upload_call_run(c, manifest_work, manifest_done);
}

void gm_handle_upload_complete(struct gm_request *r)
{
    struct gm_upload_call *c = gm_upload_call_create(r);
    struct gm_upload *u = c != NULL ? gm_upload_call_find_asked(c) : NULL;
    struct gm_err err = {0};
    if (u == NULL) {
        return;
    }
    if (gm_request_no_members(r, &err) < 0) {
        gm_upload_call_fail(c, &err);
        return;
    }
    if (u->complete) {
        gm_upload_call_answer(c, MHD_HTTP_OK, gm_upload_call_doc(c, u, false));
        return;
    }
    gm_upload_call_run(c, list_work, list_done);
}
