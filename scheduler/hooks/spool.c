#include "scheduler/hooks/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/fs.h"
#include "common/log.h"

#define PIECE ((size_t)1024)
#define CLASSES 16 /* larger bodies stay in memory */

struct gm_spooled {
    size_t size;
    int64_t at; /* -1: `memory` has it */
    uint8_t memory[];
};

/* Places of one size that are free. */
struct class
{
    int64_t *free; /* owned */
    size_t count, cap;
};

struct gm_spool {
    char *folder; /* owned */
    int fd;       /* owned; -1: none yet */
    int64_t end;
    struct class classes[CLASSES]; /* of 1, 2, ... pieces */
    bool refused;                  /* the last body, which was logged */
};

int gm_spool_open(const char *folder, struct gm_spool **out, struct gm_err *err)
{
    struct gm_spool *s = calloc(1, sizeof *s);
    char *copy = strdup(folder);
    if (s == NULL || copy == NULL) {
        free(s);
        free(copy);
        return gm_err_nomem(err);
    }
    s->folder = copy;
    s->fd = -1;
    *out = s;
    return 0;
}

void gm_spool_close(struct gm_spool **spool)
{
    struct gm_spool *s = *spool;
    if (s == NULL) {
        return;
    }
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    for (size_t i = 0; i < CLASSES; i++) {
        free(s->classes[i].free);
    }
    free(s->folder);
    free(s);
    *spool = NULL;
}

static struct class *class_of(struct gm_spool *s, size_t size)
{
    size_t pieces = (size + PIECE - 1) / PIECE;
    return pieces > 0 && pieces <= CLASSES ? &s->classes[pieces - 1] : NULL;
}

static bool write_at(struct gm_spool *s, const void *data, size_t size, int64_t at)
{
    struct gm_err err = {0};
    if (s->fd < 0 && gm_fs_nameless(s->folder, &s->fd, &err) < 0) {
        s->fd = -1;
    } else {
        ssize_t n;
        do {
            n = pwrite(s->fd, data, size, (off_t)at);
        } while (n < 0 && errno == EINTR);
        if (n == (ssize_t)size) {
            s->refused = false;
            return true;
        }
        (void)gm_err_sys(&err, n < 0 ? errno : ENOSPC, "could not put a body aside in %s",
                         s->folder);
    }
    if (!s->refused) {
        gm_log_err(GM_LOG_WARN, "webhooks_stay_in_memory", &err, "bytes=%zu", size);
    }
    s->refused = true;
    return false;
}

int gm_spool_put(struct gm_spool *s, const void *data, size_t size, struct gm_spooled **out,
                 struct gm_err *err)
{
    struct class *class = class_of(s, size);
    int64_t at = class == NULL ? -1 : class->count > 0 ? class->free[class->count - 1] : s->end;
    bool aside = at >= 0 && write_at(s, data, size, at);
    struct gm_spooled *body = malloc(sizeof *body + (aside ? 0 : size));
    if (body == NULL) {
        return gm_err_nomem(err);
    }
    *body = (struct gm_spooled){.size = size, .at = aside ? at : -1};
    if (!aside) {
        memcpy(body->memory, data, size);
    } else if (class->count > 0) {
        class->count--;
    } else {
        s->end += (int64_t)(((size_t)(class - s->classes) + 1) * PIECE);
    }
    *out = body;
    return 0;
}

int gm_spool_get(const struct gm_spool *s, const struct gm_spooled *body, struct gm_buf *out,
                 struct gm_err *err)
{
    if (body->at < 0) {
        gm_buf_add(out, body->memory, body->size);
        return gm_buf_check(out, err);
    }
    size_t read = 0;
    uint8_t *data = malloc(body->size);
    if (data == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_fs_read_at(s->fd, data, body->size, (uint64_t)body->at, &read, err);
    if (rc == 0 && read != body->size) {
        rc = gm_err_sys(err, EIO, "could not read a body back from the file in %s", s->folder);
    }
    if (rc == 0) {
        gm_buf_add(out, data, body->size);
        rc = gm_buf_check(out, err);
    }
    free(data);
    return rc;
}

void gm_spool_drop(struct gm_spool *s, struct gm_spooled **body)
{
    struct gm_err err;
    struct gm_spooled *b = *body;
    struct class *class = b != NULL && b->at >= 0 ? class_of(s, b->size) : NULL;
    if (class != NULL && gm_array_reserve(&class->free, class->count, 1, &class->cap,
                                          sizeof *class->free, &err) == 0) {
        class->free[class->count++] = b->at; /* without memory its room is lost */
    }
    free(b);
    *body = NULL;
}
