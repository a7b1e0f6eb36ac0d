#ifndef GM_SCHEDULER_HTTP_REQUEST_H
#define GM_SCHEDULER_HTTP_REQUEST_H

#include <jansson.h>
#include <microhttpd.h>
#include <uv.h>

#include "common/buf.h"
#include "scheduler/daemon.h"
#include "scheduler/http/body.h"
#include "scheduler/http/door.h"
#include "scheduler/http/http.h"
#include "scheduler/http/pace.h"

/* Inside of scheduler/http: one request's life, and the server it belongs to.
 *
 *   headers checked, caller known -> body collected -> routed -> (suspended while the pool or the
 * disk works)
 *   -> answered -> freed when microhttpd is done with it
 */
#define GM_HTTP_MAX_BODY ((size_t)16 << 20)
/* Of all requests together: who comes then is told to come again (429). */
#define GM_HTTP_MAX_BODIES ((size_t)128 << 20)
#define GM_HTTP_NO_ROOM "the disk of the scheduler's state is full"
#define GM_HTTP_ID_BYTES 65
#define GM_HTTP_CLASSES 5

enum gm_request_state { GM_REQUEST_BODY, GM_REQUEST_WAITING, GM_REQUEST_ANSWERED };

struct gm_stream;      /* an event stream: sse.c */
struct gm_file;        /* bytes of a file: file.c */
struct gm_web_file;    /* of the page: web.h */
struct gm_upload_call; /* a request of /v1/uploads: upload_call.h */
struct gm_taking;      /* idempotency.h */
struct gm_settling;    /* settle.c */

struct gm_unstored {
    struct gm_unstored *next;
    const char *job_id; /* borrowed */
};

struct gm_request {
    struct gm_request *next, *prev; /* of the server's list */
    struct gm_http *http;           /* borrowed */
    struct MHD_Connection *connection;
    enum gm_request_state state;
    bool suspended;
    bool queued;               /* its answer is with microhttpd */
    char *method;              /* owned */
    char *path;                /* owned, as sent */
    char id[GM_HTTP_ID_BYTES]; /* the path's ID or NAME */
    struct gm_caller caller;
    struct gm_at at; /* in body or query: where that is which is refused */
    struct gm_buf body;
    size_t body_bytes; /* counted in the server's */
    bool too_large;
    bool crowded;     /* the bodies of the others leave it no room */
    uint32_t retry_s; /* of 429 and 503, and where: Retry-After */
    bool comes_again; /* of other statuses, too */
    unsigned status;
    const char *content_type;
    char allow[32];         /* for 405; "": not said */
    char content_range[32]; /* for 416; "": none */
    const char *challenge;  /* for 401 and 403: WWW-Authenticate */
    struct gm_buf answer;
    const char *rest;                   /* of the path behind the route; borrowed from it */
    char *location;                     /* owned; for 302 */
    struct gm_file *file;               /* as stream */
    bool sends_file;                    /* or opens one for it */
    struct gm_stream *stream;           /* owned by the response once it is queued */
    const struct gm_web_file *web;      /* the answer, in place of `answer` */
    void (*show)(struct gm_request *r); /* answers when what was known is on disk: settle.c */
    bool settled;                       /* it is */
    size_t count;                       /* of what it did: handle_outbox.c */
    int64_t asked_unix_ms;              /* what was stored before is on disk: handle_logs.c */
};

struct gm_http {
    struct gm_daemon *d; /* borrowed */
    struct MHD_Daemon *mhd;
    const struct gm_door *door; /* borrowed */
    struct gm_pace pace;
    char *address;
    char *socket_path; /* NULL: TCP */
    uv_poll_t poll;
    uv_timer_t timer;
    uv_timer_t heartbeat;
    int handles; /* that are open */
    int64_t started_unix_ms;
    bool stopping;
    bool ended;   /* the daemon is taken apart: nothing of it is asked any more */
    bool running; /* inside MHD_run */
    struct gm_request *requests;
    size_t body_bytes;                 /* of theirs */
    uint64_t answers[GM_HTTP_CLASSES]; /* by the first digit of their status, from 1xx on */
    struct gm_unstored *unstored;      /* jobs of the core that are not on disk yet: submit.c */
    struct gm_taking *taking;          /* idempotency.h */
    struct gm_settling *settlings;     /* that wait for the disk: settle.c */
    struct gm_stream *streams;
    size_t stream_count;
    struct gm_farm_stream *farm;         /* owned: sse_farm.c */
    size_t file_count;                   /* that are sent, or opened to be */
    struct gm_file_work *file_waiting;   /* the oldest first */
    size_t file_works;                   /* of others, on the pool */
    struct gm_upload_call *upload_calls; /* that wait for their turn, the oldest first */
    size_t upload_works;                 /* of others, on the pool */
};

