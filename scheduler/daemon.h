#ifndef GM_SCHEDULER_DAEMON_H
#define GM_SCHEDULER_DAEMON_H

#include <uv.h>

#include "scheduler/core/view.h"
#include "scheduler/settings.h"
#include "scheduler/store/state.h"
#include "storage/remote/stores.h"

/* The scheduler as a program: one libuv loop that owns the core, the ZeroMQ socket and the HTTP
 * server; a thread that commits; libuv's pool for files and stores. main_scheduler.c and the tests
 * run it. Thread: the loop's, except gm_daemon_stop.
 */
struct gm_daemon; /* opaque */
struct gm_upload_desk;
struct gm_door;
struct gm_hooks;
struct gm_stored_pipelines;

/* Opens everything and recovers the state: when it returns 0 the sockets are bound. settings:
 * borrowed for the daemon's life. Errors: CONFLICT (state folder in use), CONFIG, SYS, NOMEM, PROTO
 * (a stored row does not decode), NOT_LEADER (another scheduler leads). */
int gm_daemon_create(const struct gm_settings *settings, struct gm_daemon **out,
                     struct gm_err *err) GM_MUST_CHECK;
/* The same with a state that is open and that this scheduler leads; takes it, on failure too.
 * door: borrowed for the daemon's life. */
int gm_daemon_create_with(const struct gm_settings *settings, const struct gm_door *door,
                          struct gm_state *state, struct gm_daemon **out,
                          struct gm_err *err) GM_MUST_CHECK;
/* Serves until stopped: 0; or until it can't go on, a failed commit for example. What was accepted
 * before is on disk either way. */
int gm_daemon_run(struct gm_daemon *d, struct gm_err *err) GM_MUST_CHECK;
/* Ends gm_daemon_run soon. Thread: any; async-signal-safe. */
void gm_daemon_stop(struct gm_daemon *d);
/* Reads again what may change while it runs: the list of keys, and those of stores. */
void gm_daemon_reload(struct gm_daemon *d);
void gm_daemon_destroy(struct gm_daemon **d);

/* Where it listens, as a client or node names it: "unix:/path" or "http://address:port", and
 * endpoints separated by commas. Borrowed. */
const char *gm_daemon_http(const struct gm_daemon *d);
const char *gm_daemon_listen(const struct gm_daemon *d);

/* --- for the HTTP layer --- */

/* rc 0 after the step's rows are on disk, or negative with err when the daemon stops first. */
typedef void (*gm_daemon_answer_fn)(int rc, const struct gm_err *err, void *arg);
/* One step of the core. A negative return is the core's refusal (nothing changed, fn is not
 * called); otherwise fn is called once, now or later. */
int gm_daemon_step(struct gm_daemon *d, const struct gm_event *event, gm_daemon_answer_fn fn,
                   void *arg, struct gm_err *err) GM_MUST_CHECK;
/* Calls fn once all that was stepped before is on disk, now or when it is, or with the error. A
 * negative return: it can't be, and fn is not called. */
int gm_daemon_settle(struct gm_daemon *d, gm_daemon_answer_fn fn, void *arg,
                     struct gm_err *err) GM_MUST_CHECK;
/* The core shows the job as ended, but a scheduler that starts anew may not. */
bool gm_daemon_is_ending(const struct gm_daemon *d, const char *job_id);
/* NOT_LEADER once it can't go on and ends: what the core shows may be stored nowhere. */
int gm_daemon_check_lead(const struct gm_daemon *d, struct gm_err *err) GM_MUST_CHECK;
/* Runs work on the pool, then done on the loop; the daemon does not end in between. What arg points
 * to is the pool's from the call on: an answer kept there would go over that of work. */
int gm_daemon_work(struct gm_daemon *d, void (*work)(void *arg), void (*done)(void *arg), void *arg,
                   struct gm_err *err) GM_MUST_CHECK;
/* So much waits for the disk that no job is taken; retry_s: seconds until that should be over.
 * Nodes are heard until twice as much waits, for their work makes room. */
#define GM_DAEMON_FULL_BYTES ((size_t)32 << 20)
bool gm_daemon_is_full(const struct gm_daemon *d, uint32_t *retry_s);
/* The disk of the state has no room: what was begun waits for it, and no job is taken. */
bool gm_daemon_has_no_room(const struct gm_daemon *d);
/* Seconds until a job should end. */
uint32_t gm_daemon_job_wait_s(const struct gm_daemon *d);
const struct gm_core *gm_daemon_core(const struct gm_daemon *d);
/* What that node's connection was proved by: NULL where no keys are asked for, or it has none.
 * *until_unix_ms: when the key ends, INT64_MAX: never. Borrowed until the loop goes on. */
const char *gm_daemon_node_key(const struct gm_daemon *d, const char *node_id,
                               int64_t *until_unix_ms);
const struct gm_settings *gm_daemon_settings(const struct gm_daemon *d);
/* What the configuration's `storage` names. Thread: any. */
struct gm_stores *gm_daemon_stores(const struct gm_daemon *d);
struct gm_state *gm_daemon_state(struct gm_daemon *d);
/* For metrics, all borrowed. */
struct gm_lag;
struct gm_commit;
const struct gm_lag *gm_daemon_lag(const struct gm_daemon *d);
const struct gm_commit *gm_daemon_commit(const struct gm_daemon *d);
int64_t gm_daemon_started_unix_ms(const struct gm_daemon *d);
/* Its published titles; NULL: they are still being read, as after a start. */
struct gm_catalogue *gm_daemon_catalogue(struct gm_daemon *d);
/* That title is taken down: gm_takedown_ask. */
int gm_daemon_take_down(struct gm_daemon *d, const char *job_id, gm_daemon_answer_fn fn, void *arg,
                        struct gm_err *err) GM_MUST_CHECK;
/* That is given up: gm_takedown_give_up. */
int gm_daemon_give_up_takedown(struct gm_daemon *d, const char *job_id, gm_daemon_answer_fn fn,
                               void *arg, struct gm_err *err) GM_MUST_CHECK;
uv_loop_t *gm_daemon_loop(struct gm_daemon *d);
/* Its uploads (scheduler/uploads_desk.h); NULL: none are taken. */
struct gm_upload_desk *gm_daemon_uploads(const struct gm_daemon *d);
/* Pipelines that were stored (scheduler/stored_pipelines.h). Thread: any. */
struct gm_stored_pipelines *gm_daemon_pipelines(const struct gm_daemon *d);
/* Its outbox (scheduler/hooks/hooks.h). */
struct gm_hooks *gm_daemon_hooks(struct gm_daemon *d);
/* A source that can't be granted is refused at the door: tries a grant. Thread: any. */
int gm_daemon_check_source(const struct gm_daemon *d, const char *source_url,
                           struct gm_err *err) GM_MUST_CHECK;

#endif
