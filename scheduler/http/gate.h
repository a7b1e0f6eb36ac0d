#ifndef GM_SCHEDULER_HTTP_GATE_H
#define GM_SCHEDULER_HTTP_GATE_H

#include "common/time.h"
#include "common/tokens.h"
#include "scheduler/settings.h"

/* Who may ask the API for what: the tokens of `http_tokens`, read again when the file changes. A
 * file that does not read changes nothing. Thread: one at a time. */
struct gm_gate; /* opaque */

/* Who asks, as his token says. */
struct gm_caller {
    enum gm_token_role role;
    char id[GM_TOKEN_ID];         /* "": nobody asked for a token */
    char tenant[GM_TOKEN_TENANT]; /* "": all */
    int64_t until_unix_ms;        /* INT64_MAX: for ever */
};

/* Reads the tokens. settings: borrowed for its life. Errors: CONFIG, SYS, NOMEM. */
int gm_gate_open(const struct gm_settings *settings, struct gm_gate **out,
                 struct gm_err *err) GM_MUST_CHECK;
void gm_gate_close(struct gm_gate **gate);
/* fd: the socket that is listened on from now on: one of the unix family is guarded by its file's
 * mode, and no token is asked for. What is open to others is said in the log. */
void gm_gate_guard(struct gm_gate *gate, int fd);
/* authorization: the header's value, or NULL; count: how many such headers there are. least: what
 * the caller must be at least; NOBODY: nothing is asked. Errors: AUTH_MISSING, AUTH_REFUSED,
 * AUTH_DENIED; the text has nothing of the token. */
int gm_gate_check(struct gm_gate *gate, const char *authorization, unsigned count,
                  enum gm_token_role least, struct gm_caller *out,
                  struct gm_err *err) GM_MUST_CHECK;
/* Reads the file again where it has changed, at most every two seconds. True: the rows are others
 * than before. */
bool gm_gate_look(struct gm_gate *gate, gm_time now);
/* Why the file is not read as it is now; NULL: it is. Borrowed until gm_gate_look. */
const char *gm_gate_fault(const struct gm_gate *gate);
/* Nothing in what was asked is another tenant's. tenant NULL or "": nobody's. */
bool gm_caller_may_see(const struct gm_caller *caller, const char *tenant);

/* The socket is reached from this machine alone. */
bool gm_gate_is_local(int fd);

#endif
