#ifndef GM_STORAGE_STORE_H
#define GM_STORAGE_STORE_H

#include "common/err.h"
#include "common/id.h"

/* An object store: immutable bodies under keys like "v/ab12/video/720p/seg-00001-0f3a.m4s". The
 * directory backend, `dir`, is one behind this interface.
 *
 * Key:    1..1024 bytes: letters, digits, space, any of "._/+@=,()-", any byte above 0x7f; no
 *         leading or trailing '/', no empty, "." or ".." part; keys that begin with ".gm-tmp-" or
 *         ".gm-store" are the store's own
 * Thread: any, several at a time. Calls block: loops run them on libuv's thread pool
 * Errors: STORE, STORE_FULL, STORE_DENIED, STORE_CORRUPT, STORE_EXISTS, NOTFOUND, INVAL (bad key),
 *         NOMEM
 */
struct gm_store; /* opaque */

#define GM_STORE_MARK ".gm-store" /* what holds the mark of a `dir` store, right in its folder */

struct gm_store_stat {
    uint64_t size; /* bytes */
};

/* url: "file:///absolute/folder" (made when missing and create is set). With create, temporary
 * files that nobody wrote to for an hour are removed. NOTFOUND: no such folder. */
int gm_store_open(const char *url, bool create, struct gm_store **out,
                  struct gm_err *err) GM_MUST_CHECK;
void gm_store_close(struct gm_store **store);
/* The store's mark: a random id, which it keeps in ".gm-store" (ADR-0037). It tells the store from
 * the folder that shows in its place while its file system is not mounted. make: writes one where
 * there is none. Errors: also NOTFOUND (there is none), STORE_CORRUPT (what is there is none),
 * STORE_DENIED (a folder has its name). */
int gm_store_mark(struct gm_store *store, bool make, char out[GM_ID_SIZE],
                  struct gm_err *err) GM_MUST_CHECK;
/* Opens the store that has this mark and makes nothing; "": whatever is there. Errors: those of
 * gm_store_open, but with a mark STORE for a missing folder too, as for one that has none, another
 * or one that is broken; *out is left alone then. */
int gm_store_open_marked(const char *url, const char *mark, struct gm_store **out,
                         struct gm_err *err) GM_MUST_CHECK;
bool gm_store_is_key(const char *key);
/* The URL of an absolute path and back, both owned. All bytes but letters, digits and "-._~/" are
 * percent-encoded; a URL may leave any byte bare but '%', '?' and '#'. Errors: INVAL, NOMEM. */
int gm_store_url(const char *path, char **out_url, struct gm_err *err) GM_MUST_CHECK;
int gm_store_path(const char *url, char **out_path, struct gm_err *err) GM_MUST_CHECK;

/* Whether a put is still wanted: asked before each part of the body and, the last time, right
 * before it gets its name. Below 0, with *err, the put ends with that and nothing of it stays (but
 * perhaps folders that it made). Called on the thread that puts. */
struct gm_put_guard {
    int (*check)(void *arg, struct gm_err *err);
    void *arg;
};

/* Puts the whole content of fd (from offset 0). size and sha256 are what the content must be: a
 * body that differs leaves nothing and gives STORE_CORRUPT. sha256 NULL: not checked. if_absent:
 * STORE_EXISTS when the key is taken. Atomic and durable: no name or a temporary one, fsync, link
 * or rename, fsync of the folder. */
struct gm_store_put {
    const char *key;
    int fd;
    uint64_t size;
    const uint8_t *sha256; /* 32 bytes or NULL */
    bool if_absent;
    const struct gm_put_guard *guard; /* borrowed; NULL: none */
};
int gm_store_put(struct gm_store *store, const struct gm_store_put *put,
                 struct gm_err *err) GM_MUST_CHECK;
int gm_store_put_bytes(struct gm_store *store, const char *key, const void *data, size_t size,
                       struct gm_err *err) GM_MUST_CHECK;
/* length bytes from offset into out; short only at the end. *out_read bytes were read. */
int gm_store_get(struct gm_store *store, const char *key, uint64_t offset, void *out, size_t length,
                 size_t *out_read, struct gm_err *err) GM_MUST_CHECK;
/* A body that `from` has is put into `to`, under the same key and in its place where one is there:
 * from the file that it is, or by a file without a name in `scratch`, so a few MiB of memory and,
 * there, room for the body are needed. size, sha256: what it must be, as of gm_store_put. Errors:
 * also those of gm_store_get; SYS: the scratch folder. */
