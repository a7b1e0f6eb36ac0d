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
#define GM_MD5_SIZE 16
#define GM_MD5_BASE64 25 /* 24 characters and NUL */

/* size bytes of fd from offset on, by pread, in 1 MiB pieces: their SHA-256 and, where out_md5 is
 * not NULL, their MD5 (RFC 1321), which S3's Content-MD5 wants and nothing of ours rests on. whole,
 * which may be NULL, takes the same bytes. moved, which may be NULL, is called after each piece.
 * Errors: SYS; INVAL: there are fewer bytes, or libcrypto has no MD5 (FIPS mode); NOMEM. */
int gm_hash_part(int fd, uint64_t offset, uint64_t size, uint8_t out_sha256[GM_SHA256_SIZE],
                 uint8_t *out_md5, struct gm_sha256 *whole, void (*moved)(void *arg), void *arg,
                 struct gm_err *err) GM_MUST_CHECK;
/* An MD5 as Content-MD5 has it (RFC 4648 section 4); returns out. */
char *gm_md5_base64(const uint8_t md5[GM_MD5_SIZE], char out[GM_MD5_BASE64]);

/* HMAC-SHA256 (RFC 2104). Aborts when memory has run out. */
void gm_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                    uint8_t out[GM_SHA256_SIZE]);
/* RFC 4648 section 4, padded. */
#define GM_BASE64_SIZE(size) (((size) + 2) / 3 * 4 + 1)
char *gm_base64(const void *data, size_t size, char *out);
/* Its inverse, strictly: the bytes, or -1 where text is not that or there are more than `most`. */
long gm_base64_decode(const char *text, void *out, size_t most);

/* size bytes as lower-case hex into out[2 * size + 1]; returns out. */
char *gm_hex(const void *data, size_t size, char *out);

#endif
