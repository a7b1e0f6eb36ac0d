#ifndef GM_SCHEDULER_STORE_TABLES_H
#define GM_SCHEDULER_STORE_TABLES_H

#include "scheduler/store/db.h"
#include "scheduler/store/state.h"

/* The tables of schema 2, one a kind of row, and their statements. Thread: the connection's. */

extern const char GM_TABLES_SQL[]; /* makes them */

struct gm_tables; /* opaque: statements, prepared */

int gm_tables_open(sqlite3 *db, struct gm_tables **out, struct gm_err *err) GM_MUST_CHECK;
void gm_tables_close(struct gm_tables **tables);
int gm_tables_put(struct gm_tables *t, const struct gm_key *key, const void *body, size_t size,
                  struct gm_err *err) GM_MUST_CHECK;
/* A job's row takes all rows and events of the job along. */
int gm_tables_delete(struct gm_tables *t, const struct gm_key *key,
                     struct gm_err *err) GM_MUST_CHECK;
int gm_tables_event(struct gm_tables *t, const struct gm_state_event *event,
                    struct gm_err *err) GM_MUST_CHECK;
/* As gm_state_load. */
int gm_tables_load(sqlite3 *db, gm_state_row_fn fn, void *arg, struct gm_err *err) GM_MUST_CHECK;

#endif
