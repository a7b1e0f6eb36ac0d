#include "scheduler/remote_urls.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/log.h"

#define SOURCE_S (24 * 60 * 60)
#define UNTRIED (30 * GM_SEC) /* nodes ask again after 5 s */
#define PROBES_MAX 4          /* at once: each may keep a thread of the pool waiting */

int gm_remote_urls_source(struct gm_stores *stores, const char *url, char **out_url,
                          struct gm_err *err)
{
    if (gm_s3_is_url(url)) {
        return gm_stores_grant_read(stores, url, SOURCE_S, out_url, err);
    }
    *out_url = strdup(url);
    return *out_url != NULL ? 0 : gm_err_nomem(err);
}

int gm_remote_urls_read(struct gm_stores *stores, const char *store_url, const char *key,
                        int64_t valid_ms, char **out_url, struct gm_err *err)
{
    struct gm_buf url = {0};
    gm_buf_printf(&url, "%s/%s", store_url, key);
    int rc = gm_buf_check(&url, err);
    if (rc == 0) {
        rc = gm_stores_grant_read(stores, (const char *)url.data, (uint32_t)(valid_ms / 1000),
                                  out_url, err);
    }
    gm_buf_fini(&url);
    return rc;
}

/* ---- the question to an endpoint that has not been tried, as after a start */

struct gm_probe {
    struct gm_probe *next;
    struct gm_daemon *d;
    char *store_url; /* owned */
    int rc;
    struct gm_err err;
};

static void untried_destroy(struct gm_untried *untried)
{
    free(untried->store_url);
    free(untried);
}

/* Of that store, or of those whose time is over where store_url is NULL. */
static void untried_drop(struct gm_daemon *d, const char *store_url, gm_time now)
{
    struct gm_untried **at = &d->untried;
    while (*at != NULL) {
        struct gm_untried *one = *at;
        if (now >= one->until || (store_url != NULL && strcmp(one->store_url, store_url) == 0)) {
            *at = one->next;
            untried_destroy(one);
        } else {
            at = &one->next;
        }
    }
}

/* Without memory for it the store is tried again. */
static void untried_add(struct gm_daemon *d, const char *store_url, const struct gm_err *why)
{
    gm_time now = gm_time_now();
    struct gm_untried *one = calloc(1, sizeof *one);
    char *url = strdup(store_url);
    untried_drop(d, store_url, now);
    if (one == NULL || url == NULL) {
        free(one);
        free(url);
        return;
    }
    *one = (struct gm_untried){
        .next = d->untried, .store_url = url, .until = now + UNTRIED, .err = *why};
    d->untried = one;
}

/* Negative: it could not be tried, not long ago. */
static int untried_tell(struct gm_daemon *d, const char *store_url, struct gm_err *err)
{
    untried_drop(d, NULL, gm_time_now());
    for (const struct gm_untried *one = d->untried; one != NULL; one = one->next) {
        if (strcmp(one->store_url, store_url) == 0) {
            *err = one->err;
            return -(int)err->code;
        }
    }
    return 0;
}

void gm_remote_urls_fini(struct gm_daemon *d)
{
    untried_drop(d, NULL, INT64_MAX);
}

static void probe_work(void *arg)
{
    struct gm_probe *p = arg;
    p->rc = gm_stores_probe(p->d->stores, p->store_url, &p->err);
}

static void probe_drop(struct gm_probe *p)
{
    struct gm_probe **at = &p->d->probes;
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    p->d->probe_count--;
    free(p->store_url);
    free(p);
}

static void probe_done(void *arg)
{
    struct gm_probe *p = arg;
    if (p->rc < 0) {
        gm_log_err(GM_LOG_WARN, "store_not_tried", &p->err, "store=%s", p->store_url);
        untried_add(p->d, p->store_url, &p->err);
    }
    probe_drop(p);
}

static bool is_probing(const struct gm_daemon *d, const char *store_url)
{
    const struct gm_probe *p = d->probes;
    while (p != NULL && strcmp(p->store_url, store_url) != 0) {
        p = p->next;
    }
    return p != NULL || d->probe_count >= PROBES_MAX;
}

static int probe(struct gm_daemon *d, const char *store_url, struct gm_err *err)
{
    if (is_probing(d, store_url)) {
        return 0;
    }
    struct gm_probe *p = calloc(1, sizeof *p);
    char *url = strdup(store_url);
    if (p == NULL || url == NULL) {
        free(p);
        free(url);
        return gm_err_nomem(err);
    }
    *p = (struct gm_probe){.next = d->probes, .d = d, .store_url = url};
    d->probes = p;
    d->probe_count++;
    int rc = gm_daemon_work(d, probe_work, probe_done, p, err);
    if (rc < 0) {
        probe_drop(p);
    }
    return rc;
}

