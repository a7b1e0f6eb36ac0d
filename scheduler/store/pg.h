#ifndef GM_SCHEDULER_STORE_PG_H
#define GM_SCHEDULER_STORE_PG_H

#include <libpq-fe.h>

#include "common/err.h"
#include "common/time.h"

/* A connection to PostgreSQL whose every call has an end: libpq's own calls wait for as long as the
 * server likes. Only looking up a host's name takes as long as that takes: give an address
 * (hostaddr) where it may hang. Errors: STATE_AWAY: no answer in time, or the connection broke: it
 * is closed then, and whether the statement holds is not known; STATE_FULL: the server's disk is
 * full; SYS: what the server refused (native: 0); NOMEM. Thread: one at a time. */
struct gm_pg {
    PGconn *conn;     /* owned; NULL: not connected */
    const char *kept; /* borrowed: the statement of gm_pg_kept that the server has */
};

/* The parameters of a statement, in binary. */
#define GM_PG_PARAMS 18
struct gm_pg_params {
    int count;
    Oid types[GM_PG_PARAMS];
    char *values[GM_PG_PARAMS]; /* owned */
    int sizes[GM_PG_PARAMS];
    bool failed; /* no memory, or too much for one value: gm_pg_query says so */
};
void gm_pg_params_fini(struct gm_pg_params *params);
void gm_pg_add_int8(struct gm_pg_params *params, int64_t value);

/* Arrays of one dimension. i: from 0 to count - 1. */
typedef int64_t (*gm_pg_number_fn)(const void *list, size_t i);
typedef const void *(*gm_pg_bytes_fn)(const void *list, size_t i, size_t *out_size);
void gm_pg_add_int8s(struct gm_pg_params *params, const void *list, size_t count,
                     gm_pg_number_fn fn);
void gm_pg_add_byteas(struct gm_pg_params *params, const void *list, size_t count,
                      gm_pg_bytes_fn fn);

/* Says whether url is a connection string that libpq takes. Errors: CONFIG, NOMEM. */
int gm_pg_check_url(const char *url, struct gm_err *err) GM_MUST_CHECK;
/* Closes what is open, connects. until: by gm_time_now. */
int gm_pg_connect(struct gm_pg *pg, const char *url, gm_time until,
                  struct gm_err *err) GM_MUST_CHECK;
void gm_pg_close(struct gm_pg *pg);
/* One statement (params NULL: none; then several, separated by `;`, are one transaction). *out: the
 * last result, binary, to PQclear; out NULL: none is wanted. what: "could not ...". */
int gm_pg_query(struct gm_pg *pg, const char *sql, const struct gm_pg_params *params, gm_time until,
                const char *what, PGresult **out, struct gm_err *err) GM_MUST_CHECK;
/* As gm_pg_query, of a statement that is read and planned once a connection: always the same one,
 * which lives as long. Planned for tables of any size, and so is what that connection does later:
 * rows are found by an index. */
int gm_pg_kept(struct gm_pg *pg, const char *sql, const struct gm_pg_params *params, gm_time until,
               const char *what, PGresult **out, struct gm_err *err) GM_MUST_CHECK;
/* As gm_pg_query, row by row: each result has one row. A non-zero answer of fn ends it, and the
 * connection, and is returned. */
int gm_pg_each(struct gm_pg *pg, const char *sql, const struct gm_pg_params *params, gm_time until,
               const char *what, int (*fn)(const PGresult *row, void *arg, struct gm_err *err),
               void *arg, struct gm_err *err) GM_MUST_CHECK;

/* A column of a result's row, int8 in binary; 0 for NULL. */
int64_t gm_pg_int8(const PGresult *result, int row, int column);

#endif
