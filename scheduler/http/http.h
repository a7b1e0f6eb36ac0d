#ifndef GM_SCHEDULER_HTTP_HTTP_H
#define GM_SCHEDULER_HTTP_HTTP_H

#include "common/err.h"

/* The HTTP API (docs/api.md) in the daemon's loop. Thread: the loop's. */
struct gm_daemon;
struct gm_door;
struct gm_http; /* opaque */

/* address: "unix:/path" (a socket file that nobody serves is replaced) or "address:port" (port 0:
 * the system's choice). door: borrowed for the server's life. Errors: CONFIG (malformed), CONFLICT
 * (in use), SYS, NOMEM. */
int gm_http_open(struct gm_daemon *d, const char *address, const struct gm_door *door,
                 struct gm_http **out, struct gm_err *err) GM_MUST_CHECK;
/* "unix:/path", "http://address:port" or, with TLS, "https://address:port". Borrowed. */
const char *gm_http_address(const struct gm_http *http);
/* Something happened to a job; seq 0: not stored. tenant: of one that may be forgotten; NULL: it is
 * known. http NULL is fine. */
void gm_http_event(struct gm_http *http, const char *job_id, const char *tenant, const char *type,
                   const char *json, int64_t seq);
/* Now and then, at least each 100 ms. http NULL is fine. */
void gm_http_tick(struct gm_http *http);
/* No new connections; event streams end. */
void gm_http_stop(struct gm_http *http);
void gm_http_close(struct gm_http **http);

#endif
