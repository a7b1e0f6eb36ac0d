#include "scheduler/access.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/hash.h"
#include "common/id.h"
#include "common/utf8.h"

#define SCHEME "file://"
#define KEY_HEX 64

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int gm_access_path(const char *url, char **out, struct gm_err *err)
{
    if (strncmp(url, SCHEME "/", strlen(SCHEME) + 1) != 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "only file:///absolute/path URLs are supported here");
    }
    const char *s = url + strlen(SCHEME);
    size_t len = strlen(s);
    if (len >= PATH_MAX * 3) {
        return gm_err_set(err, GM_E_INVAL, 0, "the URL is too long");
    }
    char *path = malloc(len + 1);
    if (path == NULL) {
        return gm_err_nomem(err);
    }
    size_t n = 0;
    for (; *s != '\0'; s++) {
        int c = (unsigned char)*s;
        if (c == '%') {
            int hi = hex_digit(s[1]);
            int lo = hi < 0 ? -1 : hex_digit(s[2]);
            c = lo < 0 ? 0 : hi * 16 + lo;
            s += lo < 0 ? 0 : 2;
        } else if (c == '?' || c == '#') {
            c = 0;
        }
        if (c == 0) {
            free(path);
            return gm_err_set(err, GM_E_INVAL, 0,
                              "the URL has a bad escape, or a `?` or `#` that is not escaped");
        }
        path[n++] = (char)c;
    }
    path[n] = '\0';
    if (n >= PATH_MAX) {
        free(path);
        return gm_err_set(err, GM_E_INVAL, 0, "the path is too long");
    }
    *out = path;
    return 0;
}

int gm_access_url(const char *path, char **out, struct gm_err *err)
{
    struct gm_buf b = {0};
    gm_buf_str(&b, SCHEME);
    for (; *path != '\0'; path++) {
        unsigned char c = (unsigned char)*path;
        if (isalnum(c) != 0 || strchr("._~/-", c) != NULL) {
            gm_buf_u8(&b, c);
        } else {
            gm_buf_printf(&b, "%%%02X", c);
        }
    }
    int rc = gm_buf_check(&b, err);
    if (rc < 0) {
        gm_buf_fini(&b);
        return rc;
    }
    *out = (char *)b.data;
    return 0;
}

/* path is one of the folders or lies below one; the folders are resolved first. */
static bool is_below(const char *path, char *const *roots)
{
    for (; roots != NULL && *roots != NULL; roots++) {
        char root[PATH_MAX];
        if (realpath(*roots, root) == NULL) {
            continue;
        }
        size_t n = strlen(root);
        if (strcmp(root, "/") == 0 ||
            (strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == '\0'))) {
            return true;
        }
    }
    return false;
}

static int source_stat(const char *path, uint64_t *out_size, struct gm_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return gm_err_set(err, GM_E_INPUT_MISSING, errno, "the input does not exist");
    }
    if (!S_ISREG(st.st_mode)) {
        return gm_err_set(err, GM_E_INPUT_NOT_FILE, 0, "the input is %s, not a file",
                          S_ISDIR(st.st_mode) ? "a folder" : "a device, pipe or socket");
    }
    if (st.st_size == 0) {
        return gm_err_set(err, GM_E_INPUT_EMPTY, 0, "the input has no bytes");
    }
    if (access(path, R_OK) != 0) {
        return gm_err_set(err, GM_E_STORE_DENIED, errno, "the scheduler may not read the input");
    }
    *out_size = (uint64_t)st.st_size;
    return 0;
}

int gm_access_source(const char *url, char *const *roots, struct gm_access_source *out,
                     struct gm_err *err)
{
    struct gm_access_source s = {0};
    char *path = NULL;
    char real[PATH_MAX];
    int rc = gm_access_path(url, &path, err);
    if (rc < 0) {
        return rc;
    }
    if (realpath(path, real) == NULL) {
        rc = errno == EACCES
                 ? gm_err_set(err, GM_E_STORE_DENIED, errno, "the scheduler may not read the input")
                 : gm_err_set(err, GM_E_INPUT_MISSING, errno, "the input does not exist: %s", path);
    } else if (!is_below(real, roots)) {
        rc = gm_err_set(err, GM_E_STORE_DENIED, 0,
                        "the input is outside the folders of allow_sources");
    } else {
        rc = source_stat(real, &s.size, err);
    }
    if (rc == 0) {
        rc = gm_access_url(real, &s.url, err);
    }
    if (rc == 0) {
        s.name = strdup(strrchr(real, '/') + 1);
        rc = s.name == NULL ? gm_err_nomem(err) : 0;
    }
    if (rc == 0) {
        gm_utf8_clean(s.name);
    }
    free(path);
    if (rc < 0) {
        gm_access_source_fini(&s);
        return rc;
    }
    *out = s;
    return 0;
}

void gm_access_source_fini(struct gm_access_source *source)
{
    free(source->url);
    free(source->name);
    *source = (struct gm_access_source){0};
}

