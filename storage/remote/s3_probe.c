/* The question to an endpoint how it can hold who has a signed URL to a hash, and to a store
 * whether it may be written to. What is put for it has one name, so that no more than one is ever
 * left. */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <uv.h>

#include "common/log.h"
#include "common/time.h"
#include "storage/remote/remote.h"

#define MD5_SIZE 16
#define PROBE_SIZE 16
#define PROBE_EXPIRES_S 300
#define TRIES 3u
#define DROP_TRIES 8u
#define PAUSE_MS 100u /* before the second try of a body that is to be refused; then double */
#define NAME ".gm-try"

/* How an endpoint took a body by URL. */
struct taken {
    bool refused;
    struct gm_err why; /* where it was refused */
};

/* 400, 403 and 501: what servers say of a hash (BadDigest, XAmzContentSHA256Mismatch,
 * SignatureDoesNotMatch, NotImplemented). */
static bool is_refusal(int status)
{
    return status == 501 ||
           (status >= 400 && status < 500 && status != 404 && status != 408 && status != 429);
}

static int send_body(const struct gm_url_target *t, const struct gm_url_body *body, const char *url,
                     const uint8_t sent[PROBE_SIZE], unsigned tries, struct taken *out,
                     struct gm_err *err)
{
    char md5[GM_MD5_TEXT], hex[65];
    struct gm_s3_field header;
    int rc;

    gm_md5_text(body->md5, md5);
    header = t->way == GM_HASH_MD5
                 ? (struct gm_s3_field){"Content-MD5", md5}
                 : (struct gm_s3_field){"x-amz-content-sha256", gm_hex(body->sha256, 32, hex)};
    struct gm_ask ask = {.call = {.method = "PUT",
                                  .url = url,
                                  .headers = &header,
                                  .header_count = 1,
                                  .body = sent,
                                  .body_size = PROBE_SIZE,
                                  .max_tries = tries}};
    rc = gm_remote_ask(t->remote, &ask, err);
    out->refused = rc < 0 && is_refusal(ask.result.status);
    if (out->refused) {
        out->why = *err;
    }
    return out->refused ? 0 : rc;
}

/* Puts `sent` by a URL that was signed for `granted`. */
static int put_by_url(const struct gm_url_target *t, const uint8_t granted[PROBE_SIZE],
                      const uint8_t sent[PROBE_SIZE], unsigned tries, struct taken *out,
                      struct gm_err *err)
{
    uint8_t sha256[GM_SHA256_SIZE], md5[MD5_SIZE];
    char *url = NULL;
    const struct gm_url_body body = {
        .method = "PUT", .size = PROBE_SIZE, .sha256 = sha256, .md5 = md5};
    int rc;

    gm_sha256(granted, PROBE_SIZE, sha256);
    if (EVP_Digest(granted, PROBE_SIZE, md5, NULL, EVP_md5(), NULL) != 1) {
        return gm_err_set(err, GM_E_CONFIG, 0, "libcrypto has no MD5");
    }
    rc = gm_url_sign_body(t, &body, &url, err);
    if (rc == 0) {
        rc = send_body(t, &body, url, sent, tries, out, err);
    }
    free(url);
    return rc;
}

/* Puts `other` by a URL that was signed for `granted`, by tries of its own: the client would take
 * the refusal for a body that was spoilt on its way, and a failure of its next try for the end. */
static int put_other(const struct gm_url_target *t, const uint8_t granted[PROBE_SIZE],
                     const uint8_t other[PROBE_SIZE], struct taken *out, struct gm_err *err)
{
    int rc = put_by_url(t, granted, other, 1, out, err);

    for (unsigned i = 0; rc < 0 && i + 1 < TRIES; i++) {
        uv_sleep(PAUSE_MS << i);
        rc = put_by_url(t, granted, other, 1, out, err);
    }
    return rc;
}

/* *out: right bytes were taken and wrong ones refused. *right: how the right ones were. */
static int try_way(const struct gm_url_target *t, bool *out, struct taken *right,
                   struct gm_err *err)
{
    uint8_t granted[PROBE_SIZE] = "gopmill tries 1", other[PROBE_SIZE] = "gopmill tries 2";
    struct taken wrong = {.refused = false};
    int rc = put_by_url(t, granted, granted, TRIES, right, err);

    *out = false;
    if (rc < 0 || right->refused) {
        return rc;
    }
    rc = put_other(t, granted, other, &wrong, err);
    *out = rc == 0 && wrong.refused;
    return rc;
}

