#ifndef GM_CLI_SUBMIT_FILE_H
#define GM_CLI_SUBMIT_FILE_H

#include "cli/job.h"
#include "cli/upload.h"

/* Submits a job for a file of this machine, which is sent to the farm's object storage: the job is
 * submitted once the file's head and end are there, and works while the rest goes. The same again
 * after a kill goes on with both. Ends when all is sent, or when the job has ended otherwise than
 * done, which *out then says.
 *
 * submit: input is the file's path. upload: without callbacks. *out: the job document, owned.
 * Where it fails with the job submitted, *err names the job, which waits for the rest; but is
 * cancelled where the file changed (INPUT_CHANGED). Errors: UPLOADS_OFF: the farm takes none, and
 * nothing was done; those of gm_upload_run and gm_job_submit. */
int gm_submit_file(struct gm_session *session, const struct gm_submit *submit,
                   const struct gm_upload_params *upload, int fd, json_t **out,
                   struct gm_err *err) GM_MUST_CHECK;

#endif
