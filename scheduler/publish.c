/* What the core asks to be done in stores: publishing a finished job's report and manifests, and
 * deleting what an ended job leaves behind. Both run on the pool, a step at a time; both can be
 * done again after a crash with the same end.
 *
 * Publishing looks whether each output is in the destination with its size (scheduler/outputs.h),
 * in batches, so that a long programme neither holds a thread of the pool nor the daemon's end.
 * Then it notes what publication it takes the place of (scheduler/replaced.h) and
 * writes report.json, then master.m3u8, then manifest.mpd, each atomically; a job that
 * is not done writes its report alone, and not over that of another job that is done.
 *
 * Deleting goes in small batches, and goes on while the daemon stops; what waits for leases then
 * begins when they end, within the time that a lease has (daemon.c). Before each batch the loop
 * asks whether another job owns their publication, and while a batch runs no write grant for that
 * publication leaves (scheduler/hold.h), so a deletion never hits an object that a newer job was
 * just allowed to write.
 * Other farms' jobs are known by what they left: outputs of a publication that stands finished at
 * the destination (scheduler/standing.h), which is read before the first batch, are not deleted.
 * A job whose outputs stay loses those alone that attempts left which came to nothing. They lie
 * beside what is published, so for these each object is asked for by itself: whether another job
 * has it, and whether a manifest or playlist at the destination names it.
 * Work objects go whatever becomes of the outputs; what could not be deleted the core asks for
 * again, and the last time the log says what that is.
 *
 * A store without the mark that it had when the job came is away (ADR-0037): no report of a failed
 * job is written there, and what the job has there counts as not deleted. A finished job's outputs
 * are looked for whatever the mark is; where none of them is, the destination is away.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/crash.h"
#include "common/log.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/early_final.h"
#include "scheduler/early_store.h"
#include "scheduler/outputs.h"
#include "scheduler/replaced.h"
#include "scheduler/report.h"
#include "scheduler/standing.h"
#include "scheduler/title.h"

#define DELETE_BATCH 64
#define CHECK_BATCH 1024
#define LEAD_TRIES 60
#define LEAD_PAUSE_US 50000

struct key_list {
    char **keys; /* owned */
    size_t count;
    size_t next;
};

struct store_job {
    struct gm_daemon *d;          /* borrowed */
    char *job_id;                 /* owned */
    char *out_url;                /* owned: destination */
    char *out_mark, *work_mark;   /* owned; "": not known */
    char *publication;            /* owned; "" before the plan */
    bool keeps_title;             /* publish: another one stays */
    char title[GM_TITLE_SIZE];    /* publish */
    json_t *source;               /* owned; publish: a string, as reports say it */
    bool good;                    /* the job is done */
    bool early;                   /* playlists may stand that grew while it worked */
    struct gm_report_files files; /* owned: publish */
    struct gm_outputs outputs;    /* owned: publish; none where the job is not done */
    struct gm_early_final final;  /* owned: publish; of playlists that grew */
    struct key_list out;          /* cleanup */
    struct gm_hold_batch batch;   /* cleanup: whose outputs go next */
    struct key_list work;         /* cleanup */
    struct key_list texts;        /* cleanup: what may name outputs of the publication */
    struct key_list beside;       /* cleanup: ids of ended jobs that keep outputs below it */
    size_t end;                   /* cleanup: where the batch ends in its list */
    bool outputs_stay;            /* cleanup: but for what is loose */
    bool deleting_out;
    bool noting;      /* cleanup: what is left below the publication, that it goes by and by */
    int64_t noted_ms; /* cleanup: until when it was noted to stay; 0: it was not */
    bool dropping;    /* cleanup: of a publication with jobs beside: its unfinished uploads */
    bool looked;      /* cleanup: out holds nothing that stands finished */
    bool last;        /* cleanup: it is not tried again */
    bool passed_over; /* cleanup: another job was why some stay */
    bool manifests;   /* publish: one may stand */
    bool replaced;    /* publish: notes of older publications may be there */
    int rc;
    struct gm_err err;
    int out_rc; /* cleanup: outputs could not be deleted, from out.next on */
    struct gm_err out_err;
    int left_rc; /* cleanup: uploads in parts could not be ended */
    struct gm_err left_err;
};

static void list_fini(struct key_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->keys[i]);
    }
    free(l->keys);
}

