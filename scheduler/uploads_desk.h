#ifndef GM_SCHEDULER_UPLOADS_DESK_H
#define GM_SCHEDULER_UPLOADS_DESK_H

#include "scheduler/daemon.h"
#include "scheduler/uploads_doc.h"
#include "scheduler/uploads_store.h"

/* The uploads of a scheduler that leads: what it knows of them, who waits for their parts, and what
 * goes when. What is there it learns from the bucket when it starts; before that uploads are BUSY,
 * and who asks for parts waits. Thread: the loop's; what asks the bucket runs on the pool. */
struct gm_upload_desk; /* opaque */

/* *out: NULL where no `uploads` are configured. Errors: NOMEM. */
int gm_upload_desk_create(struct gm_daemon *d, struct gm_upload_desk **out,
                          struct gm_err *err) GM_MUST_CHECK;
/* No work of it is on the pool any more. */
void gm_upload_desk_destroy(struct gm_upload_desk **desk);
/* Now and then: the bucket is listed, what is idle ends, what is old goes. NULL is fine. */
void gm_upload_desk_tick(struct gm_upload_desk *desk, gm_time now);

/* Whether uploads can be worked with: UPLOADS_OFF (desk NULL), BUSY (the bucket was not listed
 * yet, and why). */
int gm_upload_desk_check(const struct gm_upload_desk *desk, struct gm_err *err) GM_MUST_CHECK;
struct gm_uploads *gm_upload_desk_table(struct gm_upload_desk *desk);
struct gm_uploads_place gm_upload_desk_place(const struct gm_upload_desk *desk);
struct gm_upload_limits gm_upload_desk_limits(const struct gm_upload_desk *desk);
/* For what is written or deleted there, on the pool: each try asks who leads. arg: the desk. */
int gm_upload_desk_leads(void *arg, struct gm_err *err) GM_MUST_CHECK;
/* That one is about to be begun: BUSY where there are max_uploads, or its tenant has as many as it
 * may have. One of no tenant is GM_TENANT_DEFAULT's. Each is followed by began, with the same
 * tenant. Errors: BUSY, NOMEM. */
int gm_upload_desk_begin(struct gm_upload_desk *desk, const char *tenant,
                         struct gm_err *err) GM_MUST_CHECK;
void gm_upload_desk_began(struct gm_upload_desk *desk, const char *tenant);
/* Whether a job of it need not wait for what inspection reads of it: begin and end, or all of a
 * short one. */
bool gm_upload_has_ends(const struct gm_upload *u);
/* Jobs whose tasks wait for parts that are there by now, or will not come, are told so. Now and
 * then; where uploads are off by now all are. */
void gm_upload_arrivals_tick(struct gm_daemon *d, gm_time now);
/* Parts of it came, or it is leaving: who waits for them hears so. */
void gm_upload_desk_changed(struct gm_upload_desk *desk, const char *id);

/* A node's PartsAsk; desk NULL: it is refused. */
void gm_upload_desk_ask(struct gm_daemon *d, const char *node_id, const Gm__PartsAsk *ask);
/* Nobody waits for it any more. NULL is fine. */
void gm_upload_desk_drop_lease(struct gm_upload_desk *desk, uint64_t epoch);

#endif
