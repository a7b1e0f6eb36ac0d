#include "scheduler/core/backup.h"

#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "scheduler/core/node.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/times.h"

#define FIRST_PAUSE (10 * GM_SEC)
#define LONGEST_PAUSE (15 * 60 * GM_SEC)
#define TELLS 12u /* in about an hour and a half */

void gm_core_backup_set(struct gm_cbackup *backup, const char *url, const char *mark)
{
    *backup = (struct gm_cbackup){.url = gm_mem_strdup(url ? url : ""),
                                  .mark = gm_mem_strdup(mark ? mark : "")};
    backup->state = backup->url[0] != '\0' ? GM_BACKUP_WAITING : GM_BACKUP_NONE;
}

static bool is_over(const struct gm_cbackup *backup)
{
    return backup->state == GM_BACKUP_DONE || backup->state == GM_BACKUP_FAILED;
}

void gm_core_backup_load(struct gm_cbackup *backup, const Gm__BackupRow *row)
{
    gm_core_backup_set(backup, row ? row->url : NULL, row ? row->mark : NULL);
    if (!row) {
        return;
    }
    backup->state =
        row->state < GM_BACKUP_STATES ? (enum gm_backup_state)row->state : GM_BACKUP_FAILED;
    if (row->error) {
        gm_err_from_msg(row->error, &backup->error);
    }
    backup->lacking = row->lacking;
    backup->failures = row->failures;
    backup->since_unix_ms = row->since_unix_ms;
    backup->told = row->told || (is_over(backup) && !row->untold);
}

void gm_core_backup_fini(struct gm_cbackup *backup)
{
    free(backup->url);
    free(backup->mark);
    *backup = (struct gm_cbackup){0};
}

Gm__BackupRow *gm_core_backup_row(const struct gm_cbackup *backup, Gm__BackupRow *row,
                                  Gm__Error *error)
{
    if (backup->url[0] == '\0') {
        return NULL;
    }
    gm__backup_row__init(row);
    row->url = backup->url;
    row->mark = backup->mark;
    row->state = (uint32_t)backup->state;
    if (backup->error.code != GM_OK) {
        gm__error__init(error);
        gm_err_to_msg(&backup->error, error);
        row->error = error;
    }
    row->lacking = backup->lacking;
    row->failures = backup->failures;
    row->since_unix_ms = backup->since_unix_ms;
    row->told = backup->told;
    row->untold = is_over(backup) && !backup->told;
    return row;
}

bool gm_core_backup_waits(const struct gm_cjob *job)
{
    return job->state == GM_JOB_DONE && !job->plan_only && job->backup.state == GM_BACKUP_WAITING;
}

enum gm_backup_state gm_core_backup_state(const struct gm_cjob *job)
{
    bool without = job->plan_only || job->state == GM_JOB_FAILING || job->state == GM_JOB_FAILED ||
                   job->state == GM_JOB_CANCELLING || job->state == GM_JOB_CANCELLED;
    return without ? GM_BACKUP_NONE : job->backup.state;
}

/* The report was written when it still waited. */
static bool is_untold(const struct gm_cjob *job)
{
    return job->state == GM_JOB_DONE && !job->plan_only && !job->removed && !job->backup.told &&
           is_over(&job->backup);
}

void gm_core_backup_begin(struct gm_core *core, struct gm_cjob *job)
{
    bool waits = gm_core_backup_waits(job);
    if ((!waits && !is_untold(job)) || job->backup.busy) {
        return;
    }
    job->backup.busy = true;
    job->backup.at = 0;
    if (waits && job->backup.since_unix_ms == 0) {
        job->backup.since_unix_ms = job->finished_unix_ms;
        gm_core_job_touch(core, job);
    }
    gm_core_fx_backup(core, job);
}

void gm_core_backup_tick(struct gm_core *core, struct gm_cjob *job)
{
    if (job->backup.at != 0 && job->backup.at <= core->now) {
        gm_core_backup_begin(core, job);
    }
}

static gm_time pause_after(uint32_t failures)
{
    gm_time pause = FIRST_PAUSE;
    for (uint32_t i = 1; i < failures && pause < LONGEST_PAUSE; i++) {
        pause *= 2;
    }
    return pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE;
}

void gm_core_backup_drop(struct gm_cjob *job)
{
    if (gm_core_backup_waits(job)) {
        job->backup.state = GM_BACKUP_FAILED;
        job->backup.busy = false; /* what a try that runs comes to changes nothing */
        job->backup.at = 0;
        (void)gm_err_set(&job->backup.error, GM_E_CANCELLED, 0, "the result is taken down");
    }
}

/* What no time mends: another title stands there, this result's place was taken, or its report is
 * larger than what is read of one. */
static bool is_final(const struct gm_err *failure)
{
    return failure->code == GM_E_TITLE_EXISTS || failure->code == GM_E_CONFLICT ||
           failure->code == GM_E_LIMIT;
}

/* It is over: at the next tick the report is to say so. */
static void settle(struct gm_core *core, struct gm_cbackup *backup, enum gm_backup_state state)
{
    backup->state = state;
    backup->at = core->now;
}

/* The report says it, or could not. Where its place stays away the job goes on saying it alone. */
static void note_told(struct gm_core *core, struct gm_cbackup *backup, const struct gm_err *failure)
{
    bool again = failure->code != GM_OK && !is_final(failure) && ++backup->tells < TELLS;
    backup->told = !again;
    backup->at = again ? core->now + pause_after(backup->tells) : 0;
}

void gm_core_backup_ended(struct gm_core *core, struct gm_cjob *job, const struct gm_err *failure,
                          uint64_t lacking)
{
    struct gm_cbackup *backup = &job->backup;
    if (!backup->busy) {
        return;
    }
    backup->busy = false;
    gm_core_job_touch(core, job);
    if (backup->state != GM_BACKUP_WAITING) {
        note_told(core, backup, failure);
        return;
    }
    if (failure->code == GM_OK) {
        settle(core, backup, GM_BACKUP_DONE);
        backup->lacking = 0;
        return;
    }
    backup->error = *failure;
    backup->lacking = lacking;
    backup->failures++;
    int64_t most_ms = (int64_t)core->params.backup_retry_s * 1000;
    int64_t left_ms =
        most_ms - (gm_core_stamp(core, backup->since_unix_ms) - backup->since_unix_ms);
    if (is_final(failure) || left_ms <= 0) {
        settle(core, backup, GM_BACKUP_FAILED);
        return;
    }
    gm_time pause = pause_after(backup->failures);
    backup->at = core->now + (pause / GM_MS < left_ms ? pause : left_ms * GM_MS);
}

const char *gm_backup_state_name(enum gm_backup_state state)
{
    static const char *const names[GM_BACKUP_STATES] = {"none", "waiting", "done", "failed"};
    return names[state];
}

const char *gm_view_backup_url(const struct gm_core *core, const char *job_id)
{
    const struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->jobs, job_id, job);
    bool there = job && job->state == GM_JOB_DONE && gm_core_backup_state(job) != GM_BACKUP_NONE;
    return there ? job->backup.url : NULL;
}
