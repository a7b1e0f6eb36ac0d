/* AWS Signature Version 4.
 *
 *   canonical request = method \n path \n query \n headers \n their names \n hash of the body
 *   text to sign      = "AWS4-HMAC-SHA256" \n date \n scope \n SHA-256 of the canonical request
 *   key of a day      = HMAC of day, region, service and "aws4_request", one with the other's
 * result
 *
 * S3 takes the path as it is sent: nothing is normalised, nothing encoded twice.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/hash.h"
#include "storage/s3/canonical.h"
#include "storage/s3/date.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define HEX_SIZE ((size_t)2 * GM_SHA256_SIZE + 1)
#define DAY_SIZE ((size_t)9) /* "20150830" and NUL */

struct gm_s3_signer {
    char *id;      /* owned */
    char *secret;  /* owned; "AWS4" stands before it */
    char *token;   /* owned, or NULL */
    char *region;  /* owned */
    char *service; /* owned */
    bool is_s3;
    char day[DAY_SIZE]; /* whose key this is; "": there is none yet */
    uint8_t key[GM_SHA256_SIZE];
};

/* One request on its way to a signature. */
struct job {
    struct gm_s3_signer *signer;
    const struct gm_s3_request *request;
    char date[GM_S3_DATE_SIZE];
    char day[DAY_SIZE];
    struct gm_buf scope;
    struct gm_buf query;
    struct gm_buf headers;
    struct gm_buf names;
    struct gm_buf text;
    char signature[HEX_SIZE];
};

static void job_fini(struct job *job)
{
    gm_buf_fini(&job->scope);
    gm_buf_fini(&job->query);
    gm_buf_fini(&job->headers);
    gm_buf_fini(&job->names);
    gm_buf_fini(&job->text);
}

static bool is_printable(const char *text, const char *but)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || strchr(but, *c) != NULL) {
            return false;
        }
    }
    return text[0] != '\0';
}

static void wipe(char **text)
{
    if (*text != NULL) {
        OPENSSL_cleanse(*text, strlen(*text));
        free(*text);
        *text = NULL;
    }
}

int gm_s3_signer_create(const struct gm_s3_keys *keys, const char *region, const char *service,
                        struct gm_s3_signer **out, struct gm_err *err)
{
    struct gm_s3_signer *signer;
    size_t size = strlen(keys->secret);

    if (!is_printable(keys->id, ",/") || keys->secret[0] == '\0' ||
        (keys->token != NULL && !is_printable(keys->token, "")) || !is_printable(region, ",/") ||
        !is_printable(service, ",/")) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "an access key could not be used: its id, secret, token, region or "
                          "service is empty, or has characters that none has");
    }
    signer = calloc(1, sizeof(*signer));
    if (signer == NULL) {
        return gm_err_nomem(err);
    }
    signer->secret = malloc(sizeof("AWS4") + size);
    if (signer->secret != NULL) {
        memcpy(signer->secret, "AWS4", 4);
        memcpy(signer->secret + 4, keys->secret, size + 1);
    }
    signer->id = strdup(keys->id);
    signer->token = keys->token == NULL ? NULL : strdup(keys->token);
    signer->region = strdup(region);
    signer->service = strdup(service);
    signer->is_s3 = strcmp(service, "s3") == 0;
    if (signer->secret == NULL || signer->id == NULL ||
        (keys->token != NULL && signer->token == NULL) || signer->region == NULL ||
        signer->service == NULL) {
        gm_s3_signer_destroy(&signer);
        return gm_err_nomem(err);
    }
    *out = signer;
    return 0;
}

void gm_s3_signer_destroy(struct gm_s3_signer **signer)
{
    if (*signer != NULL) {
        wipe(&(*signer)->secret);
        wipe(&(*signer)->token);
        free((*signer)->id);
        free((*signer)->region);
        free((*signer)->service);
        OPENSSL_cleanse((*signer)->key, sizeof((*signer)->key));
        free(*signer);
        *signer = NULL;
    }
}

static int hmac(const void *key, size_t key_size, const char *text, uint8_t out[GM_SHA256_SIZE],
                struct gm_err *err)
{
    unsigned size = 0;

