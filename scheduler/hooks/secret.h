#ifndef GM_SCHEDULER_HOOKS_SECRET_H
#define GM_SCHEDULER_HOOKS_SECRET_H

#include <stdio.h>

#include "common/buf.h"

/* Secrets that webhooks are signed with, as Standard Webhooks 1.0.0 has it: files of lines
 * "whsec_" and base64 of 24 to 64 bytes; lines that begin with '#', and empty ones, are passed
 * over. With several each of them signs, while a receiver changes from one to another. A secret is
 * never logged. What jobs' webhooks are told is signed by secrets of their tenant's own, made of
 * the farm's: who can check them can't make those of another tenant. Thread: any. */
#define GM_HOOK_SECRETS 4
#define GM_HOOK_TENANT 256 /* bytes of a tenant's name that count */
#define GM_HOOK_SECRET_BYTES 64

struct gm_hook_secrets {
    uint8_t keys[GM_HOOK_SECRETS][GM_HOOK_SECRET_BYTES];
    size_t sizes[GM_HOOK_SECRETS];
    size_t count;
};

/* Errors: CONFIG (none is in it, or one that is none; others than its owner may read it), SYS,
 * LIMIT, NOMEM. */
int gm_hook_secrets_load(const char *path, struct gm_hook_secrets *out,
                         struct gm_err *err) GM_MUST_CHECK;
/* The tenant's: HMAC-SHA256 with each of the farm's over "gopmill webhook", a byte 0 and its name.
 */
void gm_hook_secrets_of(const struct gm_hook_secrets *farm, const char *tenant,
                        struct gm_hook_secrets *out);
/* As lines of a file: for an operator who hands them to the tenant. */
void gm_hook_secrets_print(const struct gm_hook_secrets *secrets, FILE *out);
void gm_hook_secrets_wipe(struct gm_hook_secrets *secrets);
/* Appends "v1,<base64> v1,<base64>": of each secret HMAC-SHA256 of "id.timestamp.body". */
void gm_hook_sign(const struct gm_hook_secrets *secrets, const char *id, int64_t unix_s,
                  const void *body, size_t size, struct gm_buf *out);

#endif