/* Answers. Each may be called once a request, at routing or later; a suspended one goes on. */
void gm_request_json(struct gm_request *r, unsigned status, json_t *body); /* takes body */
void gm_request_answered(struct gm_request *r); /* what is said is in r */
void gm_request_fail(struct gm_request *r, const struct gm_err *err);
void gm_request_fail_status(struct gm_request *r, unsigned status, const struct gm_err *err);
/* A problem document (RFC 9457) of the error; owned by the caller, NULL without memory. */
json_t *gm_problem_json(unsigned status, const struct gm_err *err);
/* Value of a query parameter or NULL. */
const char *gm_request_query(const struct gm_request *r, const char *name);
/* Those that are sent must be among the NULL-terminated words: INVAL. (query.c, as the next.) */
int gm_request_check_query(struct gm_request *r, const char *const *known,
                           struct gm_err *err) GM_MUST_CHECK;
/* *out: a parameter that is a number from least to most; without it, the same as before. INVAL. */
int gm_request_number(struct gm_request *r, const char *name, uint64_t least, uint64_t most,
                      uint64_t *out, struct gm_err *err) GM_MUST_CHECK;
/* Something became possible outside microhttpd's own descriptors. */
void gm_http_kick(struct gm_http *http);

/* routes.c */
void gm_route(struct gm_request *r);
/* Shows a job by r->id, when what the core knows of its beginning and its end is on disk. */
void gm_request_show_stored(struct gm_request *r, void (*show)(struct gm_request *r));

/* settle.c */
/* Calls show, with r->settled, when all that the core knows now is on disk. Answers STATE_FULL
 * where the disk has no room, or gets to have none meanwhile. */
void gm_request_show_settled(struct gm_request *r, void (*show)(struct gm_request *r));
/* False: the disk of the state has no room, and the request is answered with that. */
bool gm_request_has_room(struct gm_request *r) GM_MUST_CHECK;
void gm_settlings_tick(struct gm_http *http);

/* handle_jobs.c */
void gm_handle_jobs(struct gm_request *r);

/* handle_priority.c */
void gm_handle_priority(struct gm_request *r);

/* file_work.c: a part of it on the pool, at its turn. Owned by who runs it; all but the first five
 * members are file_work.c's. */
struct gm_file_work {
    void (*work)(void *arg); /* on the pool */
    void (*done)(void *arg); /* on the loop; also, with *rc < 0, where it was not run */
    void *arg;
    int *rc;
    struct gm_err *err;
    struct gm_http *http; /* borrowed */
    struct gm_file_work *next;
    gm_time until;
};
/* Thread: loop. done may be called before it returns. */
void gm_file_work_run(struct gm_http *http, struct gm_file_work *w);
/* True: it waited, and is not run, nor done called. */
bool gm_file_work_drop(struct gm_file_work *w);

/* file.c: an answer of a file's bytes, in parts that the pool reads. Each struct takes no more
 * memory than a part. */
struct gm_file_params {
    struct gm_store *store; /* taken, also on failure; NULL: body is the file */
    const char *key;
    uint64_t size;
    struct gm_buf *body;      /* its content is taken where store is NULL */
    const char *etag;         /* with its quotes; NULL: none */
    const char *content_type; /* NULL: not known */
    const char *cache_control;
};
/* Looks at the request's conditions and range, and answers it. Thread: loop. */
void gm_file_answer(struct gm_request *r, const struct gm_file_params *params);
/* As many are sent at once as may be, at all or to the caller's tenant. */
bool gm_file_is_crowded(const struct gm_request *r);
enum MHD_Result gm_file_queue(struct gm_request *r);
void gm_file_destroy(struct gm_file *file);

/* handle_files.c */
void gm_handle_files(struct gm_request *r);
/* Sends the object r->rest below a destination, or where it is. size, sha256: as they were stored;
 * another size: it was written anew. sha256 NULL: neither is known. Thread: loop. */
void gm_request_show_object(struct gm_request *r, const char *destination, uint64_t size,
                            const uint8_t *sha256);

/* handle_title_files.c */
void gm_handle_title_files(struct gm_request *r);

/* handle_farm.c */
void gm_handle_farm(struct gm_request *r);
/* The document of GET /v1/farm; owned. */
/* What is wrong, sentences, the same for the farm and for readiness; NULL-terminated. Whether jobs
 * are taken all the same. */
#define GM_HTTP_REASONS 8
bool gm_http_reasons(const struct gm_http *http, const char *out[GM_HTTP_REASONS]);
int gm_http_farm(const struct gm_http *http, json_t **out, struct gm_err *err) GM_MUST_CHECK;

/* handle_tasks.c: what a job is made of */
void gm_handle_tasks(struct gm_request *r);
void gm_handle_attempts(struct gm_request *r);

/* handle_assets.c */
void gm_handle_assets(struct gm_request *r);
void gm_handle_asset(struct gm_request *r);
void gm_handle_asset_delete(struct gm_request *r);
/* Borrowed until the loop goes on. NULL: it is being read, err says BUSY. Thread: loop. */
const struct gm_catalogue *gm_request_catalogue(struct gm_request *r, struct gm_err *err);

/* handle_logs.c */
void gm_handle_logs(struct gm_request *r);

/* What a caller must be at least for that: GM_TOKEN_NOBODY: nothing is asked, as of the page, which
 * is the same for everybody; of what is no route GM_TOKEN_SUBMIT. */
