#ifndef GM_CLI_SSE_H
#define GM_CLI_SSE_H

#include "common/buf.h"
#include "common/err.h"

#define GM_SSE_MAX_EVENT (16u << 20) /* bytes of one event's data */

/* A parser of server-sent events, fed as bytes come. All-zero is a fresh one.
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html (9.2.6) */
struct gm_sse {
    struct gm_buf line;
    struct gm_buf data;
    char event[64];   /* type of the event being read */
    char last_id[64]; /* of the last whole event; what a reconnect sends as Last-Event-ID */
    char next_id[64];
    bool after_cr;
};

/* One whole event; a non-zero answer stops the feeding and is returned. data: NUL-terminated. */
typedef int (*gm_sse_fn)(const char *event, const char *data, size_t size, void *arg);

/* Errors: PROTO, LIMIT (an event over GM_SSE_MAX_EVENT), NOMEM; and what fn answers. */
int gm_sse_feed(struct gm_sse *sse, const void *data, size_t size, gm_sse_fn fn, void *arg,
                struct gm_err *err) GM_MUST_CHECK;
/* After a broken connection: drops the half-read event, keeps last_id. */
void gm_sse_reset(struct gm_sse *sse);
void gm_sse_fini(struct gm_sse *sse);

#endif
