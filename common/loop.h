#ifndef GM_COMMON_LOOP_H
#define GM_COMMON_LOOP_H

#include <uv.h>

#include "common/err.h"

/* One ZeroMQ socket in a libuv loop. ZMQ_FD is edge-triggered: after every send or receive the
 * socket may hold events that the descriptor will not signal again, so ZMQ_EVENTS is looked at
 * before the loop waits, and after it did where the descriptor woke it; an idle handle keeps the
 * loop turning while input remains. Thread: the loop's own only.
 */
struct gm_zwatch; /* opaque, owned by the caller */

/* Called while the socket has ZMQ_POLLIN, at most once a loop turn with up to `budget` messages
 * wanted: read with ZMQ_DONTWAIT until EAGAIN or the budget is used. */
typedef void (*gm_zwatch_fn)(void *zsock, int budget, void *arg);

int gm_zwatch_start(uv_loop_t *loop, void *zsock, gm_zwatch_fn fn, void *arg,
                    struct gm_zwatch **out, struct gm_err *err) GM_MUST_CHECK;
/* fn(arg) each turn just before the loop waits: what it sends or receives is looked after. */
void gm_zwatch_before(struct gm_zwatch *watch, void (*fn)(void *arg));
/* Each look is a system call. Who calls this looks no more before each wait, but only after a
 * gm_zwatch_touch: that is owed for each send on the socket, and for what ends receiving before
 * EAGAIN. */
void gm_zwatch_spare(struct gm_zwatch *watch);
void gm_zwatch_touch(struct gm_zwatch *watch);
/* Whether a whole message waits to be received: a system call. */
bool gm_zsock_has_input(void *zsock);
/* Closes its handles; memory goes after their close callbacks ran. */
void gm_zwatch_stop(struct gm_zwatch **watch);

/* Run fn(arg) on the loop's thread soon; the only call here that is safe from any thread. */
struct gm_post;
int gm_post_create(uv_loop_t *loop, struct gm_post **out, struct gm_err *err) GM_MUST_CHECK;
int gm_post(struct gm_post *post, void (*fn)(void *arg), void *arg,
            struct gm_err *err) GM_MUST_CHECK;
/* Runs what was posted and has not run (arguments are never lost), then closes. The threads that
 * post must have ended. Loop thread only; memory goes after a further loop turn. */
void gm_post_destroy(struct gm_post **post);

/* A thread of ours, and the pool of libuv (UV_THREADPOOL_SIZE is read now, once in a
 * process; loop: has no work yet, and is run). No signal is handled on them: one that the loop's
 * thread does not take at that moment waits for it, and is not left with a thread that sleeps. */
int gm_thread_start(uv_thread_t *out, uv_thread_cb fn, void *arg, struct gm_err *err) GM_MUST_CHECK;
int gm_pool_start(uv_loop_t *loop, struct gm_err *err) GM_MUST_CHECK;

/* Errors of libuv and ZeroMQ in the catalogue's terms. */
int gm_err_uv(struct gm_err *err, int uvcode, const char *fmt, ...) GM_PRINTF(3, 4);
int gm_err_zmq(struct gm_err *err, int zerrno, const char *fmt, ...) GM_PRINTF(3, 4);

#endif
