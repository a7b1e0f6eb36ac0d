/* What a worker announced, on its way into the store:
 *
 *   READING -> (encode, audio: VERIFY) -> GRANT (-> PREPARE -> GRANT) -> PUT -> READY
 *
 * A failure waits in READING until its source was looked at. Reading and putting run on the thread
 * pool; meanwhile the item is busy, and when its task gives
 * it up it is only marked. Failures of the store are tried again here with growing pauses, and a
 * grant whose time was over is asked for anew; any other failure fails the task. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/log.h"
#include "node/agent_state.h"
#include "proto/check_grant.h"
#include "proto/envelope.h"

#define META_MAX_BYTES (24u << 20) /* with its envelope below GM_ENVELOPE_MAX_BYTES */
#define FILES_MAX 4096
#define ITEMS_MAX 16 /* a worker waits when 4 are not stored: more is a breach */
#define TRIES_MAX 5
#define DENIALS 2
#define HTTP_FORBIDDEN 403

static void close_files(struct gm_item *item)
{
    for (size_t i = 0; item->files != NULL && i < item->file_count; i++) {
        struct gm_item_file *file = &item->files[i];
        if (file->file.fd >= 0) {
            close(file->file.fd);
            file->file.fd = -1;
        }
    }
}

static void free_item(struct gm_item *item)
{
    struct gm_task *task = item->task;
    close_files(item);
    for (size_t i = 0; item->files != NULL && i < item->file_count; i++) {
        struct gm_item_file *file = &item->files[i];
        free(file->name);
        free(file->path);
        gm_upload_cancel(&file->upload);
        gm_parts_destroy(&file->parts);
        if (file->grant != NULL) {
            gm__grant__free_unpacked(file->grant, NULL);
        }
    }
    free(item->files);
    free(item->meta_file);
    free(item->meta);
    if (item->done != NULL) {
        gm__wdone__free_unpacked(item->done, NULL);
    }
    free(item);
    gm_task_unref(task);
}

void gm_item_drop(struct gm_item *item)
{
    __atomic_store_n(&item->dropped, true, __ATOMIC_RELAXED);
    if (item->state == GM_ITEM_VERIFY) {
        gm_verify_forget(item);
    }
    if ((item->sent && gm_send_drop(item)) ||
        (item->state == GM_ITEM_PREPARE && gm_item_prepare_drop(item))) {
        item->busy = false;
    }
    if (!item->busy && gm_send_hold(item)) {
        item->busy = true;
    } else if (!item->busy) {
        free_item(item);
    } else {
        gm_job_cancel(&item->job);
    }
}

static void append_item(struct gm_task *task, struct gm_item *item)
{
    *(task->last == NULL ? &task->first : &task->last->next) = item;
    task->last = item;
}

static struct gm_item *create_item(struct gm_task *task, enum gm_item_kind kind,
                                   Gm__WFile *const *files, size_t count, const char *meta_file)
{
    struct gm_item *item = calloc(1, sizeof(*item));
    if (item == NULL) {
        return NULL;
    }
    task->refs++;
    item->task = task;
    item->kind = kind;
    item->chunk = -1;
    item->source_fd = -1;
    gm__usage__init(&item->usage);
    item->files = calloc(count + 1, sizeof(*item->files));
    item->meta_file = strdup(meta_file);
    bool bad = item->files == NULL || item->meta_file == NULL;
    for (size_t i = 0; i < count && !bad; i++) {
        struct gm_item_file *file = &item->files[item->file_count++];
        file->file.fd = -1;
        file->item = item;
        file->store = files[i]->store;
        file->name = strdup(files[i]->name);
        file->path = strdup(files[i]->path);
        bad = file->name == NULL || file->path == NULL;
    }
    if (bad) {
        free_item(item);
        return NULL;
    }
    return item;
}

void gm_item_failed(struct gm_item *item, const struct gm_err *why)
{
    const char *type = item->task->spec->type;
    bool chunk = strcmp(type, "encode") == 0 || strcmp(type, "analyze") == 0;
    gm_task_fail(item->task, why, chunk && item->kind == GM_ITEM_PIECE ? (int64_t)item->index : -1);
}