/* Resolves the part of path that exists (path is cut there) and puts what does not behind it. */
static int resolve(char *path, char real[PATH_MAX], struct gm_err *err)
{
    char rest[PATH_MAX] = "";
    while (realpath(path, real) == NULL) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || slash == NULL) {
            return gm_err_set(err, errno == EACCES ? GM_E_STORE_DENIED : GM_E_INVAL, errno,
                              "the destination can't be a folder: %s", strerror(errno));
        }
        struct stat st;
        if (lstat(path, &st) == 0) {
            return gm_err_set(err, GM_E_INVAL, ENOENT, "the destination is a broken link");
        }
        char tail[PATH_MAX];
        int rc = gm_fs_path(tail, sizeof tail, err, "%s%s%s", slash + 1, rest[0] != '\0' ? "/" : "",
                            rest);
        if (rc < 0) {
            return rc;
        }
        if (strcmp(slash + 1, ".") == 0 || strcmp(slash + 1, "..") == 0) {
            return gm_err_set(err, GM_E_INVAL, 0, "the destination has a `..` below nothing");
        }
        if (slash[1] != '\0') {
            memcpy(rest, tail, sizeof rest);
        }
        slash[slash == path ? 1 : 0] = '\0';
    }
    struct stat st;
    if (stat(real, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return gm_err_set(err, GM_E_INVAL, ENOTDIR, "the destination is not a folder");
    }
    size_t n = strlen(real);
    if (rest[0] == '\0') {
        return 0;
    }
    return gm_fs_path(real + n, PATH_MAX - n, err, "%s%s", n > 1 ? "/" : "", rest);
}

int gm_access_destination(const char *url, char *const *roots, char **out_url, struct gm_err *err)
{
    char *path = NULL;
    char real[PATH_MAX];
    int rc = gm_access_path(url, &path, err);
    if (rc == 0) {
        rc = resolve(path, real, err);
    }
    free(path);
    if (rc < 0) {
        return rc;
    }
    if (!is_below(real, roots)) {
        return gm_err_set(err, GM_E_STORE_DENIED, 0,
                          "the destination is outside the folders of allow_destinations");
    }
    return gm_access_url(real, out_url, err);
}

int gm_access_split(const char *url, char **out_root_url, char **out_key, struct gm_err *err)
{
    char *path = NULL;
    char *root = NULL;
    int rc = gm_access_path(url, &path, err);
    if (rc < 0) {
        return rc;
    }
    char *slash = strrchr(path, '/');
    char *key = strdup(slash + 1);
    slash[slash == path ? 1 : 0] = '\0';
    rc = key == NULL ? gm_err_nomem(err) : gm_access_url(path, &root, err);
    free(path);
    if (rc < 0) {
        free(key);
        return rc;
    }
    *out_root_url = root;
    *out_key = key;
    return 0;
}

static int make_key(const char *path, struct gm_err *err)
{
    uint8_t bytes[sizeof(struct gm_grant_key)];
    char text[KEY_HEX + 2];
    int rc = gm_random(bytes, sizeof bytes, err);
    if (rc < 0) {
        return rc;
    }
    (void)gm_hex(bytes, sizeof bytes, text);
    text[KEY_HEX] = '\n';
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return gm_err_sys(err, errno, "could not make %s", path);
    }
    rc = gm_fs_write_all(fd, text, KEY_HEX + 1, err);
    if (rc == 0 && fsync(fd) != 0) {
        rc = gm_err_sys(err, errno, "could not write %s", path);
    }
    if (close(fd) != 0 && rc == 0) {
        rc = gm_err_sys(err, errno, "could not write %s", path);
    }
    if (rc < 0) {
        (void)unlink(path);
    }
    return rc;
}

int gm_access_grant_key(const char *path, bool make, struct gm_grant_key *out, struct gm_err *err)
{
    uint8_t *text = NULL;
    size_t size = 0;
    struct gm_grant_key key;
    int rc = 0;
    if (make && access(path, F_OK) != 0) {
        rc = make_key(path, err);
    }
    if (rc == 0) {
        rc = gm_fs_read(path, 1024, &text, &size, err);
    }
    if (rc < 0) {
        return gm_err_wrap(err, rc, "grant key: ");
    }
    while (size > 0 && isspace(text[size - 1]) != 0) {
        size--;
    }
    for (size_t i = 0; rc == 0 && i < sizeof key.bytes; i++) {
        int hi = size == KEY_HEX ? hex_digit((char)text[2 * i]) : -1;
        int lo = hi < 0 ? -1 : hex_digit((char)text[2 * i + 1]);
        if (lo < 0) {
            rc = gm_err_set(err, GM_E_CONFIG, 0, "%s does not hold %d hex digits", path, KEY_HEX);
            break;
        }
        key.bytes[i] = (uint8_t)(hi * 16 + lo);
    }
    free(text);
    if (rc == 0) {
        *out = key;
    }
    return rc;
}
