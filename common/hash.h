#ifndef GM_COMMON_HASH_H
#define GM_COMMON_HASH_H

#include "common/err.h"

#define GM_SHA256_SIZE 32

/* SHA-256 (FIPS 180-4), by libcrypto. */
struct gm_sha256;                         /* opaque */
struct gm_sha256 *gm_sha256_create(void); /* owned; NULL: out of memory */
void gm_sha256_update(struct gm_sha256 *h, const void *data, size_t size);
/* h may be used again: it restarts. */
void gm_sha256_final(struct gm_sha256 *h, uint8_t out[GM_SHA256_SIZE]);
void gm_sha256_destroy(struct gm_sha256 **h);
/* Aborts when memory has run out. */
void gm_sha256(const void *data, size_t size, uint8_t out[GM_SHA256_SIZE]);
/* Whole content of fd from offset 0 by pread; *out_size bytes were read. Errors: SYS. */
int gm_sha256_fd(int fd, uint8_t out[GM_SHA256_SIZE], uint64_t *out_size,
                 struct gm_err *err) GM_MUST_CHECK;
/* size bytes as lower-case hex into out[2 * size + 1]; returns out. */
char *gm_hex(const void *data, size_t size, char *out);

#endif
