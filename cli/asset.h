#ifndef GM_CLI_ASSET_H
#define GM_CLI_ASSET_H

#include "cli/session.h"

#define GM_ASSET_PAGE_MAX 200 /* rows of a page of titles */

/* The title of a job. Of a scheduler of the release before, which has no path for one, its list is
 * searched. path: of the title, "/v1/assets/<job>". out->body is owned, also on failure. Errors:
 * those of gm_session_call(), NOTFOUND, PROTO. */
int gm_asset_get(struct gm_session *session, const char *path, const char *job,
                 struct gm_answer *out, struct gm_err *err) GM_MUST_CHECK;

#endif
