#ifndef GM_SCHEDULER_STORE_DB_H
#define GM_SCHEDULER_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>

#include "common/err.h"

/* What the SQLite backend's files share. Errors: SYS (native: SQLite's extended code), STATE_FULL
 * (its disk), NOMEM. Thread: the connection's. */

/* Whether that code (extended) of SQLite, with errno `native`, says that there was no room to
 * write. Never of a sync that failed, whatever errno: what such a one left where is not known. */
bool gm_db_is_full(int code, int native);

/* What the connection's last call answered; what: "could not ...". Returns the negative code. */
int gm_db_err(struct gm_err *err, sqlite3 *db, const char *what);
int gm_db_exec(sqlite3 *db, const char *sql, const char *what, struct gm_err *err) GM_MUST_CHECK;
/* The number that sql selects; `missing` where it selects nothing. */
int gm_db_number(sqlite3 *db, const char *sql, int64_t missing, int64_t *out,
                 struct gm_err *err) GM_MUST_CHECK;
int gm_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out,
                  struct gm_err *err) GM_MUST_CHECK;
/* One statement, bound with the answer `bound`, to its end; left ready for the next use. */
int gm_db_run(sqlite3 *db, sqlite3_stmt *st, int bound, const char *what,
              struct gm_err *err) GM_MUST_CHECK;
/* The next row of a select: 1, 0 at its end, or negative. */
int gm_db_step(sqlite3 *db, sqlite3_stmt *st, const char *what, struct gm_err *err) GM_MUST_CHECK;
/* A blob of the row; never NULL but with NOMEM. Borrowed until the next step. */
int gm_db_blob(sqlite3_stmt *st, int column, const void **out, size_t *out_size,
               struct gm_err *err) GM_MUST_CHECK;
/* The schema that the tables have; 0: there are none. Errors: also CONFLICT: a newer one. */
int gm_db_schema(sqlite3 *db, int64_t *out, struct gm_err *err) GM_MUST_CHECK;
/* Whether the folder has a state, which opening would make. Errors: NOTFOUND. */
int gm_db_find(const char *folder, struct gm_err *err) GM_MUST_CHECK;

#endif