enum gm_token_role gm_route_least(const char *method, const char *path);
/* Of the table's i-th route a path that is its own; false: there is none. */
struct gm_route_row {
    const char *method;
    char path[64];
    enum gm_token_role least; /* GM_TOKEN_ROLES: nobody may */
};
bool gm_route_get(size_t i, struct gm_route_row *out);

/* admit.c: whether the request may go on; false: it is answered. */
bool gm_admit(struct gm_request *r);
/* Tokens are read again where their file has changed; event streams end then, and who still may
 * comes again. */
void gm_admit_look(struct gm_http *http);
/* The same as gm_admit, of a connection. Errors: as gm_gate_check. */
int gm_admit_check(struct gm_gate *gate, struct MHD_Connection *connection,
                   enum gm_token_role least, struct gm_caller *out,
                   struct gm_err *err) GM_MUST_CHECK;
/* What the header WWW-Authenticate says (RFC 6750 section 3); NULL: there is none. */
const char *gm_admit_challenge(enum gm_code code);

/* submit.c, pipelines.c */
void gm_handle_submit(struct gm_request *r);
/* Whether jobs are taken now, and what else takes room in the store; false: it is answered. */
bool gm_submit_is_open(struct gm_request *r);
/* Submits what the request has; or body and pipeline, which it takes, in their place: those of the
 * job that it names, which is made again. all: nothing that it made is taken over. */
void gm_submit_start(struct gm_request *r, json_t *body, Gm__Pipeline *pipeline, bool all);
/* Answers with the job of r->id, which is what an earlier request made. */
void gm_submit_show(struct gm_request *r);
/* The core has taken the job; a scheduler that starts anew may not know of it. */
bool gm_submit_is_unstored(const struct gm_http *http, const char *job_id);
/* handle_retry.c */
void gm_handle_retry(struct gm_request *r);
void gm_handle_pipelines(struct gm_request *r);
void gm_handle_pipeline(struct gm_request *r);
void gm_handle_pipeline_check(struct gm_request *r);
/* The document of GET /v1/pipelines/NAME; owned, NULL without memory. */
json_t *gm_doc_pipeline(const Gm__Pipeline *p, const char *yaml, bool is_stored);
/* handle_pipelines.c: those that the API stores */
void gm_handle_pipeline_put(struct gm_request *r);
void gm_handle_pipeline_delete(struct gm_request *r);

/* uploads.c, upload_*.c */
void gm_handle_uploads(struct gm_request *r);
void gm_handle_upload(struct gm_request *r);
void gm_handle_upload_show(struct gm_request *r);
void gm_handle_upload_delete(struct gm_request *r);
void gm_handle_upload_grants(struct gm_request *r);
void gm_handle_upload_parts(struct gm_request *r);
void gm_handle_upload_complete(struct gm_request *r);

/* A pipeline sent along: {"yaml","name","assets"}. Thread: any. Errors: INVAL, CONFIG, LIMIT. */
int gm_inline_pipeline(const json_t *object, Gm__Pipeline **out, struct gm_at *at,
                       struct gm_err *err) GM_MUST_CHECK;

/* body.c. The body as an object. Errors: INVAL with line and column. */
int gm_request_object(struct gm_request *r, json_t **out, struct gm_err *err) GM_MUST_CHECK;
/* The same, with members among the NULL-terminated words; *out NULL: the body is empty, which is as
 * good as {}. */
int gm_request_members(struct gm_request *r, const char *const *known, json_t **out,
                       struct gm_err *err) GM_MUST_CHECK;
/* There is no member at all. */
int gm_request_no_members(struct gm_request *r, struct gm_err *err) GM_MUST_CHECK;

/* handle_web.c: a path of the page, and its answer. */
bool gm_web_is_path(const char *path);
void gm_handle_web(struct gm_request *r);
enum MHD_Result gm_web_queue(struct gm_request *r);

/* handle_metrics.c */
void gm_handle_metrics(struct gm_request *r);

/* handle_sweep.c */
void gm_handle_dead(struct gm_request *r);
void gm_handle_undelivered(struct gm_request *r);
void gm_handle_redeliver(struct gm_request *r);
void gm_handle_sweep(struct gm_request *r);

/* sse.c; the farm's: sse_farm.c */
void gm_handle_farm_events(struct gm_request *r);
void gm_handle_events(struct gm_request *r);
enum MHD_Result gm_stream_queue(struct gm_request *r);
void gm_streams_event(struct gm_http *http, const char *job_id, const char *tenant,
                      const char *type, const char *json, int64_t seq);
void gm_streams_heartbeat(struct gm_http *http);
void gm_streams_end(struct gm_http *http);
void gm_stream_destroy(struct gm_stream *s);

/* listen.c: a bound, listening, non-blocking socket. tls: it is called https. *out_address owned;
 * *out_path owned or NULL. */
int gm_http_listen(const char *address, bool tls, int *out_fd, char **out_address, char **out_path,
                   struct gm_err *err) GM_MUST_CHECK;

#endif
