/* Nodes ask for the parts of uploads: URLs of those that are there go at once, of the others when
 * they have come. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "proto/envelope.h"
#include "scheduler/remote_urls.h"
#include "scheduler/uploads_desk_parts.h"

#define URL_MS ((int64_t)60 * 60 * 1000)
#define LEASE_WAITS 256 /* asks of a lease: more than all parts fill */

static void send_answer(struct gm_daemon *d, const char *node_id, Gm__PartsAnswer *answer)
{
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_PARTS_ANSWER;
    env.parts_answer = answer;
    gm_wire_send(d, node_id, &env);
}

static void send_error(struct gm_daemon *d, const char *node_id, uint64_t request,
                       const struct gm_err *why)
{
    Gm__PartsAnswer answer = GM__PARTS_ANSWER__INIT;
    Gm__Error error = GM__ERROR__INIT;
    gm_err_to_msg(why, &error);
    answer.request = request;
    answer.error = &error;
    send_answer(d, node_id, &answer);
}

/* One that is there; *out_url: owned. */
static int sign(const struct gm_upload_desk *desk, const struct gm_upload *u, uint32_t index,
                char **out_url, struct gm_err *err)
{
    char key[GM_UPLOAD_KEY_SIZE];
    gm_upload_part_key(u, index, key);
    return gm_remote_urls_read(desk->d->stores, desk->d->settings->uploads, key, URL_MS, out_url,
                               err);
}

/* Sends those that are there; the others stay in the wait. */
static int give(const struct gm_upload_desk *desk, struct gm_upload *u, struct gm_parts_wait *w,
                struct gm_err *err)
{
    Gm__PartUrl url[GM_PARTS_ASK_MAX], *list[GM_PARTS_ASK_MAX];
    Gm__PartsAnswer answer = GM__PARTS_ANSWER__INIT;
    int64_t until = gm_time_unix_ms() + URL_MS;
    size_t left = 0;
    int rc = 0;
    answer.request = w->request;
    answer.urls = list;
    for (size_t i = 0; rc == 0 && i < w->count; i++) {
        uint32_t index = w->parts[i];
        if (index >= u->count) {
            rc = gm_err_set(err, GM_E_PROTO, index, "the upload has no part %u", index);
        } else if (!u->parts[index].there) {
            w->parts[left++] = index;
        } else {
            Gm__PartUrl *one = &url[answer.n_urls];
            gm__part_url__init(one);
            rc = sign(desk, u, index, &one->url, err);
            one->index = index;
            one->etag = u->etag; /* where the name holds no hash */
            one->expires_unix_ms = until;
            list[answer.n_urls] = one;
            answer.n_urls += rc == 0;
        }
    }
    if (rc == 0) {
        w->count = left;
    }
    if (rc == 0 && answer.n_urls > 0) {
        u->read = true;
        send_answer(desk->d, w->node_id, &answer);
    }
    for (size_t i = 0; i < answer.n_urls; i++) {
        free(url[i].url);
    }
    return rc;
}

/* Whether it goes on waiting; below 0: why it ends. */
static int serve(const struct gm_upload_desk *desk, struct gm_parts_wait *w, struct gm_err *err)
{
    struct gm_upload *u = gm_uploads_find(&desk->table, w->upload);
    int64_t idle_ms = desk->d->settings->upload_idle_ms;
    if (u == NULL || u->leaving) {
        return gm_err_set(err, GM_E_UPLOAD_ENDED, 0, "there is no upload %s any more", w->upload);
    }
    int rc = give(desk, u, w, err);
    if (rc < 0 || w->count == 0) {
        return rc;
    }
    if (gm_upload_state(u, gm_time_unix_ms(), idle_ms) == GM_UPLOAD_IDLE) {
        return gm_err_set(err, GM_E_UPLOAD_ENDED, 0,
                          "no part of upload %s came for %lld s, %u of %u are missing", u->id,
                          (long long)(idle_ms / 1000), u->count - u->there, u->count);
    }
    return 1;
}