static void job_destroy(struct store_job *job)
{
    if (job == NULL) {
        return;
    }
    gm_report_files_fini(&job->files);
    gm_outputs_fini(&job->outputs);
    gm_early_final_fini(&job->final);
    list_fini(&job->out);
    list_fini(&job->work);
    list_fini(&job->texts);
    list_fini(&job->beside);
    free(job->job_id);
    free(job->out_url);
    free(job->out_mark);
    free(job->work_mark);
    free(job->publication);
    json_decref(job->source);
    free(job);
}

static struct store_job *job_create(struct gm_daemon *d, const struct gm_job_view *view)
{
    struct store_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return NULL;
    }
    job->d = d;
    job->job_id = strdup(view->id);
    job->out_url = strdup(view->destination_url);
    job->out_mark = strdup(view->destination_mark);
    job->work_mark = strdup(view->work_mark);
    job->publication = strdup(view->publication);
    job->good = view->error.code == GM_OK;
    job->early = view->pipeline->early;
    job->keeps_title = view->keeps_title;
    job->source = gm_json_url(view->source_url);
    if (job->job_id == NULL || job->out_url == NULL || job->out_mark == NULL ||
        job->work_mark == NULL || job->publication == NULL || job->source == NULL) {
        job_destroy(job);
        return NULL;
    }
    return job;
}

static void tell(struct gm_daemon *d, enum gm_event_type type, const struct store_job *job,
                 const char *job_id, int rc, const struct gm_err *err)
{
    struct gm_event event = {.type = type,
                             .job_id = job_id,
                             .manifests = job != NULL && job->manifests,
                             .passed_over = job != NULL && job->passed_over};
    if (rc < 0) {
        event.failure = *err;
    }
    gm_daemon_tell(d, &event);
}

/* ---- publish */

static int put(struct gm_store *store, const char *key, const struct gm_buf *body,
               struct gm_err *err)
{
    return body->size == 0 ? 0 : gm_store_put_bytes(store, key, body->data, body->size, err);
}

/* What failed before the store itself did was refused as a whole. */
static int put_manifest(struct store_job *job, struct gm_store *store, const char *key,
                        const struct gm_buf *body)
{
    int rc = put(store, key, body, &job->err);
    bool whole = rc == -GM_E_STORE_FULL || rc == -GM_E_STORE_DENIED || rc == -GM_E_INVAL;
    job->manifests = job->manifests || (body->size != 0 && !whole);
    return rc;
}

/* Uploads in parts that nobody ended. */
static void drop_uploads(struct store_job *job, struct gm_store *store, const char *folder,
                         const char *name)
{
    char prefix[GM_HOLD_NAME + 80];
    struct gm_err err = {0};
    int n = snprintf(prefix, sizeof prefix, "%s/%s/", folder, name);
    if (n < 0 || (size_t)n >= sizeof prefix || name[0] == '\0') {
        return;
    }
    int rc = gm_stores_drop_uploads(store, prefix, &err);
    if (rc < 0) {
        gm_log_err(GM_LOG_WARN, "uploads_left", &err, "job=%s prefix=%s", job->job_id, prefix);
        job->left_rc = rc == -GM_E_STORE_DENIED ? 0 : rc; /* no further try helps there */
        job->left_err = err;
    }
}

static bool is_checked(const struct store_job *job)
{
    return job->outputs.next == job->outputs.count;
}

/* Of what stands there: nothing of it is touched where it is to stay. */
static int take_place(struct store_job *job, struct gm_store *store)
{
    struct gm_title_own own = {.job_id = job->job_id,
                               .title = job->title,
                               .source = json_string_value(job->source),
                               .publication = job->publication};
    int64_t until_unix_ms = gm_time_unix_ms() + job->d->settings->publish_grace_s * 1000;
    int rc = job->keeps_title ? gm_title_check(store, &own, &job->err) : 0;
    return rc < 0 ? rc
                  : gm_replaced_note(store, job->job_id, job->publication, until_unix_ms,
                                     &job->replaced, &job->err);
}

/* What leads to the outputs of a job that comes to nothing goes before they do. */
static int take_down(struct store_job *job, struct gm_store *store)
{
    int rc = job->early && !job->good ? gm_publish_check_lead(job->d, &job->err) : 0;
    return rc == 0 && job->early && !job->good ? gm_early_take_down(store, job->job_id, &job->err)
                                               : rc;
}

/* Whether a job that comes to nothing leaves the report of another, of a result that stands there:
 * not where its own playlists took that result's place, which then is none any more. */
