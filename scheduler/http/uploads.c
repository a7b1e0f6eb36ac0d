/* /v1/uploads: begun, granted, looked at, completed, deleted. The loop knows the uploads; what asks
 * the bucket runs on the pool, with copies of what it needs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/id.h"
#include "scheduler/http/request.h"
#include "scheduler/json.h"
#include "scheduler/uploads_desk.h"

#define BODY_MAX ((size_t)1 << 20)
#define GRANT_MS ((int64_t)60 * 60 * 1000)
#define STORES_TIME (20 * GM_SEC) /* the bucket's in all; a client waits for a minute */
#define DELETE_TIME (50 * GM_SEC) /* what is left of one of 10,000 parts the sweep deletes */
#define ASK_MAX 64

struct named {
    uint32_t index;
    bool has_md5;
    uint8_t sha256[GM_SHA256_SIZE];
    uint8_t md5[GM_MD5_SIZE];
};

struct call {
    struct gm_request *r; /* borrowed */
    struct gm_upload_desk *desk;
    struct gm_uploads_place place;
    char id[GM_ID_SIZE];
    struct gm_upload *made;      /* owned: a new one that is not in the table */
    struct gm_uploads listed;    /* what complete found */
    struct named named[ASK_MAX]; /* that grants and parts ask for */
    struct gm_upload_seen seen[ASK_MAX];
    size_t count;
    char *text; /* owned: manifest.json */
    int64_t unix_ms;
    void (*work)(struct call *c);
    bool writes; /* asks who leads */
    bool begun;  /* counted by the desk */
    int rc;
    struct gm_err err;
};

static void call_destroy(struct call *c)
{
    if (c->begun) {
        gm_upload_desk_began(c->desk);
    }
    gm_upload_destroy(&c->made);
    gm_uploads_fini(&c->listed);
    free(c->text);
    free(c);
}

static void call_fail(struct call *c, const struct gm_err *err)
{
    gm_request_fail(c->r, err);
    call_destroy(c);
}

