#ifndef GM_STORAGE_REMOTE_STORES_H
#define GM_STORAGE_REMOTE_STORES_H

#include "common/buf.h"
#include "common/time.h"
#include "storage/s3/location.h"
#include "storage/store.h"

/* The stores of S3 that a configuration names, with their keys: "s3://bucket/prefix" as a struct
 * gm_store, and grants for what lies there. A line of the configuration is
 *
 *   s3://BUCKET endpoint=https://host:port region=us-east-1 style=path keys=/file ca=/file
 *
 * BUCKET `*`: any; the first line that fits counts. region (default us-east-1), style (path, or
 * virtual) and ca (PEM of who signed the endpoint's certificate; default: the system's) may be left
 * out. The key file has the lines "id=...", "secret=..." and perhaps "token=...", and nobody but
 * its owner may read it.
 *
 * Thread: any, several at a time; what goes over the network blocks: loops run it on libuv's pool.
 * Idle connections are kept, a few for each line.
 * No secret, and no signed URL, is in an error's text.
 */
struct gm_stores; /* opaque */

/* lines: NULL-terminated, or NULL. Errors: CONFIG (with the line), SYS, NOMEM. */
int gm_stores_create(char *const *lines, struct gm_stores **out, struct gm_err *err) GM_MUST_CHECK;
void gm_stores_destroy(struct gm_stores **stores);
/* Reads all key files again; a file that does not read leaves the keys that there were. Errors: the
 * first of them. */
int gm_stores_reload(struct gm_stores *stores, struct gm_err *err) GM_MUST_CHECK;
/* Whether a line fits. stores NULL: no. */
bool gm_stores_has(const struct gm_stores *stores, const char *bucket);
/* CONFIG where no line fits: the sentence says which is missing. */
int gm_stores_check(const struct gm_stores *stores, const char *url,
                    struct gm_err *err) GM_MUST_CHECK;

/* As gm_store_open and gm_store_open_marked for file: URLs; s3:// ones have no mark, and nothing is
 * asked of the server, so a bucket that is missing shows in what follows, as STORE. stores (NULL:
 * folders alone) must live longer than the store. Errors: also CONFIG. */
int gm_stores_open(struct gm_stores *stores, const char *url, bool create, struct gm_store **out,
                   struct gm_err *err) GM_MUST_CHECK;
int gm_stores_open_marked(struct gm_stores *stores, const char *url, const char *mark,
                          struct gm_store **out, struct gm_err *err) GM_MUST_CHECK;
/* Ends the uploads in parts that were begun below the prefix of a store of S3 and not ended; of a
 * folder there are none. */
int gm_stores_drop_uploads(struct gm_store *store, const char *prefix,
                           struct gm_err *err) GM_MUST_CHECK;

/* Calls fn for each of them, a hundred thousand at most, in the order of keys; key: below the
 * store, as of gm_store_list. A non-zero answer stops and is returned. */
int gm_stores_list_uploads(struct gm_store *store, const char *prefix,
                           int (*fn)(const char *key, void *arg), void *arg,
                           struct gm_err *err) GM_MUST_CHECK;

/* ---- limits */

struct gm_stores_limit {
    gm_time until; /* what has not ended then fails as STORE; 0: none */
    /* Asked before each try of a request; below 0, with *err, it ends with that. NULL: nobody. */
    int (*wanted)(void *arg, struct gm_err *err);
    void *arg;
};
/* For all that this thread asks of servers from here on; NULL: no more. Borrowed until then. */
void gm_stores_limit(const struct gm_stores_limit *limit);
/* What is under way, and what is asked after it, fails as STORE at once. Thread: any. stores NULL
 * is fine. */
void gm_stores_stop(struct gm_stores *stores);

struct gm_remote_stat {
    uint64_t size;  /* bytes */
    char etag[128]; /* as the server sent it, with its quotes */
};
/* An object of any key. Errors: NOTFOUND, STORE_DENIED, STORE, CONFIG, INVAL. */
int gm_stores_stat(struct gm_stores *stores, const char *url, struct gm_remote_stat *out,
                   struct gm_err *err) GM_MUST_CHECK;

/* ---- many at once, of a store that is open: of S3 16 at a time */

struct gm_store_look {
    const char *key; /* borrowed */
    bool there;
    struct gm_remote_stat stat; /* of what is there; of a folder without etag */
};
/* Errors: the first of them; what is not there is none. */
int gm_stores_look(struct gm_store *store, struct gm_store_look *looks, size_t count,
                   struct gm_err *err) GM_MUST_CHECK;