static int leaves_report(struct store_job *job, struct gm_store *store, bool *out)
{
    bool led = false;
    int rc = job->early ? gm_early_has_own(store, job->job_id, &led, &job->err) : 0;
    return rc == 0 && !led ? gm_standing_report(store, job->job_id, out, &job->err) : rc;
}

/* The playlists that stay where others grew, to be looked at once more (scheduler/early_after.h).
 */
static int keep_final(struct store_job *job, struct gm_store *store)
{
    const struct gm_report_files *files = &job->files;
    gm_early_final_fini(&job->final);
    int rc = gm_early_final_read(store, &job->outputs, job->publication, &job->final, &job->err);
    rc = rc == 0 ? gm_early_final_add(&job->final, "master.m3u8", &files->master_m3u8, &job->err)
                 : rc;
    return rc == 0
               ? gm_early_final_add(&job->final, "manifest.mpd", &files->manifest_mpd, &job->err)
               : rc;
}

static int publish(struct store_job *job, struct gm_store *store)
{
    bool stands = false;
    int rc = job->good && job->early ? keep_final(job, store) : 0;
    if (rc == 0) {
        rc = job->good ? take_place(job, store) : leaves_report(job, store, &stands);
    }
    if (rc == 0 && !stands) {
        GM_CRASH("publish.begun");
        rc = put(store, "report.json", &job->files.report, &job->err);
    }
    GM_CRASH("publish.report");
    if (rc == 0 && !job->good) {
        rc = take_down(job, store);
    }
    if (rc == 0) {
        rc = put_manifest(job, store, "master.m3u8", &job->files.master_m3u8);
    }
    GM_CRASH("publish.master");
    if (rc == 0) {
        rc = put_manifest(job, store, "manifest.mpd", &job->files.manifest_mpd);
    }
    GM_CRASH("publish.manifests");
    return rc;
}

static int one_is_there(const char *key, uint64_t size, void *arg)
{
    (void)key;
    (void)size;
    *(bool *)arg = true;
    return 1;
}

static bool has_any(const struct store_job *job, struct gm_store *store)
{
    char prefix[GM_HOLD_NAME + 4];
    struct gm_err err;
    bool any = false;
    (void)snprintf(prefix, sizeof prefix, "v/%.*s/", GM_HOLD_NAME - 1, job->publication);
    int rc = gm_store_list(store, prefix, one_is_there, &any, &err);
    return any || rc < 0;
}

/* All outputs were stored: where none is, what holds them is away, and may come back. */
static int not_there(struct store_job *job)
{
    return gm_err_set(&job->err, GM_E_STORE, 0,
                      "Nothing of the job's outputs is in %.150s: is its file system mounted?",
                      job->out_url);
}

/* All outputs there with their sizes prove a destination better than its mark, which may have been
 * lost, or been taken from the folder below while nothing was mounted. Where there are none to look
 * for the mark counts; without one the report of a failed job makes the folder. */
static int open_destination(struct store_job *job, struct gm_store **out)
{
    bool proven = job->outputs.count > 0;
    int rc = job->good || job->out_mark[0] != '\0'
                 ? gm_stores_open_marked(job->d->stores, job->out_url, proven ? "" : job->out_mark,
                                         out, &job->err)
                 : gm_stores_open(job->d->stores, job->out_url, true, out, &job->err);
    return rc == -GM_E_NOTFOUND ? not_there(job) : rc;
}

int gm_publish_check_lead(struct gm_daemon *d, struct gm_err *err)
{
    bool leads = gm_state_leads(d->state);
    for (int i = 0; i < LEAD_TRIES && !leads; i++) { /* it begins to, or the database is slow */
        (void)usleep(LEAD_PAUSE_US);
        leads = gm_state_leads(d->state);
    }
    if (!leads) {
        return gm_err_set(err, GM_E_NOT_LEADER, 0,
                          "another scheduler may have taken over: the stores are left to it");
    }
    return 0;
}

/* A server may take long, and what it is asked is tried again: each try asks who leads. */
static int still_leads(void *arg, struct gm_err *err)
{
    const struct store_job *job = arg;
    return gm_publish_check_lead(job->d, err);
}

/* A question for each output takes a server long. */
static int skim(struct store_job *job, struct gm_store *store)
{
    char prefix[GM_HOLD_NAME + 4];
    (void)snprintf(prefix, sizeof prefix, "v/%.*s/", GM_HOLD_NAME - 1, job->publication);
    return job->outputs.count == 0 ? 0 : gm_outputs_skim(&job->outputs, store, prefix, &job->err);
}

