/* libpq without waiting: each call sends, polls the socket until its time is over, and takes what
 * has come. See: https://www.postgresql.org/docs/15/libpq-async.html */
#include "scheduler/store/pg.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define DISK_FULL "53100"
/* An address that swallows packets: with what the kernel does by itself it takes minutes. */
#define TCP_TIMEOUT_MS "5000"

void gm_pg_close(struct gm_pg *pg)
{
    PQfinish(pg->conn);
    pg->conn = NULL;
    pg->kept = NULL;
}

/* Whether an option is what a password becomes whose @, : or / was not written with %: libpq would
 * name it where it can't connect. */
static bool is_torn(const PQconninfoOption *o)
{
    if (o->val == NULL) {
        return false;
    }
    if (strcmp(o->keyword, "port") == 0) {
        return o->val[strspn(o->val, "0123456789,")] != '\0';
    }
    return strcmp(o->keyword, "host") == 0 && o->val[0] != '/' && o->val[0] != '@' &&
           strchr(o->val, '@') != NULL;
}

/* The same of the database's name: an @ that belongs to it is written with %, so that of an address
 * can be told where a / in its password cut it. */
static bool is_path_torn(const char *url)
{
    const char *rest = strstr(url, "://");
    const char *path = rest != NULL ? strchr(rest + 3, '/') : NULL;
    const char *at = path != NULL ? strchr(path, '@') : NULL;
    return at != NULL && at < path + strcspn(path, "?");
}

/* What libpq says of an address holds the address, and so the password. */
int gm_pg_check_url(const char *url, struct gm_err *err)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &why);
    bool torn = is_path_torn(url) || (options == NULL && why != NULL);
    int rc = options == NULL && why == NULL ? gm_err_nomem(err) : 0;
    for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        torn = torn || is_torn(o);
    }
    if (torn) {
        rc = gm_err_set(err, GM_E_CONFIG, 0,
                        "state: PostgreSQL can't read that address: look at its parameters, and "
                        "write %%, @, : and / of a password as %%25, %%40, %%3A and %%2F");
    }
    PQfreemem(why);
    PQconninfoFree(options);
    return rc;
}

/* What the connection says, in one line and without what it was asked for. Closes it. */
static int away(struct gm_pg *pg, const char *what, const char *why, struct gm_err *err)
{
    const char *text = why != NULL ? why : PQerrorMessage(pg->conn);
    int rc = gm_err_set(err, GM_E_STATE_AWAY, 0, "state database: could not %s: %.*s", what,
                        (int)strcspn(text, "\n"), text);
    gm_pg_close(pg);
    return rc;
}

/* Until the socket is ready for `events`, or the time is over (STATE_AWAY). */
static int wait_for(struct gm_pg *pg, short events, gm_time until, const char *what,
                    struct gm_err *err)
{
    struct pollfd fd = {.fd = PQsocket(pg->conn), .events = events};
    for (;;) {
        gm_time left = until - gm_time_now();
        if (fd.fd < 0 || left <= 0) {
            return away(pg, what, "no answer in time", err);
        }
        int n = poll(&fd, 1, (int)(left / GM_MS < 60000 ? left / GM_MS + 1 : 60000));
        if (n > 0) {
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return away(pg, what, strerror(errno), err);
        }
    }
}

/* What the server says beside its answers; libpq would write it to stderr. */
static void on_notice(void *arg, const char *text)
{
    char quoted[512];
    (void)arg;
    gm_log(GM_LOG_INFO, "state_notice", "text=%s", gm_log_quote(text, quoted, sizeof quoted));
}