/* --- reading */

/* A worker that names what is not there or no plain file broke the rules; that says nothing about
 * the job, so it is tried elsewhere. A file of a whole programme may be too large without a fault
 * of its worker. */
static int blame_worker(const struct gm_task *task, struct gm_err *err, int rc)
{
    if (rc == -GM_E_LIMIT && strcmp(task->spec->type, "mp4") == 0) {
        return gm_err_wrap(err, rc, "more than any store takes: ");
    }
    if (rc == -GM_E_PROTO || rc == -GM_E_NOTFOUND || rc == -GM_E_LIMIT) {
        err->code = GM_E_BUG;
        rc = -GM_E_BUG;
    }
    return rc;
}

static void on_moved(void *arg)
{
    gm_job_moved(arg);
}

static void run_read(void *arg)
{
    struct gm_item *item = arg;
    int folder = item->task->folder;
    int rc = 0;
    if (item->meta_file[0] != '\0') {
        rc = gm_outfile_read(folder, item->meta_file, META_MAX_BYTES, &item->meta, &item->meta_size,
                             &item->err);
    }
    for (size_t i = 0; i < item->file_count && rc == 0; i++) {
        struct gm_item_file *file = &item->files[i];
        rc = gm_outfile_open(folder, file->name, GM_PROTO_OBJECT_MAX, on_moved, &item->job,
                             &file->file, &item->err);
    }
    gm_job_moved(&item->job);
    item->source_changed = gm_open_source_changed(item->source_fd, item->source_opened);
    GM_IGNORE(blame_worker(item->task, &item->err, rc), "the code is in item->err");
}

/* True when the job's item is still wanted; else it is freed. */
static bool settle(struct gm_item *item)
{
    item->busy = false;
    if (item->dropped) {
        free_item(item);
        return false;
    }
    gm_task_alive(item->task);
    return true;
}

static bool is_verified_type(const struct gm_task *task)
{
    const char *type = task->spec->type;
    return strcmp(type, "encode") == 0 || strcmp(type, "audio") == 0 ||
           strcmp(type, "subtitles") == 0;
}

/* The worker failed at its source: what for is known now. */
static void tell_failure(struct gm_item *item)
{
    gm_task_blame(item->task, &item->err, item->chunk);
    item->state = GM_ITEM_READY;
    gm_task_emit(item->task);
}

static void after_read(void *arg)
{
    struct gm_item *item = arg;
    if (!settle(item)) {
        return;
    }
    bool failure = item->kind == GM_ITEM_FAILED;
    if (item->source_changed && (failure || item->err.code == GM_OK)) {
        gm_err_set(&item->err, GM_E_INPUT_CHANGED, 0,
                   "the source was written to while it was read");
    }
    if (failure) {
        tell_failure(item);
        return;
    }
    if (item->err.code != GM_OK) {
        gm_item_failed(item, &item->err);
        return;
    }
    GM_CRASH("agent.read");
    for (size_t i = 0; i < item->file_count; i++) {
        item->task->bytes_out += item->files[i].file.size;
    }
    if (item->kind == GM_ITEM_PIECE && is_verified_type(item->task) && item->file_count > 0) {
        item->state = GM_ITEM_VERIFY;
        gm_verify_add(item);
        return;
    }
    gm_item_verified(item);
}

static void late_read(void *arg, struct gm_err *why)
{
    struct gm_item *item = arg;
    if (!item->dropped && item->kind == GM_ITEM_FAILED) { /* then that is all there is to tell */
        gm_task_fail(item->task, &item->err, item->chunk);
    } else if (!item->dropped) {
        GM_IGNORE(gm_err_wrap(why, -(int)why->code,
                              "could not read what the worker made, or look at its source: "),
                  "the text is what it is for");
        gm_item_failed(item, why);
    }
}

static void start_reading(struct gm_item *item)
{
    struct gm_task *task = item->task;
    append_item(task, item);
    item->state = GM_ITEM_READING;
    item->busy = true;
    item->source_fd = task->source_fd;
    item->source_opened = task->source_changed;
    item->job = (struct gm_job){
        .run = run_read, .after = after_read, .on_late = late_read, .arg = item, .task = task};
    gm_job_start(task->agent, &item->job);
}