/* Before it is looked what of it is there: who deletes by the note looks for it before each batch.
 * A title that is to stay keeps the note, too. */
static int drop_own_note(struct store_job *job, struct gm_store *store)
{
    struct gm_title_own own = {.job_id = job->job_id,
                               .title = job->title,
                               .source = json_string_value(job->source),
                               .publication = job->publication};
    bool noted = false;
    int rc = gm_replaced_is_noted(store, job->publication, &noted, &job->err);
    if (rc < 0 || !noted) {
        return rc;
    }
    rc = job->keeps_title ? gm_title_check(store, &own, &job->err) : 0;
    rc = rc == 0 ? gm_publish_check_lead(job->d, &job->err) : rc;
    return rc == 0 ? gm_replaced_drop(store, job->publication, &job->err) : rc;
}

static void publish_step(struct store_job *job)
{
    struct gm_store *store = NULL;
    job->rc = open_destination(job, &store);
    if (job->rc == 0 && job->outputs.next == 0 && job->good) {
        job->rc = drop_own_note(job, store);
    }
    if (job->rc == 0 && job->outputs.next == 0 && gm_s3_is_url(job->out_url)) {
        job->rc = skim(job, store);
    }
    if (job->rc == 0) {
        job->rc = gm_outputs_check(&job->outputs, store, CHECK_BATCH, &job->err);
    }
    if (job->rc == -GM_E_STORE_CORRUPT && store != NULL && !gm_s3_is_url(job->out_url) &&
        !has_any(job, store)) {
        job->rc = not_there(job);
    }
    if (job->rc == 0 && is_checked(job)) {
        job->rc = gm_publish_check_lead(job->d, &job->err);
    }
    if (job->rc == 0 && is_checked(job)) {
        job->rc = publish(job, store);
    }
    if (job->rc == 0 && is_checked(job) && job->good) { /* of attempts that came to nothing */
        drop_uploads(job, store, "v", job->publication);
    }
    gm_store_close(&store);
}

static void publish_work(void *arg)
{
    const struct gm_stores_limit limit = {.wanted = still_leads, .arg = arg};
    gm_stores_limit(&limit);
    publish_step(arg);
    gm_stores_limit(NULL);
}

static void publish_done(void *arg)
{
    struct store_job *job = arg;
    if (job->rc == 0 && !is_checked(job)) {
        if (job->d->stopping) { /* the next start publishes */
            job_destroy(job);
            return;
        }
        struct gm_err err = {0};
        int rc = gm_daemon_work(job->d, publish_work, publish_done, job, &err);
        if (rc == 0) {
            return; /* its end is the pool's to say, which may have done so by now */
        }
        job->rc = rc;
        job->err = err;
    }
    if (job->rc < 0) {
        gm_log_err(GM_LOG_WARN, "publish_failed", &job->err, "job=%s", job->job_id);
    }
    GM_CRASH("publish.done");
    if (job->rc == 0 && job->replaced) { /* before the end of the job, which may be ours */
        gm_retire_note(job->d, job->out_url, 1);
        gm_retire_tick(job->d);
    }
    if (job->rc == 0) {
        gm_early_after_published(job->d, job->job_id, job->out_url, job->publication, &job->final);
    }
    tell(job->d, GM_EV_PUBLISHED, job, job->job_id, job->rc, &job->err);
    job_destroy(job);
}

/* For whoever asks why the job is not done. */
static void tell_held(struct gm_daemon *d, const char *job_id, const char *why)
{
    struct gm_event event = {.type = GM_EV_HELD, .job_id = job_id, .reason = why};
    gm_daemon_tell(d, &event);
}

