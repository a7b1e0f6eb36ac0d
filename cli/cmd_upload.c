/* upload: a file into the farm's object storage, for jobs that name it. */
#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/print.h"
#include "cli/upload.h"

static int run(const struct gm_args *args, struct gm_term *term, struct gm_session **session,
               json_t **out, struct gm_err *err)
{
    const struct gm_upload_params params = {.path = args->operand,
                                            .farm = args->scheduler,
                                            .tenant = args->tenant,
                                            .ca_file = args->storage_ca,
                                            .parallel = (size_t)args->parallel,
                                            .verbose = args->verbose};
    int fd = -1;
    int rc = gm_upload_open(args->operand, &fd, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_command_session(args, NULL, term, session, err);
    if (rc == 0) {
        rc = gm_upload_run(*session, &params, fd, out, err);
    }
    (void)close(fd);
    return rc;
}

enum gm_exit gm_command_upload(const struct gm_args *args, struct gm_term *term)
{
    struct gm_session *session = NULL;
    struct gm_err err = {0};
    json_t *doc = NULL;
    int rc = run(args, term, &session, &doc, &err);
    bool interrupted = session != NULL && session->interrupts > 0;
    gm_session_close(&session);
    enum gm_exit code = GM_EXIT_DONE;
    if (rc < 0) {
        code = gm_command_fail(args, term, &err);
        return interrupted ? GM_EXIT_KILLED : code;
    }
    int bad = args->json ? gm_print_json(stdout, doc)
                         : printf("%s\n", gm_job_text(doc, "source")) < 0 || fflush(stdout) != 0;
    if (bad != 0) {
        gm_term_error(term, "could not write to stdout");
        code = GM_EXIT_FAILED;
    }
    json_decref(doc);
    return code;
}
