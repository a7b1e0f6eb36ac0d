#ifndef GM_COMMON_TOKENS_H
#define GM_COMMON_TOKENS_H

#include "common/hash.h"

/* Bearer tokens of the HTTP API (RFC 6750), and the file that says what each may do. A token is
 * "gopmill_" and 256 random bits in base64url (RFC 4648 section 5, without padding); the file has
 * its SHA-256 alone, a line each:
 *
 *   ID ROLE TENANT SHA256 [UNTIL]
 *
 * ID: [a-z0-9-]{1,64}, once in a file. ROLE: submit, operate or admin. TENANT: a tenant's name, or
 * `*`, all of them, as operate and admin always have. SHA256: 64 lower-case hex digits. UNTIL: the
 * token is refused from then on: 2026-01-31T12:00:00Z. Lines that begin with '#' are comments. A
 * token is never printed but once, and never logged. Thread: any.
 */
#define GM_TOKEN_SIZE 52    /* a token and its NUL */
#define GM_TOKEN_ID 65      /* with its NUL */
#define GM_TOKEN_TENANT 65  /* with its NUL */
#define GM_TOKENS_MAX 10000 /* rows */

/* Each may do what those before it may. */
enum gm_token_role {
    GM_TOKEN_NOBODY,
    GM_TOKEN_SUBMIT,
    GM_TOKEN_OPERATE,
    GM_TOKEN_ADMIN,
    GM_TOKEN_ROLES
};

struct gm_token {
    char id[GM_TOKEN_ID];
    enum gm_token_role role;
    char tenant[GM_TOKEN_TENANT]; /* "": all */
    uint8_t sha256[GM_SHA256_SIZE];
    int64_t until_unix_ms; /* INT64_MAX: for ever */
};

struct gm_tokens {
    struct gm_token *rows; /* owned; as they stand in the file */
    size_t count, cap;
};

const char *gm_token_role_name(enum gm_token_role role); /* "submit" ... */
/* GM_TOKEN_NOBODY: none of them. */
enum gm_token_role gm_token_role_find(const char *name);
bool gm_token_is_id(const char *text);
/* 1..64 letters, digits, '_', '-' and '.', a letter or digit first: as scheduler/core has it. */
bool gm_token_is_tenant(const char *text);

/* A new one. Errors: SYS. */
int gm_token_make(char out[GM_TOKEN_SIZE], struct gm_err *err) GM_MUST_CHECK;
/* Whether text has a token's form. */
bool gm_token_is(const char *text);
/* A client's file: one token, with nothing else in it but blanks and line ends. Errors: CONFIG
 * (others than its owner may read it; no token in it), SYS, NOMEM. The text names no byte of it. */
int gm_token_read(const char *path, char out[GM_TOKEN_SIZE], struct gm_err *err) GM_MUST_CHECK;

/* size bytes as a list; name: what messages call it. out: zeroed. Pure. Errors: CONFIG (with the
 * line), LIMIT, NOMEM; out stays as it was. */
int gm_tokens_parse(const char *name, const char *text, size_t size, struct gm_tokens *out,
                    struct gm_err *err) GM_MUST_CHECK;
/* The same of a file. Errors: also CONFIG: others than its owner may read it; SYS. */
int gm_tokens_load(const char *path, struct gm_tokens *out, struct gm_err *err) GM_MUST_CHECK;
void gm_tokens_fini(struct gm_tokens *tokens);
/* Borrowed until the list changes; NULL: none of them is that token. Whose time is over is found,
 * too. Takes as long whatever the token is. */
const struct gm_token *gm_tokens_find(const struct gm_tokens *tokens, const char *token);
/* A row as a line of the file, with its end. */
void gm_token_line(const struct gm_token *row, char out[256]);

#endif
