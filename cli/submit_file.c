#include "cli/submit_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"

#define LOOK_EVERY (2 * GM_SEC)

struct both {
    struct gm_session *session;
    const struct gm_submit *submit;
    char job_of[GM_RESUME_HEX];
    json_t *job;   /* owned; NULL: not submitted yet */
    bool over;     /* it ended, and needs no more bytes */
    bool given_up; /* the upload */
    gm_time looked;
};

/* What tells one job of the file from another. */
static int name_job(const struct gm_submit *submit, char out[GM_RESUME_HEX], struct gm_err *err)
{
    char priority[24];
    snprintf(priority, sizeof priority, "%" PRId64, submit->priority);
    const char *const what[] = {
        submit->out,    submit->pipeline, submit->external_id,
        submit->tenant, priority,         submit->replace ? "replace" : NULL,
        submit->backup, submit->webhook,  submit->id};
    return gm_resume_hash(what, sizeof what / sizeof what[0], out, err);
}

/* *out: NULL where there is none. */
static int find_job(struct both *b, const char *id, json_t **out, struct gm_err *err)
{
    struct gm_answer answer = {0};
    char *path = NULL;
    int rc = gm_job_path(id, "", &path, err);
    if (rc == 0) {
        rc = gm_session_call(b->session, "GET", path, NULL, true, &answer, err);
        free(path);
    }
    *out = rc == 0 ? answer.body : NULL;
    return rc == -GM_E_NOTFOUND ? 0 : rc;
}

/* The job of this file that was submitted before, while it is unfinished. */
static int find_unfinished(struct both *b, const struct gm_resume *resume, struct gm_err *err)
{
    json_t *job = NULL;
    if (resume->job[0] == '\0' || strcmp(resume->job_of, b->job_of) != 0) {
        return 0;
    }
    int rc = find_job(b, resume->job, &job, err);
    if (rc == 0 && job != NULL && !gm_job_is_final(job)) {
        gm_term_note(b->session->term, "goes on with %s", resume->job);
        b->job = job;
        return 0;
    }
    json_decref(job);
    return rc;
}

static int submit_job(struct both *b, const char *source, struct gm_resume *resume,
                      struct gm_err *err)
{
    struct gm_submit submit = *b->submit;
    submit.input = source;
    submit.id = resume->job;
    int rc = b->submit->id == NULL ? gm_id_make(resume->job, err) : 0;
    if (b->submit->id != NULL) {
        (void)snprintf(resume->job, sizeof resume->job, "%s", b->submit->id);
    }
    if (rc == 0) {
        memcpy(resume->job_of, b->job_of, sizeof resume->job_of);
        GM_IGNORE(gm_resume_save(resume, NULL), "a kill then ends in two jobs");
        rc = gm_job_submit(b->session, &submit, &b->job, err);
    }
    if (rc == 0) {
        gm_term_note(b->session->term, "submitted as %s; it begins while the rest is sent",
                     gm_job_text(b->job, "id"));
    }
    return rc;
}

static int on_ends(void *arg, const char *source, struct gm_resume *resume, struct gm_err *err)
{
    struct both *b = arg;
    int rc = find_unfinished(b, resume, err);
    return rc < 0 || b->job != NULL ? rc : submit_job(b, source, resume, err);
}

static void describe(const json_t *job, char out[80])
{
    struct gm_progress progress;
    gm_progress_from_json(json_object_get(job, "progress"), &progress);
    int percent = gm_progress_percent(&progress);
    if (percent >= 0) {
        snprintf(out, 80, "%.60s %d%%", progress.phase, percent);
    } else {
        snprintf(out, 80, "%.60s", progress.phase);
    }
}

/* A job that failed needs no more of the file. */
static int on_turn(void *arg, char *text, struct gm_err *err)
{
    struct both *b = arg;
    json_t *job = NULL;
    gm_time now = gm_time_now();
    if (b->job == NULL || now - b->looked < LOOK_EVERY) {
        return 0;
    }
    b->looked = now;
    int rc = find_job(b, gm_job_text(b->job, "id"), &job, err);
    if (rc < 0 || job == NULL) {
        return rc;
    }
    json_decref(b->job);
    b->job = job;
    describe(job, text);
    b->over = gm_job_is_final(job) && strcmp(gm_job_text(job, "state"), "done") != 0;
    return b->over ? gm_err_set(err, GM_E_CANCELLED, 0, "the job ended") : 0;
}

/* The upload failed, the job is there: says what becomes of it. */
static void tell_job(struct both *b, struct gm_err *err)
{
    const struct gm_err why = *err;
    const char *id = gm_job_text(b->job, "id");
    struct gm_err ignored;
    char *path = NULL;
    if (b->given_up && gm_job_path(id, ":cancel", &path, &ignored) == 0) {
        GM_IGNORE(gm_session_call(b->session, "POST", path, NULL, true, NULL, &ignored),
                  "it fails by itself, as its upload is gone");
    }
    free(path);
    gm_err_set(err, why.code, why.native, "%.140s; job %.40s %s", why.text, id,
               b->given_up ? "ends with the upload" : "waits: the same command goes on");
}

int gm_submit_file(struct gm_session *session, const struct gm_submit *submit,
                   const struct gm_upload_params *upload, int fd, json_t **out, struct gm_err *err)
{
    struct both b = {.session = session, .submit = submit};
    struct gm_upload_params params = *upload;
    json_t *doc = NULL;
    params.on_ends = on_ends;
    params.on_turn = on_turn;
    params.arg = &b;
    params.given_up = &b.given_up;
    int rc = name_job(submit, b.job_of, err);
    if (rc == 0) {
        rc = gm_upload_run(session, &params, fd, &doc, err);
    }
    json_decref(doc);
    if (rc < 0 && !b.over) {
        if (b.job != NULL && session->interrupts == 0) {
            tell_job(&b, err);
        }
        json_decref(b.job);
        return rc;
    }
    *out = b.job;
    return 0;
}