/* NULL: the request was answered. */
static struct call *call_create(struct gm_request *r)
{
    struct gm_upload_desk *desk = gm_daemon_uploads(r->http->d);
    struct gm_err err = {0};
    struct call *c = NULL;
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

static struct gm_upload *find(const struct call *c, struct gm_err *err)
{
    struct gm_upload *u = gm_uploads_find(gm_upload_desk_table(c->desk), c->id);
    if (u == NULL || u->leaving) {
        (void)gm_err_set(err, GM_E_NOTFOUND, 0, "there is no upload %.64s", c->id);
        return NULL;
    }
    return u;
}

/* The upload of the path. NULL: the request was answered, and c is gone. */
static struct gm_upload *find_asked(struct call *c)
{
    struct gm_err err = {0};
    (void)snprintf(c->id, sizeof c->id, "%.26s", strlen(c->r->id) < sizeof c->id ? c->r->id : "");
    struct gm_upload *u = find(c, &err);
    if (u == NULL) {
        call_fail(c, &err);
    }
    return u;
}

static void delete_work(struct call *c);

/* On the pool. */
static void work_limited(void *arg)
{
    struct call *c = arg;
    const struct gm_stores_limit limit = {
        .until = gm_time_now() + (c->work == delete_work ? DELETE_TIME : STORES_TIME),
        .wanted = c->writes ? gm_upload_desk_leads : NULL,
        .arg = c->desk};
    gm_stores_limit(&limit);
    c->rc = c->writes ? gm_upload_desk_leads(c->desk, &c->err) : 0;
    if (c->rc == 0) {
        c->work(c);
    }
    gm_stores_limit(NULL);
}

static void run(struct call *c, void (*work)(struct call *c), void (*done)(void *arg))
{
    struct gm_err err = {0};
    c->work = work;
    if (gm_daemon_work(c->r->http->d, work_limited, done, c, &err) < 0) {
        call_fail(c, &err);
    }
}

static void answer(struct call *c, unsigned status, json_t *doc)
{
    gm_request_json(c->r, status, doc);
    call_destroy(c);
}

static json_t *doc_of(const struct call *c, const struct gm_upload *u, bool hashes)
{
    struct gm_upload_limits limits = gm_upload_desk_limits(c->desk);
    return gm_upload_doc(u, &limits, c->unix_ms, hashes);
}

/* ---- begin */

static void create_work(struct call *c)
{
    char key[GM_UPLOAD_KEY_SIZE], *text = NULL;
    gm_upload_info_key(c->id, key);
    c->rc = gm_upload_info_text(c->made, &text, &c->err);
    if (c->rc == 0) { /* it must hold who has a URL to the bytes */
        c->rc = gm_stores_probe(c->place.stores, c->place.url, &c->err);
    }
    if (c->rc == 0) {
        c->rc = gm_uploads_put(&c->place, key, text, &c->err);
    }
    free(text);
}

/* A file as it is by `curl -T`. */
static int add_whole(const struct call *c, json_t *doc, struct gm_err *err)
{
    char key[GM_UPLOAD_KEY_SIZE];
    struct gm_remote_part_grant grant = {.url = NULL};
    gm_upload_part_key(c->made, 0, key);
    const struct gm_remote_part part = {.store_url = c->place.url,
                                        .key = key,
                                        .size = c->made->size,
                                        .expires_s = (uint32_t)(GM_UPLOAD_WHOLE_MS / 1000)};
    int rc = gm_stores_grant_part(c->place.stores, &part, &grant, err);
    if (rc == 0 && (json_object_set_new(doc, "url", json_string(grant.url)) != 0 ||
                    json_object_set_new(doc, "headers", json_object()) != 0 ||
                    json_object_set_new(doc, "url_expires_unix_ms",
                                        json_integer(c->unix_ms + GM_UPLOAD_WHOLE_MS)) != 0 ||
                    json_object_set_new(
                        doc, "why",
                        json_string("an object that is put as a whole can be read only when "
                                    "all of it is there: jobs begin after the upload")) != 0)) {
        rc = gm_err_nomem(err);
    }
    free(grant.url);
    return rc;
}

static void create_done(void *arg)
{
    struct call *c = arg;
    json_t *doc = NULL;
    if (c->rc == 0) {
        doc = doc_of(c, c->made, false);
        c->rc = doc == NULL ? gm_err_nomem(&c->err) : 0;
    }
    if (c->rc == 0 && c->made->whole) {
        c->rc = add_whole(c, doc, &c->err);
    }
    if (c->rc < 0) {
        json_decref(doc);
        call_fail(c, &c->err);
        return;
    }
    gm_uploads_add(gm_upload_desk_table(c->desk), c->made);
    c->made = NULL;
    answer(c, MHD_HTTP_CREATED, doc);
}

void gm_handle_upload(struct gm_request *r)
{
    struct call *c = call_create(r);
    struct gm_err err = {0};
    json_t *body = NULL;
    if (c == NULL) {
        return;
    }
    struct gm_upload_limits limits = gm_upload_desk_limits(c->desk);
    int rc = gm_request_object(r, &body, &err);
    if (rc == 0) {
        rc = gm_id_make(c->id, &err);
    }
    if (rc == 0) {
        rc = gm_upload_announced(body, c->id, &limits, c->unix_ms, &c->made, &err);
    }
    if (rc == 0) {
        rc = gm_upload_desk_begin(c->desk, &err);
        c->begun = rc == 0;
    }
    json_decref(body);
    if (rc < 0) {
        call_fail(c, &err);
        return;
    }
    c->writes = true;
    run(c, create_work, create_done);
}

/* ---- what is said of parts */

static int base64_md5(const char *text, uint8_t out[GM_MD5_SIZE])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0, count = 0;
    size_t size = 0;
    if (text == NULL || strlen(text) != 24 || strspn(text, digits) != 22 ||
        strcmp(text + 22, "==") != 0) {
        return -GM_E_INVAL;
    }
    for (size_t i = 0; i < 22; i++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, text[i]) - digits);
        count += 6;
        if (count >= 8) { /* 22 digits are 16 bytes and 4 bits */
            count -= 8;
            out[size++] = (uint8_t)(bits >> count);
        }
    }
    return 0;
}

