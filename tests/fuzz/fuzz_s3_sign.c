#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "storage/backend.h"
#include "storage/s3/address.h"
#include "storage/s3/sign.h"

/* Requests to be signed. Lines: an endpoint, a bucket, a key, then name and value of each field;
 * the first half are parameters, the rest headers. What can be signed is a URL that holds nothing
 * that would end it, says the key, and does not depend on the order of parameters. */

#define MAX_LINES 40

static size_t split(char *text, char *lines[MAX_LINES])
{
    size_t count = 0;

    while (count < MAX_LINES && text != NULL) {
        lines[count++] = strsep(&text, "\n");
    }
    return count;
}

static void check_url(const char *url, const struct gm_s3_address *address, const char *key)
{
    const char *path = strstr(url, "://") + 3 + strlen(address->host);
    struct gm_err err = {0};
    char *back = NULL;

    GM_ASSERT(
        strspn(url, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/%:?&=[]") ==
        strlen(url));
    GM_ASSERT(strncmp(path, address->path, strlen(address->path)) == 0 &&
              path[strlen(address->path)] == '?');
    GM_ASSERT(gm_url_decode(address->path, strlen(address->path), &back, &err) == 0);
    GM_ASSERT(strlen(back) >= strlen(key) && strcmp(back + strlen(back) - strlen(key), key) == 0);
    free(back);
}

static void sign(const struct gm_s3_endpoint *endpoint, struct gm_s3_address *address,
                 const char *key, struct gm_s3_field *fields, size_t count)
{
    static const struct gm_s3_keys keys = {"id", "secret", "token"};
    struct gm_s3_request request = {.method = "PUT",
                                    .host = address->host,
                                    .path = address->path,
                                    .query = fields,
                                    .query_count = count / 2,
                                    .headers = fields + count / 2,
                                    .header_count = count - count / 2,
                                    .payload = GM_S3_UNSIGNED};
    struct gm_s3_field turned[MAX_LINES];
    struct gm_s3_signer *signer = NULL;
    struct gm_s3_signed out = {.target = NULL};
    struct gm_err err = {0};
    char *url = NULL;
    char *again = NULL;

    GM_ASSERT(gm_s3_signer_create(&keys, "r", "s3", &signer, &err) == 0);
    if (gm_s3_presign(signer, &request, endpoint->tls, 0, 60, &url, &err) == 0) {
        check_url(url, address, key);
        for (size_t i = 0; i < request.query_count; i++) {
            turned[i] = fields[request.query_count - 1 - i];
        }
        request.query = turned;
        GM_ASSERT(gm_s3_presign(signer, &request, endpoint->tls, 0, 60, &again, &err) == 0);
        GM_ASSERT(strcmp(url, again) == 0);
        GM_ASSERT(gm_s3_sign(signer, &request, 0, &out, &err) == 0);
        for (size_t i = 0; i < out.line_count; i++) {
            GM_ASSERT(strpbrk(out.lines[i], "\r\n") == NULL);
        }
        gm_s3_signed_fini(&out);
    } else {
        GM_ASSERT(err.text[0] != '\0' && url == NULL);
    }
    free(url);
    free(again);
    gm_s3_signer_destroy(&signer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_s3_field fields[MAX_LINES];
    struct gm_s3_endpoint endpoint;
    struct gm_s3_address address;
    struct gm_err err = {0};
    char *lines[MAX_LINES];
    size_t count;
    char *text = malloc(size + 1);

    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    count = split(text, lines);
    for (size_t i = 3; i + 1 < count; i += 2) {
        fields[(i - 3) / 2] = (struct gm_s3_field){lines[i], lines[i + 1]};
    }
    if (count >= 3 && gm_s3_endpoint_read(lines[0], &endpoint, &err) == 0 &&
        gm_s3_address_make(&endpoint, size % 2 == 0 ? GM_S3_PATH : GM_S3_VIRTUAL, lines[1],
                           lines[2], &address, &err) == 0) {
        sign(&endpoint, &address, lines[2], fields, (count - 3) / 2);
        gm_s3_address_fini(&address);
    }
    free(text);
    return 0;
}
