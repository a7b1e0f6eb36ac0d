#include "scheduler/store/db.h"

#include <errno.h>
#include <unistd.h>

#include "common/fs.h"
#include "scheduler/store/state.h"

#define PATH_BYTES 4096

bool gm_db_is_full(int code, int native)
{
    bool room = native == ENOSPC || native == EDQUOT;
    return (code & 0xff) == SQLITE_FULL ||
           (room && (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_SHMSIZE));
}

int gm_db_err(struct gm_err *err, sqlite3 *db, const char *what)
{
    int code = db != NULL ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    const char *text = db != NULL ? sqlite3_errmsg(db) : "out of memory";
    enum gm_code as = GM_E_SYS;
    if (db != NULL && gm_db_is_full(code, sqlite3_system_errno(db))) {
        as = GM_E_STATE_FULL;
    } else if ((code & 0xff) == SQLITE_NOMEM) {
        as = GM_E_NOMEM;
    }
    return gm_err_set(err, as, code, "state database: could not %s: %s", what, text);
}

int gm_db_exec(sqlite3 *db, const char *sql, const char *what, struct gm_err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : gm_db_err(err, db, what);
}

int gm_db_number(sqlite3 *db, const char *sql, int64_t missing, int64_t *out, struct gm_err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK) {
        return gm_db_err(err, db, "read a number");
    }
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW) {
        *out = sqlite3_column_int64(st, 0);
    } else if (step == SQLITE_DONE) {
        *out = missing;
    } else {
        rc = gm_db_err(err, db, "read a number");
    }
    (void)sqlite3_finalize(st);
    return rc;
}

int gm_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, struct gm_err *err)
{
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK
               ? 0
               : gm_db_err(err, db, "prepare a statement");
}

int gm_db_run(sqlite3 *db, sqlite3_stmt *st, int bound, const char *what, struct gm_err *err)
{
    int rc = 0;
    if (bound != SQLITE_OK || sqlite3_step(st) != SQLITE_DONE) {
        rc = gm_db_err(err, db, what);
    }
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
    return rc;
}

int gm_db_step(sqlite3 *db, sqlite3_stmt *st, const char *what, struct gm_err *err)
{
    int step = sqlite3_step(st);
    return step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : gm_db_err(err, db, what);
}

int gm_db_blob(sqlite3_stmt *st, int column, const void **out, size_t *out_size, struct gm_err *err)
{
    const void *data = sqlite3_column_blob(st, column);
    int size = sqlite3_column_bytes(st, column);
    if (data == NULL && size > 0) {
        return gm_err_nomem(err);
    }
    *out = data != NULL ? data : "";
    *out_size = (size_t)size;
    return 0;
}

int gm_db_schema(sqlite3 *db, int64_t *out, struct gm_err *err)
{
    int64_t tables = 0;
    int rc = gm_db_number(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'", 0, &tables,
                          err);
    *out = 0;
    if (rc == 0 && tables > 0) {
        rc = gm_db_number(db, "SELECT value FROM meta WHERE name = 'schema'", -1, out, err);
    }
    if (rc == 0 && (*out < 0 || *out > GM_STATE_SCHEMA)) {
        rc = gm_err_set(err, GM_E_CONFLICT, *out,
                        "the state folder has schema %lld, this program reads 1 to %d; start the "
                        "version that wrote it",
                        (long long)*out, GM_STATE_SCHEMA);
    }
    return rc;
}

int gm_db_find(const char *folder, struct gm_err *err)
{
    char path[PATH_BYTES];
    int rc = gm_fs_path(path, sizeof path, err, "%s/state.db", folder);
    if (rc == 0 && access(path, F_OK) != 0) {
        rc = errno == ENOENT ? gm_err_set(err, GM_E_NOTFOUND, ENOENT, "no state is in %s", folder)
                             : gm_err_sys(err, errno, "could not look into %s", folder);
    }
    return rc;
}
