#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "storage/remote/remote.h"
#include "storage/s3/url.h"

/* What names a place: each line as a URL that was signed, as s3://bucket/key, and as a line of a
 * configuration. */

static void check_signed(const char *url)
{
    char plain[GM_S3_URL_PLAIN];
    struct gm_s3_endpoint endpoint;
    struct gm_err err = {0};
    int64_t until = -1;
    const char *query = strchr(url, '?');

    GM_ASSERT(gm_s3_url_plain(url, plain) == plain);
    GM_ASSERT(strlen(plain) < sizeof(plain) && strlen(plain) <= strcspn(url, "?#"));
    GM_ASSERT(query != NULL || !gm_s3_url_signs(url, "x-amz-content-sha256"));
    GM_ASSERT(!gm_s3_url_until(url, &until) || until >= 0);
    if (gm_s3_url_endpoint(url, &endpoint, &err) == 0) {
        GM_ASSERT(gm_s3_url_is_http(url) && endpoint.host[0] != '\0');
        GM_ASSERT(strlen(url) <= GM_S3_URL_MAX);
        GM_ASSERT(strpbrk(endpoint.host, "/?#@ \\") == NULL);
    } else if (query != NULL && strlen(query) > 8) {
        GM_ASSERT(strstr(err.text, query) == NULL);
    }
}

static void check_location(const char *url)
{
    struct gm_s3_location location;
    struct gm_err err = {0};

    if (gm_s3_location_read(url, &location, &err) < 0) {
        GM_ASSERT(err.text[0] != '\0');
        return;
    }
    GM_ASSERT(gm_s3_is_url(url) && gm_s3_is_bucket(location.bucket));
    GM_ASSERT(location.key[0] == '\0' ||
              (location.key >= url && location.key <= url + strlen(url)));
    GM_ASSERT(strlen(location.key) <= GM_S3_KEY_MAX);
    (void)gm_s3_content_type(location.key);
    GM_ASSERT(gm_s3_cache_control(location.key) != NULL);
}

static void check_line(const char *line)
{
    struct gm_remote *remote = calloc(1, sizeof(*remote));
    struct gm_err err = {0};

    GM_ASSERT(remote != NULL);
    if (gm_remote_read(line, remote, &err) == 0) {
        GM_ASSERT(strcmp(remote->bucket, "*") == 0 || gm_s3_is_bucket(remote->bucket));
        GM_ASSERT(remote->endpoint.host[0] != '\0' && remote->region != NULL);
        GM_ASSERT(remote->keys_path != NULL && remote->keys_path[0] == '/');
        GM_ASSERT(remote->ca_file == NULL || remote->ca_file[0] == '/');
    } else {
        GM_ASSERT(err.code == GM_E_CONFIG && err.text[0] != '\0');
    }
    free(remote->bucket);
    free(remote->region);
    free(remote->keys_path);
    free(remote->ca_file);
    free(remote);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char *rest = text;
    char *line;

    GM_ASSERT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    while ((line = strsep(&rest, "\n")) != NULL) {
        check_signed(line);
        check_location(line);
        check_line(line);
    }
    free(text);
    return 0;
}
