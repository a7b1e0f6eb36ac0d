#ifndef GM_STORAGE_TRANSFER_WIRE_H
#define GM_STORAGE_TRANSFER_WIRE_H

#include <curl/curl.h>
#include <uv.h>

#include "common/err.h"

/* libcurl's transfers in a libuv loop: curl says which sockets and which time it waits for, the
 * loop tells it when they are due. Thread: the loop's own only.
 */
struct gm_s3_wire; /* opaque */

/* Once for each easy handle that was added, and never from within a call of gm_s3_wire's: its
 * transfer has ended and the handle is the caller's again. It may add and remove others. */
typedef void (*gm_s3_wire_fn)(CURL *easy, CURLcode result, void *arg);

int gm_s3_wire_create(uv_loop_t *loop, gm_s3_wire_fn fn, void *arg, struct gm_s3_wire **out,
                      struct gm_err *err) GM_MUST_CHECK;
/* Begins a transfer; easy (borrowed until it ends or is removed) stays the caller's. */
int gm_s3_wire_add(struct gm_s3_wire *wire, CURL *easy, struct gm_err *err) GM_MUST_CHECK;
/* Breaks a transfer off, whose end is not told any more. Not from within a callback of curl's. */
void gm_s3_wire_remove(struct gm_s3_wire *wire, CURL *easy);
/* All transfers must have ended or be removed. Memory goes after a further turn of the loop. */
void gm_s3_wire_destroy(struct gm_s3_wire **wire);

#endif
