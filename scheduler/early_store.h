#ifndef GM_SCHEDULER_EARLY_STORE_H
#define GM_SCHEDULER_EARLY_STORE_H

#include "scheduler/prefix.h"
#include "scheduler/title.h"

/* Playlists that grow at a destination (`publish: early`, ADR-0066): written, and taken away again.
 *
 * store:  borrowed; the destination
 * Thread: any, one at a time per store
 * Errors: those of gm_store_get (but NOTFOUND), gm_store_put and gm_store_delete */

struct gm_early_put { /* borrowed */
    const struct gm_prefix_texts *texts;
    struct gm_title_own own;
    bool begins; /* the first version that this scheduler writes of it */
    bool keeps_title;
    int64_t until_unix_ms;                       /* what it takes the place of stays so long */
    int (*leads)(void *arg, struct gm_err *err); /* asked before each write */
    void *arg;
};
struct gm_early_end {
    bool passed; /* nothing was written: what stands there is more, or other, than this would be */
    bool replaced; /* notes of older publications may be there (gm_replaced_note) */
};
/* Writes a version: what it names first, what names that last, each atomically. One that begins
 * looks whether another result of the publication stands there, or playlists that are no beginning
 * of these; one that follows, whether the manifests are still the job's, and the playlists still
 * begin as these do. Where not it passes, and so should all that follow. After a failure what is
 * there is whole, and the version is to be written again.
 *
 * Errors: also TITLE_EXISTS, those of `leads`, NOMEM */
int gm_early_put(struct gm_store *store, const struct gm_early_put *put, struct gm_early_end *out,
                 struct gm_err *err) GM_MUST_CHECK;

/* Whether that playlist or manifest is one of the job's that grow. */
int gm_early_is_own(struct gm_store *store, const char *key, const char *job_id, bool *out,
                    struct gm_err *err) GM_MUST_CHECK;
/* Or of any job's. */
int gm_early_is_any(struct gm_store *store, const char *key, bool *out,
                    struct gm_err *err) GM_MUST_CHECK;
/* Whether the playlist or the manifest of the job leads players there. */
int gm_early_has_own(struct gm_store *store, const char *job_id, bool *out,
                     struct gm_err *err) GM_MUST_CHECK;
/* The job came to nothing: its playlist and manifest go, those of others stay. */
int gm_early_take_down(struct gm_store *store, const char *job_id,
                       struct gm_err *err) GM_MUST_CHECK;

#endif
