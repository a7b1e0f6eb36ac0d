#ifndef GM_SCHEDULER_STANDING_H
#define GM_SCHEDULER_STANDING_H

#include "storage/store.h"

/* What stands at a destination already. A farm knows its own jobs alone; another one, gone or
 * running, may have finished a result there.
 *
 * store:  borrowed; the destination
 * job_id: who asks: its own report, written before its manifests, shows nothing
 * Thread: any, one at a time per store
 * Errors: those of gm_store_get but NOTFOUND, and LIMIT for what is too large to be looked at;
 *         outputs are untouched then */
struct gm_standing {
    char *publication;  /* owned; of the job that is done by report.json; NULL: there is none */
    char *job_id;       /* owned; of that job, "" where the report names none */
    char *manifests[2]; /* owned; NULL: there is none */
    size_t sizes[2];    /* bytes */
};

/* What report.json says of its job, whoever's it is; each owned, "" where it says nothing, all NULL
 * where there is no report that reads. */
struct gm_standing_job {
    char *id, *state, *publication, *title, *source, *finished;
};
int gm_standing_job(struct gm_store *store, struct gm_standing_job *out,
                    struct gm_err *err) GM_MUST_CHECK;
void gm_standing_job_fini(struct gm_standing_job *job);

/* Whether report.json is that of a job that is done. */
int gm_standing_report(struct gm_store *store, const char *job_id, bool *out,
                       struct gm_err *err) GM_MUST_CHECK;
/* Reads the report and both manifests. */
int gm_standing_read(struct gm_store *store, const char *job_id, struct gm_standing *out,
                     struct gm_err *err) GM_MUST_CHECK;
/* The manifests alone. */
int gm_standing_manifests(struct gm_store *store, struct gm_standing *out,
                          struct gm_err *err) GM_MUST_CHECK;
/* Whether they name the publication. */
bool gm_standing_has(const struct gm_standing *standing, const char *publication);
void gm_standing_fini(struct gm_standing *standing);

/* Strikes keys off a list whose last part (a file's name) one of the texts has, wherever it has it.
 * What is not there names nothing.
 *
 * texts:      keys of playlists and manifests, each read
 * keys:       owned strings, *count of them; those struck off are freed, the rest moves up. Those
 *             before `first` are not looked at. On failure some may be gone already */
int gm_standing_strike(struct gm_store *store, char *const *texts, size_t text_count, char **keys,
                       size_t first, size_t *count, struct gm_err *err) GM_MUST_CHECK;

#endif
