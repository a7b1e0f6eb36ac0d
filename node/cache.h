#ifndef GM_NODE_CACHE_H
#define GM_NODE_CACHE_H

#include "common/err.h"
#include "common/hash.h"

/* Content cache: bodies by their SHA-256, in files below one folder, at most max_bytes in all; the
 * least recently used go first, but none whose descriptor someone has open. What a running agent
 * put in stays for the next one. Several processes of one user may have the folder open: each finds
 * what any of them put in; the smallest max_bytes counts. Bodies on their way come on top. Thread:
 * any, several at a time. */
struct gm_cache; /* opaque */

/* Makes the folder; takes in what it holds, and removes what does not fit, and bodies that dead
 * processes had on their way. max_bytes 0: nothing is kept. Errors: SYS, NOMEM; CONFLICT: another
 * process holds the folder's lock. */
int gm_cache_open(const char *folder, uint64_t max_bytes, struct gm_cache **out,
                  struct gm_err *err) GM_MUST_CHECK;
void gm_cache_close(struct gm_cache **cache);

/* A read-only descriptor of the body, or -1 where it is not there. *out_fd: owned by the caller.
 * One that another process put there is hashed first, once; a wrong one goes. Errors: SYS, NOMEM.
 */
int gm_cache_find(struct gm_cache *cache, const uint8_t sha256[GM_SHA256_SIZE], int *out_fd,
                  struct gm_err *err) GM_MUST_CHECK;

/* Copies fd's content (from offset 0) in. Its hash must be sha256. A body over max_bytes, or
 * for which there is no room beside entries in use, is not kept, but *out_fd is good all the same.
 * A body that is there already is success. out_fd: read-only, owned by the caller. Errors:
 * STORE_CORRUPT  the content is another; SYS, NO_SCRATCH, NOMEM: nothing was changed. */
int gm_cache_insert(struct gm_cache *cache, const uint8_t sha256[GM_SHA256_SIZE], int fd,
                    int *out_fd, struct gm_err *err) GM_MUST_CHECK;

/* Copies fd's content in, unless it is there, or has more than an eighth of max_bytes: what nobody
 * may ask for must not take all. Errors: as gm_cache_insert. */
int gm_cache_add(struct gm_cache *cache, const uint8_t sha256[GM_SHA256_SIZE], int fd,
                 uint64_t size, struct gm_err *err) GM_MUST_CHECK;

/* A file in the cache's folder for a body that is still to come. *out_fd: for reading and writing,
 * owned. Errors: SYS, NO_SCRATCH. */
#define GM_CACHE_NAME 32
int gm_cache_begin(struct gm_cache *cache, char out_name[GM_CACHE_NAME], int *out_fd,
                   struct gm_err *err) GM_MUST_CHECK;
/* It came: hashes fd, and goes on as gm_cache_insert; name is gone in any case. Errors: likewise.
 */
int gm_cache_end(struct gm_cache *cache, const char *name, int fd,
                 const uint8_t sha256[GM_SHA256_SIZE], int *out_fd,
                 struct gm_err *err) GM_MUST_CHECK;
void gm_cache_give_up(struct gm_cache *cache, const char *name); /* it will not come */

uint64_t gm_cache_bytes(struct gm_cache *cache); /* kept now; never too few */

#endif
