#ifndef GM_COMMON_FS_H
#define GM_COMMON_FS_H

#include <sys/stat.h>

#include "common/err.h"

/* Files and folders. Errors: SYS (native = errno), NOMEM, LIMIT. Thread: any. */

/* Reads a whole file of at most max bytes; *out is NUL-terminated (not counted), owned. */
int gm_fs_read(const char *path, size_t max, uint8_t **out, size_t *out_size,
               struct gm_err *err) GM_MUST_CHECK;
int gm_fs_read_fd(int fd, size_t max, uint8_t **out, size_t *out_size,
                  struct gm_err *err) GM_MUST_CHECK;
/* size bytes of fd from offset on, whatever short reads and EINTR do; *out_read is less only at the
 * end of the file. fd's own position stays. */
int gm_fs_read_at(int fd, void *out, size_t size, uint64_t offset, size_t *out_read,
                  struct gm_err *err) GM_MUST_CHECK;
/* All of data, whatever short writes and EINTR do. */
int gm_fs_write_all(int fd, const void *data, size_t size, struct gm_err *err) GM_MUST_CHECK;
/* Temporary name beside path, write, fsync, rename, fsync of the folder. */
int gm_fs_write_atomic(const char *path, const void *data, size_t size,
                       struct gm_err *err) GM_MUST_CHECK;
/* The same with mode 0600: for its owner alone. */
int gm_fs_write_private(const char *path, const void *data, size_t size,
                        struct gm_err *err) GM_MUST_CHECK;
/* The same, for that owner alone; who is not root can't give a file away: SYS, and what was there
 * stays. */
int gm_fs_write_owned(const char *path, const void *data, size_t size, uid_t uid, gid_t gid,
                      struct gm_err *err) GM_MUST_CHECK;
/* Takes the lock of a folder, its file "lock" (made, never removed: two might then hold locks on
 * two files of that name). It holds while *out_fd (owned) is open. user: who holds it else, for the
 * message. Errors: also CONFLICT: it is taken. */
int gm_fs_lock(const char *folder, const char *user, int *out_fd, struct gm_err *err) GM_MUST_CHECK;
/* mkdir -p, mode 0755; new folders are synced. */
int gm_fs_mkdirs(const char *path, struct gm_err *err) GM_MUST_CHECK;
/* Syncs the folders above path, up to the root of its file system: their new entries may be those
 * of one who was killed before gm_fs_mkdirs had synced them. Folders that we may not write to have
 * none of ours, and are passed over. */
int gm_fs_sync_above(const char *path, struct gm_err *err) GM_MUST_CHECK;
/* A new file without a name in the folder, for reading and writing; owned. */
int gm_fs_nameless(const char *folder, int *out_fd, struct gm_err *err) GM_MUST_CHECK;
/* When a file's content changed last, in ns since 1970. */
uint64_t gm_fs_changed_ns(const struct stat *st);
/* rm -rf; follows no link; a missing path is fine. */
int gm_fs_remove_tree(const char *path, struct gm_err *err) GM_MUST_CHECK;
/* printf of a path into a fixed buffer; LIMIT when it does not fit. */
int gm_fs_path(char *out, size_t size, struct gm_err *err, const char *fmt, ...)
    GM_PRINTF(4, 5) GM_MUST_CHECK;
/* Folder of the running program (from /proc/self/exe), owned. */
int gm_fs_program_dir(char **out, struct gm_err *err) GM_MUST_CHECK;

#endif
