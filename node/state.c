#include "node/state.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"
#include "common/id.h"

int gm_state_open(const char *folder, struct gm_state *out, struct gm_err *err)
{
    out->lock = -1;
    int rc = gm_fs_mkdirs(folder, err);
    if (rc < 0) {
        return rc;
    }
    out->folder = realpath(folder, NULL);
    if (out->folder == NULL) {
        return gm_err_sys(err, errno, "could not resolve `%s`", folder);
    }
    if (asprintf(&out->scratch, "%s/scratch", out->folder) < 0) {
        out->scratch = NULL;
        return gm_err_nomem(err);
    }
    if (asprintf(&out->cache, "%s/cache", out->folder) < 0) {
        out->cache = NULL;
        return gm_err_nomem(err);
    }
    rc = gm_fs_lock(out->folder, "gopmill-node", &out->lock, err);
    if (rc == 0) {
        rc = gm_fs_remove_tree(out->scratch, err);
    }
    if (rc == 0) {
        rc = gm_fs_mkdirs(out->scratch, err);
    }
    return rc;
}

void gm_state_close(struct gm_state *state)
{
    if (state->folder != NULL && state->lock >= 0) {
        close(state->lock);
    }
    free(state->folder);
    free(state->scratch);
    free(state->cache);
    memset(state, 0, sizeof(*state));
    state->lock = -1;
}

static bool is_digits(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!isxdigit(data[i]) || isupper(data[i])) {
            return false;
        }
    }
    return size == 8;
}

static int read_digits(const struct gm_state *state, char out[9], struct gm_err *err)
{
    char path[PATH_MAX];
    int rc = gm_fs_path(path, sizeof(path), err, "%s/node-id", state->folder);
    if (rc < 0) {
        return rc;
    }
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_err missing;
    if (gm_fs_read(path, 64, &data, &size, &missing) == 0) {
        bool good = is_digits(data, size);
        if (good) {
            memcpy(out, data, 8);
            out[8] = '\0';
        }
        free(data);
        if (good) {
            return 0;
        }
    } else if (missing.native != ENOENT) {
        *err = missing;
        return -(int)missing.code;
    }
    uint8_t random[4];
    rc = gm_random(random, sizeof(random), err);
    if (rc < 0) {
        return rc;
    }
    gm_hex(random, sizeof(random), out);
    return gm_fs_write_atomic(path, out, 8, err);
}

int gm_state_node_id(const struct gm_state *state, const char *hostname, char **out,
                     struct gm_err *err)
{
    char digits[9];
    int rc = read_digits(state, digits, err);
    if (rc < 0) {
        return rc;
    }
    char host[48];
    size_t used = 0;
    for (const char *c = hostname; *c != '\0' && *c != '.' && used + 1 < sizeof(host); c++) {
        unsigned char low = (unsigned char)tolower((unsigned char)*c);
        if ((low >= 'a' && low <= 'z') || (low >= '0' && low <= '9') || low == '-') {
            host[used++] = (char)low;
        }
    }
    host[used] = '\0';
    char *id = NULL;
    if (asprintf(&id, "%s-%s", used == 0 ? "node" : host, digits) < 0) {
        return gm_err_nomem(err);
    }
    *out = id;
    return 0;
}
