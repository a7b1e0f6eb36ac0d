#ifndef GM_COMMON_KEYS_H
#define GM_COMMON_KEYS_H

#include "common/err.h"

/* Key pairs of the wire: CURVE25519, as ZeroMQ's Z85 text (rfc.zeromq.org/spec/32), and the files
 * that hold one each:
 *
 *   name node-1
 *   role node
 *   public 40 characters
 *   secret 40 characters
 *   server 40 characters      the scheduler's public key, in files of others; up to
 * GM_CURVE_SERVERS
 *
 * in any order, each once but `server`; lines that begin with '#' are comments. A secret key is
 * never printed or logged. Thread: any.
 */
#define GM_CURVE_TEXT 41   /* bytes of a key as text, with its NUL */
#define GM_CURVE_NAME 65   /* a name: as a node id, [a-z0-9-]{1,64}; with its NUL */
#define GM_CURVE_SERVERS 4 /* while the scheduler's key is being replaced */

enum gm_curve_role {
    GM_CURVE_NODE,
    GM_CURVE_CLIENT,
    GM_CURVE_ADMIN,
    GM_CURVE_SERVER,
    GM_CURVE_ROLES
};

struct gm_curve_file {
    char name[GM_CURVE_NAME];
    enum gm_curve_role role;
    char public_key[GM_CURVE_TEXT];
    char secret_key[GM_CURVE_TEXT];
    char servers[GM_CURVE_SERVERS][GM_CURVE_TEXT];
    size_t server_count;
};

const char *gm_curve_role_name(enum gm_curve_role role); /* "node" "client" "admin" "server" */
/* -1: none of them. */
int gm_curve_role_find(const char *name);
/* Who has the role `has` may do what is for `wanted`: an admin all that a client may, everybody
 * what is for his own. */
bool gm_curve_role_may(enum gm_curve_role has, enum gm_curve_role wanted);
bool gm_curve_is_name(const char *s);
/* 40 characters of Z85. */
bool gm_curve_is_text(const char *s);

/* A new pair into public_key and secret_key; the rest stays. Errors: SYS (libzmq without CURVE). */
int gm_curve_make(struct gm_curve_file *out, struct gm_err *err) GM_MUST_CHECK;
/* Errors: CONFIG (with file and line; also where others than its owner may read the file, and where
 * the two keys are no pair), SYS, NOMEM. */
int gm_curve_load(const char *path, struct gm_curve_file *out, struct gm_err *err) GM_MUST_CHECK;
/* Mode 0600, whole or not at all. */
int gm_curve_save(const char *path, const struct gm_curve_file *key,
                  struct gm_err *err) GM_MUST_CHECK;
void gm_curve_wipe(struct gm_curve_file *key);

/* An endpoint that other machines can't reach: ipc, or tcp on 127/8, [::1] or localhost. */
bool gm_curve_is_local_endpoint(const char *endpoint);
/* What a program's `security` and endpoints say: "curve", "none" or "", which goes with local
 * endpoints alone. Errors: CONFIG. */
int gm_curve_check_security(const char *security, char *const *endpoints,
                            struct gm_err *err) GM_MUST_CHECK;

#endif
