#ifndef GM_CLI_CUT_FILE_H
#define GM_CLI_CUT_FILE_H

#include "cli/cut.h"
#include "cli/session.h"

/* Cuts a media file at its keyframes. The file is nobody's to trust: gopmill-worker reads it, in
 * its sandbox, and has the descriptor alone; what it says is checked. Where it says nothing of use,
 * or nothing within a minute, the parts are of one size: `why` (of GM_CUT_WHY bytes) then has a
 * sentence, else "". fd: a regular file of size bytes, borrowed.
 * Errors: CANCELLED (an interrupt), NOMEM, as gm_session_turn. */
#define GM_CUT_WHY 240
int gm_cut_file(struct gm_session *session, int fd, uint64_t size, struct gm_cut *out, char *why,
                struct gm_err *err) GM_MUST_CHECK;

#endif
