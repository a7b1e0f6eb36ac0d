/* See: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
#include "scheduler/hooks/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"

#define PREFIX "whsec_"
#define LEAST_BYTES 24
#define WHAT_FOR "gopmill webhook"
#define FILE_MAX_BYTES 4096

static int read_file(const char *path, char **out, size_t *out_size, struct gm_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        rc = gm_err_sys(err, errno, "%.150s can't be read", path);
    } else if ((st.st_mode & 077) != 0) {
        rc = gm_err_set(err, GM_E_CONFIG, 0,
                        "%.150s can be read by others than its owner: chmod 0600", path);
    } else {
        rc = gm_fs_read_fd(fd, FILE_MAX_BYTES, (uint8_t **)out, out_size, err);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

static int add(struct gm_hook_secrets *s, const char *line, const char *path, struct gm_err *err)
{
    size_t n = strlen(PREFIX);
    if (s->count == GM_HOOK_SECRETS) {
        return gm_err_set(err, GM_E_CONFIG, 0, "%.150s has more than %d secrets", path,
                          GM_HOOK_SECRETS);
    }
    long size = strncmp(line, PREFIX, n) == 0
                    ? gm_base64_decode(line + n, s->keys[s->count], GM_HOOK_SECRET_BYTES)
                    : -1;
    if (size < LEAST_BYTES) {
        return gm_err_set(err, GM_E_CONFIG, 0,
                          "%.150s has a line that is not `" PREFIX "` and base64 of %d to %d bytes",
                          path, LEAST_BYTES, GM_HOOK_SECRET_BYTES);
    }
    s->sizes[s->count++] = (size_t)size;
    return 0;
}

int gm_hook_secrets_load(const char *path, struct gm_hook_secrets *out, struct gm_err *err)
{
    struct gm_hook_secrets found = {.count = 0};
    char *text = NULL, *rest = NULL;
    size_t size = 0;
    if (strncmp(path, PREFIX, strlen(PREFIX)) == 0) {
        return gm_err_set(err, GM_E_CONFIG, 0, "this is a secret: give the file that it is in");
    }
    int rc = read_file(path, &text, &size, err);
    for (char *line = rc == 0 ? strtok_r(text, "\r\n", &rest) : NULL; rc == 0 && line != NULL;
         line = strtok_r(NULL, "\r\n", &rest)) {
        line[strcspn(line, " \t")] = '\0';
        if (line[0] != '#' && line[0] != '\0') {
            rc = add(&found, line, path, err);
        }
    }
    if (rc == 0 && found.count == 0) {
        rc = gm_err_set(err, GM_E_CONFIG, 0, "%.150s has no secret", path);
    }
    if (text != NULL) {
        explicit_bzero(text, size);
        free(text);
    }
    if (rc == 0) {
        *out = found;
    }
    gm_hook_secrets_wipe(&found);
    return rc;
}

void gm_hook_secrets_of(const struct gm_hook_secrets *farm, const char *tenant,
                        struct gm_hook_secrets *out)
{
    char text[sizeof WHAT_FOR + GM_HOOK_TENANT];
    size_t size = strnlen(tenant, GM_HOOK_TENANT);
    memcpy(text, WHAT_FOR, sizeof WHAT_FOR); /* with its end */
    memcpy(text + sizeof WHAT_FOR, tenant, size);
    *out = (struct gm_hook_secrets){.count = farm->count};
    for (size_t i = 0; i < farm->count; i++) {
        gm_hmac_sha256(farm->keys[i], farm->sizes[i], text, sizeof WHAT_FOR + size, out->keys[i]);
        out->sizes[i] = GM_SHA256_SIZE;
    }
}

void gm_hook_secrets_print(const struct gm_hook_secrets *secrets, FILE *out)
{
    char base64[GM_BASE64_SIZE(GM_HOOK_SECRET_BYTES)];
    for (size_t i = 0; i < secrets->count; i++) {
        (void)fprintf(out, PREFIX "%s\n", gm_base64(secrets->keys[i], secrets->sizes[i], base64));
    }
    explicit_bzero(base64, sizeof base64);
}

void gm_hook_secrets_wipe(struct gm_hook_secrets *secrets)
{
    explicit_bzero(secrets, sizeof *secrets);
}

void gm_hook_sign(const struct gm_hook_secrets *secrets, const char *id, int64_t unix_s,
                  const void *body, size_t size, struct gm_buf *out)
{
    struct gm_buf text = {0};
    uint8_t mac[GM_SHA256_SIZE];
    char base64[GM_BASE64_SIZE(GM_SHA256_SIZE)];
    gm_buf_printf(&text, "%s.%" PRId64 ".", id, unix_s);
    gm_buf_add(&text, body, size);
    out->failed = out->failed || text.failed;
    for (size_t i = 0; !text.failed && i < secrets->count; i++) {
        gm_hmac_sha256(secrets->keys[i], secrets->sizes[i], text.data, text.size, mac);
        gm_buf_printf(out, "%sv1,%s", i > 0 ? " " : "", gm_base64(mac, sizeof mac, base64));
    }
    gm_buf_fini(&text);
}
