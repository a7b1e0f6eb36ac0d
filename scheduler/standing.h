#ifndef GM_SCHEDULER_STANDING_H
#define GM_SCHEDULER_STANDING_H

#include "storage/store.h"

/* What stands at a destination already. A farm knows its own jobs alone; another one, gone or
 * running, may have finished the same publication there.
 *
 * store:       borrowed; the destination
 * publication: "": nothing has that
 * job_id:      who asks: its own report, written before its manifests, shows nothing
 * Thread:      any, one at a time per store
 * Errors:      those of gm_store_get but NOTFOUND; *out is untouched then */

/* Whether report.json is that of a job that is done with that publication. */
int gm_standing_report(struct gm_store *store, const char *publication, const char *job_id,
                       bool *out, struct gm_err *err) GM_MUST_CHECK;
/* Whether it is, or a manifest names the publication. */
int gm_standing_result(struct gm_store *store, const char *publication, const char *job_id,
                       bool *out, struct gm_err *err) GM_MUST_CHECK;

#endif
