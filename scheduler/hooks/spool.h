#ifndef GM_SCHEDULER_HOOKS_SPOOL_H
#define GM_SCHEDULER_HOOKS_SPOOL_H

#include "common/buf.h"

/* Where bodies lie that wait to be delivered: a file without a name, as the shelf's (ADR-0057),
 * whose room is used again in pieces of 1 KiB. Rows are what lasts; without room for a file, or in
 * one, bodies stay in memory. Thread: one. */
struct gm_spool;   /* opaque */
struct gm_spooled; /* opaque: one body */

/* folder: copied. Makes no file yet. Errors: NOMEM. */
int gm_spool_open(const char *folder, struct gm_spool **out, struct gm_err *err) GM_MUST_CHECK;
/* After all that it holds was dropped. NULL is fine. */
void gm_spool_close(struct gm_spool **spool);
/* Errors: NOMEM. */
int gm_spool_put(struct gm_spool *spool, const void *data, size_t size, struct gm_spooled **out,
                 struct gm_err *err) GM_MUST_CHECK;
/* Appends the body. Errors: NOMEM, SYS. */
int gm_spool_get(const struct gm_spool *spool, const struct gm_spooled *body, struct gm_buf *out,
                 struct gm_err *err) GM_MUST_CHECK;
/* NULL is fine. */
void gm_spool_drop(struct gm_spool *spool, struct gm_spooled **body);

#endif
