/* What a backup does in stores. Each step opens both anew, asks who leads, and can be done again
 * after a crash with the same end. */
#include "scheduler/backup_parts.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "scheduler/replaced.h"
#include "scheduler/standing.h"
#include "storage/remote/stores.h"

#define STEP_TIME GM_SEC
#define REPORT_BYTES ((uint64_t)256 << 20)

struct places {
    struct gm_store *from, *to; /* owned */
};

static void name_prefix(const struct gm_backup_run *run, char out[GM_HOLD_NAME + 4])
{
    (void)snprintf(out, GM_HOLD_NAME + 4, "v/%.*s/", GM_HOLD_NAME - 1, run->publication);
}

static int open_backup(struct gm_backup_run *run, struct gm_store **out)
{
    struct gm_stores *stores = run->d->stores;
    return run->mark[0] != '\0' ? gm_stores_open_marked(stores, run->url, run->mark, out, &run->err)
                                : gm_stores_open(stores, run->url, true, out, &run->err);
}

/* The destination's report says whose result stands there. */
static int check_standing(struct gm_backup_run *run, struct gm_store *from)
{
    struct gm_standing_job job = {0};
    int rc = gm_standing_job(from, &job, &run->err);
    if (rc == 0 && job.id == NULL) {
        rc = gm_err_set(&run->err, GM_E_STORE_CORRUPT, 0,
                        "there is no report at the destination %.150s", run->from_url);
    } else if (rc == 0 && strcmp(job.id, run->job_id) != 0) {
        rc = gm_err_set(&run->err, GM_E_CONFLICT, 0,
                        "job %.64s took the place of this result at the destination", job.id);
    }
    gm_standing_job_fini(&job);
    return rc;
}

/* Another job's result may have come to the backup meanwhile, of another destination: the later
 * one stays. Times of reports compare as texts. */
static int check_later(struct gm_backup_run *run, struct gm_store *to)
{
    struct gm_standing_job job = {0};
    int rc = gm_standing_job(to, &job, &run->err);
    if (rc == 0 && job.id != NULL && strcmp(job.id, run->job_id) != 0 &&
        strcmp(job.state, "done") == 0 &&
        strcmp(job.finished, json_string_value(run->finished)) > 0) {
        rc = gm_err_set(&run->err, GM_E_CONFLICT, 0,
                        "job %.64s, which ended after this one, has its result there", job.id);
    }
    gm_standing_job_fini(&job);
    return rc;
}

/* Of what stands at the backup: where it is to stay nothing is touched. */
static int check_backup(struct gm_backup_run *run, struct gm_store *to)
{
    struct gm_title_own own = {.job_id = run->job_id,
                               .title = run->title,
                               .source = json_string_value(run->source),
                               .publication = run->publication};
    bool noted = false;
    int rc = check_later(run, to);
    rc = rc == 0 && run->keeps_title ? gm_title_check(to, &own, &run->err) : rc;
    rc = rc < 0 ? rc : gm_replaced_is_noted(to, run->publication, &noted, &run->err);
    return rc < 0 || !noted ? rc : gm_replaced_drop(to, run->publication, &run->err);
}

static int put(struct gm_backup_run *run, struct gm_store *to, const char *key, const void *data,
               size_t size)
{
    return size == 0 ? 0 : gm_store_put_bytes(to, key, data, size, &run->err);
}

/* As it is at the destination. */
static int read_report(struct gm_backup_run *run, struct gm_store *from, struct gm_buf *out)
{
    struct gm_store_stat stat = {0};
    size_t got = 0;
    int rc = gm_store_head(from, "report.json", &stat, &run->err);
    if (rc == 0 && stat.size > REPORT_BYTES) {
        rc = gm_err_set(&run->err, GM_E_LIMIT, 0, "the report is too large to be copied");
    }
    uint8_t *data = rc == 0 ? malloc((size_t)stat.size + 1) : NULL;
    if (rc == 0 && data == NULL) {
        rc = gm_err_nomem(&run->err);
    }
    if (rc == 0) {
        rc = gm_store_get(from, "report.json", 0, data, (size_t)stat.size, &got, &run->err);
    }
    if (rc == 0) {
        gm_buf_add(out, data, got);
        rc = gm_buf_check(out, &run->err);
    }
    free(data);
    return rc;
}

/* Report, then manifests, as where the job published. The report is read between two looks that
 * show it to be this job's. */
static int finish(struct gm_backup_run *run, const struct places *p)
{
    struct gm_buf report = {0};
    int64_t until_unix_ms = gm_time_unix_ms() + run->d->settings->publish_grace_s * 1000;
    int rc = read_report(run, p->from, &report);
    rc = rc < 0 ? rc : check_standing(run, p->from);
    rc = rc < 0 ? rc : gm_publish_check_lead(run->d, &run->err);
    rc = rc < 0 ? rc
                : gm_replaced_note(p->to, run->job_id, run->publication, until_unix_ms, &run->noted,
                                   &run->err);
    rc = rc < 0 ? rc : put(run, p->to, "report.json", report.data, report.size);
    const struct gm_buf *master = &run->files.master_m3u8, *mpd = &run->files.manifest_mpd;
    rc = rc < 0 ? rc : put(run, p->to, "master.m3u8", master->data, master->size);
    rc = rc < 0 ? rc : put(run, p->to, "manifest.mpd", mpd->data, mpd->size);
    gm_buf_fini(&report);
    run->complete = rc == 0;
    return rc;
}

