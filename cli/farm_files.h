#ifndef GM_CLI_FARM_FILES_H
#define GM_CLI_FARM_FILES_H

#include "cli/farm.h"
#include "common/buf.h"

/* Folders and files of an embedded farm. */
struct gm_farm_files {
    char *state;         /* owned; absolute */
    bool state_kept;     /* false: removed at the end */
    char runtime[32];    /* "/tmp/gopmill-sockets-XXXXXX", removed at the end; "": not made */
    char url[64];        /* "unix:/tmp/gopmill-sockets-XXXXXX/http.sock" */
    int lock_fd;         /* -1, or holds state/lock */
    int runtime_lock_fd; /* -1, or holds runtime/lock */
};

/* Makes folders, grant key and configuration files. On failure what was made is removed. Errors:
 * CONFLICT, NOT_INSTALLED (no pipelines folder), SYS, LIMIT, NOMEM. */
int gm_farm_files_make(const struct gm_farm_params *params, struct gm_farm_files *out,
                       struct gm_err *err) GM_MUST_CHECK;
void gm_farm_files_remove(struct gm_farm_files *files);

/* Path of a program beside the running one, else in PATH. *out is owned. Errors: NOT_INSTALLED,
 * SYS. */
int gm_farm_find_program(const char *name, char **out, struct gm_err *err) GM_MUST_CHECK;

/* text as a double-quoted YAML scalar. */
void gm_farm_yaml_quote(struct gm_buf *buf, const char *text);

#endif
