#include "scheduler/access_remote.h"

#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "proto/parts.h"
#include "scheduler/access_http.h"

static bool is_http(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

bool gm_access_is_remote(const char *url)
{
    return gm_s3_is_url(url) || is_http(url) || gm_parts_is_url(url, NULL);
}

bool gm_access_is_remote_root(const char *root)
{
    struct gm_s3_location location;
    struct gm_err err;
    return is_http(root) || gm_s3_location_read(root, &location, &err) == 0;
}

/* url is what root names or lies below it. */
static bool is_under(const char *url, const char *root)
{
    size_t n = strlen(root);
    while (n > 0 && root[n - 1] == '/') {
        n--;
    }
    return strncmp(url, root, n) == 0 && (url[n] == '/' || url[n] == '\0');
}

static bool is_allowed(const char *url, char *const *roots)
{
    bool none = true;
    for (; roots != NULL && *roots != NULL; roots++) {
        if (gm_s3_is_url(*roots)) {
            none = false;
            if (is_under(url, *roots)) {
                return true;
            }
        }
    }
    return none; /* a line of `storage` for the bucket is asked for anyway */
}

/* What a missing line is to who submits. */
static int check_line(const struct gm_stores *stores, const char *url, struct gm_err *err)
{
    int rc = gm_stores_check(stores, url, err);
    if (rc == -GM_E_CONFIG) {
        err->code = GM_E_STORE_UNKNOWN;
        rc = -GM_E_STORE_UNKNOWN;
    }
    return rc;
}

static int refuse(struct gm_err *err, const char *what, const char *option)
{
    return gm_err_set(err, GM_E_STORE_DENIED, 0, "the %s is outside the places of %s", what,
                      option);
}

/* The store's errors in terms of an input. */
static int input_error(int rc, struct gm_err *err)
{
    if (rc == -GM_E_NOTFOUND) {
        return gm_err_set(err, GM_E_INPUT_MISSING, err->native, "there is no such object");
    }
    if (rc == -GM_E_STORE_DENIED) {
        return gm_err_set(err, GM_E_INPUT_DENIED, err->native,
                          "the store refuses the scheduler's keys, or to let them read the input");
    }
    return rc;
}

static int fill(struct gm_access_source *s, const char *url, struct gm_err *err)
{
    const char *name = strrchr(url, '/');
    s->url = strdup(url);
    s->name = strdup(name != NULL ? name + 1 : url);
    if (s->url == NULL || s->name == NULL) {
        return gm_err_nomem(err);
    }
    gm_utf8_clean(s->name);
    return 0;
}

/* A server's, which is asked without a key. */
static int http_source(const char *url, char *const *roots, struct gm_access_source *out,
                       struct gm_err *err)
{
    struct gm_access_source s = {0};
    struct gm_access_http told = {.size = 0};
    int rc = gm_access_http(url, roots, NULL, &told, err);
    if (rc == 0) {
        rc = gm_access_http_name(url, &s.name, err);
    }
    if (rc < 0) {
        return rc;
    }
    s.url = strdup(url);
    if (s.url == NULL) {
        gm_access_source_fini(&s);
        return gm_err_nomem(err);
    }
    s.size = told.size;
    memcpy(s.etag, told.etag, sizeof s.etag);
    *out = s;
    return 0;
}

/* s3://bucket/key */
static bool names_object(const char *url)
{
    const char *slash = strrchr(url + strlen("s3://"), '/');
    return slash != NULL && slash[1] != '\0';
}

int gm_access_remote_source(struct gm_stores *stores, const char *url, char *const *roots,
                            struct gm_access_source *out, struct gm_err *err)
{
    struct gm_access_source s = {0};
    struct gm_remote_stat stat = {0};
    if (!gm_s3_is_url(url)) {
        return http_source(url, roots, out, err);
    }
    int rc = check_line(stores, url, err);
    if (rc == 0 && !is_allowed(url, roots)) {
        rc = refuse(err, "input", "allow_sources");
    }
    if (rc == 0 && !names_object(url)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "the input names a bucket or a folder, not an object");
    }
    if (rc == 0) {
        rc = input_error(gm_stores_stat(stores, url, &stat, err), err);
    }
    if (rc == 0 && stat.size == 0) {
        rc = gm_err_set(err, GM_E_INPUT_EMPTY, 0, "the input has no bytes");
    }
    if (rc == 0) {
        rc = fill(&s, url, err);
    }
    if (rc < 0) {
        gm_access_source_fini(&s);
        return rc;
    }
    s.size = stat.size;
    memcpy(s.etag, stat.etag, sizeof s.etag);
    *out = s;
    return 0;
}

int gm_access_remote_destination(const struct gm_stores *stores, const char *url,
                                 char *const *roots, char **out_url, struct gm_err *err)
{
    if (!gm_s3_is_url(url)) {
        return gm_err_set(err, GM_E_INVAL, 0, "a destination is file:///folder or s3://bucket");
    }
    int rc = check_line(stores, url, err);
    if (rc == 0 && !is_allowed(url, roots)) {
        rc = refuse(err, "destination", "allow_destinations");
    }
    if (rc < 0) {
        return rc;
    }
    size_t size = strlen(url);
    while (url[size - 1] == '/') { /* a bucket's name stands before */
        size--;
    }
    *out_url = strndup(url, size);
    return *out_url != NULL ? 0 : gm_err_nomem(err);
}

int gm_access_remote_ready(struct gm_stores *stores, const char *url, struct gm_err *err)
{
    int rc = check_line(stores, url, err);
    return rc < 0 ? rc : gm_stores_probe(stores, url, err);
}