    if (HMAC(EVP_sha256(), key, (int)key_size, (const uint8_t *)text, strlen(text), out, &size) ==
            NULL ||
        size != GM_SHA256_SIZE) {
        return gm_err_nomem(err);
    }
    return 0;
}

/* The key of the job's day: four hashes, once a day. */
static int take_key(const struct job *job, struct gm_err *err)
{
    struct gm_s3_signer *signer = job->signer;
    const char *const steps[] = {signer->region, signer->service, "aws4_request"};
    uint8_t key[GM_SHA256_SIZE];
    int rc;

    if (strcmp(signer->day, job->day) == 0) {
        return 0;
    }
    rc = hmac(signer->secret, strlen(signer->secret), job->day, key, err);
    for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint8_t next[GM_SHA256_SIZE];

        rc = hmac(key, sizeof(key), steps[i], next, err);
        memcpy(key, next, sizeof(key));
        OPENSSL_cleanse(next, sizeof(next));
    }
    if (rc == 0) {
        memcpy(signer->key, key, sizeof(key));
        memcpy(signer->day, job->day, sizeof(job->day));
    }
    OPENSSL_cleanse(key, sizeof(key));
    return rc;
}

static bool is_method(const char *method)
{
    size_t size = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return size > 0 && size < 16 && method[size] == '\0';
}

static bool is_hash(const char *payload)
{
    return strspn(payload, "0123456789abcdef") == HEX_SIZE - 1 && strlen(payload) == HEX_SIZE - 1;
}

/* As gm_url_encode writes it: what else there is would be signed in one form and sent in another.
 */
static bool is_path(const char *path)
{
    static const char hex[] = "0123456789ABCDEF";

    if (path[0] != '/') {
        return false;
    }
    for (const char *c = path; *c != '\0'; c++) {
        if (*c == '%') {
            if (c[1] == '\0' || strchr(hex, c[1]) == NULL || c[2] == '\0' ||
                strchr(hex, c[2]) == NULL) {
                return false;
            }
            c += 2;
        } else if (!((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= 'a' && *c <= 'z') || strchr("-._~/", *c) != NULL)) {
            return false;
        }
    }
    return true;
}

