/* What is asked of the scheduler about a file on its way. Its answers are checked: they say where
 * bytes go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/job.h"
#include "cli/send.h"
#include "cli/url.h"

#define BATCH 64    /* parts in one request */
#define NOT_THERE 4 /* times that the scheduler did not see a part that was put */
#define BUSY_FOR (60 * GM_SEC)
#define BUSY_PAUSE (300 * GM_MS)

int gm_send_path(const char *id, const char *suffix, char **out, struct gm_err *err)
{
    char *escaped = NULL;
    int rc = gm_url_escape(id, &escaped, err);
    if (rc < 0) {
        return rc;
    }
    if (asprintf(out, "/v1/uploads/%s%s", escaped, suffix) < 0) {
        rc = gm_err_nomem(err);
    }
    free(escaped);
    return rc;
}

int gm_send_call(struct gm_session *session, const char *method, const char *path,
                 const json_t *body, json_t **out, struct gm_err *err)
{
    gm_time deadline = gm_time_now() + BUSY_FOR;
    struct gm_answer answer = {0};
    int rc = gm_session_call(session, method, path, body, true, &answer, err);
    while (rc == -GM_E_BUSY && gm_time_now() < deadline && session->interrupts == 0) {
        gm_time until = gm_time_now() + BUSY_PAUSE;
        for (rc = 0; rc == 0 && gm_time_now() < until;) {
            rc = gm_session_turn(session, (int)(BUSY_PAUSE / GM_MS), err);
        }
        rc = rc < 0 ? rc : gm_session_call(session, method, path, body, true, &answer, err);
    }
    if (rc == 0) {
        *out = answer.body;
    }
    return rc;
}

static int call(struct gm_send *send, const char *method, const char *suffix, const json_t *body,
                json_t **out, struct gm_err *err)
{
    char *path = NULL;
    int rc = gm_send_path(send->id, suffix, &path, err);
    if (rc == 0) {
        rc = gm_send_call(send->session, method, path, body, out, err);
        free(path);
    }
    return rc;
}

static int odd(const char *what, struct gm_err *err)
{
    return gm_err_set(err, GM_E_PROTO, 0, "the scheduler's answer was odd: %s", what);
}

/* False: no part of ours. */
static bool take_index(const struct gm_send *send, const json_t *entry, size_t *out)
{
    const json_t *number = json_object_get(entry, "index");
    json_int_t index = json_integer_value(number);
    if (!json_is_integer(number) || index < 0 || (uint64_t)index >= send->count) {
        return false;
    }
    *out = (size_t)index;
    return true;
}

static bool is_hash(const char *text)
{
    return strlen(text) == (size_t)2 * GM_SHA256_SIZE &&
           strspn(text, "0123456789abcdef") == (size_t)2 * GM_SHA256_SIZE;
}

/* A part that the scheduler has. */
static int look_at(struct gm_send *send, const json_t *entry, bool *found, struct gm_err *err)
{
    size_t index = 0;
    const char *hash = gm_job_text(entry, "sha256");
    if (!take_index(send, entry, &index) || !is_hash(hash)) {
        return odd("it lists what is no part", err);
    }
    struct gm_send_part *part = &send->parts[index];
    found[index] = true;
    if (part->state == GM_SEND_WAITS) {
        part->known = true;
        memcpy(part->hash, hash, sizeof part->hash);
    } else if (strcmp(part->hash, hash) != 0) {
        return gm_err_set(err, GM_E_STORE_CORRUPT, 0,
                          "part %zu of %.100s has other bytes there than here", index, send->path);
    }
    return 0;
}

int gm_send_look(struct gm_send *send, struct gm_err *err)
{
    json_t *doc = NULL;
    const json_t *entry;
    size_t i;
    bool *found = calloc(send->count, sizeof *found);
    int rc = found == NULL ? gm_err_nomem(err) : call(send, "GET", "?parts=1", NULL, &doc, err);
    if (rc == 0 && gm_job_number(doc, "size") != (int64_t)send->was.st_size) {
        rc = odd("the upload is of another size", err);
    }
    json_array_foreach(json_object_get(doc, "hashes"), i, entry)
    {
        rc = rc < 0 ? rc : look_at(send, entry, found, err);
    }
    for (i = 0; rc == 0 && i < send->count; i++) {
        struct gm_send_part *part = &send->parts[i];
        if (part->state == GM_SEND_THERE && !found[i]) {
            part->state = GM_SEND_WAITS;
            part->known = false;
            send->there--;
            send->next = 0;
        }
    }
    json_decref(doc);
    free(found);
    return rc;
}

