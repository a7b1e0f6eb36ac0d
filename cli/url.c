#include "cli/url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/id.h"
#include "storage/store.h"

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

static void add_escaped(struct gm_buf *buf, unsigned char c)
{
    if (is_unreserved(c)) {
        gm_buf_u8(buf, c);
    } else {
        gm_buf_printf(buf, "%%%02X", c);
    }
}

static int take_text(struct gm_buf *buf, char **out, struct gm_err *err)
{
    gm_buf_u8(buf, '\0');
    int rc = gm_buf_check(buf, err);
    if (rc < 0) {
        gm_buf_fini(buf);
        return rc;
    }
    *out = (char *)buf->data;
    return 0;
}

/* Adds the parts of a path, each with a '/' before it; "." and empty ones are left out. */
static void add_path(struct gm_buf *buf, const char *path)
{
    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        if (length > 0 && !(length == 1 && path[0] == '.')) {
            gm_buf_u8(buf, '/');
            gm_buf_add(buf, path, length);
        }
        path += length + (path[length] == '/' ? 1 : 0);
    }
}

/* "s3://..." and the like (RFC 3986 section 3.1); "./s3://..." is a path. */
static bool has_scheme(const char *text)
{
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.-");
    return n > 1 && text[0] != '.' && strncmp(text + n, "://", 3) == 0;
}

bool gm_url_is_remote(const char *text)
{
    static const char *const schemes[] = {"s3://", "https://", "http://"};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0) {
            return true;
        }
    }
    return gm_url_is_upload(text);
}

bool gm_url_is_upload(const char *text)
{
    return strncmp(text, "upload:", 7) == 0 && gm_id_is(text + 7);
}

int gm_url_from_path(const char *path, char **out, struct gm_err *err)
{
    struct gm_buf buf = {0};
    if (path[0] == '\0') {
        return gm_err_set(err, GM_E_INVAL, 0, "the path is empty");
    }
    if (strncmp(path, "file://", 7) == 0 || gm_url_is_remote(path)) {
        gm_buf_str(&buf, path);
        return take_text(&buf, out, err);
    }
    if (strncmp(path, "file:/", 6) == 0) { /* RFC 8089: the empty host may be left out */
        gm_buf_str(&buf, "file://");
        gm_buf_str(&buf, path + strlen("file:"));
        return take_text(&buf, out, err);
    }
    if (strncmp(path, "file:", 5) == 0) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "`%.120s`: a file URL has the whole path, file:///folder/name; a file "
                          "of this name is ./%.60s",
                          path, path);
    }
    if (has_scheme(path)) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "`%.120s`: what is taken are paths and URLs of file, s3, https and http",
                          path);
    }
    if (path[0] != '/') {
        char *cwd = getcwd(NULL, 0);
        if (cwd == NULL) {
            gm_buf_fini(&buf);
            return gm_err_sys(err, errno, "could not tell the current folder");
        }
        add_path(&buf, cwd);
        free(cwd);
    }
    add_path(&buf, path);
    if (buf.size == 0) {
        gm_buf_u8(&buf, '/');
    }
    int rc = gm_buf_check(&buf, err);
    if (rc == 0) {
        rc = gm_store_url((const char *)buf.data, out, err);
    }
    gm_buf_fini(&buf);
    return rc;
}

int gm_url_escape(const char *text, char **out, struct gm_err *err)
{
    struct gm_buf buf = {0};
    for (; *text != '\0'; text++) {
        add_escaped(&buf, (unsigned char)*text);
    }
    return take_text(&buf, out, err);
}

int gm_base64_encode(const void *data, size_t size, char **out, struct gm_err *err)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = data;
    char *text = malloc((size + 2) / 3 * 4 + 1);
    size_t n = 0;
    if (text == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)in[i] << 16;
        bits |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)in[i + 2] : 0;
        text[n++] = digits[bits >> 18];
        text[n++] = digits[bits >> 12 & 63];
        text[n++] = left > 1 ? digits[bits >> 6 & 63] : '=';
        text[n++] = left > 2 ? digits[bits & 63] : '=';
    }
    text[n] = '\0';
    *out = text;
    return 0;
}
