#ifndef GM_NODE_CACHE_FOLDER_H
#define GM_NODE_CACHE_FOLDER_H

#include <sys/stat.h>

#include "common/err.h"
#include "common/hash.h"

/* The folder below a content cache, which several processes of one user may have open. What it
 * holds:
 *   .lock          locked (flock) by who changes the folder; in it the bytes of all entries, 8
 *                  bytes, low first. Never too few: they are added before an entry is there, and
 *                  taken off when it is gone, so a process that dies in between leaves too many,
 *                  until the folder is looked through again.
 *   64 hex digits  an entry. Who reads it holds a shared lock on it, as does whoever it gave the
 *                  descriptor to; it is removed under an exclusive one, so never while it is in
 *                  use. Its access time says when it was used.
 *   tmp-<hex>      a body on its way; who writes it holds a shared lock. Without one it is a dead
 *                  process's, and goes.
 * What else lies there stays. All locks are the kernel's: they end with their process.
 * Thread: any. */
#define GM_CACHE_ENTRY (2 * GM_SHA256_SIZE + 1)

struct gm_cache_folder {
    int folder; /* owned */
    int lock;   /* owned */
    uint64_t max_bytes;
};

/* Makes the folder, looks through it, and makes it fit max_bytes. *out: close it in any case.
 * Errors: SYS, NOMEM; CONFLICT: another process has held its lock for 10 s. */
int gm_cache_folder_open(const char *path, uint64_t max_bytes, struct gm_cache_folder *out,
                         struct gm_err *err) GM_MUST_CHECK;
void gm_cache_folder_close(struct gm_cache_folder *folder);

/* For changes; one thread of this process at a time (the caller's care). False: another process
 * has held it for wait_ms. */
bool gm_cache_folder_lock(const struct gm_cache_folder *folder, int wait_ms) GM_MUST_CHECK;
void gm_cache_folder_unlock(const struct gm_cache_folder *folder);

/* What entries take. Without the lock: as it was a moment ago. */
uint64_t gm_cache_folder_bytes(const struct gm_cache_folder *folder);

/* With the lock. Removes entries that nobody uses, the one that was used longest ago first, until
 * room more bytes fit; then a sixteenth more, so that not each body looks through the folder.
 * *out_fits: whether they do. Errors: SYS, NOMEM. */
int gm_cache_folder_make_room(const struct gm_cache_folder *folder, uint64_t room, bool *out_fits,
                              struct gm_err *err) GM_MUST_CHECK;

/* With the lock: the temporary file becomes the entry, of size bytes; one of that name goes. It is
 * not (*out_kept false), and is gone, where that one is in use, or there is no room. Errors: SYS,
 * NOMEM: likewise. */
int gm_cache_folder_keep(const struct gm_cache_folder *folder, const char *temporary,
                         const char *name, uint64_t size, bool *out_kept,
                         struct gm_err *err) GM_MUST_CHECK;

/* With the lock: removes entry name where it is file inode; in use or not. */
void gm_cache_folder_remove(const struct gm_cache_folder *folder, const char *name, ino_t inode);

/* An entry to read, in use as long as *out_fd or a copy of it is open, or -1 where there is none.
 * Errors: SYS. */
int gm_cache_folder_find(const struct gm_cache_folder *folder, const char *name, int *out_fd,
                         struct stat *out_st, struct gm_err *err) GM_MUST_CHECK;
void gm_cache_folder_used(int fd); /* just now */

/* A new temporary file, for reading and writing. out_name: of `size` bytes, at least 21. Errors:
 * SYS, NO_SCRATCH. */
int gm_cache_folder_begin(const struct gm_cache_folder *folder, char *out_name, size_t size,
                          int *out_fd, struct gm_err *err) GM_MUST_CHECK;

#endif
