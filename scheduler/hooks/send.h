#ifndef GM_SCHEDULER_HOOKS_SEND_H
#define GM_SCHEDULER_HOOKS_SEND_H

#include <uv.h>

#include "common/err.h"
#include "common/time.h"

/* One POST to a receiver, in the loop: by libcurl, whose resolver has threads of its own. It
 * follows no redirect, asks no proxy, reads at most GM_HOOK_ANSWER_BYTES of an answer's body and
 * keeps nothing of it, and ends after GM_HOOK_TIME. Thread: the loop's. */
#define GM_HOOK_TIME (15 * GM_SEC)
#define GM_HOOK_ANSWER_BYTES 65536

struct gm_hook_sender;  /* opaque */
struct gm_hook_sending; /* opaque: one POST */

struct gm_hook_post {
    const char *url; /* all copied */
    const char *id;  /* webhook-id */
    int64_t unix_s;  /* webhook-timestamp */
    const char *signature;
    const char *traceparent; /* NULL or "": none */
    const void *body;
    size_t size;
    bool public_only; /* connects to addresses of the public Internet alone (gm_hook_is_public) */
};
struct gm_hook_answer {
    uint32_t status; /* 0: none came */
    int64_t retry_after_ms;
    const char *why; /* borrowed; what went wrong, without the URL; NULL: 2xx */
};
/* Once for each POST, never from within gm_hook_send; what: its own. */
typedef void (*gm_hook_answer_fn)(const struct gm_hook_answer *answer, void *what, void *arg);

/* Errors: NOMEM. */
int gm_hook_sender_create(uv_loop_t *loop, gm_hook_answer_fn fn, void *arg,
                          struct gm_hook_sender **out, struct gm_err *err) GM_MUST_CHECK;
/* What is under way ends, and is told to nobody. Memory goes after a further turn of the loop. */
void gm_hook_sender_destroy(struct gm_hook_sender **sender);
/* Errors: NOMEM, BUG. */
int gm_hook_send(struct gm_hook_sender *sender, const struct gm_hook_post *post, void *what,
                 struct gm_err *err) GM_MUST_CHECK;

#endif
