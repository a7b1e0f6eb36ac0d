#include "common/keys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/loop.h"

#define FILE_MAX_BYTES 4096
#define Z85 "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"

static const char *const ROLES[GM_CURVE_ROLES] = {"node", "client", "admin", "server"};

const char *gm_curve_role_name(enum gm_curve_role role)
{
    return ROLES[role];
}

int gm_curve_role_find(const char *name)
{
    for (int i = 0; i < GM_CURVE_ROLES; i++) {
        if (strcmp(ROLES[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

bool gm_curve_role_may(enum gm_curve_role has, enum gm_curve_role wanted)
{
    return has == wanted || (has == GM_CURVE_ADMIN && wanted == GM_CURVE_CLIENT);
}

bool gm_curve_is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n > 0 && n < GM_CURVE_NAME && s[n] == '\0';
}

bool gm_curve_is_text(const char *s)
{
    uint8_t raw[32];
    return strspn(s, Z85) == GM_CURVE_TEXT - 1 && s[GM_CURVE_TEXT - 1] == '\0' &&
           zmq_z85_decode(raw, s) != NULL; /* five characters may say more than 32 bits */
}

int gm_curve_make(struct gm_curve_file *out, struct gm_err *err)
{
    char public_key[GM_CURVE_TEXT];
    char secret_key[GM_CURVE_TEXT];
    if (zmq_curve_keypair(public_key, secret_key) != 0) {
        return gm_err_zmq(err, zmq_errno(), "could not make a key pair");
    }
    memcpy(out->public_key, public_key, sizeof public_key);
    memcpy(out->secret_key, secret_key, sizeof secret_key);
    explicit_bzero(secret_key, sizeof secret_key);
    return 0;
}

void gm_curve_wipe(struct gm_curve_file *key)
{
    explicit_bzero(key, sizeof *key);
}

/* ---- files */

static int fail(const char *path, int line, const char *what, struct gm_err *err)
{
    return gm_err_set(err, GM_E_CONFIG, 0, "%.150s:%d: %s", path, line, what);
}

/* Where a line's value goes; NULL: no such word, or it was given before. */
static char *place_of(struct gm_curve_file *key, const char *word)
{
    if (strcmp(word, "server") == 0) {
        return key->server_count < GM_CURVE_SERVERS ? key->servers[key->server_count] : NULL;
    }
    char *place = strcmp(word, "public") == 0   ? key->public_key
                  : strcmp(word, "secret") == 0 ? key->secret_key
                                                : NULL;
    return place != NULL && place[0] == '\0' ? place : NULL;
}

static int take_line(const char *path, int number, char *line, struct gm_curve_file *key, int *role,
                     struct gm_err *err)
{
    char *value = strchr(line, ' ');
    if (line[0] == '#' || line[0] == '\0') {
        return 0;
    }
    if (value == NULL) {
        return fail(path, number, "a line is a word, a blank and a value", err);
    }
    *value++ = '\0';
    if (strcmp(line, "name") == 0 && key->name[0] == '\0') {
        if (!gm_curve_is_name(value)) {
            return fail(path, number, "a name is [a-z0-9-]{1,64}", err);
        }
        memcpy(key->name, value, strlen(value) + 1);
        return 0;
    }
    if (strcmp(line, "role") == 0 && *role < 0) {
        *role = gm_curve_role_find(value);
        return *role >= 0 ? 0 : fail(path, number, "roles are node, client, admin, server", err);
    }
    char *place = place_of(key, line);
    if (place == NULL) {
        return fail(path, number, "an unknown word, or one too many", err);
    }
    if (!gm_curve_is_text(value)) {
        return fail(path, number, "a key has 40 characters of Z85", err);
    }
    memcpy(place, value, GM_CURVE_TEXT);
    key->server_count += strcmp(line, "server") == 0 ? 1 : 0;
    return 0;
}

static int parse(const char *path, char *text, struct gm_curve_file *key, struct gm_err *err)
{
    int role = -1;
    int number = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        int rc = take_line(path, ++number, line, key, &role, err);
        if (rc < 0) {
            return rc;
        }
    }
    char derived[GM_CURVE_TEXT] = "";
    if (key->name[0] == '\0' || role < 0 || key->public_key[0] == '\0' ||
        key->secret_key[0] == '\0') {
        return fail(path, number, "name, role, public and secret must all be there", err);
    }
    if (zmq_curve_public(derived, key->secret_key) != 0 || strcmp(derived, key->public_key) != 0) {
        return fail(path, number, "public and secret are no pair", err);
    }
    key->role = (enum gm_curve_role)role;
    if (key->role != GM_CURVE_SERVER && key->server_count == 0) {
        return fail(path, number, "the scheduler's public key (server) is missing", err);
    }
    return 0;
}

int gm_curve_load(const char *path, struct gm_curve_file *out, struct gm_err *err)
{
    uint8_t *text = NULL;
    size_t size = 0;
    struct stat st;
    struct gm_curve_file key = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        int rc = gm_err_sys(err, errno, "the key file %.150s can't be read", path);
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    int rc = 0;
    if ((st.st_mode & 077) != 0) {
        rc = gm_err_set(err, GM_E_CONFIG, 0,
                        "%.150s can be read by others than its owner: chmod 0600", path);
    } else {
        rc = gm_fs_read_fd(fd, FILE_MAX_BYTES, &text, &size, err);
    }
    close(fd);
    if (rc == 0 && strlen((char *)text) != size) {
        rc = fail(path, 1, "a NUL byte in a text file", err);
    }
    if (rc == 0) {
        rc = parse(path, (char *)text, &key, err);
    }
    if (rc == 0) {
        *out = key;
    }
    if (text != NULL) {
        explicit_bzero(text, size);
    }
    free(text);
    gm_curve_wipe(&key);
    return rc;
}

int gm_curve_save(const char *path, const struct gm_curve_file *key, struct gm_err *err)
{
    struct gm_buf text = {0};
    gm_buf_printf(&text,
                  "# A key of gopmill's wire: keep it secret, readable by its user alone.\n");
    gm_buf_printf(&text, "name %s\nrole %s\npublic %s\nsecret %s\n", key->name,
                  gm_curve_role_name(key->role), key->public_key, key->secret_key);
    for (size_t i = 0; i < key->server_count; i++) {
        gm_buf_printf(&text, "server %s\n", key->servers[i]);
    }
    int rc = gm_buf_check(&text, err);
    if (rc == 0) {
        rc = gm_fs_write_private(path, text.data, text.size, err);
    }
    if (text.data != NULL) {
        explicit_bzero(text.data, text.size);
    }
    gm_buf_fini(&text);
    return rc;
}

/* ---- who may do without */

bool gm_curve_is_local_endpoint(const char *endpoint)
{
    char host[64];
    struct in_addr v4;
    struct in6_addr v6;
    if (strncmp(endpoint, "ipc://", 6) == 0) {
        return true;
    }
    const char *colon = strrchr(endpoint, ':');
    size_t n = colon != NULL && colon > endpoint + 6 ? (size_t)(colon - endpoint - 6) : 0;
    if (strncmp(endpoint, "tcp://", 6) != 0 || n == 0 || n >= sizeof host) {
        return false;
    }
    memcpy(host, endpoint + 6, n);
    host[n] = '\0';
    if (host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    }
    return strcmp(host, "localhost") == 0 ||
           (inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127);
}

int gm_curve_check_security(const char *security, char *const *endpoints, struct gm_err *err)
{
    if (strcmp(security, "curve") == 0) {
        return zmq_has("curve") == 1
                   ? 0
                   : gm_err_set(err, GM_E_CONFIG, 0,
                                "security: this machine's libzmq was built without CURVE");
    }
    if (strcmp(security, "none") == 0) {
        return 0;
    }
    if (security[0] != '\0') {
        return gm_err_set(err, GM_E_CONFIG, 0, "security: `%.32s` is neither curve nor none",
                          security);
    }
    for (; *endpoints != NULL; endpoints++) {
        if (!gm_curve_is_local_endpoint(*endpoints)) {
            return gm_err_set(err, GM_E_CONFIG, 0,
                              "%.100s is reached by other machines: set `security: curve` (see "
                              "gopmill keys --help), or `none` where all of them are trusted",
                              *endpoints);
        }
    }
    return 0;
}
