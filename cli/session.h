#ifndef GM_CLI_SESSION_H
#define GM_CLI_SESSION_H

#include <curl/curl.h>
#include <jansson.h>
#include <uv.h>

#include "cli/farm.h"
#include "cli/sse.h"
#include "cli/term.h"
#include "common/tokens.h"

/* How a scheduler is reached. All borrowed. */
struct gm_reach {
    const char
        *scheduler; /* "unix:/path", "http://host[:port]" or "https://host[:port]", or several
                       with commas between, of which one leads; NULL: a farm of one's own */
    const char *ca; /* PEM of who signed its certificate; NULL: the system's */
    const char *token_file; /* common/tokens.h: sent to http and https alone; NULL: none */
};

/* A conversation with a scheduler's HTTP API, in one thread: requests, the event stream, signals
 * and the embedded farm's children are all waited for in one place, gm_session_turn(). */
struct gm_session {
    CURLM *multi;         /* owned */
    int signal_fd;        /* owned */
    struct gm_term *term; /* borrowed */
    struct gm_farm *farm; /* owned; NULL with a scheduler of one's own */
    char **urls;          /* owned: the schedulers', of which one leads; ends with NULL */
    size_t at;            /* which of them is asked */
    char *base;           /* owned; of that one: "http[s]://host:port" without a slash at the end */
    char *unix_path;      /* owned; NULL: TCP */
    char *ca;             /* owned; NULL: the system's */
    char token[GM_TOKEN_SIZE]; /* "": none */
    int interrupts;            /* SIGINT, SIGTERM, SIGHUP so far */
    bool reached;              /* the scheduler has answered before */
    uv_loop_t *loop;           /* borrowed; run by the turns, too; NULL: none */
    void (*killed)(void);      /* called before a second interrupt ends the program; NULL: none */
};

/* One HTTP answer. */
struct gm_answer {
    long status;
    json_t *body; /* owned; NULL: none */
};

/* Blocks the signals that a session waits for; call first in main, before any thread is there. */
int gm_session_block_signals(struct gm_err *err) GM_MUST_CHECK;

/* reach->scheduler NULL: starts the farm that `farm` describes and waits until its scheduler is
 * ready. A token that would go to another machine unencrypted is warned of. *out is owned:
 * gm_session_close(). Errors: INVAL, CONFIG (the token's file), NO_FARM (it did not come up),
 * CANCELLED (interrupted meanwhile), SYS, NOMEM. */
int gm_session_open(const struct gm_reach *reach, const struct gm_farm_params *farm,
                    struct gm_term *term, struct gm_session **out,
                    struct gm_err *err) GM_MUST_CHECK;
void gm_session_close(struct gm_session **session);

/* Waits for something to happen, at most timeout_ms, and handles it: moves requests on, counts
 * interrupts (the second one kills the farm and ends the program with 130), starts dead children
 * again. Errors: NO_FARM when the farm was given up. */
int gm_session_turn(struct gm_session *session, int timeout_ms, struct gm_err *err) GM_MUST_CHECK;

/* One request, with its answer: 2xx is success. body: borrowed, or NULL. Of several
 * schedulers each is tried. While none that leads can be reached it tries again, with growing
 * pauses, for up to 60 s when one has answered before or is our own; a request that may have
 * arrived is repeated only if `repeatable`. An interrupt that comes meanwhile ends the trying. out
 * may be NULL. A DELETE that was repeated and finds nothing any more has worked: status 404, no
 * body. Errors: UNREACHABLE (also: its certificate is not trusted), the problem document's
 * code, PROTO, CANCELLED, TIMEOUT (may have arrived, not repeated). */
int gm_session_call(struct gm_session *session, const char *method, const char *path,
                    const json_t *body, bool repeatable, struct gm_answer *out,
                    struct gm_err *err) GM_MUST_CHECK;

/* The next one of several schedulers is asked from now on. Errors: NOMEM. */
int gm_session_next(struct gm_session *session, struct gm_err *err) GM_MUST_CHECK;

/* A stream of a job's events over one connection. */
struct gm_stream; /* opaque */
/* sse: borrowed; keeps the last event id over several streams. fn: as gm_sse_fn. */
int gm_stream_open(struct gm_session *session, const char *path, struct gm_sse *sse, gm_sse_fn fn,
                   void *arg, struct gm_stream **out, struct gm_err *err) GM_MUST_CHECK;
/* True: the connection is over; *out_rc tells how: 0 the server closed it, -UNREACHABLE it broke,
 * else the error. */
bool gm_stream_is_over(const struct gm_stream *stream, int *out_rc, struct gm_err *err);
/* Bytes have come since the stream was opened. */
bool gm_stream_is_live(const struct gm_stream *stream);
void gm_stream_close(struct gm_session *session, struct gm_stream **stream);

/* Fills err from a problem document (NULL is fine) and the HTTP status; returns -code. */
int gm_problem_to_err(const json_t *problem, long status, struct gm_err *err);

#endif
