#include "common/hash.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define PIECE ((size_t)1 << 20)

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

struct two_hashes {
    EVP_MD_CTX *sha256, *md5; /* owned; md5 NULL: not wanted */
    uint8_t *piece;           /* owned */
};

static void two_fini(struct two_hashes *two)
{
    EVP_MD_CTX_free(two->sha256);
    EVP_MD_CTX_free(two->md5);
    free(two->piece);
}

static int two_init(struct two_hashes *two, bool md5, struct gm_err *err)
{
    two->sha256 = EVP_MD_CTX_new();
    two->md5 = md5 ? EVP_MD_CTX_new() : NULL;
    two->piece = malloc(PIECE);
    if (two->sha256 == NULL || two->piece == NULL || (md5 && two->md5 == NULL) ||
        EVP_DigestInit_ex(two->sha256, EVP_sha256(), NULL) != 1) {
        return gm_err_nomem(err);
    }
    if (md5 && EVP_DigestInit_ex(two->md5, EVP_md5(), NULL) != 1) {
        return gm_err_set(err, GM_E_INVAL, 0, "libcrypto has no MD5, which the store asks for");
    }
    return 0;
}

static int two_read(struct two_hashes *two, int fd, uint64_t at, uint64_t left, size_t *out,
                    struct gm_err *err)
{
    ssize_t n;

    do {
        n = pread(fd, two->piece, left < PIECE ? (size_t)left : PIECE, (off_t)at);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return gm_err_sys(err, errno, "reading a file to hash it failed");
    }
    if (n == 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "a file to be hashed was shorter than was said");
    }
    if (EVP_DigestUpdate(two->sha256, two->piece, (size_t)n) != 1 ||
        (two->md5 != NULL && EVP_DigestUpdate(two->md5, two->piece, (size_t)n) != 1)) {
        return gm_err_nomem(err);
    }
    *out = (size_t)n;
    return 0;
}

int gm_hash_part(int fd, uint64_t offset, uint64_t size, uint8_t out_sha256[GM_SHA256_SIZE],
                 uint8_t *out_md5, struct gm_sha256 *whole, void (*moved)(void *arg), void *arg,
                 struct gm_err *err)
{
    struct two_hashes two = {NULL, NULL, NULL};
    int rc = two_init(&two, out_md5 != NULL, err);
    uint64_t done = 0;

    while (rc == 0 && done < size) {
        size_t n = 0;

        rc = two_read(&two, fd, offset + done, size - done, &n, err);
        done += n;
        if (whole != NULL) {
            gm_sha256_update(whole, two.piece, n);
        }
        if (moved != NULL) {
            moved(arg);
        }
    }
    if (rc == 0 && (EVP_DigestFinal_ex(two.sha256, out_sha256, NULL) != 1 ||
                    (out_md5 != NULL && EVP_DigestFinal_ex(two.md5, out_md5, NULL) != 1))) {
        rc = gm_err_nomem(err);
    }
    two_fini(&two);
    return rc;
}

char *gm_md5_base64(const uint8_t md5[GM_MD5_SIZE], char out[GM_MD5_BASE64])
{
    int size = EVP_EncodeBlock((unsigned char *)out, md5, GM_MD5_SIZE);

    GM_ASSERT(size == GM_MD5_BASE64 - 1);
    return out;
}

void gm_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                    uint8_t out[GM_SHA256_SIZE])
{
    unsigned out_size = 0;
    const uint8_t *mac = HMAC(EVP_sha256(), key, (int)key_size, data, size, out, &out_size);

    GM_ASSERT(mac != NULL && out_size == GM_SHA256_SIZE);
}

char *gm_base64(const void *data, size_t size, char *out)
{
    int written = EVP_EncodeBlock((unsigned char *)out, data, (int)size);

    GM_ASSERT((size_t)written == GM_BASE64_SIZE(size) - 1);
    return out;
}

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* Four characters each; of the last ones `=` stands for bytes that are not there, and bits that
 * belong to none are 0. */
long gm_base64_decode(const char *text, void *out, size_t most)
{
    uint8_t *to = out;
    size_t length = strlen(text), size = 0;

    if (length % 4 != 0) {
        return -1;
    }
    for (size_t i = 0; i < length; i += 4) {
        bool last = i + 4 == length;
        size_t pads = !last || text[i + 3] != '=' ? 0 : text[i + 2] == '=' ? 2 : 1;
        uint32_t bits = 0;

        for (size_t k = 0; k < 4 - pads; k++) {
            int value = base64_value(text[i + k]);

            if (value < 0) {
                return -1;
            }
            bits |= (uint32_t)value << (18 - 6 * k);
        }
        if ((bits & ((1u << (8 * pads)) - 1)) != 0 || size + 3 - pads > most) {
            return -1;
        }
        for (size_t k = 0; k < 3 - pads; k++) {
            to[size++] = (uint8_t)(bits >> (16 - 8 * k));
        }
    }
    return (long)size;
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
