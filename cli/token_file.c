#include "cli/token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"

#define TRIES 100 /* times that another one puts a new file in its place while this one waits */

/* The file, which nobody else changes while *out_fd is open. */
static int lock(const char *path, bool make, int *out_fd, struct stat *out, struct gm_err *err)
{
    for (int i = 0; i < TRIES; i++) {
        struct stat there;
        int fd = open(path, O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
        if (fd < 0) {
            return gm_err_sys(err, errno, "%.150s can't be opened", path);
        }
        if (flock(fd, LOCK_EX) != 0 || fstat(fd, out) != 0) {
            int rc = gm_err_sys(err, errno, "%.150s can't be locked", path);
            close(fd);
            return rc;
        }
        if (stat(path, &there) == 0 && there.st_ino == out->st_ino && there.st_dev == out->st_dev) {
            *out_fd = fd;
            return 0;
        }
        close(fd);
    }
    return gm_err_set(err, GM_E_CONFLICT, 0, "%.150s is changed by others all the time", path);
}

/* Its lines without that of `id`, which may be NULL. */
static void copy_lines(const char *text, const char *id, struct gm_buf *out)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        const char *word = text + strspn(text, " \t");
        size_t length = strcspn(word, " \t\n");
        if (id == NULL || text[0] == '#' || length != strlen(id) || memcmp(word, id, length) != 0) {
            gm_buf_add(out, text, size);
            gm_buf_str(out, "\n");
        }
        text += size + (text[size] == '\n' ? 1 : 0);
    }
}

/* What was asked for goes with what is there. add or id is NULL. */
static int check(const char *path, const char *text, size_t size, const struct gm_token *add,
                 const char *id, struct gm_err *err)
{
    struct gm_tokens tokens = {0};
    bool there = false;
    int rc = gm_tokens_parse(path, text, size, &tokens, err);
    id = add != NULL ? add->id : id;
    for (size_t i = 0; rc == 0 && id != NULL && i < tokens.count; i++) {
        there = there || strcmp(tokens.rows[i].id, id) == 0;
    }
    if (rc == 0 && add != NULL && there) {
        rc = gm_err_set(err, GM_E_CONFLICT, 0, "there is a token %s already", add->id);
    } else if (rc == 0 && add != NULL && tokens.count == GM_TOKENS_MAX) {
        rc = gm_err_set(err, GM_E_LIMIT, 0, "a list has at most %d tokens", GM_TOKENS_MAX);
    } else if (rc == 0 && add == NULL && !there) {
        rc = gm_err_set(err, GM_E_NOTFOUND, 0, "there is no token %.64s", id);
    }
    gm_tokens_fini(&tokens);
    return rc;
}

static int change(const char *path, const struct gm_token *add, const char *id, struct gm_err *err)
{
    struct gm_buf out = {0};
    struct stat st = {0};
    uint8_t *text = NULL;
    size_t size = 0;
    char line[256];
    int fd = -1;
    int rc = lock(path, add != NULL, &fd, &st, err);
    if (rc == 0) {
        rc = gm_fs_read_fd(fd, (size_t)4 << 20, &text, &size, err);
    }
    if (rc == 0) {
        rc = check(path, (const char *)text, size, add, id, err);
    }
    if (rc == 0) {
        copy_lines((const char *)text, id, &out);
        if (add != NULL) {
            gm_token_line(add, line);
            gm_buf_str(&out, line);
        }
        rc = gm_buf_check(&out, err);
    }
    if (rc == 0) {
        rc = st.st_uid == geteuid()
                 ? gm_fs_write_private(path, out.data, out.size, err)
                 : gm_fs_write_owned(path, out.data, out.size, st.st_uid, st.st_gid, err);
    }
    gm_buf_fini(&out);
    free(text);
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

int gm_token_file_add(const char *path, const struct gm_token *row, struct gm_err *err)
{
    return change(path, row, NULL, err);
}

int gm_token_file_remove(const char *path, const char *id, struct gm_err *err)
{
    return change(path, NULL, id, err);
}
