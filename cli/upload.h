#ifndef GM_CLI_UPLOAD_H
#define GM_CLI_UPLOAD_H

#include "cli/resume.h"
#include "cli/session.h"

/* A file of this machine put into the farm's object storage, whence jobs read it. */
struct gm_upload_params { /* strings are borrowed */
    const char *path;
    const char *farm;    /* the schedulers, as the user named them */
    const char *tenant;  /* NULL: none is said */
    const char *ca_file; /* of the store's certificate; NULL: the system's */
    size_t parallel;     /* parts at once, 1..GM_SEND_PARALLEL */
    bool verbose;
    /* Once what is read first is there, the file's head and end: a job may begin. *resume may be
     * changed and saved. NULL: nobody asks. */
    int (*on_ends)(void *arg, const char *source, struct gm_resume *resume, struct gm_err *err);
    /* Now and then while bytes go; what it writes to `job` (of 80 bytes) is shown with them. */
    int (*on_turn)(void *arg, char *job, struct gm_err *err);
    void *arg;
    bool *given_up; /* set where the upload was deleted, as it can't become whole; NULL */
};

#define GM_UPLOAD_SOURCE 40 /* "upload:<id>" and NUL */

/* A regular file with bytes that can be read; *out_fd: owned. Errors: INPUT_MISSING, INPUT_DENIED,
 * INPUT_NOT_FILE, INPUT_EMPTY, SYS. */
int gm_upload_open(const char *path, int *out_fd, struct gm_err *err) GM_MUST_CHECK;

/* fd: of gm_upload_open. Sends what the farm does not have yet; an upload of the same file that was
 * begun before goes on. When it ends well, the scheduler has every part with the hash that it has
 * here, and their list is written. *out: its document, owned.
 * Errors: UPLOADS_OFF (the farm takes none), what else the scheduler says, those of gm_send_run. An
 * upload that is not complete stays, and goes on when this is called again; but with INPUT_CHANGED
 * it is deleted, and the next call begins anew. */
int gm_upload_run(struct gm_session *session, const struct gm_upload_params *params, int fd,
                  json_t **out, struct gm_err *err) GM_MUST_CHECK;

#endif