void gm_publish_start(struct gm_daemon *d, const char *job_id)
{
    struct gm_job_view view;
    struct store_job *job = NULL;
    struct gm_err err = {0};
    if (gm_early_holds(d, job_id)) { /* it comes again */
        tell_held(d, job_id, "a version of its own growing playlists is still being written");
        return;
    }
    int rc = gm_view_job(d->core, job_id, &view, &err);
    if (rc == 0 && gm_backup_defers(d, view.destination_url, job_id)) {
        gm_view_job_fini(&view);
        tell_held(d, job_id,
                  "the report of another job is written there, to say how its backup ended");
        return;
    }
    if (rc == 0) {
        job = job_create(d, &view);
        const struct gm_title_source source = {view.source_url, view.source_name, view.tenant,
                                               view.source_size};
        rc = job == NULL ? gm_err_nomem(&err)
                         : gm_title_make(&source, view.pipeline, job->title, &err);
        gm_view_job_fini(&view);
    }
    if (rc == 0) {
        rc = gm_report_build(d->core, job_id, &job->files, &err);
    }
    if (rc == 0 && job->good) {
        rc = gm_outputs_read(d->core, job_id, &job->outputs, &err);
    }
    if (rc == 0) {
        rc = gm_daemon_work(d, publish_work, publish_done, job, &err);
    }
    if (rc != 0) {
        gm_log_err(GM_LOG_ERROR, "publish_failed", &err, "job=%s", job_id);
        tell(d, GM_EV_PUBLISHED, NULL, job_id, rc, &err);
        job_destroy(job);
    }
}

/* ---- cleanup */

static bool is_of(const char *key, const char *publication)
{
    char name[GM_HOLD_NAME];
    gm_hold_publication(key, name);
    return strcmp(name, publication) == 0;
}

/* The publication's other outputs stay, or those of jobs beside it: an object of it goes by itself.
 */
static bool goes_alone(const struct store_job *job, const char *publication)
{
    return (job->outputs_stay || job->beside.count > 0) &&
           strcmp(publication, job->publication) == 0;
}

/* What ended jobs beside it keep is known, and nobody is there who may come to need the rest. */
static bool may_go_beside(const struct store_job *job)
{
    for (size_t i = 0; i < job->beside.count; i++) {
        if (!gm_view_is_beside(job->d->core, job->job_id, job->beside.keys[i])) {
            return false;
        }
    }
    return true;
}

/* Keys are in order, so those of a publication stand together. */
static void skip_batch(struct store_job *job)
{
    while (job->out.next < job->out.count &&
           is_of(job->out.keys[job->out.next], job->batch.publication)) {
        job->out.next++;
    }
}

static int add(struct key_list *list, const char *key, struct gm_err *err)
{
    list->keys[list->count] = strdup(key);
    if (list->keys[list->count] == NULL) {
        return gm_err_nomem(err);
    }
    list->count++;
    return 0;
}

static bool is_playlist(const char *key)
{
    size_t length = strlen(key);
    return length > 5 && strcmp(key + length - 5, ".m3u8") == 0;
}

static int collect_one(struct store_job *job, const struct gm_object_view *o, struct gm_err *err)
{
    if (o->store != GM__OBJECT_STORE__STORE_OUT) {
        return add(&job->work, o->key, err);
    }
    bool own = is_of(o->key, job->publication);
    if (o->stale || (own && (!job->outputs_stay || o->loose))) {
        return add(&job->out, o->key, err);
    }
    job->passed_over = job->passed_over || !own; /* of an earlier plan, and another job's too */
    return own && is_playlist(o->key) ? add(&job->texts, o->key, err) : 0;
}

/* Lists grow by one: they are short. */
static int add_more(struct key_list *list, const char *key, struct gm_err *err)
{
    char **keys = realloc(list->keys, (list->count + 1) * sizeof *keys);
    if (keys == NULL) {
        return gm_err_nomem(err);
    }
    list->keys = keys;
    return add(list, key, err);
}

static int collect_texts(struct store_job *job, const char *id, struct gm_err *err)
{
    struct gm_objects_view objects;
    int rc = gm_view_committed(job->d->core, id, &objects, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < objects.count; i++) {
        rc = is_playlist(objects.rows[i].key) ? add_more(&job->texts, objects.rows[i].key, err) : 0;
    }
    gm_view_objects_fini(&objects);
    return rc;
}

/* Ended jobs of the same publication, and their playlists. */
static int collect_beside(struct store_job *job, struct gm_err *err)
{
    const char *id;
    int rc = 0;
    for (size_t i = 0; rc == 0 && !job->outputs_stay &&
                       (id = gm_view_beside(job->d->core, job->job_id, i)) != NULL;
         i++) {
        rc = add_more(&job->beside, id, err);
        rc = rc == 0 ? collect_texts(job, id, err) : rc;
    }
    return rc;
}