/* Those of tries that came to nothing. */
static void drop_uploads(const struct gm_backup_run *run, struct gm_store *to)
{
    char prefix[GM_HOLD_NAME + 4];
    struct gm_err err = {0};
    name_prefix(run, prefix);
    if (gm_stores_drop_uploads(to, prefix, &err) < 0) {
        gm_log_err(GM_LOG_WARN, "uploads_left", &err, "job=%s prefix=%s", run->job_id, prefix);
    }
}

/* So it would be for others, too: it is neither the job's nor this scheduler's own. */
static bool is_of_place(int rc)
{
    return rc < 0 && rc != -GM_E_TITLE_EXISTS && rc != -GM_E_CONFLICT && rc != -GM_E_LIMIT &&
           rc != -GM_E_NOMEM && rc != -GM_E_CANCELLED && rc != -GM_E_NOT_LEADER;
}

static int check_both(struct gm_backup_run *run, const struct places *p)
{
    int rc = check_standing(run, p->from);
    if (rc == 0) {
        rc = check_backup(run, p->to);
        run->of_place = is_of_place(rc);
    }
    return rc;
}

static int look(struct gm_backup_run *run, const struct places *p)
{
    char prefix[GM_HOLD_NAME + 4];
    name_prefix(run, prefix);
    int rc = check_both(run, p);
    rc = rc < 0 ? rc : gm_outputs_strike(&run->outputs, p->to, prefix, &run->err);
    run->lacking = gm_outputs_left(&run->outputs);
    return rc;
}

/* What a list shows may be gone, and of those that were there before it may be another body. */
static int compare(struct gm_backup_run *run, const struct places *p)
{
    gm_time until = gm_time_now() + STEP_TIME;
    struct gm_store *from = run->copied_twice ? NULL : p->from;
    int rc = 0;
    while (rc == 0 && gm_time_now() < until) {
        rc = gm_outputs_compare(&run->outputs, from, p->to, &run->err);
    }
    if (rc <= 0) {
        return rc;
    }
    run->compared = true;
    run->lacking = gm_outputs_left(&run->outputs);
    if (run->lacking > 0) {
        return run->copied_twice
                   ? gm_err_set(&run->err, GM_E_STORE_CORRUPT, 0,
                                "%.150s is not there as it was copied", run->outputs.rows[0].key)
                   : 0;
    }
    rc = check_both(run, p);
    rc = rc < 0 ? rc : finish(run, p);
    if (run->complete) {
        drop_uploads(run, p->to);
    }
    return rc;
}

/* The report that says how the backup ended, at the destination, and where the result lies there,
 * too. Each place must still show this job's. */
static int tell_report(struct gm_backup_run *run, const struct places *p)
{
    const struct gm_buf *report = &run->files.report;
    int rc = check_standing(run, p->from);
    rc = rc < 0 ? rc : put(run, p->from, "report.json", report->data, report->size);
    rc = rc < 0 || !run->done ? rc : check_standing(run, p->to);
    return rc < 0 || !run->done ? rc : put(run, p->to, "report.json", report->data, report->size);
}

/* A body may be large, and its servers slow. */
static int is_wanted(void *arg, struct gm_err *err)
{
    const struct gm_backup_run *run = arg;
    if (atomic_load(&run->unwanted)) {
        return gm_err_set(err, GM_E_CANCELLED, 0, "the result is taken down");
    }
    if (atomic_load(&run->d->told) > 0) {
        return gm_err_set(err, GM_E_CANCELLED, 0, "the scheduler stops");
    }
    return gm_publish_check_lead(run->d, err);
}

static int copy(struct gm_backup_run *run, const struct places *p)
{
    const struct gm_put_guard guard = {.check = is_wanted, .arg = run};
    const char *scratch = gm_shelf_folder(run->d->shelf);
    gm_time until = gm_time_now() + STEP_TIME;
    int rc = 0;
    while (rc == 0 && run->outputs.next < run->outputs.count && gm_time_now() < until) {
        rc = gm_outputs_copy(&run->outputs, p->from, p->to, scratch, &guard, &run->err);
        run->lacking -= rc == 0 ? 1 : 0;
    }
    return rc;
}

static int leave(struct gm_backup_run *run, struct gm_store *to)
{
    int64_t until_unix_ms = gm_time_unix_ms() + run->d->settings->publish_grace_s * 1000;
    return gm_replaced_note_left(to, run->publication, until_unix_ms, &run->noted, &run->err);
}

static int in_both(struct gm_backup_run *run, const struct places *p)
{
    switch (run->phase) {
    case GM_BACKUP_COPY:
        return copy(run, p);
    case GM_BACKUP_COMPARE:
        return compare(run, p);
    case GM_BACKUP_TELL:
        return tell_report(run, p);
    default:
        return look(run, p);
    }
}

static int work(struct gm_backup_run *run)
{
    struct places p = {0};
    int rc = gm_publish_check_lead(run->d, &run->err);
    if (rc == 0 && (run->phase != GM_BACKUP_TELL || run->done)) {
        rc = open_backup(run, &p.to);
        run->of_place = is_of_place(rc);
    }
    if (rc == 0 && run->phase == GM_BACKUP_LEAVE) {
        rc = leave(run, p.to);
    } else if (rc == 0) {
        rc = gm_stores_open(run->d->stores, run->from_url, false, &p.from, &run->err);
        rc = rc < 0 ? rc : in_both(run, &p);
    }
    gm_store_close(&p.from);
    gm_store_close(&p.to);
    return rc;
}

void gm_backup_step(struct gm_backup_run *run)
{
    const struct gm_stores_limit limit = {.wanted = is_wanted, .arg = run};
    gm_stores_limit(&limit);
    run->rc = work(run);
    gm_stores_limit(NULL);
}