/* {"parts": [...]} of those in that state whose time has come, at most so many; NULL: there are
 * none, or memory. */
static json_t *list_parts(const struct gm_send *send, enum gm_send_state state, size_t most,
                          bool md5, size_t *out_count)
{
    gm_time now = gm_time_now();
    json_t *parts = json_array();
    *out_count = 0;
    for (size_t i = 0; parts != NULL && i < send->count && *out_count < most; i++) {
        size_t index = send->order[i];
        const struct gm_send_part *part = &send->parts[index];
        if (part->state != state || part->not_before > now) {
            continue;
        }
        json_t *entry = json_pack("{s:I,s:s}", "index", (json_int_t)index, "sha256", part->hash);
        if (md5 && part->md5[0] != '\0' &&
            json_object_set_new(entry, "md5", json_string(part->md5)) != 0) {
            json_decref(entry);
            entry = NULL;
        }
        if (json_array_append_new(parts, entry) != 0) {
            break;
        }
        ++*out_count;
    }
    if (*out_count == 0) {
        json_decref(parts);
        return NULL;
    }
    return json_pack("{s:o}", "parts", parts);
}

int gm_send_tell(struct gm_send *send, struct gm_err *err)
{
    size_t count = 0, i;
    const json_t *entry;
    json_t *doc = NULL;
    bool again = false;
    json_t *body = list_parts(send, GM_SEND_PUT, BATCH, false, &count);
    if (body == NULL) {
        return count == 0 ? 0 : gm_err_nomem(err);
    }
    int rc = call(send, "POST", "/parts", body, &doc, err);
    json_array_foreach(json_object_get(body, "parts"), i, entry)
    {
        struct gm_send_part *part = &send->parts[gm_job_number(entry, "index")];
        if (rc == 0) {
            part->state = GM_SEND_THERE;
            send->there++;
        } else if (rc == -GM_E_CONFLICT && ++part->failures < NOT_THERE) {
            part->state = GM_SEND_HASHED; /* one of them is not there: a grant tells which */
            again = true;
        }
    }
    json_decref(body);
    json_decref(doc);
    return again ? 0 : rc;
}

/* Takes what an answer says of one part; entry is kept by the way that sends it. */
static int take_grant(struct gm_send *send, json_t *entry, struct gm_err *err)
{
    size_t index = 0;
    struct gm_send_way *way = NULL;
    if (!take_index(send, entry, &index) || send->parts[index].state != GM_SEND_HASHED) {
        return odd("it grants what was not asked for", err);
    }
    struct gm_send_part *part = &send->parts[index];
    if (json_is_true(json_object_get(entry, "there"))) {
        part->state = GM_SEND_PUT;
        return 0;
    }
    if (json_is_true(json_object_get(entry, "needs_md5"))) {
        if (send->md5 && part->md5[0] != '\0') {
            return odd("it asks for an MD5 that it has", err);
        }
        send->md5 = true;
        part->state = GM_SEND_WAITS; /* hashed anew, with it */
        send->next = 0;
        return 0;
    }
    for (size_t i = 0; i < send->way_count && way == NULL; i++) {
        way = send->ways[i].taken ? NULL : &send->ways[i];
    }
    if (way == NULL || gm_job_text(entry, "url")[0] == '\0') {
        return odd("a grant has no URL", err);
    }
    *way = (struct gm_send_way){
        .send = send, .part = index, .taken = true, .grant = json_incref(entry)};
    part->state = GM_SEND_GRANTED;
    return 0;
}

int gm_send_ask(struct gm_send *send, size_t most, struct gm_err *err)
{
    size_t count = 0, i;
    json_t *entry, *doc = NULL;
    json_t *body = list_parts(send, GM_SEND_HASHED, most < BATCH ? most : BATCH, true, &count);
    if (body == NULL) {
        return count == 0 ? 0 : gm_err_nomem(err);
    }
    int rc = call(send, "POST", "/grants", body, &doc, err);
    const json_t *grants = json_object_get(doc, "grants");
    if (rc == 0 && json_array_size(grants) != count) {
        rc = odd("it grants other parts than were asked for", err);
    }
    json_array_foreach(grants, i, entry)
    {
        rc = rc < 0 ? rc : take_grant(send, entry, err);
    }
    json_decref(body);
    json_decref(doc);
    return rc;
}
