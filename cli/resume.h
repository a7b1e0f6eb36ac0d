#ifndef GM_CLI_RESUME_H
#define GM_CLI_RESUME_H

#include "cli/cut.h"
#include "common/id.h"

/* What is remembered of an upload, for the same command to go on with it: a file of the user's own
 * below $XDG_STATE_HOME/gopmill/uploads (else ~/.local/state/...), one for each farm, tenant and
 * path. It is of that state of the source alone: size, time of the last change, and first and last
 * bytes. */
#define GM_RESUME_HEX 65

struct gm_resume {
    char path[4096];              /* of the file; "": nothing can be remembered */
    char identity[GM_RESUME_HEX]; /* of the source as it is now */
    char upload[GM_ID_SIZE];      /* ""; all that follows has no meaning then */
    struct gm_cut cut;            /* its parts */
    char job[GM_ID_SIZE];         /* submitted with it, or about to be; "": none */
    char job_of[GM_RESUME_HEX];   /* what that job makes of it: gm_resume_hash */
};

/* farm: as the scheduler was named; tenant: whose jobs may read the upload, NULL: anybody's, which
 * is another one; source: its path, with fd (borrowed). What is remembered of
 * another state of the source, or can't be read, is as if there were nothing. Files that nobody
 * touched for a week go. Errors: NOTFOUND: there is no such path any more; SYS (the source can't be
 * read), NOMEM. gm_resume_fini in any case. */
int gm_resume_open(struct gm_resume *resume, const char *farm, const char *tenant,
                   const char *source, int fd, struct gm_err *err) GM_MUST_CHECK;
/* Errors: SYS, NOMEM; no-op where nothing can be remembered. */
int gm_resume_save(const struct gm_resume *resume, struct gm_err *err) GM_MUST_CHECK;
/* upload, cut and job are none then, in the file too. */
void gm_resume_forget(struct gm_resume *resume);
void gm_resume_fini(struct gm_resume *resume);

/* SHA-256 of strings, NUL-terminated each, as hex; a NULL among them is one without bytes. */
int gm_resume_hash(const char *const *texts, size_t count, char out[GM_RESUME_HEX],
                   struct gm_err *err) GM_MUST_CHECK;

#endif
