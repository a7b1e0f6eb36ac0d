/* Positioned reads and writes of one file without a name. */
#include "scheduler/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/log.h"
#include "scheduler/store/state.h"

/* Of blocks in memory: some ten thousand items, many times what a large farm has in hand, so that
 * only a deep queue reaches the file. */
#define AT_HAND_BYTES (2u << 20)

struct gm_shelf {
    char *folder; /* owned */
    int fd;       /* owned; -1: not made yet */
    bool refused; /* the last block, which was logged */
};

int gm_shelf_open(const char *where, struct gm_shelf **out, struct gm_err *err)
{
    const char *tmp = getenv("TMPDIR");
    const char *other = tmp != NULL && tmp[0] == '/' ? tmp : "/var/tmp";
    struct gm_shelf *s = calloc(1, sizeof *s);
    char *folder = strdup(gm_state_is_shared(where) ? other : where);
    if (s == NULL || folder == NULL) {
        free(s);
        free(folder);
        return gm_err_nomem(err);
    }
    *s = (struct gm_shelf){.folder = folder, .fd = -1};
    *out = s;
    return 0;
}

const char *gm_shelf_folder(const struct gm_shelf *shelf)
{
    return shelf->folder;
}

void gm_shelf_close(struct gm_shelf **shelf)
{
    struct gm_shelf *s = *shelf;
    if (s != NULL && s->fd >= 0) {
        (void)close(s->fd);
    }
    if (s != NULL) {
        free(s->folder);
    }
    free(s);
    *shelf = NULL;
}

static int write_all(int fd, const uint8_t *data, size_t size, uint64_t at)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, (off_t)at);
        if (n <= 0 && errno != EINTR) {
            return -1;
        }
        n = n < 0 ? 0 : n;
        data += n;
        size -= (size_t)n;
        at += (uint64_t)n;
    }
    return 0;
}

static int put(void *arg, uint64_t at, const void *data, size_t size)
{
    struct gm_shelf *s = arg;
    struct gm_err err = {0};
    bool open = s->fd >= 0 || gm_fs_nameless(s->folder, &s->fd, &err) == 0;
    if (open && write_all(s->fd, data, size, at) == 0) {
        s->refused = false;
        return 0;
    }
    if (open) {
        (void)gm_err_sys(&err, errno, "could not put part of the queue aside in %s", s->folder);
    }
    if (!s->refused) {
        gm_log_err(GM_LOG_WARN, "queue_stays_in_memory", &err, "bytes=%zu", size);
    }
    s->refused = true;
    return -(int)err.code;
}

static int get(void *arg, uint64_t at, void *out, size_t size)
{
    const struct gm_shelf *s = arg;
    struct gm_err err = {0};
    uint8_t *to = out;
    while (size > 0) {
        ssize_t n = pread(s->fd, to, size, (off_t)at);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            (void)gm_err_sys(&err, n == 0 ? EIO : errno,
                             "could not read part of the queue back from the file in %s",
                             s->folder);
            gm_log_err(GM_LOG_ERROR, "queue_lost", &err, "bytes=%zu", size);
            return -(int)err.code;
        }
        n = n < 0 ? 0 : n;
        to += n;
        size -= (size_t)n;
        at += (uint64_t)n;
    }
    return 0;
}

struct gm_core_shelf gm_shelf_ops(struct gm_shelf *shelf)
{
    return (struct gm_core_shelf){
        .put = put, .get = get, .arg = shelf, .at_hand_bytes = AT_HAND_BYTES};
}
