#ifndef GM_NODE_TRANSFER_TRANSFERS_H
#define GM_NODE_TRANSFER_TRANSFERS_H

#include "storage/transfer/client.h"

/* Requests by URL to whatever endpoints, of which so many go at once; the others wait for their
 * turn, the oldest first. Endpoints that were asked last keep their connections.
 *
 * Memory: GM_S3_BUFFERS a request that goes
 * Thread: the loop's own only
 */
#define GM_TRANSFERS_MOST 8     /* at once, as a rule */
#define GM_TRANSFERS_CLIENTS 16 /* endpoints that are kept */

struct gm_transfers; /* opaque */

/* loop: borrowed. ca_file: of struct gm_s3_client_params, copied. most: requests at once. */
int gm_transfers_create(uv_loop_t *loop, const char *ca_file, unsigned most,
                        struct gm_transfers **out, struct gm_err *err) GM_MUST_CHECK;
/* Its transfers must have ended or be cancelled; not from within `done`. Memory goes after a
 * further turn of the loop. */
void gm_transfers_destroy(struct gm_transfers **transfers);

/* Part of whom it is for, where it stays until it ends. All-zero: there is none. */
struct gm_transfer {
    struct gm_transfers *transfers; /* borrowed; NULL: it has ended, or never begun */
    struct gm_transfer *next;       /* of those that wait, or that go */
    struct gm_s3_call call;
    struct gm_transfer_client *client; /* borrowed; NULL: it waits */
    struct gm_s3_running *running;
};

/* call: copied, what it points to is borrowed as gm_s3_client_start has it; call->url is set. Its
 * `done` is called once, never from here nor from a cancel; `transfer` may go then, or begin again.
 * Errors: as gm_s3_client_start, and INVAL for what is no URL: `done` is not called then. What it
 * says of a URL has nothing of its query. */
int gm_transfer_start(struct gm_transfers *transfers, struct gm_transfer *transfer,
                      const struct gm_s3_call *call, struct gm_err *err) GM_MUST_CHECK;
/* gm_s3_cancel; no-op for one that has ended or never begun. Calls nobody's `done`: who waited gets
 * his turn when the loop goes on. */
void gm_transfer_cancel(struct gm_transfer *transfer);
/* Others have their turn before it. */
bool gm_transfer_waits(const struct gm_transfer *transfer);
/* When any of them moved last: a try ended, or a part of a body went or came; 0: never. */
gm_time gm_transfers_moved(const struct gm_transfers *transfers);
/* gm_s3_is_sent. */
bool gm_transfer_is_sent(const struct gm_transfer *transfer);

#endif
