#ifndef GM_CLI_KEY_FOLDER_H
#define GM_CLI_KEY_FOLDER_H

#include "common/allow.h"

/* The folder of a farm's keys, on the scheduler's machine and its user's alone (mode 0700):
 *
 *   server.key       the scheduler's pair: its `key_file`
 *   server.next.key  the one that follows, while nodes are told of it
 *   allow            public keys of the others: its `allow_file`
 *   NAME.key         a pair for a node or person: to be copied there, and not needed here any more
 *
 * One at a time changes it. Errors of all: CONFIG (a file that does not read), CONFLICT,
 * INVAL, SYS, NOMEM; what was there stays usable then. */
#define GM_KEY_FOLDER "/etc/gopmill/keys"

enum gm_key_step { GM_KEY_STEP_MADE, GM_KEY_STEP_ANNOUNCED, GM_KEY_STEP_REVOKED };

struct gm_key_change {
    const char *name; /* set by the caller, borrowed */
    enum gm_curve_role role;
    enum gm_key_step step;
    char path[4096]; /* the file that was written; "": none */
};

/* A first key for that name; the folder and the scheduler's pair are made where they are missing.
 * role: "node", "client" or "admin". */
int gm_key_folder_make(const char *folder, const char *role, struct gm_key_change *change,
                       struct gm_err *err) GM_MUST_CHECK;
/* A new key beside the old ones, which end at until_unix_ms. The name `server`: first a new pair is
 * written down and the files of others name both, then, asked again, it takes the old one's place.
 */
int gm_key_folder_rotate(const char *folder, int64_t now_unix_ms, int64_t until_unix_ms,
                         struct gm_key_change *change, struct gm_err *err) GM_MUST_CHECK;
/* All keys of that name are off the list, and its file is deleted. */
int gm_key_folder_revoke(const char *folder, struct gm_key_change *change,
                         struct gm_err *err) GM_MUST_CHECK;
/* out: zeroed; gm_allow_fini. */
int gm_key_folder_list(const char *folder, struct gm_allow *out, struct gm_err *err) GM_MUST_CHECK;

#endif