/* What the signer writes; the caller must not. */
static bool is_own_header(const char *name)
{
    static const char *const own[] = {"host", "authorization", "x-amz-date", "x-amz-content-sha256",
                                      "x-amz-security-token"};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcasecmp(name, own[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_own_param(const char *name)
{
    static const char *const own[] = {
        "X-Amz-Algorithm",     "X-Amz-Credential",     "X-Amz-Date",     "X-Amz-Expires",
        "X-Amz-SignedHeaders", "X-Amz-Security-Token", "X-Amz-Signature"};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcasecmp(name, own[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int check(const struct gm_s3_request *request, struct gm_err *err)
{
    const char *wrong = NULL;

    if (!is_method(request->method)) {
        wrong = "its method is none";
    } else if (!is_printable(request->host, "/?#@")) {
        wrong = "its host is none";
    } else if (!is_path(request->path)) {
        wrong = "its path is not percent-encoded as it is signed";
    } else if (!is_hash(request->payload) && strcmp(request->payload, GM_S3_UNSIGNED) != 0) {
        wrong = "its body's hash is none";
    }
    for (size_t i = 0; i < request->header_count; i++) {
        wrong =
            is_own_header(request->headers[i].name) ? "it has a header that signing sets" : wrong;
    }
    for (size_t i = 0; i < request->query_count; i++) {
        wrong =
            is_own_param(request->query[i].name) ? "it has a parameter that signing sets" : wrong;
    }
    return wrong == NULL
               ? 0
               : gm_err_set(err, GM_E_INVAL, 0, "a request could not be signed: %s", wrong);
}

static int job_begin(struct job *job, int64_t at_unix_ms, struct gm_err *err)
{
    int rc = check(job->request, err);

    if (rc < 0) {
        return rc;
    }
    if (!gm_s3_date_format(at_unix_ms, job->date)) {
        return gm_err_set(err, GM_E_INVAL, 0, "a request could not be signed: its time is none");
    }
    memcpy(job->day, job->date, DAY_SIZE - 1);
    gm_buf_printf(&job->scope, "%s/%s/%s/aws4_request", job->day, job->signer->region,
                  job->signer->service);
    rc = gm_buf_check(&job->scope, err);
    return rc < 0 ? rc : take_key(job, err);
}

static int add_headers(struct job *job, const struct gm_s3_field *more, size_t count,
                       struct gm_err *err)
{
    const struct gm_s3_field_list list = {job->request->headers, job->request->header_count, more,
                                          count};

    return gm_s3_canonical_headers(&list, &job->headers, &job->names, err);
}

static int add_query(struct job *job, const struct gm_s3_field *more, size_t count,
                     struct gm_err *err)
{
    const struct gm_s3_field_list list = {job->request->query, job->request->query_count, more,
                                          count};

    return gm_s3_canonical_query(&list, &job->query, err);
}

static const char *text_of(const struct gm_buf *buf)
{
    return buf->data == NULL ? "" : (const char *)buf->data;
}

/* From query, headers and their names to job->signature. */
static int job_sign(struct job *job, struct gm_err *err)
{
    uint8_t hash[GM_SHA256_SIZE];
    char hex[HEX_SIZE];
    int rc;

    gm_buf_printf(&job->text, "%s\n%s\n%s\n%s\n%s\n%s", job->request->method, job->request->path,
                  text_of(&job->query), text_of(&job->headers), text_of(&job->names),
                  job->request->payload);
    rc = gm_buf_check(&job->text, err);
    if (rc < 0) {
        return rc;
    }
    gm_sha256(job->text.data, job->text.size, hash);
    gm_buf_fini(&job->text);
    gm_buf_printf(&job->text, ALGORITHM "\n%s\n%s\n%s", job->date, text_of(&job->scope),
                  gm_hex(hash, sizeof(hash), hex));
    rc = gm_buf_check(&job->text, err);
    if (rc == 0) {
        rc = hmac(job->signer->key, sizeof(job->signer->key), text_of(&job->text), hash, err);
    }
    if (rc == 0) {
        gm_hex(hash, sizeof(hash), job->signature);
    }
    return rc;
}

/* Moves the text of buf to *out. */
static int take_text(struct gm_buf *buf, char **out, struct gm_err *err)
{
    int rc = gm_buf_check(buf, err);

    if (rc < 0) {
        gm_buf_fini(buf);
        return rc;
    }
    *out = (char *)buf->data;
    *buf = (struct gm_buf){0};
    return 0;
}

static int write_line(struct gm_s3_signed *out, const char *name, const char *value,
                      struct gm_err *err)
{
    struct gm_buf line = {0};
    int rc;

    gm_buf_printf(&line, "%s: %s", name, value);
    rc = take_text(&line, &out->lines[out->line_count], err);
    if (rc == 0) {
        out->line_count++;
    }
    return rc;
}

static int write_target(const struct job *job, struct gm_s3_signed *out, struct gm_err *err)
{
    struct gm_buf target = {0};

    gm_buf_printf(&target, "%s%s%s", job->request->path, job->query.size > 0 ? "?" : "",
                  text_of(&job->query));
    return take_text(&target, &out->target, err);
}

static int write_authorization(struct job *job, struct gm_s3_signed *out, struct gm_err *err)
{
    struct gm_buf value = {0};
    int rc;

    gm_buf_printf(&value, ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                  job->signer->id, text_of(&job->scope), text_of(&job->names), job->signature);
    rc = gm_buf_check(&value, err);
    if (rc == 0) {
        rc = write_line(out, "Authorization", text_of(&value), err);
    }
    gm_buf_fini(&value);
    return rc;
}

int gm_s3_sign(struct gm_s3_signer *signer, const struct gm_s3_request *request, int64_t at_unix_ms,
               struct gm_s3_signed *out, struct gm_err *err)
{
    struct job job = {.signer = signer, .request = request};
    struct gm_s3_field fields[GM_S3_SIGNED_LINES];
    struct gm_s3_signed done = {.target = NULL};
    size_t count = 0;
    int rc = job_begin(&job, at_unix_ms, err);

    if (rc < 0) {
        goto out;
    }
    fields[count++] = (struct gm_s3_field){"host", request->host};
    fields[count++] = (struct gm_s3_field){"x-amz-date", job.date};
    if (signer->is_s3) {
        fields[count++] = (struct gm_s3_field){"x-amz-content-sha256", request->payload};
    }
    if (signer->token != NULL) {
        fields[count++] = (struct gm_s3_field){"x-amz-security-token", signer->token};
    }
    rc = add_headers(&job, fields, count, err);
    if (rc == 0) {
        rc = add_query(&job, NULL, 0, err);
    }
    if (rc == 0) {
        rc = job_sign(&job, err);
    }
    if (rc == 0) {
        rc = write_target(&job, &done, err);
    }
    if (rc == 0) {
        rc = write_authorization(&job, &done, err);
    }
    for (size_t i = 1; rc == 0 && i < count; i++) { /* Host is the HTTP client's */
        rc = write_line(&done, fields[i].name, fields[i].value, err);
    }
    if (rc == 0) {
        *out = done;
        done = (struct gm_s3_signed){.target = NULL};
    }
out:
    gm_s3_signed_fini(&done);
    job_fini(&job);
    return rc;
}

void gm_s3_signed_fini(struct gm_s3_signed *out)
{
    for (size_t i = 0; i < out->line_count; i++) {
        wipe(&out->lines[i]);
    }
    out->line_count = 0;
    free(out->target);
    out->target = NULL;
}

/* Query and signature of a URL. */
static int presign(struct job *job, uint32_t expires_s, struct gm_err *err)
{
    const struct gm_s3_request *request = job->request;
    const struct gm_s3_field headers[] = {{"host", request->host},
                                          {"x-amz-content-sha256", request->payload}};
    bool hashed = job->signer->is_s3 && strcmp(request->payload, GM_S3_UNSIGNED) != 0;
    struct gm_buf credential = {0};
    char expires[16];
    int rc = add_headers(job, headers, hashed ? 2 : 1, err);

    if (rc < 0) {
        return rc;
    }
    gm_buf_printf(&credential, "%s/%s", job->signer->id, text_of(&job->scope));
    rc = gm_buf_check(&credential, err);
    if (rc == 0) {
        const struct gm_s3_field fields[] = {{"X-Amz-Algorithm", ALGORITHM},
                                             {"X-Amz-Credential", text_of(&credential)},
                                             {"X-Amz-Date", job->date},
                                             {"X-Amz-Expires", expires},
                                             {"X-Amz-SignedHeaders", text_of(&job->names)},
                                             {"X-Amz-Security-Token", job->signer->token}};

        snprintf(expires, sizeof(expires), "%" PRIu32, expires_s);
        rc = add_query(job, fields, job->signer->token == NULL ? 5 : 6, err);
    }
    gm_buf_fini(&credential);
    return rc < 0 ? rc : job_sign(job, err);
}

int gm_s3_presign(struct gm_s3_signer *signer, const struct gm_s3_request *request, bool tls,
                  int64_t at_unix_ms, uint32_t expires_s, char **out_url, struct gm_err *err)
{
    struct job job = {.signer = signer, .request = request};
    struct gm_buf url = {0};
    int rc;

    if (expires_s < 1 || expires_s > GM_S3_MAX_EXPIRES_S) {
        return gm_err_set(err, GM_E_INVAL, 0, "a URL can be signed for 1 to %d s",
                          GM_S3_MAX_EXPIRES_S);
    }
    rc = job_begin(&job, at_unix_ms, err);
    if (rc == 0) {
        rc = presign(&job, expires_s, err);
    }
    if (rc == 0) {
        gm_buf_printf(&url, "%s://%s%s?%s&X-Amz-Signature=%s", tls ? "https" : "http",
                      request->host, request->path, text_of(&job.query), job.signature);
        rc = take_text(&url, out_url, err);
    }
    job_fini(&job);
    return rc;
}
