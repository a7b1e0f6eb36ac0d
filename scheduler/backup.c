#include "scheduler/backup.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "scheduler/backup_parts.h"

#define MOST 4 /* at a time: each may keep a thread of the pool waiting for a server */

static void run_destroy(struct gm_backup_run *run)
{
    if (run == NULL) {
        return;
    }
    gm_outputs_fini(&run->outputs);
    gm_report_files_fini(&run->files);
    json_decref(run->source);
    free(run->job_id);
    free(run->from_url);
    free(run->url);
    free(run->mark);
    free(run->publication);
    free(run);
}

static int fill(struct gm_backup_run *run, const struct gm_job_view *view, struct gm_err *err)
{
    const struct gm_title_source source = {view->source_url, view->source_name, view->tenant,
                                           view->source_size};
    run->from_url = strdup(view->destination_url);
    run->mark = strdup(view->backup.mark);
    run->publication = strdup(view->publication);
    run->source = gm_json_url(view->source_url);
    run->keeps_title = view->keeps_title;
    if (run->from_url == NULL || run->mark == NULL || run->publication == NULL ||
        run->source == NULL) {
        return gm_err_nomem(err);
    }
    return gm_title_make(&source, view->pipeline, run->title, err);
}

/* Waiting runs are many where their place is away: they hold two strings. */
static int run_create(struct gm_daemon *d, const char *job_id, struct gm_backup_run **out,
                      struct gm_err *err)
{
    struct gm_job_view view;
    int rc = gm_view_job(d->core, job_id, &view, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_backup_run *run = calloc(1, sizeof *run);
    if (run != NULL) {
        run->d = d;
        run->job_id = strdup(view.id);
        run->url = strdup(view.backup.url);
    }
    gm_view_job_fini(&view);
    if (run == NULL || run->job_id == NULL || run->url == NULL) {
        run_destroy(run);
        return gm_err_nomem(err);
    }
    *out = run;
    return 0;
}

/* What a run needs whose turn it is. */
static int prepare(struct gm_backup_run *run, struct gm_err *err)
{
    struct gm_job_view view;
    int rc = gm_view_job(run->d->core, run->job_id, &view, err);
    if (rc < 0) {
        return rc;
    }
    rc = fill(run, &view, err);
    gm_view_job_fini(&view);
    return rc < 0 ? rc : gm_report_build(run->d->core, run->job_id, &run->files, err);
}

static void run_drop(struct gm_backup_run *run)
{
    struct gm_backups *backups = &run->d->backups;
    struct gm_backup_run **at = &backups->runs;
    while (*at != run) {
        at = &(*at)->next;
    }
    *at = run->next;
    backups->running -= run->running ? 1 : 0;
    run_destroy(run);
}

static void tell(struct gm_daemon *d, const char *job_id, uint64_t lacking,
                 const struct gm_err *failure)
{
    struct gm_event event = {.type = GM_EV_BACKED_UP, .job_id = job_id, .lacking = lacking};
    if (failure != NULL) {
        event.failure = *failure;
    }
    gm_daemon_tell(d, &event);
}

static bool is_given_up(const struct gm_daemon *d, const char *job_id)
{
    struct gm_job_view view;
    struct gm_err err;
    bool up = gm_view_job(d->core, job_id, &view, &err) == 0;
    if (up) {
        up = view.backup.state == GM_BACKUP_FAILED;
        gm_view_job_fini(&view);
    }
    return up;
}

static void next_run(struct gm_daemon *d);
static void step_done(void *arg);

static void step_work(void *arg)
{
    gm_backup_step(arg);
}

/* Negative: it did not begin. */
static int begin(struct gm_backup_run *run, enum gm_backup_phase phase)
{
    struct gm_err err = {0};
    run->phase = phase;
    int rc = run->from_url == NULL ? prepare(run, &err) : 0;
    if (rc == 0 && (phase == GM_BACKUP_LOOK || phase == GM_BACKUP_AGAIN)) {
        gm_outputs_fini(&run->outputs);
        rc = gm_outputs_read(run->d->core, run->job_id, &run->outputs, &err);
        run->lacking = rc == 0 ? gm_outputs_left(&run->outputs) : run->lacking;
    }
    rc = rc < 0 ? rc : gm_daemon_work(run->d, step_work, step_done, run, &err);
    if (rc < 0) {
        run->rc = rc;
        run->err = err;
    }
    return rc;
}

static void end(struct gm_backup_run *run)
{
    struct gm_daemon *d = run->d;
    if (run->noted) {
        gm_retire_note(d, run->url, 1);
    }
    run_drop(run);
    next_run(d);
}

/* The core has heard of the failure. What was copied is left to the notes, which delete it. */
static void after_failure(struct gm_backup_run *run)
{
    bool given_up = is_given_up(run->d, run->job_id);
    gm_log_err(GM_LOG_WARN, given_up ? "backup_given_up" : "backup_failed", &run->err,
               "job=%s backup=%s lacking=%llu", run->job_id, run->url,
               (unsigned long long)run->lacking);
    if (!given_up || begin(run, GM_BACKUP_LEAVE) < 0) {
        end(run);
    }
}

static bool goes_on(struct gm_backup_run *run)
{
    if (run->rc == 0 && !run->complete && atomic_load(&run->unwanted)) {
        run->rc = gm_err_set(&run->err, GM_E_CANCELLED, 0, "the result is taken down");
    }
    if (run->rc < 0 || run->complete) {
        return false;
    }
    bool copied = run->outputs.next == run->outputs.count;
    return begin(run, copied ? GM_BACKUP_AGAIN : GM_BACKUP_COPY) == 0;
}

static void step_done(void *arg)
{
    struct gm_backup_run *run = arg;
    struct gm_daemon *d = run->d;
    if (run->phase == GM_BACKUP_LEAVE) {
        if (run->rc < 0) {
            gm_log_err(GM_LOG_WARN, "backup_left", &run->err, "job=%s backup=%s publication=%s",
                       run->job_id, run->url, run->publication);
        }
        end(run);
        return;
    }
    if (d->stopping && !run->complete) { /* the next start goes on */
        run_drop(run);
        return;
    }
    if (goes_on(run)) {
        return;
    }
    tell(d, run->job_id, run->lacking, run->rc < 0 ? &run->err : NULL);
    if (run->rc < 0) {
        after_failure(run);
        return;
    }
    gm_log(GM_LOG_INFO, "backup_done", "job=%s", run->job_id);
    end(run);
}

static bool is_busy(const struct gm_backups *backups, const char *url)
{
    const struct gm_backup_run *run = backups->runs;
    while (run != NULL && !(run->running && strcmp(run->url, url) == 0)) {
        run = run->next;
    }
    return run != NULL;
}

/* Those whose turn it is; a run that can't begin ends, and the rest is looked at anew. */
static void next_run(struct gm_daemon *d)
{
    struct gm_backups *backups = &d->backups;
    struct gm_backup_run *run = backups->runs;
    while (run != NULL && backups->running < MOST && !d->stopping) {
        if (run->running || is_busy(backups, run->url)) {
            run = run->next;
            continue;
        }
        run->running = true;
        backups->running++;
        if (begin(run, GM_BACKUP_LOOK) < 0) {
            tell(d, run->job_id, run->lacking, &run->err);
            run_drop(run);
            run = backups->runs;
        }
    }
}

void gm_backup_start(struct gm_daemon *d, const char *job_id)
{
    struct gm_backup_run *run = NULL;
    struct gm_err err = {0};
    int rc = run_create(d, job_id, &run, &err);
    if (rc < 0) {
        gm_log_err(GM_LOG_WARN, "backup_failed", &err, "job=%s", job_id);
        tell(d, job_id, 0, &err);
        return;
    }
    struct gm_backup_run **last = &d->backups.runs;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = run;
    next_run(d);
}

bool gm_backup_end(struct gm_daemon *d, const char *job_id)
{
    struct gm_backup_run *run = d->backups.runs;
    while (run != NULL && strcmp(run->job_id, job_id) != 0) {
        run = run->next;
    }
    if (run != NULL && !run->running) {
        run_drop(run);
        run = NULL;
    } else if (run != NULL) {
        atomic_store(&run->unwanted, true);
    }
    return run == NULL;
}

void gm_backups_fini(struct gm_backups *backups)
{
    while (backups->runs != NULL) {
        struct gm_backup_run *next = backups->runs->next;
        run_destroy(backups->runs);
        backups->runs = next;
    }
    *backups = (struct gm_backups){0};
}
