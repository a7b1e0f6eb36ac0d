#include "common/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>

struct gm_sha256 {
    EVP_MD_CTX *ctx; /* owned */
};

struct gm_sha256 *gm_sha256_create(void)
{
    struct gm_sha256 *h = calloc(1, sizeof(*h));

    if (h == NULL) {
        return NULL;
    }
    h->ctx = EVP_MD_CTX_new();
    if (h->ctx == NULL || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1) {
        gm_sha256_destroy(&h);
    }
    return h;
}

void gm_sha256_update(struct gm_sha256 *h, const void *data, size_t size)
{
    int ok = EVP_DigestUpdate(h->ctx, data, size);

    GM_ASSERT(ok == 1);
}

void gm_sha256_final(struct gm_sha256 *h, uint8_t out[GM_SHA256_SIZE])
{
    unsigned size = 0;
    int ok = EVP_DigestFinal_ex(h->ctx, out, &size);

    GM_ASSERT(ok == 1 && size == GM_SHA256_SIZE);
    ok = EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL);
    GM_ASSERT(ok == 1);
}

void gm_sha256_destroy(struct gm_sha256 **h)
{
    if (*h != NULL) {
        EVP_MD_CTX_free((*h)->ctx);
        free(*h);
        *h = NULL;
    }
}

void gm_sha256(const void *data, size_t size, uint8_t out[GM_SHA256_SIZE])
{
    unsigned out_size = 0;
    int ok = EVP_Digest(data, size, out, &out_size, EVP_sha256(), NULL);

    GM_ASSERT(ok == 1 && out_size == GM_SHA256_SIZE);
}

int gm_sha256_fd(int fd, uint8_t out[GM_SHA256_SIZE], uint64_t *out_size, struct gm_err *err)
{
    struct gm_sha256 *h = gm_sha256_create();
    uint8_t part[65536];
    uint64_t at = 0;
    int rc = 0;

    if (h == NULL) {
        return gm_err_nomem(err);
    }
    for (;;) {
        ssize_t n = pread(fd, part, sizeof(part), (off_t)at);

        if (n == 0) {
            break;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = gm_err_sys(err, errno, "reading a file to hash it failed");
            goto out;
        }
        gm_sha256_update(h, part, (size_t)n);
        at += (uint64_t)n;
    }
    gm_sha256_final(h, out);
    *out_size = at;
out:
    gm_sha256_destroy(&h);
    return rc;
}

char *gm_hex(const void *data, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * size] = '\0';
    return out;
}