static int collect(struct gm_daemon *d, struct store_job *job, struct gm_err *err)
{
    static const char *const manifests[] = {"master.m3u8", "manifest.mpd"};
    struct gm_objects_view objects;
    int rc = gm_view_objects(d->core, job->job_id, &objects, err);
    if (rc < 0) {
        return rc;
    }
    job->out.keys = calloc(objects.count + 1, sizeof *job->out.keys);
    job->work.keys = calloc(objects.count + 1, sizeof *job->work.keys);
    job->texts.keys = calloc(objects.count + 2, sizeof *job->texts.keys);
    if (job->out.keys == NULL || job->work.keys == NULL || job->texts.keys == NULL) {
        rc = gm_err_nomem(err);
    }
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        rc = add(&job->texts, manifests[i], err);
    }
    for (size_t i = 0; rc == 0 && i < objects.count; i++) {
        rc = collect_one(job, &objects.rows[i], err);
    }
    gm_view_objects_fini(&objects);
    return rc == 0 ? collect_beside(job, err) : rc;
}

/* Strikes what something at the destination names off the loose ones. The list is in order. */
static int look_alone(struct store_job *job, struct gm_store *store)
{
    size_t first = 0;
    while (first < job->out.count && !is_of(job->out.keys[first], job->publication)) {
        first++;
    }
    size_t end = first;
    while (end < job->out.count && is_of(job->out.keys[end], job->publication)) {
        end++;
    }
    size_t count = end;
    int rc = gm_standing_strike(store, job->texts.keys, job->texts.count, job->out.keys, first,
                                &count, &job->err);
    memmove(job->out.keys + count, job->out.keys + end,
            (job->out.count - end) * sizeof *job->out.keys);
    job->out.count -= end - count;
    return rc;
}

/* The result of a job whose outputs are not all known here. */
static bool is_anothers(const struct store_job *job, const struct gm_standing *standing)
{
    bool known = false;
    for (size_t i = 0; i < job->beside.count; i++) {
        known = known || strcmp(job->beside.keys[i], standing->job_id) == 0;
    }
    return !known;
}

/* Or stood there, and players of it are not through: it goes as a whole when its time is over, and
 * what the job left below it too. */
static int does_stand(struct store_job *job, struct gm_store *store,
                      const struct gm_standing *standing, const char *publication, bool *out)
{
    *out = goes_alone(job, publication)
               ? standing->publication != NULL && strcmp(standing->publication, publication) == 0 &&
                     is_anothers(job, standing)
               : gm_standing_has(standing, publication);
    return *out ? 0 : gm_replaced_is_noted(store, publication, out, &job->err);
}

/* Strikes what stands finished off the list, which begins anew then. */
static int look(struct store_job *job, struct gm_store *store)
{
    struct gm_standing standing;
    char publication[GM_HOLD_NAME] = "";
    size_t kept = 0;
    bool stands = false;
    int rc = take_down(job, store);
    rc = rc < 0 ? rc : gm_standing_read(store, job->job_id, &standing, &job->err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < job->out.count; i++) {
        char *key = job->out.keys[i];
        if (rc == 0 && (i == 0 || !is_of(key, publication))) {
            gm_hold_publication(key, publication);
            rc = does_stand(job, store, &standing, publication, &stands);
        }
        if (rc == 0 && stands) {
            free(key);
        } else {
            job->out.keys[kept++] = key;
        }
    }
    job->out.count = kept;
    gm_standing_fini(&standing);
    if (rc == 0 && (job->outputs_stay || job->beside.count > 0)) {
        rc = look_alone(job, store);
    }
    job->looked = rc == 0;
    return rc;
}

/* What a job beside it published may have been replaced, and its note be gone, while this one
 * worked: then nobody deletes what was passed over for that job's sake. */
static void note_left(struct store_job *job, struct gm_store *store)
{
    int64_t until_unix_ms = gm_time_unix_ms() + job->d->settings->publish_grace_s * 1000;
    bool noted = false;
    job->rc = gm_publish_check_lead(job->d, &job->err);
    if (job->rc == 0) {
        job->rc = gm_replaced_note_left(store, job->publication, until_unix_ms, &noted, &job->err);
    }
    job->noted_ms = job->rc == 0 && noted ? until_unix_ms : 0;
}

