#ifndef GM_SCHEDULER_PIPELINE_PIPELINE_H
#define GM_SCHEDULER_PIPELINE_PIPELINE_H

#include "common/yaml.h"
#include "media.pb-c.h"

/* Pipeline files: YAML for people -> Gm__Pipeline, every default filled in. docs/pipelines.md is
 * the manual of the format; the table below is its source of names, ranges and defaults.
 *
 * Limits: 1 MiB of YAML, 32 tasks, an asset 4 MiB, all assets 8 MiB.
 */
#define GM_PIPELINE_MAX_BYTES (1u << 20)
#define GM_PIPELINE_MAX_TASKS 32
#define GM_PIPELINE_MAX_ASSET_BYTES (4u << 20)
#define GM_PIPELINE_MAX_ASSETS_BYTES (8u << 20)
#define GM_PIPELINE_MAX_IMAGES 24

enum gm_param_type {
    GM_PARAM_UINT32,
    GM_PARAM_UINT64,
    GM_PARAM_INT32,
    GM_PARAM_SIZE, /* uint32_t, written with k, M suffixes too */
    GM_PARAM_RATE, /* int64_t, the same */
    GM_PARAM_DOUBLE,
    GM_PARAM_BOOL,
    GM_PARAM_CHOICE,   /* one word of `choices` */
    GM_PARAM_FILE,     /* name of an asset */
    GM_PARAM_LANGUAGE, /* ISO 639-2 code: three small letters; or a word of `choices` */
    GM_PARAM_SIDES,    /* list of even short sides in px, falling, 1..16 of them */
    GM_PARAM_WORD,     /* text that encode.c checks */
    GM_PARAM_WORDS,    /* list of different words of `choices`, at least one */
    GM_PARAM_RUNGS,    /* a map from short sides to maps of what rungs may have: params.c */
    GM_PARAM_MAP       /* the rows whose task is this row's name */
};

/* One parameter of a task type. */
struct gm_pipeline_param {
    const char *task; /* task type, or the name of a MAP parameter */
    const char *name;
    enum gm_param_type type;
    size_t offset; /* in the params message */
    double min, max;
    const char *const *choices; /* CHOICE; NULL-terminated */
    const char *def;            /* as YAML; NULL: unset unless written */
    bool required;
    const char *doc; /* one sentence */
};

/* The table; ends with a row whose task is NULL. */
const struct gm_pipeline_param *gm_pipeline_params(void);

/* name: shown in messages as the file. Assets stay empty: see below. *out is owned:
 * gm__pipeline__free_unpacked(out, NULL).
 * Errors: CONFIG ("name:line:column: ..."), LIMIT, NOMEM. */
int gm_pipeline_parse(const char *name, const void *data, size_t size, Gm__Pipeline **out,
                      struct gm_err *err) GM_MUST_CHECK;
/* Images that the pipeline names, each once: watermarks and the poster. Borrowed from the pipeline.
 * Returns how many. */
size_t gm_pipeline_images(const Gm__Pipeline *pipeline, const char *out[GM_PIPELINE_MAX_IMAGES]);
/* Adds a copy of an asset. Errors: INVAL (bad or double name), LIMIT, NOMEM. */
int gm_pipeline_add_asset(Gm__Pipeline *pipeline, const char *name, const void *data, size_t size,
                          struct gm_err *err) GM_MUST_CHECK;
/* Each image named is there and begins as an image does, and nothing else is. Errors: CONFIG,
 * BAD_IMAGE. */
int gm_pipeline_check_assets(const Gm__Pipeline *pipeline, struct gm_err *err) GM_MUST_CHECK;
/* Reads a pipeline file and, beside it, its images. *out_yaml (may be NULL): the text, owned.
 * Errors: CONFIG, BAD_IMAGE, SYS, LIMIT, NOMEM. */
int gm_pipeline_load(const char *path, Gm__Pipeline **out, char **out_yaml,
                     struct gm_err *err) GM_MUST_CHECK;

/* The folders of named pipelines, read anew at each call: a file put there is found at once. */
bool gm_pipeline_is_name(const char *s); /* [a-z0-9-]{1,64} */
/* The first folder's NAME.yaml wins. folders: NULL-terminated. Errors: NOTFOUND with a suggestion,
 * and those of gm_pipeline_load. */
int gm_pipeline_find(char *const *folders, const char *name, Gm__Pipeline **out, char **out_yaml,
                     struct gm_err *err) GM_MUST_CHECK;
/* Whether there is such a file, whatever is in it. */
bool gm_pipeline_has_file(char *const *folders, const char *name);
/* Calls fn for the name of each file there, sorted, each name once; a non-zero answer stops. */
int gm_pipeline_list(char *const *folders, int (*fn)(const char *name, void *arg), void *arg,
                     struct gm_err *err) GM_MUST_CHECK;

#endif
