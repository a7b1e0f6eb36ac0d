#ifndef GM_SCHEDULER_BACKUP_PARTS_H
#define GM_SCHEDULER_BACKUP_PARTS_H

#include "scheduler/daemon_parts.h"
#include "scheduler/outputs.h"
#include "scheduler/report.h"
#include "scheduler/title.h"

/* Inside of backup.c (turns, on the loop) and backup_step.c (what the pool does). Nobody else
 * includes this. */

enum gm_backup_phase {
    GM_BACKUP_LOOK,    /* what a list says that lacks */
    GM_BACKUP_COPY,    /* some of it */
    GM_BACKUP_COMPARE, /* whether all of it is there, asked of each; then the end */
    GM_BACKUP_LEAVE,   /* given up: what was copied is noted, to be deleted */
    GM_BACKUP_TELL     /* the report says how it ended */
};

struct gm_backup_behind {
    struct gm_backup_behind *next;
    char *job_id; /* owned */
};
struct gm_backup_run {
    struct gm_backup_run *next;
    struct gm_daemon *d; /* borrowed */
    char *job_id, *url;  /* owned; of the backup */
    char *from_url; /* owned, and so is what follows: the destination; NULL: not its turn yet */
    char *mark;     /* of the backup; "": not known */
    char *publication;
    json_t *source;   /* owned; a string, as reports say it */
    json_t *finished; /* owned; when the job did, as reports say it */
    char title[GM_TITLE_SIZE];
    bool keeps_title;
    bool running;
    atomic_bool unwanted;            /* the result is taken down */
    bool tells;                      /* the backup is over: the report alone is written */
    bool given_up;                   /* before its turn came */
    bool of_place;                   /* what failed is that the backup can't be looked at */
    bool done;                       /* tells: it lies there */
    struct gm_backup_behind *behind; /* owned; jobs that publish when it has told */
    enum gm_backup_phase phase;
    struct gm_outputs outputs;    /* owned: from `next` on, what lacks */
    struct gm_report_files files; /* owned */
    uint64_t lacking;             /* keys; as far as is known */
    bool compared;                /* all were asked for, some lacked */
    bool copied_twice;            /* the second time sizes alone count */
    bool complete;                /* the manifests are there */
    bool noted;                   /* notes of older publications may be there */
    int rc;
    struct gm_err err;
};

/* One step of the phase. Thread: the pool's. */
void gm_backup_step(struct gm_backup_run *run);

#endif
