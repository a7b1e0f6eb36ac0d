#ifndef GM_STORAGE_REMOTE_REMOTE_H
#define GM_STORAGE_REMOTE_REMOTE_H

#include <stdatomic.h>

#include "storage/backend.h"
#include "storage/remote/stores.h"
#include "storage/transfer/client.h"

/* What the files of this folder share. */

/* How an endpoint holds who has a signed URL to the bytes that it was signed for. */
enum gm_hash_way {
    GM_HASH_UNKNOWN, /* not probed */
    GM_HASH_SHA256,  /* by the hash in the signature */
    GM_HASH_MD5      /* by Content-MD5, which is signed */
};

struct gm_key_file {
    char *id; /* owned, and so are these */
    char *secret;
    char *token; /* NULL: none */
};

struct gm_connection;

#define GM_TRIED_MAX 32
#define GM_LEFT_MAX 16 /* tries that could not be deleted: names of them that are kept */

/* A line of the configuration. */
struct gm_remote {
    char *bucket; /* owned; "*": any */
    struct gm_s3_endpoint endpoint;
    enum gm_s3_style style;
    char *region;    /* owned, and so are these */
    char *keys_path; /* of the file */
    char *ca_file;   /* NULL: the system's */

    uv_mutex_t lock; /* of all that follows */
    bool has_lock;
    uv_mutex_t reload_lock; /* of reading the keys' file: held before `lock`, never by who signs */
    struct gm_key_file keys;
    unsigned generation; /* of the keys: connections that had others are closed */
    struct gm_s3_signer *signer;
    int64_t clock_offset_ms; /* of the server's clock to ours */
    enum gm_hash_way way;
    char *tried[GM_TRIED_MAX];  /* owned: stores that were written to; "bucket/prefix" */
    size_t tried_next;          /* where the next one goes */
    char *left[GM_LEFT_MAX];    /* owned: "bucket/key" of tries that could not be deleted */
    struct gm_connection *idle; /* owned */
    size_t idle_count;
    atomic_bool stops; /* nothing is waited for any more; of no lock */
};

struct gm_stores {
    struct gm_remote *remotes; /* owned */
    size_t count;
};

/* lines.c. *out is to be given to gm_remote_fini even after a failure. */
int gm_remote_read(const char *line, struct gm_remote *out, struct gm_err *err) GM_MUST_CHECK;
int gm_key_file_load(const char *path, struct gm_key_file *out, struct gm_err *err) GM_MUST_CHECK;
void gm_key_file_wipe(struct gm_key_file *keys);

/* stores.c. Borrowed; CONFIG. */
int gm_remote_find(const struct gm_stores *stores, const char *bucket, struct gm_remote **out,
                   struct gm_err *err) GM_MUST_CHECK;
/* Reads the key file again. *out_changed: there are others than before. */
int gm_remote_reload(struct gm_remote *remote, bool *out_changed, struct gm_err *err) GM_MUST_CHECK;

/* ask.c: requests whose end is waited for. */
struct gm_ask {
    struct gm_s3_call call;     /* without done, arg */
    struct gm_s3_result result; /* its answer is not to be looked at: */
    /* Called with the answer of an ask that succeeded; NULL: nobody. Below 0: so it ends. */
    int (*take)(struct gm_ask *ask, const struct gm_s3_answer *answer);
    void *arg;
    int rc; /* how it ended; result.err */
    bool ended;
    struct gm_s3_running *running;       /* NULL: it is not */
    const struct gm_stores_limit *limit; /* of the thread that asks */
};
/* All of them, some at a time; each ask has its own end. Errors: of what came before any was sent.
 */
int gm_remote_ask_all(struct gm_remote *remote, struct gm_ask *asks, size_t count,
                      struct gm_err *err) GM_MUST_CHECK;
/* One, and its end. Keys of a session that is over are read again, and it is asked once more. */
int gm_remote_ask(struct gm_remote *remote, struct gm_ask *ask, struct gm_err *err) GM_MUST_CHECK;
/* s3_probe.c; under the lock */
void gm_remote_forget_tried(struct gm_remote *remote);
void gm_remote_forget_left(struct gm_remote *remote);
void gm_remote_close_idle(struct gm_remote *remote);

/* s3_store.c */
struct gm_s3_store {
    struct gm_store base;
    struct gm_remote *remote; /* borrowed */
    char bucket[GM_S3_BUCKET_SIZE];
    char prefix[GM_S3_KEY_MAX + 1]; /* "" or "a/b/" */
    char *url;                      /* owned; for messages */
};
int gm_s3_store_open(struct gm_stores *stores, const char *url, struct gm_store **out,
                     struct gm_err *err) GM_MUST_CHECK;
/* NULL: it is another kind's. */
struct gm_s3_store *gm_s3_store_of(struct gm_store *store);
/* Key in the bucket, into out. INVAL: too long. */
int gm_s3_store_key(const struct gm_s3_store *store, const char *key, char out[GM_S3_KEY_MAX + 1],
                    struct gm_err *err) GM_MUST_CHECK;
/* For who was told that an object is not there: 0, or STORE, it is the bucket that is missing. */
int gm_s3_store_check_bucket(struct gm_s3_store *store, struct gm_err *err) GM_MUST_CHECK;
/* s3_put.c */
int gm_s3_store_put(struct gm_store *store, const struct gm_store_put *put, const void *data,
                    struct gm_err *err) GM_MUST_CHECK;

/* s3_grant.c: a URL for request, whose host and path are those of the object. */
int gm_remote_presign(struct gm_remote *remote, const char *bucket, const char *key,
                      struct gm_s3_request *request, uint32_t expires_s, char **out_url,
                      struct gm_err *err) GM_MUST_CHECK;
/* Whose URL is asked for. */
struct gm_url_target {
    struct gm_remote *remote;
    const char *bucket;
    const char *key;
    enum gm_hash_way way;
    uint32_t expires_s;
};
/* What a body's URL is signed for. */
struct gm_url_body {
    const char *method;
    const struct gm_s3_field *query;
    size_t query_count;
    uint64_t size;
    const uint8_t *sha256;         /* NULL: none */
    const uint8_t *md5;            /* NULL: none */
    const struct gm_s3_field *own; /* headers of the object */
    size_t own_count;
};
int gm_url_sign_body(const struct gm_url_target *target, const struct gm_url_body *body,
                     char **out_url, struct gm_err *err) GM_MUST_CHECK;
/* RFC 1864: base64 of 16 bytes. */
#define GM_MD5_TEXT 25
void gm_md5_text(const uint8_t md5[16], char out[GM_MD5_TEXT]);

#endif
