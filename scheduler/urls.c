/* Grants: the core names objects by store and key, nodes get URLs that are good for an hour.
 *
 * Which job an answer is about follows from the assignment's epoch, remembered from when it left,
 * or from the first answer about one that was taken over, until its lease ends.
 */
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/log.h"
#include "proto/envelope.h"
#include "scheduler/access_remote.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/remote_urls.h"

#define GRANT_MS ((int64_t)60 * 60 * 1000)
/* All runs of a job read its source, and a signature is most of what an assignment costs: the
 * source is signed for so much longer, and given again for so long. */
#define AGAIN_MS ((int64_t)60 * 1000)

struct filler {
    struct gm_daemon *d;
    struct gm_job_urls *job;
    struct gm_pool *pool; /* the effects' */
    int64_t unix_ms;
};

/* ---- jobs */

static void job_destroy(struct gm_job_urls *job)
{
    if (job != NULL) {
        free(job->job_id);
        free(job->destination_url);
        free(job->source_url);
        free(job->source_root_url);
        free(job->source_key);
        free(job->source);
        free(job);
    }
}

static int job_add(struct gm_daemon *d, const char *job_id, struct gm_job_urls **out,
                   struct gm_err *err)
{
    const char *source_url, *destination_url;
    int rc = gm_view_job_urls(d->core, job_id, &source_url, &destination_url, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_job_urls *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return gm_err_nomem(err);
    }
    job->job_id = strdup(job_id);
    job->destination_url = strdup(destination_url);
    if (job->job_id == NULL || job->destination_url == NULL) {
        rc = gm_err_nomem(err);
    }
    if (rc == 0 && gm_access_is_remote(source_url)) {
        job->source_url = strdup(source_url);
        rc = job->source_url == NULL ? gm_err_nomem(err) : 0;
    } else if (rc == 0) {
        rc = gm_access_split(source_url, &job->source_root_url, &job->source_key, err);
    }
    if (rc < 0) {
        job_destroy(job);
        return rc;
    }
    HASH_ADD_KEYPTR(hh, d->job_urls, job->job_id, strlen(job->job_id), job);
    gm_remote_urls_try(d, d->settings->work_store);
    gm_remote_urls_try(d, job->destination_url);
    *out = job;
    return 0;
}

static void job_drop(struct gm_daemon *d, struct gm_job_urls *job)
{
    if (--job->leases == 0) {
        GM_ASSERT(d->job_urls != NULL);
        HASH_DEL(d->job_urls, job);
        job_destroy(job);
    }
}

/* ---- leases */

/* Position of the first that is not below epoch. Epochs rise, so a new one goes to the end. */
static size_t ref_position(const struct gm_daemon *d, uint64_t epoch)
{
    size_t low = 0;
    size_t high = d->lease_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->leases[middle].epoch < epoch) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct gm_job_urls *ref_find(const struct gm_daemon *d, uint64_t epoch)
{
    size_t at = ref_position(d, epoch);
    return at < d->lease_count && d->leases[at].epoch == epoch ? d->leases[at].job : NULL;
}

static void ref_remove(struct gm_daemon *d, uint64_t epoch)
{
    size_t at = ref_position(d, epoch);
    if (at < d->lease_count && d->leases[at].epoch == epoch) {
        job_drop(d, d->leases[at].job);
        d->lease_count--;
        memmove(d->leases + at, d->leases + at + 1, (d->lease_count - at) * sizeof *d->leases);
    }
}

static int ref_add(struct gm_daemon *d, uint64_t epoch, const char *job_id, struct gm_err *err)
{
    struct gm_job_urls *job = NULL;
    ref_remove(d, epoch);
    int rc = gm_array_reserve(&d->leases, d->lease_count, 1, &d->lease_cap, sizeof *d->leases, err);
    if (rc < 0) {
        return rc;
    }
    HASH_FIND_STR(d->job_urls, job_id, job);
    if (job == NULL && (rc = job_add(d, job_id, &job, err)) < 0) {
        return rc;
    }
    size_t at = ref_position(d, epoch);
    memmove(d->leases + at + 1, d->leases + at, (d->lease_count - at) * sizeof *d->leases);
    d->leases[at] = (struct gm_lease_ref){.epoch = epoch, .job = job};
    d->lease_count++;
    job->leases++;
    return 0;
}