static void delete_step(struct store_job *job)
{
    struct gm_store *store = NULL;
    struct key_list *list = job->deleting_out ? &job->out : &job->work;
    const char *url = job->deleting_out ? job->out_url : job->d->settings->work_store;
    const char *mark = job->deleting_out ? job->out_mark : job->work_mark;
    job->rc = gm_stores_open_marked(job->d->stores, url, mark, &store, &job->err);
    if (job->rc == -GM_E_NOTFOUND) { /* no mark is known: nothing there, nothing to delete */
        list->next = list->count;
        job->rc = 0;
        return;
    }
    if (job->rc == 0 && job->deleting_out && job->noting) {
        note_left(job, store);
        gm_store_close(&store);
        return;
    }
    if (job->rc == 0 && job->deleting_out && !job->looked && !job->dropping) {
        job->rc = look(job, store);
        job->out.next = job->end = 0;
    }
    if (job->rc == 0 && (list->next < job->end || job->dropping)) {
        job->rc = gm_publish_check_lead(job->d, &job->err);
    }
    if (job->rc == 0 && !job->deleting_out && list->next == 0) {
        drop_uploads(job, store, "jobs", job->job_id);
    } else if (job->rc == 0 && job->deleting_out &&
               (job->dropping || !goes_alone(job, job->batch.publication))) {
        drop_uploads(job, store, "v", job->batch.publication);
    }
    if (job->rc == 0 && list->next < job->end) {
        size_t done = 0;
        GM_CRASH("cleanup.deleting");
        job->rc = gm_store_delete_many(store, (const char *const *)(list->keys + list->next),
                                       job->end - list->next, &done, &job->err);
        list->next += done;
        GM_CRASH("cleanup.deleted");
    }
    gm_store_close(&store);
}

static void delete_work(void *arg)
{
    const struct gm_stores_limit limit = {.wanted = still_leads, .arg = arg};
    gm_stores_limit(&limit);
    delete_step(arg);
    gm_stores_limit(NULL);
}

/* The daemon's part of gm_hold_end. */
static void leave(const char *node_id, Gm__Envelope *envelope, void *arg)
{
    gm_wire_send(arg, node_id, envelope);
}

static void end_batch(struct store_job *job)
{
    if (job->deleting_out) {
        gm_hold_end(&job->d->hold, &job->batch, leave, job->d);
    }
}

static void delete_done(void *arg);

/* A batch of outputs failed: the rest of them waits, the work objects do not. */
static void put_off_outputs(struct store_job *job)
{
    job->out_rc = job->rc;
    job->out_err = job->err;
    job->rc = 0;
}

/* Whether the output at `end` is of the batch too. */
static bool may_join(const struct store_job *job, bool alone)
{
    if (job->end == job->out.count || job->end - job->out.next == DELETE_BATCH) {
        return false;
    }
    const char *key = job->out.keys[job->end];
    return is_of(key, job->batch.publication) &&
           !(alone && gm_view_is_output_shared(job->d->core, job->job_id, key));
}

/* All outputs of the batch's publication: other jobs own it. */
static bool is_kept(struct store_job *job, bool alone)
{
    const struct gm_core *core = job->d->core;
    const char *publication = job->batch.publication;
    bool beside = alone && !job->outputs_stay;
    bool kept = beside  ? gm_view_is_publication_made(core, job->job_id, publication)
                : alone ? false
                        : gm_view_is_publication_shared(core, job->job_id, publication);
    job->passed_over = job->passed_over || kept;
    return kept || (beside && !may_go_beside(job));
}

/* Names the next outputs to delete; those of publications that other jobs own are passed over.
 * False: there are none. */
static bool next_batch(struct store_job *job)
{
    while (job->out_rc == 0 && job->out.next < job->out.count) {
        gm_hold_publication(job->out.keys[job->out.next], job->batch.publication);
        bool alone = goes_alone(job, job->batch.publication);
        if (is_kept(job, alone)) {
            skip_batch(job);
            continue;
        }
        for (job->end = job->out.next; may_join(job, alone);) {
            job->end++;
        }
        if (job->end > job->out.next) {
            return true;
        }
        job->passed_over = job->passed_over || job->outputs_stay;
        job->out.next++; /* another job's */
    }
    return false;
}

/* Behind the last batch of outputs. Jobs that ended beside it need no upload; one that is
 * unfinished drops them when it ends. Once. */
static bool next_uploads(struct store_job *job)
{
    bool due = job->out_rc == 0 && !job->dropping && !job->outputs_stay && job->beside.count > 0 &&
               gm_s3_is_url(job->out_url) &&
               !gm_view_is_publication_made(job->d->core, job->job_id, job->publication);
    if (due) {
        (void)snprintf(job->batch.publication, sizeof job->batch.publication, "%s",
                       job->publication);
        job->end = job->out.next;
        job->dropping = true;
    }
    return due;
}