static int check_files(const struct gm_task *task, size_t count, struct gm_err *err)
{
    size_t waiting = 0;
    for (const struct gm_item *item = task->first; item != NULL; item = item->next) {
        waiting++;
    }
    if (count > FILES_MAX || waiting + task->unacked >= ITEMS_MAX) {
        return gm_err_set(err, GM_E_BUG, (int64_t)count,
                          "the worker announced %zu files with %zu items waiting", count,
                          waiting + task->unacked);
    }
    return 0;
}

int gm_item_add(struct gm_task *task, const Gm__WProduced *produced, struct gm_err *err)
{
    int rc = check_files(task, produced->n_files, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_item *item =
        create_item(task, GM_ITEM_PIECE, produced->files, produced->n_files, produced->meta_file);
    if (item == NULL) {
        return gm_err_nomem(err);
    }
    item->stream = produced->stream;
    item->index = produced->index;
    item->is_last = produced->last;
    start_reading(item);
    return 0;
}

static void take_usage(struct gm_item *item, const Gm__Usage *usage)
{
    if (usage != NULL) {
        item->usage.cpu_us = usage->cpu_us;
        item->usage.wall_us = usage->wall_us;
        item->usage.max_rss_bytes = usage->max_rss_bytes;
        item->usage.rss_own = usage->rss_own;
    } else {
        item->usage.wall_us = (uint64_t)(gm_time_now() - item->task->assigned) / 1000u;
    }
}

int gm_item_add_done(struct gm_task *task, const Gm__WDone *done, struct gm_err *err)
{
    int rc = check_files(task, done->n_files, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_item *item =
        create_item(task, GM_ITEM_DONE, done->files, done->n_files, done->meta_file);
    if (item == NULL) {
        return gm_err_nomem(err);
    }
    item->done = (Gm__WDone *)gm_message_dup(&done->base);
    if (item->done == NULL) {
        free_item(item);
        return gm_err_nomem(err);
    }
    take_usage(item, done->usage);
    start_reading(item);
    return 0;
}

static struct gm_item *create_failed(struct gm_task *task, const struct gm_err *why, int64_t chunk,
                                     const Gm__Usage *usage)
{
    struct gm_item *item = create_item(task, GM_ITEM_FAILED, NULL, 0, "");
    if (item != NULL) {
        item->err = *why;
        item->chunk = chunk;
        take_usage(item, usage);
    }
    return item;
}

int gm_item_add_failed(struct gm_task *task, const struct gm_err *why, int64_t chunk,
                       const Gm__Usage *usage, struct gm_err *err)
{
    struct gm_item *item = create_failed(task, why, chunk, usage);
    if (item == NULL) {
        return gm_err_nomem(err);
    }
    item->state = GM_ITEM_READY;
    append_item(task, item);
    return 0;
}

int gm_item_add_doubted(struct gm_task *task, const struct gm_err *why, int64_t chunk,
                        const Gm__Usage *usage, struct gm_err *err)
{
    struct gm_item *item = create_failed(task, why, chunk, usage);
    if (item == NULL) {
        return gm_err_nomem(err);
    }
    start_reading(item);
    return 0;
}

void gm_item_verified(struct gm_item *item)
{
    struct gm_task *task = item->task;
    GM_CRASH("agent.verified");
    if (item->file_count > 0) {
        gm_item_ask(item);
        GM_CRASH("agent.grant_asked");
        return;
    }
    item->state = GM_ITEM_READY;
    gm_task_emit(task);
}

bool gm_item_try_later(struct gm_item *item, const struct gm_err *why)
{
    if (gm_code_get((int)why->code)->retry != GM_RETRY_SAME_NODE || item->tries >= TRIES_MAX) {
        return false;
    }
    gm_log_err(GM_LOG_WARN, "store-retry", why, "job=%s task=%s try=%u", item->task->spec->job_id,
               item->task->spec->task, item->tries + 1);
    item->not_before = gm_time_now() + gm_agent_backoff(item->tries++);
    return true;
}

bool gm_item_was_denied(struct gm_item *item, const struct gm_err *why)
{
    if (why->code != GM_E_STORE_DENIED || why->native != HTTP_FORBIDDEN ||
        item->denials >= DENIALS) {
        return false;
    }
    gm_log_err(GM_LOG_WARN, "grant-denied", why, "job=%s task=%s", item->task->spec->job_id,
               item->task->spec->task);
    item->state = GM_ITEM_GRANT;
    item->not_before = gm_time_now() + gm_agent_backoff(item->denials++);
    return true;
}

/* A body of hundreds of GB takes longer than the time of a URL: as long as parts of it come to be
 * stored it is given fresh ones. */
static void note_parts(struct gm_item *item)
{
    size_t there = 0;
    for (size_t i = 0; i < item->file_count; i++) {
        const struct gm_parts *parts = item->files[i].parts;
        for (size_t k = 0; parts != NULL && k < parts->count; k++) {
            there += parts->list[k].etag[0] != '\0' ? 1 : 0;
        }
    }
    if (there > item->parts_there) {
        item->late_grants = 0;
    }
    item->parts_there = there;
}

void gm_item_put_ended(struct gm_item *item)
{
    if (!settle(item)) {
        return;
    }
    note_parts(item);
    gm_busy_end(&item->task->storing, gm_time_now());
    if (item->err.code == GM_OK) {
        for (size_t i = 0; i < item->file_count; i++) {
            item->task->agent->counts.written_bytes += item->files[i].file.size;
        }
        close_files(item);
        item->state = GM_ITEM_READY;
        gm_task_emit(item->task);
    } else if (item->err.code == GM_E_STALE) { /* of the task, not of what it makes */
        gm_task_drop(item->task, "its lease ended while it was stored");
    } else if (gm_clock_is_late(&item->err) && item->late_grants < TRIES_MAX) {
        gm_log_err(GM_LOG_WARN, "grant-too-old", &item->err, "job=%s task=%s",
                   item->task->spec->job_id, item->task->spec->task);
        item->task->agent->renew_due = 0; /* that tells the scheduler's clock */
        item->state = GM_ITEM_GRANT;      /* another one is asked for then */
        item->not_before = gm_time_now() + gm_agent_backoff(item->late_grants++);
    } else if (!gm_item_was_denied(item, &item->err) && !gm_item_try_later(item, &item->err)) {
        gm_item_failed(item, &item->err);
    }
}

void gm_item_tick(struct gm_item *item, gm_time now)
{
    if (item->not_before != 0 && now < item->not_before) {
        return;
    }
    if (item->state == GM_ITEM_GRANT) {
        gm_item_remind(item, now);
    } else if (item->state == GM_ITEM_PUT && !item->busy && item->not_before != 0) {
        if (gm_item_is_granted(item)) {
            gm_put_start(item);
        } else { /* what was begun is gone */
            gm_item_ask(item);
        }
    }
}

int gm_item_message(const struct gm_item *item, bool granted, struct gm_item_message *out,
                    struct gm_err *err)
{
    gm__item__init(&out->piece);
    out->objects = calloc(item->file_count + 1, sizeof(*out->objects));
    out->list = calloc(item->file_count + 1, sizeof(*out->list));
    if (out->objects == NULL || out->list == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < item->file_count; i++) {
        const struct gm_item_file *file = &item->files[i];
        Gm__Object *object = &out->objects[i];
        gm__object__init(object);
        object->store = file->store;
        object->key = granted ? file->grant->key : file->path;
        object->size = file->file.size;
        object->sha256.data = (uint8_t *)(uintptr_t)file->file.sha256; /* not changed */
        object->sha256.len = GM_SHA256_SIZE;
        out->list[i] = object;
    }
    out->piece.stream = item->stream;
    out->piece.index = item->index;
    out->piece.last = item->is_last;
    out->piece.objects = out->list;
    out->piece.n_objects = item->file_count;
    out->piece.meta.data = item->meta;
    out->piece.meta.len = item->meta_size;
    return 0;
}

void gm_item_message_fini(struct gm_item_message *message)
{
    free(message->objects);
    free(message->list);
}