/* NULL: err says why. The first answer about a lease that was taken over finds no ref. */
static struct gm_job_urls *ref_get(struct gm_daemon *d, uint64_t epoch, struct gm_err *err)
{
    struct gm_job_urls *job = ref_find(d, epoch);
    if (job != NULL) {
        return job;
    }
    const char *job_id = gm_view_lease_job(d->core, epoch);
    if (job_id == NULL) {
        (void)gm_err_set(err, GM_E_BUG, 0, "an answer about an unknown assignment");
        return NULL;
    }
    return ref_add(d, epoch, job_id, err) < 0 ? NULL : ref_find(d, epoch);
}

void gm_urls_fini(struct gm_daemon *d)
{
    while (d->lease_count > 0) {
        job_drop(d, d->leases[--d->lease_count].job);
    }
    free(d->leases);
    d->leases = NULL;
    d->lease_cap = 0;
}

/* ---- filling in */

static const char *store_url(const struct filler *f, Gm__ObjectStore store)
{
    switch (store) {
    case GM__OBJECT_STORE__STORE_WORK:
        return f->d->settings->work_store;
    case GM__OBJECT_STORE__STORE_OUT:
        return f->job->destination_url;
    default:
        return f->job->source_root_url;
    }
}

static int set_text(const struct filler *f, char **field, const char *value, struct gm_err *err)
{
    char *text = gm_pool_text(f->pool, value);
    if (text == NULL) {
        return gm_err_nomem(err);
    }
    *field = text;
    return 0;
}

/* Signed not long ago, or now. */
static int sign_source(const struct filler *f, struct gm_err *err)
{
    struct gm_job_urls *job = f->job;
    int64_t age = f->unix_ms - job->signed_unix_ms;
    char *url = NULL;
    if (job->source != NULL && age >= 0 && age < AGAIN_MS) {
        return 0;
    }
    int rc = job->source_url != NULL
                 ? gm_remote_urls_source(f->d->stores, job->source_url, &url, err)
                 : gm_grant_read(job->source_root_url, job->source_key,
                                 f->unix_ms + GRANT_MS + AGAIN_MS, f->d->signer, &url, err);
    if (rc == 0) {
        free(job->source);
        job->source = url;
        job->signed_unix_ms = f->unix_ms;
    }
    return rc;
}

static int fill_object(const struct filler *f, Gm__Object *object, struct gm_err *err)
{
    char *url = NULL;
    if (object->store == GM__OBJECT_STORE__STORE_SOURCE) {
        int rc = sign_source(f, err);
        return rc < 0 ? rc : set_text(f, &object->url, f->job->source, err);
    }
    const char *store = store_url(f, object->store);
    int rc =
        gm_s3_is_url(store)
            ? gm_remote_urls_read(f->d->stores, store, object->key, GRANT_MS, &url, err)
            : gm_grant_read(store, object->key, f->unix_ms + GRANT_MS, f->d->signer, &url, err);
    if (rc == 0) {
        rc = set_text(f, &object->url, url, err);
    }
    free(url);
    return rc;
}

static int fill_objects(const struct filler *f, Gm__Object **objects, size_t count,
                        struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = fill_object(f, objects[i], err);
    }
    return rc;
}

static int fill_inputs(const struct filler *f, Gm__TaskInput **inputs, size_t count,
                       struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (inputs[i]->item != NULL) {
            rc = fill_objects(f, inputs[i]->item->objects, inputs[i]->item->n_objects, err);
        }
    }
    return rc;
}

static int fill_assign(struct filler *f, Gm__Assign *assign, struct gm_err *err)
{
    int rc = ref_add(f->d, assign->epoch, assign->spec->job_id, err);
    if (rc < 0) {
        return rc;
    }
    f->job = ref_find(f->d, assign->epoch);
    Gm__TaskSpec *spec = assign->spec;
    if (spec->source != NULL) {
        rc = fill_object(f, spec->source, err);
    }
    for (size_t i = 0; rc == 0 && i < spec->n_results; i++) {
        rc = fill_objects(f, spec->results[i]->objects, spec->results[i]->n_objects, err);
    }
    return rc < 0 ? rc : fill_inputs(f, spec->inputs, spec->n_inputs, err);
}

static int sign_write(const struct filler *f, const char *store, const Gm__GrantItem *item,
                      Gm__Grant *grant, struct gm_err *err)
{
    char *url = NULL;
    int rc = gm_grant_write(store, grant->key, item->size, item->sha256.data, f->unix_ms + GRANT_MS,
                            f->d->signer, &url, err);
    if (rc == 0) {
        rc = set_text(f, &grant->url, url, err);
    }
    free(url);
    return rc;
}

