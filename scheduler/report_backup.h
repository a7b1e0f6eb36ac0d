#ifndef GM_SCHEDULER_REPORT_BACKUP_H
#define GM_SCHEDULER_REPORT_BACKUP_H

#include <jansson.h>

#include "scheduler/core/view.h"

/* What the API and report.json say of a job's backup: docs/api.md. JSON null where none was asked
 * for; NULL: out of memory. */
json_t *gm_report_backup(const struct gm_job_view *view);
/* Adds the warning that a backup failed, where one has. Errors: NOMEM. */
int gm_report_backup_warn(const struct gm_job_view *view, json_t *warnings,
                          struct gm_err *err) GM_MUST_CHECK;

#endif
