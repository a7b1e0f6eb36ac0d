#ifndef GM_SCHEDULER_STORE_MIGRATE_H
#define GM_SCHEDULER_STORE_MIGRATE_H

#include "scheduler/store/db.h"

/* Schema 1 to 2 and back, each in one transaction: all or nothing, whatever ends the process. The
 * term, how long leases last and the numbers of events stay (ADR-0039). Thread: the connection's.
 * Errors: also PROTO: a row does not decode or is of a job or task that is not there.
 */
int gm_migrate_up(sqlite3 *db, struct gm_err *err) GM_MUST_CHECK;
/* Kinds of rows that schema 1 did not have are left out: *out_left says how many. */
int gm_migrate_down(sqlite3 *db, size_t *out_left, struct gm_err *err) GM_MUST_CHECK;

#endif
