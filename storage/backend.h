#ifndef GM_STORAGE_BACKEND_H
#define GM_STORAGE_BACKEND_H

#include "common/hash.h"
#include "storage/store.h"

/* What a backend of gm_store implements; keys and prefixes are checked before. Each embeds struct
 * gm_store as its first member. data of put: when not NULL the body is these put->size bytes and
 * put->fd is ignored.
 */
struct gm_store_ops {
    void (*close)(struct gm_store *store);
    /* Makes the store itself durable, who ever made it. */
    int (*settle)(struct gm_store *store, struct gm_err *err);
    int (*put)(struct gm_store *store, const struct gm_store_put *put, const void *data,
               struct gm_err *err);
    int (*get)(struct gm_store *store, const char *key, uint64_t offset, void *out, size_t length,
               size_t *out_read, struct gm_err *err);
    /* The body as a file, whose own it is; NULL: the backend has none. */
    int (*open)(struct gm_store *store, const char *key, int *out_fd, uint64_t *out_size,
                struct gm_err *err);
    int (*head)(struct gm_store *store, const char *key, struct gm_store_stat *out,
                struct gm_err *err);
    int (*list)(struct gm_store *store, const char *prefix,
                int (*fn)(const char *key, uint64_t size, void *arg), void *arg,
                struct gm_err *err);
    int (*delete)(struct gm_store *store, const char *const *keys, size_t count, size_t *out_done,
                  struct gm_err *err);
};

struct gm_store {
    const struct gm_store_ops *ops;
};

/* ---- the directory backend: dir.c, dir_put.c, dir_list.c, dir_delete.c */

#define GM_DIR_TEMP_PREFIX ".gm-tmp-"
#define GM_DIR_OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

struct gm_dir_store {
    struct gm_store base;
    int root;   /* owned descriptor of the folder */
    char *path; /* owned; the folder, for messages */
};

int gm_dir_open(const char *path, bool create, struct gm_store **out,
                struct gm_err *err) GM_MUST_CHECK;
/* Opens path ("." for the root itself) below the root, through no link; -1 with errno: EAGAIN where
 * folders on the way were renamed each time, of which gm_dir_error makes STORE. */
int gm_dir_open_beneath(int root, const char *path, int flags);
/* Opens the regular file `key` for reading. */
int gm_dir_open_object(int root, const char *key, int *out_fd, uint64_t *out_size,
                       struct gm_err *err) GM_MUST_CHECK;
/* Walks to the folder of key, whose folders are made and synced where they are missing and make is
 * set. Its descriptor, owned; -1 with errno: ENOENT when one is missing. */
int gm_dir_walk(int root, const char *key, bool make);
int gm_dir_put(struct gm_store *store, const struct gm_store_put *put, const void *data,
               struct gm_err *err) GM_MUST_CHECK;
int gm_dir_list(struct gm_store *store, const char *prefix,
                int (*fn)(const char *key, uint64_t size, void *arg), void *arg,
                struct gm_err *err) GM_MUST_CHECK;
int gm_dir_delete(struct gm_store *store, const char *const *keys, size_t count, size_t *out_done,
                  struct gm_err *err) GM_MUST_CHECK;
/* errno in the terms of a store: "<what> <key>: <reason>". */
int gm_dir_error(struct gm_err *err, int errnum, const char *what, const char *key);

/* HMAC-SHA256 of text. Errors: NOMEM. */
int gm_grant_sign(const struct gm_grant_signer *signer, const char *text, size_t size,
                  uint8_t out[GM_SHA256_SIZE], struct gm_err *err) GM_MUST_CHECK;

/* Percent-encodes into a buffer: all but letters, digits and "-._~/". */
struct gm_buf;
void gm_url_encode(struct gm_buf *buf, const char *s);
/* '/' too: names and values of a query. */
void gm_url_encode_all(struct gm_buf *buf, const char *s);
/* Decodes size bytes; owned, NUL-terminated. INVAL: a broken escape or a NUL byte. */
int gm_url_decode(const char *s, size_t size, char **out, struct gm_err *err) GM_MUST_CHECK;

#endif
