#ifndef GM_CLI_SEND_H
#define GM_CLI_SEND_H

#include <sys/stat.h>
#include <uv.h>

#include "cli/resume.h"
#include "cli/session.h"
#include "common/hash.h"
#include "storage/transfer/client.h"

/* A file on its way into the farm's object storage, a part at a time (ADR-0061): hashed, put by a
 * URL that the scheduler signs for just those bytes, and told to it. */
#define GM_SEND_PARALLEL 64 /* parts at once, at most */

enum gm_send_state {
    GM_SEND_WAITS,
    GM_SEND_HASHED,
    GM_SEND_GRANTED, /* its URL is in a way */
    GM_SEND_PUT,     /* the store has it; the scheduler has not been told */
    GM_SEND_THERE    /* the scheduler has seen it */
};

struct gm_send_part {
    uint64_t offset, size;
    enum gm_send_state state;
    bool known;                        /* the scheduler had it, with `hash`, before this began */
    char hash[2 * GM_SHA256_SIZE + 1]; /* hex */
    char md5[GM_MD5_BASE64];           /* "": not reckoned */
    unsigned failures;
    gm_time not_before; /* of the next try */
};

#define GM_SEND_FIELDS 8
/* A part under way. */
struct gm_send_way {
    struct gm_send *send; /* borrowed */
    size_t part;
    bool taken, ended;
    struct gm_s3_running *running; /* NULL: it has ended */
    gm_time began;
    json_t *grant; /* owned: URL and headers lie in it */
    struct gm_s3_field fields[GM_SEND_FIELDS];
    struct gm_s3_call call;
    int rc; /* of its end */
    bool renew;
    struct gm_err err;
};

struct gm_send {
    struct gm_session *session; /* borrowed; its loop is ours while we are there */
    const char *path;           /* borrowed; as the user named it */
    const char *ca_file;        /* borrowed; NULL: the system's */
    int fd;                     /* borrowed */
    struct stat was;            /* the file, when it was opened */
    char id[GM_ID_SIZE];        /* of the upload */
    struct gm_send_part *parts; /* owned */
    size_t count, there;
    size_t *order; /* owned */
    size_t ends;   /* so many of order are the file's head and end */
    size_t next;   /* order[0, next) are beyond GM_SEND_WAITS, but those that failed */
    bool md5;      /* the store wants it */
    bool told_ends;
    uv_loop_t loop;
    struct gm_s3_client *client; /* owned; NULL: no URL came yet */
    struct gm_s3_endpoint endpoint;
    size_t way_count;
    struct gm_send_way ways[GM_SEND_PARALLEL];
    size_t at_once; /* of them are used: fewer where the link is slow */
    gm_time began;
    uint64_t had;  /* bytes that were there before */
    gm_time shown; /* the progress, last */
    char job[80];  /* what goes on with the job, for the progress; "": none */
    bool lost;     /* that a part failed was said */

    /* Head and end are there: once; NULL: nobody asks. While it sends: now and then. Below 0, with
     * *err, it ends with that. */
    int (*on_ends)(void *arg, struct gm_err *err);
    int (*on_turn)(void *arg, struct gm_err *err);
    void *arg;
};

/* fd: of the file, whose size is above 0; cut: its parts. What is in *send is set here but for the
 * callbacks, which may be set after. Errors: SYS, NOMEM. gm_send_fini in any case. */
int gm_send_init(struct gm_send *send, struct gm_session *session, int fd, const struct gm_cut *cut,
                 size_t parallel, struct gm_err *err) GM_MUST_CHECK;
void gm_send_fini(struct gm_send *send);
/* Until the scheduler has seen every part, each with the hash that it has here.
 * Errors: INPUT_CHANGED (the file did, or is not what was sent before), CANCELLED, STORE_* (a part
 * failed again and again), what the scheduler says, PROTO, SYS, NOMEM, those of the callbacks. */
int gm_send_run(struct gm_send *send, struct gm_err *err) GM_MUST_CHECK;

/* For its own files. */

/* "/v1/uploads/<id><suffix>", owned. */
int gm_send_path(const char *id, const char *suffix, char **out, struct gm_err *err) GM_MUST_CHECK;
/* gm_session_call of what may be repeated. A scheduler that is busy, as it still looks what lies in
 * its store, is asked again for a minute. *out: owned. */
int gm_send_call(struct gm_session *session, const char *method, const char *path,
                 const json_t *body, json_t **out, struct gm_err *err) GM_MUST_CHECK;
/* How many parts go at once after one that took so long ended so, of at_once that went beside each
 * other: half of them where it was given up for dripping (storage/s3/retry.h), which all of them
 * did. */
size_t gm_send_at_once(size_t at_once, int rc, gm_time took);
/* Puts what is hashed and free of pauses on its way: at most as many as ways are free. */
int gm_send_start(struct gm_send *send, struct gm_err *err) GM_MUST_CHECK;
/* Asks for URLs of hashed parts, at most so many, and gives each to a free way. */
int gm_send_ask(struct gm_send *send, size_t most, struct gm_err *err) GM_MUST_CHECK;
/* Takes up what has ended. */
int gm_send_collect(struct gm_send *send, struct gm_err *err) GM_MUST_CHECK;
/* Tells the scheduler which parts were put. */
int gm_send_tell(struct gm_send *send, struct gm_err *err) GM_MUST_CHECK;
/* What the scheduler has: marks the parts that are `known`; a hash that is another than that of a
 * part which is GM_SEND_THERE is an error, one that is missing makes it wait again. */
int gm_send_look(struct gm_send *send, struct gm_err *err) GM_MUST_CHECK;
/* Whether the file is as it was. */
int gm_send_check_file(const struct gm_send *send, struct gm_err *err) GM_MUST_CHECK;
void gm_send_show(struct gm_send *send);

#endif
