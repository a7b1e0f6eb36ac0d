#include "scheduler/early_store.h"

#include <stdlib.h>
#include <string.h>

#include "manifest/manifest.h"
#include "scheduler/replaced.h"
#include "scheduler/standing.h"

#define HEAD_BYTES 1024 /* in front of what a playlist or manifest says, the mark included */

static const char *const manifests[] = {"master.m3u8", "manifest.mpd"};

static bool is_manifest(const char *key)
{
    return strcmp(key, manifests[0]) == 0 || strcmp(key, manifests[1]) == 0;
}

int gm_early_is_own(struct gm_store *store, const char *key, const char *job_id, bool *out,
                    struct gm_err *err)
{
    char head[HEAD_BYTES], mark[GM_MANIFEST_MARK_SIZE];
    size_t size = 0;
    int rc = gm_store_get(store, key, 0, head, sizeof head, &size, err);
    if (rc < 0 && rc != -GM_E_NOTFOUND) {
        return rc;
    }
    gm_manifest_mark(job_id, mark);
    *out = rc == 0 && memmem(head, size, mark, strlen(mark)) != NULL;
    return 0;
}

int gm_early_is_any(struct gm_store *store, const char *key, bool *out, struct gm_err *err)
{
    char head[HEAD_BYTES];
    size_t size = 0;
    int rc = gm_store_get(store, key, 0, head, sizeof head, &size, err);
    if (rc < 0 && rc != -GM_E_NOTFOUND) {
        return rc;
    }
    *out = rc == 0 && gm_manifest_is_marked(head, size);
    return 0;
}

int gm_early_has_own(struct gm_store *store, const char *job_id, bool *out, struct gm_err *err)
{
    bool own = false;
    int rc = 0;
    for (size_t i = 0; rc == 0 && !own && i < 2; i++) {
        rc = gm_early_is_own(store, manifests[i], job_id, &own, err);
    }
    if (rc == 0) {
        *out = own;
    }
    return rc;
}

int gm_early_take_down(struct gm_store *store, const char *job_id, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        bool own = false;
        rc = gm_early_is_own(store, manifests[i], job_id, &own, err);
        if (rc == 0 && own) {
            rc = gm_store_delete(store, manifests[i], err);
        }
    }
    return rc;
}

/* A result of the same publication plays as a whole: a beginning of it is less. */
static int stands(struct gm_store *store, const struct gm_early_put *put, bool *out,
                  struct gm_err *err)
{
    struct gm_standing standing;
    bool own = false;
    int rc = gm_standing_read(store, put->own.job_id, &standing, err);
    if (rc < 0) {
        return rc;
    }
    bool has = gm_standing_has(&standing, put->own.publication);
    bool done =
        standing.publication != NULL && strcmp(standing.publication, put->own.publication) == 0;
    gm_standing_fini(&standing);
    rc = has && !done ? gm_early_has_own(store, put->own.job_id, &own, err) : 0;
    *out = has && !own;
    return rc;
}

/* Whether what is there is a beginning of the text, or nothing. */
static int begins_with(struct gm_store *store, const struct gm_prefix_text *t, bool *out,
                       struct gm_err *err)
{
    struct gm_store_stat stat;
    size_t size = 0;
    int rc = gm_store_head(store, t->key, &stat, err);
    *out = rc == -GM_E_NOTFOUND;
    if (rc < 0 || stat.size > t->body.size) {
        return rc == -GM_E_NOTFOUND ? 0 : rc;
    }
    char *there = malloc(stat.size + 1);
    if (there == NULL) {
        return gm_err_nomem(err);
    }
    rc = gm_store_get(store, t->key, 0, there, stat.size, &size, err);
    *out = rc == 0 && size == stat.size && memcmp(there, t->body.data, size) == 0;
    free(there);
    return rc == -GM_E_NOTFOUND ? 0 : rc;
}

/* Who ended, or another farm, may have published over the last version: then the manifests are not
 * the job's any more, or a playlist says that it is whole. Its first bytes tell. */
static int is_lost(struct gm_store *store, const struct gm_early_put *put, bool *out,
                   struct gm_err *err)
{
    char head[HEAD_BYTES];
    int rc = 0;
    *out = false;
    for (size_t i = 0; rc == 0 && !*out && i < put->texts->count; i++) {
        const struct gm_prefix_text *t = &put->texts->rows[i];
        bool own = true;
        size_t size = 0;
        if (t->is_init) {
            continue;
        }
        if (is_manifest(t->key)) {
            rc = gm_early_is_own(store, t->key, put->own.job_id, &own, err);
        } else {
            rc = gm_store_get(store, t->key, 0, head, sizeof head, &size, err);
            own = rc == 0 && size <= t->body.size && memcmp(head, t->body.data, size) == 0;
            rc = rc == -GM_E_NOTFOUND ? 0 : rc;
        }
        *out = !own;
    }
    return rc;
}

static int is_passed(struct gm_store *store, const struct gm_early_put *put, bool *out,
                     struct gm_err *err)
{
    int rc = stands(store, put, out, err);
    for (size_t i = 0; rc == 0 && !*out && i < put->texts->count; i++) {
        const struct gm_prefix_text *t = &put->texts->rows[i];
        bool fits = true;
        rc = t->is_init || is_manifest(t->key) ? 0 : begins_with(store, t, &fits, err);
        *out = !fits;
    }
    return rc;
}

static int begin(struct gm_store *store, const struct gm_early_put *put, struct gm_early_end *out,
                 struct gm_err *err)
{
    int rc = put->keeps_title ? gm_title_check(store, &put->own, err) : 0;
    if (rc == 0) {
        rc = is_passed(store, put, &out->passed, err);
    }
    if (rc < 0 || out->passed) {
        return rc;
    }
    return gm_replaced_note(store, put->own.job_id, put->own.publication, put->until_unix_ms,
                            &out->replaced, err);
}

int gm_early_put(struct gm_store *store, const struct gm_early_put *put, struct gm_early_end *out,
                 struct gm_err *err)
{
    struct gm_early_end end = {false, false};
    int rc = put->leads(put->arg, err);
    if (rc == 0) {
        rc = put->begins ? begin(store, put, &end, err) : is_lost(store, put, &end.passed, err);
    }
    for (size_t i = 0; rc == 0 && !end.passed && i < put->texts->count; i++) {
        const struct gm_prefix_text *t = &put->texts->rows[i];
        bool stays = t->is_init || strcmp(t->key, manifests[0]) == 0; /* once it is there */
        if (stays && !put->begins) {
            continue;
        }
        rc = put->leads(put->arg, err);
        if (rc == 0) {
            rc = gm_store_put_bytes(store, t->key, t->body.data, t->body.size, err);
        }
    }
    if (rc == 0) {
        *out = end;
    }
    return rc;
}