void gm_remote_urls_try(struct gm_daemon *d, const char *store_url)
{
    struct gm_err err = {0};
    if (gm_s3_is_url(store_url) && !gm_stores_is_probed(d->stores, store_url) &&
        probe(d, store_url, &err) < 0) {
        gm_log_err(GM_LOG_WARN, "store_not_tried", &err, "store=%s", store_url);
    }
}

/* ---- a grant as the message has it */

static int set(struct gm_pool *pool, char **field, const char *value, struct gm_err *err)
{
    if (value == NULL) {
        return 0;
    }
    char *text = gm_pool_text(pool, value);
    if (text == NULL) {
        return gm_err_nomem(err);
    }
    *field = text;
    return 0;
}

static int set_headers(struct gm_pool *pool, const struct gm_remote_grant *grant, Gm__Grant *out,
                       struct gm_err *err)
{
    Gm__GrantHeader *headers = gm_pool_take(pool, sizeof *headers * 2);
    Gm__GrantHeader **list = gm_pool_take(pool, sizeof(Gm__GrantHeader *) * 2);
    int rc = headers != NULL && list != NULL ? 0 : gm_err_nomem(err);
    for (size_t i = 0; rc == 0 && i < grant->header_count; i++) {
        gm__grant_header__init(&headers[i]);
        list[i] = &headers[i];
        rc = set(pool, &headers[i].name, grant->headers[i].name, err);
        rc = rc < 0 ? rc : set(pool, &headers[i].value, grant->headers[i].value, err);
    }
    if (rc == 0 && grant->header_count > 0) {
        out->headers = list;
        out->n_headers = grant->header_count;
    }
    return rc;
}

static int set_parts(struct gm_pool *pool, const struct gm_remote_grant *grant, Gm__Grant *out,
                     struct gm_err *err)
{
    if (grant->part_count == 0) {
        return 0;
    }
    char **urls = gm_pool_take(pool, sizeof(char *) * grant->part_count);
    int rc = urls != NULL ? 0 : gm_err_nomem(err);
    for (size_t i = 0; rc == 0 && i < grant->part_count; i++) {
        rc = set(pool, &urls[i], grant->part_urls[i], err);
    }
    if (rc == 0) {
        out->part_urls = urls;
        out->n_part_urls = grant->part_count;
    }
    return rc;
}

static int set_grant(struct gm_pool *pool, const struct gm_remote_grant *grant, Gm__Grant *out,
                     struct gm_err *err)
{
    int rc = set(pool, &out->url, grant->url, err);
    if (rc == 0) {
        rc = set(pool, &out->start_url, grant->start_url, err);
    }
    if (rc == 0) {
        rc = set(pool, &out->complete_url, grant->complete_url, err);
    }
    if (rc == 0) {
        rc = set(pool, &out->head_url, grant->head_url, err);
    }
    if (rc == 0) {
        rc = set_headers(pool, grant, out, err);
    }
    out->needs_md5 = grant->needs_md5;
    return rc < 0 ? rc : set_parts(pool, grant, out, err);
}

static struct gm_hash_bytes *hashes(struct gm_pool *pool, size_t count,
                                    const ProtobufCBinaryData *from)
{
    struct gm_hash_bytes *list = gm_pool_take(pool, sizeof *list * (count + 1));
    for (size_t i = 0; list != NULL && i < count; i++) {
        list[i] = (struct gm_hash_bytes){from[i].len, from[i].data};
    }
    return list;
}

int gm_remote_urls_write(struct gm_daemon *d, const char *store_url, const Gm__GrantItem *item,
                         int64_t valid_ms, struct gm_pool *pool, Gm__Grant *out, struct gm_err *err)
{
    bool shown = item->store == GM__OBJECT_STORE__STORE_OUT; /* to players */
    struct gm_hash_bytes *md5 = hashes(pool, item->n_md5, item->md5);
    struct gm_hash_bytes *parts = hashes(pool, item->n_part_sha256, item->part_sha256);
    struct gm_remote_write write = {.store_url = store_url,
                                    .key = out->key,
                                    .size = item->size,
                                    .sha256 = {item->sha256.len, item->sha256.data},
                                    .content_type = shown ? gm_s3_content_type(out->key) : NULL,
                                    .cache_control = shown ? gm_s3_cache_control(out->key) : NULL,
                                    .expires_s = (uint32_t)(valid_ms / 1000),
                                    .md5 = md5,
                                    .md5_count = item->n_md5,
                                    .part_sha256 = parts,
                                    .part_count = item->n_part_sha256,
                                    .part_size = item->part_size,
                                    .upload_id = item->upload_id};
    struct gm_remote_grant grant;
    if (md5 == NULL || parts == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_stores_grant_write(d->stores, &write, &grant, err);
    if (rc < 0) {
        return rc;
    }
    if (grant.waits) {
        rc = untried_tell(d, store_url, err);
        rc = rc < 0 ? rc : probe(d, store_url, err);
        rc = rc < 0 ? rc : GM_URLS_WAIT;
    } else {
        rc = set_grant(pool, &grant, out, err);
    }
    gm_remote_grant_fini(&grant);
    return rc;
}