/* The core answers in the order asked. Names, sizes and hashes are the request's, which it has
 * checked; keys are the answer's. */
static int fill_grants(struct filler *f, const Gm__GrantRequest *asked, Gm__GrantAnswer *answer,
                       struct gm_err *err)
{
    if (answer->error != NULL) {
        return 0;
    }
    f->job = ref_get(f->d, asked->epoch, err);
    if (f->job == NULL) {
        return -(int)err->code;
    }
    if (answer->n_grants != asked->n_items) {
        return gm_err_set(err, GM_E_BUG, 0, "not all that was asked for was granted");
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < answer->n_grants; i++) {
        const Gm__GrantItem *item = asked->items[i];
        if (item->sha256.len != 32) {
            return gm_err_set(err, GM_E_BUG, 0, "a grant was answered for an object without hash");
        }
        answer->grants[i]->expires_unix_ms = f->unix_ms + GRANT_MS;
        const char *store = store_url(f, item->store);
        rc = gm_s3_is_url(store) ? gm_remote_urls_write(f->d, store, item, GRANT_MS, f->pool,
                                                        answer->grants[i], err)
                                 : sign_write(f, store, item, answer->grants[i], err);
    }
    return rc;
}

static int fill_envelope(struct filler *f, const struct gm_event *event, Gm__Envelope *env,
                         struct gm_err *err)
{
    switch (env->body_case) {
    case GM__ENVELOPE__BODY_ASSIGN:
        return fill_assign(f, env->assign, err);
    case GM__ENVELOPE__BODY_FEED:
        f->job = ref_get(f->d, env->feed->epoch, err);
        if (f->job == NULL) {
            return -(int)err->code;
        }
        return fill_inputs(f, env->feed->inputs, env->feed->n_inputs, err);
    case GM__ENVELOPE__BODY_GRANT_ANSWER:
        if (event == NULL || event->type != GM_EV_MESSAGE ||
            event->envelope->body_case != GM__ENVELOPE__BODY_GRANT_REQUEST) {
            return gm_err_set(err, GM_E_BUG, 0, "a grant was answered that nobody asked for");
        }
        return fill_grants(f, event->envelope->grant_request, env->grant_answer, err);
    default:
        return 0;
    }
}

/* Who asked hears why there is no grant: what he waits for may never come. Negative: no memory to
 * say so. */
static int refuse_grant(const struct filler *f, Gm__GrantAnswer *answer, const struct gm_err *why,
                        struct gm_err *err)
{
    Gm__Error *error = gm_pool_take(f->pool, sizeof *error);
    if (error == NULL) {
        return gm_err_nomem(err);
    }
    gm_err_to_msg(why, error);
    int rc = set_text(f, &error->text, why->text, err);
    if (rc == 0) {
        answer->n_grants = 0;
        answer->error = error;
    }
    return rc;
}

/* Not sent: a grant is asked for again, an assignment has failed. */
static void fail_envelope(const struct filler *f, struct gm_send *send, const struct gm_err *why)
{
    Gm__Envelope *env = send->envelope;
    struct gm_err err;
    gm_log_err(GM_LOG_ERROR, "grant_failed", why, "node=%s", send->node_id);
    if (env->body_case == GM__ENVELOPE__BODY_GRANT_ANSWER && why->code != GM_E_NOMEM &&
        refuse_grant(f, env->grant_answer, why, &err) == 0) {
        return;
    }
    gm_wire_note_failed(f->d, send->node_id, env, why);
    send->envelope = NULL;
}

void gm_urls_fill(struct gm_daemon *d, const struct gm_event *event, struct gm_effects *effects)
{
    struct filler f = {.d = d, .pool = &effects->pool, .unix_ms = gm_time_unix_ms()};
    for (size_t i = 0; i < effects->send_count; i++) {
        struct gm_send *send = &effects->sends[i];
        struct gm_err err = {0};
        int rc = fill_envelope(&f, event, send->envelope, &err);
        if (rc == GM_URLS_WAIT) {
            send->envelope = NULL; /* asked again when the store has been tried */
        } else if (rc < 0) {
            fail_envelope(&f, send, &err);
        }
    }
    for (size_t i = 0; i < effects->ended_count; i++) {
        ref_remove(d, effects->ended[i]);
        gm_upload_desk_drop_lease(d->uploads, effects->ended[i]);
    }
}
