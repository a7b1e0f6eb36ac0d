/* What all backends share: keys, URLs, and the way into a backend's table. */
#include "storage/store.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "storage/backend.h"

#define MAX_KEY 1024
#define SCHEME "file://"

static bool is_plain_byte(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_key_byte(unsigned char c)
{
    return is_plain_byte(c) || c > 0x7F || (c != '\0' && strchr("._/ +@=,()-", c) != NULL);
}

bool gm_store_is_key(const char *key)
{
    const char *part = key;
    size_t length = strnlen(key, MAX_KEY + 1);

    if (length == 0 || length > MAX_KEY ||
        strncmp(key, GM_DIR_TEMP_PREFIX, strlen(GM_DIR_TEMP_PREFIX)) == 0 ||
        strncmp(key, GM_STORE_MARK, strlen(GM_STORE_MARK)) == 0) {
        return false;
    }
    for (;;) {
        size_t n = strcspn(part, "/");

        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.')) {
            return false;
        }
        for (size_t i = 0; i < n; i++) {
            if (!is_key_byte((unsigned char)part[i])) {
                return false;
            }
        }
        if (part[n] == '\0') {
            return true;
        }
        part += n + 1;
    }
}

static bool is_url_byte(unsigned char c)
{
    return is_plain_byte(c) || (c != '\0' && strchr("-._~/", c) != NULL);
}

static void url_encode(struct gm_buf *buf, const char *s, bool slash)
{
    static const char digits[] = "0123456789ABCDEF";

    while (*s != '\0') {
        size_t n = 0;

        while (is_url_byte((unsigned char)s[n]) && (slash || s[n] != '/')) {
            n++;
        }
        gm_buf_add(buf, s, n);
        s += n;
        if (*s != '\0') {
            unsigned char c = (unsigned char)*s++;
            const char escape[] = {'%', digits[c >> 4], digits[c & 15]};

            gm_buf_add(buf, escape, sizeof(escape));
        }
    }
}

void gm_url_encode(struct gm_buf *buf, const char *s)
{
    url_encode(buf, s, true);
}

void gm_url_encode_all(struct gm_buf *buf, const char *s)
{
    url_encode(buf, s, false);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int gm_url_decode(const char *s, size_t size, char **out, struct gm_err *err)
{
    char *text = malloc(size + 1);
    size_t n = 0;

    if (text == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < size; i++) {
        char c = s[i];

        if (c == '%') {
            int high = i + 2 < size ? hex_digit(s[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(s[i + 2]) : -1;

            if (low < 0) {
                free(text);
                return gm_err_set(err, GM_E_INVAL, 0, "a URL had a '%%' without two hex digits");
            }
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0') {
            free(text);
            return gm_err_set(err, GM_E_INVAL, 0, "a URL held a zero byte");
        }
        text[n++] = c;
    }
    text[n] = '\0';
    *out = text;
    return 0;
}

int gm_store_url(const char *path, char **out_url, struct gm_err *err)
{
    struct gm_buf buf = {0};
    int rc;

    if (path[0] != '/') {
        return gm_err_set(err, GM_E_INVAL, 0, "the path `%.120s` was not absolute", path);
    }
    gm_buf_str(&buf, SCHEME);
    gm_url_encode(&buf, path);
    rc = gm_buf_check(&buf, err);
    if (rc < 0) {
        gm_buf_fini(&buf);
        return rc;
    }
    *out_url = (char *)buf.data;
    return 0;
}

int gm_store_path(const char *url, char **out_path, struct gm_err *err)
{
    const char *path = url + strlen(SCHEME);

    if (strncmp(url, SCHEME "/", strlen(SCHEME) + 1) != 0) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "`%.*s` was not a store: file:///absolute/folder was expected",
                          (int)strcspn(url, "?"), url);
    }
    if (strpbrk(path, "?#") != NULL) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "a store's URL had a bare '?' or '#' (write %%3F, %%23)");
    }
    return gm_url_decode(path, strlen(path), out_path, err);
}

int gm_store_open(const char *url, bool create, struct gm_store **out, struct gm_err *err)
{
    char *path = NULL;
    int rc = gm_store_path(url, &path, err);

    if (rc < 0) {
        return rc;
    }
    rc = gm_dir_open(path, create, out, err);
    free(path);
    return rc;
}

void gm_store_close(struct gm_store **store)
{
    if (*store != NULL) {
        (*store)->ops->close(*store);
        *store = NULL;
    }
}

static int check_key(const char *key, struct gm_err *err)
{
    return gm_store_is_key(key)
               ? 0
               : gm_err_set(err, GM_E_INVAL, 0, "`%.120s` was no key of a store", key);
}

int gm_store_put(struct gm_store *store, const struct gm_store_put *put, struct gm_err *err)
{
    int rc = check_key(put->key, err);

    return rc < 0 ? rc : store->ops->put(store, put, NULL, err);
}

int gm_store_put_bytes(struct gm_store *store, const char *key, const void *data, size_t size,
                       struct gm_err *err)
{
    const struct gm_store_put put = {.key = key, .fd = -1, .size = size};
    int rc = check_key(key, err);

    return rc < 0 ? rc : store->ops->put(store, &put, size == 0 ? "" : data, err);
}

int gm_store_get(struct gm_store *store, const char *key, uint64_t offset, void *out, size_t length,
                 size_t *out_read, struct gm_err *err)
{
    int rc = check_key(key, err);

    if (rc == 0 && offset > INT64_MAX - length) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "a range began or ended beyond any object");
    }
    return rc < 0 ? rc : store->ops->get(store, key, offset, out, length, out_read, err);
}

int gm_store_head(struct gm_store *store, const char *key, struct gm_store_stat *out,
                  struct gm_err *err)
{
    int rc = check_key(key, err);

    return rc < 0 ? rc : store->ops->head(store, key, out, err);
}

int gm_store_list(struct gm_store *store, const char *prefix,
                  int (*fn)(const char *key, uint64_t size, void *arg), void *arg,
                  struct gm_err *err)
{
    char text[MAX_KEY + 1];
    size_t length = strnlen(prefix, MAX_KEY);

    /* "a/b/" is the key "a/b" and a slash; nothing else may be wrong with it */
    memcpy(text, prefix, length);
    text[length] = '\0';
    if (length > 0 && text[length - 1] == '/') {
        text[length - 1] = '\0';
    }
    if (length > 0 && (prefix[length] != '\0' || !gm_store_is_key(text))) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%.120s` was no prefix of a key", prefix);
    }
    return store->ops->list(store, prefix, fn, arg, err);
}

int gm_store_delete_many(struct gm_store *store, const char *const *keys, size_t count,
                         size_t *out_done, struct gm_err *err)
{
    size_t good = 0;
    int bad = 0;
    int rc;

    while (good < count && (bad = check_key(keys[good], err)) == 0) {
        good++;
    }
    rc = store->ops->delete (store, keys, good, out_done, err);
    return rc < 0 ? rc : bad;
}

int gm_store_delete(struct gm_store *store, const char *key, struct gm_err *err)
{
    size_t done = 0;

    return gm_store_delete_many(store, &key, 1, &done, err);
}
