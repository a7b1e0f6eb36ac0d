#ifndef GM_CLI_JOB_H
#define GM_CLI_JOB_H

#include "cli/session.h"

/* What a job is submitted with. Strings are borrowed. */
struct gm_submit {
    const char *id;           /* of the job to be; NULL: one is made */
    const char *input;        /* path, URL or upload:<id> */
    const char *out;          /* path or URL; NULL with plan_only */
    const char *pipeline;     /* name or file */
    const char *external_id;  /* NULL: none; any number of jobs may have it */
    const char *webhook;      /* NULL: none */
    const char *tenant;       /* NULL: the scheduler's default */
    int64_t deadline_unix_ms; /* 0: none */
    int64_t priority;
    bool plan_only;
    bool replace;       /* another title that stands at `out` */
    const char *backup; /* as `out`; NULL: none */
    bool keeps;         /* the farm is our own, and keeps its state: see gm_job_submit */
    bool goes_on;       /* with `keeps`: what it keeps may have this job */
};

/* Submits; *out is the job document, owned. Its id is ours: when the answer is lost
 * the job is looked for by it before it is submitted again, under the same id, for 60 s or until an
 * interrupt; a scheduler of the release before is sent it without one, once. Errors: as
 * gm_session_call, gm_pipeline_load, with a word that whether it was taken is not known where that
 * is so; PROTO of an answer about another job. With `keeps` and no
 * external id that is a name of what is made of what. With `goes_on`, too: where a job of that name
 * is unfinished, as it was killed with its farm, *out is that one, nothing is submitted, and the
 * terminal is told. */
int gm_job_submit(struct gm_session *session, const struct gm_submit *submit, json_t **out,
                  struct gm_err *err) GM_MUST_CHECK;

/* Follows a job to its end with progress on the terminal, over lost connections and restarts of the
 * scheduler. own: the job is ours: the first interrupt cancels it and its end is waited for; else
 * an interrupt ends the watching with CANCELLED. *out is the final document, owned. Errors:
 * UNREACHABLE after 60 s without an answer, NOTFOUND, as gm_session_turn. */
int gm_job_watch(struct gm_session *session, const char *id, bool own, json_t **out,
                 struct gm_err *err) GM_MUST_CHECK;

/* "/v1/jobs/<id><suffix>", id escaped; owned. */
int gm_job_path(const char *id, const char *suffix, char **out, struct gm_err *err) GM_MUST_CHECK;
/* State is done, failed or cancelled. */
bool gm_job_is_final(const json_t *job);
/* Text of a member, "" where it is missing. Borrowed from the document. */
const char *gm_job_text(const json_t *object, const char *key);
/* A member's number, 0 where it is missing. */
int64_t gm_job_number(const json_t *object, const char *key);
double gm_job_real(const json_t *object, const char *key);

#endif