static int read_named(const json_t *part, const char *const *known, bool whole, struct named *out,
                      struct gm_err *err)
{
    const json_t *index = json_object_get(part, "index");
    const json_t *hash = json_object_get(part, "sha256");
    const json_t *md5 = json_object_get(part, "md5");
    if (!json_is_object(part)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`parts` is a list of {`index`, `sha256`}");
    }
    int rc = gm_json_check_keys(part, known, err);
    if (rc < 0) {
        return rc;
    }
    json_int_t at = json_integer_value(index);
    if (!json_is_integer(index) || at < 0 || at >= GM_PARTS_MAX) {
        return gm_err_set(err, GM_E_INVAL, 0, "`index` is the number of a part, from 0 on");
    }
    if (hash == NULL ? !whole
                     : !json_is_string(hash) || whole ||
                           !gm_upload_hash_read(json_string_value(hash), out->sha256)) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          whole ? "an upload as a whole has no `sha256`"
                                : "`sha256` is the part's, 64 hex digits in lower case");
    }
    if (md5 != NULL && base64_md5(json_string_value(md5), out->md5) < 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "`md5` is the part's MD5 in base64");
    }
    out->has_md5 = md5 != NULL;
    out->index = (uint32_t)at;
    return 0;
}

/* {"parts": [...]} */
static int read_parts(struct call *c, const char *const *known, bool whole, struct gm_err *err)
{
    static const char *const members[] = {"parts", NULL};
    json_t *body = NULL;
    int rc = gm_request_object(c->r, &body, err);
    if (rc == 0) {
        rc = gm_json_check_keys(body, members, err);
    }
    const json_t *list = json_object_get(body, "parts");
    size_t count = json_array_size(list);
    if (rc == 0 && (count == 0 || count > ASK_MAX)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "`parts` is a list of 1 to %d parts", ASK_MAX);
    }
    for (; rc == 0 && c->count < count; c->count++) {
        rc = read_named(json_array_get(list, c->count), known, whole, &c->named[c->count], err);
    }
    json_decref(body);
    return rc;
}

/* ---- grants */

static void probe_work(struct call *c)
{
    c->rc = gm_stores_probe(c->place.stores, c->place.url, &c->err);
}

static int grant_part(const struct call *c, const struct gm_upload *u, const struct named *n,
                      json_t **out, struct gm_err *err)
{
    char key[GM_UPLOAD_KEY_SIZE];
    struct gm_remote_part_grant grant = {.url = NULL};
    const json_int_t until = c->unix_ms + GRANT_MS;
    gm_upload_part_key(u, n->index, key);
    const struct gm_remote_part part = {.store_url = c->place.url,
                                        .key = key,
                                        .size = u->parts[n->index].size,
                                        .sha256 = n->sha256,
                                        .md5 = n->has_md5 ? n->md5 : NULL,
                                        .expires_s = (uint32_t)(GRANT_MS / 1000)};
    int rc = gm_stores_grant_part(c->place.stores, &part, &grant, err);
    if (rc == 0 && grant.waits) {
        rc = gm_err_set(err, GM_E_BUSY, 0, "the store is being tried");
    }
    if (rc < 0) {
        return rc;
    }
    *out = grant.needs_md5 ? json_pack("{s:I, s:b}", "index", (json_int_t)n->index, "needs_md5", 1)
                           : json_pack("{s:I, s:s, s:{s:s}, s:I}", "index", (json_int_t)n->index,
                                       "url", grant.url, "headers", grant.header, grant.value,
                                       "expires_unix_ms", until);
    free(grant.url);
    return *out != NULL ? 0 : gm_err_nomem(err);
}

/* *granted: a URL went out. */
static int grant_all(struct call *c, struct gm_upload *u, json_t *list, bool *granted,
                     struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < c->count; i++) {
        struct named *n = &c->named[i];
        json_t *one = NULL;
        rc = gm_upload_name(u, n->index, n->sha256, err);
        if (rc == 1) {
            one = json_pack("{s:I, s:b}", "index", (json_int_t)n->index, "there", 1);
            rc = one == NULL ? gm_err_nomem(err) : 0;
        } else if (rc == 0) {
            rc = grant_part(c, u, n, &one, err);
            *granted = *granted || rc == 0;
        }
        if (rc == 0 && json_array_append_new(list, one) != 0) {
            rc = gm_err_nomem(err);
        }
    }
    return rc;
}

