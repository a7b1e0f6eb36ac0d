#ifndef GM_SCHEDULER_REPLACED_H
#define GM_SCHEDULER_REPLACED_H

#include "scheduler/hold.h"
#include "storage/store.h"

/* Publications whose place at a destination another one took: who plays them plays on until their
 * time is over, then what lies below v/<publication>/ goes. Each is noted by an object of its own,
 * `replaced/<publication>` = {"until_unix_ms": N}, which is written before the manifests are
 * replaced. So nothing of it is lost with a process, and no two that publish there meet.
 *
 * store:  borrowed; the destination
 * Thread: any
 * Errors: those of gm_standing_read, gm_store_list, gm_store_put and gm_store_delete */

/* The job is about to publish: what stands finished there of another job, and what of the
 * names that plans give the playlist and the manifest there name, is kept until until_unix_ms and
 * no longer; its own publication is noted no more. *out_any: notes may be there. */
int gm_replaced_note(struct gm_store *store, const char *job_id, const char *publication,
                     int64_t until_unix_ms, bool *out_any, struct gm_err *err) GM_MUST_CHECK;

/* What lies below a publication belongs to nobody, but may still be played: a note keeps it until
 * then, where there is none, anything lies below it and it does not stand there. *out: one was
 * written. */
int gm_replaced_note_left(struct gm_store *store, const char *publication, int64_t until_unix_ms,
                          bool *out, struct gm_err *err) GM_MUST_CHECK;

struct gm_replaced {
    char (*due)[GM_HOLD_NAME]; /* owned; publications that may go */
    size_t count;
    int64_t next_unix_ms; /* when the next one may; 0: there is none */
};
/* Reads the notes. Publications that stand there are none that may go, whatever was noted: who is
 * about to replace them notes them first. */
int gm_replaced_read(struct gm_store *store, int64_t now_unix_ms, struct gm_replaced *out,
                     struct gm_err *err) GM_MUST_CHECK;
void gm_replaced_fini(struct gm_replaced *replaced);
/* Whether a note of it is there, due or not. */
int gm_replaced_is_noted(struct gm_store *store, const char *publication, bool *out,
                         struct gm_err *err) GM_MUST_CHECK;
/* Drops its note, if there is one: before who publishes it looks what of it is there. */
int gm_replaced_drop(struct gm_store *store, const char *publication,
                     struct gm_err *err) GM_MUST_CHECK;

enum gm_replaced_step {
    GM_REPLACED_MORE, /* call it again */
    GM_REPLACED_GONE, /* nothing is left of it */
    GM_REPLACED_STAYS /* it stands there again, or its note is gone or no more due */
};
/* Reads the note and what stands there again, then deletes some objects of the publication; when
 * none is left its open uploads and its note go. */
int gm_replaced_delete(struct gm_store *store, const char *publication, int64_t now_unix_ms,
                       enum gm_replaced_step *out, struct gm_err *err) GM_MUST_CHECK;

#endif
