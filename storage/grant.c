/* Grants of the directory backend:
 *   file:///root?key=K&op=get&exp=MS&sig=HEX
 *   file:///root?key=K&size=N&sha256=HEX&op=put&exp=MS&sig=HEX
 * root and K percent-encoded, sig = HMAC-SHA256 (RFC 2104) over all bytes before "&sig=". Nothing
 * of a grant is looked at before its signature is right.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/hash.h"
#include "common/id.h"
#include "common/number.h"
#include "storage/backend.h"

#define SIG_MARK "&sig="
#define SIG_DIGITS ((size_t)2 * GM_SHA256_SIZE)
#define MAX_URL ((size_t)32768) /* root and key, every byte escaped */

struct grant {
    char *root; /* owned */
    char *key;  /* owned */
    bool put;
    uint64_t size;
    uint8_t sha256[GM_SHA256_SIZE];
    int64_t expires_unix_ms;
};

static void grant_fini(struct grant *grant)
{
    free(grant->root);
    free(grant->key);
}

static int digit_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 64 lower-case hex digits to bytes. */
static bool read_hex(const char *text, uint8_t out[GM_SHA256_SIZE])
{
    for (size_t i = 0; i < GM_SHA256_SIZE; i++) {
        int high = digit_value(text[2 * i]);
        int low = high < 0 ? -1 : digit_value(text[2 * i + 1]);

        if (low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static int write_key(int fd, const char *path, struct gm_err *err)
{
    struct gm_grant_key key;
    char text[SIG_DIGITS + 1];
    int rc = gm_random(key.bytes, sizeof(key.bytes), err);

    if (rc == 0) {
        gm_hex(key.bytes, sizeof(key.bytes), text);
        text[SIG_DIGITS] = '\n';
        rc = gm_fs_write_all(fd, text, sizeof(text), err);
    }
    if (rc == 0 && fsync(fd) != 0) {
        rc = gm_err_sys(err, errno, "could not write %s", path);
    }
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(&key, sizeof(key));
    return rc;
}

int gm_grant_key_make(const char *path, bool *out_made, struct gm_err *err)
{
    int rc;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        if (errno != EEXIST) {
            return gm_err_sys(err, errno, "could not make %s", path);
        }
        *out_made = false;
        return 0;
    }
    rc = write_key(fd, path, err);
    if (close(fd) != 0 && rc == 0) {
        rc = gm_err_sys(err, errno, "could not write %s", path);
    }
    if (rc < 0) {
        unlink(path);
        return rc;
    }
    *out_made = true;
    return 0;
}

int gm_grant_key_load(const char *path, struct gm_grant_key *out, struct gm_err *err)
{
    struct gm_grant_key key = {{0}};
    uint8_t *text = NULL;
    size_t size;
    int rc = gm_fs_read(path, 4096, &text, &size, err);

    if (rc == -GM_E_SYS && err != NULL) {
        return gm_err_set(err, GM_E_SYS, err->native,
                          "the grant key %.120s can't be read: %s (the scheduler makes it at its "
                          "start, a node needs a copy that its user may read)",
                          path, strerror((int)err->native));
    }
    if (rc < 0) {
        return rc;
    }
    if (size < SIG_DIGITS || !read_hex((const char *)text, key.bytes) ||
        strspn((const char *)text + SIG_DIGITS, " \t\r\n") != size - SIG_DIGITS) {
        rc = gm_err_set(err, GM_E_CONFIG, 0,
                        "%.120s was no grant key: 64 lower-case hex digits were expected", path);
    } else {
        *out = key;
    }
    OPENSSL_cleanse(text, size);
    free(text);
    OPENSSL_cleanse(&key, sizeof(key));
    return rc;
}

/* A name right below the root, of any bytes. */
static bool is_plain_name(const char *key)
{
    return key[0] != '\0' && strchr(key, '/') == NULL && strcmp(key, ".") != 0 &&
           strcmp(key, "..") != 0;
}

static bool is_readable_key(const char *key)
{
    return gm_store_is_key(key) || is_plain_name(key);
}

/* "file:///root?key=K" in canonical form. */
static int begin(struct gm_buf *buf, const char *store_url, const char *key, struct gm_err *err)
{
    char *path = NULL;
    int rc = gm_store_path(store_url, &path, err);

    if (rc < 0) {
        return rc;
    }
    gm_buf_str(buf, "file://");
    gm_url_encode(buf, path);
    gm_buf_str(buf, "?key=");
    gm_url_encode(buf, key);
    free(path);
    return 0;
}

/* Ends and signs the URL, which moves to *out_url. */
static int finish(struct gm_buf *buf, const char *op, int64_t expires_unix_ms,
                  const struct gm_grant_signer *signer, char **out_url, struct gm_err *err)
{
    uint8_t sig[GM_SHA256_SIZE];
    char hex[SIG_DIGITS + 1];
    int rc;

    gm_buf_printf(buf, "&op=%s&exp=%" PRId64, op, expires_unix_ms);
    rc = gm_buf_check(buf, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_grant_sign(signer, (const char *)buf->data, buf->size, sig, err);
    if (rc < 0) {
        return rc;
    }
    gm_buf_printf(buf, SIG_MARK "%s", gm_hex(sig, sizeof(sig), hex));
    rc = gm_buf_check(buf, err);
    if (rc < 0) {
        return rc;
    }
    *out_url = (char *)buf->data;
    *buf = (struct gm_buf){0};
    return 0;
}

int gm_grant_read(const char *store_url, const char *key, int64_t expires_unix_ms,
                  const struct gm_grant_signer *signer, char **out_url, struct gm_err *err)
{
    struct gm_buf buf = {0};
    int rc;

    if (!is_readable_key(key) || expires_unix_ms < 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%.120s` could not be granted: no key, or no time",
                          key);
    }
    rc = begin(&buf, store_url, key, err);
    if (rc == 0) {
        rc = finish(&buf, "get", expires_unix_ms, signer, out_url, err);
    }
    gm_buf_fini(&buf);
    return rc;
}

int gm_grant_write(const char *store_url, const char *key, uint64_t size, const uint8_t sha256[32],
                   int64_t expires_unix_ms, const struct gm_grant_signer *signer, char **out_url,
                   struct gm_err *err)
{
    struct gm_buf buf = {0};
    char hex[SIG_DIGITS + 1];
    int rc;

    if (!gm_store_is_key(key) || expires_unix_ms < 0 || size > INT64_MAX) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%.120s` could not be granted: no key, size or time",
                          key);
    }
    rc = begin(&buf, store_url, key, err);
    if (rc == 0) {
        gm_buf_printf(&buf, "&size=%" PRIu64 "&sha256=%s", size,
                      gm_hex(sha256, GM_SHA256_SIZE, hex));
        rc = finish(&buf, "put", expires_unix_ms, signer, out_url, err);
    }
    gm_buf_fini(&buf);
    return rc;
}

static int refuse(struct gm_err *err, const char *why)
{
    return gm_err_set(err, GM_E_NODE_GRANT, 0, "a grant was refused: %s", why);
}

/* The bytes of "name" + value up to the next '&' or the end; moves *at behind it and its '&'. */
static bool take_field(const char **at, const char *end, const char *name, const char **out,
                       size_t *out_size)
{
    size_t name_size = strlen(name);
    const char *stop;

    if ((size_t)(end - *at) < name_size || memcmp(*at, name, name_size) != 0) {
        return false;
    }
    *out = *at + name_size;
    stop = memchr(*out, '&', (size_t)(end - *out));
    stop = stop == NULL ? end : stop;
    *out_size = (size_t)(stop - *out);
    *at = stop < end ? stop + 1 : end;
    return true;
}

static bool take_number(const char **at, const char *end, const char *name, int64_t *out)
{
    const char *value;
    size_t size;
    char text[24];

    if (!take_field(at, end, name, &value, &size) || size >= sizeof(text)) {
        return false;
    }
    memcpy(text, value, size);
    text[size] = '\0';
    return gm_number_int(text, out) && *out >= 0;
}

/* The signed text [url, end), which is our own work if the signature was right. */
static bool parse_fields(const char *at, const char *end, struct grant *grant, char **out_key,
                         struct gm_err *err)
{
    const char *value;
    const char *key;
    size_t key_size;
    size_t size;
    int64_t number;

    if (!take_field(&at, end, "key=", &key, &key_size)) {
        return false;
    }
    if (end - at > 5 && memcmp(at, "size=", 5) == 0) {
        grant->put = true;
        if (!take_number(&at, end, "size=", &number) ||
            !take_field(&at, end, "sha256=", &value, &size) || size != SIG_DIGITS ||
            !read_hex(value, grant->sha256)) {
            return false;
        }
        grant->size = (uint64_t)number;
    }
    if (!take_field(&at, end, "op=", &value, &size) || size != 3 ||
        memcmp(value, grant->put ? "put" : "get", 3) != 0 ||
        !take_number(&at, end, "exp=", &grant->expires_unix_ms) || at != end) {
        return false;
    }
    return gm_url_decode(key, key_size, out_key, err) == 0;
}

static int sign_once(const struct gm_grant_key *secret, const char *text, size_t size,
                     uint8_t out[GM_SHA256_SIZE], struct gm_err *err)
{
    struct gm_grant_signer *signer = NULL;
    int rc = gm_grant_signer_create(secret, &signer, err);

    if (rc == 0) {
        rc = gm_grant_sign(signer, text, size, out, err);
    }
    gm_grant_signer_destroy(&signer);
    return rc;
}

/* Checks signature, time and operation. */
static int grant_parse(const char *url, const struct gm_grant_key *secret, int64_t now_unix_ms,
                       bool put, struct grant *out, struct gm_err *err)
{
    size_t length = strnlen(url, MAX_URL + 1);
    uint8_t sig[GM_SHA256_SIZE];
    uint8_t want[GM_SHA256_SIZE];
    struct grant grant = {0};
    const char *query;
    const char *end;
    char *root_url;
    int rc;

    if (length > MAX_URL || length < strlen(SIG_MARK) + SIG_DIGITS) {
        return refuse(err, "it is no grant");
    }
    end = url + length - SIG_DIGITS - strlen(SIG_MARK);
    if (memcmp(end, SIG_MARK, strlen(SIG_MARK)) != 0 || !read_hex(end + strlen(SIG_MARK), sig)) {
        return refuse(err, "it is no grant");
    }
    rc = sign_once(secret, url, (size_t)(end - url), want, err);
    if (rc < 0) {
        return rc;
    }
    if (CRYPTO_memcmp(sig, want, sizeof(sig)) != 0) {
        return refuse(err, "its signature is not ours (do all machines have the same grant key?)");
    }
    query = memchr(url, '?', (size_t)(end - url));
    if (query == NULL || !parse_fields(query + 1, end, &grant, &grant.key, err)) {
        rc = refuse(err, "its fields are not those of a grant");
        goto fail;
    }
    if (grant.put != put) {
        rc = refuse(err, put ? "it is for reading" : "it is for writing");
        goto fail;
    }
    if (now_unix_ms >= grant.expires_unix_ms) {
        rc = gm_err_set(err, GM_E_NODE_GRANT, ETIME,
                        "a grant was refused: its time was over %" PRId64 " s ago",
                        (now_unix_ms - grant.expires_unix_ms) / 1000);
        goto fail;
    }
    root_url = strndup(url, (size_t)(query - url));
    if (root_url == NULL) {
        rc = gm_err_nomem(err);
        goto fail;
    }
    rc = gm_store_path(root_url, &grant.root, err);
    free(root_url);
    if (rc < 0) {
        goto fail;
    }
    *out = grant;
    return 0;
fail:
    grant_fini(&grant);
    return rc;
}

static int open_root(const char *root, struct gm_store **out, struct gm_err *err)
{
    int rc = gm_dir_open(root, false, out, err);

    if (rc == -GM_E_NOTFOUND) {
        rc = gm_err_set(err, GM_E_STORE, ENOENT,
                        "the store's folder %.150s is missing on this machine", root);
    }
    return rc;
}

int gm_grant_open(const char *url, const struct gm_grant_key *secret, int64_t now_unix_ms,
                  int *out_fd, uint64_t *out_size, struct gm_err *err)
{
    struct grant grant;
    struct gm_store *store = NULL;
    int rc = grant_parse(url, secret, now_unix_ms, false, &grant, err);

    if (rc < 0) {
        return rc;
    }
    if (!is_readable_key(grant.key)) {
        rc = refuse(err, "its key is none");
        goto out;
    }
    rc = open_root(grant.root, &store, err);
    if (rc < 0) {
        goto out;
    }
    rc = gm_dir_open_object(((const struct gm_dir_store *)store)->root, grant.key, out_fd, out_size,
                            err);
out:
    gm_store_close(&store);
    grant_fini(&grant);
    return rc;
}

int gm_grant_put(const char *url, const struct gm_grant_key *secret, int64_t now_unix_ms, int fd,
                 const struct gm_put_guard *guard, struct gm_err *err)
{
    struct grant grant;
    struct gm_store *store = NULL;
    struct gm_store_put put = {.fd = fd, .guard = guard};
    int rc = grant_parse(url, secret, now_unix_ms, true, &grant, err);

    if (rc < 0) {
        return rc;
    }
    rc = open_root(grant.root, &store, err);
    if (rc < 0) {
        goto out;
    }
    put.key = grant.key;
    put.size = grant.size;
    put.sha256 = grant.sha256;
    rc = gm_store_put(store, &put, err);
out:
    gm_store_close(&store);
    grant_fini(&grant);
    return rc;
}