static void grants_done(void *arg)
{
    struct call *c = arg;
    json_t *list = json_array();
    struct gm_upload *u = c->rc == 0 ? find(c, &c->err) : NULL;
    bool granted = false;
    int rc = list == NULL ? gm_err_nomem(&c->err) : 0;
    if (rc == 0) {
        rc = u == NULL ? -(int)c->err.code : grant_all(c, u, list, &granted, &c->err);
    }
    if (rc < 0) {
        json_decref(list);
        call_fail(c, &c->err);
        return;
    }
    if (granted && u->changed_unix_ms < c->unix_ms) { /* it is under way, though no part came yet */
        u->changed_unix_ms = c->unix_ms;
    }
    answer(c, MHD_HTTP_OK, json_pack("{s:o}", "grants", list));
}

void gm_handle_upload_grants(struct gm_request *r)
{
    static const char *const known[] = {"index", "sha256", "md5", NULL};
    struct call *c = call_create(r);
    struct gm_upload *u = c != NULL ? find_asked(c) : NULL;
    struct gm_err err = {0};
    if (u == NULL) {
        return;
    }
    int rc = read_parts(c, known, false, &err);
    for (size_t i = 0; rc >= 0 && i < c->count; i++) { /* refused before anything is asked */
        rc = gm_upload_name(u, c->named[i].index, c->named[i].sha256, &err);
    }
    if (rc < 0) {
        call_fail(c, &err);
        return;
    }
    if (gm_stores_is_probed(c->place.stores, c->place.url)) { /* to sign asks nobody */
        grants_done(c);
        return;
    }
    run(c, probe_work, grants_done);
}

/* ---- parts that were put */

static void look_work(struct call *c)
{
    c->rc = gm_uploads_look(&c->place, c->seen, c->count, &c->err);
}

static void look_done(void *arg)
{
    struct call *c = arg;
    struct gm_upload *u = c->rc == 0 ? find(c, &c->err) : NULL;
    size_t missing = c->count;
    if (u == NULL) {
        call_fail(c, &c->err);
        return;
    }
    for (size_t i = c->count; i-- > 0;) {
        const struct named *n = &c->named[i];
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
        call_fail(c, &c->err);
        return;
    }
    answer(c, MHD_HTTP_OK,
           json_pack("{s:I, s:I}", "there", (json_int_t)u->there, "parts", (json_int_t)u->count));
}

void gm_handle_upload_parts(struct gm_request *r)
{
    static const char *const known[] = {"index", "sha256", NULL};
    struct call *c = call_create(r);
    struct gm_upload *u = c != NULL ? find_asked(c) : NULL;
    struct gm_err err = {0};
    if (u == NULL) {
        return;
    }
    int rc = read_parts(c, known, u->whole, &err);
    for (size_t i = 0; rc >= 0 && i < c->count; i++) {
        const struct named *n = &c->named[i];
        rc = gm_upload_name(u, n->index, u->whole ? NULL : n->sha256, &err);
        if (rc >= 0) {
            gm_upload_part_key(u, n->index, c->seen[i].key);
            c->seen[i].size = u->parts[n->index].size;
            c->seen[i].there = rc == 1; /* not asked for again */
        }
    }
    if (rc < 0) {
        call_fail(c, &err);
        return;
    }
    run(c, look_work, look_done);
}

/* ---- the end */

static void manifest_work(struct call *c)
{
    char key[GM_UPLOAD_KEY_SIZE];
    gm_upload_manifest_key(c->id, key);
    c->rc = gm_uploads_put(&c->place, key, c->text, &c->err);
}

static void manifest_done(void *arg)
{
    struct call *c = arg;
    struct gm_upload *u = c->rc == 0 ? find(c, &c->err) : NULL;
    if (u == NULL) {
        call_fail(c, &c->err);
        return;
    }
    u->complete = true;
    u->changed_unix_ms = c->unix_ms;
    answer(c, MHD_HTTP_OK, doc_of(c, u, false));
}

static void list_work(struct call *c)
{
    c->rc = gm_uploads_scan(&c->place, c->id, c->unix_ms, &c->listed, NULL, &c->err);
}

/* Parts that were seen and that the list lacks, which may lag behind: how many are to be looked at,
 * ASK_MAX at a time. */
static size_t find_unlisted(struct call *c, const struct gm_upload *u)
{
    const struct gm_upload *listed = gm_uploads_find(&c->listed, c->id);
    bool fits = listed != NULL && listed->count == u->count;
    c->count = 0;
    for (uint32_t i = 0; fits && i < u->count && c->count < ASK_MAX; i++) {
        if (u->parts[i].there && !listed->parts[i].there) {
            struct gm_upload_seen *seen = &c->seen[c->count];
            *seen = (struct gm_upload_seen){.size = u->parts[i].size};
            gm_upload_part_key(u, i, seen->key);
            c->named[c->count++].index = i;
        }
    }
    return c->count;
}

