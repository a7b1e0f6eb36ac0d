#ifndef GM_CLI_PAGES_H
#define GM_CLI_PAGES_H

#include "cli/session.h"

#define GM_PAGE_MAX 500 /* rows of most lists' pages */

/* GET of a list that comes in pages of at most page_max: its first `limit` rows, or all that there
 * are, as one answer, whose `next` is that of the last page. A page may be empty and have a `next`.
 * path: ends with
 * '?' or '&'; rows: the member that has them. out->body is owned, also on failure. Errors: those
 * of gm_session_call(), PROTO (pages that do not go on). */
int gm_pages_call(struct gm_session *session, const char *path, const char *rows, size_t limit,
                  size_t page_max, struct gm_answer *out, struct gm_err *err) GM_MUST_CHECK;

/* The last row of such a list, of which one page at a time is kept. *out is owned; NULL: it has no
 * rows. Errors: as gm_pages_call(). */
int gm_pages_last(struct gm_session *session, const char *path, const char *rows, json_t **out,
                  struct gm_err *err) GM_MUST_CHECK;

/* gm_pages_call() of a list whose pages go on behind a number (`after`): all of it. */
int gm_pages_after(struct gm_session *session, const char *path, const char *rows,
                   struct gm_answer *out, struct gm_err *err) GM_MUST_CHECK;

#endif