int gm_pg_connect(struct gm_pg *pg, const char *url, gm_time until, struct gm_err *err)
{
    const char *const names[] = {"dbname", "fallback_application_name", "tcp_user_timeout",
                                 "client_encoding", NULL};
    const char *const values[] = {url, "gopmill-scheduler", TCP_TIMEOUT_MS, "UTF8", NULL};
    gm_pg_close(pg);
    pg->conn = PQconnectStartParams(names, values, 1);
    if (pg->conn == NULL) {
        return gm_err_nomem(err);
    }
    (void)PQsetNoticeProcessor(pg->conn, on_notice, NULL);
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (PQstatus(pg->conn) != CONNECTION_BAD && status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED) {
            break;
        }
        int rc =
            wait_for(pg, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, until, "connect", err);
        if (rc < 0) {
            return rc;
        }
        status = PQconnectPoll(pg->conn);
    }
    if (PQstatus(pg->conn) != CONNECTION_OK || PQsetnonblocking(pg->conn, 1) != 0) {
        return away(pg, "connect", NULL, err);
    }
    return 0;
}

static const int BINARY[GM_PG_PARAMS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static int may_send(const struct gm_pg *pg, const struct gm_pg_params *p, const char *what,
                    struct gm_err *err)
{
    if (pg->conn == NULL) {
        return gm_err_set(err, GM_E_STATE_AWAY, 0, "state database: could not %s: not connected",
                          what);
    }
    return p != NULL && p->failed ? gm_err_nomem(err) : 0;
}

static int send(struct gm_pg *pg, const char *sql, const struct gm_pg_params *p, const char *what,
                struct gm_err *err)
{
    int rc = may_send(pg, p, what, err);
    if (rc < 0) {
        return rc;
    }
    int sent = p == NULL ? PQsendQuery(pg->conn, sql)
                         : PQsendQueryParams(pg->conn, sql, p->count, p->types,
                                             (const char *const *)p->values, p->sizes, BINARY, 1);
    return sent == 1 ? 0 : away(pg, what, NULL, err);
}

/* What was sent is on its way, and a result, or the end, is here. */
static int await(struct gm_pg *pg, gm_time until, const char *what, struct gm_err *err)
{
    for (;;) {
        int unsent = PQflush(pg->conn);
        if (unsent < 0) {
            return away(pg, what, NULL, err);
        }
        if (unsent == 0 && PQisBusy(pg->conn) == 0) {
            return 0;
        }
        int rc = wait_for(pg, unsent > 0 ? POLLIN | POLLOUT : POLLIN, until, what, err);
        if (rc < 0) {
            return rc;
        }
        if (PQconsumeInput(pg->conn) != 1) {
            return away(pg, what, NULL, err);
        }
    }
}

/* What passes, or is another server's to answer: connections that end, shutting down, too many or
 * too much at once, transactions that met, a statement that was cancelled, a server that only
 * reads. See: https://www.postgresql.org/docs/15/errcodes-appendix.html */
static bool is_away(const struct gm_pg *pg, const char *state)
{
    static const char *const passing[] = {"57P",   "57014", "08",    "53",
                                          "40001", "40P01", "55P03", "25006"};
    bool away = PQstatus(pg->conn) != CONNECTION_OK;
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        away = away || strncmp(state, passing[i], strlen(passing[i])) == 0;
    }
    return away && strcmp(state, DISK_FULL) != 0;
}

static int refused(struct gm_pg *pg, const PGresult *result, const char *what, struct gm_err *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *text = primary != NULL ? primary : PQresultErrorMessage(result);
    if (is_away(pg, state != NULL ? state : "")) {
        return away(pg, what, text, err);
    }
    enum gm_code code = state != NULL && strcmp(state, DISK_FULL) == 0 ? GM_E_STATE_FULL : GM_E_SYS;
    return gm_err_set(err, code, 0, "state database: could not %s: %.*s", what,
                      (int)strcspn(text, "\n"), text);
}