static int no_bucket(const struct gm_url_target *t, int rc, struct gm_err *err)
{
    return rc != -GM_E_NOTFOUND
               ? rc
               : gm_err_set(err, GM_E_STORE, err->native, "there is no bucket %s at %.120s",
                            t->bucket, t->remote->endpoint.host);
}

/* By keys: what it says of the bucket and of whether we may write is what is wrong. */
static int put_signed(const struct gm_url_target *t, struct gm_err *err)
{
    struct gm_ask ask = {.call = {.method = "PUT",
                                  .bucket = t->bucket,
                                  .key = t->key,
                                  .body = "gopmill",
                                  .body_size = 7,
                                  .max_tries = TRIES}};

    return no_bucket(t, gm_remote_ask(t->remote, &ask, err), err);
}

/* None of the ways held. Where the right bytes were never taken, the server's words tell more. */
static int none_holds(const struct gm_url_target *t, const struct taken *right, struct gm_err *err)
{
    if (right->refused) {
        *err = right->why;
        return gm_err_wrap(err, -(int)err->code, "a signed URL was refused: ");
    }
    return gm_err_set(err, GM_E_STORE, 0,
                      "the store at %.120s does not hold a signed URL to the bytes that it was "
                      "signed for, neither by x-amz-content-sha256 nor by Content-MD5",
                      t->remote->endpoint.host);
}

/* The first refusal may have been a passing one, as of keys that are new to one of the servers; MD5
 * costs each body a further reading. */
static int try_again(struct gm_url_target *t, struct taken *right, struct gm_err *err)
{
    const struct taken first = *right;
    bool holds = false;
    int rc;

    *right = (struct taken){.refused = false};
    t->way = GM_HASH_SHA256;
    rc = try_way(t, &holds, right, err);
    if (rc == 0 && !holds) {
        t->way = GM_HASH_MD5;
        gm_log_err(GM_LOG_INFO, "store_by_md5", &first.why, "bucket=%s", t->bucket);
    }
    return rc;
}

static int find_way(struct gm_url_target *t, struct gm_err *err)
{
    static const enum gm_hash_way ways[] = {GM_HASH_SHA256, GM_HASH_MD5};
    struct taken right[2] = {{.refused = false}};
    bool holds = false;
    int rc = 0;

    for (size_t i = 0; rc == 0 && !holds && i < sizeof(ways) / sizeof(ways[0]); i++) {
        t->way = ways[i];
        rc = try_way(t, &holds, &right[i], err);
    }
    if (rc == 0 && holds && t->way == GM_HASH_MD5 && right[0].refused) {
        rc = try_again(t, &right[0], err);
    }
    return rc < 0 || holds ? rc : none_holds(t, &right[right[0].refused ? 0 : 1], err);
}

/* ---- stores that were written to */

void gm_remote_forget_tried(struct gm_remote *remote)
{
    for (size_t i = 0; i < GM_TRIED_MAX; i++) {
        free(remote->tried[i]);
        remote->tried[i] = NULL;
    }
}

/* bucket/prefix/.gm-try */
static char *name_of(const struct gm_url_target *t)
{
    char *name = malloc(strlen(t->bucket) + strlen(t->key) + 2);

    if (name != NULL) {
        (void)stpcpy(stpcpy(stpcpy(name, t->bucket), "/"), t->key);
    }
    return name;
}

static bool is_tried(struct gm_remote *remote, const char *name)
{
    bool found = false;

    uv_mutex_lock(&remote->lock);
    for (size_t i = 0; !found && i < GM_TRIED_MAX; i++) {
        found = remote->tried[i] != NULL && strcmp(remote->tried[i], name) == 0;
    }
    uv_mutex_unlock(&remote->lock);
    return found;
}

/* What is known now. name becomes its own. */
static void settle(struct gm_url_target *t, char *name, unsigned generation)
{
    struct gm_remote *remote = t->remote;

    uv_mutex_lock(&remote->lock);
    remote->way = t->way;
    if (remote->generation == generation) {
        free(remote->tried[remote->tried_next]);
        remote->tried[remote->tried_next] = name;
        remote->tried_next = (remote->tried_next + 1) % GM_TRIED_MAX;
        name = NULL;
    }
    uv_mutex_unlock(&remote->lock);
    free(name);
}

/* ---- what is left of tries */

void gm_remote_forget_left(struct gm_remote *remote)
{
    for (size_t i = 0; i < GM_LEFT_MAX; i++) {
        free(remote->left[i]);
        remote->left[i] = NULL;
    }
}

