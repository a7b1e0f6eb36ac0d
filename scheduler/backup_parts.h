#ifndef GM_SCHEDULER_BACKUP_PARTS_H
#define GM_SCHEDULER_BACKUP_PARTS_H

#include "scheduler/daemon_parts.h"
#include "scheduler/outputs.h"
#include "scheduler/report.h"
#include "scheduler/title.h"

/* Inside of backup.c (turns, on the loop) and backup_step.c (what the pool does). Nobody else
 * includes this. */

enum gm_backup_phase {
    GM_BACKUP_LOOK,  /* what lacks; where nothing does, the end */
    GM_BACKUP_COPY,  /* some of it */
    GM_BACKUP_AGAIN, /* whether all of it came to be there, then the end */
    GM_BACKUP_LEAVE  /* given up: what was copied is noted, to be deleted */
};

struct gm_backup_run {
    struct gm_backup_run *next;
    struct gm_daemon *d; /* borrowed */
    char *job_id, *url;  /* owned; of the backup */
    char *from_url; /* owned, and so is what follows: the destination; NULL: not its turn yet */
    char *mark;     /* of the backup; "": not known */
    char *publication;
    json_t *source; /* owned; a string, as reports say it */
    char title[GM_TITLE_SIZE];
    bool keeps_title;
    bool running;
    atomic_bool unwanted; /* the result is taken down */
    enum gm_backup_phase phase;
    struct gm_outputs outputs;    /* owned: from `next` on, what lacks */
    struct gm_report_files files; /* owned */
    uint64_t lacking;             /* keys; as far as is known */
    bool complete;                /* the manifests are there */
    bool noted;                   /* notes of older publications may be there */
    int rc;
    struct gm_err err;
};

/* One step of the phase. Thread: the pool's. */
void gm_backup_step(struct gm_backup_run *run);

#endif
