/* What grants of an item ask for before they are ones: an MD5, hashes of parts, an upload in parts
 * that is begun. Hashes are reckoned on the pool, then uploads are begun, one after the other; then
 * the grants are asked for again. */
#include <stdlib.h>
#include <string.h>

#include "node/agent_state.h"
#include "storage/s3/url.h"

#define LATE_MAX 5
#define ROUNDS_MAX 6 /* an MD5, an upload that is begun, and more than once */

static bool is_grant(const struct gm_item_file *file)
{
    bool begun = file->parts != NULL && file->parts->upload_id != NULL;
    return file->stored || file->grant->url[0] != '\0' || (file->grant->n_part_urls > 0 && begun);
}

bool gm_item_is_granted(const struct gm_item *item)
{
    for (size_t i = 0; i < item->file_count; i++) {
        if (!is_grant(&item->files[i])) {
            return false;
        }
    }
    return true;
}

int64_t gm_grant_until(const struct gm_agent *agent, const Gm__Grant *grant)
{
    const char *url = grant->n_part_urls > 0 ? grant->part_urls[0] : grant->url;
    int64_t until = grant->expires_unix_ms;
    if (until == 0 && !gm_s3_url_until(url, &until)) {
        return 0;
    }
    return gm_time_unix_ms() + (until - gm_clock_unix_ms(agent));
}

/* It goes in parts; those that are whole may need an MD5 all the same. */
static bool is_large(const struct gm_item_file *file)
{
    return file->grant->start_url[0] != '\0' || file->parts != NULL ||
           (file->grant->needs_md5 && file->file.size > GM_PARTS_SIZE);
}

static void on_moved(void *arg)
{
    gm_job_moved(arg);
}

/* The file may be the running worker's, who can write to it. */
static int check_same(const struct gm_item_file *file, const uint8_t sha256[GM_SHA256_SIZE],
                      struct gm_err *err)
{
    return memcmp(sha256, file->file.sha256, GM_SHA256_SIZE) == 0
               ? 0
               : gm_err_set(err, GM_E_BUG, 0,
                            "`%.100s` was written to after the worker had announced it",
                            file->path);
}

/* What is sent must be what was announced: then it is hashed by its store alone, part by part. */
static int reckon(struct gm_item_file *file, struct gm_job *job, struct gm_err *err)
{
    uint8_t sha256[GM_SHA256_SIZE];
    if (is_large(file)) {
        if (file->file.size <= GM_PARTS_SIZE) {
            return gm_err_set(err, GM_E_BUG, 0, "a grant is for parts of what is too small");
        }
        if (file->parts != NULL && (file->parts->has_md5 || !file->wants_md5)) {
            return 0;
        }
        struct gm_parts *parts = NULL;
        int rc = gm_parts_create(file->file.fd, file->file.size, gm_parts_size(file->file.size),
                                 file->wants_md5, sha256, on_moved, job, &parts, err);
        if (rc == 0) {
            rc = check_same(file, sha256, err);
        }
        if (rc < 0) {
            gm_parts_destroy(&parts);
        }
        if (rc == 0 && file->parts != NULL) { /* what is begun stays so */
            parts->upload_id = file->parts->upload_id;
            file->parts->upload_id = NULL;
            gm_parts_destroy(&file->parts);
        }
        file->parts = rc == 0 ? parts : file->parts;
        return rc;
    }
    if (file->wants_md5 && !file->has_md5) {
        int rc = gm_hash_part(file->file.fd, 0, file->file.size, sha256, file->md5, NULL, on_moved,
                              job, err);
        if (rc == 0) {
            rc = check_same(file, sha256, err);
        }
        file->has_md5 = rc == 0;
        return rc;
    }
    return 0;
}

static void run_prepare(void *arg)
{
    struct gm_item *item = arg;
    for (size_t i = 0; i < item->file_count; i++) {
        struct gm_item_file *file = &item->files[i];
        if (!is_grant(file) && reckon(file, &item->job, &item->err) < 0) {
            if (item->err.code == GM_E_INVAL) {
                item->err.code = GM_E_STORE_CORRUPT; /* it was longer when it was announced */
            }
            return;
        }
    }
}

static void begin_uploads(struct gm_item *item);

