#ifndef GM_SCHEDULER_SHELF_H
#define GM_SCHEDULER_SHELF_H

#include "scheduler/core/core.h"

/* A file beside the state for what the core seldom looks at (ADR-0057). It has no name, so it ends
 * with the process; it is made when the first block comes, and never synced, as rows are the state.
 * Its room is used again, but is not given back. Without room, or where no file can be made, blocks
 * stay in memory, which is logged once until one is taken again. Thread: one at a time. */
struct gm_shelf; /* opaque */

/* where: gm_settings.state; a folder, or PostgreSQL's address: then TMPDIR's, or /var/tmp. Makes no
 * file yet. Errors: NOMEM. */
int gm_shelf_open(const char *where, struct gm_shelf **out, struct gm_err *err) GM_MUST_CHECK;
/* After the core that has its ops. NULL is fine. */
void gm_shelf_close(struct gm_shelf **shelf);
/* Where it makes its file: there is room for files of others, too. Borrowed. */
const char *gm_shelf_folder(const struct gm_shelf *shelf);
/* For gm_core_params; borrows the shelf. */
struct gm_core_shelf gm_shelf_ops(struct gm_shelf *shelf);

#endif
