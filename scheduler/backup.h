#ifndef GM_SCHEDULER_BACKUP_H
#define GM_SCHEDULER_BACKUP_H

#include <stdbool.h>
#include <stddef.h>

/* Copies a done job's result to its backup (ADR-0062): on the pool, a step of about a second at a
 * time. What lies there with its size stays; what lacks is read from the destination, and compared
 * with the hash that it was stored with; when nothing lacks the report goes there, then the
 * manifests. A job whose place at the destination another one took meanwhile is not copied: it
 * would be laid over the newer one's backup. At most four run at a time, and one of each place; the
 * others wait in their order. The core asks again for what failed. Thread: loop only. */
struct gm_daemon;

struct gm_backups {             /* all-zero: empty */
    struct gm_backup_run *runs; /* each owned; in their order */
    size_t running;
};

/* What the core asked for (struct gm_backup); answers with GM_EV_BACKED_UP. A daemon that stops
 * answers nothing: the next start asks again. */
void gm_backup_start(struct gm_daemon *d, const char *job_id, bool tells);
/* Whether the job publishes where a report is just written again: it begins when that is over.
 * Without memory it does not wait. */
bool gm_backup_defers(struct gm_daemon *d, const char *destination_url, const char *job_id);
/* The job's result is taken down: nothing more is copied. False: a try still ends, ask again. */
bool gm_backup_end(struct gm_daemon *d, const char *job_id);
/* Those that wait. None may be running. */
void gm_backups_fini(struct gm_backups *backups);

#endif
