#ifndef GM_CLI_PAGES_H
#define GM_CLI_PAGES_H

#include "cli/session.h"

/* GET of a list that comes in pages: its first `limit` rows, or all that there are, as one answer,
 * whose `next` is that of the last page. A page may be empty and have a `next`. path: ends with
 * '?' or '&'; rows: the member that has them. out->body is owned, also on failure. Errors: those
 * of gm_session_call(), PROTO (pages that do not go on). */
int gm_pages_call(struct gm_session *session, const char *path, const char *rows, size_t limit,
                  struct gm_answer *out, struct gm_err *err) GM_MUST_CHECK;

#endif
