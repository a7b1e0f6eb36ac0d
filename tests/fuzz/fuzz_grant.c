#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/buf.h"
#include "common/hash.h"
#include "storage/backend.h"
#include "tests/storage/sign.h"

/* Grants and store URLs. The bytes as they are; signed, as what follows a store's folder that is
 * not there; and as a path and a key that must come back out of their URLs. */

#define ROOT "file:///nonexistent/gopmill-fuzz"
static const struct gm_grant_key secret = {{1, 2, 3}};

static void open_grant(const char *url)
{
    struct gm_err err = {0};
    uint64_t size = 0;
    int fd = -1;
    GM_ASSERT(gm_grant_open(url, &secret, 1000, &fd, &size, &err) < 0 && err.text[0] != '\0');
    GM_ASSERT(fd == -1);
    GM_ASSERT(gm_grant_put(url, &secret, 1000, -1, NULL, &err) < 0 && err.text[0] != '\0');
}

static void open_signed(const char *text)
{
    struct gm_buf url = {0};
    uint8_t sig[GM_SHA256_SIZE];
    char hex[2 * GM_SHA256_SIZE + 1];
    unsigned size = 0;
    struct gm_err err = {0};
    gm_buf_str(&url, ROOT);
    gm_buf_str(&url, text);
    GM_ASSERT(gm_buf_check(&url, &err) == 0);
    GM_ASSERT(HMAC(EVP_sha256(), secret.bytes, (int)sizeof secret.bytes, url.data, url.size, sig,
                   &size) != NULL);
    gm_buf_printf(&url, "&sig=%s", gm_hex(sig, sizeof sig, hex));
    GM_ASSERT(gm_buf_check(&url, &err) == 0);
    open_grant((const char *)url.data);
    gm_buf_fini(&url);
}

static void turn_round(const char *text)
{
    struct gm_err err = {0};
    char *url = NULL, *path = NULL, *grant = NULL;
    if (gm_store_path(text, &path, &err) == 0) {
        GM_ASSERT(path[0] == '/');
        free(path);
        path = NULL;
    }
    if (gm_store_url(text, &url, &err) == 0) {
        GM_ASSERT(gm_store_path(url, &path, &err) == 0 && strcmp(path, text) == 0);
        free(path);
        free(url);
    }
    if (sign_read(ROOT, text, 2000, &secret, &grant, &err) == 0) {
        struct gm_err why = {0};
        uint64_t size = 0;
        int fd = -1;
        /* It is right in all but the folder, which is missing: nothing else may be said. */
        GM_ASSERT(gm_grant_open(grant, &secret, 1000, &fd, &size, &why) == -GM_E_STORE);
        GM_ASSERT(gm_grant_open(grant, &secret, 2000, &fd, &size, &why) == -GM_E_NODE_GRANT);
        open_grant(grant);
        free(grant);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    open_grant(text);
    open_signed(text);
    turn_round(text);
    free(text);
    return 0;
}
