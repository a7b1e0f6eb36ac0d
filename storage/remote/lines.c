/* Lines of the configuration, and the key files that they name. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "storage/remote/remote.h"

#define KEY_FILE_MAX 65536 /* bytes */

void gm_key_file_wipe(struct gm_key_file *keys)
{
    char *const texts[] = {keys->id, keys->secret, keys->token};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i] != NULL) {
            explicit_bzero(texts[i], strlen(texts[i]));
            free(texts[i]);
        }
    }
    *keys = (struct gm_key_file){.id = NULL};
}

static bool is_printable(const char *text)
{
    while (*text > ' ' && *text <= '~') {
        text++;
    }
    return *text == '\0';
}

/* "name=value" into the field of that name. */
static int take_key(const char *path, const char *line, struct gm_key_file *out, struct gm_err *err)
{
    const struct {
        const char *name;
        char **place;
    } fields[] = {{"id=", &out->id}, {"secret=", &out->secret}, {"token=", &out->token}};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *value = line + strlen(fields[i].name);

        if (strncmp(line, fields[i].name, strlen(fields[i].name)) != 0) {
            continue;
        }
        if (*fields[i].place != NULL || value[0] == '\0' || !is_printable(value)) {
            return gm_err_set(err, GM_E_CONFIG, 0, "%.150s: %s is there twice, or has no value",
                              path, fields[i].name);
        }
        *fields[i].place = strdup(value);
        return *fields[i].place != NULL ? 0 : gm_err_nomem(err);
    }
    return gm_err_set(err, GM_E_CONFIG, 0,
                      "%.150s has a line that is none of id=, secret=, token=", path);
}

static int take_keys(const char *path, char *text, struct gm_key_file *out, struct gm_err *err)
{
    char *rest = NULL;
    int rc = 0;

    for (char *line = strtok_r(text, "\r\n", &rest); rc == 0 && line != NULL;
         line = strtok_r(NULL, "\r\n", &rest)) {
        size_t size;

        line += strspn(line, " \t");
        for (size = strlen(line); size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\t');) {
            line[--size] = '\0';
        }
        if (line[0] != '\0' && line[0] != '#') {
            rc = take_key(path, line, out, err);
        }
    }
    if (rc == 0 && (out->id == NULL || out->secret == NULL)) {
        rc = gm_err_set(err, GM_E_CONFIG, 0, "%.150s lacks id= or secret=", path);
    }
    return rc;
}

static int read_private(const char *path, uint8_t **out, size_t *out_size, struct gm_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc;

    if (fd < 0) {
        return gm_err_set(err, GM_E_CONFIG, errno, "the key file %.120s can't be read: %s", path,
                          strerror(errno));
    }
    if (fstat(fd, &st) < 0) {
        rc = gm_err_sys(err, errno, "the key file %.120s can't be read", path);
    } else if ((st.st_mode & 077) != 0) {
        rc = gm_err_set(err, GM_E_CONFIG, 0,
                        "%.150s can be read by others than its owner: chmod 0600", path);
    } else {
        rc = gm_fs_read_fd(fd, KEY_FILE_MAX, out, out_size, err);
    }
    (void)close(fd);
    return rc;
}

int gm_key_file_load(const char *path, struct gm_key_file *out, struct gm_err *err)
{
    struct gm_key_file keys = {.id = NULL};
    uint8_t *text = NULL;
    size_t size = 0;
    int rc = read_private(path, &text, &size, err);

    if (rc < 0) {
        return rc;
    }
    rc = take_keys(path, (char *)text, &keys, err);
    explicit_bzero(text, size);
    free(text);
    if (rc < 0) {
        gm_key_file_wipe(&keys);
        return rc;
    }
    *out = keys;
    return 0;
}

static int set_text(char **place, const char *value, struct gm_err *err)
{
    if (*place != NULL) {
        return gm_err_set(err, GM_E_CONFIG, 0, "`%.100s` is there twice", value);
    }
    *place = strdup(value);
    return *place != NULL ? 0 : gm_err_nomem(err);
}

static int set_path(char **place, const char *value, struct gm_err *err)
{
    if (value[0] != '/') {
        return gm_err_set(err, GM_E_CONFIG, 0, "`%.100s` is not the absolute path of a file",
                          value);
    }
    return set_text(place, value, err);
}

/* What a word "name=value" means. */
static int set(struct gm_remote *r, const char *word, struct gm_err *err)
{
    const char *value = strchr(word, '=');

    value = value == NULL ? word + strlen(word) : value + 1;
    if (strncmp(word, "endpoint=", 9) == 0) {
        if (r->endpoint.host[0] != '\0') {
            return gm_err_set(err, GM_E_CONFIG, 0, "endpoint is there twice");
        }
        int rc = gm_s3_endpoint_read(value, &r->endpoint, err);
        if (rc == -GM_E_INVAL) {
            err->code = GM_E_CONFIG;
            rc = -GM_E_CONFIG;
        }
        return rc;
    }
    if (strncmp(word, "region=", 7) == 0 && value[0] != '\0') {
        return set_text(&r->region, value, err);
    }
    if (strncmp(word, "keys=", 5) == 0) {
        return set_path(&r->keys_path, value, err);
    }
    if (strncmp(word, "ca=", 3) == 0) {
        return set_path(&r->ca_file, value, err);
    }
    if (strcmp(word, "style=path") == 0 || strcmp(word, "style=virtual") == 0) {
        r->style = value[0] == 'p' ? GM_S3_PATH : GM_S3_VIRTUAL;
        return 0;
    }
    return gm_err_set(err, GM_E_CONFIG, 0,
                      "`%.*s` is none of endpoint=URL, region=NAME, style=path|virtual, "
                      "keys=FILE, ca=FILE",
                      (int)strcspn(word, "=") < 100 ? (int)strcspn(word, "=") : 100,
                      word); /* what stands behind it may be a secret */
}

static int read_words(char *line, struct gm_remote *out, struct gm_err *err)
{
    char *rest = NULL;
    const char *name = strtok_r(line, " \t", &rest);
    const char *word;
    int rc;

    if (name == NULL || !gm_s3_is_url(name) ||
        (strcmp(name, "s3://*") != 0 && !gm_s3_is_bucket(name + strlen("s3://")))) {
        return gm_err_set(err, GM_E_CONFIG, 0, "`%.100s` is neither s3://BUCKET nor s3://*",
                          name != NULL ? name : "");
    }
    rc = set_text(&out->bucket, name + strlen("s3://"), err);
    while (rc == 0 && (word = strtok_r(NULL, " \t", &rest)) != NULL) {
        rc = set(out, word, err);
    }
    if (rc == 0 && (out->endpoint.host[0] == '\0' || out->keys_path == NULL)) {
        rc = gm_err_set(err, GM_E_CONFIG, 0, "s3://%s lacks endpoint= or keys=", out->bucket);
    }
    if (rc == 0 && out->region == NULL) {
        rc = set_text(&out->region, "us-east-1", err);
    }
    return rc;
}

int gm_remote_read(const char *line, struct gm_remote *out, struct gm_err *err)
{
    char *copy = strdup(line);
    int rc = copy == NULL ? gm_err_nomem(err) : read_words(copy, out, err);

    free(copy);
    return rc;
}
