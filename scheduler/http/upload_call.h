#ifndef GM_SCHEDULER_HTTP_UPLOAD_CALL_H
#define GM_SCHEDULER_HTTP_UPLOAD_CALL_H

#include "scheduler/http/request.h"
#include "scheduler/uploads_desk.h"

/* Inside of scheduler/http: a request of /v1/uploads. The loop knows the uploads; what asks the
 * bucket runs on the pool, with copies of what it needs. The upload may go meanwhile: it is looked
 * for again after each run.
 *
 *   created -> (run on the pool -> done on the loop) ... -> answered or failed, and gone
 *
 * Thread: the loop's, but work. */
#define GM_UPLOAD_CALL_MAX 64 /* parts that one asks for */

struct gm_upload_named {
    uint32_t index;
    bool has_md5;
    uint8_t sha256[GM_SHA256_SIZE];
    uint8_t md5[GM_MD5_SIZE];
};

struct gm_upload_call {
    struct gm_upload_call *next; /* of those that wait for their turn */
    struct gm_request *r;        /* borrowed */
    struct gm_upload_desk *desk;
    struct gm_uploads_place place;
    char id[GM_ID_SIZE];
    struct gm_upload *made;   /* owned: a new one that is not in the table */
    struct gm_uploads listed; /* what complete found */
    struct gm_upload_named named[GM_UPLOAD_CALL_MAX]; /* that grants and parts ask for */
    struct gm_upload_seen seen[GM_UPLOAD_CALL_MAX];
    size_t count;
    char *text; /* owned: manifest.json */
    int64_t unix_ms;
    void (*work)(struct gm_upload_call *c);
    void (*done)(void *arg);
    gm_time time;    /* of work and of waiting for it; 0: as much as a client waits for */
    gm_time until;   /* the end of that */
    bool writes;     /* asks who leads */
    bool begun;      /* counted by the desk */
    char tenant[65]; /* the same: of what */
    int rc;
    struct gm_err err;
};

/* NULL: the request was answered. */
struct gm_upload_call *gm_upload_call_create(struct gm_request *r);
void gm_upload_call_destroy(struct gm_upload_call *c);
/* Both end the call. The document is taken. */
void gm_upload_call_fail(struct gm_upload_call *c, const struct gm_err *err);
void gm_upload_call_answer(struct gm_upload_call *c, unsigned status, json_t *doc);
/* The upload of the call; NULL, NOTFOUND: there is none, or it is leaving. */
struct gm_upload *gm_upload_call_find(const struct gm_upload_call *c, struct gm_err *err);
/* The upload of the path. NULL: the request was answered, and c is gone. */
struct gm_upload *gm_upload_call_find_asked(struct gm_upload_call *c);
/* work on the pool, which leaves c->rc and c->err, then done on the loop; or the call fails, BUSY
 * where its time is over before its turn comes: a few of them may work at a time, so that a bucket
 * that hangs leaves the pool to others. */
void gm_upload_call_run(struct gm_upload_call *c, void (*work)(struct gm_upload_call *c),
                        void (*done)(void *arg));
/* Work: whether the seen ones are there. */
void gm_upload_call_look(struct gm_upload_call *c);
/* A new reference; NULL: out of memory. */
json_t *gm_upload_call_doc(const struct gm_upload_call *c, const struct gm_upload *u, bool hashes);

/* upload_named.c: {"parts": [{"index", "sha256" ..}]}, 1 to GM_UPLOAD_CALL_MAX of them, into named
 * and count; known: the members that each may have. Errors: INVAL, NOMEM. */
int gm_upload_call_read_parts(struct gm_upload_call *c, const char *const *known, bool whole,
                              struct gm_err *err) GM_MUST_CHECK;

#endif