struct gm_store_read {
    const char *key; /* borrowed */
    size_t max;      /* bytes */
    /* Its end: NOTFOUND, LIMIT (it is larger), STORE, STORE_DENIED, NOMEM. */
    int rc;
    struct gm_err err;
    struct gm_buf body; /* what is there of it where rc is below 0 */
};
/* Whole objects. The bodies are owned: gm_stores_read_fini, after failures too. Errors: of what
 * came before any was asked for, and STORE: there is no bucket. */
int gm_stores_read(struct gm_store *store, struct gm_store_read *reads, size_t count,
                   struct gm_err *err) GM_MUST_CHECK;
void gm_stores_read_fini(struct gm_store_read *reads, size_t count);

/* ---- grants */

/* Longest prefix of a store that is probed, in bytes: the keys of a job come behind it. */
#define GM_REMOTE_PREFIX_MAX 512
/* Asks the endpoint of an s3:// store, unless it has answered before, whether it holds who has a
 * signed URL to the bytes that it was signed for: it puts some below the prefix (".gm-try"), and
 * deletes them. Of an endpoint that has answered it puts and deletes them by keys, once for each
 * store; of one that was tried before it asks whether the bucket is there. Errors: STORE,
 * STORE_DENIED, CONFIG, INVAL (the prefix is too long). */
int gm_stores_probe(struct gm_stores *stores, const char *store_url,
                    struct gm_err *err) GM_MUST_CHECK;
/* Whether one has succeeded, or no line fits. It does not block. */
bool gm_stores_is_probed(const struct gm_stores *stores, const char *store_url);
/* A URL, owned, that reads the object at `url` for so long. It does not block. */
int gm_stores_grant_read(struct gm_stores *stores, const char *url, uint32_t expires_s,
                         char **out_url, struct gm_err *err) GM_MUST_CHECK;

#define GM_REMOTE_ONE_PUT (UINT64_C(64) << 20) /* bytes; larger bodies go in parts */

struct gm_hash_bytes { /* as protobuf-c has them: 32 or 16 bytes each */
    size_t size;
    const uint8_t *data;
};
struct gm_remote_write { /* all borrowed */
    const char *store_url;
    const char *key;
    uint64_t size;
    struct gm_hash_bytes sha256;
    const char *content_type;  /* NULL: none */
    const char *cache_control; /* NULL: none */
    uint32_t expires_s;
    /* What is known only when it was asked for. */
    const struct gm_hash_bytes *md5; /* of the whole, or of each part */
    size_t md5_count;
    const struct gm_hash_bytes *part_sha256;
    size_t part_count; /* 0: no parts yet */
    uint64_t part_size;
    const char *upload_id; /* "" or NULL: not begun */
};
/* As Grant of proto/wire.proto; all owned, NULL where there is none. */
struct gm_remote_grant {
    bool waits; /* the endpoint was not probed yet: nothing else is set */
    char *url;
    bool needs_md5;
    char *start_url;
    char **part_urls;
    size_t part_count;
    char *complete_url;
    char *head_url;
    struct gm_s3_header {
        const char *name;
        char *value;
    } headers[2];
    size_t header_count;
};
/* It does not block. Errors: INVAL, CONFIG, NOMEM. */
int gm_stores_grant_write(struct gm_stores *stores, const struct gm_remote_write *write,
                          struct gm_remote_grant *out, struct gm_err *err) GM_MUST_CHECK;
void gm_remote_grant_fini(struct gm_remote_grant *grant);

/* A PUT of one whole object of up to 5 GiB, whatever GM_REMOTE_ONE_PUT says. */
struct gm_remote_part { /* all borrowed */
    const char *store_url;
    const char *key;
    uint64_t size;
    const uint8_t *sha256; /* 32 bytes; NULL: any bytes of that size */
    const uint8_t *md5;    /* 16 bytes; NULL: not told */
    uint32_t expires_s;
};
struct gm_remote_part_grant {
    bool waits;         /* the endpoint was not probed yet: nothing else is set */
    bool needs_md5;     /* nothing else is set: asked again with it */
    char *url;          /* owned */
    const char *header; /* to be sent with it; NULL: none */
    char value[65];
};
/* It does not block. Errors: INVAL, CONFIG, NOMEM. */
int gm_stores_grant_part(struct gm_stores *stores, const struct gm_remote_part *part,
                         struct gm_remote_part_grant *out, struct gm_err *err) GM_MUST_CHECK;

#endif
