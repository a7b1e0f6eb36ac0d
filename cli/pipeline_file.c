#include "cli/pipeline_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/url.h"
#include "common/fs.h"

#define MAX_YAML (1u << 20)
#define MAX_IMAGE (4u << 20)
#define MAX_IMAGES 64
#define MAX_DEPTH 40 /* gm_yaml_parse stops at 32 */

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

bool gm_pipeline_is_file(const char *arg)
{
    struct stat st;
    return strchr(arg, '/') != NULL || ends_in(arg, ".yaml") || ends_in(arg, ".yml") ||
           (stat(arg, &st) == 0 && !S_ISDIR(st.st_mode));
}

int gm_pipeline_scan_images(const struct gm_yaml *root,
                            int (*fn)(const struct gm_yaml *image, void *arg, struct gm_err *err),
                            void *arg, struct gm_err *err)
{
    const struct gm_yaml *stack[MAX_DEPTH] = {root};
    int depth = 0;
    while (depth >= 0) {
        const struct gm_yaml *node = stack[depth];
        if (node == NULL) {
            depth--;
            continue;
        }
        /* The root has no siblings that count. */
        stack[depth] = depth == 0 ? NULL : node->next;
        if (node->kind == GM_YAML_SCALAR) {
            bool names = node->key != NULL && (strcmp(node->key, "image") == 0 ||
                                               strcmp(node->key, "poster_image") == 0);
            int rc = names ? fn(node, arg, err) : 0;
            if (rc < 0) {
                return rc;
            }
        } else if (depth + 1 < MAX_DEPTH) {
            stack[++depth] = node->child;
        }
    }
    return 0;
}

struct load {
    const char *path;
    json_t *assets; /* borrowed */
};

/* An image's path relative to the pipeline file's folder. */
static int image_path(const struct load *load, const char *name, char *out, size_t size,
                      struct gm_err *err)
{
    const char *slash = strrchr(load->path, '/');
    int folder = name[0] == '/' || slash == NULL ? 0 : (int)(slash - load->path) + 1;
    return gm_fs_path(out, size, err, "%.*s%s", folder, load->path, name);
}

static int load_image(const struct gm_yaml *image, void *arg, struct gm_err *err)
{
    struct load *load = arg;
    char path[4096];
    const char *name = NULL;
    char *text = NULL;
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_err why;
    int rc = gm_yaml_string(image, &name, err);
    if (rc < 0 || json_object_get(load->assets, name) != NULL) {
        return rc;
    }
    if (json_object_size(load->assets) >= MAX_IMAGES) {
        return gm_yaml_fail(image, err, "more than %d images", MAX_IMAGES);
    }
    rc = image_path(load, name, path, sizeof(path), err);
    if (rc < 0) {
        return rc;
    }
    if (gm_fs_read(path, MAX_IMAGE, &data, &size, &why) < 0) {
        return gm_yaml_fail(image, err, "the image can't be read: %s", why.text);
    }
    rc = gm_base64_encode(data, size, &text, err);
    free(data);
    if (rc == 0 && json_object_set_new(load->assets, name, json_string(text)) != 0) {
        rc = gm_err_nomem(err);
    }
    free(text);
    return rc;
}

int gm_pipeline_load(const char *path, json_t **out, struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_yaml *root = NULL;
    json_t *assets = json_object();
    json_t *doc = NULL;
    struct load load = {path, assets};
    int rc = assets == NULL ? gm_err_nomem(err) : 0;
    if (rc == 0) {
        rc = gm_fs_read(path, MAX_YAML, &data, &size, err);
    }
    if (rc < 0) {
        if (rc == -GM_E_SYS && err != NULL && err->native == ENOENT) {
            bool name = !gm_pipeline_is_file(path);
            rc = gm_err_set(err, GM_E_INVAL, ENOENT, "there is no pipeline file %s%s%s", path,
                            name ? "; one by name: gopmill pipeline show " : "", name ? path : "");
        } else if (rc == -GM_E_SYS && err != NULL && err->native == EISDIR) {
            rc = gm_err_set(err, GM_E_INVAL, EISDIR, "%s is a folder, not a pipeline file", path);
        } else if (rc == -GM_E_SYS && err != NULL && err->native == EACCES) {
            rc = gm_err_set(err, GM_E_INVAL, EACCES, "the pipeline file %s may not be read", path);
        }
        goto out;
    }
    rc = gm_yaml_parse(path, data, size, &root, err);
    if (rc == 0) {
        rc = gm_pipeline_scan_images(root, load_image, &load, err);
    }
    if (rc < 0) {
        goto out;
    }
    doc = json_pack("{s:s%,s:s,s:O}", "yaml", (const char *)data, size, "name", path, "assets",
                    assets);
    if (doc == NULL) {
        rc = gm_err_set(err, GM_E_CONFIG, 0, "%s is not UTF-8 text", path);
        goto out;
    }
    *out = doc;
out:
    gm_yaml_destroy(&root);
    json_decref(assets);
    free(data);
    return rc;
}