struct gm_store_copy {
    struct gm_store *from, *to;
    const char *key;
    uint64_t size;
    const uint8_t *sha256;            /* 32 bytes or NULL */
    const char *scratch;              /* a folder */
    const struct gm_put_guard *guard; /* borrowed; NULL: none. Asked before each read, too */
};
int gm_store_copy(const struct gm_store_copy *copy, struct gm_err *err) GM_MUST_CHECK;
int gm_store_head(struct gm_store *store, const char *key, struct gm_store_stat *out,
                  struct gm_err *err) GM_MUST_CHECK;
/* Calls fn for each key that starts with prefix, in byte order; a non-zero answer stops and is
 * returned. */
int gm_store_list(struct gm_store *store, const char *prefix,
                  int (*fn)(const char *key, uint64_t size, void *arg), void *arg,
                  struct gm_err *err) GM_MUST_CHECK;
/* A missing key is success. Folders that it leaves empty go too, never the root. Durable: a loss of
 * power brings no object back. */
int gm_store_delete(struct gm_store *store, const char *key, struct gm_err *err) GM_MUST_CHECK;
/* The same of many, one after the other; it costs least where keys of one folder follow each other.
 * *out_done, set on failure too: so many of them, the first ones, are gone for good. */
int gm_store_delete_many(struct gm_store *store, const char *const *keys, size_t count,
                         size_t *out_done, struct gm_err *err) GM_MUST_CHECK;

/* --- grants: what a node, which holds no store of its own, works with ---
 * A read grant is a URL that names one object; a write grant is a URL that allows one body under
 * one key, with its size and hash. For `dir` they are
 * "file:///root?key=...&size=...&sha256=...&exp=...&sig=..." signed with the store's grant key
 * (HMAC-SHA256), which scheduler and nodes share through the configuration; S3's will be presigned
 * URLs.
 */
struct gm_grant_key {
    uint8_t bytes[32];
};

/* Makes a grant key file of random digits, mode 0600, in a folder that exists. One that is there
 * already is left alone, and *out_made false. Errors: SYS. */
int gm_grant_key_make(const char *path, bool *out_made, struct gm_err *err) GM_MUST_CHECK;
/* Reads a grant key file: 64 hex digits, white space at the end. Errors: CONFIG, SYS. */
int gm_grant_key_load(const char *path, struct gm_grant_key *out, struct gm_err *err) GM_MUST_CHECK;
/* Signs grants, as many as one likes; owned. It has the key's secrets in it: what it had is
 * overwritten at the end. Thread: any, several at a time. Errors: NOMEM. */
struct gm_grant_signer;
int gm_grant_signer_create(const struct gm_grant_key *key, struct gm_grant_signer **out,
                           struct gm_err *err) GM_MUST_CHECK;
void gm_grant_signer_destroy(struct gm_grant_signer **signer);
/* A read grant's key may also be the plain name of any file right in the store's folder: sources
 * are called what their owners call them. Errors: INVAL, NOMEM. */
int gm_grant_read(const char *store_url, const char *key, int64_t expires_unix_ms,
                  const struct gm_grant_signer *signer, char **out_url,
                  struct gm_err *err) GM_MUST_CHECK;
int gm_grant_write(const char *store_url, const char *key, uint64_t size, const uint8_t sha256[32],
                   int64_t expires_unix_ms, const struct gm_grant_signer *signer, char **out_url,
                   struct gm_err *err) GM_MUST_CHECK;
/* Opens what a read grant names; *out_fd is readable and seekable, owned. Errors as above,
 * NODE_GRANT for a bad or old one, native ETIME where it is right but for its time. */
int gm_grant_open(const char *url, const struct gm_grant_key *secret, int64_t now_unix_ms,
                  int *out_fd, uint64_t *out_size, struct gm_err *err) GM_MUST_CHECK;
/* Stores fd's content as the write grant says; its size and hash are checked against the grant. The
 * store's folder must exist: a node whose shared folder is not mounted must not make one. guard:
 * as of gm_store_put. */
int gm_grant_put(const char *url, const struct gm_grant_key *secret, int64_t now_unix_ms, int fd,
                 const struct gm_put_guard *guard, struct gm_err *err) GM_MUST_CHECK;

#endif