/* Behind those. Once. */
static bool next_note(struct store_job *job)
{
    bool due = job->out_rc == 0 && !job->noting && !job->outputs_stay && job->beside.count > 0 &&
               !gm_view_is_publication_made(job->d->core, job->job_id, job->publication);
    if (due) {
        (void)snprintf(job->batch.publication, sizeof job->batch.publication, "%s",
                       job->publication);
        job->noting = true;
    }
    return due;
}

static bool next_work(struct store_job *job)
{
    size_t left = job->work.count - job->work.next;
    job->end = job->work.next + (left < DELETE_BATCH ? left : DELETE_BATCH);
    return left > 0;
}

/* For whoever deletes them by hand. */
static void log_left(const struct store_job *job, const char *store, const struct key_list *list)
{
    char first[512], last[512], where[512];
    if (list->next < list->count) {
        gm_log(GM_LOG_WARN, "objects_left", "job=%s store=%s objects=%zu first=%s last=%s",
               job->job_id, gm_log_quote(store, where, sizeof where), list->count - list->next,
               gm_log_quote(list->keys[list->next], first, sizeof first),
               gm_log_quote(list->keys[list->count - 1], last, sizeof last));
    }
}

static void log_failure(const char *job_id, bool last, const struct gm_err *err)
{
    gm_log_err(GM_LOG_WARN, last ? "cleanup_given_up" : "cleanup_failed", err, "job=%s", job_id);
}

/* The next batch, or the end. */
static void delete_next(struct store_job *job)
{
    struct gm_daemon *d = job->d;
    if (job->rc < 0 && job->deleting_out) {
        put_off_outputs(job);
    }
    job->deleting_out = job->rc == 0 && (next_batch(job) || next_uploads(job) || next_note(job));
    if (job->rc == 0 && (job->deleting_out || next_work(job))) {
        struct gm_err error = {0};
        if (job->deleting_out) {
            gm_hold_begin(&d->hold, &job->batch);
        }
        int queued = gm_daemon_work(d, delete_work, delete_done, job, &error);
        if (queued == 0) {
            return; /* the job is the pool's now, its result too */
        }
        end_batch(job);
        job->rc = queued;
        job->err = error;
    }
    const struct gm_err *err = job->rc < 0       ? &job->err
                               : job->out_rc < 0 ? &job->out_err
                                                 : &job->left_err;
    int rc = job->rc < 0 ? job->rc : job->out_rc < 0 ? job->out_rc : job->left_rc;
    if (rc < 0) {
        log_failure(job->job_id, job->last, err);
    }
    if (rc < 0 && job->last) {
        log_left(job, job->out_url, &job->out);
        log_left(job, d->settings->work_store, &job->work);
    }
    GM_CRASH("cleanup.done");
    tell(d, GM_EV_CLEANED, job, job->job_id, rc, err);
    job_destroy(job);
}

static void delete_done(void *arg)
{
    struct store_job *job = arg;
    end_batch(job); /* the next one asks again whose its outputs are */
    if (job->deleting_out && job->noting && job->noted_ms > 0) {
        gm_retire_note(job->d, job->out_url, job->noted_ms);
    }
    delete_next(job);
}

void gm_cleanup_start(struct gm_daemon *d, const char *job_id, bool last)
{
    struct gm_job_view view;
    struct store_job *job = NULL;
    struct gm_err err = {0};
    int rc = gm_view_job(d->core, job_id, &view, &err);
    if (rc == 0) {
        job = job_create(d, &view);
        rc = job == NULL ? gm_err_nomem(&err) : 0;
        if (rc == 0) {
            job->outputs_stay = view.state == GM_JOB_DONE || view.keep_outputs;
            rc = collect(d, job, &err);
        }
        gm_view_job_fini(&view);
    }
    if (rc < 0 || job == NULL) {
        log_failure(job_id, last, &err);
        tell(d, GM_EV_CLEANED, NULL, job_id, rc, &err);
        job_destroy(job);
        return;
    }
    job->last = last;
    GM_CRASH("cleanup.begun");
    delete_next(job);
}

void gm_publish_send(struct gm_daemon *d, struct gm_send *send)
{
    if (!gm_hold_keep(&d->hold, send)) {
        gm_wire_send(d, send->node_id, send->envelope);
    }
}
