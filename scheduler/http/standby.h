#ifndef GM_SCHEDULER_HTTP_STANDBY_H
#define GM_SCHEDULER_HTTP_STANDBY_H

#include "scheduler/http/door.h"

/* What HTTP says while another scheduler leads: it lives (GET /livez: 200), that it
 * does not lead (GET /metrics: 200), and to all else that it is not the one to ask (503,
 * scheduler.not_leader), if he has a token where one is asked for. Thread: one. */
struct gm_standby_http; /* opaque */

/* address: as gm_http_open's. door: borrowed. Errors: as gm_http_open. */
int gm_standby_http_open(const char *address, const struct gm_door *door,
                         struct gm_standby_http **out, struct gm_err *err) GM_MUST_CHECK;
const char *gm_standby_http_address(const struct gm_standby_http *http); /* borrowed */
int gm_standby_http_fd(const struct gm_standby_http *http);              /* to poll for input */
void gm_standby_http_run(struct gm_standby_http *http); /* answers what has come; again soon */
void gm_standby_http_close(struct gm_standby_http **http);

#endif
