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
    while (run->behind != NULL) {
        struct gm_backup_behind *next = run->behind->next;
        free(run->behind->job_id);
        free(run->behind);
        run->behind = next;
    }
    json_decref(run->source);
    json_decref(run->finished);
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
    run->finished = gm_json_time(view->finished_unix_ms);
    run->keeps_title = view->keeps_title;
    run->done = view->backup.state == GM_BACKUP_DONE;
    if (run->from_url == NULL || run->mark == NULL || run->publication == NULL ||
        run->source == NULL || run->finished == NULL) {
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

/* All outputs, from the first on. */
static int read_outputs(struct gm_backup_run *run, struct gm_err *err)
{
    struct gm_outputs done = run->outputs;
    run->outputs = (struct gm_outputs){0};
    int rc = gm_outputs_read(run->d->core, run->job_id, &run->outputs, err);
    if (rc == 0) {
        gm_outputs_note_copied(&run->outputs, &done);
    }
    gm_outputs_fini(&done);
    return rc;
}

/* A report is told where no other job publishes: gm_backup_defers has those wait that begin. */
static int check_tell(const struct gm_backup_run *run, struct gm_err *err)
{
    const struct gm_core *core = run->d->core;
    bool busy = gm_view_is_published_at(core, run->from_url, run->job_id) ||
                gm_view_is_published_at(core, run->url, run->job_id);
    return busy ? gm_err_set(err, GM_E_BUSY, 0, "another job publishes there now") : 0;
}

/* Negative: it did not begin. */
static int begin(struct gm_backup_run *run, enum gm_backup_phase phase)
{
    struct gm_err err = {0};
    bool goes_on = run->phase == phase;
    run->phase = phase;
    int rc = run->from_url == NULL ? prepare(run, &err) : 0;
    if (rc == 0 && (phase == GM_BACKUP_LOOK || (phase == GM_BACKUP_COMPARE && !goes_on))) {
        rc = read_outputs(run, &err);
    }
    if (rc == 0 && phase == GM_BACKUP_LOOK) {
        run->lacking = gm_outputs_left(&run->outputs);
    } else if (rc == 0 && phase == GM_BACKUP_TELL) {
        rc = check_tell(run, &err);
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
    struct gm_backup_behind *behind = run->behind;
    run->behind = NULL;
    if (run->noted) {
        gm_retire_note(d, run->url, 1);
    }
    run_drop(run);
    next_run(d);
    while (behind != NULL) {
        struct gm_backup_behind *next = behind->next;
        if (!d->stopping) {
            gm_publish_start(d, behind->job_id);
        }
        free(behind->job_id);
        free(behind);
        behind = next;
    }
}

/* Its last try could have begun by now, and would have met the same. */
static bool is_over(const struct gm_backup_run *run)
{
    struct gm_job_view view;
    struct gm_err err;
    bool over = false;
    if (!run->running && !run->tells && !run->given_up &&
        gm_view_job(run->d->core, run->job_id, &view, &err) == 0) {
        over = view.backup.since_unix_ms > 0 && gm_time_unix_ms() - view.backup.since_unix_ms >=
                                                    run->d->settings->backup_retry_s * 1000;
        gm_view_job_fini(&view);
    }
    return over;
}

/* Those that wait behind a run that failed, for the same place, do not try it one after the other
 * when their time is over: they end as it did. */
static void give_up_behind(const struct gm_backup_run *failed)
{
    struct gm_daemon *d = failed->d;
    for (struct gm_backup_run *run = d->backups.runs; run != NULL; run = run->next) {
        if (strcmp(run->url, failed->url) != 0 || !is_over(run)) {
            continue;
        }
        tell(d, run->job_id, 0, &failed->err);
        run->given_up = is_given_up(d, run->job_id);
        gm_log_err(GM_LOG_WARN, "backup_given_up", &failed->err, "job=%s backup=%s lacking=%d",
                   run->job_id, run->url, 0);
    }
}

/* The core has heard of the failure. What was copied is left to the notes, which delete it. */
static void after_failure(struct gm_backup_run *run)
{
    bool given_up = is_given_up(run->d, run->job_id);
    gm_log_err(GM_LOG_WARN, given_up ? "backup_given_up" : "backup_failed", &run->err,
               "job=%s backup=%s lacking=%llu", run->job_id, run->url,
               (unsigned long long)run->lacking);
    if (run->of_place) {
        give_up_behind(run);
    }
    if (!given_up || begin(run, GM_BACKUP_LEAVE) < 0) {
        end(run);
    }
}

static enum gm_backup_phase next_phase(struct gm_backup_run *run)
{
    bool lacks = run->outputs.next < run->outputs.count;
    if (run->phase != GM_BACKUP_COMPARE) {
        return lacks ? GM_BACKUP_COPY : GM_BACKUP_COMPARE;
    }
    if (!run->compared) { /* there are more */
        return GM_BACKUP_COMPARE;
    }
    run->compared = false;
    run->copied_twice = true;
    return GM_BACKUP_COPY;
}

static bool goes_on(struct gm_backup_run *run)
{
    if (run->rc == 0 && !run->complete && atomic_load(&run->unwanted)) {
        run->rc = gm_err_set(&run->err, GM_E_CANCELLED, 0, "the result is taken down");
    }
    return run->rc == 0 && !run->complete && begin(run, next_phase(run)) == 0;
}

/* It has told, or could not: the core asks again. */
static void told(struct gm_backup_run *run)
{
    if (run->rc < 0) {
        gm_log_err(GM_LOG_WARN, "backup_not_told", &run->err, "job=%s backup=%s", run->job_id,
                   run->url);
    }
    tell(run->d, run->job_id, 0, run->rc < 0 ? &run->err : NULL);
    end(run);
}

/* What a step fails with then is none of the place's or the job's: the next start goes on. */
static bool stops(const struct gm_daemon *d)
{
    return d->stopping || atomic_load(&d->told) > 0;
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
    if (run->phase == GM_BACKUP_TELL && (run->rc == 0 || !stops(d))) {
        told(run);
        return;
    }
    if (stops(d) && !run->complete) {
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

static enum gm_backup_phase first_phase(const struct gm_backup_run *run)
{
    if (run->tells) {
        return GM_BACKUP_TELL;
    }
    return run->given_up ? GM_BACKUP_LEAVE : GM_BACKUP_LOOK;
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
        if (begin(run, first_phase(run)) < 0) {
            tell(d, run->job_id, run->lacking, &run->err);
            run_drop(run);
            run = backups->runs;
        }
    }
}

bool gm_backup_defers(struct gm_daemon *d, const char *destination_url, const char *job_id)
{
    struct gm_backup_run *run = d->backups.runs;
    while (run != NULL && !(run->running && run->phase == GM_BACKUP_TELL &&
                            (strcmp(run->url, destination_url) == 0 ||
                             strcmp(run->from_url, destination_url) == 0))) {
        run = run->next;
    }
    struct gm_backup_behind *behind = run != NULL ? calloc(1, sizeof *behind) : NULL;
    if (behind != NULL && (behind->job_id = strdup(job_id)) == NULL) {
        free(behind);
        behind = NULL;
    }
    if (behind != NULL) {
        behind->next = run->behind;
        run->behind = behind;
    }
    return behind != NULL;
}

void gm_backup_start(struct gm_daemon *d, const char *job_id, bool tells)
{
    struct gm_backup_run *run = NULL;
    struct gm_err err = {0};
    int rc = run_create(d, job_id, &run, &err);
    if (rc < 0) {
        gm_log_err(GM_LOG_WARN, "backup_failed", &err, "job=%s", job_id);
        tell(d, job_id, 0, &err);
        return;
    }
    run->tells = tells;
    struct gm_backup_run **last = &d->backups.runs;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = run;
    next_run(d);
}

bool gm_backup_end(struct gm_daemon *d, const char *job_id)
{
    bool over = true;
    struct gm_backup_run *next = NULL;
    for (struct gm_backup_run *run = d->backups.runs; run != NULL; run = next) {
        next = run->next;
        if (strcmp(run->job_id, job_id) != 0) {
            continue;
        }
        if (run->running) {
            atomic_store(&run->unwanted, true);
            over = false;
        } else {
            run_drop(run);
        }
    }
    return over;
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