void gm_upload_asks_serve(struct gm_upload_desk *desk, const char *id)
{
    struct gm_parts_wait **at = &desk->waits;
    desk->changed = true;
    while (desk->known && *at != NULL) {
        struct gm_parts_wait *w = *at;
        struct gm_err err = {0};
        int rc = id == NULL || strcmp(id, w->upload) == 0 ? serve(desk, w, &err) : 1;
        if (rc > 0) {
            at = &w->next;
            continue;
        }
        if (rc < 0) {
            gm_log_err(GM_LOG_WARN, "parts_refused", &err, "node=%s upload=%s", w->node_id,
                       w->upload);
            send_error(desk->d, w->node_id, w->request, &err);
        }
        *at = w->next;
        free(w);
    }
}

void gm_upload_asks_give_up(struct gm_upload_desk *desk, gm_time now)
{
    struct gm_parts_wait **at = &desk->waits;
    while (*at != NULL) {
        struct gm_parts_wait *w = *at;
        if (desk->error.code == GM_OK || now - w->since < GM_UPLOAD_LIST_PATIENCE) {
            at = &w->next;
            continue;
        }
        gm_log_err(GM_LOG_WARN, "parts_refused", &desk->error, "node=%s upload=%s", w->node_id,
                   w->upload);
        send_error(desk->d, w->node_id, w->request, &desk->error);
        *at = w->next;
        free(w);
    }
}

void gm_upload_asks_fini(struct gm_upload_desk *desk)
{
    while (desk->waits != NULL) {
        struct gm_parts_wait *w = desk->waits;
        desk->waits = w->next;
        free(w);
    }
}

/* The same ask again, or too many of a lease: the older one goes. Since when the first one of the
 * lease waits. */
static gm_time make_room(struct gm_upload_desk *desk, uint64_t epoch, uint64_t request)
{
    struct gm_parts_wait **at = &desk->waits;
    gm_time since = gm_time_now();
    size_t count = 0;
    while (*at != NULL) {
        struct gm_parts_wait *w = *at;
        count += w->epoch == epoch;
        since = w->epoch == epoch && w->since < since ? w->since : since;
        if (w->epoch == epoch && (w->request == request || count >= LEASE_WAITS)) {
            *at = w->next;
            free(w);
        } else {
            at = &w->next;
        }
    }
    return since;
}

void gm_upload_desk_ask(struct gm_daemon *d, const char *node_id, const Gm__PartsAsk *ask)
{
    const char *source = gm_view_lease_source(d->core, ask->epoch, node_id);
    const char *id = NULL;
    struct gm_err err = {0};
    if (source == NULL || !gm_parts_is_url(source, &id)) {
        gm_log(GM_LOG_DEBUG, "parts_of_no_lease", "node=%s epoch=%llu", node_id,
               (unsigned long long)ask->epoch);
        GM_IGNORE(gm_err_set(&err, GM_E_STALE, 0, "its lease has ended, or reads no upload"),
                  "told");
        send_error(d, node_id, ask->request, &err);
        return;
    }
    if (d->uploads == NULL) {
        GM_IGNORE(gm_err_set(&err, GM_E_UPLOADS_OFF, 0, "the scheduler has no `uploads` any more"),
                  "told");
        send_error(d, node_id, ask->request, &err);
        return;
    }
    struct gm_parts_wait *w = calloc(1, sizeof *w);
    if (w == NULL) {
        GM_IGNORE(gm_err_nomem(&err), "told");
        send_error(d, node_id, ask->request, &err);
        return;
    }
    w->since = make_room(d->uploads, ask->epoch, ask->request);
    (void)strncpy(w->node_id, node_id, sizeof w->node_id - 1);
    (void)strncpy(w->upload, id, sizeof w->upload - 1);
    w->epoch = ask->epoch;
    w->request = ask->request;
    w->count = ask->n_parts;
    memcpy(w->parts, ask->parts, ask->n_parts * sizeof *w->parts);
    w->next = d->uploads->waits;
    d->uploads->waits = w;
    gm_upload_asks_serve(d->uploads, w->upload);
}

void gm_upload_desk_drop_lease(struct gm_upload_desk *desk, uint64_t epoch)
{
    struct gm_parts_wait **at = desk != NULL ? &desk->waits : NULL;
    while (at != NULL && *at != NULL) {
        struct gm_parts_wait *w = *at;
        if (w->epoch == epoch) {
            *at = w->next;
            free(w);
        } else {
            at = &w->next;
        }
    }
}
