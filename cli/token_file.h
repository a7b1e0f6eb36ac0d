#ifndef GM_CLI_TOKEN_FILE_H
#define GM_CLI_TOKEN_FILE_H

#include "common/tokens.h"

/* The file of the API's tokens (common/tokens.h), changed in place: a new file takes the place of
 * the old one, whole or not at all, with its owner and mode 0600; comments stay. One at a time
 * changes it. Errors of both: CONFIG (the file does not read), SYS, LIMIT, NOMEM; it stays as it
 * was then. */
#define GM_TOKEN_FILE "/etc/gopmill/tokens"

/* The file is made where it is missing. Errors: also CONFLICT: a token of that id is there. */
int gm_token_file_add(const char *path, const struct gm_token *row,
                      struct gm_err *err) GM_MUST_CHECK;
/* Errors: also NOTFOUND. */
int gm_token_file_remove(const char *path, const char *id, struct gm_err *err) GM_MUST_CHECK;

#endif