/* All results of what was sent; the first that is an error counts. */
static int collect(struct gm_pg *pg, gm_time until, const char *what, PGresult **out,
                   struct gm_err *err)
{
    PGresult *last = NULL;
    int rc = 0;
    for (;;) {
        int gone = await(pg, until, what, rc < 0 ? NULL : err);
        if (gone < 0) {
            rc = rc < 0 ? rc : gone;
            break;
        }
        PGresult *result = PQgetResult(pg->conn);
        if (result == NULL) {
            break;
        }
        ExecStatusType status = PQresultStatus(result);
        if (rc == 0 && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            rc = refused(pg, result, what, err);
        }
        PQclear(last);
        last = result;
        if (pg->conn == NULL) {
            break;
        }
    }
    if (rc == 0 && out != NULL) {
        *out = last;
    } else {
        PQclear(last);
    }
    return rc;
}

int gm_pg_query(struct gm_pg *pg, const char *sql, const struct gm_pg_params *params, gm_time until,
                const char *what, PGresult **out, struct gm_err *err)
{
    int rc = send(pg, sql, params, what, err);
    return rc < 0 ? rc : collect(pg, until, what, out, err);
}

#define KEPT "kept" /* its name on the server */

/* A plan is made once, for parameters that are not known, and most likely of tables that are empty
 * yet: one that reads a whole table would stay when that has grown. What is forbidden costs so much
 * that a plan which needs it, for the table of one row, would be compiled each time. See:
 * https://www.postgresql.org/docs/15/sql-prepare.html, "Notes" */
static int keep(struct gm_pg *pg, const char *sql, const struct gm_pg_params *p, gm_time until,
                const char *what, struct gm_err *err)
{
    int rc = gm_pg_query(pg,
                         "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"
                         " SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off",
                         NULL, until, what, NULL, err);
    if (rc == 0 && PQsendPrepare(pg->conn, KEPT, sql, p->count, p->types) != 1) {
        rc = away(pg, what, NULL, err);
    }
    rc = rc < 0 ? rc : collect(pg, until, what, NULL, err);
    pg->kept = rc == 0 ? sql : NULL;
    return rc;
}

int gm_pg_kept(struct gm_pg *pg, const char *sql, const struct gm_pg_params *params, gm_time until,
               const char *what, PGresult **out, struct gm_err *err)
{
    GM_ASSERT(pg->kept == NULL || pg->kept == sql);
    int rc = may_send(pg, params, what, err);
    if (rc == 0 && pg->kept == NULL) {
        rc = keep(pg, sql, params, until, what, err);
    }
    if (rc == 0 &&
        PQsendQueryPrepared(pg->conn, KEPT, params->count, (const char *const *)params->values,
                            params->sizes, BINARY, 1) != 1) {
        rc = away(pg, what, NULL, err);
    }
    return rc < 0 ? rc : collect(pg, until, what, out, err);
}

int gm_pg_each(struct gm_pg *pg, const char *sql, const struct gm_pg_params *params, gm_time until,
               const char *what, int (*fn)(const PGresult *row, void *arg, struct gm_err *err),
               void *arg, struct gm_err *err)
{
    static const struct gm_pg_params none;
    int rc = send(pg, sql, params != NULL ? params : &none, what, err);
    if (rc == 0 && PQsetSingleRowMode(pg->conn) != 1) {
        rc = away(pg, what, NULL, err);
    }
    while (rc == 0) {
        rc = await(pg, until, what, err);
        if (rc < 0) {
            return rc;
        }
        PGresult *result = PQgetResult(pg->conn);
        if (result == NULL) {
            return 0;
        }
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_SINGLE_TUPLE) {
            rc = fn(result, arg, err);
        } else if (status != PGRES_TUPLES_OK) {
            rc = refused(pg, result, what, err);
        }
        PQclear(result);
    }
    gm_pg_close(pg); /* rows that nobody wants may be on their way */
    return rc;
}

int64_t gm_pg_int8(const PGresult *result, int row, int column)
{
    uint64_t value = 0;
    if (PQgetisnull(result, row, column) != 0 || PQgetlength(result, row, column) != 8) {
        return 0;
    }
    const unsigned char *bytes = (const unsigned char *)PQgetvalue(result, row, column);
    for (int i = 0; i < 8; i++) {
        value = value << 8 | bytes[i];
    }
    return (int64_t)value;
}