/* Those count as listed, or as never seen. */
static void take_unlisted(struct call *c, struct gm_upload *u)
{
    struct gm_upload *listed = gm_uploads_find(&c->listed, c->id);
    for (size_t i = 0; i < c->count; i++) {
        uint32_t index = c->named[i].index;
        if (c->seen[i].there) {
            listed->parts[index] = u->parts[index];
            listed->parts[index].there = true;
        } else if (u->parts[index].there) {
            u->parts[index].there = false;
            u->there--;
        }
    }
}

/* What is in the bucket counts, whatever was told: and what is not there does not. */
static int take_listed(struct call *c, struct gm_upload *u, struct gm_err *err)
{
    const struct gm_upload *listed = gm_uploads_find(&c->listed, c->id);
    if (listed == NULL || listed->count != u->count || listed->size != u->size) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "the upload is not in the store any more");
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
    struct call *c = arg;
    struct gm_upload *u = c->rc == 0 ? find(c, &c->err) : NULL;
    if (u != NULL) {
        take_unlisted(c, u);
    }
    list_done(c);
}

static void list_done(void *arg)
{
    struct call *c = arg;
    struct gm_upload *u = c->rc == 0 ? find(c, &c->err) : NULL;
    if (u != NULL && find_unlisted(c, u) > 0) {
        run(c, look_work, unlisted_done);
        return;
    }
    int rc = u == NULL ? -(int)c->err.code : take_listed(c, u, &c->err);
    if (rc == 0) {
        rc = gm_upload_manifest_text(u, c->unix_ms, &c->text, &c->err);
    }
    if (rc < 0) {
        call_fail(c, &c->err);
        return;
    }
    c->writes = true;
    run(c, manifest_work, manifest_done);
}

void gm_handle_upload_complete(struct gm_request *r)
{
    struct call *c = call_create(r);
    struct gm_upload *u = c != NULL ? find_asked(c) : NULL;
    if (u == NULL) {
        return;
    }
    if (u->complete) {
        answer(c, MHD_HTTP_OK, doc_of(c, u, false));
        return;
    }
    run(c, list_work, list_done);
}

static void delete_work(struct call *c)
{
    c->rc = gm_uploads_remove(&c->place, c->id, &c->err);
}

static void delete_done(void *arg)
{
    struct call *c = arg;
    struct gm_uploads *table = gm_upload_desk_table(c->desk);
    struct gm_upload *u = gm_uploads_find(table, c->id);
    if (c->rc < 0) { /* it is leaving all the same: the sweep tries again */
        call_fail(c, &c->err);
        return;
    }
    if (u != NULL) {
        gm_uploads_drop(table, u);
    }
    answer(c, MHD_HTTP_OK, json_pack("{s:s, s:b}", "id", c->id, "deleted", 1));
}

void gm_handle_upload_delete(struct gm_request *r)
{
    struct call *c = call_create(r);
    struct gm_upload *u = c != NULL ? find_asked(c) : NULL;
    if (u == NULL) {
        return;
    }
    u->leaving = true;
    gm_upload_desk_changed(c->desk, c->id);
    c->writes = true;
    run(c, delete_work, delete_done);
}

/* ---- what there is */

void gm_handle_upload_show(struct gm_request *r)
{
    struct call *c = call_create(r);
    const struct gm_upload *u = c != NULL ? find_asked(c) : NULL;
    if (u != NULL) {
        const char *parts = gm_request_query(r, "parts");
        answer(c, MHD_HTTP_OK, doc_of(c, u, parts != NULL && strcmp(parts, "1") == 0));
    }
}

void gm_handle_uploads(struct gm_request *r)
{
    struct call *c = call_create(r);
    json_t *list = c != NULL ? json_array() : NULL;
    if (c == NULL) {
        return;
    }
    for (const struct gm_upload *u = gm_upload_desk_table(c->desk)->all; u != NULL;
         u = u->hh.next) {
        if (!u->complete && !u->leaving) {
            list = gm_json_add(list, doc_of(c, u, false));
        }
    }
    answer(c, MHD_HTTP_OK, json_pack("{s:o}", "uploads", list));
}