/* The next probe deletes it; where there are too many, somebody reads the log. */
static void keep_left(struct gm_url_target *t)
{
    struct gm_remote *remote = t->remote;
    char *name = name_of(t);

    uv_mutex_lock(&remote->lock);
    for (size_t i = 0; name != NULL && i < GM_LEFT_MAX; i++) {
        if (remote->left[i] == NULL) {
            remote->left[i] = name;
            name = NULL;
        }
    }
    uv_mutex_unlock(&remote->lock);
    free(name);
}

static void drop(struct gm_url_target *t, unsigned tries)
{
    struct gm_ask ask = {
        .call = {.method = "DELETE", .bucket = t->bucket, .key = t->key, .max_tries = tries}};
    struct gm_err err = {0};
    int rc = gm_remote_ask(t->remote, &ask, &err);

    if (rc < 0 && rc != -GM_E_NOTFOUND) {
        gm_log_err(GM_LOG_WARN, "try_left", &err, "bucket=%s key=%s", t->bucket, t->key);
        keep_left(t);
    }
}

static void drop_left(struct gm_remote *remote)
{
    for (size_t i = 0; i < GM_LEFT_MAX; i++) {
        uv_mutex_lock(&remote->lock);
        char *name = remote->left[i];

        remote->left[i] = NULL;
        uv_mutex_unlock(&remote->lock);
        char *key = name == NULL ? NULL : strchr(name, '/');

        if (key != NULL) {
            struct gm_url_target t = {.remote = remote, .bucket = name, .key = key + 1};

            *key = '\0';
            drop(&t, 1);
        }
        free(name);
    }
}

static int ask_bucket(const struct gm_url_target *t, struct gm_err *err)
{
    struct gm_ask ask = {.call = {.method = "HEAD", .bucket = t->bucket, .max_tries = TRIES}};

    return no_bucket(t, gm_remote_ask(t->remote, &ask, err), err);
}

static int write_to(struct gm_url_target *t, struct gm_err *err)
{
    int rc = put_signed(t, err);

    if (rc < 0) {
        return rc;
    }
    if (t->way == GM_HASH_UNKNOWN) {
        rc = find_way(t, err);
    }
    drop(t, DROP_TRIES);
    return rc;
}

static int probe(struct gm_url_target *t, struct gm_err *err)
{
    struct gm_remote *remote = t->remote;
    char *name = name_of(t);
    unsigned generation;
    int rc;

    if (name == NULL) {
        return gm_err_nomem(err);
    }
    uv_mutex_lock(&remote->lock);
    t->way = remote->way;
    generation = remote->generation;
    uv_mutex_unlock(&remote->lock);
    if (t->way != GM_HASH_UNKNOWN && is_tried(remote, name)) {
        free(name);
        return ask_bucket(t, err);
    }
    rc = write_to(t, err);
    if (rc == 0) {
        drop_left(remote);
        settle(t, name, generation);
    } else {
        free(name);
    }
    return rc;
}

int gm_stores_probe(struct gm_stores *stores, const char *store_url, struct gm_err *err)
{
    struct gm_store *store = NULL;
    struct gm_s3_store *s;
    char full[GM_S3_KEY_MAX + 1];
    struct gm_url_target t = {.key = full, .expires_s = PROBE_EXPIRES_S};
    int rc = gm_s3_store_open(stores, store_url, &store, err);

    if (rc < 0) {
        return rc;
    }
    s = gm_s3_store_of(store);
    t.remote = s->remote;
    t.bucket = s->bucket;
    rc = strlen(s->prefix) <= GM_REMOTE_PREFIX_MAX
             ? gm_s3_store_key(s, NAME, full, err)
             : gm_err_set(err, GM_E_INVAL, 0,
                          "the prefix is longer than %d bytes, and a job's keys come behind it",
                          GM_REMOTE_PREFIX_MAX);
    if (rc == 0) {
        rc = probe(&t, err);
    }
    gm_store_close(&store);
    return rc;
}

bool gm_stores_is_probed(const struct gm_stores *stores, const char *store_url)
{
    struct gm_s3_location location;
    struct gm_remote *remote = NULL;
    struct gm_err err;
    bool known;

    if (gm_s3_location_read(store_url, &location, &err) < 0 ||
        gm_remote_find(stores, location.bucket, &remote, &err) < 0) {
        return true;
    }
    uv_mutex_lock(&remote->lock);
    known = remote->way != GM_HASH_UNKNOWN;
    uv_mutex_unlock(&remote->lock);
    return known;
}
