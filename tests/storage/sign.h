#ifndef GM_TESTS_STORAGE_SIGN_H
#define GM_TESTS_STORAGE_SIGN_H

#include "storage/store.h"

/* gm_grant_read and gm_grant_write with a signer of their own. */
static inline int sign_read(const char *store_url, const char *key, int64_t expires_unix_ms,
                            const struct gm_grant_key *secret, char **out_url, struct gm_err *err)
{
    struct gm_grant_signer *signer = NULL;
    int rc = gm_grant_signer_create(secret, &signer, err);
    if (rc == 0) {
        rc = gm_grant_read(store_url, key, expires_unix_ms, signer, out_url, err);
    }
    gm_grant_signer_destroy(&signer);
    return rc;
}

static inline int sign_write(const char *store_url, const char *key, uint64_t size,
                             const uint8_t sha256[32], int64_t expires_unix_ms,
                             const struct gm_grant_key *secret, char **out_url, struct gm_err *err)
{
    struct gm_grant_signer *signer = NULL;
    int rc = gm_grant_signer_create(secret, &signer, err);
    if (rc == 0) {
        rc = gm_grant_write(store_url, key, size, sha256, expires_unix_ms, signer, out_url, err);
    }
    gm_grant_signer_destroy(&signer);
    return rc;
}

#endif
