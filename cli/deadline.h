#ifndef GM_CLI_DEADLINE_H
#define GM_CLI_DEADLINE_H

#include "common/err.h"

/* When a job should be done: ms since 1970, or so long from now: "90s", "30m", "2h", "3d". Errors:
 * INVAL. */
int gm_deadline_parse(const char *text, int64_t now_unix_ms, int64_t *out_unix_ms,
                      struct gm_err *err) GM_MUST_CHECK;

#endif
