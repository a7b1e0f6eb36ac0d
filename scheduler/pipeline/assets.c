/* Pipelines as files: the images they name, and the folders that hold named ones. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/image_header.h"
#include "proto/envelope.h"
#include "scheduler/pipeline/pipeline.h"

#define SUFFIX ".yaml"
#define PATH_BYTES 4096
#define LIST_MAX 4096

static size_t add_name(const char *name, const char **out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(out[i], name) == 0) {
            return count;
        }
    }
    if (name[0] != '\0' && count < GM_PIPELINE_MAX_IMAGES) {
        out[count++] = name;
    }
    return count;
}

size_t gm_pipeline_images(const Gm__Pipeline *pipeline, const char *out[GM_PIPELINE_MAX_IMAGES])
{
    size_t count = 0;
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        const Gm__PipelineTask *t = pipeline->tasks[i];
        if (t->params_case == GM__PIPELINE_TASK__PARAMS_THUMBNAILS) {
            count = add_name(t->thumbnails->poster_image, out, count);
        } else if (t->params_case == GM__PIPELINE_TASK__PARAMS_ENCODE) {
            const Gm__EncodeParams *e = t->encode;
            count = e->watermark != NULL ? add_name(e->watermark->image, out, count) : count;
            for (size_t k = 0; k < e->n_renditions; k++) {
                const Gm__EncodeParams *own = e->renditions[k]->encode;
                count = own != NULL && own->watermark != NULL
                            ? add_name(own->watermark->image, out, count)
                            : count;
            }
        }
    }
    return count;
}

int gm_pipeline_add_asset(Gm__Pipeline *pipeline, const char *name, const void *data, size_t size,
                          struct gm_err *err)
{
    if (!gm_is_file_name(name)) {
        return gm_err_set(err, GM_E_INVAL, 0, "an asset's name is not a plain file name");
    }
    size_t total = size;
    for (size_t i = 0; i < pipeline->n_assets; i++) {
        if (strcmp(pipeline->assets[i]->name, name) == 0) {
            return gm_err_set(err, GM_E_INVAL, 0, "asset `%s` was given twice", name);
        }
        total += pipeline->assets[i]->data.len;
    }
    if (size > GM_PIPELINE_MAX_ASSET_BYTES || total > GM_PIPELINE_MAX_ASSETS_BYTES) {
        return gm_err_set(err, GM_E_LIMIT, 0, "asset `%s` is larger than %u MiB", name,
                          GM_PIPELINE_MAX_ASSET_BYTES >> 20);
    }
    Gm__Asset **grown =
        realloc(pipeline->assets, (pipeline->n_assets + 1) * sizeof *pipeline->assets);
    if (grown == NULL) {
        return gm_err_nomem(err);
    }
    pipeline->assets = grown;
    Gm__Asset *asset = malloc(sizeof *asset);
    char *copy = strdup(name);
    uint8_t *bytes = malloc(size != 0 ? size : 1);
    if (asset == NULL || copy == NULL || bytes == NULL) {
        free(asset);
        free(copy);
        free(bytes);
        return gm_err_nomem(err);
    }
    gm__asset__init(asset);
    asset->name = copy;
    memcpy(bytes, data, size);
    asset->data.data = bytes;
    asset->data.len = size;
    pipeline->assets[pipeline->n_assets++] = asset;
    return 0;
}

static const Gm__Asset *find_asset(const Gm__Pipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < pipeline->n_assets; i++) {
        if (strcmp(pipeline->assets[i]->name, name) == 0) {
            return pipeline->assets[i];
        }
    }
    return NULL;
}

int gm_pipeline_check_assets(const Gm__Pipeline *pipeline, struct gm_err *err)
{
    const char *images[GM_PIPELINE_MAX_IMAGES];
    size_t count = gm_pipeline_images(pipeline, images);
    for (size_t i = 0; i < pipeline->n_assets; i++) {
        bool named = false;
        for (size_t k = 0; k < count; k++) {
            named = named || strcmp(images[k], pipeline->assets[i]->name) == 0;
        }
        if (!named) {
            return gm_err_set(err, GM_E_CONFIG, 0, "%s: asset `%s` is not named in the pipeline",
                              pipeline->name, pipeline->assets[i]->name);
        }
    }
    for (size_t k = 0; k < count; k++) {
        const Gm__Asset *asset = find_asset(pipeline, images[k]);
        struct gm_image_header header;
        if (asset == NULL) {
            return gm_err_set(err, GM_E_CONFIG, 0,
                              "%s: the image `%s` is missing; put it beside the pipeline file",
                              pipeline->name, images[k]);
        }
        int rc = gm_image_header_read(asset->data.data, asset->data.len, &header, err);
        if (rc < 0) {
            return gm_err_wrap(err, rc, "%s: image `%s`: ", pipeline->name, images[k]);
        }
    }
    return 0;
}

static int load_image(const char *path, const char *image, Gm__Pipeline *pipeline,
                      struct gm_err *err)
{
    const char *slash = strrchr(path, '/');
    int folder = slash != NULL ? (int)(slash - path) + 1 : 0;
    char file[PATH_BYTES];
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = gm_fs_path(file, sizeof file, err, "%.*s%s", folder, path, image);
    if (rc == 0) {
        rc = gm_fs_read(file, GM_PIPELINE_MAX_ASSET_BYTES, &data, &size, err);
        if (rc == -GM_E_SYS && err != NULL && err->native == ENOENT) {
            rc = gm_err_set(err, GM_E_CONFIG, ENOENT, "%s: its image %s is missing", path, file);
        }
    }
    if (rc == 0) {
        rc = gm_pipeline_add_asset(pipeline, image, data, size, err);
    }
    free(data);
    return rc;
}

static int load_images(const char *path, Gm__Pipeline *pipeline, struct gm_err *err)
{
    const char *images[GM_PIPELINE_MAX_IMAGES];
    size_t count = gm_pipeline_images(pipeline, images);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = load_image(path, images[i], pipeline, err);
    }
    return rc < 0 ? rc : gm_pipeline_check_assets(pipeline, err);
}

int gm_pipeline_load(const char *path, Gm__Pipeline **out, char **out_yaml, struct gm_err *err)
{
    struct gm_err own = {0};
    uint8_t *text = NULL;
    size_t size = 0;
    Gm__Pipeline *pipeline = NULL;
    err = err != NULL ? err : &own;
    int rc = gm_fs_read(path, GM_PIPELINE_MAX_BYTES, &text, &size, err);
    if (rc == 0) {
        rc = gm_pipeline_parse(path, text, size, &pipeline, err);
    }
    if (rc == 0) {
        rc = load_images(path, pipeline, err);
    }
    if (rc == 0) {
        *out = pipeline;
        pipeline = NULL;
        if (out_yaml != NULL) {
            *out_yaml = (char *)text;
            text = NULL;
        }
    }
    if (pipeline != NULL) {
        gm__pipeline__free_unpacked(pipeline, NULL);
    }
    free(text);
    return rc;
}

struct names {
    char *names[LIST_MAX + 1];
    size_t count;
};

static int collect(struct names *all, const char *folder, struct gm_err *err)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return gm_err_sys(err, errno, "could not read the pipeline folder %s", folder);
    }
    int rc = 0;
    struct dirent *e = NULL;
    while (rc == 0 && (errno = 0, e = readdir(dir)) != NULL) {
        size_t len = strlen(e->d_name);
        if (len <= strlen(SUFFIX) || strcmp(e->d_name + len - strlen(SUFFIX), SUFFIX) != 0) {
            continue;
        }
        char *name = strndup(e->d_name, len - strlen(SUFFIX));
        if (name == NULL) {
            rc = gm_err_nomem(err);
        } else if (!gm_pipeline_is_name(name)) {
            free(name);
        } else if (all->count == LIST_MAX) {
            free(name);
            rc = gm_err_set(err, GM_E_LIMIT, 0, "more than %d pipelines", LIST_MAX);
        } else {
            all->names[all->count++] = name;
        }
    }
    if (rc == 0 && errno != 0) {
        rc = gm_err_sys(err, errno, "could not read the pipeline folder %s", folder);
    }
    (void)closedir(dir);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_destroy(struct names **all)
{
    if (*all != NULL) {
        for (size_t i = 0; i < (*all)->count; i++) {
            free((*all)->names[i]);
        }
        free(*all);
        *all = NULL;
    }
}

static int names_create(char *const *folders, struct names **out, struct gm_err *err)
{
    struct names *all = calloc(1, sizeof *all);
    int rc = all == NULL ? gm_err_nomem(err) : 0;
    for (; rc == 0 && folders != NULL && *folders != NULL; folders++) {
        rc = collect(all, *folders, err);
    }
    if (rc < 0) {
        names_destroy(&all);
        return rc;
    }
    qsort(all->names, all->count, sizeof all->names[0], by_name);
    *out = all;
    return 0;
}

int gm_pipeline_list(char *const *folders, int (*fn)(const char *name, void *arg), void *arg,
                     struct gm_err *err)
{
    struct names *all = NULL;
    int rc = names_create(folders, &all, err);
    for (size_t i = 0; rc == 0 && i < all->count; i++) {
        if (i == 0 || strcmp(all->names[i], all->names[i - 1]) != 0) {
            rc = fn(all->names[i], arg);
        }
    }
    names_destroy(&all);
    return rc;
}

bool gm_pipeline_has_file(char *const *folders, const char *name)
{
    bool has = false;
    for (char *const *f = folders; !has && f != NULL && *f != NULL; f++) {
        char path[PATH_BYTES];
        has = gm_fs_path(path, sizeof path, NULL, "%s/%s" SUFFIX, *f, name) == 0 &&
              access(path, F_OK) == 0;
    }
    return has;
}

int gm_pipeline_find(char *const *folders, const char *name, Gm__Pipeline **out, char **out_yaml,
                     struct gm_err *err)
{
    if (!gm_pipeline_is_name(name)) {
        return gm_err_set(err, GM_E_NOTFOUND, 0,
                          "that is no pipeline's name: 1 to 64 of a-z, 0-9 and `-`");
    }
    for (char *const *f = folders; f != NULL && *f != NULL; f++) {
        char path[PATH_BYTES];
        int rc = gm_fs_path(path, sizeof path, err, "%s/%s" SUFFIX, *f, name);
        if (rc < 0) {
            return rc;
        }
        if (access(path, F_OK) == 0) {
            return gm_pipeline_load(path, out, out_yaml, err);
        }
    }
    struct names *all = NULL;
    int rc = names_create(folders, &all, err);
    if (rc < 0) {
        return rc;
    }
    const char *near = gm_suggest(name, (const char *const *)all->names);
    rc = near != NULL ? gm_err_set(err, GM_E_NOTFOUND, 0,
                                   "there is no pipeline `%s`; did you mean `%s`?", name, near)
                      : gm_err_set(err, GM_E_NOTFOUND, 0, "there is no pipeline `%s`", name);
    names_destroy(&all);
    return rc;
}
