#ifndef GM_SCHEDULER_CORE_BACKUP_H
#define GM_SCHEDULER_CORE_BACKUP_H

/* A done job's result at a second place: asked for again, with growing pauses, until it is there or
 * params.backup_retry_s are over. The job is done whatever becomes of it; a row that says `waiting`
 * is gone on with after a restart, and is not forgotten before (ADR-0062).
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* url, mark: borrowed, NULL as "". */
void gm_core_backup_set(struct gm_cbackup *backup, const char *url, const char *mark);
/* row NULL: none is asked for. A state that no release of this schema writes counts as failed. */
void gm_core_backup_load(struct gm_cbackup *backup, const Gm__BackupRow *row);
void gm_core_backup_fini(struct gm_cbackup *backup);
/* Fills row and error, which the answer points at; NULL: there is none to write. */
Gm__BackupRow *gm_core_backup_row(const struct gm_cbackup *backup, Gm__BackupRow *row,
                                  Gm__Error *error);
/* A job that just became done, or was loaded: asks for a try where one is due, or, where the backup
 * has ended, that the report be told so. */
void gm_core_backup_begin(struct gm_core *core, struct gm_cjob *job);
void gm_core_backup_tick(struct gm_core *core, struct gm_cjob *job);
/* A try ended, or the report was told how the backup did: gm_backup.tells. */
void gm_core_backup_ended(struct gm_core *core, struct gm_cjob *job, const struct gm_err *failure,
                          uint64_t lacking);
/* The result is taken down: no more is tried. */
void gm_core_backup_drop(struct gm_cjob *job);
/* The job is done, and its backup is neither there nor given up. */
bool gm_core_backup_waits(const struct gm_cjob *job);
enum gm_backup_state gm_core_backup_state(const struct gm_cjob *job);

#endif
