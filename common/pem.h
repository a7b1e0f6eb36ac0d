#ifndef GM_COMMON_PEM_H
#define GM_COMMON_PEM_H

#include "common/err.h"

/* A server's certificate and its key, as PEM text. Thread: any. */
struct gm_pem {
    char *cert; /* owned; the server's first, then those that signed it */
    char *key;  /* owned; secret */
};

/* Errors: CONFIG (one of them does not read, the key is encrypted or not that certificate's, or
 * others than its owner may read the key's file), SYS, LIMIT, NOMEM; out stays as it was. */
int gm_pem_load(const char *cert_path, const char *key_path, struct gm_pem *out,
                struct gm_err *err) GM_MUST_CHECK;
void gm_pem_fini(struct gm_pem *pem); /* the key is wiped */

#endif