/* It failed so: tried again where that may help, from the grant on. */
static void fail(struct gm_item *item, const struct gm_err *why)
{
    item->state = GM_ITEM_GRANT;
    if (why->code == GM_E_STALE) { /* of the task, not of what it makes */
        gm_task_drop(item->task, "its lease ended before it was stored");
    } else if (!gm_item_try_later(item, why)) {
        gm_item_failed(item, why);
    }
}

static void on_begun(enum gm_upload_end end, const struct gm_err *err, void *arg)
{
    struct gm_item_file *file = arg;
    struct gm_item *item = file->item;
    file->upload = NULL;
    item->busy = false;
    if (end == GM_UPLOAD_RENEW && item->late_grants < LATE_MAX) {
        item->state = GM_ITEM_GRANT;
        item->not_before = gm_time_now() + gm_agent_backoff(item->late_grants++);
    } else if (end != GM_UPLOAD_DONE) {
        if (!gm_item_was_denied(item, err)) {
            fail(item, err);
        }
    } else {
        begin_uploads(item);
    }
}

static int check_wanted(void *arg, struct gm_err *err)
{
    const struct gm_item_file *file = arg;
    return gm_put_check(file->item, err);
}

static int begin_one(struct gm_item_file *file, struct gm_err *err)
{
    struct gm_agent *agent = file->item->task->agent;
    const struct gm_upload_params params = {
        .transfers = agent->transfers,
        .grant = file->grant,
        .until_unix_ms = gm_grant_until(agent, file->grant),
        .fd = -1,
        .parts = file->parts,
        .wanted = check_wanted,
        .done = on_begun,
        .arg = file,
    };
    if (agent->transfers == NULL) {
        return gm_err_set(err, GM_E_STALE, 0, "the agent stops");
    }
    return gm_upload_begin(&params, &file->upload, err);
}

/* The next one, or the question for grants. */
static void begin_uploads(struct gm_item *item)
{
    for (size_t i = 0; i < item->file_count; i++) {
        struct gm_item_file *file = &item->files[i];
        struct gm_err err;
        if (is_grant(file) || file->grant->start_url[0] == '\0' || file->parts->upload_id != NULL) {
            continue;
        }
        if (begin_one(file, &err) < 0) {
            fail(item, &err);
        } else {
            item->busy = true;
        }
        return;
    }
    gm_item_ask(item);
}

static void after_prepare(void *arg)
{
    struct gm_item *item = arg;
    item->busy = false;
    if (item->dropped) {
        gm_item_drop(item);
        return;
    }
    gm_task_alive(item->task);
    if (item->err.code != GM_OK) {
        gm_item_failed(item, &item->err);
    } else {
        begin_uploads(item);
    }
}

static void late_prepare(void *arg, struct gm_err *why)
{
    struct gm_item *item = arg;
    if (!item->dropped) {
        GM_IGNORE(gm_err_wrap(why, -(int)why->code, "could not hash what the worker made: "),
                  "the text is what it is for");
        gm_item_failed(item, why);
    }
}

void gm_item_prepare(struct gm_item *item)
{
    struct gm_err err;
    if (++item->rounds > ROUNDS_MAX) {
        gm_err_set(&err, GM_E_STORE, 0, "no grant came for what the item's stores had asked for");
        gm_item_failed(item, &err);
        return;
    }
    for (size_t i = 0; i < item->file_count; i++) {
        struct gm_item_file *file = &item->files[i];
        file->wants_md5 = file->wants_md5 || file->grant->needs_md5;
        if (!is_grant(file) && file->grant->start_url[0] != '\0' && file->parts != NULL) {
            gm_parts_forget(file->parts); /* what was begun is not known there any more */
        }
    }
    item->state = GM_ITEM_PREPARE;
    item->busy = true;
    memset(&item->err, 0, sizeof(item->err));
    item->job = (struct gm_job){.run = run_prepare,
                                .after = after_prepare,
                                .on_late = late_prepare,
                                .arg = item,
                                .task = item->task};
    gm_job_start(item->task->agent, &item->job);
}

bool gm_item_prepare_drop(struct gm_item *item)
{
    if (item->job.queued) {
        return false;
    }
    for (size_t i = 0; i < item->file_count; i++) {
        gm_upload_cancel(&item->files[i].upload);
    }
    return true;
}
