#ifndef GM_SCHEDULER_HTTP_IDEMPOTENCY_H
#define GM_SCHEDULER_HTTP_IDEMPOTENCY_H

#include <jansson.h>
#include <microhttpd.h>

#include "scheduler/core/core.h"

/* The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07, ADR-0069): a client
 * that got no answer sends its request again, and gets what the first one made. Each tenant has
 * keys of its own. */
#define GM_IDEMPOTENCY_HEADER "Idempotency-Key"
#define GM_IDEMPOTENCY_BYTES 255

/* Of a header's value the key: a string of RFC 8941 ("..."), or as most clients send it, without
 * quotes: visible ASCII but `"`, `,`, `;` and `\`. out: untouched on failure. Thread: any. Errors:
 * INVAL. */
int gm_idempotency_parse(const char *value, char out[GM_IDEMPOTENCY_BYTES + 1],
                         struct gm_err *err) GM_MUST_CHECK;
/* That of a request; "": it has none. Errors: INVAL, also of several headers. */
int gm_idempotency_read(struct MHD_Connection *connection, char out[GM_IDEMPOTENCY_BYTES + 1],
                        struct gm_err *err) GM_MUST_CHECK;

struct gm_idempotency {        /* SHA-256 */
    uint8_t key[GM_CORE_HASH]; /* of tenant and key */
    /* of path and body: two that differ in white space or in the order of members alone are one */
    uint8_t request[GM_CORE_HASH];
};
/* Thread: any. Errors: NOMEM. */
int gm_idempotency_hash(const char *tenant, const char *key, const char *path, const json_t *body,
                        struct gm_idempotency *out, struct gm_err *err) GM_MUST_CHECK;

/* That of `:retry`, all or what failed. */
int gm_idempotency_hash_retry(const char *tenant, const char *key, const char *path, bool all,
                              struct gm_idempotency *out, struct gm_err *err) GM_MUST_CHECK;

/* Requests that are being taken: from when it is known that there is no job of their key until
 * there is one on disk, or none. Thread: one. */
struct gm_taking {
    struct gm_taking *next;
    const struct gm_idempotency *of; /* borrowed; NULL: not in a list */
};
/* NULL: a new one; else the job that was made of it, borrowed until the next step. Errors:
 * KEY_BUSY, KEY_REUSED. */
int gm_idempotency_find(const struct gm_taking *list, const struct gm_core *core,
                        const struct gm_idempotency *of, const char **out_job,
                        struct gm_err *err) GM_MUST_CHECK;
void gm_taking_add(struct gm_taking **list, struct gm_taking *taking,
                   const struct gm_idempotency *of);
/* One that is in no list is fine. */
void gm_taking_drop(struct gm_taking **list, struct gm_taking *taking);

#endif
